"""At the moment of effect each check is needed: take it alone away, and a letter leaves that must not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta

import pytest
from ledger_scene import NOTICE, VIEW, Scene
from sqlalchemy import text

from guards import gate
from guards.gate import CHECKS, Permit, Piece, Refusal
from guards.lanes import Lane
from ledger import moment, outbox
from ledger.events import Entry, Kind
from ledger.moment import ReleaseView
from ledger.outbox import Sending

BODY = "Open Admin, then Audit."
Told = tuple[str, ReleaseView]
"""A reply key, and the release's view at the moment of effect."""


def answer(scene: Scene) -> str:
    scene.receive()
    scene.assigned(1)
    assert isinstance(scene.propose(BODY), Permit)
    return "T1/answer"


def approved(scene: Scene, **more: timedelta) -> str:
    scene.receive()
    scene.assigned(2)
    made = scene.people.answer_myself("T1", BODY, scene.seen(), scene.sign(), VIEW, **more)
    assert made.reply_key is not None
    return made.reply_key


def _file(scene: Scene, sql: str) -> None:
    with scene.store.write() as conn:
        conn.execute(text(sql))


def _recipient(scene: Scene) -> Told:
    key = answer(scene)
    _file(scene, "UPDATE tickets SET recipient = 'other@example.com'")
    return key, VIEW


def _phase(scene: Scene) -> Told:
    return answer(scene), dataclasses.replace(VIEW, phase_sends=False)


def _halted(scene: Scene) -> Told:
    key = answer(scene)
    scene.people.halt(None, scene.sign())
    return key, VIEW


def _lane(scene: Scene) -> Told:
    # In the ledger each raise is also a new epoch; only somebody who writes in the file raises without one.
    key = answer(scene)
    _file(scene, "UPDATE registers SET floor = 2")
    return key, VIEW


def _family(scene: Scene) -> Told:
    return answer(scene), dataclasses.replace(VIEW, open_families=frozenset())


def _epoch(scene: Scene) -> Told:
    key = answer(scene)
    scene.worker.raise_floor("T1", 2)
    scene.people.change_lane("T1", Lane.AUTONOMOUS, scene.seen(), scene.sign())
    return key, VIEW


def _revision(scene: Scene) -> Told:
    key = answer(scene)
    scene.receive(key="m2", text="Wait")
    return key, VIEW


def _release(scene: Scene) -> Told:
    return answer(scene), dataclasses.replace(VIEW, version="2026.12")


def _claimed(scene: Scene) -> Told:
    # A claim also withdraws what waits; this letter is one that a claim has not met, whatever the reason.
    key = answer(scene)
    _file(scene, "UPDATE registers SET claimed_by = 'maria'")
    return key, VIEW


def _notice(scene: Scene) -> Told:
    scene.receive()
    scene.assigned(2)
    assert isinstance(scene.propose(NOTICE, key="n", piece=Piece.NOTICE), Permit)
    return "n", dataclasses.replace(VIEW, notice_digests=frozenset())


def _approval(scene: Scene) -> Told:
    key = approved(scene, lasts=timedelta(minutes=5))
    scene.clock.forward(minutes=5)
    return key, VIEW


ALONE: dict[str, Callable[[Scene], Told]] = {
    "recipient": _recipient,
    "phase": _phase,
    "halted": _halted,
    "lane": _lane,
    "family": _family,
    "epoch": _epoch,
    "revision": _revision,
    "release": _release,
    "claimed": _claimed,
    "notice": _notice,
    "approval": _approval,
}


def test_every_check_of_the_gate_that_the_ledger_can_meet_has_a_case() -> None:
    # The moment is read by the letter's own ticket: through the ledger the two cannot differ (tests/guards has it).
    assert set(ALONE) == {rule for rule, _ in CHECKS} - {"ticket"}


