"""A ticket that a helpdesk tells again: what is new is filed, what is known is neither filed nor shown twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from agent.incoming import incoming
from guards.gate import Letter, Permit, Piece
from ledger.errors import KeyReused
from ledger.events import Kind
from ledger.history import History
from ledger.intake import IncomingMessage, Intake
from ledger.moment import ReleaseView
from ledger.outbox import PostLedger
from ledger.store import Store, open_store
from ledger.words import digest_of
from ledger.worker import WorkerLedger
from tools.ticket_files import ticket_from_json

VIEW = ReleaseView("r", True, frozenset({"billing"}), frozenset())
FIRST, THEN = "2026-03-10T08:00:00Z", "2026-03-10T11:30:00Z"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "l.sqlite3", clock=lambda: datetime(2026, 3, 10, 12, tzinfo=UTC))


def told(**raw: Any) -> IncomingMessage:
    return incoming(ticket_from_json({"id": "T-1", "email": "hazel@maplefinch.example", **raw}), "helpdesk")


def turn(role: str, text: str, at: str | None = None) -> dict[str, str]:
    return {"role": role, "text": text} | ({"created_at": at} if at else {})


def thread_of(store: Store) -> list[tuple[str, str]]:
    return [(m.role, m.text) for m in History(store).thread("T-1")]


def test_the_same_words_at_another_time_are_another_message(store: Store) -> None:
    intake = Intake(store)
    one = intake.receive(told(text="Any news?", created_at=FIRST))
    same = intake.receive(told(text="Any news?", created_at=FIRST))
    two = intake.receive(told(text="Any news?", created_at=THEN))
    assert (one.first, same.first, two.first) == (True, False, True)
    assert thread_of(store) == [("customer", "Any news?")] * 2


def test_a_time_is_a_moment_however_it_is_written() -> None:
    at = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
    elsewhere = at.astimezone(timezone(timedelta(hours=2))).isoformat()
    assert told(text="Hello", created_at=FIRST).key == told(text="Hello", created_at=elsewhere).key
    assert told(text="Hello", created_at=FIRST).key != told(text="Hello", created_at=FIRST, attachments="a.pdf").key


def test_without_times_the_place_in_the_thread_tells_the_same_words_apart(store: Store) -> None:
    intake = Intake(store)
    asked = [turn("customer", "Any news?")]
    assert intake.receive(told(turns=asked)).first
    assert not intake.receive(told(turns=[*asked, turn("agent", "Not yet.")])).first, "nothing new of the customer's"
    assert intake.receive(told(turns=[*asked, turn("agent", "Not yet."), turn("customer", "Any news?")])).first


def test_a_message_told_alone_and_then_with_its_thread_is_filed_once(store: Store) -> None:
    intake = Intake(store)
    assert intake.receive(told(text="And now?", created_at=THEN)).first
    whole = [turn("customer", "It broke.", FIRST), turn("agent", "We look."), turn("customer", "And now?", THEN)]
    assert not intake.receive(told(turns=whole, account_context={"tier": "team"})).first


def test_another_text_under_a_key_is_still_an_error(store: Store) -> None:
    message = told(text="Hello", created_at=FIRST)
    Intake(store).receive(message)
    other = IncomingMessage(**{n: getattr(message, n) for n in message.__slots__} | {"text": "Other words"})
    with pytest.raises(KeyReused):
        Intake(store).receive(other)


def test_a_thread_told_again_shows_nothing_twice(store: Store) -> None:
    intake = Intake(store)
    before = [turn("customer", "It broke."), turn("agent", "We look into it.")]
    intake.receive(told(turns=[*before, turn("customer", "And now?")]))
    again = [*before, turn("customer", "And now?"), turn("agent", "Soon."), turn("customer", "Please hurry.")]
    intake.receive(told(turns=again))
    assert thread_of(store) == [
        ("customer", "It broke."),
        ("agent", "We look into it."),
        ("customer", "And now?"),
        ("agent", "Soon."),
        ("customer", "Please hurry."),
    ]


def test_our_own_letter_told_back_is_not_shown_twice(store: Store) -> None:
    words = "Seats are added under Settings,\nthen Billing.\n"
    seq = Intake(store).receive(told(text="Where are seats?", created_at=FIRST)).seq
    worker, post = WorkerLedger(store), PostLedger(store)
    worker.record("T-1", Kind.LANE_ASSIGNED, "lane", {"families": ["billing"]})
    epoch = worker.open_answer("T-1", seq, 1).epoch
    letter = Letter("T-1", Piece.ANSWER, digest_of(words), "hazel@maplefinch.example", epoch, seq, "r")
    assert isinstance(worker.propose(letter, words, reply_key="k", view=VIEW), Permit)
    post.begin("k", VIEW)
    post.sent("k")
    whole = [
        turn("customer", "Where are seats?", FIRST),
        turn("agent", "Seats are added under Settings, then Billing."),
        turn("customer", "Thank you!", THEN),
    ]
    Intake(store).receive(told(turns=whole))
    assert [role for role, _ in thread_of(store)] == ["customer", "assistant", "customer"]


def test_a_customer_who_said_the_same_words_twice_before_is_quoted_twice(store: Store) -> None:
    said = [turn("customer", "Hello?"), turn("customer", "Hello?"), turn("customer", "Is anybody there?")]
    Intake(store).receive(told(turns=said))
    assert thread_of(store) == [("customer", "Hello?"), ("customer", "Hello?"), ("customer", "Is anybody there?")]


def test_the_same_words_of_the_other_side_are_not_left_out(store: Store) -> None:
    intake = Intake(store)
    intake.receive(told(text="Thank you", created_at=FIRST))
    intake.receive(told(turns=[turn("agent", "Thank you"), turn("customer", "Bye", THEN)]))
    assert thread_of(store) == [("customer", "Thank you"), ("agent", "Thank you"), ("customer", "Bye")]
