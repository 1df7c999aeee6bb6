"""A change is ordered by a person, carried out once, and bound to its exact arguments at exactly that moment."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from ledger_scene import VIEW, Scene
from sqlalchemy import text

from guards.facts import Fact, Facts, Standing
from guards.gate import Refusal
from guards.lanes import Lane
from ledger.changes import ChangeState
from ledger.changing import ChangeLedger, Running
from ledger.decisions import ActionResult, DecisionKind, Seen
from ledger.errors import (
    AlreadyClaimed,
    AlreadyDecided,
    CannotBeDone,
    StaleDecision,
    UnknownChange,
    UnknownOpening,
    Unsigned,
    WrongState,
)
from ledger.events import Kind
from ledger.packets.pages import to_text
from ledger.people import PeopleLedger
from ledger.verifying.takeover import take_over
from ledger.verifying.verification import verify
from ledger.words import canonical
from ledger.worker import WorkerLedger

REFUND: dict[str, Any] = {"account_id": "A-1001", "amount": 80.0, "currency": "EUR", "reason": "INC-2331"}


def asked_for(scene: Scene, account: str = "A-1001", standing: Standing = Standing.CONFIRMED) -> int:
    """A ticket on which a change is asked for, by somebody of a known account; returns the open action."""
    seq = scene.receive(text="Please refund us.").seq
    facts = Facts((Fact("account.id", account, standing, "accounts", scene.clock()),))
    scene.worker.record("T1", Kind.FACTS_GATHERED, "m1/facts", {}, {"facts": facts.to_json()})
    return scene.worker.open_action("T1", seq, 3, "state_change").actions[0].id


def order(scene: Scene, opening: int, arguments: dict[str, Any] | None = None, **more: Any) -> str:
    sign = more.pop("sign", None) or scene.sign()
    made = scene.people.approve_change(
        "T1", opening, "approve_refund", arguments or REFUND, more.pop("seen", scene.seen()), sign, VIEW, **more
    )
    return str(made.head["change"])


def room(scene: Scene) -> ChangeLedger:
    return ChangeLedger(scene.store)


def rule(answer: object) -> str:
    assert isinstance(answer, Refusal), answer
    return answer.rule


def test_an_ordered_change_runs_once_with_its_exact_arguments_and_closes_its_action(scene: Scene) -> None:
    opening = asked_for(scene)
    key = order(scene, opening)
    assert room(scene).waiting() == (key,)
    assert scene.worker.register("T1").actions != ()  # it is not done yet
    going = room(scene).begin(key, VIEW)
    assert isinstance(going, Running)
    assert (going.action, going.arguments, going.approved_by) == ("approve_refund", REFUND, "maria")
    room(scene).done(key, "RF-7")
    room(scene).done(key, "RF-8")
    held = room(scene).change(key)
    assert (held.state, held.reference) == (ChangeState.DONE, "RF-7")
    assert scene.worker.register("T1").actions == ()
    assert rule(room(scene).begin(key, VIEW)) == "state"
    kinds = [e.kind for e in scene.history.timeline("T1")]
    assert kinds.index(Kind.PERSON_DECIDED) < kinds.index(Kind.CHANGE_STARTED) < kinds.index(Kind.CHANGE_DONE)


def test_the_order_is_signed_and_bound_in_the_record_that_nobody_can_change(scene: Scene) -> None:
    opening = asked_for(scene)
    made = scene.people.approve_change(
        "T1", opening, "approve_refund", REFUND, scene.seen(), scene.sign("oona", "INC-2331 is ours"), VIEW
    )
    assert made.kind is DecisionKind.CHANGE_APPROVED
    [event] = [e for e in scene.history.timeline("T1") if e.kind is Kind.PERSON_DECIDED]
    assert event.actor == "oona"
    assert {k: event.head[k] for k in ("action", "opening", "epoch", "revision", "release")} == {
        "action": "approve_refund",
        "opening": opening,
        "epoch": 0,
        "revision": 1,
        "release": VIEW.version,
    }
    [change] = scene.history.changes("T1")
    assert change.arguments.text == canonical(REFUND)
    assert event.head["digest"] == change.arguments.digest


def test_the_same_click_sent_twice_orders_once_and_one_key_orders_one_thing(scene: Scene) -> None:
    opening = asked_for(scene)
    sign, seen = scene.sign(), scene.seen()
    assert order(scene, opening, sign=sign, seen=seen) == order(scene, opening, sign=sign, seen=seen)
    assert len(scene.history.changes("T1")) == 1
    with pytest.raises(AlreadyDecided):
        order(scene, opening, {**REFUND, "amount": 81.0}, sign=sign, seen=seen)


# --- not ordered at all ---


def _other_account(scene: Scene, opening: int) -> None:
    order(scene, opening, {**REFUND, "account_id": "A-2002"})


def _twice(scene: Scene, opening: int) -> None:
    order(scene, opening)
    order(scene, opening)


def _of_no_action(scene: Scene, opening: int) -> None:
    order(scene, opening + 9)


def _unseen(scene: Scene, opening: int) -> None:
    order(scene, opening, seen=Seen(5, 5))


def _claimed(scene: Scene, opening: int) -> None:
    scene.people.claim("T1", scene.sign("juan"))
    order(scene, opening)


@pytest.mark.parametrize(
    ("deed", "error"),
    [
        (_other_account, CannotBeDone),
        (_twice, CannotBeDone),
        (_of_no_action, UnknownOpening),
        (_unseen, StaleDecision),
        (_claimed, AlreadyClaimed),
    ],
)
def test_an_order_that_cannot_hold_is_not_written(
    scene: Scene, deed: Callable[[Scene, int], None], error: type[Exception]
) -> None:
    opening = asked_for(scene)
    with pytest.raises(error):
        deed(scene, opening)
    assert len(scene.history.changes("T1")) <= 1
    if deed is not _twice:
        assert room(scene).waiting() == ()


@pytest.mark.parametrize("standing", [Standing.CLAIMED, Standing.MISSING, Standing.CONFLICTING])
def test_a_change_for_somebody_whose_account_nobody_confirmed_is_done_elsewhere(
    scene: Scene, standing: Standing
) -> None:
    opening = asked_for(scene, standing=standing)
    with pytest.raises(CannotBeDone, match="another account"):
        order(scene, opening)
    scene.people.decide_action("T1", opening, ActionResult.DONE_ELSEWHERE, scene.sign(), "RF-12")
    assert scene.worker.register("T1").actions == ()


# --- an order dies in flight ---


def _customer_writes(scene: Scene) -> None:
    scene.receive(key="m2", text="Forget the refund")


def _lane_rises(scene: Scene) -> None:
    scene.worker.raise_floor("T1", 3)


def _another_claims(scene: Scene) -> None:
    scene.people.claim("T1", scene.sign("juan"))


def _expires(scene: Scene) -> None:
    scene.clock.forward(hours=1)


def _other_facts(scene: Scene) -> None:
    facts = Facts((Fact("account.id", "A-2002", Standing.CONFIRMED, "accounts", scene.clock()),))
    scene.worker.record("T1", Kind.FACTS_GATHERED, "m2/facts", {}, {"facts": facts.to_json()})


DEATHS: dict[str, tuple[Callable[[Scene], None], str]] = {
    "the customer writes": (_customer_writes, "revision"),
    "the lane rises": (_lane_rises, "epoch"),
    "another person claims the thread": (_another_claims, "claimed"),
    "its time is over": (_expires, "approval"),
    "the requester turns out to belong elsewhere": (_other_facts, "account"),
}


@pytest.mark.parametrize("death", DEATHS)
def test_an_order_dies_between_intent_and_effect_when(scene: Scene, death: str) -> None:
    key = order(scene, asked_for(scene))
    deed, expected = DEATHS[death]
    deed(scene)
    assert rule(room(scene).begin(key, VIEW)) == expected
    assert room(scene).change(key).state is ChangeState.REFUSED
    assert [r.rule for r in scene.history.refusals("T1")] == [expected]
    assert scene.worker.register("T1").actions != (), "the customer still waits for a decision"
    [review] = scene.reviews.open()
    assert (review.why, review.due_at is not None) == ("change_refused", True)


def test_an_order_dies_with_the_policy_release(scene: Scene) -> None:
    key = order(scene, asked_for(scene))
    assert rule(room(scene).begin(key, dataclasses.replace(VIEW, version="2026.12"))) == "release"


def test_a_halt_stops_the_assistant_and_not_a_persons_order(scene: Scene) -> None:
    key = order(scene, asked_for(scene))
    scene.people.halt(None, scene.sign())
    assert isinstance(room(scene).begin(key, VIEW), Running)


def _resolve(scene: Scene, opening: int) -> None:
    scene.people.resolve("T1", scene.seen(), scene.sign())


def _hand_back(scene: Scene, opening: int) -> None:
    scene.people.hand_back("T1", Lane.AUTONOMOUS, scene.seen(), scene.sign())


def _done_elsewhere(scene: Scene, opening: int) -> None:
    scene.people.decide_action("T1", opening, ActionResult.DONE_ELSEWHERE, scene.sign(), "RF-1")


def _declined(scene: Scene, opening: int) -> None:
    scene.people.decide_action("T1", opening, ActionResult.DECLINED, scene.sign())


def _erase(scene: Scene, opening: int) -> None:
    scene.people.erase("T1", scene.sign())


@pytest.mark.parametrize("deed", [_resolve, _hand_back, _done_elsewhere, _declined, _erase])
def test_a_person_who_ends_the_action_withdraws_the_order(scene: Scene, deed: Callable[[Scene, int], None]) -> None:
    opening = asked_for(scene)
    key = order(scene, opening)
    deed(scene, opening)
    assert room(scene).change(key).state is ChangeState.REFUSED
    assert room(scene).waiting() == ()
    assert rule(room(scene).begin(key, VIEW)) == "state"
    assert scene.reviews.open() == (), "nobody is called: a person has just ended it"


# --- whoever writes in the file ---


@pytest.mark.parametrize(
    ("forge", "expected"),
    [
        ("UPDATE bodies SET text = replace(text, '80.0', '90.0')", "approval"),
        ("UPDATE bodies SET text = replace(text, 'A-1001', 'A-2002')", "account"),
        ("UPDATE changes SET action = 'issue_credit'", "approval"),
        ("UPDATE changes SET opening_id = opening_id + 1", "approval"),
        ("UPDATE changes SET decided_by = 1", "epoch"),
    ],
)
def test_what_was_changed_in_the_file_is_not_carried_out(scene: Scene, forge: str, expected: str) -> None:
    opening = asked_for(scene)
    scene.worker.open_action("T1", 1, 3, "another")
    key = order(scene, opening)
    with scene.store.write() as conn:
        conn.execute(text("DROP TRIGGER bodies_refuse_update"))
        conn.execute(text(forge + (" WHERE text LIKE '%currency%'" if "bodies" in forge else "")))
    assert rule(room(scene).begin(key, VIEW)) == expected


def test_a_change_that_was_refused_is_not_ordered_again_by_setting_its_state(scene: Scene) -> None:
    key = order(scene, asked_for(scene))
    _customer_writes(scene)
    room(scene).begin(key, VIEW)
    with scene.store.write() as conn:
        conn.execute(text("UPDATE changes SET state = 'intent'"))
    assert rule(room(scene).begin(key, VIEW)) == "revision"


# --- what became of it ---


def test_a_crash_between_begin_and_done_is_unknown_and_no_machine_tries_again(scene: Scene) -> None:
    opening = asked_for(scene)
    key = order(scene, opening)
    room(scene).begin(key, VIEW)
    assert room(scene).recover(timedelta(minutes=5)) == ()
    assert room(scene).recover() == (key,)
    assert room(scene).recover() == ()
    assert room(scene).waiting() == ()
    assert rule(room(scene).begin(key, VIEW)) == "state"
    [review] = scene.reviews.open()
    assert (review.why, review.due_at is not None) == ("change_unknown", True)
    assert review.packet is not None
    assert "Nobody knows whether a change that a person ordered was carried out" in to_text(review.packet)
    with pytest.raises(CannotBeDone, match="may have been"):
        order(scene, opening)


def test_a_person_who_has_looked_clears_a_doubt_up_either_way(scene: Scene) -> None:
    opening = asked_for(scene)
    for _ in range(2):
        key = order(scene, opening)
        room(scene).begin(key, VIEW)
        room(scene).unknown(key, "TimeoutError")
        with pytest.raises(CannotBeDone, match="say done-elsewhere or not-done first"):
            _declined(scene, opening)
        scene.people.decide_action("T1", opening, ActionResult.NOT_DONE, scene.sign())
        assert room(scene).change(key).state is ChangeState.FAILED
    key = order(scene, opening)
    room(scene).begin(key, VIEW)
    room(scene).unknown(key, "TimeoutError")
    scene.people.decide_action("T1", opening, ActionResult.DONE_ELSEWHERE, scene.sign(), "RF-99")
    held = room(scene).change(key)
    assert (held.state, held.reference) == (ChangeState.DONE, "RF-99")
    assert scene.worker.register("T1").actions == ()


def test_a_late_answer_clears_an_unknown_up(scene: Scene) -> None:
    key = order(scene, asked_for(scene))
    room(scene).begin(key, VIEW)
    room(scene).recover()
    room(scene).done(key, "RF-late")
    assert room(scene).change(key).state is ChangeState.DONE
    [review] = scene.reviews.open()
    assert review.packet is not None and "was carried out after all" in to_text(review.packet)
    assert scene.worker.register("T1").actions == ()


def test_nobody_ends_an_action_while_its_change_is_being_carried_out(scene: Scene) -> None:
    opening = asked_for(scene)
    room(scene).begin(order(scene, opening), VIEW)
    for deed in (_declined, _done_elsewhere):
        with pytest.raises(CannotBeDone, match="at this moment"):
            deed(scene, opening)


def test_a_system_that_refused_leaves_the_action_open_and_calls_a_person(scene: Scene) -> None:
    opening = asked_for(scene)
    key = order(scene, opening)
    room(scene).begin(key, VIEW)
    room(scene).failed(key, "no such account <ada@example.com>")
    [failed] = [e for e in scene.history.timeline("T1") if e.kind is Kind.CHANGE_FAILED]
    assert "ada@" not in failed.head["error"]
    assert [r.why for r in scene.reviews.open()] == ["change_failed"]
    assert isinstance(room(scene).begin(order(scene, opening), VIEW), Running)


def test_a_change_cannot_take_a_step_that_is_not_its_next(scene: Scene) -> None:
    opening = asked_for(scene)
    key = order(scene, opening)
    for step in (lambda: room(scene).done(key), lambda: room(scene).unknown(key, "?")):
        with pytest.raises(WrongState):
            step()
    with pytest.raises(UnknownChange):
        room(scene).begin("nobody", VIEW)
    with pytest.raises(CannotBeDone, match="in doubt"):
        scene.people.decide_action("T1", opening, ActionResult.NOT_DONE, scene.sign())


def test_a_clock_that_steps_back_revives_no_order(scene: Scene) -> None:
    key = order(scene, asked_for(scene))
    scene.clock.forward(hours=2)
    scene.receive("T2")
    scene.clock.forward(hours=-2)
    assert rule(room(scene).begin(key, VIEW)) == "approval"


def test_done_elsewhere_needs_a_reference(scene: Scene) -> None:
    opening = asked_for(scene)
    with pytest.raises(Unsigned, match="reference"):
        scene.people.decide_action("T1", opening, ActionResult.DONE_ELSEWHERE, scene.sign(), "  ")
    assert scene.worker.register("T1").actions != ()


def test_erasing_takes_the_arguments_and_the_reference_and_leaves_the_deed(scene: Scene) -> None:
    key = order(scene, asked_for(scene))
    room(scene).begin(key, VIEW)
    room(scene).done(key, "RF-of-ada@example.com")
    scene.people.erase("T1", scene.sign())
    held = room(scene).change(key)
    assert (held.arguments.text, held.reference, held.state) == (None, "", ChangeState.DONE)
    assert held.arguments.digest != ""


def test_each_hand_has_exactly_its_part_in_a_change() -> None:
    assert {n for n in dir(ChangeLedger) if not n.startswith("_")} == {
        *("waiting", "change", "changes", "unknowns", "begin", "done", "failed", "unknown", "recover"),
    }
    assert {n for n in dir(WorkerLedger) if "change" in n} == {"changed_articles"}
    assert {n for n in dir(PeopleLedger) if "change" in n} == {"approve_change", "change_lane"}


def test_a_change_that_was_made_is_not_made_again_though_its_row_be_set_back(scene: Scene) -> None:
    key = order(scene, asked_for(scene))
    room(scene).begin(key, VIEW)
    room(scene).done(key, "RF-7")
    with scene.store.write() as conn:
        conn.execute(text("UPDATE changes SET state = 'intent'"))
        conn.execute(text("UPDATE openings SET state = 'open'"))
    found = verify(scene.store).finding
    assert found is not None and "is intent in the list, and done by the log" in found.words
    assert rule(room(scene).begin(key, VIEW)) == "record"
    assert room(scene).change(key).state is ChangeState.REFUSED


def test_a_change_that_waits_in_a_copy_is_stopped_when_a_person_takes_the_record_over(scene: Scene) -> None:
    key = order(scene, asked_for(scene))
    take_over(scene.store, scene.sign())
    assert room(scene).waiting() == ()
    assert (room(scene).change(key).state, verify(scene.store).finding) == (ChangeState.REFUSED, None)
    assert scene.reviews.of_ticket("T1") is not None


@pytest.mark.parametrize("column", ["recipient", "requester_email", "account_id"])
def test_a_tickets_row_that_was_changed_in_the_file_disagrees_with_its_first_message(scene: Scene, column: str) -> None:
    scene.receive()
    assert verify(scene.store).finding is None
    with scene.store.write() as conn:
        conn.execute(text(f"UPDATE tickets SET {column} = 'mallory'"))  # noqa: S608
    found = verify(scene.store).finding
    assert found is not None and f"another {column} than its first message" in found.words
