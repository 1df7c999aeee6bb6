"""The change room: an ordered change is made once, if it still may be at that moment; and what became of it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from desk_house import TICKET, VIEW, Clock, House

from desk.changes import ChangeRoom, system_for
from desk.settings import load_settings
from guards.facts import Fact, Facts, Standing
from ledger.changing import ChangeLedger
from ledger.decisions import ActionResult
from ledger.errors import StoreBusy
from ledger.events import Kind
from ledger.store import open_store
from tools.errors import ChangeRejected
from tools.sandbox_changes import SandboxChanges

REFUND: dict[str, Any] = {"account_id": "A-1001", "amount": 80.0, "currency": "EUR", "reason": "INC-2331"}


@dataclass
class System:
    """A team's system that keeps what it was asked, and does what a test tells it to."""

    name: str = "recorder"
    made: list[tuple[str, str, dict[str, Any], str]] = field(default_factory=list)
    before: Callable[[], object] = lambda: None
    after: Callable[[], object] = lambda: None

    def apply(self, key: str, action: str, arguments: Mapping[str, Any], approved_by: str) -> str:
        """Makes the change."""
        self.before()
        self.made.append((key, action, dict(arguments), approved_by))
        self.after()
        return f"RF-{len(self.made)}"


def order(house: House, key: str = "d-1", amount: float = 80.0) -> str:
    """A change that a person has ordered; returns its key."""
    seq = house.worker.register(TICKET).revision
    facts = Facts((Fact("account.id", "A-1001", Standing.CONFIRMED, "accounts", house.clock()),))
    house.worker.record(TICKET, Kind.FACTS_GATHERED, f"{key}/facts", {}, {"facts": facts.to_json()})
    held = house.worker.open_action(TICKET, seq, 3, f"state_change_{key}")
    seen = house.look().seen
    made = house.people.approve_change(
        TICKET,
        held.actions[-1].id,
        "approve_refund",
        {**REFUND, "amount": amount},
        seen,
        house.sign(key, by="Oona"),
        house.view,
    )
    return str(made.head["change"])


def room(house: House, system: Any) -> ChangeRoom:
    return ChangeRoom(ChangeLedger(house.store), system, lambda: house.view)


def state(house: House, key: str) -> str:
    return ChangeLedger(house.store).change(key).state.value


def test_a_change_is_made_once_under_the_name_of_the_person_who_ordered_it(house: House) -> None:
    key, system = order(house), System()
    [done] = room(house, system).run_waiting()
    assert (done.state.value, done.reference, done.by) == ("done", "RF-1", "Oona")
    assert room(house, system).run_waiting() == []
    assert system.made == [(key, "approve_refund", REFUND, "Oona")]


def test_it_has_begun_in_the_ledger_before_the_system_is_asked(house: House) -> None:
    key, system, seen = order(house), System(), list[str]()
    system.before = lambda: seen.append(state(house, key))
    room(house, system).run_waiting()
    assert seen == ["running"]


@pytest.mark.parametrize(
    ("error", "became"), [(ChangeRejected("no such account"), "failed"), (TimeoutError("hazel@x.example"), "unknown")]
)
def test_only_a_rejection_is_a_promise_that_nothing_was_changed(house: House, error: Exception, became: str) -> None:
    key, system = order(house), System()

    def broken() -> None:
        raise error

    system.before = broken
    assert [c.state.value for c in room(house, system).run_waiting()] == [became]
    system.before = lambda: None
    assert room(house, system).run_waiting() == [], "no machine tries again"
    assert "hazel@" not in str([e.head for e in house.history.timeline(TICKET)])
    review = house.reviews.of_ticket(TICKET)
    assert review is not None and review.packet is not None and review.due_at is not None
    assert review.why == f"change_{became}"
    assert state(house, key) == became


