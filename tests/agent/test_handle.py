"""The one door: nothing filed is lost, nothing runs twice, whoever is killed, waits or races."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from agent_scene import AUDIT_LOG, DISCOUNT, Clock, Scene, open_scene, read_words_as_words
from sqlalchemy import text

from agent import handle as handle_module
from agent.assessors import Assessors
from agent.handle import ClockTicked
from agent.keeping import Keeper
from guards.policy import Release
from ledger.errors import KeyReused, LeaseHeld
from ledger.events import Kind
from ledger.lease import Lease, acquire
from ledger.worker import WorkerLedger

DRIVER = Path(__file__).with_name("life_driver.py")


@pytest.fixture(autouse=True)
def _light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Delivery is tested, not reading: words are compared as words."""
    read_words_as_words(monkeypatch.setattr)


@pytest.fixture
async def scene(tmp_path: Path, release: Release, clock: Clock, empty_ledger: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path, release, clock=clock, empty_ledger=empty_ledger) as made:
        yield made


def drive(what: str) -> dict[str, Any]:
    """Runs the driver. In memory where there is a place for it: a kill spares what the kernel has, written or not."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        ran = subprocess.run(
            [sys.executable, str(DRIVER), what, f"{folder}/lives"], capture_output=True, text=True, timeout=570
        )
    assert ran.returncode == 0, ran.stderr[-3000:]
    told: dict[str, Any] = json.loads(ran.stdout)
    return told


# ── once ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_same_message_told_twice_is_one_event_and_one_run(scene: Scene) -> None:
    message = scene.message(AUDIT_LOG)
    first, again = await scene.handler.handle(message), await scene.handler.handle(message)
    assert (first.tickets, first.runs, again.runs) == (("T-1",), 1, 0)
    assert len(scene.events("T-1", Kind.CUSTOMER_WROTE)) == 1
    assert scene.pieces() == ["answer"]


async def test_one_key_with_other_words_is_refused_and_the_first_words_stand(scene: Scene) -> None:
    await scene.customer_writes(AUDIT_LOG, key="m-1")
    with pytest.raises(KeyReused):
        await scene.customer_writes("Delete everything.", key="m-1")
    assert [m.text for m in scene.history.thread("T-1") if m.role == "customer"] == [AUDIT_LOG]


async def test_tickets_whose_names_run_together_are_never_taken_for_one_another(scene: Scene) -> None:
    # The first stands half-way, as a kill leaves it; the second has the same name and key, put together otherwise.
    half = scene.intake.receive(scene.message(DISCOUNT, "T", key="1/m"))
    event = scene.intake.next_unhandled("T")
    assert event is not None and event.seq == half.seq
    thread = {"configurable": {"thread_id": handle_module.thread_of(event)}}
    machine: Any = scene.handler._machine
    start = handle_module._start(event)
    async for _ in machine.astream(start, thread, durability="sync", interrupt_before=["grant_capabilities"]):
        pass
    result = await scene.customer_writes(AUDIT_LOG, "T/1", key="m")
    assert result.ticket.id == "T/1"
    assert len(scene.events("T/1", Kind.OUTCOME_RECORDED)) == 1
    assert [d.letter.piece.value for d in scene.history.deliveries("T/1")] == ["answer"]


# ── two at a time ───────────────────────────────────────────────────────────────────────────────────────────


def test_two_processes_racing_on_one_ticket_run_each_event_once_and_leave_none_lying() -> None:
    told = drive("race")
    filed = sorted(f"r{runner}-{n}" for runner in range(2) for n in range(5))
    assert sorted(told["messages"]) == filed
    assert sorted(key for runs in told["runs"] for key in runs) == filed
    assert told["waiting"] == []
    assert (told["outcomes"], told["failed"]) == (10, 0)
    assert told["pieces"].count("notice") <= 1


async def test_a_message_filed_while_another_process_finishes_is_waited_for_and_run(scene: Scene) -> None:
    scene.intake.receive(scene.message(AUDIT_LOG, key="held"))
    held = acquire(scene.store, "T-1", "another process", 60)
    filing = asyncio.create_task(scene.handler.handle(scene.message(AUDIT_LOG, key="late")))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(filing), 0.7)
    assert scene.intake.tickets_with_work() == ("T-1",)
    held.release()
    assert (await filing).runs == 2
    assert scene.intake.tickets_with_work() == ()


async def test_one_handler_asked_at_the_same_time_runs_each_event_once(scene: Scene) -> None:
    messages = [scene.message(AUDIT_LOG, key=f"m-{n}") for n in range(4)]
    done = await asyncio.gather(*(scene.handler.handle(m) for m in messages))
    assert sum(d.runs for d in done) == 4
    assert len(scene.events("T-1", Kind.OUTCOME_RECORDED)) == 4
    assert scene.intake.tickets_with_work() == ()


async def test_tickets_do_not_wait_for_one_another(scene: Scene) -> None:
    held = acquire(scene.store, "T-1", "another process", 60)
    assert (await scene.handler.handle(scene.message(AUDIT_LOG, "T-2"))).runs == 1
    held.release()


async def test_a_ticket_held_too_long_is_left_to_the_next_sweep_and_not_lost(scene: Scene) -> None:
    scene.handler._patience = 0.1
    held = acquire(scene.store, "T-1", "another process", 60)
    assert (await scene.handler.handle(scene.message(AUDIT_LOG))).runs == 0
    held.release()
    swept = await scene.handler.catch_up()
    assert (swept.tickets, swept.runs) == (("T-1",), 1)


async def test_the_lease_of_a_process_that_died_runs_out(tmp_path: Path, release: Release, empty_ledger: Path) -> None:
    def now() -> datetime:
        return datetime.now(UTC)

    async with open_scene(tmp_path, release, clock=now, empty_ledger=empty_ledger) as scene:  # type: ignore[arg-type]
        acquire(scene.store, "T-1", "a process that was killed", 0.4)  # and never released
        assert (await scene.handler.handle(scene.message(AUDIT_LOG))).runs == 1
        with scene.intake.lease("T-1", "anybody", 1):  # ours was released
            pass


async def test_a_run_that_takes_longer_than_its_lease_keeps_it_though_it_holds_up_the_loop(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.store._clock = lambda: datetime.now(UTC)
    monkeypatch.setattr(handle_module, "LEASE_SECONDS", 1.0)
    handler: Any = scene.handler
    handler._keeper = Keeper(1.0, 0.1)
    real, tried = handler._machine.ainvoke, []

    async def slow(*args: Any, **more: Any) -> Any:
        for _ in range(4):
            time.sleep(0.5)  # the loop itself stands still: nothing of ours that runs on it could renew anything
            try:
                acquire(scene.store, "T-1", "another process", 60)
            except LeaseHeld:
                tried.append("held")
        return await real(*args, **more)

    monkeypatch.setattr(handler._machine, "ainvoke", slow)
    assert (await handler.handle(scene.message(AUDIT_LOG))).runs == 1
    assert tried == ["held"] * 4
    with scene.intake.lease("T-1", "anybody", 1):  # ours was released
        pass


async def test_a_run_whose_ticket_another_process_has_taken_over_writes_nothing_more(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler: Any = scene.handler
    handler._patience = 0.1
    handler._keeper = Keeper(handle_module.LEASE_SECONDS, 3600)  # as in a process that was stopped and goes on later
    real = WorkerLedger.record_many
    taken: list[Lease] = []

    def late(ledger: WorkerLedger, ticket: str, entries: Any) -> Any:
        if entries[0].kind is Kind.TRIGGERS_ASSESSED and not taken:
            scene.clock.forward(seconds=handle_module.LEASE_SECONDS + 1)
            taken.append(acquire(scene.store, ticket, "another process", 60))
        return real(ledger, ticket, entries)

    monkeypatch.setattr(WorkerLedger, "record_many", late)
    await handler.handle(scene.message(AUDIT_LOG))
    written = [e.kind for e in scene.history.timeline("T-1") if e.actor in ("assistant", "worker")]
    assert written == [Kind.FACTS_GATHERED], "what came before the other took it, and no failure of ours"
    assert scene.intake.tickets_with_work() == ("T-1",)
    taken[0].release()
    assert (await handler.catch_up()).runs == 1
    assert scene.pieces() == ["answer"]
    assert [e.kind for e in scene.events("T-1", Kind.EVENT_FAILED)] == []


# ── killed ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_killed_at_any_durable_boundary_of_a_tickets_life_no_event_is_lost_and_nothing_happens_twice() -> None:
    """Message, second message, deadline and decision; each commit and each checkpoint; compared with a calm life."""
    told = drive("kills")
    assert told["wrong"] == []
    assert list(told["acts"]) == ["first_message", "second_message", "deadline", "decision"]
    for name, act in told["acts"].items():
        names = act["boundaries"]
        after = [at for at, boundary in enumerate(names, 1) if boundary.startswith("after")]
        assert set(after) <= set(act["killed"]), f"{name}: not every boundary was visited"
        assert len(names) == 2 * len(after)
        # Every kind of thing that is kept was met: the ledger's commits, checkpoints, pending writes, their end.
        assert {b.removeprefix("after ") for b in names if b.startswith("after")} == {
            "a commit",
            "aput",
            "aput_writes",
            "adelete_thread",
        }
    assert sum(len(act["boundaries"]) for act in told["acts"].values()) >= 150
    assert sum(len(act["killed"]) for act in told["acts"].values()) >= 80
    # The calm life that all were compared with is the one we want.
    first, second, deadline, decision = (act["end"] for act in told["acts"].values())
    assert [e["inbox"] for e in (first, second, deadline, decision)] == [{"handled": n} for n in (1, 2, 3, 4)]
    assert [len(e["reviews"]) for e in (first, second, deadline, decision)] == [1, 1, 1, 1]
    assert [e["kinds"].get("review_opened") for e in (first, second, deadline, decision)] == [1, 1, 1, 1]
    assert deadline["reviews"][0][2] == "support_lead"
    assert decision["reviews"][0][0] == "closed"
    assert [key for key, _ in decision["letters"]] == ['["T-1","approved","d-1"]', '["T-1",1,"notice"]']


# ── the clock ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_passed_deadline_gives_the_review_to_the_deadline_queue_once(scene: Scene, release: Release) -> None:
    await scene.customer_writes(DISCOUNT)
    before = scene.review()
    assert before.due_at is not None and before.queue != release.review.deadline_queue
    assert (await scene.time_passes(hours=1)).tickets == ()
    assert (await scene.time_passes(hours=24)).tickets == ("T-1",)
    moved = scene.review()
    assert (moved.id, moved.queue, moved.revision) == (before.id, release.review.deadline_queue, before.revision + 1)
    assert moved.packet is not None and before.queue in moved.packet.owner.visibility
    assert moved.draft is not None and before.draft is not None and moved.draft.text == before.draft.text
    assert (await scene.handler.handle(ClockTicked())).tickets == ()
    assert len(scene.events("T-1", Kind.DEADLINE_PASSED)) == 1
    assert scene.pieces() == ["notice"]


async def test_a_review_that_somebody_decided_in_time_is_left_alone(scene: Scene) -> None:
    await scene.customer_writes(DISCOUNT)
    look = scene.look()
    scene.people.resolve("T-1", look.seen, scene.sign())
    await scene.person_decided()
    assert (await scene.time_passes(hours=48)).tickets == ()
    assert scene.reviews.of_ticket("T-1") is None


async def test_many_deadlines_are_told_in_one_tick(scene: Scene) -> None:
    for n in range(3):
        await scene.customer_writes(DISCOUNT, f"T-{n}")
    assert sorted((await scene.time_passes(hours=25)).tickets) == ["T-0", "T-1", "T-2"]
    assert {r.queue for r in scene.reviews.open()} == {"support_lead"}


async def test_a_finished_run_leaves_no_words_in_the_file_of_runs(tmp_path: Path, release: Release) -> None:
    async with open_scene(tmp_path, release) as scene:
        await scene.customer_writes("We were promised a zebrafinch discount and want it now.")
        said = [e.head for e in scene.events("T-1", Kind.TRIGGERS_ASSESSED)]
        assert "zebrafinch" in json.dumps(scene.result().to_json()), said
    left = b"".join(path.read_bytes() for path in tmp_path.glob("runs.sqlite3*"))
    assert left
    assert b"zebrafinch" not in left


async def test_words_erased_while_a_run_is_under_way_do_not_come_back(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Assessors.opinions

    async def erased_meanwhile(self: Assessors, *args: Any, **more: Any) -> Any:
        found = await real(self, *args, **more)
        scene.people.erase("T-1", scene.sign())
        return found

    monkeypatch.setattr(Assessors, "opinions", erased_meanwhile)
    await scene.handler.handle(scene.message("We were promised a zebrafinch discount and want it now."))
    with scene.store.read() as conn:
        kept = list(conn.execute(text("SELECT text FROM bodies WHERE text IS NOT NULL")).scalars())
    assert not [words for words in kept if "zebrafinch" in words or "hazel@" in words]
    assert scene.reviews.of_ticket("T-1") is None
    assert scene.events("T-1", Kind.EVENT_FAILED) == []
    assert (await scene.handler.catch_up()).runs == 0
    # Who writes again is answered again, by a person: there is no address any more.
    monkeypatch.setattr(Assessors, "opinions", real)
    await scene.handler.handle(scene.message("Hello again?", key="m-9"))
    assert scene.reviews.of_ticket("T-1") is not None
