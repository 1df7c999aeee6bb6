"""The frame of an audit holds every ticket that ended a week in lane 1 without a person, and no other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from audit_scene import SINCE, UNTIL, WEEK, answered, at, week_over
from ledger_scene import DAY, Scene

from guards.lanes import Consequence, Lane
from ledger.audits.frame import Stratum, Unattended, frame_of, newly_autonomous, week_before, week_of
from ledger.errors import CannotDraw
from ledger.spans import span_of


def frame(scene: Scene) -> dict[str, Unattended]:
    with scene.store.read() as conn:
        return {one.ticket: one for one in frame_of(conn, SINCE, UNTIL)}


def test_a_week_is_monday_to_monday_in_utc() -> None:
    assert week_of(WEEK) == (SINCE, UNTIL)
    assert week_of("2026-W53")[0] == datetime(2026, 12, 28, tzinfo=UTC)
    assert week_before(DAY) == "2026-W44"
    assert week_before(datetime(2027, 1, 4, tzinfo=UTC)) == "2026-W53"


@pytest.mark.parametrize("wrong", ["", "2026-47", "2026-W54", "2026-W00", "last week", "W47"])
def test_what_is_no_week_is_refused_in_words(wrong: str) -> None:
    with pytest.raises(CannotDraw, match="is no week: write it as 2026-W47"):
        week_of(wrong)


def test_tickets_that_a_person_had_are_not_in_the_frame(scene: Scene) -> None:
    answered(scene, "plain")
    answered(scene, "assisted", lane=2)
    answered(scene, "owned", lane=3)
    answered(scene, "claimed")
    scene.people.claim("claimed", scene.sign())
    answered(scene, "first-low")
    answered(scene, "first-low", lane=2, key="m2")
    scene.under_review(ticket="first-low", key="m2")
    scene.receive("waiting")
    week_over(scene)
    assert list(frame(scene)) == ["plain"]


def test_what_happens_after_the_week_does_not_change_its_frame(scene: Scene) -> None:
    answered(scene, "later")
    answered(scene, "again")
    week_over(scene)
    before = frame(scene)
    answered(scene, "later", lane=3, key="m2")
    scene.people.claim("again", scene.sign())
    answered(scene, "next-week")
    assert frame(scene) == before
    assert list(before) == ["again", "later"]


def test_a_ticket_that_a_person_had_in_an_earlier_week_is_not_one_without_a_person(scene: Scene) -> None:
    at(scene, SINCE - timedelta(days=2))
    answered(scene, "known", lane=2)
    scene.people.change_lane("known", Lane.AUTONOMOUS, scene.seen("known"), scene.sign())
    at(scene, DAY)
    answered(scene, "known", key="m2")
    answered(scene, "fresh")
    week_over(scene)
    assert list(frame(scene)) == ["fresh"]


def test_each_ticket_is_in_the_stratum_that_says_most_about_it(scene: Scene) -> None:
    answered(scene, "doc", ())
    answered(scene, "bill", ("feature_access", "billing"))
    answered(scene, "feature", ("seats_permissions",))
    answered(scene, "about", ("outage", "billing"))
    answered(scene, "affected", ("billing",), incidents=("INC-1",))
    week_over(scene)
    found = {name: one.stratum for name, one in frame(scene).items()}
    assert found == {
        "doc": Stratum.DOCUMENTATION,
        "bill": Stratum.BILLING_CLARIFICATION,
        "feature": Stratum.FEATURE_ACCESS,
        "about": Stratum.INCIDENT_ADJACENT,
        "affected": Stratum.INCIDENT_ADJACENT,
    }


def test_a_family_of_a_teams_own_is_audited_as_the_domain_it_has_in_its_release(scene: Scene) -> None:
    answered(scene, "money", ("refunds", "feature_access"))
    answered(scene, "made-up", ("loyalty",))
    answered(scene, "access", ("security", "documentation"))
    answered(scene, "read", ("documentation",))
    week_over(scene)
    assert {name: one.stratum for name, one in frame(scene).items()} == {
        "money": Stratum.BILLING_CLARIFICATION,
        "made-up": Stratum.BILLING_CLARIFICATION,
        "access": Stratum.FEATURE_ACCESS,
        "read": Stratum.DOCUMENTATION,
    }


def test_a_family_is_new_where_it_answered_nothing_by_itself_eight_weeks_ago(scene: Scene) -> None:
    at(scene, UNTIL - timedelta(weeks=10))
    answered(scene, "old-1", ("billing",))
    answered(scene, "old-2", ("provisioning",), lane=2)
    at(scene, DAY)
    answered(scene, "now-1", ("billing",))
    answered(scene, "now-2", ("provisioning", "billing"))
    week_over(scene)
    found = frame(scene)
    assert found["now-1"].stratum is Stratum.BILLING_CLARIFICATION
    assert found["now-2"].stratum is Stratum.NEWLY_AUTONOMOUS


def test_in_a_young_ledger_nothing_is_newer_than_the_rest(scene: Scene) -> None:
    answered(scene, "T1")
    with scene.store.read() as conn:
        assert newly_autonomous(conn, {"documentation"}, UNTIL) == frozenset()


def test_what_the_decision_recorded_comes_with_the_ticket(scene: Scene) -> None:
    answered(scene, "T1", ("billing",), "medium", levels={"policy_sensitivity": "medium"})
    week_over(scene)
    (found,) = frame(scene).values()
    assert (found.families, found.consequence) == (("billing",), Consequence.MEDIUM)
    assert (found.tier, found.segment, found.release) == ("team", "midmarket", "2026.11")
    assert found.levels == {"policy_sensitivity": "medium"}


def test_a_consequence_that_nobody_recorded_is_looked_at_as_the_highest(scene: Scene) -> None:
    answered(scene, "T1", consequence="enormous")
    week_over(scene)
    assert frame(scene)["T1"].consequence is Consequence.HIGH


def test_erasure_takes_nothing_out_of_the_frame(scene: Scene) -> None:
    answered(scene, "T1")
    answered(scene, "T2")
    week_over(scene)
    before = frame(scene)
    scene.people.erase("T1", scene.sign())
    assert frame(scene) == before


def test_a_ticket_that_was_erased_within_its_week_stays_in_the_frame(scene: Scene) -> None:
    answered(scene, "T1", ("billing",))
    scene.people.erase("T1", scene.sign())
    week_over(scene)
    assert list(frame(scene)) == ["T1"]


def test_a_span_finds_its_events_by_halving_at_every_moment(scene: Scene) -> None:
    for number in range(9):
        scene.receive(f"T{number}")
        scene.clock.forward(hours=1)
    with scene.store.read() as conn:
        for hours in range(-1, 11):
            moment = DAY + timedelta(hours=hours)
            expected = min(max(hours, 0), 9) + 1
            assert span_of(conn, DAY, moment).end == expected
            assert span_of(conn, moment, moment).first == expected
