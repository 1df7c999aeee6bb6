"""One act in one process stops what another process is sending: nothing is begun after it, and nothing revives."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest
from desk_house import TICKET, VIEW, Clock, House, Recorder

from desk.post import PostRoom
from ledger.decisions import Signature
from ledger.events import HOUSE, Kind
from ledger.history import History
from ledger.outbox import PostLedger
from ledger.people import PeopleLedger
from ledger.store import open_store

LETTERS = 40


def _send_all(ledger_file: str, go: Any, told: Any) -> None:
    store = open_store(ledger_file, clock=Clock())
    recorder = Recorder()
    go.wait()
    PostRoom(PostLedger(store), History(store), recorder, lambda: VIEW).deliver_waiting()
    told.put([letter["key"] for letter in recorder.letters])


def _halt(ledger_file: str, family: str | None, go: Any) -> None:
    people = PeopleLedger(open_store(ledger_file, clock=Clock()))
    go.wait()
    people.halt(family, Signature("Ada", "odd answers", "h-1"))


@pytest.mark.parametrize("family", [None, "seats_permissions"])
def test_a_halt_in_another_process_stops_every_letter_that_was_not_begun(
    house: House, ledger_file: Path, family: str | None
) -> None:
    keys = [house.propose(f"r-{n}", f"words {n}") for n in range(LETTERS)]
    context = multiprocessing.get_context("spawn")
    go, told = context.Barrier(2), context.Queue()
    sending = context.Process(target=_send_all, args=(str(ledger_file), go, told))
    halting = context.Process(target=_halt, args=(str(ledger_file), family, go))
    for process in (sending, halting):
        process.start()
    left = told.get(timeout=120)
    for process in (sending, halting):
        process.join(120)
        assert process.exitcode == 0
    halted = next(e.seq for e in house.history.house_timeline() if e.kind is Kind.HALTED)
    begun = {e.head["reply_key"]: e.seq for e in house.history.timeline(TICKET) if e.kind is Kind.DELIVERY_STARTED}
    assert [key for key, seq in begun.items() if seq > halted] == [], "begun after the halt"
    assert sorted(left) == sorted(begun), "what was begun before it was on its way"
    assert {house.state(key) for key in keys if key not in begun} <= {"refused"}
    assert {house.state(key) for key in begun} <= {"sent"}
    house.people.resume(family, house.sign("resume"))
    assert house.room().deliver_waiting() == [], "nothing comes back to life"
    if len(begun) < LETTERS:
        review = house.reviews.of_ticket(TICKET)
        assert review is not None and review.packet is not None and review.due_at is not None
    assert [e.ticket for e in house.history.house_timeline()] == [HOUSE, HOUSE]


def test_a_halt_between_two_letters_of_one_room_stops_the_second_in_every_case(house: House) -> None:
    for family in (None, "seats_permissions"):
        first, second = (house.propose(f"{family}-{n}", f"{family} {n}") for n in range(2))
        house.channel.before = lambda family=family: house.people.halt(family, house.sign(f"h-{family}"))  # type: ignore[misc]
        house.room().deliver_waiting()
        assert (house.state(first), house.state(second)) == ("sent", "refused")
        house.channel.before = lambda: None
        house.people.resume(family, house.sign(f"r-{family}"))
