"""One sweep of the desk: nothing is left lying, every letter is accounted for, and the secret is out of reach."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import desk.workplace
from agent.incoming import incoming
from desk.deciding import erase
from desk.halting import halt
from desk.posting import sweep
from desk.settings import FILE_NAME, load_settings
from desk.staying import IN_HAND
from desk.workplace import Workplace, open_workplace
from guards.gate import Piece
from ledger.intake import Intake
from ledger.packets.pages import to_text
from ledger.pages import latest_packet, timeline_text
from tools.ticket_files import ticket_from_json

RISKY = {
    "id": "T-2",
    "email": "ingrid@harrowpell.example",
    "verified": True,
    "text": "After INC-2331 we want a refund for the part of the year that we are not using. Please confirm the amount.",
}


class Channel:
    """Keeps letters, after doing what a test asks for."""

    name = "recorder"

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.letters = error, list[str]()

    def deliver(self, reply_key: str, *, recipient: str, subject: str, body: str, headers: Any) -> str:
        """Keeps the letter, or breaks."""
        if self.error:
            raise self.error
        self.letters.append(body)
        return "ref"


@pytest.fixture
def place(tmp_path: Path, moment: list[datetime]) -> Workplace:
    """A workspace in which a message was filed and the process died before it was worked on."""
    opened = open_workplace(load_settings(tmp_path, {}), {}, lambda: moment[0])
    Intake(opened.store).receive(incoming(ticket_from_json(RISKY), "helpdesk"))
    return opened


@pytest.fixture
def moment() -> list[datetime]:
    """Now; it moves when a test says so."""
    return [datetime(2026, 3, 10, 9, tzinfo=UTC)]


def swept(place: Workplace, channel: Channel) -> str:
    said: list[str] = []
    assert sweep(place, channel, said.append) == 0
    return "\n".join(said)


def test_what_a_crash_left_is_worked_on_and_its_notice_leaves(place: Workplace) -> None:
    channel = Channel()
    told = swept(place, channel)
    assert "1 event that waited: worked on by embedded default (no model)" in told
    assert "sent     notice for ticket T-2, to ingrid@harrowpell.example: it left" in told
    assert len(channel.letters) == 1
    assert swept(place, channel) == "No letter waits."


def test_a_letter_that_was_left_half_way_becomes_unknown_and_is_not_sent_again(
    place: Workplace, moment: list[datetime]
) -> None:
    channel = Channel(KeyboardInterrupt())  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        sweep(place, channel, lambda _: None)
    channel.error = None
    told = swept(place, channel)
    assert "sending  notice for ticket T-2" in told
    assert "in a post room's hands" in told
    moment[0] += IN_HAND
    told = swept(place, channel)
    assert "unknown  notice for ticket T-2" in told
    assert "no machine sends it again, and a person is called" in told
    assert channel.letters == []


def test_a_channel_that_breaks_is_told_in_one_line(place: Workplace) -> None:
    told = swept(place, Channel(ConnectionError("secret words of a provider")))
    assert "nobody knows whether it arrived (ConnectionError)" in told
    assert "secret words" not in told


def test_an_unknown_delivery_is_in_the_packet_and_in_the_timeline_that_a_person_reads(place: Workplace) -> None:
    swept(place, Channel(ConnectionError("secret words of a provider")))
    packet = latest_packet(place.reviews, "T-2")
    assert packet is not None
    assert "Nobody knows whether a text of ours arrived; no machine sends it again." in to_text(packet)
    assert "not known whether it arrived" in to_text(packet)
    told = timeline_text(place.history.timeline("T-2"), place.history.register("T-2"))
    assert "delivery_unknown   piece notice; error ConnectionError" in told
    review = place.reviews.of_ticket("T-2")
    assert review is not None and review.due_at is not None


def test_what_may_not_leave_any_more_is_told_with_its_reason(place: Workplace) -> None:
    async def work() -> None:
        async with place.handler() as handler:
            await handler.catch_up()

    asyncio.run(work())
    halt(place, None, "Marek", "stop all of it", lambda _: None)
    told = swept(place, Channel())
    assert "refused  notice for ticket T-2" in told
    assert "autonomy is halted" in told and "it does not leave" in told


def test_a_passed_deadline_moves_the_review(place: Workplace, moment: list[datetime]) -> None:
    swept(place, Channel())
    moment[0] += timedelta(days=2)
    told = swept(place, Channel())
    assert "1 ticket past the deadline: re-routed to support_lead" in told
    review = place.reviews.of_ticket("T-2")
    assert review is not None
    assert review.queue == "support_lead"
    assert "past the deadline" not in swept(place, Channel())


def test_an_erased_tickets_letter_goes_nowhere(place: Workplace) -> None:
    swept(place, Channel(ConnectionError()))
    said: list[str] = []
    erase(place, "T-2", "Ada", "asked", said.append)
    assert "(erased)" in swept(place, Channel())


def test_the_command_writes_mail_where_the_settings_say_so(run: Any, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('[channel]\nkind = "eml"\nsender = "help@team.example"\n', encoding="utf-8")
    opened = open_workplace(load_settings(tmp_path, {}), {})
    Intake(opened.store).receive(incoming(ticket_from_json(RISKY), "helpdesk"))
    opened.store.close()
    result = run("post")
    assert result.exit_code == 0, result.output
    assert "sent     notice" in result.stdout
    (mail,) = (tmp_path / "outbox").glob("*.eml")
    assert b"To: ingrid@harrowpell.example" in mail.read_bytes()


def test_the_channels_secret_is_gone_before_anything_else_is_built(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANEWISE_CHANNEL_SECRET", "made-up-secret")
    seen: list[str | None] = []
    real = desk.workplace.open_workplace

    def spying(*args: Any) -> Workplace:
        seen.append(os.environ.get("LANEWISE_CHANNEL_SECRET"))
        return real(*args)

    monkeypatch.setattr(desk.workplace, "open_workplace", spying)
    result = run("post")
    assert result.exit_code == 0, result.output
    assert seen == [None]
    assert "made-up-secret" not in result.output
    assert json.dumps(dict(os.environ)).count("made-up-secret") == 0


def test_a_command_that_sends_nothing_drops_the_secret_before_a_graph_is_built(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANEWISE_CHANNEL_SECRET", "made-up-secret")
    seen: list[str | None] = []
    real = desk.workplace.open_workplace

    def spying(*args: Any) -> Workplace:
        seen.append(os.environ.get("LANEWISE_CHANNEL_SECRET"))
        return real(*args)

    monkeypatch.setattr(desk.workplace, "open_workplace", spying)
    assert run("draft", given=json.dumps(RISKY)).exit_code == 0
    assert seen == [None]


def test_a_halt_holds_a_sweep_back(place: Workplace) -> None:
    halt(place, None, "Ada", "odd answers", lambda _: None)
    told = swept(place, Channel())
    assert "worked on by" in told
    assert told.endswith("No letter waits.")
    assert [d.letter.piece for d in place.history.deliveries("T-2") if d.letter.piece is Piece.NOTICE] == []
