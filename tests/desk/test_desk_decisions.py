"""What a person decides at the desk: it happens as they saw it, or it says plainly why it did not."""

from __future__ import annotations

from pathlib import Path

import pytest
from desk_house import CUSTOMER, TICKET, House, states
from sqlalchemy import text

from desk import decisions
from desk.errors import ChangedSince, DecisionRefused
from guards.lanes import Lane
from guards.policy import Release, parse_release
from ledger.decisions import ActionResult, DecisionKind, PacketRating, Seen
from ledger.errors import StoreBroken, StoreBusy
from ledger.people import PeopleLedger

POLICIES = Path(__file__).parents[2] / "guards" / "policies"


@pytest.fixture(scope="module")
def release() -> Release:
    """The release that comes with Lanewise; its version is the one the house's view names."""
    file = POLICIES / "2026-03-01.toml"
    return parse_release(file.read_text(encoding="utf-8"), file.name)


def draft_of(house: House) -> bytes:
    """The bytes of the draft that is shown."""
    review = house.look().review
    assert review is not None
    assert review.draft is not None
    assert review.draft.text is not None
    return review.draft.text.encode()


# ── looking ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_seen_fits_into_one_word_and_comes_back(house: House) -> None:
    house.ask()
    seen = house.look().seen
    assert seen.draft is not None
    assert decisions.read_token(decisions.token(seen)) == seen
    assert decisions.read_token(" e0-r17\n") == Seen(0, 17, None)
    settled = Seen(0, 17, None, 12)
    assert decisions.read_token(decisions.token(settled)) == settled


@pytest.mark.parametrize("word", ["", "e1", "e1-r2-abc", "e-1-r2", "e1-r2 or 1=1", "e" + "9" * 40 + "-r1", "e٣-r1"])
def test_a_word_that_nobody_was_given_is_refused(word: str) -> None:
    with pytest.raises(DecisionRefused, match="Look at the ticket again"):
        decisions.read_token(word)


