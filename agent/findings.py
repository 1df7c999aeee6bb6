"""What a run has found out so far: the ledger holds it, and the process that found it need not read it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from agent.sources import Sources
from guards.assess import Assessment
from guards.facts import Facts
from guards.lanes import LaneDecision
from ledger.errors import LedgerError, WordsErased
from ledger.events import Event
from ledger.worker import WorkerLedger

MOST = 600
"""Findings kept at once: those of some two hundred runs under way."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Gathered:
    """What gather_context found."""

    facts: Facts
    sources: Sources


@dataclass(frozen=True, slots=True)
class Assessed:
    """What assess_triggers found."""

    assessment: Assessment
    failures: tuple[str, ...]
    """Assessors that were configured and did not answer."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Each step records what it found under its own key; the steps after it ask here.

    A run's state carries none of it: what customers wrote is in no checkpoint, and no fact or decision can be forged there.
    After a crash the next process reads it from the ledger. LedgerError where the ledger does not hold it, by a power cut or
    because another release assessed (the run is then begun again); WordsErased where somebody erased it.
    """

    ledger: WorkerLedger
    under: str = ""
    """The release that assesses: what another one made of a message is not this one's."""
    _kept: dict[tuple[str, int, str], Any] = field(default_factory=dict, repr=False, compare=False)

    def keep(self, ticket: str, seq: int, found: Gathered | Assessed | LaneDecision, *, first: bool = True) -> None:
        """Keeps what the step has just recorded. Where an earlier try of the run recorded it (not ``first``), that stands:
        it is read from the ledger, here as in the next process."""
        if not first:
            self._kept.pop((ticket, seq, _STEP[type(found)]), None)
            return
        while len(self._kept) >= MOST:
            self._kept.pop(next(iter(self._kept)))
        self._kept[ticket, seq, _STEP[type(found)]] = found

    def gathered(self, ticket: str, seq: int) -> Gathered:
        """The facts and sources for that event."""
        return self._found(ticket, seq, Gathered, _gathered)

    def assessed(self, ticket: str, seq: int) -> Assessed:
        """The triggers of that event."""
        return self._found(ticket, seq, Assessed, _assessed)

    def decided(self, ticket: str, seq: int) -> LaneDecision:
        """The decision on that event, as it was recorded; the register may have risen since."""
        return self._found(ticket, seq, LaneDecision, lambda event: LaneDecision.from_json(_words(event)))

    def key_of(self, kind: type, seq: int) -> str:
        """Under which a finding of that kind is recorded."""
        key = f"{seq}/{_STEP[kind]}"
        return f"{key}/{self.under}" if kind is Assessed and self.under else key

    def forget(self, ticket: str, seq: int) -> None:
        """The run is over."""
        for step in _STEP.values():
            self._kept.pop((ticket, seq, step), None)

    def _found(self, ticket: str, seq: int, kind: type[T], read: Callable[[Event], T]) -> T:
        kept = self._kept.get((ticket, seq, _STEP[kind]))
        if isinstance(kept, kind):
            return kept
        event = self.ledger.recorded(ticket, self.key_of(kind, seq))
        if event is None:
            raise LedgerError(f"ticket {ticket!r}: the ledger does not hold what {_STEP[kind]} of event {seq} were")
        return read(event)


_STEP: dict[type, str] = {Gathered: "facts", Assessed: "triggers", LaneDecision: "lane"}


def _gathered(event: Event) -> Gathered:
    words = _words(event)
    return Gathered(Facts.from_json(words["facts"]), Sources.from_json(words["sources"]))


def _assessed(event: Event) -> Assessed:
    failures: Sequence[str] = event.head["failures"]
    return Assessed(Assessment.from_json(_words(event)), tuple(failures))


def _words(event: Event) -> Any:
    if event.body is None:
        raise LedgerError(f"ticket {event.ticket!r}: record {event.seq} holds no words")
    if event.body.text is None:
        raise WordsErased(f"ticket {event.ticket!r} was erased: no run goes on with what it had read")
    return event.body.json()
