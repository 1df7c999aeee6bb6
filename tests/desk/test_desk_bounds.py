"""What an open page of the desk may cost, and how long it may go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from desk.accounts.people import Person, Role
from desk.accounts.signing_in import start_session
from desk.app import create_app
from desk.counter import Counter
from desk.errors import DeskError
from desk.operators.acts import Asked, do
from desk.operators.wording_shown import word_diff
from desk.pages import desk_routes
from desk.security import COOKIE, CSRF_HEADER
from desk.settings import load_settings
from desk.watching import EVERY_TICKET
from desk.workplace import open_workplace
from ledger.errors import LedgerError
from ledger.intake import IncomingMessage, Intake


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    """A counter that is not opened, with an agent."""
    place = open_workplace(load_settings(tmp_path, {}), {})
    made = Counter(place)
    made.accounts.add("Marek", "", None, [Role.AGENT])
    yield made
    place.store.close()


@pytest.mark.parametrize("end", ["signed out", "disabled"])
async def test_news_end_with_the_session_also_while_things_go_on_happening(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr(desk_routes, "PING_SECONDS", 0.05)
    token = start_session(counter.accounts, "Marek")
    news = desk_routes._news(counter, token)
    assert "happened" in await anext(news)
    assert await anext(news) == ": here\n\n"
    if end == "signed out":
        counter.accounts.sign_out(token)
    else:
        counter.accounts.change("Marek", disabled=True)

    async def goes_on_happening() -> None:
        while True:
            counter.watch._tell((EVERY_TICKET,))
            await asyncio.sleep(0.001)

    busy = asyncio.create_task(goes_on_happening())
    try:
        told = await asyncio.wait_for(rest_of(news), 30)
    finally:
        busy.cancel()
    assert told == []


async def rest_of(news: AsyncIterator[str]) -> list[str]:
    return [one async for one in news]


def test_a_text_that_is_too_long_is_not_foreseen(counter: Counter) -> None:
    token = start_session(counter.accounts, "Marek")
    session = counter.accounts.session(token)
    assert session is not None
    client = TestClient(create_app(counter))
    client.cookies.set(COOKIE, token)
    long = {"ticket": "T-1", "text": "x" * (desk_routes.FIELD_LIMIT + 1)}
    for path in ("/desk/foresee", "/desk/act/answer"):
        refused = client.post(path, data=long, headers={CSRF_HEADER: session.csrf})
        assert refused.status_code == 409 and "more than 100000 characters" in refused.text


def test_texts_that_repeat_themselves_are_one_change_from_the_first_difference_to_the_last() -> None:
    draft, sent = "Dear Ana, " + "a the " * 500 + "Yours", "Dear Ana, " + "the the a a b " * 1_400 + "Yours"
    change = word_diff(draft, sent)
    assert [p.kind for p in change.parts] == ["same", "removed", "added", "same"]
    assert (change.parts[0].words, change.parts[-1].words) == ("Dear Ana, ", "Yours")
    assert (change.removed, change.added) == (1_000, 7_000)


@given(st.lists(st.sampled_from("ab"), max_size=400), st.lists(st.sampled_from("ab"), max_size=400))
def test_a_diff_of_any_length_holds_the_whole_of_both_texts(before: list[str], after: list[str]) -> None:
    old, new = " ".join(before), " ".join(after)
    change = word_diff(old, new)
    assert "".join(p.words for p in change.parts if p.kind != "added") == old
    assert "".join(p.words for p in change.parts if p.kind != "removed") == new
    assert change.any == (old != new)


def test_an_ordinary_letter_of_a_thousand_words_is_compared_word_by_word() -> None:
    words = [f"word{n % 300}" if n % 3 else "the" for n in range(600)]
    changed = [*words]
    changed[100], changed[500] = "first", "second"
    assert len([p for p in word_diff(" ".join(words), " ".join(changed)).parts if p.kind == "added"]) == 2


@pytest.mark.parametrize(
    "period", ["since=0001-01-01&until=9999-12-31", "until=9999-12-31", "since=0001-01-01", "since=1969-12-31"]
)
@pytest.mark.parametrize("path", ["/desk/scorecard", "/desk/scorecard.csv", "/desk/scorecard.json"])
def test_a_period_beyond_what_calendars_count_is_refused_in_words(counter: Counter, path: str, period: str) -> None:
    counter.accounts.add("Lena", "", None, [Role.LEAD])
    client = TestClient(create_app(counter))
    client.cookies.set(COOKIE, start_session(counter.accounts, "Lena"))
    refused = client.get(f"{path}?{period}")
    assert refused.status_code == 422 and "1970" in refused.text
    assert client.get(f"{path}?since=2026-01-01&until=2999-12-31").status_code == 200


@pytest.mark.parametrize("opening", ["9" * 5_000, "9" * 25, "9" * 19, "²", "-1"])
def test_a_number_that_no_ledger_holds_is_none(counter: Counter, opening: str) -> None:
    place = counter.place
    message = IncomingMessage("T-1", "m-1", "email", "", "a@b.example", "", False, None, "a@b.example", "Hello")
    Intake(place.store).receive(message)
    lead = Person("Lena", frozenset({Role.LEAD}), frozenset())
    asked = Asked(place, lead, "T-1", {"result": "declined", "opening": opening, "reason": "r", "key": "k-1"})
    with pytest.raises((DeskError, LedgerError)):
        do(asked, "decide-action")
