"""A review waits for a person; later messages join it; the desk sees what waits and for how long."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ledger_scene import DAY, Scene, assisted_packet, human_packet
from sqlalchemy import text

from guards.lanes import Lane
from ledger.errors import UnknownReview
from ledger.packets.packet import AssistedPacket, HumanPacket, Owner
from ledger.reviews import UNROUTED


def test_a_second_message_joins_the_open_review_and_makes_its_draft_stale(scene: Scene) -> None:
    scene.receive()
    review = scene.under_review("First draft.")
    assert not review.stale
    second = scene.receive(key="m2", text="And my seats?").seq
    assert scene.reviews.get(review.id).stale  # at once, before the worker has run
    revised = scene.under_review("Second draft.", key="m2")
    assert (revised.id, revised.revision, revised.thread_revision, revised.stale) == (review.id, 2, second, False)
    assert revised.draft is not None
    assert revised.draft.text == "Second draft."
    assert revised.packet is not None
    assert revised.packet.revision == 2
    past = scene.reviews.drafts(review.id)
    assert [(d.text, d.stale) for d in past] == [("First draft.", True), ("Second draft.", False)]
    assert len(scene.reviews.open()) == 1


def test_a_step_that_is_run_again_opens_and_revises_nothing_twice(scene: Scene) -> None:
    scene.receive()
    packet = assisted_packet(thread_revision=1)
    first = scene.worker.open_review(packet, key="m1/open_review")
    assert scene.worker.open_review(packet, key="m1/open_review") == first
    assert scene.worker.open_review(packet, key="m2/open_review").revision == 2
    assert scene.worker.open_review(packet, key="m1/open_review").revision == 2


def test_a_review_is_revised_by_its_id_only_while_it_is_open(scene: Scene) -> None:
    scene.receive()
    scene.receive(ticket="T2")
    review = scene.under_review()
    assert scene.worker.revise_review(review.id, assisted_packet("New."), key="a").revision == 2
    with pytest.raises(UnknownReview):
        scene.worker.revise_review(review.id, assisted_packet("New.", ticket="T2"), key="b")
    scene.people.resolve("T1", scene.seen(), scene.sign())
    for unknown in (review.id, "nobody"):
        with pytest.raises(UnknownReview):
            scene.worker.revise_review(unknown, assisted_packet("New."), key="c")


def test_in_lane_3_an_assisted_packet_loses_its_draft_and_says_so(scene: Scene) -> None:
    scene.receive()
    scene.assigned(3)
    review = scene.worker.open_review(assisted_packet("A draft nobody may see."), key="r")
    assert review.draft is None
    assert isinstance(review.packet, HumanPacket)
    assert "did not draft a reply" in [n.words for n in review.packet.not_done]
    assert [r.rule for r in scene.worker.refusals("T1")] == ["lane"]
    with scene.store.read() as conn:
        kept = conn.execute(text("SELECT count(*) FROM bodies WHERE text LIKE '%nobody may see%'")).scalar_one()
    assert kept == 0


def test_a_draft_falls_away_when_the_lane_rises_to_3(scene: Scene) -> None:
    scene.receive()
    review = scene.under_review("A draft.")
    scene.worker.raise_floor("T1", 3)
    revised = scene.worker.open_review(human_packet(), key="again")
    assert (revised.id, revised.lane, revised.draft) == (review.id, Lane.HUMAN_OWNED, None)


def test_a_packet_the_lint_dislikes_is_still_handed_over_and_says_what_is_wrong(scene: Scene) -> None:
    scene.receive()
    review = scene.worker.open_review(human_packet(not_done=()), key="r")
    assert review.open
    assert any("not_done" in finding for finding in review.lint)


def test_a_deadline_is_not_put_off_by_a_later_message(scene: Scene) -> None:
    scene.receive()
    for hours, key in ((4, "a"), (9, "b"), (2, "c")):
        scene.worker.open_review(assisted_packet(), key=key, due_at=DAY + timedelta(hours=hours))
    assert scene.reviews.open()[0].due_at == DAY + timedelta(hours=2)


def test_the_desk_sees_what_waits_soonest_first(scene: Scene) -> None:
    for n, hours in enumerate((9, 2, None, 5)):
        ticket = f"T{n}"
        scene.receive(ticket=ticket)
        owner = Owner("security" if n == 1 else "billing", (), "it is theirs")
        due = None if hours is None else DAY + timedelta(hours=hours)
        scene.worker.open_review(assisted_packet(ticket=ticket, owner=owner), key="r", due_at=due)
    assert [r.ticket for r in scene.reviews.open()] == ["T1", "T3", "T0", "T2"]
    assert [r.ticket for r in scene.reviews.open("security")] == ["T1"]
    assert [r.ticket for r in scene.reviews.due(DAY + timedelta(hours=6))] == ["T1", "T3"]


def test_a_queue_that_a_person_chose_survives_the_next_packet(scene: Scene) -> None:
    scene.receive()
    review = scene.under_review()
    scene.people.route(review.id, "security", scene.sign())
    scene.worker.open_review(assisted_packet(), key="again")
    assert scene.reviews.get(review.id).queue == "security"
    assert scene.reviews.open("security") != ()


def test_after_a_decision_the_next_question_is_a_new_review(scene: Scene) -> None:
    scene.receive()
    first = scene.under_review()
    scene.people.resolve("T1", scene.seen(), scene.sign())
    scene.receive(key="m2", text="It came back")
    second = scene.under_review(key="m2")
    assert second.id != first.id
    assert [r.open for r in scene.reviews.all_of_ticket("T1")] == [False, True]
    assert scene.worker.review("T1") == second


def test_a_machine_that_fails_before_it_has_a_packet_calls_a_person_with_a_small_one_and_the_packet_joins_later(
    scene: Scene,
) -> None:
    seq = scene.receive().seq
    scene.intake.give_up(seq)
    [called] = scene.reviews.open()
    assert called.packet is not None
    assert (called.queue, called.packet.lane, called.draft) == (UNROUTED, Lane.HUMAN_OWNED, None)
    joined = scene.worker.open_review(human_packet(), key="later")
    assert (joined.id, joined.revision) == (called.id, 2)
    assert joined.packet is not None


def test_a_packet_nobody_can_read_does_not_hide_the_queue(scene: Scene) -> None:
    scene.receive()
    scene.under_review()
    with scene.store.write() as conn:
        conn.execute(text("DROP TRIGGER bodies_refuse_update"))
        conn.execute(text("""UPDATE bodies SET text = '{"recommended_lane": 2}' WHERE text LIKE '{%lane%'"""))
    [review] = scene.reviews.open()
    assert review.packet is None
    assert any("not a packet" in finding for finding in review.lint)


def test_a_packet_comes_back_from_the_store_as_it_went_in(scene: Scene) -> None:
    scene.receive()
    packet = assisted_packet("Draft.")
    review = scene.worker.open_review(packet, key="r")
    assert isinstance(review.packet, AssistedPacket)
    assert review.packet == packet
