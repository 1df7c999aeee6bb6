"""Reviews are due by a rhythm, open with their material, close with a decision and an owner, and are named when late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from audit_scene import SINCE, UNTIL, WEEK, YES, answered, week_over
from hypothesis import given
from hypothesis import strategies as st
from ledger_scene import DAY, VIEW, Scene, message
from random_history import Desk

from guards.gate import Piece
from guards.lanes import Lane
from guards.triggers import Level, Trigger
from ledger.audits.drawing import draw_week
from ledger.audits.verdicts import Fault, Judgement, judge
from ledger.errors import CannotReview, Unsigned
from ledger.events import Kind
from ledger.review_calendar import RHYTHM, Due, close_review, due, held, open_review
from ledger.review_material import SHOWN, Section, Topic, material
from ledger.scorecard.metrics import BY_ID
from ledger.scorecard.projecting import catch_up
from ledger.scorecard.reading import Period, tickets_of
from ledger.verifying.verification import verify

LATE, RISKY = Topic.LATE_ESCALATIONS, Topic.RISKY_NOT_ESCALATED
LANES, TRIGGERS = Topic.LANE_DISTRIBUTION, Topic.TRIGGER_DEFINITIONS


def calendar(scene: Scene) -> dict[Topic, Due]:
    with scene.store.read() as conn:
        return {d.topic: d for d in due(conn, scene.store.now())}


def sections(scene: Scene, topic: Topic) -> dict[str, Section]:
    with scene.store.read() as conn:
        return {s.title: s for s in material(conn, topic, SINCE, scene.store.now() + timedelta(seconds=1))}


# ── when ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_topic_has_the_rhythm_that_was_asked_for() -> None:
    assert {t: RHYTHM[t][0] for t in Topic} == {
        LATE: "weekly",
        RISKY: "every two weeks",
        LANES: "monthly",
        TRIGGERS: "quarterly",
    }


def test_the_first_review_is_due_one_step_after_the_ledger_began(scene: Scene) -> None:
    assert all(d.due_at is None and not d.due for d in calendar(scene).values())
    scene.receive()
    assert {t: d.due_at for t, d in calendar(scene).items()} == {
        LATE: DAY + timedelta(weeks=1),
        RISKY: DAY + timedelta(weeks=2),
        LANES: datetime(2026, 12, 2, 9, tzinfo=UTC),
        TRIGGERS: datetime(2027, 2, 2, 9, tzinfo=UTC),
    }


@given(st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)))
def test_a_month_later_is_the_same_day_or_the_months_last(moment: datetime) -> None:
    later = RHYTHM[LANES][1](moment)
    assert (later.year * 12 + later.month) - (moment.year * 12 + moment.month) == 1
    assert later.day == moment.day or (later + timedelta(days=1)).month != later.month
    assert (later.hour, later.minute) == (moment.hour, moment.minute)
    quarter = RHYTHM[TRIGGERS][1](moment)
    assert (quarter.year * 12 + quarter.month) - (moment.year * 12 + moment.month) == 3


def test_what_is_late_by_more_than_a_day_is_overdue_and_stands_first(scene: Scene) -> None:
    scene.receive()
    scene.clock.forward(days=7)
    assert calendar(scene)[LATE].due and calendar(scene)[LATE].overdue is None
    scene.clock.forward(days=1, seconds=1)
    assert calendar(scene)[LATE].overdue == timedelta(days=1, seconds=1)
    scene.clock.forward(days=40)
    assert [d.topic for d in calendar(scene).values() if d.overdue] == [LATE, RISKY, LANES]


def test_a_review_that_was_opened_and_never_closed_is_overdue_too(scene: Scene) -> None:
    scene.receive()
    scene.clock.forward(days=7)
    open_review(scene.store, LATE, "Oona")
    scene.clock.forward(days=3)
    found = calendar(scene)[LATE]
    assert found.open is not None and found.overdue == timedelta(days=3)


def test_the_next_review_is_counted_from_what_the_last_one_covered(scene: Scene) -> None:
    scene.receive()
    scene.clock.forward(days=9)
    opened = open_review(scene.store, LATE, "Oona")
    assert (opened.since, opened.until) == (DAY, DAY + timedelta(days=9))
    scene.clock.forward(days=2)
    close_review(scene.store, LATE, "Oona", "All stays as it is.", "Marek")
    found = calendar(scene)[LATE]
    assert found.due_at == DAY + timedelta(days=16) and found.overdue is None and found.open is None
    assert found.last is not None and found.last.owner == "Marek"
    scene.clock.forward(days=5)
    assert open_review(scene.store, LATE, "Oona").since == opened.until, "no day lies between two reviews"


def test_a_clock_that_stepped_back_does_not_make_a_review_less_due(scene: Scene) -> None:
    scene.receive()
    scene.clock.forward(days=8)
    scene.receive("T2")
    scene.clock.forward(days=-6)
    assert calendar(scene)[LATE].due


# ── opening and closing ─────────────────────────────────────────────────────────────────────────────────────


def test_only_the_review_that_somebody_had_before_them_is_closed_and_once(scene: Scene) -> None:
    answered(scene, "T1")
    scene.clock.forward(days=7)
    first = open_review(scene.store, LANES, "Oona")
    closed = close_review(scene.store, LANES, "Oona", "go on", "Marek", first.seq)
    assert close_review(scene.store, LANES, "Oona", " go on ", "Marek", first.seq) == closed, "sent twice, closed once"
    second = open_review(scene.store, LANES, "Oona")
    for seq, words in ((first.seq, "stop"), (second.seq + 99, "go on")):
        with pytest.raises(CannotReview, match="Nothing was recorded"):
            close_review(scene.store, LANES, "Oona", words, "Marek", seq)
    assert calendar(scene)[LANES].open == second


def test_a_review_is_opened_once_and_whoever_opens_it_again_sees_the_same(scene: Scene) -> None:
    answered(scene, "T1")
    scene.clock.forward(days=7)
    first = open_review(scene.store, LANES, "Oona")
    answered(scene, "T2")
    assert open_review(scene.store, LANES, "Marek") == first
    assert [e.kind for e in scene.history.house_timeline()] == [Kind.PERIODIC_REVIEW_OPENED]


def test_it_keeps_what_they_had_before_them_and_what_they_decided(scene: Scene) -> None:
    answered(scene, "T1", lane=2)
    scene.clock.forward(days=7)
    opened = open_review(scene.store, LANES, "Oona")
    assert {s.title: s.count for s in opened.sections}["Lane 2"] == 1
    answered(scene, "T1", lane=3, key="m2")
    closed = close_review(scene.store, LANES, "Marek", "Look again at billing.", "Ines")
    assert closed.sections == opened.sections, "the ledger has moved on; what they saw has not"
    assert (closed.closed_by, closed.decision, closed.owner) == ("Marek", "Look again at billing.", "Ines")
    with scene.store.read() as conn:
        assert held(conn) == held(conn, LANES) == (closed,)
        assert held(conn, LATE) == ()
    assert verify(scene.store).finding is None


@pytest.mark.parametrize(
    ("by", "decision", "owner", "error"),
    [("Oona", " ", "Marek", CannotReview), ("Oona", "go on", "  ", CannotReview), ("", "go on", "Marek", Unsigned)],
)
def test_a_review_is_not_closed_without_a_name_a_decision_and_an_owner(
    scene: Scene, by: str, decision: str, owner: str, error: type[Exception]
) -> None:
    scene.receive()
    open_review(scene.store, LATE, "Oona")
    with pytest.raises(error):
        close_review(scene.store, LATE, by, decision, owner)
    assert calendar(scene)[LATE].open is not None


def test_what_is_not_open_cannot_be_closed(scene: Scene) -> None:
    scene.receive()
    open_review(scene.store, LATE, "Oona")
    close_review(scene.store, LATE, "Oona", "go on", "Marek")
    for topic in (LATE, RISKY):
        with pytest.raises(CannotReview, match=f"lanewise review open {topic.value}"):
            close_review(scene.store, topic, "Oona", "go on", "Marek")


def test_an_empty_ledger_has_nothing_to_review(scene: Scene) -> None:
    with pytest.raises(CannotReview, match="the ledger is empty"):
        open_review(scene.store, LATE, "Oona")


# ── the material ────────────────────────────────────────────────────────────────────────────────────────────


def spoken(scene: Scene, ticket: str, piece: Piece = Piece.ANSWER) -> None:
    """A text of the assistant's that has reached the customer."""
    key = f"{ticket}/{piece.value}"
    scene.propose(key=key, piece=piece, ticket=ticket)
    scene.post.begin(key, VIEW)
    scene.post.sent(key, "ref")


