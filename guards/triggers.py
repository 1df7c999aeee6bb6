"""The six escalation triggers, their levels, and the matrix that scores one ticket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from guards.errors import UnknownName


class Trigger(StrEnum):
    """The article's six families of business risk; model confidence is not among them."""

    POLICY_SENSITIVITY = "policy_sensitivity"
    SECURITY_IDENTITY = "security_identity"
    MISSING_CONTEXT = "missing_context"
    ACTION_IRREVERSIBILITY = "action_irreversibility"
    CUSTOMER_PRESSURE = "customer_pressure"
    MULTI_DOMAIN_COMPLEXITY = "multi_domain_complexity"


class Level(IntEnum):
    """How strongly a trigger fires. Ordered: comparing levels is comparing severity."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2

    @property
    def word(self) -> str:
        """``low``, ``medium`` or ``high``."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Level:
        """The level of that word; UnknownName for any other."""
        try:
            return _BY_WORD[word]
        except KeyError:
            raise UnknownName(f"level {word!r} is not one of low, medium, high") from None


_BY_WORD = {level.word: level for level in Level}


class Boundary(StrEnum):
    """The situations the article gives to a person outright, whatever else is low."""

    SECURITY_SENSITIVE = "security_sensitive"
    CONTRACT_INTERPRETATION = "contract_interpretation"
    SEVERE_DISSATISFACTION = "severe_dissatisfaction"
    MAJOR_CREDIT = "major_credit"
    INCIDENT_COMMERCE = "incident_commerce"
    LEGAL_OR_EXECUTIVE = "legal_or_executive"
    NO_DECISIVE_CONTEXT = "no_decisive_context"


class Witness(StrEnum):
    """Who raised a signal."""

    FACTS = "facts"
    TEXT = "text"
    HEAD = "head"
    MODEL = "model"
    LAW = "law"


@dataclass(frozen=True, slots=True)
class Signal:
    """One observation that a trigger is at least at some level."""

    id: str
    """The rule that saw it (``renewal_near``), as named in the policy release or the law."""
    trigger: Trigger
    level: Level
    by: Witness
    evidence: str
    """What was seen: the customer's words, quoted; or the fact and its standing."""
    why: str
    """The rule's reason, as its author wrote it."""
    value: str = ""
    """The raw value, as text, kept so that the decision can be made again under another policy."""
    boundary: Boundary | None = None
    """The outright boundary it crosses, if any."""

    def to_json(self) -> dict[str, object]:
        """Plain JSON; ``from_json`` reads it back."""
        return {
            "id": self.id,
            "trigger": self.trigger.value,
            "level": self.level.word,
            "by": self.by.value,
            "evidence": self.evidence,
            "why": self.why,
            "value": self.value,
            "boundary": self.boundary.value if self.boundary else None,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, object]) -> Signal:
        """Reads what ``to_json`` wrote."""
        boundary = raw.get("boundary")
        return cls(
            id=str(raw["id"]),
            trigger=Trigger(str(raw["trigger"])),
            level=Level.of(str(raw["level"])),
            by=Witness(str(raw["by"])),
            evidence=str(raw["evidence"]),
            why=str(raw["why"]),
            value=str(raw.get("value", "")),
            boundary=Boundary(str(boundary)) if boundary else None,
        )


@dataclass(frozen=True, slots=True)
class Matrix:
    """The article's escalation matrix for one ticket: every trigger has a level, each with its evidence."""

    signals: tuple[Signal, ...] = ()

    def level(self, trigger: Trigger) -> Level:
        """The highest level any signal gives: severity is compared, never averaged."""
        return max((s.level for s in self.signals if s.trigger is trigger), default=Level.LOW)

    def seen(self, trigger: Trigger) -> tuple[Signal, ...]:
        """The signals of one trigger, strongest first."""
        found = [s for s in self.signals if s.trigger is trigger]
        return tuple(sorted(found, key=lambda s: -s.level))

    @property
    def boundaries(self) -> tuple[Boundary, ...]:
        """The outright boundaries crossed, each once, in the law's order."""
        crossed = {s.boundary for s in self.signals if s.boundary}
        return tuple(b for b in Boundary if b in crossed)

    def at_least(self, level: Level) -> tuple[Trigger, ...]:
        """The triggers at that level or above, in the law's order."""
        return tuple(t for t in Trigger if self.level(t) >= level)

    def to_json(self) -> dict[str, dict[str, object]]:
        """``{trigger: {level, evidence, by}}`` for every trigger, as the issue's ``assess`` prints it."""
        return {
            t.value: {
                "level": self.level(t).word,
                "evidence": [s.evidence for s in self.seen(t)],
                "by": sorted({f"{s.by.value}:{s.id}" for s in self.seen(t)}),
            }
            for t in Trigger
        }
