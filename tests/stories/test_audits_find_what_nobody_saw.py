"""Story: each week people read some of the tickets that nobody saw, and what they find becomes a case of the exam."""

from __future__ import annotations

from agent_scene import AUDIT_LOG, DISCOUNT, LOCKED_OUT, Scene, in_phase, its_systems

from agent.wiring import open_handler
from desk.audits.auditing import draw, give_verdict, next_task, report
from desk.audits.review_calendar import calendar, open_topic
from desk.records import Records
from desk.settings import load_settings
from evals.case import read_case
from guards.policy import Phase
from guards.triggers import Trigger
from ledger.audits.verdicts import Fault, Judgement
from ledger.events import Kind
from ledger.review_material import Topic


def records_of(machine: Scene) -> Records:
    return Records(load_settings(machine.folder, {}), machine.store)


async def test_only_what_the_assistant_answered_alone_is_audited_and_a_miss_is_known_everywhere(machine: Scene) -> None:
    answered = await machine.customer_writes(AUDIT_LOG, "T-1")
    assert answered.lane == 1 and answered.review is None
    await machine.customer_writes(DISCOUNT, "T-2")
    await machine.customer_writes(LOCKED_OUT, "T-3")
    machine.deliver()
    machine.clock.forward(days=8)
    records = records_of(machine)

    drawn = draw(records, by="Oona").draw
    assert drawn is not None and drawn.frame == 1
    assert [a.ticket for a in drawn.audits] == ["T-1"]

    shown = next_task(records, "Ines")
    assert shown is not None
    assert [(m.role, m.piece) for m in shown.thread] == [("customer", ""), ("assistant", "answer")]
    assert shown.thread[0].text == AUDIT_LOG
    said = Judgement(True, (Trigger.SECURITY_IDENTITY,), Fault.BOUNDARY)
    give_verdict(records, shown.id, "Ines", said)
    given = give_verdict(records, shown.id, "Jonas", said)

    assert given.proposal is not None
    case = read_case(given.proposal.read_text(encoding="utf-8"), given.proposal.name)
    assert case.thread[0].text == AUDIT_LOG and case.requester.name == "Robin Dale"
    found = report(records)
    assert found.overall.rate == 1 and found.overall.tickets == ("T-1",)
    assert {d.topic for d in calendar(records) if d.due} == {Topic.LATE_ESCALATIONS}
    machine.clock.forward(hours=1)
    opened = open_topic(records, Topic.TRIGGER_DEFINITIONS, "Oona")
    assert {s.title: s.tickets for s in opened.sections}["security_identity"] == ("T-1",)
    assert machine.register("T-1").lane == 1, "an audit judges; it moves nothing"


async def test_while_the_house_only_observes_nothing_ended_without_a_person(machine: Scene) -> None:
    watching = in_phase(machine.release, Phase.OBSERVE_ONLY)
    runs = machine.folder / "observed.sqlite3"
    async with open_handler(machine.store, its_systems(), watching, runs, None, 4.0) as handler:
        await handler.handle(machine.message(AUDIT_LOG, "T-1"))
    (assigned,) = machine.events("T-1", Kind.LANE_ASSIGNED)
    assert assigned.head["lane"] == 1, "the lane that it recommends"
    domains = {family.id: family.domain for family in watching.family}
    assert assigned.head["domains"] == [domains[family] for family in assigned.head["families"]] != []
    assert machine.review("T-1").open and machine.pieces() == []
    machine.clock.forward(days=8)
    assert draw(records_of(machine), by="Oona").draw is None