def test_a_late_escalation_is_one_after_the_assistant_has_spoken(scene: Scene) -> None:
    answered(scene, "late")
    spoken(scene, "late")
    answered(scene, "late", lane=3, key="m2")
    answered(scene, "early", lane=3)
    answered(scene, "fine")
    spoken(scene, "fine")
    answered(scene, "asked")
    spoken(scene, "asked", Piece.QUESTION)
    answered(scene, "asked", lane=2, key="m2")
    section = sections(scene, LATE)["Late escalations"]
    assert section.tickets == ("late",), "to ask is how the lane is found, and no answer"
    assert section.what == BY_ID["late_escalation"].definition


def test_a_ticket_that_was_handed_back_and_answered_escalates_late_too(scene: Scene) -> None:
    answered(scene, "back", lane=3)
    scene.people.hand_back("back", Lane.AUTONOMOUS, scene.seen("back"), scene.sign())
    answered(scene, "back", key="m2")
    spoken(scene, "back")
    answered(scene, "back", lane=3, key="m3")
    assert sections(scene, LATE)["Late escalations"].tickets == ("back",)


def test_the_reviews_of_all_weeks_name_the_scorecards_late_escalations_once_each(scene: Scene) -> None:
    began = scene.clock()
    Desk(scene, 2).live(260)
    catch_up(scene.store)
    with scene.store.read() as conn:
        wanted = tickets_of(conn, BY_ID["late_escalation"], Period(scene.clock()))
        ends = [began + timedelta(weeks=n) for n in range((scene.clock() - began).days // 7 + 2)]
        weeks = [material(conn, LATE, since, until)[0].tickets for since, until in pairwise(ends)]
    named = [ticket for week in weeks for ticket in week]
    assert sorted(named) == sorted(wanted) and len(wanted) > 2
    assert sum(map(bool, weeks)) > 1, "in more than one week"


def test_severe_overrides_are_those_to_lane_3_over_two_lanes_or_two_levels(scene: Scene) -> None:
    for ticket, lane in (("up", 1), ("down", 3), ("mild", 3), ("words", 1), ("slight", 1), ("same", 3)):
        answered(scene, ticket, lane=lane)
    for ticket, to in (("up", 3), ("down", 1), ("mild", 2), ("same", 3)):
        scene.people.change_lane(ticket, Lane(to), scene.seen(ticket), scene.sign())
    scene.people.correct_triggers("words", {Trigger.POLICY_SENSITIVITY: Level.HIGH}, scene.sign())
    scene.people.correct_triggers("slight", {Trigger.POLICY_SENSITIVITY: Level.MEDIUM}, scene.sign())
    found = sections(scene, LATE)
    assert found["Lanes overridden severely"].tickets == ("up", "down")
    assert found["Triggers overridden severely"].tickets == ("words",)


def test_risky_tickets_without_a_person_are_told_with_why_they_were_risky(scene: Scene) -> None:
    answered(scene, "plain")
    answered(scene, "dear", consequence="high")
    answered(scene, "fired", levels={"customer_pressure": "medium"})
    answered(scene, "incident", ("outage",), "medium")
    answered(scene, "escalated", consequence="high", lane=3)
    found = sections(scene, RISKY)
    assert {title: s.tickets for title, s in found.items()} == {
        "Consequence high": ("dear",),
        "Consequence medium": ("incident",),
        "A trigger fired": ("fired",),
        "An incident was near": ("incident",),
        "Found by audit": (),
    }


def test_audited_misses_reach_the_reviews_only_once_nothing_is_to_come(scene: Scene) -> None:
    answered(scene, "T1")
    week_over(scene)
    made = draw_week(scene.store, WEEK, "Oona")
    assert made is not None and made.audits[0].wanted == 2
    said = Judgement(True, (Trigger.CUSTOMER_PRESSURE,), Fault.MISSING_SIGNAL)
    judge(scene.store, made.audits[0].id, "Ines", said)
    assert sections(scene, RISKY)["Found by audit"].tickets == ()
    assert sections(scene, TRIGGERS)["customer_pressure"].count == 0
    judge(scene.store, made.audits[0].id, "Jonas", YES)
    assert sections(scene, RISKY)["Found by audit"].tickets == ("T1",)
    pressure = sections(scene, TRIGGERS)["customer_pressure"]
    assert (pressure.tickets, pressure.figures["missed_by_audit"]) == (("T1",), 1)
    assert pressure.figures["fault_missing_signal"] == 1


def test_the_lane_distribution_is_told_by_lane_and_family_beside_the_stretch_before(scene: Scene) -> None:
    answered(scene, "before", ("billing",), lane=2)
    scene.clock.moment = UNTIL + timedelta(days=1)
    answered(scene, "now-1", ("billing",), lane=2)
    answered(scene, "now-2", ("billing", "outage"), lane=3)
    answered(scene, "now-1", ("billing",), lane=3, key="m2")
    with scene.store.read() as conn:
        found = {s.title: s for s in material(conn, LANES, UNTIL, UNTIL + timedelta(weeks=1))}
    assert found["Lane 2"].count == 0 and found["Lane 2"].figures == {"before": 1}
    assert found["Lane 3"].tickets == ("now-1", "now-2")
    assert found["Family billing"].count == 2
    assert found["Family billing"].figures["lane_3"] == 2 and found["Family billing"].figures["lane_2_before"] == 1
    assert found["Family outage"].tickets == ("now-2",)


def test_trigger_definitions_are_told_with_how_often_they_fired_and_were_corrected(scene: Scene) -> None:
    answered(scene, "high", levels={"policy_sensitivity": "high"})
    answered(scene, "low", levels={"policy_sensitivity": "low"})
    scene.people.correct_triggers("high", {Trigger.POLICY_SENSITIVITY: Level.LOW}, scene.sign())
    scene.people.correct_triggers("low", {Trigger.POLICY_SENSITIVITY: Level.MEDIUM}, scene.sign())
    found = sections(scene, TRIGGERS)
    assert list(found) == [t.value for t in Trigger]
    policy = found["policy_sensitivity"]
    assert policy.tickets == ("low", "high")
    assert policy.figures == {
        "medium": 0,
        "high": 1,
        "corrected_higher": 1,
        "corrected_lower": 1,
        "missed_by_audit": 0,
    }


def test_a_long_list_is_cut_and_its_count_is_whole(scene: Scene) -> None:
    for number in range(SHOWN + 3):
        ticket = f"T{number:03d}"
        scene.intake.receive(message(ticket))
        scene.worker.record(ticket, Kind.LANE_ASSIGNED, "m1/lane", {"lane": 1, "families": [], "consequence": "low"})
    found = sections(scene, LANES)["Lane 1"]
    assert (found.count, len(found.tickets)) == (SHOWN + 3, SHOWN)
