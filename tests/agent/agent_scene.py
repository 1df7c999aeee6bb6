"""A machine with its ledger, its post room and a clock that stands still: what the agent's tests and the stories share."""

from __future__ import annotations

import itertools
import re
import shutil
import zlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from agent import sources, wiring
from agent.assessors.answering import Candidate
from agent.assessors.text_head import NEEDS, TRIGGERS, HeadReading
from agent.handle import ClockTicked, Handled, Handler, PersonDecided
from agent.model import ModelSettings
from agent.release_in_force import release_view
from agent.remembering import Remembering
from agent.wiring import open_handler
from desk.channels.eml import EmlChannel, words_of
from desk.decisions import Look, look
from desk.post import PostRoom
from guards.policy import Phase, Release
from ledger.decisions import Signature
from ledger.events import Event, Kind
from ledger.history import History
from ledger.intake import Earlier, IncomingMessage, Intake
from ledger.letters import Delivery
from ledger.outbox import PostLedger
from ledger.people import PeopleLedger
from ledger.register import Register
from ledger.result import TicketResult, read_result
from ledger.reviews import Review, Reviews
from ledger.store import Store, open_store
from ledger.worker import WorkerLedger
from tools.sandbox import SandboxCompany
from tools.systems import Systems

AUDIT_LOG = "Where do I find audit logs in the admin panel?"
"""A question that the approved public article of that name answers."""
LOCKED_OUT = "Our admin is locked out since yesterday. Please give me admin rights."
"""Access and privilege: a person's, whatever else is known."""
DISCOUNT = "Could you give us a discount?"
"""A wish for an exception and nothing else: an agent's answer."""
REFUND = "We bought seats by mistake. Please refund them."
"""A concession on what was bought: several things at once."""


@cache
def made_up_company() -> SandboxCompany:
    """The company as it is packaged, read once: whoever wants to change something makes one of their own."""
    return SandboxCompany()


@cache
def its_systems() -> Systems:
    """Its systems, everything up."""
    return made_up_company().systems()


@dataclass
class Clock:
    """Stands still until it is told to move."""

    moment: datetime = field(default_factory=lambda: made_up_company().now)

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **by: float) -> None:
        """Moves on."""
        self.moment += timedelta(**by)


# ── fakes of what takes long to load, where the meaning of words is not what a test is about ────────────────


class WordEncoder:
    """Embeds a text by the words it holds: equal texts are equal, and nothing else is promised."""

    def embed(self, texts: Sequence[str]) -> Any:
        """One unit row a text."""
        rows = np.zeros((len(texts), 256), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()):
                row[zlib.crc32(word.encode()) % 256] += 1.0
            row /= max(float(np.linalg.norm(row)), 1e-6)
        return rows


class Forgetful(Remembering):
    """Vectors for one process: computing them again costs less than keeping them in every test's folder."""

    def save(self, file: Path, fingerprint: str) -> None:
        """Keeps nothing."""


class SilentHead:
    """A text head that raises nothing, so that the rules alone decide."""

    encoder = WordEncoder()

    def judge(self, text: str) -> HeadReading:
        """All low."""
        return HeadReading(
            levels=dict.fromkeys(TRIGGERS, "low"),
            scores=dict.fromkeys(TRIGGERS, (0.0, 0.0)),
            windows={},
            asks_human=False,
            asks_human_score=0.0,
            needs="none",
            needs_scores=dict.fromkeys(NEEDS, 0.0),
            truncated=False,
            fingerprint="silent",
        )


class WordJudge:
    """Says that an article answers where the question is one of those it lists, and otherwise that it does not."""

    def judge(self, question: str, candidates: Sequence[Candidate]) -> tuple[float, ...]:
        """1 or 0 for each."""
        return tuple(float(c.title_near > 0.97) for c in candidates)


def read_words_as_words(set_attribute: Callable[[object, str, object], None]) -> None:
    """Puts these fakes where the wiring takes its models from: ``monkeypatch.setattr``, or in a driver ``setattr``."""
    vectors, judge = Forgetful(SilentHead.encoder), WordJudge()
    set_attribute(wiring, "text_head", SilentHead)
    set_attribute(wiring, "article_vectors", lambda: vectors)
    set_attribute(sources, "packaged_judge", lambda: judge)
    set_attribute(wiring, "fingerprint", lambda weights: "words")


# ── releases ────────────────────────────────────────────────────────────────────────────────────────────────


def rules_only(release: Release) -> Release:
    """The release with the text head off: what it says then depends on its own rules alone."""
    return release.model_copy(update={"assessors": release.assessors.model_copy(update={"text_head": False})})


def in_phase(release: Release, phase: Phase) -> Release:
    """The release in another phase of roll-out."""
    return release.model_copy(update={"rollout": release.rollout.model_copy(update={"phase": phase})})


