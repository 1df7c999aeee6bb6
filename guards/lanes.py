"""The three lanes, the three units of escalation, and a decision that carries its reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Lane(IntEnum):
    """Who answers. Ordered: a higher lane is nearer to a person. Lanes only rise (law 3)."""

    AUTONOMOUS = 1
    ASSISTED = 2
    HUMAN_OWNED = 3

    @property
    def title(self) -> str:
        """The article's name for the lane."""
        return {
            Lane.AUTONOMOUS: "Autonomous resolution",
            Lane.ASSISTED: "Assisted response with human send",
            Lane.HUMAN_OWNED: "Human-owned escalation",
        }[self]

    @classmethod
    def read(cls, value: object) -> Lane:
        """The lane of that number; anything else, and any other type, is lane 3 (law 1)."""
        if type(value) is Lane:
            return value
        if type(value) is int:
            return _BY_NUMBER.get(value, cls.HUMAN_OWNED)
        return cls.HUMAN_OWNED


_BY_NUMBER = {int(lane): lane for lane in Lane}
"""Each lane under its plain number; ``Lane.read`` asks it for numbers only, since True and 1.0 equal 1 too."""


class Unit(StrEnum):
    """The unit of work that is escalated."""

    NONE = "none"
    ANSWER = "answer"
    """This reply needs a person before it is sent."""
    ACTION = "action"
    """A state-changing step needs a person's decision."""
    CONVERSATION = "conversation"
    """The whole thread moves to human ownership."""


UNIT_ORDER = (Unit.NONE, Unit.ANSWER, Unit.ACTION, Unit.CONVERSATION)
"""From narrow to broad: the broadest unit names the decision."""


class Consequence(StrEnum):
    """The damage if the ticket were handled wrongly in a plausible way (article, mistake 7)."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Reason:
    """One row of the law that applied."""

    rule: str
    """The row's name: ``security_high``, ``several_mediums``, ``no_source``."""
    words: str
    """The row in a sentence that could be read to a customer."""
    lane: Lane
    """The lane this row alone demands."""

    def to_json(self) -> dict[str, object]:
        """Plain JSON."""
        return {"rule": self.rule, "words": self.words, "lane": int(self.lane)}

    @classmethod
    def from_json(cls, raw: Mapping[str, object]) -> Reason:
        """Reads what ``to_json`` wrote."""
        return cls(str(raw["rule"]), str(raw["words"]), Lane.read(raw["lane"]))


@dataclass(frozen=True, slots=True)
class LaneDecision:
    """Where a ticket belongs, and why."""

    lane: Lane
    """After coverage by approved sources and roll-out."""
    lane_by_risk: Lane
    """What the triggers alone demand."""
    units: tuple[Unit, ...]
    """Every unit that escalates; empty in lane 1."""
    consequence: Consequence
    damage: tuple[str, ...]
    """The kinds of damage at stake: money, access, contract, trust."""
    reasons: tuple[Reason, ...]
    families: tuple[str, ...]
    policy_version: str

    @property
    def unit(self) -> Unit:
        """The broadest unit that escalates."""
        return max(self.units, key=UNIT_ORDER.index, default=Unit.NONE)

    def to_json(self) -> dict[str, object]:
        """Plain JSON; ``from_json`` reads it back."""
        return {
            "lane": int(self.lane),
            "lane_by_risk": int(self.lane_by_risk),
            "unit": self.unit.value,
            "units": [u.value for u in self.units],
            "consequence": self.consequence.value,
            "damage": list(self.damage),
            "reasons": [r.to_json() for r in self.reasons],
            "families": list(self.families),
            "policy_version": self.policy_version,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, object]) -> LaneDecision:
        """Reads what ``to_json`` wrote; an unreadable lane is lane 3."""
        units, damage, families, reasons = (raw[k] for k in ("units", "damage", "families", "reasons"))
        assert isinstance(units, list) and isinstance(damage, list)
        assert isinstance(families, list) and isinstance(reasons, list)
        return cls(
            lane=Lane.read(raw["lane"]),
            lane_by_risk=Lane.read(raw["lane_by_risk"]),
            units=tuple(Unit(u) for u in units),
            consequence=Consequence(str(raw["consequence"])),
            damage=tuple(str(d) for d in damage),
            reasons=tuple(Reason.from_json(r) for r in reasons),
            families=tuple(str(f) for f in families),
            policy_version=str(raw["policy_version"]),
        )
