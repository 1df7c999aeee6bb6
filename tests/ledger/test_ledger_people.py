"""A person's yes holds for exactly what they saw; every decision is signed, made once, and wakes the worker."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta

import pytest
from ledger_scene import VIEW, Scene, assisted_packet, human_packet

from guards.gate import Permit, Refusal
from guards.lanes import Lane
from guards.triggers import Level, Trigger
from ledger.decisions import ActionResult, DecisionKind, PacketRating, Seen, Signature
from ledger.errors import (
    AlreadyClaimed,
    AlreadyDecided,
    CannotLeave,
    NothingToApprove,
    StaleDecision,
    UnknownOpening,
    UnknownReview,
    UnknownTicket,
    Unsigned,
)
from ledger.events import HOUSE, Kind
from ledger.letters import DeliveryState
from ledger.outbox import Sending
from ledger.people import PeopleLedger

DRAFT = "We are sorry about the invoice."


def approve(scene: Scene, seen: Seen | None = None, draft: str = DRAFT, **more: object) -> str:
    review = scene.reviews.of_ticket("T1")
    assert review is not None
    made = scene.people.approve(review.id, draft.encode(), seen or scene.seen(), scene.sign(), VIEW, **more)  # type: ignore[arg-type]
    assert made.reply_key is not None
    return made.reply_key


def test_an_approved_draft_leaves_byte_for_byte_under_the_persons_name(scene: Scene) -> None:
    scene.receive()
    review = scene.under_review(DRAFT)
    key = approve(scene)
    sending = scene.post.begin(key, VIEW)
    assert isinstance(sending, Sending)
    assert sending.body == DRAFT.encode()
    approval = sending.letter.approval
    assert approval is not None
    assert (approval.by, approval.recipient, approval.digest) == ("maria", "ada@example.com", sending.letter.digest)
    scene.post.sent(key, "p1")
    assert not scene.reviews.get(review.id).open
    thread = scene.worker.thread("T1")
    assert [(m.role, m.text) for m in thread][1:] == [("agent", DRAFT)]
    assert (thread[0].settled, thread[0].settled_how) == (True, "approved")
    assert scene.worker.register("T1").lane is Lane.AUTONOMOUS  # the answer escalation ended with the answer


def test_an_approved_text_leaves_although_autonomy_is_halted_and_the_thread_is_claimed(scene: Scene) -> None:
    scene.receive()
    scene.under_review(DRAFT)
    scene.people.claim("T1", scene.sign("maria"))
    scene.people.halt(None, scene.sign())
    assert isinstance(scene.post.begin(approve(scene), VIEW), Sending)


# --- this changed since you looked ---


def _customer_writes(scene: Scene) -> None:
    scene.receive(key="m2", text="Forget it, I want to speak to a lawyer")


def _lane_rises(scene: Scene) -> None:
    scene.worker.raise_floor("T1", 3)


def _lane_rises_and_falls(scene: Scene) -> None:
    scene.worker.raise_floor("T1", 3)
    scene.people.change_lane("T1", Lane.ASSISTED, scene.seen(), scene.sign())


def _draft_changes(scene: Scene) -> None:
    revision = scene.worker.register("T1").revision
    scene.worker.open_review(assisted_packet("Another draft.", thread_revision=revision), key="again")


CHANGES: dict[str, tuple[Callable[[Scene], None], str]] = {
    "the customer has written": (_customer_writes, "customer has written"),
    "the lane has risen": (_lane_rises, "lane has risen"),
    "the lane has risen and fallen": (_lane_rises_and_falls, "lane has risen"),
    "the draft is another": (_draft_changes, "draft is another"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("deed", ["approve", "edit_and_approve", "reject"])
def test_a_decision_on_a_draft_is_refused_and_says_why_when(scene: Scene, deed: str, change: str) -> None:
    scene.receive()
    review = scene.under_review(DRAFT)
    seen = scene.seen()
    happens, words = CHANGES[change]
    happens(scene)
    deeds: dict[str, Callable[[], object]] = {
        "approve": lambda: scene.people.approve(review.id, DRAFT.encode(), seen, scene.sign(), VIEW),
        "edit_and_approve": lambda: scene.people.edit_and_approve(review.id, "Better.", seen, scene.sign(), VIEW),
        "reject": lambda: scene.people.reject(review.id, seen, scene.sign()),
    }
    with pytest.raises(StaleDecision, match=words) as caught:
        deeds[deed]()
    assert all(change.strip() for change in caught.value.changes)
    assert scene.post.waiting() == ()
    assert scene.reviews.get(review.id).open


@pytest.mark.parametrize("change", ["the customer has written", "the lane has risen"])
@pytest.mark.parametrize("deed", ["answer_myself", "change_lane", "hand_back", "resolve"])
def test_a_decision_on_the_thread_is_refused_when(scene: Scene, deed: str, change: str) -> None:
    scene.receive()
    scene.under_review(DRAFT)
    seen, sign = scene.seen(), scene.sign()
    CHANGES[change][0](scene)
    deeds = {
        "answer_myself": lambda: scene.people.answer_myself("T1", "Hello.", seen, sign, VIEW),
        "change_lane": lambda: scene.people.change_lane("T1", Lane.AUTONOMOUS, seen, sign),
        "hand_back": lambda: scene.people.hand_back("T1", Lane.AUTONOMOUS, seen, sign),
        "resolve": lambda: scene.people.resolve("T1", seen, sign),
    }
    with pytest.raises(StaleDecision):
        deeds[deed]()


@pytest.mark.parametrize("other", [DRAFT + " ", DRAFT[:-1], DRAFT.replace("s", "ѕ"), ""])
def test_bytes_that_are_not_the_drafts_are_not_approved(scene: Scene, other: str) -> None:
    scene.receive()
    scene.under_review(DRAFT)
    with pytest.raises(StaleDecision, match="not the draft"):
        approve(scene, draft=other)


def test_what_was_seen_must_be_current_even_where_the_draft_was_prepared_before(scene: Scene) -> None:
    """The desk shows the newest message beside an old draft: seeing it does not make the draft an answer to it."""
    scene.receive()
    scene.under_review(DRAFT)
    scene.receive(key="m2", text="And one more thing")
    with pytest.raises(StaleDecision, match="prepared before"):
        approve(scene)


# --- an approval in flight ---


@pytest.mark.parametrize(
    ("change", "expected"),
    [(_customer_writes, "revision"), (_lane_rises, "epoch")],
)
def test_an_approval_dies_in_flight_when_thread_or_lane_move(
    scene: Scene, change: Callable[[Scene], None], expected: str
) -> None:
    scene.receive()
    scene.under_review(DRAFT)
    key = approve(scene)
    change(scene)
    answer = scene.post.begin(key, VIEW)
    assert isinstance(answer, Refusal)
    assert answer.rule == expected
    assert [m.settled for m in scene.worker.thread("T1") if m.key == "m1"] == [False]  # nobody was answered


def test_an_approved_reply_that_the_customer_overtook_settles_nothing_and_calls_a_person(scene: Scene) -> None:
    scene.receive()
    scene.under_review(DRAFT)
    key = approve(scene)
    assert scene.worker.thread("T1")[0].settled
    scene.receive(key="m2", text="And how many seats do we have?")
    assert not scene.worker.thread("T1")[0].settled  # before any post room has tried it
    refused = scene.post.begin(key, VIEW)
    assert isinstance(refused, Refusal)
    assert refused.rule == "revision"
    assert not scene.worker.thread("T1")[0].settled
    called = scene.reviews.of_ticket("T1")
    assert called is not None
    assert called.why == "reply_refused"


def test_an_approval_runs_out(scene: Scene) -> None:
    scene.receive()
    scene.under_review(DRAFT)
    key = approve(scene, lasts=timedelta(minutes=10))
    scene.clock.forward(minutes=10)
    answer = scene.post.begin(key, VIEW)
    assert isinstance(answer, Refusal)
    assert answer.rule == "approval"


def test_a_clock_that_steps_back_revives_no_approval(scene: Scene) -> None:
    scene.receive()
    scene.under_review(DRAFT)
    key = approve(scene, lasts=timedelta(hours=1))
    scene.clock.forward(hours=2)
    scene.receive(ticket="T2")
    scene.clock.forward(hours=-2)
    refused = scene.post.begin(key, VIEW)
    assert isinstance(refused, Refusal)
    assert refused.rule == "approval"


def test_an_approval_dies_with_the_policy_release(scene: Scene) -> None:
    scene.receive()
    scene.under_review(DRAFT)
    answer = scene.post.begin(approve(scene), dataclasses.replace(VIEW, version="2026.12"))
    assert isinstance(answer, Refusal)
    assert answer.rule == "release"


def test_a_text_without_an_address_is_not_approved(scene: Scene) -> None:
    scene.receive(recipient="")
    scene.under_review(DRAFT)
    with pytest.raises(CannotLeave, match="address"):
        approve(scene)
    assert scene.reviews.open() != ()


# --- other answers ---


def test_an_edited_text_leaves_and_the_record_keeps_both_digests(scene: Scene) -> None:
    scene.receive()
    review = scene.under_review(DRAFT)
    made = scene.people.edit_and_approve(review.id, "We apologise.", scene.seen(), scene.sign(), VIEW)
    assert made.head["draft_digest"] == (review.draft.digest if review.draft else "")
    assert made.head["digest"] != made.head["draft_digest"]
    assert made.reply_key is not None
    sending = scene.post.begin(made.reply_key, VIEW)
    assert isinstance(sending, Sending)
    assert sending.body == b"We apologise."


def test_in_lane_3_there_is_nothing_to_approve_and_a_person_answers_in_their_own_words(scene: Scene) -> None:
    seq = scene.receive().seq
    scene.assigned(3)
    review = scene.worker.open_review(human_packet(thread_revision=seq), key="r")
    for deed in (
        lambda: scene.people.approve(review.id, b"", scene.seen(), scene.sign(), VIEW),
        lambda: scene.people.edit_and_approve(review.id, "x", scene.seen(), scene.sign(), VIEW),
    ):
        with pytest.raises(NothingToApprove):
            deed()
    made = scene.people.answer_myself("T1", "I looked into it myself.", scene.seen(), scene.sign(), VIEW)
    assert made.reply_key is not None
    assert isinstance(scene.post.begin(made.reply_key, VIEW), Sending)
    assert not scene.reviews.get(review.id).open


def test_a_person_who_answers_takes_the_assistants_answer_off_the_way(scene: Scene) -> None:
    scene.receive()
    scene.assigned(1)
    assert isinstance(scene.propose("From the assistant."), Permit)
    made = scene.people.answer_myself("T1", "From Maria.", scene.seen(), scene.sign(), VIEW)
    assert scene.post.waiting() == (made.reply_key,)
    assert scene.post.delivery("T1/answer").state is DeliveryState.REFUSED


def test_of_two_people_who_answer_at_once_the_second_is_told_that_the_first_has(scene: Scene) -> None:
    scene.receive()
    seen = scene.seen()
    scene.people.answer_myself("T1", "Yes: 10% off.", seen, scene.sign(by="ann"), VIEW)
    with pytest.raises(StaleDecision, match="a person has answered"):
        scene.people.answer_myself("T1", "No discount is possible.", seen, scene.sign(by="bob"), VIEW)
    assert len(scene.post.waiting()) == 1


def test_a_second_answer_of_a_persons_does_not_take_the_first_off_the_way(scene: Scene) -> None:
    scene.receive()
    for text in ("First.", "And one more thing."):
        scene.people.answer_myself("T1", text, scene.seen(), scene.sign(), VIEW)
    assert len(scene.post.waiting()) == 2


def test_a_person_who_resolves_the_ticket_takes_the_assistants_answer_off_the_way(scene: Scene) -> None:
    scene.receive()
    scene.assigned(1)
    scene.propose("From the assistant.")
    scene.people.resolve("T1", scene.seen(), scene.sign())
    assert scene.post.waiting() == ()


def test_a_rejected_draft_is_gone_and_the_review_stays(scene: Scene) -> None:
    scene.receive()
    review = scene.under_review(DRAFT)
    scene.people.reject(review.id, scene.seen(), scene.sign(reason="wrong tone"))
    held = scene.reviews.get(review.id)
    assert (held.open, held.draft) == (True, None)
    with pytest.raises(NothingToApprove):
        approve(scene)
    assert [(d.text, d.stale) for d in scene.reviews.drafts(review.id)] == [(DRAFT, True)]


# --- whose thread it is ---


def test_a_claimed_thread_is_one_persons_until_it_is_released(scene: Scene) -> None:
    scene.receive()
    scene.under_review(DRAFT)
    scene.people.claim("T1", scene.sign("maria"))
    scene.people.claim("T1", scene.sign("maria"))
    with pytest.raises(AlreadyClaimed, match="maria"):
        scene.people.claim("T1", scene.sign("juan"))
    with pytest.raises(AlreadyClaimed):
        scene.people.answer_myself("T1", "Hello.", scene.seen(), scene.sign("juan"), VIEW)
    scene.people.release("T1", scene.sign("maria", "going home"))
    scene.people.claim("T1", scene.sign("juan"))
    assert scene.worker.register("T1").claimed_by == "juan"
    assert [r.claimed_by for r in scene.reviews.open()] == ["juan"]


# --- signed, once, and heard ---


@pytest.mark.parametrize(
    ("by", "reason", "key"), [("", "r", "k"), ("b", " ", "k"), ("b", "r", ""), ("b" * 201, "r", "k")]
)
def test_a_decision_without_a_name_a_reason_or_a_key_is_none(by: str, reason: str, key: str) -> None:
    with pytest.raises(Unsigned):
        Signature(by, reason, key)


def test_the_same_click_sent_twice_decides_once(scene: Scene) -> None:
    scene.receive()
    review = scene.under_review(DRAFT)
    seen, sign = scene.seen(), scene.sign()
    first = scene.people.approve(review.id, DRAFT.encode(), seen, sign, VIEW)
    again = scene.people.approve(review.id, DRAFT.encode(), seen, sign, VIEW)
    assert (first.first, again.first) == (True, False)
    assert (first.seq, first.reply_key) == (again.seq, again.reply_key)
    assert scene.post.waiting() == (first.reply_key,)


def test_one_key_cannot_decide_two_things(scene: Scene) -> None:
    scene.receive()
    review = scene.under_review(DRAFT)
    scene.people.route(review.id, "billing", scene.sign(key="k"))
    for deed in (
        lambda: scene.people.route(review.id, "security", scene.sign(key="k")),
        lambda: scene.people.route(review.id, "billing", scene.sign("juan", key="k")),
        lambda: scene.people.claim("T1", scene.sign(key="k")),
    ):
        with pytest.raises(AlreadyDecided, match="something else"):
            deed()


def test_a_review_is_decided_by_the_first(scene: Scene) -> None:
    scene.receive()
    review = scene.under_review(DRAFT)
    seen = scene.seen()
    scene.people.approve(review.id, DRAFT.encode(), seen, scene.sign("maria"), VIEW)
    with pytest.raises(AlreadyDecided, match="approved by maria"):
        scene.people.edit_and_approve(review.id, "Mine.", seen, scene.sign("juan"), VIEW)
    assert len(scene.post.waiting()) == 1


def test_every_decision_waits_for_the_worker_with_its_name_and_reason(scene: Scene) -> None:
    seq = scene.receive().seq
    review = scene.under_review(DRAFT)
    action = scene.worker.open_action("T1", seq, 3, "refund").actions[0].id
    scene.intake.mark_handled(seq)
    people, sign = scene.people, lambda: scene.sign("maria", "because")
    deeds: dict[DecisionKind, Callable[[], object]] = {
        DecisionKind.CLAIMED: lambda: people.claim("T1", sign()),
        DecisionKind.RELEASED: lambda: people.release("T1", sign()),
        DecisionKind.ROUTED: lambda: people.route(review.id, "billing", sign()),
        DecisionKind.TRIGGERS_CORRECTED: lambda: people.correct_triggers(
            "T1", {Trigger.POLICY_SENSITIVITY: Level.LOW}, sign()
        ),
        DecisionKind.ACTION_DECIDED: lambda: people.decide_action("T1", action, ActionResult.DECLINED, sign()),
        DecisionKind.REJECTED: lambda: people.reject(review.id, scene.seen(), sign()),
        DecisionKind.LANE_CHANGED: lambda: people.change_lane("T1", Lane.HUMAN_OWNED, scene.seen(), sign()),
        DecisionKind.ANSWERED: lambda: people.answer_myself("T1", "Hello.", scene.seen(), sign(), VIEW),
        DecisionKind.RESOLVED: lambda: people.resolve("T1", scene.seen(), sign()),
        DecisionKind.HANDED_BACK: lambda: people.hand_back("T1", Lane.AUTONOMOUS, scene.seen(), sign()),
        DecisionKind.PACKET_RATED: lambda: people.rate_packet(review.id, PacketRating.SAVED_TIME, sign()),
    }
    for kind, deed in deeds.items():
        deed()
        event = scene.intake.next_unhandled("T1")
        assert event is not None
        assert (event.kind, event.head["decision"], event.actor) == (Kind.PERSON_DECIDED, kind.value, "maria")
        assert event.body is not None
        assert event.body.json() == {"reason": "because"}
        scene.intake.mark_handled(event.seq)
    with pytest.raises(UnknownOpening):
        people.decide_action("T1", action, ActionResult.DECLINED, sign())


def test_a_halt_and_a_resumption_are_on_record(scene: Scene) -> None:
    halt = scene.people.halt(None, scene.sign("maria", "the model is drunk"))
    assert scene.people.halt(None, scene.sign("juan")) == halt
    assert scene.history.halts() == (halt,)
    scene.people.halt("billing", scene.sign())
    assert [h.family for h in scene.people.resume(None, scene.sign("juan"))] == ["billing"]
    told = scene.history.house_timeline()
    assert [(e.kind, e.actor) for e in told] == [(Kind.HALTED, "maria"), (Kind.HALTED, "maria"), (Kind.RESUMED, "juan")]
    assert scene.intake.tickets_with_work() == ()  # nothing for the worker to do about it
    assert all(e.ticket == HOUSE for e in told)


def test_decisions_on_what_nobody_knows_are_refused(scene: Scene) -> None:
    with pytest.raises(UnknownTicket):
        scene.people.claim("nobody", scene.sign())
    with pytest.raises(UnknownReview):
        scene.people.route("nobody", "billing", scene.sign())


def test_nothing_of_a_refused_decision_is_written(scene: Scene) -> None:
    scene.receive()
    scene.under_review(DRAFT)
    before = scene.history.timeline("T1")
    with pytest.raises(StaleDecision):
        approve(scene, draft="other")
    assert scene.history.timeline("T1") == before


def test_erasing_leaves_the_decisions_and_stops_what_was_on_its_way(scene: Scene) -> None:
    scene.receive(text="my secret")
    scene.under_review("a secret draft")
    key = approve(scene, draft="a secret draft")
    scene.people.erase("T1", scene.sign(reason="the customer asked for it"))
    assert scene.post.delivery(key).state is DeliveryState.REFUSED
    assert scene.post.delivery(key).letter.recipient == ""
    assert scene.intake.tickets_with_work() == ()
    left = str([(e.head, e.body) for e in scene.history.timeline("T1")])
    assert "secret" not in left
    assert "the customer asked for it" in left
    assert [e.head["decision"] for e in scene.history.timeline("T1") if e.kind is Kind.PERSON_DECIDED] == [
        "approved",
        "erased",
    ]


def test_a_customer_who_writes_after_erasure_reaches_a_person_and_no_machine(scene: Scene) -> None:
    scene.receive()
    scene.people.erase("T1", scene.sign())
    scene.receive(key="m2", text="Hello again")
    scene.assigned(1, key="m2")
    answer = scene.propose("Hello.", key="k")
    assert isinstance(answer, Refusal)


def test_a_person_cannot_do_the_post_rooms_or_the_workers_work() -> None:
    hands = {n for n in dir(PeopleLedger) if not n.startswith("_")}
    assert not hands & {"begin", "sent", "propose", "record", "open_answer", "open_review"}