# ── the scene ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Scene:
    """Everything around one running machine."""

    folder: Path
    store: Store
    clock: Clock
    release: Release
    handler: Handler
    keys: Any = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.intake, self.worker, self.people = Intake(self.store), WorkerLedger(self.store), PeopleLedger(self.store)
        self.history, self.reviews, self.post = History(self.store), Reviews(self.store), PostLedger(self.store)
        self.outbox = self.folder / "outbox"

    # what comes in

    async def customer_writes(self, text: str, ticket: str = "T-1", **more: Any) -> TicketResult:
        """A message through the one door, and what came of it."""
        return self.result((await self.handler.handle(self.message(text, ticket, **more))).tickets[0])

    def message(self, text: str, ticket: str = "T-1", **more: Any) -> IncomingMessage:
        """A message of a verified person of a small standard account, unless told otherwise."""
        email = more.get("requester_email", "hazel@maplefinch.example")
        told: dict[str, Any] = {
            "key": f"m-{next(self.keys)}",
            "channel": "email",
            "subject": "",
            "requester_email": email,
            "requester_name": "Hazel Lindqvist",
            "verified": True,
            "account_id": None,
            "recipient": email,
            **more,
        }
        return IncomingMessage(ticket=ticket, text=text, **told)

    async def person_decided(self, ticket: str = "T-1") -> Handled:
        """Runs what a person's decision has put in the inbox."""
        return await self.handler.handle(PersonDecided(ticket))

    async def time_passes(self, **by: float) -> Handled:
        """Moves the clock, and lets it tick."""
        self.clock.forward(**by)
        return await self.handler.handle(ClockTicked())

    # what a person does

    def look(self, ticket: str = "T-1") -> Look:
        """What a person is shown."""
        return look(self.history, self.reviews, ticket)

    def sign(self, by: str = "Marek", reason: str = "read the thread") -> Signature:
        """A signature under a fresh key."""
        return Signature(by, reason, f"d-{next(self.keys)}")

    # what goes out

    def room(self) -> PostRoom:
        """The post room over a folder of .eml files."""
        channel = EmlChannel(self.outbox, "support@quillstone.example")
        return PostRoom(self.post, self.history, channel, lambda: release_view(self.release))

    def deliver(self) -> list[Delivery]:
        """Lets everything leave that may."""
        return self.room().deliver_waiting()

    def mails(self) -> list[Path]:
        """The .eml files that lie in the outbox."""
        return sorted(self.outbox.glob("*.eml")) if self.outbox.is_dir() else []

    def letters(self) -> list[str]:
        """The words of each mail that left."""
        return [words_of(path.read_bytes()) for path in self.mails()]

    # what stands in the ledger

    def result(self, ticket: str = "T-1") -> TicketResult:
        """What came of the ticket so far."""
        return read_result(self.history, self.reviews, ticket)

    def register(self, ticket: str = "T-1") -> Register:
        """The ticket's lane register."""
        return self.history.register(ticket)

    def review(self, ticket: str = "T-1") -> Review:
        """The ticket's open review; a test fails without one."""
        found = self.reviews.of_ticket(ticket)
        assert found is not None, f"nobody is asked about {ticket}"
        return found

    def events(self, ticket: str = "T-1", *kinds: Kind) -> list[Event]:
        """The ticket's events, all or of some kinds."""
        return [e for e in self.history.timeline(ticket) if not kinds or e.kind in kinds]

    def pieces(self, ticket: str = "T-1") -> list[str]:
        """Which kinds of text were ever put into the outbox."""
        return [d.letter.piece.value for d in self.history.deliveries(ticket)]


@asynccontextmanager
async def open_scene(
    folder: Path,
    release: Release,
    *,
    systems: Systems | None = None,
    clock: Clock | None = None,
    empty_ledger: Path | None = None,
    model: ModelSettings | None = None,
    lookup_seconds: float = 4.0,
) -> AsyncIterator[Scene]:
    """A scene in a folder. ``empty_ledger`` is a migrated file to start from: copying costs less than migrating."""
    folder.mkdir(parents=True, exist_ok=True)
    ledger, ticking = folder / "ledger.sqlite3", clock or Clock()
    if empty_ledger is not None and not ledger.exists():
        shutil.copy(empty_ledger, ledger)
    store = open_store(ledger, clock=ticking)
    try:
        place = systems or its_systems()
        runs = folder / "runs.sqlite3"
        async with open_handler(store, place, release, runs, model, lookup_seconds) as handler:
            yield Scene(folder, store, ticking, release, handler)
    finally:
        store.close()


def earlier(*said: tuple[str, str]) -> tuple[Earlier, ...]:
    """Turns from before the thread came to us."""
    return tuple(Earlier(role, text) for role, text in said)  # type: ignore[arg-type]


def level(result: TicketResult, trigger: str) -> str:
    """A trigger's level."""
    return str(result.triggers[trigger]["level"])


def rules_of(result: TicketResult) -> set[str]:
    """The rows of the law that applied."""
    return {r.rule for r in result.decision.reasons} if result.decision else set()


def filled(draft: str) -> str:
    """The draft with every place that it leaves to the agent filled in."""
    return re.sub(r"\[Agent:[^\]]*\]", "Marek", draft)


def texts_in(value: object) -> list[str]:
    """Every string within plain JSON."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [s for item in value.values() for s in texts_in(item)]
    if isinstance(value, Sequence):
        return [s for item in value for s in texts_in(item)]
    return []