@pytest.mark.parametrize("rule", ALONE)
def test_a_letter_is_stopped_by_one_check_alone(scene: Scene, rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key, view = ALONE[rule](scene)
    with monkeypatch.context() as without:
        without.setattr(gate, "CHECKS", tuple(c for c in CHECKS if c[0] != rule))
        with scene.store.read() as conn:  # what a read writes is dropped: the letter goes on waiting
            held = outbox.letters.get(conn, key)
            unchecked = moment.judge(conn, held.letter, held.body.text, view, scene.clock(), key)
    assert isinstance(unchecked, Permit), "another check hides this one: the case does not show that it is needed"
    answered = scene.post.begin(key, view)
    assert isinstance(answered, Refusal)
    assert answered.rule == rule


def test_a_person_who_raises_the_lane_kills_what_was_on_its_way_by_the_lower_one(scene: Scene) -> None:
    key = answer(scene)
    raised = scene.people.change_lane("T1", Lane.ASSISTED, scene.seen(), scene.sign(reason="this needs a look"))
    assert raised.register.lane is Lane.ASSISTED
    assert isinstance(scene.post.begin(key, VIEW), Refusal)
    lowered = scene.people.change_lane("T1", Lane.AUTONOMOUS, scene.seen(), scene.sign())
    assert lowered.register.lane is Lane.AUTONOMOUS
    assert isinstance(scene.post.begin(key, VIEW), Refusal), "a right that was dead stays dead"


# --- the ledger's own binding ---


def _other_text(scene: Scene) -> str:
    key = answer(scene)
    _file(scene, "DROP TRIGGER bodies_refuse_update")
    _file(scene, f"UPDATE bodies SET text = text || '!' WHERE text = '{BODY}'")  # noqa: S608
    return key


def _no_address(scene: Scene) -> str:
    key = answer(scene)
    _file(scene, "UPDATE tickets SET recipient = ''")
    _file(scene, "UPDATE outbox SET recipient = ''")
    return key


def _erased(scene: Scene) -> str:
    key = answer(scene)
    _file(scene, "DROP TRIGGER bodies_refuse_update")
    _file(scene, "UPDATE bodies SET text = NULL")
    return key


def _another_row(scene: Scene) -> str:
    key = answer(scene)
    _file(scene, "UPDATE outbox SET proposed_by = 1")
    return key


def _another_address(scene: Scene) -> str:
    key = answer(scene)
    for table in ("tickets", "outbox"):
        _file(scene, f"UPDATE {table} SET recipient = 'mallory@elsewhere.example'")  # noqa: S608
    return key


def _begun_before(scene: Scene) -> str:
    key = answer(scene)
    scene.post.begin(key, VIEW)
    scene.post.sent(key)
    _file(scene, "UPDATE outbox SET state = 'intent'")
    return key


@pytest.mark.parametrize(
    ("death", "rule"),
    [
        (_other_text, "digest"),
        (_no_address, "recipient"),
        (_erased, "erased"),
        (_another_row, "record"),
        (_another_address, "record"),
        (_begun_before, "record"),
    ],
)
def test_the_ledger_itself_refuses(scene: Scene, death: Callable[[Scene], str], rule: str) -> None:
    refused = scene.post.begin(death(scene), VIEW)
    assert isinstance(refused, Refusal)
    assert refused.rule == rule


@pytest.mark.parametrize(
    "column", ["digest", "recipient", "epoch", "revision", "release", "by", "expires_at", "ticket_id", "decided_by"]
)
def test_an_approval_is_bound_to_each_of_its_columns(scene: Scene, column: str) -> None:
    key = approved(scene)
    scene.receive(ticket="T2")
    other = {
        "digest": "'" + "0" * 64 + "'",
        "recipient": "'other@example.com'",
        "epoch": "epoch + 1",
        "revision": "revision + 1",
        "release": "'2026.12'",
        "by": "'somebody'",
        "expires_at": "'2020-01-01T00:00:00.000000+00:00'",
        "ticket_id": "'T2'",
        "decided_by": "1",
    }[column]
    _file(scene, f'UPDATE approvals SET "{column}" = {other}')  # noqa: S608
    assert isinstance(scene.post.begin(key, VIEW), Refusal)


def test_an_approval_that_nobody_touched_lets_its_text_leave(scene: Scene) -> None:
    assert isinstance(scene.post.begin(approved(scene), VIEW), Sending)


# --- a halt, at each point where a letter can still be stopped ---

HALTS: dict[str, str | None] = {"all": None, "its family": "documentation"}


@pytest.mark.parametrize("what", HALTS)
def test_a_halt_stops_a_letter_before_it_is_proposed_and_before_it_is_begun(scene: Scene, what: str) -> None:
    key = answer(scene)
    scene.people.halt(HALTS[what], scene.sign())
    refused = scene.post.begin(key, VIEW)
    assert isinstance(refused, Refusal) and refused.rule == "halted"
    later = scene.propose("Another.", key="T1/later")
    assert isinstance(later, Refusal) and later.rule == "halted"


@pytest.mark.parametrize("what", HALTS)
def test_once_begun_a_letter_is_on_its_way_and_a_halt_comes_too_late_for_it_alone(scene: Scene, what: str) -> None:
    key = answer(scene)
    assert isinstance(scene.propose("Second.", key="T1/second"), Permit)
    assert isinstance(scene.post.begin(key, VIEW), Sending)  # the point of no return
    scene.people.halt(HALTS[what], scene.sign())
    scene.post.sent(key, "ref")
    assert scene.post.delivery(key).state.value == "sent"
    assert isinstance(scene.post.begin("T1/second", VIEW), Refusal)


def test_a_letter_that_a_halt_killed_stays_dead_after_a_resumption_even_if_nobody_tried_it(scene: Scene) -> None:
    key = answer(scene)
    scene.people.halt("documentation", scene.sign())
    scene.people.resume("documentation", scene.sign())
    refused = scene.post.begin(key, VIEW)
    assert isinstance(refused, Refusal) and refused.rule == "halted"
    [review] = scene.reviews.open()
    assert review.packet is not None and review.due_at is not None, "somebody learns of it, and by when"
    assert isinstance(scene.propose("A new one.", key="T1/new"), Permit), "what is proposed after it may leave"


UNDER: dict[str, tuple[dict[str, str], ReleaseView, bool]] = {
    "its own release": ({"policy": VIEW.version}, VIEW, True),
    "another release": ({"policy": "2026.10"}, VIEW, False),
    "its own file": ({"policy": VIEW.version, "policy_digest": "a"}, dataclasses.replace(VIEW, digest="a"), True),
    "an edited file": ({"policy": VIEW.version, "policy_digest": "a"}, dataclasses.replace(VIEW, digest="b"), False),
}


@pytest.mark.parametrize("case", UNDER)
def test_a_lane_lets_a_reply_leave_under_no_release_but_the_one_that_assigned_it(scene: Scene, case: str) -> None:
    told, view, leaves = UNDER[case]
    revision = scene.receive().seq
    head = {"families": ["documentation"], "lane": 1, **told}
    scene.worker.open_answer("T1", revision, 1, also=[Entry(Kind.LANE_ASSIGNED, "m1/lane", head)])
    answered = scene.propose(BODY, view=view)
    assert isinstance(answered, Permit) if leaves else isinstance(answered, Refusal) and answered.rule == "release"


def test_a_lane_of_another_release_stops_at_the_door_what_was_proposed_before(scene: Scene) -> None:
    key = answer(scene)
    head = {"families": ["documentation"], "lane": 1, "policy": VIEW.version, "policy_digest": "a"}
    scene.worker.record("T1", Kind.LANE_ASSIGNED, "m1/lane", head)
    refused = scene.post.begin(key, dataclasses.replace(VIEW, digest="b"))
    assert isinstance(refused, Refusal)
    assert refused.rule == "release"


@pytest.mark.parametrize(("minutes", "leaves"), [(15, True), (16, False)])
def test_a_reply_that_rests_on_old_facts_is_not_proposed(scene: Scene, minutes: int, leaves: bool) -> None:
    scene.receive()
    scene.worker.record("T1", Kind.FACTS_GATHERED, "m1/facts", {}, {"facts": []})
    scene.assigned(1)
    scene.clock.forward(minutes=minutes)
    answered = scene.propose(BODY)
    assert isinstance(answered, Permit) if leaves else isinstance(answered, Refusal) and answered.rule == "stale_facts"
