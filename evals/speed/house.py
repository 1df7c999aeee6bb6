"""A ledger on disk for the bench: tickets with threads of a given length, and letters that wait to leave."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from agent.briefing import Briefing
from agent.findings import Findings
from agent.packaged import packaged_release
from agent.release_in_force import release_view
from guards.gate import Grant, Letter, Permit, Piece
from guards.lanes import Lane
from guards.policy import Release
from ledger.events import Entry, Kind
from ledger.intake import IncomingMessage, Intake
from ledger.outbox import PostLedger
from ledger.register import Standing
from ledger.store import Store, open_store
from ledger.words import digest_of
from ledger.worker import WorkerLedger

ADDRESS = "ada@customer.example"
WORDS = "Where do I find audit logs in the admin panel?"
REPLY = "Open Settings, then Security, then Audit log."


class WithoutFsync(Store):
    """The same store, whose durable writes do not wait for the disk (``synchronous=NORMAL`` in place of ``FULL``)."""

    def __init__(self, store: Store) -> None:
        """Works on that store's own connections."""
        self._beneath = store

    def now(self) -> datetime:
        """The store's clock."""
        return self._beneath.now()

    def new_id(self) -> str:
        """The store's next id."""
        return self._beneath.new_id()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """As the store's own."""
        with self._beneath.read() as conn:
            yield conn

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Connection]:
        """As the store's own, but never durable."""
        with self._beneath.write(durable=False) as conn:
            yield conn


class StandingStill(WorkerLedger):
    """A ledger that answers from memory: what is left of an opening's grant is the law alone."""

    __slots__ = ("_standing",)

    def __init__(self, standing: Standing) -> None:
        """``standing`` is what it always says."""
        self._standing = standing

    def standing(self, ticket: str) -> tuple[Standing, bool]:
        """The standing that it was given, and no halt."""
        return self._standing, False

    def narrowed(self, ticket: str, release: Release) -> Release:
        """The release as it is: no family is held."""
        return release


def briefing(ledger: WorkerLedger, release: Release) -> Briefing:
    """What derives a ticket's grant, as the machine does; systems and search are not asked for one."""
    return Briefing(ledger, Findings(ledger), None, None, release, "bench")  # type: ignore[arg-type]


def grants_from_memory(release: Release) -> dict[Lane, Briefing]:
    """A briefing for each lane, over a ledger that stands still in it."""
    return {lane: briefing(StandingStill(Standing("T", lane, 1, 1, None, 0, 0)), release) for lane in Lane}


@dataclass(frozen=True, slots=True)
class House:
    """A store on disk and the hands in it."""

    store: Store
    quick: Store
    """The same store without fsync: the tickets are prepared with it."""
    release: Release

    @property
    def worker(self) -> WorkerLedger:
        """The graph's hand."""
        return WorkerLedger(self.store)

    def post(self, *, fsync: bool) -> PostLedger:
        """The post room's hand."""
        return PostLedger(self.store if fsync else self.quick)

    def grant(self, ticket: str) -> Grant:
        """Read from the ledger and derived at this moment."""
        return briefing(self.worker, self.release).grant(ticket)

    def ticket(self, name: str, messages: int = 1, lane: Lane = Lane.AUTONOMOUS) -> str:
        """Files a thread of that many messages and opens the answer to the last one. Returns the ticket."""
        intake, worker = Intake(self.quick), WorkerLedger(self.quick)
        for n in range(messages):
            intake.receive(_message(name, n))
        family = self.release.rollout.autonomous_families[0]
        entry = Entry(Kind.LANE_ASSIGNED, "bench/assign_lane", {"families": [family], "lane": int(lane)})
        worker.open_answer(name, worker.register(name).revision, lane, also=[entry])
        return name

    def letters(self, ticket: str, count: int, kind: str = "letter") -> list[str]:
        """Puts that many letters in a ticket's outbox; returns their reply keys. All of them may leave."""
        worker = WorkerLedger(self.quick)
        held, view = worker.register(ticket), release_view(self.release)
        keys = [f"{ticket}/{kind}/{n}" for n in range(count)]
        for key in keys:
            letter = Letter(
                ticket, Piece.ANSWER, digest_of(REPLY), ADDRESS, held.epoch, held.revision, self.release.version
            )
            if not isinstance(worker.propose(letter, REPLY, reply_key=key, view=view), Permit):
                raise RuntimeError(f"the bench's own letter {key} was refused; its house no longer fits the law")
        return keys


@contextmanager
def open_house(folder: Path) -> Iterator[House]:
    """A fresh ledger in a folder."""
    store = open_store(folder / "ledger.sqlite3")
    try:
        yield House(store, WithoutFsync(store), packaged_release())
    finally:
        store.close()


def _message(ticket: str, n: int) -> IncomingMessage:
    return IncomingMessage(
        ticket=ticket,
        key=f"m{n}",
        channel="mail",
        subject="Audit logs",
        requester_email=ADDRESS,
        requester_name="Ada",
        verified=True,
        account_id=None,
        recipient=ADDRESS,
        text=WORDS,
    )
