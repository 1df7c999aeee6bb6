"""The machine's flow: its picture, each event's route, what a broken step comes to, and a lane that never falls."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from agent_scene import AUDIT_LOG, DISCOUNT, LOCKED_OUT, Clock, Scene, its_systems, read_words_as_words, texts_in
from langgraph.types import Overwrite

from agent.briefing import Carried
from agent.checkpoints import Checkpoints, open_checkpoints
from agent.graph import Machine, build_graph
from agent.handle import CustomerClosed, Handler, thread_of
from agent.state import RaiseOnly
from agent.steps import Steps
from agent.wiring import build_steps
from guards.lanes import Lane
from guards.policy import Release
from ledger.decisions import Signature
from ledger.events import Kind
from ledger.intake import Intake
from ledger.people import PeopleLedger
from ledger.store import Store

TEN_STEPS = {
    "gather_context",
    "assess_triggers",
    "assign_lane",
    "grant_capabilities",
    "autonomous",
    "assisted",
    "human_owned",
    "build_packet",
    "open_review",
    "record_outcome",
}
UP_TO_THE_LANE = ["gather_context", "assess_triggers", "assign_lane", "grant_capabilities"]


@pytest.fixture(autouse=True)
def _light(monkeypatch: pytest.MonkeyPatch) -> None:
    """The flow is tested, not the reading: words are compared as words."""
    read_words_as_words(monkeypatch.setattr)


@pytest.fixture
def steps(store: Store, release: Release) -> Steps:
    return build_steps(store, its_systems(), release)


@dataclass
class Watched:
    """The real machine, with a list of the steps it went through."""

    machine: Machine
    visited: list[str] = field(default_factory=list)

    async def ainvoke(self, given: Any, config: Any, durability: Any) -> None:
        """Runs, and notes."""
        async for step in self.machine.astream(given, config, durability=durability, stream_mode="updates"):
            self.visited += list(step)


class Keeping(Checkpoints):
    """A saver that forgets no run, so that a test can look at all that was ever kept."""

    async def adelete_thread(self, thread_id: str) -> None:
        """Keeps it."""


@dataclass
class Flow:
    """A scene whose steps a test may swap, and whose route it can read."""

    scene: Scene
    watched: Watched
    saver: Checkpoints
    runs: Path

    @property
    def machine(self) -> Machine:
        """The compiled machine."""
        return self.watched.machine

    async def route(self, text: str, **more: Any) -> list[str]:
        """The steps that a message went through."""
        self.watched.visited.clear()
        await self.scene.customer_writes(text, **more)
        return list(self.watched.visited)


@asynccontextmanager
async def flow_of(
    steps: Steps, store: Store, clock: Clock, release: Release, folder: Path, saver_type: type[Checkpoints]
) -> AsyncIterator[Flow]:
    runs = folder / "runs.sqlite3"
    with open_checkpoints(runs) as opened:
        saver = saver_type(opened.conn)
        watched = Watched(build_graph(steps, saver))
        forget = steps.gather_context.findings.forget
        handler = Handler(Intake(store), watched, saver, "test", forget=forget)  # type: ignore[arg-type]
        yield Flow(Scene(folder, store, clock, release, handler), watched, saver, runs)


@pytest.fixture
async def flow(steps: Steps, store: Store, clock: Clock, release: Release, tmp_path: Path) -> AsyncIterator[Flow]:
    async with flow_of(steps, store, clock, release, tmp_path, Checkpoints) as made:
        yield made


# ── the picture ─────────────────────────────────────────────────────────────────────────────────────────────


def test_the_picture_in_the_readme_can_be_drawn_and_names_exactly_the_ten_steps(steps: Steps) -> None:
    picture = build_graph(steps).get_graph()
    drawn = picture.draw_mermaid()
    assert set(picture.nodes) - {"__start__", "__end__"} == TEN_STEPS
    assert all(f"{name}({name})" in drawn for name in TEN_STEPS)
    assert drawn.startswith("---") or drawn.startswith("graph")


def test_every_step_leads_on_and_only_the_outcome_ends_a_run(steps: Steps) -> None:
    edges = build_graph(steps).get_graph().edges
    assert {e.source for e in edges} - {"__start__"} == TEN_STEPS
    assert {e.source for e in edges if e.target == "__end__"} == {"record_outcome"}


def test_nothing_leads_from_lane_three_or_two_back_to_an_answer(steps: Steps) -> None:
    edges = build_graph(steps).get_graph().edges
    assert {e.source for e in edges if e.target == "autonomous"} == {"grant_capabilities"}
    assert {e.target for e in edges if e.source == "human_owned"} == {"build_packet"}


# ── each event's route ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_routine_question_is_answered_and_recorded(flow: Flow) -> None:
    assert await flow.route(AUDIT_LOG) == [*UP_TO_THE_LANE, "autonomous", "record_outcome"]


async def test_a_question_for_review_is_drafted_packed_and_asked_about(flow: Flow) -> None:
    went = await flow.route(DISCOUNT)
    assert went == [*UP_TO_THE_LANE, "assisted", "build_packet", "open_review", "record_outcome"]


async def test_a_human_owned_question_is_packed_without_a_draft(flow: Flow) -> None:
    went = await flow.route(LOCKED_OUT)
    assert went == [*UP_TO_THE_LANE, "human_owned", "build_packet", "open_review", "record_outcome"]


@dataclass
class After:
    """Stands in for a step: does what the step does, then what a test wants to happen next."""

    real: Any
    then: Callable[[], object]

    async def __call__(self, state: Carried) -> dict[str, Any]:
        done = dict(await self.real(state))
        self.then()
        return done


async def test_an_answer_whose_right_dies_before_it_is_said_goes_on_as_a_draft(
    steps: Steps, store: Store, clock: Clock, release: Release, tmp_path: Path
) -> None:
    halting = After(steps.grant_capabilities, lambda: PeopleLedger(store).halt(None, Signature("Marek", "stop", "h")))
    late = replace(steps, grant_capabilities=halting)  # type: ignore[arg-type]
    async with flow_of(late, store, clock, release, tmp_path, Checkpoints) as flow:
        went = await flow.route(AUDIT_LOG)
        drafted = ["assisted", "build_packet", "open_review", "record_outcome"]
        assert went == [*UP_TO_THE_LANE, "autonomous", *drafted]
        assert flow.scene.pieces() == []
        assert flow.scene.register().lane is Lane.ASSISTED


async def test_a_persons_decision_and_the_customers_button_are_only_recorded(flow: Flow) -> None:
    await flow.route(DISCOUNT)
    flow.scene.people.claim("T-1", flow.scene.sign())
    flow.watched.visited.clear()
    await flow.scene.person_decided()
    assert flow.watched.visited == ["record_outcome"]
    flow.watched.visited.clear()
    await flow.scene.handler.handle(CustomerClosed("T-1", "button"))
    assert flow.watched.visited == ["record_outcome"]


async def test_a_passed_deadline_reopens_the_review_without_assessing_anew(flow: Flow) -> None:
    await flow.route(DISCOUNT)
    flow.watched.visited.clear()
    await flow.scene.time_passes(hours=25)
    assert flow.watched.visited == ["open_review", "record_outcome"]


# ── a step that breaks ──────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Breaking:
    """Stands in for a step and raises for one event; for the others it is the step."""

    real: Any
    seq: int
    tries: int = 0

    async def __call__(self, state: Carried) -> dict[str, Any]:
        if state["seq"] == self.seq:
            self.tries += 1
            raise RuntimeError("the packet could not be written: hazel@maplefinch.example")
        return dict(await self.real(state))


async def test_a_step_that_keeps_raising_ends_at_a_person_after_three_tries_and_the_next_event_still_runs(
    steps: Steps, store: Store, clock: Clock, release: Release, tmp_path: Path
) -> None:
    breaking = Breaking(steps.build_packet, seq=1)
    broken = replace(steps, build_packet=breaking)  # type: ignore[arg-type]
    async with flow_of(broken, store, clock, release, tmp_path, Checkpoints) as flow:
        scene = flow.scene
        result = await scene.customer_writes(DISCOUNT)
        assert breaking.tries == 3
        assert result.review is not None and result.review.why == "event_given_up"
        assert result.lane == 3 and result.packet is not None
        assert "was not worked on" in result.packet.summary[0].words
        assert scene.intake.next_unhandled("T-1") is None

        await scene.customer_writes("And please cancel our plan as well.", key="second")
        assert scene.intake.next_unhandled("T-1") is None
        assert scene.review().id == result.review.id
        packet = scene.review().packet
        assert packet is not None
        assert [q.text for q in packet.words] == [DISCOUNT, "And please cancel our plan as well."]
        assert len(scene.events("T-1", Kind.OUTCOME_RECORDED)) == 1


async def test_a_step_that_raises_once_is_simply_run_again(
    steps: Steps, store: Store, clock: Clock, release: Release, tmp_path: Path
) -> None:
    @dataclass
    class Once:
        done: bool = False

        async def __call__(self, state: Carried) -> dict[str, Any]:
            if not self.done:
                self.done = True
                raise TimeoutError
            return dict(await steps.build_packet(state))

    async with flow_of(
        replace(steps, build_packet=Once()),  # type: ignore[arg-type]
        store,
        clock,
        release,
        tmp_path,
        Checkpoints,
    ) as flow:
        result = await flow.scene.customer_writes(DISCOUNT)
        assert result.review is not None and result.review.why == "escalated"
        assert len(flow.scene.events("T-1", Kind.REVIEW_OPENED)) == 1
        assert [e.head["error"] for e in flow.scene.events("T-1", Kind.EVENT_FAILED)] == ["TimeoutError"]


# ── the state ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_run_carries_small_plain_json_and_no_transcript(
    steps: Steps, store: Store, clock: Clock, release: Release, tmp_path: Path
) -> None:
    sentences = [f"Lantern {n} of the cobalt heron hangs in harbour {n * 7919 % 9973}. " for n in range(930)]
    message = DISCOUNT + " " + "".join(sentences)
    assert len(message) > 50_000
    async with flow_of(steps, store, clock, release, tmp_path, Keeping) as flow:
        await flow.route(message)
        kept = [c async for c in flow.saver.alist(None)]
    assert len(kept) >= 8
    for checkpoint in kept:
        values = {k: v for k, v in checkpoint.checkpoint["channel_values"].items() if ":" not in k}
        assert json.loads(json.dumps(values)) == values
        assert all(len(text) < 400 for text in texts_in(values))
        assert len(json.dumps(values)) < 2_000
    with sqlite3.connect(tmp_path / "runs.sqlite3") as conn:
        blobs = [row[0] for row in conn.execute("SELECT checkpoint FROM checkpoints")]
        blobs += [row[0] for row in conn.execute("SELECT value FROM writes")]
    assert len(blobs) > 20
    everything = b"\x00".join(b if isinstance(b, bytes) else str(b).encode() for b in blobs)
    raw = message.encode()
    assert b"Lantern" in raw
    assert not any(raw[at : at + 30] in everything for at in range(0, len(raw) - 30, 7))


async def test_a_run_that_is_over_leaves_no_checkpoint_behind(flow: Flow) -> None:
    await flow.route(DISCOUNT)
    assert [c async for c in flow.saver.alist(None)] == []


# ── the lane ────────────────────────────────────────────────────────────────────────────────────────────────

FORGED = [
    1,
    True,
    "1",
    None,
    Overwrite(1),
    {"__overwrite__": 1},
    {"type": "__overwrite__", "value": 1},
    0,
    -1,
    1.0,
    [1],
    Lane.AUTONOMOUS,
]


def channel(lane: int) -> RaiseOnly:
    """The state's own lane channel, holding a lane."""
    made = RaiseOnly()
    made.update([lane])
    return made


