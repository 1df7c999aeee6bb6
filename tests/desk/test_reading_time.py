"""How long a draft was read: measured by the desk where it shows the draft, and what the scorecard makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from desk_house import TICKET, Clock, House
from sqlalchemy import select

from desk.accounts.people import Person, Role
from desk.decisions import token
from desk.operators import inbox as operator_inbox
from desk.operators.acts import Asked, do
from desk.operators.inbox import OperatorInbox
from desk.operators.ticket import ticket_pane
from desk.records import Records
from desk.scoring import Asked as AskedScore
from desk.scoring import page_of, show
from desk.settings import load_settings
from desk.workplace import Workplace, open_rules
from ledger.events import Kind
from ledger.looks import Looks
from ledger.scorecard.projecting import catch_up
from ledger.store import open_store
from ledger.tables import ticket_summaries

MAREK = Person("Marek", frozenset({Role.AGENT}), frozenset())
DRAFT = "Hello, that is the next billing date."


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def place(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workplace]:
    monkeypatch.setattr(operator_inbox, "BLIND_SHARE", 0.0)
    settings = load_settings(tmp_path, {})
    store = open_store(tmp_path / "ledger.sqlite3", clock=clock)
    yield Workplace(settings, store, open_rules(settings, {}))
    store.close()


@pytest.fixture
def house(place: Workplace, clock: Clock) -> House:
    built = House(place.store, clock)
    built.customer_writes()
    built.ask(DRAFT)
    return built


def approve(place: Workplace, house: House, *, opened: bool, reads: float = 0) -> None:
    """Approves the draft as it stands, by the page or by a form alone; only a page has measured anything."""
    if opened:
        ticket_pane(OperatorInbox(place), MAREK, TICKET)
        house.clock.move(seconds=reads)
    look = house.look()
    assert look.review is not None
    form = {"seen": token(look.seen), "review": look.review.id, "key": "k-1", "text": DRAFT}
    do(Asked(place, MAREK, TICKET, form), "approve")


def reading(place: Workplace) -> tuple[int | None, str]:
    catch_up(place.store)
    with place.store.read() as conn:
        row: Any = conn.execute(select(ticket_summaries)).one()
    return row.read_seconds, row.read_how


def looked(house: House) -> dict[str, object]:
    (event,) = (e for e in house.history.timeline(TICKET) if e.kind is Kind.LOOKED)
    return dict(event.head)


def test_what_the_desk_measured_at_an_approval_is_the_reading_time(
    place: Workplace, house: House, clock: Clock
) -> None:
    clock.move(hours=2)
    approve(place, house, opened=True, reads=20)
    assert looked(house)["seconds"] == 20
    assert reading(place) == (20, "looked")


def test_an_approval_without_an_open_page_says_no_seconds_and_breaks_no_scorecard(
    place: Workplace, house: House, clock: Clock
) -> None:
    clock.move(minutes=3)
    approve(place, house, opened=False)
    assert "seconds" not in looked(house)
    assert reading(place) == (180, "bound"), "unknown is not nothing: the bound stands"


def test_an_event_that_already_stands_in_a_ledger_without_a_time_is_read_as_unknown(
    place: Workplace, house: House, clock: Clock
) -> None:
    clock.move(minutes=3)
    review = house.look().review
    assert review is not None and review.draft is not None
    head: dict[str, object] = {"review": review.id, "draft": review.draft.digest, "seconds": None}
    Looks(place.store).record(TICKET, house.sign(), head)
    approve(place, house, opened=False)
    Looks(place.store).record(TICKET, house.sign("d-2"), head)
    told: list[str] = []
    records = Records(place.settings, place.store)
    assert show(records, AskedScore(json=True), told.append) == 0
    assert "<svg" in page_of(records, AskedScore()), "the page of the desk is the same fold"
    assert reading(place) == (180, "bound")
