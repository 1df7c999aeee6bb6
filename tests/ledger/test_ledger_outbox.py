"""A text leaves once, as it was judged, while its right lives; else it is refused, and somebody learns of it."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from ledger_scene import NOTICE, VIEW, Scene
from sqlalchemy import text

from guards.gate import Approval, Letter, Permit, Piece, Refusal
from guards.lanes import Lane
from ledger.errors import UnknownLetter, WrongState
from ledger.events import Kind
from ledger.letters import DeliveryState
from ledger.outbox import PostLedger, Sending
from ledger.words import digest_of

BODY = "Open Admin, then Audit."


def ready(scene: Scene) -> Scene:
    """A routine ticket whose answer has been proposed."""
    scene.receive()
    scene.assigned(1)
    assert isinstance(scene.propose(BODY), Permit)
    return scene


def rule(answer: object) -> str:
    assert isinstance(answer, Refusal), answer
    return answer.rule


def test_a_routine_answer_goes_from_intent_to_sent_and_stands_in_the_thread(scene: Scene) -> None:
    ready(scene)
    assert scene.post.waiting() == ("T1/answer",)
    sending = scene.post.begin("T1/answer", VIEW)
    assert isinstance(sending, Sending)
    assert (sending.body, sending.letter.recipient) == (BODY.encode(), "ada@example.com")
    scene.post.sent("T1/answer", "provider-1")
    assert scene.post.delivery("T1/answer").provider_ref == "provider-1"
    assert [(m.role, m.text, m.certain) for m in scene.worker.thread("T1")][1:] == [("assistant", BODY, True)]
    kinds = [e.kind for e in scene.history.timeline("T1")]
    assert kinds.index(Kind.REPLY_PROPOSED) < kinds.index(Kind.DELIVERY_STARTED) < kinds.index(Kind.DELIVERED)


# --- proposing ---


def test_without_an_open_answer_to_the_last_message_there_is_no_right_to_answer(scene: Scene) -> None:
    scene.receive()
    assert rule(scene.propose()) == "opening"
    scene.assigned(1)
    scene.receive(key="m2", text="And now?")
    assert rule(scene.propose(key="T1/second")) == "opening"


def test_nobody_but_a_person_can_put_an_approved_text_in_the_outbox(scene: Scene) -> None:
    scene.receive()
    held = scene.assigned(2)
    forged = Approval(
        "T1", digest_of(BODY), "ada@example.com", held.epoch, held.revision, VIEW.version, "maria", scene.clock()
    )
    for piece in Piece:
        letter = dataclasses.replace(scene.letter(BODY, piece), approval=forged)
        assert rule(scene.worker.propose(letter, BODY, reply_key=f"k/{piece}", view=VIEW)) == "approval"
    assert rule(scene.propose(key="k2", piece=Piece.APPROVED)) == "approval"


def test_a_text_that_differs_from_its_digest_is_refused(scene: Scene) -> None:
    scene.receive()
    scene.assigned(1)
    assert rule(scene.worker.propose(scene.letter(BODY), BODY + " ", reply_key="k", view=VIEW)) == "digest"


def test_a_refusal_is_recorded_and_stands_when_the_step_is_run_again(scene: Scene) -> None:
    scene.receive()
    scene.assigned(2)
    first = scene.propose()
    scene.people.change_lane("T1", Lane.AUTONOMOUS, scene.seen(), scene.sign())
    assert scene.propose() == first
    assert [r.rule for r in scene.history.refusals("T1")] == ["lane"]
    assert scene.post.waiting() == ()


def test_one_reply_key_stands_for_one_text(scene: Scene) -> None:
    ready(scene)
    assert isinstance(scene.propose(BODY), Permit)
    assert rule(scene.propose("Another text.")) == "reply_key"
    assert len(scene.history.deliveries("T1")) == 1


def test_a_reply_key_belongs_to_one_ticket(scene: Scene) -> None:
    ready(scene)
    scene.receive(ticket="T2")
    scene.assigned(1, ticket="T2")
    assert rule(scene.propose(BODY, key="T1/answer", ticket="T2")) == "reply_key"


def test_one_clarifying_question_is_asked_and_not_a_series(scene: Scene) -> None:
    scene.receive()
    scene.assigned(1)
    assert isinstance(scene.propose("Which workspace?", key="q1", piece=Piece.QUESTION), Permit)
    scene.receive(key="m2", text="The big one")
    scene.assigned(1, key="m2")
    assert rule(scene.propose("Which region?", key="q2", piece=Piece.QUESTION)) == "one_question"


def test_a_ticket_without_an_address_gets_nothing(scene: Scene) -> None:
    scene.receive(recipient=" ")
    scene.assigned(1)
    letter = dataclasses.replace(scene.letter(BODY), recipient="")
    assert rule(scene.worker.propose(letter, BODY, reply_key="k", view=VIEW)) == "recipient"


def test_two_threads_that_propose_under_one_key_make_one_intent(scene: Scene) -> None:
    scene.receive()
    scene.assigned(1)
    letter, answers = scene.letter(BODY), []
    threads = [
        threading.Thread(
            target=lambda: answers.append(scene.worker.propose(letter, BODY, reply_key="T1/answer", view=VIEW))
        )
        for _ in range(6)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(isinstance(a, Permit) for a in answers)
    assert len(scene.history.deliveries("T1")) == 1


_BEGIN = """
import sys, time
from ledger.moment import ReleaseView
from ledger.outbox import PostLedger, Sending
from ledger.store import open_store
post = PostLedger(open_store(sys.argv[1]))
view = ReleaseView("2026.11", True, frozenset({"documentation"}), frozenset())
while time.time() < float(sys.argv[2]):
    pass
