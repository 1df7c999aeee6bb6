"""A person decides by a command: what they saw is shown, what will follow is said, and exactly that follows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from desk_house import Clock, House
from typer.testing import CliRunner, Result

from desk.settings import load_settings
from desk.ways_out import COMMAND
from desk.workplace import open_workplace
from lanewise import app
from ledger.accounts import Accounts

RISKY = {
    "id": "T-2",
    "email": "ingrid@harrowpell.example",
    "verified": True,
    "text": "After INC-2331 we want a refund for the part of the year that we are not using. Please confirm the amount.",
}
DRAFTED = {
    "id": "T-3",
    "email": "hazel@maplefinch.example",
    "verified": True,
    "text": "Why is this month's invoice higher than the last one?",
}
WHO = ("--by", "Marek", "--reason", "looked at it")


def drafted(run: Any, ticket: dict[str, Any]) -> dict[str, Any]:
    result = run("draft", given=json.dumps(ticket))
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def decide(run: Any, ticket: str, act: str, *more: str, given: str | None = None) -> Result:
    result: Result = run("decide", ticket, act, *WHO, *more, given=given)
    assert "Traceback" not in result.output
    return result


def events(run: Any, ticket: str) -> str:
    told: str = run("ticket", ticket).stdout
    return told


def test_an_approved_draft_leaves_with_the_next_post_word_for_word(run: Any, tmp_path: Path) -> None:
    drafted(run, {**DRAFTED, "id": "T-1"})
    place = open_workplace(load_settings(tmp_path, {}), {})
    House(place.store, Clock(place.store.now())).ask("Hello,\nthat is the next billing date.")
    place.store.close()
    done = decide(run, "T-1", "approve")
    assert done.exit_code == 0, done.output
    first, _, rest = done.stdout.partition("\n")
    assert re.match(r"Seen: ticket T-1, lane 2, revision \d+, ", first)
    assert ", draft " in first
    assert rest.startswith(f"This exact text will leave {COMMAND}, for hazel@maplefinch.example by the console (until ")
    assert "at once where `lanewise serve`" in rest and "with the next `lanewise post`" in rest
    assert rest.endswith("\n\nHello,\nthat is the next billing date.\n")
    assert "decision approved" in events(run, "T-1")
    assert "outcome_recorded" in events(run, "T-1"), "the ticket was run after the decision"
    sent = run("post")
    assert sent.exit_code == 0
    assert "\n\nHello,\nthat is the next billing date.\n" in sent.stdout
    assert "sent     approved for ticket T-1, to hazel@maplefinch.example: it left" in sent.stdout
    assert run("post").stdout == "No letter waits.\n"


def test_a_draft_with_places_to_fill_in_is_not_sent_to_a_customer(run: Any) -> None:
    found = drafted(run, {**DRAFTED, "text": "Please make an exception for us this month."})
    assert "[Agent: your name]" in found["draft"]
    refused = decide(run, "T-3", "approve")
    assert refused.exit_code == 2
    assert "places for you to fill in" in refused.stderr
    assert run("post").stdout == "No letter waits.\n"


def test_the_persons_own_words_leave_in_place_of_the_draft(run: Any, tmp_path: Path) -> None:
    drafted(run, DRAFTED)
    (tmp_path / "mine.txt").write_text("Ten seats were added on 3 March.", encoding="utf-8")
    done = decide(run, "T-3", "approve", "--text", "mine.txt")
    assert done.exit_code == 0, done.output
    assert done.stdout.endswith("\n\nTen seats were added on 3 March.\n")
    assert "decision edited_and_approved" in events(run, "T-3")
    assert "Ten seats were added on 3 March." in run("post").stdout


def test_a_person_answers_where_there_is_no_draft(run: Any) -> None:
    drafted(run, RISKY)
    assert "holds no draft" in decide(run, "T-2", "approve").stderr
    done = decide(run, "T-2", "answer", "--text", "-", given="I have looked at it, Ingrid.")
    assert done.exit_code == 0, done.output
    assert "no draft" in done.stdout.splitlines()[0]
    assert "for ingrid@harrowpell.example by the console" in done.stdout
    assert "I have looked at it, Ingrid." in run("post").stdout


def test_a_ticket_is_claimed_routed_rated_handed_back_and_resolved(run: Any) -> None:
    drafted(run, RISKY)
    for act, more, words in (
        ("claim", (), "Marek has the thread now"),
        ("release", (), "The thread is free"),
        ("route", ("--queue", "support_lead"), "The review is with support_lead now"),
        ("rate-saved-time", (), "rating is recorded: saved time"),
        ("hand-back", ("--lane", "1"), "from lane 1"),
        ("rate-repeated", (), "rating is recorded: repeated the ticket"),
        ("rate-misled", (), "rating is recorded: misled"),
        ("resolve", (), "The ticket is resolved"),
    ):
        done = decide(run, "T-2", act, *more)
        assert done.exit_code == 0, done.output
        assert words in done.stdout
    told = events(run, "T-2")
    assert all(f"decision {d}" in told for d in ("claimed", "routed", "packet_rated", "handed_back", "resolved"))
    assert told.startswith("ticket T-2: lane 1")


def test_a_colleagues_thread_is_given_free_by_a_lead_and_by_nobody_else(run: Any, tmp_path: Path) -> None:
    drafted(run, RISKY)
    as_oona, as_lena = (("--by", name, "--reason", "mine") for name in ("Oona", "Lena"))
    assert run("decide", "T-2", "claim", *as_oona).exit_code == 0
    for act, more in (
        ("release", ()),
        ("resolve", ()),
        ("hand-back", ("--lane", "1")),
        ("change-lane", ("--lane", "1")),
    ):
        refused = decide(run, "T-2", act, *more)
        assert refused.exit_code == 2 and "Oona has the thread" in refused.stderr
    assert run("decide", "T-2", "release", *as_lena).exit_code == 2
    place = open_workplace(load_settings(tmp_path, {}), {})
    Accounts(place.store).add("Lena", "", None, ["lead"])
    place.store.close()
    assert run("decide", "T-2", "release", *as_lena).exit_code == 0
    assert decide(run, "T-2", "resolve").exit_code == 0


def test_a_rejected_draft_does_not_leave_and_the_customer_still_waits(run: Any) -> None:
    drafted(run, DRAFTED)
    assert "the review stays open" in decide(run, "T-3", "reject").stdout
    assert "holds no draft" in decide(run, "T-3", "approve").stderr
    assert run("post").stdout == "No letter waits.\n"


def test_what_changed_since_the_person_looked_is_told_and_nothing_is_decided(run: Any) -> None:
    drafted(run, DRAFTED)
    seen = run("packet", "T-3").stdout.rstrip().rpartition("(")[2].rstrip(")")
    assert seen.startswith("e")
    drafted(run, {**DRAFTED, "text": "And please tell me who added the seats."})
    for act, more in (("approve", ()), ("reject", ()), ("resolve", ()), ("hand-back", ("--lane", "1"))):
        refused = decide(run, "T-3", act, *more, "--seen", seen)
        assert refused.exit_code == 2
        assert "this changed since you looked: " in refused.stderr
        assert "Nothing was done" in refused.stderr
    answered = decide(run, "T-3", "answer", "--text", "-", "--seen", seen, given="Hello")
    assert "the customer has written since" in answered.stderr
    assert run("post").stdout == "No letter waits.\n"
    now = run("packet", "T-3").stdout.rstrip().rpartition("(")[2].rstrip(")")
    assert decide(run, "T-3", "resolve", "--seen", now).exit_code == 0


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("T-2", "sign"), "there is no act 'sign'. Choose one of: claim, "),
        (("nope", "claim"), "no ticket 'nope'"),
        (("T-2", "answer"), "answer needs --text"),
        (("T-2", "hand-back"), "hand-back needs --lane"),
        (("T-2", "hand-back", "--lane", "4"), "choose 1, 2 or 3"),
        (("T-2", "route"), "route needs --queue"),
        (("T-2", "route", "--queue", "moon"), "there is no queue 'moon'"),
        (("T-2", "claim", "--queue", "support_lead"), "--queue belongs to route, not to claim"),
        (("T-2", "answer", "--text", "nowhere.txt"), "nowhere.txt"),
        (("T-2", "answer", "--text", "bytes.bin"), "bytes.bin is not UTF-8 text"),
        (("T-2", "answer", "--text", "empty.txt"), "the answer is empty"),
        (("T-2", "resolve", "--seen", "yesterday"), "does not say what you had seen"),
        (("T-2", "claim", "--by", " "), "a decision needs a by"),
    ],
)
def test_what_cannot_be_decided_is_one_clear_line(
    run: Any, tmp_path: Path, ledger_with_risky: Path, args: tuple[str, ...], words: str
) -> None:
    (tmp_path / "bytes.bin").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "empty.txt").write_text(" \n")
    who = WHO if "--by" not in args else WHO[2:]
    result = run("decide", *args, *who, "-w", str(ledger_with_risky))
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.output
    assert result.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def ledger_with_risky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which one risky ticket waits; no test of it changes anything."""
    place = tmp_path_factory.mktemp("risky")
    result = CliRunner().invoke(app, ["draft", "-w", str(place)], input=json.dumps(RISKY))
    assert result.exit_code == 0, result.output
    return place


def test_nothing_is_decided_on_a_ticket_whose_words_are_gone(run: Any) -> None:
    drafted(run, RISKY)
    erased = run("erase", "T-2", *WHO)
    assert erased.exit_code == 0
    assert "ingrid" not in run("ticket", "T-2").stdout
    refused = decide(run, "T-2", "answer", "--text", "-", given="Hello")
    assert refused.exit_code == 2
    assert "holds no address" in refused.stderr
