"""What the assistant handles now, and what it has done: a ticket that nobody writes in any more is not live for ever."""

from __future__ import annotations

from datetime import timedelta

from ledger_scene import VIEW, Scene

from guards.lanes import Lane
from ledger.whereabouts import LIVE_FOR, Place, WhereaboutsLedger

NEARLY = LIVE_FOR - timedelta(minutes=1)


def worked_on(scene: Scene, ticket: str = "T1") -> None:
    """The assistant has run everything that waits in the ticket."""
    while (event := scene.intake.next_unhandled(ticket)) is not None:
        scene.intake.mark_handled(event.seq)


def answered(scene: Scene) -> None:
    scene.receive()
    scene.assigned(1)
    scene.propose()
    worked_on(scene)
    for key in scene.post.waiting():
        scene.post.begin(key, VIEW)
        scene.post.sent(key)


def place(scene: Scene) -> tuple[Place, str]:
    where = WhereaboutsLedger(scene.store)
    (found,) = ((p, w.state) for p in (Place.ASSISTANT, Place.DONE) for w in where.of(p))
    assert where.counts()[found[0]] == 1, "what is counted is what is listed"
    return found


def test_an_answered_ticket_is_live_for_a_day_and_then_rests_until_the_customer_writes(scene: Scene) -> None:
    answered(scene)
    assert place(scene) == (Place.ASSISTANT, "answered")
    scene.clock.forward(seconds=NEARLY.total_seconds())
    assert place(scene) == (Place.ASSISTANT, "answered")
    scene.clock.forward(minutes=2)
    assert place(scene) == (Place.DONE, "quiet")
    scene.receive(key="m2", text="It does not work.")
    assert place(scene) == (Place.ASSISTANT, "reading")


def test_what_waits_for_the_assistant_is_live_however_old_it_is(scene: Scene) -> None:
    scene.receive()
    scene.clock.forward(days=400)
    assert place(scene) == (Place.ASSISTANT, "reading")
    worked_on(scene)
    assert place(scene) == (Place.ASSISTANT, "waiting"), "nobody answered it, so nobody may lose sight of it"


def test_a_letter_that_is_still_to_leave_is_live_however_old_it_is(scene: Scene) -> None:
    scene.receive()
    scene.assigned(1)
    scene.propose()
    worked_on(scene)
    scene.clock.forward(days=3)
    assert place(scene) == (Place.ASSISTANT, "sending")


def test_a_ticket_that_was_handed_back_rests_after_a_day_too(scene: Scene) -> None:
    scene.receive()
    scene.under_review()
    scene.people.hand_back("T1", Lane.AUTONOMOUS, scene.seen(), scene.sign())
    worked_on(scene)
    assert place(scene) == (Place.ASSISTANT, "handed_back")
    scene.clock.forward(days=2)
    assert place(scene) == (Place.DONE, "quiet")


def test_an_older_decision_does_not_sign_for_a_later_silence(scene: Scene) -> None:
    scene.receive()
    scene.under_review()
    scene.people.resolve("T1", scene.seen(), scene.sign())
    scene.receive(key="m2", text="One more thing.")
    scene.people.change_lane("T1", Lane.AUTONOMOUS, scene.seen(), scene.sign())
    scene.assigned(1, key="m2")
    scene.propose(key="T1/answer/2")
    worked_on(scene)
    for key in scene.post.waiting():
        scene.post.begin(key, VIEW)
        scene.post.sent(key)
    scene.clock.forward(days=2)
    (found,) = WhereaboutsLedger(scene.store).of(Place.DONE)
    assert (found.state, found.by) == ("quiet", "")