print(sum(isinstance(post.begin(f"T1/{n}", view), Sending) for n in range(20)))
"""


def test_of_two_post_rooms_exactly_one_begins_each_letter(scene: Scene) -> None:
    scene.receive()
    scene.assigned(1)
    for n in range(20):
        scene.propose(BODY, key=f"T1/{n}")
    args = [sys.executable, "-c", _BEGIN, str(scene.path), str(time.time() + 1.0)]
    started = [subprocess.Popen(args, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert sum(int(p.communicate(timeout=15)[0]) for p in started) == 20


# --- the moment of effect ---


def _raise(scene: Scene) -> None:
    scene.worker.raise_floor("T1", 2)


def _raise_and_lower(scene: Scene) -> None:
    scene.worker.raise_floor("T1", 2)
    scene.people.change_lane("T1", Lane.AUTONOMOUS, scene.seen(), scene.sign())


def _write_again(scene: Scene) -> None:
    scene.receive(key="m2", text="Wait, that is wrong")


def _halt_all(scene: Scene) -> None:
    scene.people.halt(None, scene.sign())


def _halt_family(scene: Scene) -> None:
    scene.people.halt("documentation", scene.sign())


DEATHS: dict[str, tuple[Callable[[Scene], None], str]] = {
    "the lane rises": (_raise, "lane"),
    "the lane rises and a person lowers it": (_raise_and_lower, "epoch"),
    "the customer writes": (_write_again, "revision"),
    "autonomy is halted": (_halt_all, "halted"),
    "its family is halted": (_halt_family, "halted"),
}


@pytest.mark.parametrize("death", DEATHS)
def test_a_right_dies_between_intent_and_delivery_when(scene: Scene, death: str) -> None:
    ready(scene)
    deed, expected = DEATHS[death]
    deed(scene)
    assert rule(scene.post.begin("T1/answer", VIEW)) == expected
    assert scene.post.delivery("T1/answer").state is DeliveryState.REFUSED
    assert [r.rule for r in scene.history.refusals("T1")] == [expected]
    assert scene.post.waiting() == ()
    assert rule(scene.post.begin("T1/answer", VIEW)) == "state"


def test_a_person_who_claims_the_thread_withdraws_what_waits_in_the_same_act(scene: Scene) -> None:
    ready(scene)
    scene.people.claim("T1", scene.sign())
    assert scene.post.delivery("T1/answer").state is DeliveryState.REFUSED
    assert [r.rule for r in scene.history.refusals("T1")] == ["claimed"]
    assert scene.post.waiting() == ()
    assert rule(scene.post.begin("T1/answer", VIEW)) == "state"
    scene.people.release("T1", scene.sign())
    assert rule(scene.post.begin("T1/answer", VIEW)) == "state", "free again, what was withdrawn stays withdrawn"


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (dataclasses.replace(VIEW, version="2026.12"), "release"),
        (dataclasses.replace(VIEW, phase_sends=False), "phase"),
        (dataclasses.replace(VIEW, open_families=frozenset({"billing"})), "family"),
    ],
)
def test_a_right_dies_with_the_policy_release(scene: Scene, view: object, expected: str) -> None:
    ready(scene)
    assert rule(scene.post.begin("T1/answer", view)) == expected  # type: ignore[arg-type]


def test_a_reply_that_was_refused_at_the_door_calls_a_person(scene: Scene) -> None:
    ready(scene)
    _halt_all(scene)
    scene.post.begin("T1/answer", VIEW)
    assert [(r.ticket, r.why) for r in scene.reviews.open()] == [("T1", "reply_refused")]


def test_halting_another_family_leaves_this_one_alone(scene: Scene) -> None:
    ready(scene)
    scene.people.halt("billing", scene.sign())
    assert isinstance(scene.post.begin("T1/answer", VIEW), Sending)


def test_a_ticket_whose_family_nobody_knows_is_stopped_by_any_halt(scene: Scene) -> None:
    scene.receive()
    scene.worker.open_answer("T1", scene.worker.register("T1").revision, 1)
    scene.people.halt("billing", scene.sign())
    assert rule(scene.propose()) == "halted"


def test_resuming_revives_nothing_that_was_refused(scene: Scene) -> None:
    ready(scene)
    _halt_all(scene)
    scene.post.begin("T1/answer", VIEW)
    assert scene.people.resume(None, scene.sign()) == ()
    assert scene.post.waiting() == ()


def test_a_halt_told_again_after_a_resumption_halts_again(scene: Scene) -> None:
    ready(scene)
    scene.people.halt(None, scene.sign(key="h"))
    scene.people.halt(None, scene.sign(key="h"))
    scene.people.resume(None, scene.sign(key="r"))
    scene.people.halt(None, scene.sign(key="h"))
    assert rule(scene.post.begin("T1/answer", VIEW)) == "halted"


def test_halting_a_family_without_a_name_halts_all(scene: Scene) -> None:
    assert scene.people.halt(" ", scene.sign()).family is None


def test_a_body_that_was_changed_in_the_file_does_not_leave(scene: Scene) -> None:
    ready(scene)
    with scene.store.write() as conn:
        conn.execute(text("DROP TRIGGER bodies_refuse_update"))
        conn.execute(text("UPDATE bodies SET text = text || '!' WHERE text = :body"), {"body": BODY})
    assert rule(scene.post.begin("T1/answer", VIEW)) == "digest"


def test_an_erased_text_does_not_leave(scene: Scene) -> None:
    ready(scene)
    scene.people.erase("T1", scene.sign())
    assert scene.post.waiting() == ()
    assert rule(scene.post.begin("T1/answer", VIEW)) == "state"


# --- notices ---


def test_a_notice_leaves_once_an_escalation_byte_for_byte_and_never_in_a_claimed_thread(scene: Scene) -> None:
    scene.receive()
    assert rule(scene.propose(NOTICE, key="n0", piece=Piece.NOTICE)) == "lane"
    scene.assigned(2)
    assert rule(scene.propose(NOTICE + " ", key="n1", piece=Piece.NOTICE)) == "notice"
    assert isinstance(scene.propose(NOTICE, key="n2", piece=Piece.NOTICE), Permit)
    assert rule(scene.propose(NOTICE, key="n3", piece=Piece.NOTICE)) == "notice"
    scene.worker.raise_floor("T1", 3)  # still the same escalation
    assert rule(scene.propose(NOTICE, key="n4", piece=Piece.NOTICE)) == "notice"


def test_the_next_escalation_has_a_notice_of_its_own(scene: Scene) -> None:
    scene.receive()
    scene.assigned(2)
    scene.propose(NOTICE, key="n1", piece=Piece.NOTICE)
    scene.people.hand_back("T1", Lane.AUTONOMOUS, scene.seen(), scene.sign())
    scene.receive(key="m2", text="I need a refund")
    scene.assigned(2, key="m2")
    assert isinstance(scene.propose(NOTICE, key="n2", piece=Piece.NOTICE), Permit)


# --- what became of it ---


def test_a_crash_between_begin_and_sent_is_unknown_and_no_machine_sends_it_again(scene: Scene) -> None:
    ready(scene)
    scene.post.begin("T1/answer", VIEW)
    restarted = PostLedger(scene.store)
    assert restarted.recover() == ("T1/answer",)
    assert restarted.recover() == ()
    assert restarted.waiting() == ()
    assert rule(restarted.begin("T1/answer", VIEW)) == "state"
    assert isinstance(scene.propose(BODY), Permit)  # a step that is run again revives nothing
    assert restarted.waiting() == ()
    assert [d.reply_key for d in restarted.unknowns()] == ["T1/answer"]
    assert [(m.text, m.certain) for m in scene.worker.thread("T1")][1:] == [(BODY, False)]
    assert [r.why for r in scene.reviews.open()] == ["delivery_unknown"]


_KILLED = """
import os, sys
from ledger.moment import ReleaseView
from ledger.outbox import PostLedger, Sending
from ledger.store import open_store
post = PostLedger(open_store(sys.argv[1]))
assert isinstance(post.begin("T1/answer", ReleaseView("2026.11", True, frozenset({"documentation"}), frozenset())), Sending)
os.kill(os.getpid(), 9)
"""


def test_a_post_room_killed_with_a_letter_in_its_hands_leaves_an_unknown(scene: Scene) -> None:
    ready(scene)
    assert subprocess.run([sys.executable, "-c", _KILLED, str(scene.path)], check=False).returncode == -9
    assert scene.post.waiting() == ()
    assert scene.post.recover() == ("T1/answer",)
    assert scene.post.delivery("T1/answer").state is DeliveryState.UNKNOWN


def test_a_slow_post_room_that_knows_better_clears_an_unknown_up(scene: Scene) -> None:
    ready(scene)
    scene.post.begin("T1/answer", VIEW)
    scene.post.recover()
    scene.post.sent("T1/answer", "late")
    assert scene.post.delivery("T1/answer").state is DeliveryState.SENT
    assert [(m.text, m.certain) for m in scene.worker.thread("T1")][1:] == [(BODY, True)]


def test_recovering_can_leave_fresh_letters_to_the_post_room_that_has_them(scene: Scene) -> None:
    ready(scene)
    scene.post.begin("T1/answer", VIEW)
    assert scene.post.recover(timedelta(minutes=5)) == ()
    scene.clock.forward(minutes=6)
    assert scene.post.recover(timedelta(minutes=5)) == ("T1/answer",)


def test_a_failed_delivery_calls_a_person_and_names_no_address_in_its_head(scene: Scene) -> None:
    ready(scene)
    scene.post.begin("T1/answer", VIEW)
    scene.post.failed("T1/answer", "550 no such user <ada@example.com>")
    [failed] = [e for e in scene.history.timeline("T1") if e.kind is Kind.DELIVERY_FAILED]
    assert failed.head["error"] == "550 no such user <<address>>"
    assert len(scene.worker.thread("T1")) == 1
    assert [r.why for r in scene.reviews.open()] == ["delivery_failed"]


def test_a_letter_cannot_take_a_step_that_is_not_its_next(scene: Scene) -> None:
    ready(scene)
    for step in (lambda: scene.post.sent("T1/answer"), lambda: scene.post.unknown("T1/answer", "?")):
        with pytest.raises(WrongState):
            step()
    scene.post.begin("T1/answer", VIEW)
    scene.post.sent("T1/answer", "r1")
    scene.post.sent("T1/answer", "r2")
    assert scene.post.delivery("T1/answer").provider_ref == "r1"
    with pytest.raises(WrongState):
        scene.post.failed("T1/answer", "no")
    with pytest.raises(UnknownLetter):
        scene.post.begin("nobody", VIEW)


def test_the_post_room_has_exactly_these_hands() -> None:
    assert {n for n in dir(PostLedger) if not n.startswith("_")} == {
        *("waiting", "delivery", "unknowns", "in_hand", "begin", "sent", "failed", "unknown", "came_back", "recover"),
    }


def test_a_letter_for_another_address_is_refused(scene: Scene) -> None:
    scene.receive()
    scene.assigned(1)
    letter: Letter = dataclasses.replace(scene.letter(BODY), recipient="mallory@example.com")
    assert rule(scene.worker.propose(letter, BODY, reply_key="k", view=VIEW)) == "recipient"


def test_what_a_halt_stopped_stays_stopped_though_nobody_tried_to_send_it_meanwhile(scene: Scene) -> None:
    ready(scene)
    _halt_all(scene)
    scene.people.resume(None, scene.sign(key="r"))
    assert rule(scene.post.begin("T1/answer", VIEW)) == "halted"
