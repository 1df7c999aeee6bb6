"""What is known about a ticket's account and world, each fact with its standing, its source and its age."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

FactValue: TypeAlias = str | int | float | bool | None | tuple[str, ...]


class Standing(StrEnum):
    """How far a fact may be relied on (article: "separate known facts from inferred structure")."""

    CONFIRMED = "confirmed"
    """A system of record said so, recently enough, and no other system disagrees."""
    INFERRED = "inferred"
    """Worked out from something confirmed; a person may conclude otherwise."""
    CLAIMED = "claimed"
    """The customer says so; nobody checked."""
    CONFLICTING = "conflicting"
    """Two systems disagree."""
    STALE = "stale"
    """A system of record said so, too long ago for this kind of fact."""
    MISSING = "missing"
    """Nobody could say: the lookup failed, was not allowed, or found nothing."""


WORDS: Mapping[Standing, str] = {
    Standing.CONFIRMED: "confirmed",
    Standing.INFERRED: "likely",
    Standing.CLAIMED: "customer says",
    Standing.CONFLICTING: "systems disagree on",
    Standing.STALE: "possibly out of date:",
    Standing.MISSING: "did not verify",
}
"""The words a packet uses for each standing, so that a reader can tell a fact from an inference."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One named value about the account, the incident, the requester or the attachments."""

    name: str
    """Dotted, lower case: ``account.tier``, ``contract.renewal_in_days``."""
    value: FactValue
    standing: Standing
    source: str
    """The system or person it came from: ``accounts``, ``contracts``, ``customer``."""
    as_of: datetime | None = None
    """When the source last knew it to be true; None where the source keeps no date."""
    note: str = ""
    """Why the standing is what it is (``timed out``, ``contracts says business, accounts says team``)."""

    @property
    def known(self) -> bool:
        """True where the value may be relied on by a rule: confirmed, or inferred from confirmed."""
        return self.standing in (Standing.CONFIRMED, Standing.INFERRED)

    def words(self) -> str:
        """The fact in a packet's careful words, its source and date beside it."""
        label = self.name.replace(".", " ").replace("_", " ")
        shown = ", ".join(self.value) if isinstance(self.value, tuple) else self.value
        dated = f", as of {self.as_of:%Y-%m-%d}" if self.as_of else ""
        noted = f" ({self.note})" if self.note else ""
        if self.standing is Standing.MISSING:
            return f"{WORDS[self.standing]} {label}{noted}"
        return f"{WORDS[self.standing]} {label}: {_plain(shown)} [{self.source}{dated}]{noted}"

    def to_json(self) -> dict[str, object]:
        """Plain JSON; ``from_json`` reads it back to an equal fact."""
        return {
            "name": self.name,
            "value": list(self.value) if isinstance(self.value, tuple) else self.value,
            "standing": self.standing.value,
            "source": self.source,
            "as_of": self.as_of.isoformat() if self.as_of else None,
            "note": self.note,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, object]) -> Fact:
        """Reads what ``to_json`` wrote."""
        value = raw["value"]
        as_of = raw["as_of"]
        return cls(
            str(raw["name"]),
            tuple(str(v) for v in value) if isinstance(value, list) else value,  # type: ignore[arg-type]
            Standing(str(raw["standing"])),
            str(raw["source"]),
            datetime.fromisoformat(str(as_of)) if as_of else None,
            str(raw["note"]),
        )


def _plain(value: object) -> str:
    if value in ("", None):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


@dataclass(frozen=True, slots=True)
class Facts:
    """All facts of one ticket; at most one fact a name."""

    items: tuple[Fact, ...] = ()

    def __iter__(self) -> Iterator[Fact]:
        return iter(self.items)

    def get(self, name: str) -> Fact:
        """The fact of that name, or a missing one: absence is a fact too."""
        for fact in self.items:
            if fact.name == name:
                return fact
        return Fact(name, None, Standing.MISSING, source="nobody", note="not looked up")

    def value(self, name: str) -> FactValue:
        """The value where it may be relied on, else None."""
        fact = self.get(name)
        return fact.value if fact.known else None

    def of(self, standing: Standing) -> tuple[Fact, ...]:
        """The facts of one standing, in their order."""
        return tuple(fact for fact in self.items if fact.standing is standing)

    def to_json(self) -> list[dict[str, object]]:
        """Plain JSON, one object a fact."""
        return [fact.to_json() for fact in self.items]

    @classmethod
    def from_json(cls, raw: Iterable[Mapping[str, object]]) -> Facts:
        """Reads what ``to_json`` wrote."""
        return cls(tuple(Fact.from_json(item) for item in raw))
