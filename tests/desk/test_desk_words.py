"""What the desk says of hours, of changes to a draft, and of characters that nobody can see."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.operators.wording_shown import lines, marked, same_text, word_diff
from desk.queue_hours import queue_now, time_to_tell
from tools.sandbox import SandboxCompany
from tools.systems import Queue

TUESDAY = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)
DESK = Queue("q", "Desk", "Oona", "frontline", (), "Mon-Fri 08:00-17:00", "UTC", 8, ())


@pytest.mark.parametrize(
    ("hours", "zone", "at", "is_open", "words"),
    [
        ("Mon-Fri 08:00-17:00", "UTC", TUESDAY, True, "open until 17:00 UTC"),
        ("Mon-Fri 08:00-17:00", "UTC", TUESDAY.replace(hour=17), False, "closed, opens Wed 08:00 UTC"),
        ("Mon-Fri 08:00-17:00", "UTC", TUESDAY.replace(hour=7), False, "closed, opens 08:00 UTC"),
        ("Mon-Fri 08:00-17:00", "UTC", datetime(2026, 3, 13, 18, tzinfo=UTC), False, "closed, opens Mon 08:00 UTC"),
        ("every day 00:00-24:00", "UTC", TUESDAY, True, "open all day"),
        ("Mon-Thu 09:00-16:00", "Europe/Dublin", TUESDAY.replace(hour=8), False, "closed, opens 09:00 Europe/Dublin"),
        ("Fri-Mon 08:00-12:00", "UTC", TUESDAY, False, "closed, opens Fri 08:00 UTC"),
        ("Sun 08:00-12:00", "UTC", datetime(2026, 3, 15, 9, tzinfo=UTC), True, "open until 12:00 UTC"),
        ("when somebody is in", "UTC", TUESDAY, None, "when somebody is in UTC"),
        ("Mon-Fri 08:00-17:00", "Nowhere/Atall", TUESDAY, None, "Mon-Fri 08:00-17:00 Nowhere/Atall"),
        ("Foo-Bar 08:00-17:00", "UTC", TUESDAY, None, "Foo-Bar 08:00-17:00 UTC"),
    ],
)
def test_a_queue_says_when_its_people_are_at_work(
    hours: str, zone: str, at: datetime, is_open: bool | None, words: str
) -> None:
    found = queue_now(replace(DESK, hours=hours, timezone=zone), at)
    assert (found.open, found.words) == (is_open, words)


def test_the_hours_of_every_queue_of_the_company_are_understood() -> None:
    queues = SandboxCompany().systems().queues
    assert queues and all(queue_now(q, TUESDAY).open is not None for q in queues)


@pytest.mark.parametrize(
    ("ahead", "changed", "due", "at", "words"),
    [
        (3, {}, None, datetime(2026, 3, 11, 8, 30, tzinfo=UTC), "Wed 11 Mar 08:30 UTC at the latest: 8 working hours"),
        (47, {}, None, datetime(2026, 3, 11, 8, 30, tzinfo=UTC), "47 wait before it, at 6 an hour"),
        (48, {}, None, None, "comes to it by Wed 11 Mar 08:40 UTC, and Wed 11 Mar 08:30 UTC is the latest"),
        (6, {}, datetime(2026, 3, 10, 10, 30, tzinfo=UTC), None, "Tue 10 Mar 10:30 UTC is the latest that would do"),
        (0, {"first_reply_hours": None}, None, None, "this queue keeps none"),
        (0, {"replies_an_hour": None}, None, None, "nobody has said how much"),
        (0, {"hours": "when somebody is in"}, None, None, "cannot be read"),
        (0, {"hours": "Mon-Fri 17:00-08:00"}, None, None, "cannot be read"),
        (0, {"timezone": "Nowhere/Atall"}, None, None, "cannot be read"),
        (
            0,
            {"hours": "Mon-Thu 09:00-16:00", "timezone": "Europe/Dublin"},
            None,
            datetime(2026, 3, 11, 10, 30, tzinfo=UTC),
            "",
        ),
        (0, {"hours": "Fri-Mon 08:00-12:00"}, None, datetime(2026, 3, 14, 12, tzinfo=UTC), "Sat 14 Mar 12:00"),
    ],
)
def test_a_time_is_told_only_where_hours_and_capacity_of_the_queue_stand_behind_it(
    ahead: int, changed: dict[str, Any], due: datetime | None, at: datetime | None, words: str
) -> None:
    queue = replace(DESK, **{"replies_an_hour": 6, **changed})
    found = time_to_tell(queue, ahead, TUESDAY, due, TUESDAY)
    assert found.at == at and words in found.words
    assert (found.at is None) is found.words.startswith("tell no time")


@given(st.integers(0, 500), st.integers(1, 60), st.integers(0, 20_000))
def test_no_time_is_told_that_the_capacity_of_the_queue_does_not_reach(ahead: int, rate: int, late: int) -> None:
    queue, now = replace(DESK, replies_an_hour=rate), TUESDAY + timedelta(minutes=late)
    found = time_to_tell(queue, ahead, TUESDAY, None, now)
    if found.at is not None:
        assert found.at > now and (ahead + 1) / rate <= 8
    assert time_to_tell(queue, ahead + 500, TUESDAY, None, now).at is None or rate > 60


def test_a_queue_that_is_unknown_keeps_no_time() -> None:
    assert time_to_tell(None, 0, TUESDAY, None, TUESDAY).at is None


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_diff_holds_the_whole_of_both_texts(before: str, after: str) -> None:
    change = word_diff(before, after)
    assert "".join(p.words for p in change.parts if p.kind != "added") == before
    assert "".join(p.words for p in change.parts if p.kind != "removed") == after
    assert change.any == (before != after)


def test_a_diff_counts_words_that_went_in_and_out() -> None:
    change = word_diff("We write again soon.", "We write again on Thursday.")
    assert (change.added, change.removed) == (2, 1)


@pytest.mark.parametrize(
    ("character", "name"),
    [
        ("\u202e", "right-to-left override"),
        ("\u200b", "zero width space"),
        ("\u00ad", "soft hyphen"),
        ("\u00a0", "no-break space"),
        ("\u3164", "hangul filler"),
        ("\u2800", "braille pattern blank"),
        ("\ufe0f", "variation selector-16"),
        ("\U000e0041", "tag latin capital letter a"),
        ("\x1b", "unnamed"),
    ],
)
def test_each_character_that_cannot_be_seen_is_named(character: str, name: str) -> None:
    parts = marked(f"a{character}b")
    assert [p.kind for p in parts] == ["plain", "unseen", "plain"]
    assert parts[1].words == f"U+{ord(character):04X} {name}"


def test_plain_words_of_any_language_are_not_marked() -> None:
    text = "Grüße, 你好, привет, مرحبا – fine.\n\tYes"
    assert [(p.kind, p.words) for p in marked(text)] == [("plain", text)]


def test_a_browsers_line_ends_make_no_other_text() -> None:
    assert lines("a\r\nb\rc") == "a\nb\nc"
    assert same_text("a\r\nb", "a\nb") and not same_text("a\nb", "a b")
