"""The ports through which actions act; their owners re-check everything before anything leaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from guards.gate import Permit, Piece, Refusal


class Outgoing(Protocol):
    """Where a text for the customer is handed in. It holds no channel: it can only propose."""

    def propose(self, piece: Piece, text: str) -> Permit | Refusal:
        """Asks that a text may leave; whoever decides re-reads the ledger."""


class Notes(Protocol):
    """Where work for people is put down. Nothing of it reaches a customer."""

    def draft(self, text: str) -> object:
        """A reply for an agent to read, change or throw away."""

    def suggest(self, kind: str, source: str) -> object:
        """A macro, article or troubleshooting step that an agent may want."""

    def summarise(self, references: tuple[str, ...]) -> object:
        """The policy texts and articles that an owner may want to open."""


@dataclass(frozen=True, slots=True)
class HandedBack:
    """Notes that are only handed back to the work that made them, which keeps them itself."""

    def draft(self, text: str) -> str:
        """The text."""
        return text

    def suggest(self, kind: str, source: str) -> tuple[str, str]:
        """Kind and source."""
        return kind, source

    def summarise(self, references: tuple[str, ...]) -> tuple[str, ...]:
        """The references."""
        return references


@dataclass(frozen=True, slots=True)
class Ports:
    """All ports of one opening."""

    outgoing: Outgoing
    notes: Notes = field(default_factory=HandedBack)
