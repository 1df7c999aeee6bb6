"""Looks, notes and what an approval would come to: they write what they say, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ledger_scene import VIEW, Scene

from guards.gate import Permit, Refusal
from guards.lanes import Lane
from ledger.decisions import Signature
from ledger.errors import AlreadyClaimed, AlreadyDecided, UnknownTicket
from ledger.foreseen import foresee
from ledger.looks import Looks
from ledger.whereabouts import Place, WhereaboutsLedger

HOUR = timedelta(hours=1)
LANE_1 = Lane.AUTONOMOUS


def test_what_is_foreseen_is_what_the_approval_then_makes_and_nothing_was_written_for_it(scene: Scene) -> None:
    scene.receive()
    before = len(scene.history.timeline("T1"))
    seen = foresee(scene.store, "T1", "I looked into it.", VIEW, by="maria", lasts=HOUR)
    assert isinstance(seen.answer, Permit) and len(scene.history.timeline("T1")) == before
    made = scene.people.answer_myself("T1", "I looked into it.", scene.seen(), scene.sign(), VIEW, lasts=HOUR)
    assert made.reply_key is not None
    assert scene.post.delivery(made.reply_key).letter == seen.letter


def test_what_cannot_leave_is_foreseen_with_the_judges_reason(scene: Scene) -> None:
    scene.receive(recipient="")
    seen = foresee(scene.store, "T1", "I looked into it.", VIEW, by="maria", lasts=HOUR)
    assert isinstance(seen.answer, Refusal) and "no address" in seen.answer.reason
    with pytest.raises(UnknownTicket):
        foresee(scene.store, "T-404", "x", VIEW, by="maria", lasts=HOUR)


def test_a_look_counts_for_one_person_and_one_draft(scene: Scene) -> None:
    scene.receive()
    looks = Looks(scene.store)
    looks.opened("T1", "maria", "r-1", "a" * 64)
    scene.clock.forward(seconds=40)
    looks.opened("T1", "maria", "r-1", "a" * 64, again=True)
    found = looks.of("T1", "maria", "r-1", "a" * 64)
    assert found is not None and (found.last_at - found.opened_at).total_seconds() == 40
    assert looks.of("T1", "maria", "r-1", "b" * 64) is None
    assert looks.of("T1", "ann", "r-1", "a" * 64) is None
    assert [look.person for look in looks.others("T1", "ann", HOUR)] == ["maria"]
    scene.clock.forward(seconds=7200)
    assert looks.others("T1", "ann", HOUR) == (), "whose page is closed is not there"


def test_a_note_is_kept_once_a_key_and_wakes_nobody(scene: Scene) -> None:
    scene.receive()
    looks, sign = Looks(scene.store), Signature("maria", "a note", "n-1")
    assert looks.note("T1", "ask finance", sign) == looks.note("T1", "ask finance", sign)
    assert [(n.by, n.text) for n in looks.notes("T1")] == [("maria", "ask finance")]
    assert all("finance" not in m.text for m in scene.history.thread("T1"))
    with pytest.raises(UnknownTicket):
        looks.note("T-404", "x", sign)


def test_a_ticket_is_with_a_person_with_the_assistant_or_done(scene: Scene) -> None:
    where = WhereaboutsLedger(scene.store)
    scene.receive()
    assert where.counts() == {Place.PERSON: 0, Place.ASSISTANT: 1, Place.DONE: 0}
    assert [(w.ticket, w.state) for w in where.of(Place.ASSISTANT)] == [("T1", "reading")]
    scene.under_review()
    assert where.counts()[Place.PERSON] == 1
    scene.people.resolve("T1", scene.seen(), scene.sign())
    (done,) = where.of(Place.DONE)
    assert (done.ticket, done.state, done.by) == ("T1", "resolved", "maria")
    scene.receive(key="m2", text="One more thing.")
    assert where.counts()[Place.ASSISTANT] == 1, "who writes again is not done"
    scene.people.hand_back("T1", LANE_1, scene.seen(), scene.sign())
    assert where.counts()[Place.ASSISTANT] == 1


def test_a_thread_is_given_on_by_who_has_it_and_taken_over_only_where_that_is_said(scene: Scene) -> None:
    scene.receive()
    scene.people.claim("T1", scene.sign("ann"))
    with pytest.raises(AlreadyClaimed):
        scene.people.transfer("T1", "bob", scene.sign("bob"))
    scene.people.transfer("T1", "bob", scene.sign("ann"))
    assert scene.worker.register("T1").claimed_by == "bob"
    scene.people.transfer("T1", "cleo", scene.sign("cleo"), over=True)
    assert scene.worker.register("T1").claimed_by == "cleo"


def test_naming_a_lane_changes_nothing_and_stands_beside_ours(scene: Scene) -> None:
    scene.receive()
    review = scene.under_review()
    before = scene.worker.register("T1")
    made = scene.people.name_lane("T1", LANE_1, scene.sign(), hidden_in=review.id)
    assert (made.head["to"], made.head["ours"], made.head["review"]) == (1, 2, review.id)
    assert scene.worker.register("T1") == before
    scene.receive("T2")
    with pytest.raises(AlreadyDecided, match="hides no lane"):
        scene.people.name_lane("T2", LANE_1, scene.sign("juan"), hidden_in=review.id)
    scene.people.resolve("T1", scene.seen(), scene.sign())
    with pytest.raises(AlreadyDecided, match="hides no lane"):  # the packet of a closed review is shown to everybody
        scene.people.name_lane("T1", LANE_1, scene.sign("juan"), hidden_in=review.id)
