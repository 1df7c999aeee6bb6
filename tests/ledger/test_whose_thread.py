"""A thread that a person has is theirs: nobody else ends it, lowers it or gives it free, and no text passes them by."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ledger_scene import VIEW, Scene

from guards.lanes import Lane
from ledger.errors import AlreadyClaimed

DRAFT = "We are sorry about the invoice."

Deed = Callable[[Scene], object]


def the_draft(scene: Scene) -> str:
    """The open review's id."""
    review = scene.reviews.of_ticket("T1")
    assert review is not None
    return review.id


JUANS: dict[str, Deed] = {
    "release": lambda s: s.people.release("T1", s.sign("juan")),
    "transfer": lambda s: s.people.transfer("T1", "juan", s.sign("juan")),
    "approve": lambda s: s.people.approve(the_draft(s), DRAFT.encode(), s.seen(), s.sign("juan"), VIEW),
    "edit_and_approve": lambda s: s.people.edit_and_approve(the_draft(s), "Mine.", s.seen(), s.sign("juan"), VIEW),
    "answer_myself": lambda s: s.people.answer_myself("T1", "Mine.", s.seen(), s.sign("juan"), VIEW),
    "reject": lambda s: s.people.reject(the_draft(s), s.seen(), s.sign("juan")),
    "change_lane": lambda s: s.people.change_lane("T1", Lane.AUTONOMOUS, s.seen(), s.sign("juan")),
    "hand_back": lambda s: s.people.hand_back("T1", Lane.AUTONOMOUS, s.seen(), s.sign("juan")),
    "resolve": lambda s: s.people.resolve("T1", s.seen(), s.sign("juan")),
    "merge": lambda s: s.people.merge("T1", "T2", s.seen(), s.sign("juan")),
}


@pytest.mark.parametrize("deed", JUANS)
def test_in_a_thread_that_maria_has_juan_does_not(scene: Scene, deed: str) -> None:
    scene.receive()
    scene.under_review(DRAFT)
    scene.receive(ticket="T2")
    scene.people.claim("T1", scene.sign("maria"))
    before = scene.history.timeline("T1")
    with pytest.raises(AlreadyClaimed, match="maria has the thread"):
        JUANS[deed](scene)
    assert scene.history.timeline("T1") == before
    assert scene.worker.register("T1").claimed_by == "maria"
    scene.people.release("T1", scene.sign("maria"))
    JUANS[deed](scene)  # once it is free, he does


def test_a_lane_is_raised_by_whoever_sees_why_also_in_a_colleagues_thread(scene: Scene) -> None:
    scene.receive()
    scene.under_review(DRAFT)
    scene.people.claim("T1", scene.sign("maria"))
    scene.people.change_lane("T1", Lane.HUMAN_OWNED, scene.seen(), scene.sign("juan", "this is about a lawsuit"))
    held = scene.worker.register("T1")
    assert (held.lane, held.claimed_by) == (Lane.HUMAN_OWNED, "maria")


def test_whoever_may_takes_a_thread_over_or_gives_it_free(scene: Scene) -> None:
    scene.receive()
    scene.people.claim("T1", scene.sign("maria"))
    scene.people.transfer("T1", "lena", scene.sign("lena", "maria is away"), over=True)
    assert scene.worker.register("T1").claimed_by == "lena"
    scene.people.release("T1", scene.sign("ada", "lena is away too"), over=True)
    assert scene.worker.register("T1").claimed_by is None