@pytest.mark.parametrize("write", FORGED, ids=repr)
def test_no_write_lowers_a_lane_of_three(write: Any) -> None:
    held = channel(3)
    held.update([write])
    assert held.get() == 3
    held.update([write, write])
    assert held.get() == 3


@pytest.mark.parametrize("write", FORGED, ids=repr)
def test_a_write_that_is_no_lane_raises_a_lane_of_two_to_three(write: Any) -> None:
    held = channel(2)
    held.update([write])
    assert held.get() == (2 if type(write) is int and write == 1 else 3)


def test_the_highest_of_several_writes_counts_in_whatever_order_they_come() -> None:
    for writes in ([1, 2], [2, 1], [2, 1, 1]):
        held = channel(1)
        held.update(writes)
        assert held.get() == 2


def test_a_lane_that_was_kept_in_a_checkpoint_comes_back_and_still_only_rises() -> None:
    revived = channel(3).from_checkpoint(3)
    revived.update([Overwrite(1)])
    assert revived.get() == 3


@dataclass
class Lowering:
    """Stands in for grant_capabilities and tries to lower the lane."""

    write: Any

    async def __call__(self, state: Carried) -> dict[str, Any]:
        return {"lane": self.write}


@pytest.mark.parametrize("write", FORGED[:7], ids=repr)
async def test_a_step_that_writes_a_lower_lane_does_not_open_the_way_to_an_answer(
    write: Any, steps: Steps, store: Store, clock: Clock, release: Release, tmp_path: Path
) -> None:
    bent = replace(steps, grant_capabilities=Lowering(write))  # type: ignore[arg-type]
    async with flow_of(bent, store, clock, release, tmp_path, Checkpoints) as flow:
        went = await flow.route(LOCKED_OUT)
        assert "human_owned" in went and "autonomous" not in went and "assisted" not in went
        assert set(flow.scene.pieces()) <= {"notice"}