def test_what_the_busy_ledger_did_not_take_is_recorded_later(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    key, system, real, locked = order(house), System(), ChangeLedger.done, [True]

    def busy(self: ChangeLedger, key: str, reference: str = "") -> None:
        if locked[0]:
            raise StoreBusy("locked")
        real(self, key, reference)

    monkeypatch.setattr(ChangeLedger, "done", busy)
    running = room(house, system)
    running.run_waiting()
    assert state(house, key) == "running"
    locked[0] = False
    running.record_what_is_owed()
    assert state(house, key) == "done"
    assert len(system.made) == 1


def test_a_system_that_answers_after_a_person_said_not_done_stops_the_second_order_and_calls_one(house: House) -> None:
    key, system, again = order(house), System(), list[str]()

    def look_too_early() -> None:
        ChangeLedger(house.store).recover()
        opening = ChangeLedger(house.store).change(key).opening
        house.people.decide_action(TICKET, opening, ActionResult.NOT_DONE, house.sign("d-2", by="Oona"))
        made = house.people.approve_change(
            TICKET, opening, "approve_refund", REFUND, house.look().seen, house.sign("d-3", by="Oona"), house.view
        )
        again.append(str(made.head["change"]))

    system.after = look_too_early
    running = room(house, system)
    running.run_waiting()
    assert (state(house, key), state(house, again[0])) == ("done", "refused")
    assert running.run_waiting() == []
    assert len(system.made) == 1
    review = house.reviews.of_ticket(TICKET)
    assert review is not None and review.packet is not None
    assert "A change of which nobody knew was carried out after all." in review.packet.degraded


def test_a_system_that_contradicts_a_person_does_not_end_the_room(house: House) -> None:
    first, second, system = order(house), order(house, "d-2", amount=12.0), System()

    def done_elsewhere() -> None:
        if not system.made:
            ChangeLedger(house.store).recover()
            opening = ChangeLedger(house.store).change(first).opening
            sign = house.sign("d-3", by="Oona")
            house.people.decide_action(TICKET, opening, ActionResult.DONE_ELSEWHERE, sign, "RF-9")
            system.before = lambda: None
            raise ChangeRejected("no")

    system.before = done_elsewhere
    room(house, system).run_waiting()
    assert (state(house, first), state(house, second)) == ("done", "done")


def test_one_changes_trouble_does_not_keep_the_others_and_a_stop_keeps_those_behind(house: House) -> None:
    for n in range(3):
        order(house, f"d-{n}", amount=10.0 + n)
    system, tries = System(), iter([None, ChangeRejected("no")])

    def sometimes() -> None:
        if (error := next(tries)) is not None:
            raise error

    system.before = sometimes
    looks = iter([False, False, True])
    done = room(house, system).run_waiting(lambda: next(looks))
    assert [c.state.value for c in done] == ["done", "failed"]
    assert len(ChangeLedger(house.store).waiting()) == 1


def test_what_may_not_be_made_any_more_is_refused_and_the_system_not_asked(house: House) -> None:
    order(house)
    system = System()
    house.customer_writes("m-2")
    assert [c.state.value for c in room(house, system).run_waiting()] == ["refused"]
    order(house, "d-2")
    house.view = replace(VIEW, version="2026-04-01")
    assert [c.state.value for c in room(house, system).run_waiting()] == ["refused"]
    assert system.made == []


def test_two_rooms_at_once_make_each_change_once(house: House) -> None:
    keys = [order(house, f"d-{n}", amount=10.0 + n) for n in range(6)]
    system, together = System(), threading.Barrier(3)

    def work() -> None:
        running = room(house, system)
        together.wait()
        running.run_waiting()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(key for key, *_ in system.made) == sorted(keys)


def _make_and_die(ledger_file: str, folder: str, moment: str) -> None:
    store = open_store(ledger_file, clock=Clock())
    real = SandboxChanges(Path(folder))

    class Deadly:
        name = "deadly"

        def apply(self, *told: Any) -> str:
            if moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            reference = real.apply(*told)
            os.kill(os.getpid(), signal.SIGKILL)
            return reference

    ChangeRoom(ChangeLedger(store), Deadly(), lambda: VIEW).run_waiting()


@pytest.mark.parametrize(("moment", "made"), [("before", 0), ("after", 1)])
def test_kill_9_on_either_side_of_the_change_never_makes_a_second_one(
    house: House, ledger_file: Path, tmp_path: Path, moment: str, made: int
) -> None:
    key = order(house)
    process = multiprocessing.get_context("spawn").Process(
        target=_make_and_die, args=(str(ledger_file), str(tmp_path / "out"), moment)
    )
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    again = room(house, SandboxChanges(tmp_path / "out"))
    assert [c.key for c in again.recover()] == [key]
    assert again.run_waiting() == []
    assert len(SandboxChanges(tmp_path / "out").made()) == made


def test_a_workspace_with_a_teams_own_files_has_no_system_until_one_is_connected(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {})
    assert isinstance(system_for(settings), SandboxChanges)
    assert system_for(settings.model_copy(update={"company": tmp_path})) is None