def test_what_arrives_while_a_person_is_being_shown_a_ticket_does_not_count_as_seen(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.ask()
    real = type(house.reviews).of_ticket

    def slow(self: object, ticket: str) -> object:
        monkeypatch.setattr(type(house.reviews), "of_ticket", real)
        house.customer_writes("m-2")
        return real(house.reviews, ticket)

    monkeypatch.setattr(type(house.reviews), "of_ticket", slow)
    seen = house.look().seen
    with pytest.raises(ChangedSince, match="the customer has written since"):
        decisions.change_lane(house.people, TICKET, Lane.AUTONOMOUS, seen, house.sign())


def test_an_unknown_ticket_is_named(house: House) -> None:
    with pytest.raises(DecisionRefused, match="T-404"):
        decisions.look(house.history, house.reviews, "T-404")


# ── texts ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_approved_draft_leaves_byte_for_byte(house: House, release: Release) -> None:
    review = house.ask("Hello,\nthat is the next billing date – promised.")
    body = draft_of(house)
    done = decisions.approve(house.people, release, review.id, body, house.look().seen, house.sign())
    assert done.kind is DecisionKind.APPROVED
    assert done.reply_key is not None
    assert states(house.room().deliver_waiting()) == [(done.reply_key, "sent")]
    assert [(letter["to"], letter["body"].encode()) for letter in house.channel.letters] == [(CUSTOMER, body)]


def test_an_approval_lasts_as_long_as_the_release_says(house: House, release: Release) -> None:
    review = house.ask()
    done = decisions.approve(house.people, release, review.id, draft_of(house), house.look().seen, house.sign())
    assert done.reply_key is not None
    approval = house.post.delivery(done.reply_key).letter.approval
    assert approval is not None
    hours = (approval.expires_at - house.clock()).total_seconds() / 3600
    assert hours == release.review.approval_expires_hours


def test_the_same_click_sent_twice_approves_once(house: House, release: Release) -> None:
    review, body, seen = house.ask(), draft_of(house), house.look().seen
    first = decisions.approve(house.people, release, review.id, body, seen, house.sign())
    second = decisions.approve(house.people, release, review.id, body, seen, house.sign())
    assert (first.first, second.first) == (True, False)
    assert len(house.room().deliver_waiting()) == 1


def test_a_draft_cannot_be_approved_once_the_customer_has_written_again(house: House, release: Release) -> None:
    review, body, seen = house.ask(), draft_of(house), house.look().seen
    house.customer_writes("m-2")
    with pytest.raises(ChangedSince, match="this changed since you looked: the customer has written since") as caught:
        decisions.approve(house.people, release, review.id, body, seen, house.sign())
    assert len(caught.value.changes) >= 1
    assert house.room().deliver_waiting() == []


def test_other_bytes_than_the_draft_cannot_be_approved_as_it(house: House, release: Release) -> None:
    review = house.ask()
    with pytest.raises(ChangedSince, match="not the draft that was shown"):
        decisions.approve(
            house.people, release, review.id, draft_of(house) + b" And a refund.", house.look().seen, house.sign()
        )


def test_a_person_can_edit_the_draft_and_their_words_leave(house: House, release: Release) -> None:
    review = house.ask()
    decisions.edit_and_approve(house.people, release, review.id, "Better words.", house.look().seen, house.sign())
    house.room().deliver_waiting()
    assert [letter["body"] for letter in house.channel.letters] == ["Better words."]


def test_a_person_can_answer_in_lane_3_where_there_is_no_draft(house: House, release: Release) -> None:
    house.worker.raise_floor(TICKET, Lane.HUMAN_OWNED)
    decisions.answer_myself(house.people, release, TICKET, "I have looked at it.", house.look().seen, house.sign())
    house.room().deliver_waiting()
    assert [letter["body"] for letter in house.channel.letters] == ["I have looked at it."]


def test_a_rejected_draft_is_gone_and_the_review_stays_open(house: House, release: Release) -> None:
    review, body = house.ask(), draft_of(house)
    decisions.reject(house.people, review.id, house.look().seen, house.sign())
    shown = house.look()
    assert shown.review is not None
    assert shown.review.open
    with pytest.raises(DecisionRefused, match="holds no draft"):
        decisions.approve(house.people, release, review.id, body, shown.seen, house.sign("d-2"))


def test_a_draft_with_places_left_for_the_agent_cannot_leave_as_it_is(house: House, release: Release) -> None:
    review = house.ask("Hello,\n[Agent: say whether it is granted]\n[Agent: your name]")
    seen = house.look().seen
    with pytest.raises(
        DecisionRefused, match=r"to fill in: \[Agent: say whether it is granted\], \[Agent: your name\]"
    ):
        decisions.approve(house.people, release, review.id, draft_of(house), seen, house.sign())
    with pytest.raises(DecisionRefused, match="Nothing was decided"):
        decisions.edit_and_approve(house.people, release, review.id, "Hi [Agent: your name]", seen, house.sign())
    decisions.edit_and_approve(house.people, release, review.id, "Granted. Marek", seen, house.sign())
    house.room().deliver_waiting()
    assert [letter["body"] for letter in house.channel.letters] == ["Granted. Marek"]


@pytest.mark.parametrize("words", ["", " \n\t"])
def test_an_empty_answer_is_refused(house: House, release: Release, words: str) -> None:
    with pytest.raises(DecisionRefused, match="the answer is empty"):
        decisions.answer_myself(house.people, release, TICKET, words, house.look().seen, house.sign())


def test_an_answer_that_has_nowhere_to_go_is_refused_in_words(house: House, release: Release) -> None:
    with house.store.write() as conn:
        conn.execute(text("UPDATE tickets SET recipient = ''"))
    with pytest.raises(DecisionRefused, match="this text cannot leave: the ticket record holds no address"):
        decisions.answer_myself(house.people, release, TICKET, "Hello", house.look().seen, house.sign())


# ── whose it is, and where it belongs ───────────────────────────────────────────────────────────────────────


def test_a_thread_is_claimed_by_one_person_and_can_be_released(house: House) -> None:
    decisions.claim(house.people, TICKET, house.sign("d-1", by="Marek"))
    with pytest.raises(DecisionRefused, match="Marek has the thread"):
        decisions.claim(house.people, TICKET, house.sign("d-2", by="Oona"))
    with pytest.raises(DecisionRefused, match="Marek has the thread"):
        decisions.release(house.people, TICKET, house.sign("d-3", by="Oona"))
    decisions.release(house.people, TICKET, house.sign("d-3", by="Marek"))
    assert decisions.claim(house.people, TICKET, house.sign("d-4", by="Oona")).register.claimed_by == "Oona"


def test_only_a_person_lowers_a_lane_and_only_one_who_saw_it(house: House) -> None:
    house.worker.raise_floor(TICKET, Lane.ASSISTED)
    seen = house.look().seen
    house.worker.raise_floor(TICKET, Lane.HUMAN_OWNED)
    with pytest.raises(ChangedSince, match="the lane has risen since"):
        decisions.change_lane(house.people, TICKET, Lane.AUTONOMOUS, seen, house.sign())
    assert house.lane() is Lane.HUMAN_OWNED
    decisions.change_lane(house.people, TICKET, Lane.ASSISTED, house.look().seen, house.sign("d-2"))
    assert house.lane() is Lane.ASSISTED


def test_a_review_goes_to_a_queue_that_exists(house: House) -> None:
    review = house.ask()
    with pytest.raises(DecisionRefused, match="Choose one of: billing_specialist, frontline_support"):
        decisions.route(house.people, {"frontline_support", "billing_specialist"}, review.id, "billing", house.sign())
    decisions.route(house.people, {"billing_specialist"}, review.id, "billing_specialist", house.sign())
    shown = house.look().review
    assert shown is not None
    assert shown.queue == "billing_specialist"


def test_a_conversation_is_handed_back_and_a_ticket_resolved(house: House) -> None:
    house.ask()
    house.worker.raise_floor(TICKET, Lane.HUMAN_OWNED)
    done = decisions.hand_back(house.people, TICKET, Lane.AUTONOMOUS, house.look().seen, house.sign())
    assert done.register.lane is Lane.AUTONOMOUS
    assert house.look().review is None
    done = decisions.resolve(house.people, TICKET, house.look().seen, house.sign("d-2"))
    assert done.kind is DecisionKind.RESOLVED


def test_an_action_is_decided_by_a_person(house: House) -> None:
    house.worker.open_action(TICKET, house.worker.register(TICKET).revision, 3, "refund")
    (action,) = house.look().register.actions
    with pytest.raises(DecisionRefused, match="no open action"):
        decisions.decide_action(house.people, TICKET, action.id + 99, ActionResult.DECLINED, house.sign())
    with pytest.raises(DecisionRefused, match="needs a reference"):
        decisions.decide_action(house.people, TICKET, action.id, ActionResult.DONE_ELSEWHERE, house.sign())
    done = decisions.decide_action(house.people, TICKET, action.id, ActionResult.DONE_ELSEWHERE, house.sign(), "RF-7")
    assert done.register.actions == ()


def test_a_packet_is_rated_also_after_it_was_decided(house: House, release: Release) -> None:
    review = house.ask()
    decisions.approve(house.people, release, review.id, draft_of(house), house.look().seen, house.sign())
    done = decisions.rate(house.people, review.id, PacketRating.SAVED_TIME, house.sign("d-2"))
    assert done.head["rating"] == "saved_time"


def test_a_decided_review_says_who_decided_it(house: House, release: Release) -> None:
    review, body, seen = house.ask(), draft_of(house), house.look().seen
    decisions.approve(house.people, release, review.id, body, seen, house.sign("d-1", by="Marek"))
    with pytest.raises(DecisionRefused, match="decided already: approved by Marek"):
        decisions.approve(house.people, release, review.id, body, seen, house.sign("d-2", by="Oona"))


@pytest.mark.parametrize(("by", "reason", "key"), [("", "r", "k"), ("b", " ", "k"), ("b", "r", "")])
def test_a_decision_without_name_reason_or_key_is_refused(by: str, reason: str, key: str) -> None:
    with pytest.raises(DecisionRefused, match="a decision needs a"):
        decisions.signed(by, reason, key)


def test_a_busy_ledger_is_a_refusal_and_a_broken_one_is_not(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(error: Exception) -> None:
        def claim(*_: object) -> None:
            raise error

        monkeypatch.setattr(PeopleLedger, "claim", claim)

    raises(StoreBusy("locked"))
    with pytest.raises(DecisionRefused, match="Try again"):
        decisions.claim(house.people, TICKET, house.sign())
    raises(StoreBroken("gone"))
    with pytest.raises(StoreBroken):
        decisions.claim(house.people, TICKET, house.sign())