async def finished(flow: Flow) -> list[Any]:
    """The snapshots of a lane-3 run, the newest first."""
    await flow.route(LOCKED_OUT)
    thread = thread_of(flow.scene.events("T-1", Kind.CUSTOMER_WROTE)[0])
    config: Any = {"configurable": {"thread_id": thread}}
    return [s async for s in flow.machine.aget_state_history(config)]


@pytest.fixture
async def kept_flow(steps: Steps, store: Store, clock: Clock, release: Release, tmp_path: Path) -> AsyncIterator[Flow]:
    async with flow_of(steps, store, clock, release, tmp_path, Keeping) as made:
        yield made


@pytest.mark.parametrize("write", FORGED[:7], ids=repr)
async def test_update_state_cannot_lower_the_lane(write: Any, kept_flow: Flow) -> None:
    newest = (await finished(kept_flow))[0]
    assert newest.values["lane"] == 3
    told = await kept_flow.machine.aupdate_state(newest.config, {"lane": write}, as_node="grant_capabilities")
    assert (await kept_flow.machine.aget_state(told)).values["lane"] == 3


async def test_time_travel_to_before_the_lane_was_assigned_finds_the_ledger_as_it_is_now(kept_flow: Flow) -> None:
    history = await finished(kept_flow)
    before = next(s for s in history if s.next == ("assign_lane",))
    assert before.values["lane"] == 1
    epoch = kept_flow.scene.register().epoch
    again = await kept_flow.machine.ainvoke(None, before.config, durability="sync")
    assert again["lane"] == 3
    assert (kept_flow.scene.register().lane, kept_flow.scene.register().epoch) == (Lane.HUMAN_OWNED, epoch)
    assert kept_flow.scene.pieces() == ["notice"]
    assert len(kept_flow.scene.events("T-1", Kind.REVIEW_OPENED, Kind.REVIEW_REVISED)) == 1


async def test_time_travel_with_a_forged_lane_reaches_the_answer_step_and_still_nothing_is_said(
    kept_flow: Flow,
) -> None:
    history = await finished(kept_flow)
    before = next(s for s in history if s.next == ("assign_lane",))
    forged = {"lane": 1, "opening": history[0].values["opening"]}
    config = await kept_flow.machine.aupdate_state(before.config, forged, as_node="grant_capabilities")
    assert (await kept_flow.machine.aget_state(config)).next == ("autonomous",)
    await kept_flow.machine.ainvoke(None, config, durability="sync")
    assert kept_flow.scene.pieces() == ["notice"]
    assert kept_flow.scene.register().lane is Lane.HUMAN_OWNED
