"""What a run has found out: what was recorded first stands, another release's is not this one's, and nothing outlives the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from agent_scene import AUDIT_LOG, Clock, its_systems
from test_graph import flow_of

from agent.checkpoints import Checkpoints, open_checkpoints
from agent.findings import Assessed, Findings
from agent.graph import build_graph
from agent.handle import Handler, _start, thread_of
from agent.steps import Steps
from agent.wiring import build_steps
from guards.assess import Opinion
from guards.lanes import Lane
from guards.policy import Release, SignalRule
from guards.triggers import Level, Trigger, Witness
from ledger.decisions import Signature
from ledger.errors import LedgerError
from ledger.events import Kind
from ledger.intake import Intake
from ledger.people import PeopleLedger
from ledger.store import Store
from ledger.worker import WorkerLedger


@dataclass
class Changeable:
    """Assessors that see the worst at first, and nothing at all when asked again."""

    asked: int = 0
    door: None = None

    async def opinions(self, messages: Any, budget: Any) -> tuple[tuple[Opinion, ...], tuple[str, ...]]:
        self.asked += 1
        level = Level.HIGH if self.asked == 1 else Level.LOW
        return (Opinion(Witness.MODEL, dict.fromkeys(Trigger, level)),), ()


@dataclass
class Before:
    """A step before which something happens, once."""

    step: Any
    act: Callable[[], object]
    done: bool = False

    async def __call__(self, state: Any) -> Any:
        if not self.done:
            self.done = True
            self.act()
        return await self.step(state)


@pytest.fixture
def steps(store: Store, release: Release) -> Steps:
    """The machine's own."""
    return build_steps(store, its_systems(), release)


def broken() -> None:
    raise RuntimeError("planted")


async def test_what_a_failed_try_found_stands_for_the_next_one(
    steps: Steps, store: Store, clock: Clock, release: Release, tmp_path: Path
) -> None:
    assessors = Changeable()
    bent = replace(
        steps,
        assess_triggers=replace(steps.assess_triggers, assessors=assessors),  # type: ignore[arg-type]
        assign_lane=Before(steps.assign_lane, broken),  # type: ignore[arg-type]
    )
    async with flow_of(bent, store, clock, release, tmp_path, Checkpoints) as flow:
        await flow.scene.customer_writes(AUDIT_LOG)
        assert assessors.asked == 2, "the run was begun again"
        assert flow.scene.register().lane is Lane.HUMAN_OWNED
        assert "answer" not in flow.scene.pieces()


async def test_a_run_that_goes_on_under_another_release_is_assessed_by_that_one(
    steps: Steps, store: Store, clock: Clock, release: Release, tmp_path: Path
) -> None:
    boundary = next(s.boundary for s in release.signal if s.boundary)
    rule = SignalRule(
        id="audit_asked", trigger=Trigger.SECURITY_IDENTITY, level="high", why="new", boundary=boundary, text=("audit log",)
    )  # fmt: skip
    later = release.model_copy(update={"version": "2026-03-09", "signal": (*release.signal, rule)})
    with open_checkpoints(tmp_path / "runs.sqlite3") as saver:
        async with flow_of(steps, store, clock, release, tmp_path, Checkpoints) as flow:
            flow.scene.intake.receive(flow.scene.message(AUDIT_LOG))
            event = flow.scene.intake.next_unhandled("T-1")
            assert event is not None
            config: Any = {"configurable": {"thread_id": thread_of(event)}}
            async for _ in build_graph(steps, saver).astream(
                _start(event), config, durability="sync", interrupt_before=["assign_lane"]
            ):
                pass
            newer = Handler(Intake(store), build_graph(build_steps(store, its_systems(), later), saver), saver, "next")
            assert (await newer.catch_up()).runs >= 1
            newer.close()
            judged = [e.head["policy"] for e in flow.scene.events("T-1", Kind.TRIGGERS_ASSESSED)]
            assert judged == [release.version, later.version]
            assert flow.scene.register().lane is Lane.HUMAN_OWNED
            assert "answer" not in flow.scene.pieces()


@pytest.mark.parametrize("at", ["assign_lane", "build_packet"])
async def test_a_run_whose_ticket_is_erased_writes_nothing_more_though_the_customer_writes_again(
    at: str, steps: Steps, store: Store, clock: Clock, release: Release, tmp_path: Path
) -> None:
    def erase_and_write() -> None:
        PeopleLedger(store).erase("T-1", Signature("Marek", "asked", "e"))
        flow.scene.intake.receive(flow.scene.message(AUDIT_LOG, key="again"))

    bent = replace(steps, **{at: Before(getattr(steps, at), erase_and_write)})
    async with flow_of(bent, store, clock, release, tmp_path, Checkpoints) as flow:
        await flow.scene.handler.handle(
            flow.scene.message("Our admin Zebedee Quux is locked out. Please refund the invoice.", key="first")
        )
        gone = flow.scene.events("T-1", Kind.WORDS_ERASED)[0].seq
        after = [e for e in flow.scene.events("T-1") if e.seq > gone]
        assert Kind.OUTCOME_RECORDED in [e.kind for e in after], "the new message was worked on"
        assert [e.kind for e in after if e.body and "Zebedee" in (e.body.text or "")] == []


async def test_a_process_keeps_nothing_of_a_run_that_is_over(
    steps: Steps, store: Store, clock: Clock, release: Release, tmp_path: Path
) -> None:
    bent = replace(steps, build_packet=Before(steps.build_packet, broken))  # type: ignore[arg-type]
    async with flow_of(bent, store, clock, release, tmp_path, Checkpoints) as flow:
        await flow.scene.customer_writes("Our admin is locked out. Please refund the invoice.")
    assert steps.gather_context.findings._kept == {}


def test_what_the_ledger_does_not_hold_is_no_finding(store: Store) -> None:
    with pytest.raises(LedgerError, match="does not hold"):
        Findings(WorkerLedger(store)).assessed("T-1", 7)
    assert Findings(WorkerLedger(store), "2026-03-01/abc").key_of(Assessed, 7) == "7/triggers/2026-03-01/abc"
