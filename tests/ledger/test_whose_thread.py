"""A thread that a person has is theirs: nobody else ends it, lowers it or gives it free, and no text passes them by."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ledger_scene import VIEW, Scene
from sqlalchemy import text

from guards.gate import Permit, Refusal
from guards.lanes import Lane
from ledger.errors import AlreadyClaimed
from ledger.letters import DeliveryState
from ledger.outbox import Sending

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


# --- a hand back ---


@pytest.mark.parametrize("to", Lane)
def test_what_waits_does_not_leave_after_a_hand_back(scene: Scene, to: Lane) -> None:
    scene.receive()
    scene.assigned(1)
    assert isinstance(scene.propose("From the assistant."), Permit)
    scene.people.hand_back("T1", to, scene.seen(), scene.sign())
    assert scene.post.waiting() == ()
    assert scene.post.delivery("T1/answer").state is DeliveryState.REFUSED
    assert [r.rule for r in scene.history.refusals("T1")] == ["handed_back"]


@pytest.mark.parametrize("to", Lane)
@pytest.mark.parametrize("floor", Lane)
def test_a_conversation_that_is_handed_back_at_a_lane_stands_in_it(scene: Scene, floor: Lane, to: Lane) -> None:
    scene.receive()
    scene.worker.raise_floor("T1", floor)
    done = scene.people.hand_back("T1", to, scene.seen(), scene.sign())
    assert (done.register.floor, done.register.lane) == (to, to)
    scene.receive(key="m2", text="Hello again")
    assert scene.assigned(1, key="m2").lane is to, "the next message is read no lower"


# --- a text that a colleague approved ---


def approved_by_maria(scene: Scene) -> str:
    """Its reply key; it waits for the post room."""
    scene.receive()
    scene.under_review(DRAFT)
    made = scene.people.approve(the_draft(scene), DRAFT.encode(), scene.seen(), scene.sign("maria"), VIEW)
    assert made.reply_key is not None
    return made.reply_key


TAKES: dict[str, Deed] = {
    "claims it": lambda s: s.people.claim("T1", s.sign("juan")),
    "is given it": lambda s: s.people.transfer("T1", "juan", s.sign("maria")),
    "takes it over": lambda s: s.people.transfer("T1", "juan", s.sign("juan"), over=True),
}
ENDS: dict[str, Deed] = {
    "resolves it": lambda s: s.people.resolve("T1", s.seen(), s.sign("juan")),
    "hands it back": lambda s: s.people.hand_back("T1", Lane.AUTONOMOUS, s.seen(), s.sign("juan")),
    "merges it": lambda s: s.people.merge("T1", "T2", s.seen(), s.sign("juan")),
}


@pytest.mark.parametrize("deed", TAKES)
def test_what_maria_approved_does_not_leave_once_juan_has_the_thread_and_he_is_asked_about_it(
    scene: Scene, deed: str
) -> None:
    key = approved_by_maria(scene)
    done = TAKES[deed](scene)
    assert getattr(done, "head", {})["stopped"] == ["maria"]
    assert scene.post.delivery(key).state is DeliveryState.REFUSED
    assert [(r.why, r.claimed_by) for r in scene.reviews.open()] == [("reply_refused", "juan")]
    assert [m.settled for m in scene.worker.thread("T1")] == [False], "the customer still waits"
    scene.people.release("T1", scene.sign("juan"))
    assert scene.post.waiting() == (), "free again, what was withdrawn stays withdrawn"


@pytest.mark.parametrize("deed", ENDS)
def test_what_maria_approved_does_not_leave_once_juan_ends_the_work(scene: Scene, deed: str) -> None:
    key = approved_by_maria(scene)
    scene.receive(ticket="T2")
    done = ENDS[deed](scene)
    assert getattr(done, "head", {})["stopped"] == ["maria"]
    assert scene.post.delivery(key).state is DeliveryState.REFUSED


OWN: dict[str, Deed] = {
    "claims it": lambda s: s.people.claim("T1", s.sign("maria")),
    "resolves it": lambda s: s.people.resolve("T1", s.seen(), s.sign("maria")),
    "hands it back": lambda s: s.people.hand_back("T1", Lane.AUTONOMOUS, s.seen(), s.sign("maria")),
}


@pytest.mark.parametrize("deed", OWN)
def test_what_maria_approved_leaves_though_she_goes_on_with_the_thread(scene: Scene, deed: str) -> None:
    key = approved_by_maria(scene)
    done = OWN[deed](scene)
    assert "stopped" not in getattr(done, "head", {})
    assert isinstance(scene.post.begin(key, VIEW), Sending)


def test_the_post_room_itself_lets_nothing_pass_the_holder_of_a_thread(scene: Scene) -> None:
    key = approved_by_maria(scene)
    with scene.store.write() as conn:  # as no act of ours does it: a claim withdraws what waits
        conn.execute(text("UPDATE registers SET claimed_by = 'juan'"))
    refused = scene.post.begin(key, VIEW)
    assert isinstance(refused, Refusal)
    assert refused.rule == "claimed"
    assert [r.why for r in scene.reviews.open()] == ["reply_refused"]
