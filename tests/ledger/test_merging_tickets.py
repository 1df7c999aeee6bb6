"""A merge loses neither a lane nor a call: what one ticket asked for, the other asks for from then on."""

from __future__ import annotations

import pytest
from ledger_scene import VIEW, Scene

from guards.gate import Permit, Refusal
from guards.lanes import Lane
from ledger.calling import CALLED_WITHIN
from ledger.errors import CannotBeDone, StaleDecision

DRAFT = "We are sorry about the invoice."


def merge(scene: Scene) -> None:
    """T2 into T1."""
    scene.people.merge("T2", "T1", scene.seen("T2"), scene.sign(reason="the same matter"))


@pytest.mark.parametrize("other", Lane)
@pytest.mark.parametrize("target", Lane)
def test_the_other_ticket_stands_in_the_higher_lane_from_then_on(scene: Scene, target: Lane, other: Lane) -> None:
    scene.receive()
    scene.worker.raise_floor("T1", target)
    scene.receive("T2")
    scene.assigned(other, "T2")
    merge(scene)
    held = scene.worker.register("T1")
    assert held.floor is max(target, other)
    assert scene.people.resolve("T1", scene.seen(), scene.sign()).register.lane is held.floor, (
        "until a person lowers it"
    )


def test_a_wish_for_a_person_goes_with_the_ticket_that_held_it(scene: Scene) -> None:
    scene.receive()
    review = scene.under_review(DRAFT)
    before = scene.seen()
    scene.receive("T2", asks_person=True)
    merge(scene)
    assert scene.worker.register("T1").lane is Lane.HUMAN_OWNED
    with pytest.raises(StaleDecision, match="lane has risen"):
        scene.people.approve(review.id, DRAFT.encode(), before, scene.sign(), VIEW)
    assert [r.ticket for r in scene.reviews.open()] == ["T1"]


@pytest.mark.parametrize("lane", [1, 2])
def test_a_draft_from_before_a_merge_is_not_approved_though_the_lane_stays(scene: Scene, lane: int) -> None:
    scene.receive()
    scene.worker.raise_floor("T1", 2)
    review = scene.under_review(DRAFT)
    before = scene.seen()
    scene.receive("T2", text="And please cancel the other invoice.")
    scene.assigned(lane, "T2", key="n1")
    merge(scene)
    for seen in (before, scene.seen()):
        with pytest.raises(StaleDecision):
            scene.people.approve(review.id, DRAFT.encode(), seen, scene.sign(), VIEW)
    held = scene.reviews.get(review.id)
    assert (held.open, held.stale) == (True, True) and held.draft is not None, "it stays to be read"
    assert held.packet is not None and any("merged into this one" in told for told in held.packet.degraded)
    scene.receive(key="m2", text="Hello?")
    scene.under_review("A new draft.", key="m2")
    scene.people.approve(review.id, b"A new draft.", scene.seen(), scene.sign(), VIEW)


def test_a_person_is_asked_where_a_ticket_is_merged_into_a_resolved_one(scene: Scene) -> None:
    scene.receive()
    scene.people.resolve("T1", scene.seen(), scene.sign())
    scene.receive("T2")
    scene.under_review(DRAFT, "T2")
    merge(scene)
    (asked,) = scene.reviews.open()
    assert (asked.ticket, asked.why, asked.due_at) == ("T1", "merged", scene.clock() + CALLED_WITHIN)


def test_a_refused_merge_raises_nothing_and_calls_nobody(scene: Scene) -> None:
    scene.receive()
    scene.receive("T2", recipient="somebody@else.example")
    scene.worker.raise_floor("T2", 3)
    with pytest.raises(CannotBeDone):
        merge(scene)
    assert scene.worker.register("T1").lane is Lane.AUTONOMOUS
    assert scene.reviews.open() == ()


def test_an_answer_of_the_assistants_dies_where_the_merge_raises_the_lane(scene: Scene) -> None:
    scene.receive()
    scene.assigned(1)
    assert isinstance(scene.propose(), Permit)
    scene.receive("T2")
    scene.assigned(2, "T2", key="n1")
    merge(scene)
    refused = scene.post.begin("T1/answer", VIEW)
    assert isinstance(refused, Refusal)
