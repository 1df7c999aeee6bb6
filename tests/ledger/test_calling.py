"""A machine that failed calls a person, with a packet that says which way, and with a deadline that comes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ledger_scene import VIEW, Scene
from sqlalchemy import text

from guards.gate import Permit, Refusal
from guards.lanes import Lane
from ledger.calling import CALLED_WITHIN, WHY, packet_for
from ledger.letters import key_of
from ledger.outbox import Sending
from ledger.packets.lint import lint
from ledger.packets.packet import CustomerState, HumanPacket
from ledger.packets.pages import to_text
from ledger.reviews import call_a_person

BODY = "Open Admin, then Audit."


def on_its_way(scene: Scene) -> Scene:
    """A routine answer that the post room has begun to send."""
    scene.receive()
    scene.assigned(1)
    assert isinstance(scene.propose(BODY), Permit)
    assert isinstance(scene.post.begin("T1/answer", VIEW), Sending)
    return scene


@pytest.mark.parametrize("why", [*WHY, "something else"])
def test_every_small_packet_passes_the_lint_and_holds_no_draft(scene: Scene, why: str) -> None:
    on_its_way(scene)
    scene.post.unknown("T1/answer", "TimeoutError")
    with scene.store.read() as conn:
        packet = packet_for(conn, "T1", why, scene.clock())
    assert lint(packet) == ()
    assert isinstance(packet, HumanPacket)
    assert [q.text for q in packet.words] == ["Where do I find audit logs?"]


def test_an_unknown_delivery_opens_a_review_with_a_deadline_and_its_packet_says_that_nobody_knows(scene: Scene) -> None:
    on_its_way(scene)
    scene.post.recover()
    [review] = scene.reviews.open()
    assert (review.why, review.due_at) == ("delivery_unknown", scene.clock() + CALLED_WITHIN)
    assert review.packet is not None
    page = to_text(review.packet)
    assert "Nobody knows whether a text of ours arrived; no machine sends it again." in page
    assert "not known whether it arrived" in page
    assert BODY in page
    assert review.packet.customer.state is CustomerState.TENTATIVE_EXPLANATION


def test_a_packet_that_a_person_has_already_is_told_of_the_unknown_and_keeps_its_draft(scene: Scene) -> None:
    scene.receive()
    before = scene.under_review("We are sorry.")
    scene.people.claim("T1", scene.sign("maria"))
    key = scene.people.answer_myself("T1", "Hello.", scene.seen(), scene.sign("maria"), VIEW).reply_key
    assert key is not None and isinstance(scene.post.begin(key, VIEW), Sending)
    scene.receive(key="m2", text="And the invoice?")
    again = scene.under_review("About the invoice.", key="m2")
    assert again.id != before.id
    scene.post.recover()
    [review] = scene.reviews.open()
    assert review.id == again.id and review.revision == again.revision + 1
    assert review.packet is not None and review.draft is not None and not review.stale
    assert any("no machine sends it again" in note for note in review.packet.degraded)
    assert [s.certain for s in review.packet.customer.said] == [False]
    assert [(d.text, d.stale) for d in scene.reviews.drafts(review.id)][-1] == ("About the invoice.", False)
    scene.people.approve(review.id, b"About the invoice.", scene.seen(), scene.sign("maria"), VIEW)


def test_telling_of_a_failure_does_not_freshen_a_draft_that_was_stale(scene: Scene) -> None:
    scene.receive()
    review = scene.under_review("We are sorry.")
    scene.receive(key="m2", text="Forget it")
    with scene.store.write() as conn:
        told = call_a_person(conn, "T1", "delivery_failed", review_id="x", cause=1, at=scene.clock())
    assert told.id == review.id and told.stale


def test_a_late_answer_of_the_channel_is_told_in_the_packet_that_said_nobody_knows(scene: Scene) -> None:
    on_its_way(scene)
    scene.post.recover()
    scene.post.sent("T1/answer", "late")
    [review] = scene.reviews.open()
    assert review.packet is not None
    page = to_text(review.packet)
    assert "A text of ours of which nobody knew has arrived after all." in page
    assert "not known whether it arrived" not in page


def test_one_cause_is_told_once(scene: Scene) -> None:
    scene.receive()
    for _ in range(2):
        with scene.store.write() as conn:
            call_a_person(conn, "T1", "delivery_failed", review_id="x", cause=1, at=scene.clock())
            call_a_person(conn, "T1", "delivery_unknown", review_id="y", cause=2, at=scene.clock())
    [review] = scene.reviews.open()
    assert review.revision == 2
    assert review.packet is not None and len(review.packet.degraded) == 2


def test_a_given_up_events_review_comes_due(scene: Scene) -> None:
    seq = scene.receive().seq
    scene.intake.give_up(seq)
    assert scene.intake.tick() == ()
    scene.clock.forward(seconds=CALLED_WITHIN.total_seconds())
    assert scene.intake.tick() == ("T1",)
    assert scene.intake.tick() == ()


def test_a_letter_that_a_halt_stopped_calls_a_person_with_a_packet(scene: Scene) -> None:
    scene.receive()
    scene.assigned(1)
    scene.propose(BODY)
    scene.people.halt(None, scene.sign())
    assert isinstance(scene.post.begin("T1/answer", VIEW), Refusal)
    [review] = scene.reviews.open()
    assert review.packet is not None and review.due_at is not None
    assert "A text of ours was stopped before it left" in to_text(review.packet)
    assert "autonomy is halted" in to_text(review.packet)


def test_a_small_packet_can_be_made_for_a_review_that_nobody_can_read(scene: Scene) -> None:
    scene.receive()
    scene.under_review()
    with scene.store.write() as conn:
        conn.execute(text("DROP TRIGGER bodies_refuse_update"))
        conn.execute(text("""UPDATE bodies SET text = '{"recommended_lane": 2}' WHERE text LIKE '{%lane%'"""))
    [review] = scene.reviews.open()
    assert review.packet is None
    assert scene.worker.packet_for("T1", review.why).lane is Lane.HUMAN_OWNED
    moved = scene.worker.revise_review(
        review.id, scene.worker.packet_for("T1", review.why), key="d", due_at=scene.clock() + timedelta(hours=1)
    )
    assert moved.packet is not None


def test_two_lists_of_parts_never_make_one_reply_key() -> None:
    assert key_of("a", "approved", "b/c") != key_of("a/approved", "b", "c")
    assert key_of("a", "approved", "x/approved/y") != key_of("a/approved/x", "approved", "y")
    assert key_of("a", 7, "answer") != key_of("a", "7", "answer")
    long = key_of("é" * 200, "approved", "k" * 200)
    assert len(long) <= 400
    assert long != key_of("é" * 200, "approved", "k" * 199 + "l")


def test_two_tickets_whose_ids_hold_slashes_are_answered_under_two_keys(scene: Scene) -> None:
    keys = []
    for ticket, sign in (("T", "x/approved/y"), ("T/approved/x", "y")):
        scene.receive(ticket)
        made = scene.people.answer_myself(ticket, "Hello.", scene.seen(ticket), scene.sign(key=sign), VIEW)
        keys.append(made.reply_key)
    assert len(set(keys)) == 2
    assert set(scene.post.waiting()) == set(keys)


def test_a_decision_under_a_key_with_slashes_does_not_meet_what_followed_from_another(scene: Scene) -> None:
    scene.receive()
    scene.people.claim("T1", scene.sign(key="k"))
    assert scene.people.release("T1", scene.sign(key="k/claimed")).first
