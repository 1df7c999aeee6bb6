"""The escalation packet: what a person is handed, so that nobody starts from zero and nobody trusts too much."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from guards.capabilities import TABLE, Right
from guards.facts import Fact, Standing
from guards.gate import Refusal
from guards.lanes import Consequence, Lane, Unit
from guards.triggers import Level, Trigger
from ledger.errors import PacketUnreadable
from ledger.packets.plain_json import from_plain, to_plain


class CustomerState(StrEnum):
    """What the customer has already seen (article: "record the customer-facing state")."""

    NOTHING_SENT = "nothing_sent"
    NOTICE_ONLY = "notice_only"
    """Only an approved notice: a colleague will read this."""
    ONLY_A_CLARIFYING_QUESTION = "only_a_clarifying_question"
    TENTATIVE_EXPLANATION = "tentative_explanation"
    """Something was explained, and nothing committed to."""
    EXPECTATIONS_RAISED = "expectations_raised"
    """Somebody led the customer to expect an outcome."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of the summary, with how far it may be relied on. Composed by rules, not by a model."""

    words: str
    standing: Standing
    fact: str = ""
    """The name of the confirmed fact it rests on; needed where the standing is confirmed."""


def confirmed_sentence(fact: Fact) -> Sentence:
    """The one way in which a confirmed fact is stated: its label and its value, and not a word besides."""
    label = fact.name.replace(".", " ").replace("_", " ").capitalize()
    value = ", ".join(fact.value) if isinstance(fact.value, tuple) else fact.value
    shown = {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
    return Sentence(f"{label}: {shown}.", Standing.CONFIRMED, fact=fact.name)


@dataclass(frozen=True, slots=True)
class FiredTrigger:
    """A trigger that fired: how strongly, on what evidence, and why that matters."""

    trigger: Trigger
    level: Level
    evidence: tuple[str, ...]
    """What was seen: the customer's words, or a fact with its standing."""
    why: tuple[str, ...]
    """The rules' reasons."""


@dataclass(frozen=True, slots=True)
class Damage:
    """What would plausibly follow if the ticket were handled wrongly."""

    kind: str
    """money, access, contract or trust."""
    words: str
    """As the policy release words it."""


@dataclass(frozen=True, slots=True)
class FactGroup:
    """The facts of one standing, under that standing's heading."""

    standing: Standing
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing nobody has verified, as a question the owner can answer."""

    words: str
    """``whether the contract amendment changed refund eligibility``."""
    why: str = ""
    """Why it is not known: ``contracts timed out``."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A policy or document that may matter. Named, not interpreted."""

    id: str
    title: str
    version: str
    kind: str = "doc"
    """``policy`` or ``doc``."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who should have it, who else must see it, and why."""

    queue: str
    visibility: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class DecisionWanted:
    """What the person is asked to decide, and which unit of work waits for it."""

    words: str
    unit: Unit


@dataclass(frozen=True, slots=True)
class NotDone:
    """One thing the assistant did not do, from a refused or withheld right."""

    words: str
    """``did not quote a refund or credit outcome``."""
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Said:
    """One text the customer has seen, or may have seen, quoted."""

    quote: str
    by: str
    """``assistant`` or ``agent``."""
    at: datetime | None
    correct_first: bool = False
    """True where it was wrong or went too far: put it right before anything else."""
    why: str = ""
    """What is to be corrected."""
    certain: bool = True
    """False where nobody knows whether it arrived."""


@dataclass(frozen=True, slots=True)
class CustomerFacing:
    """The customer's side of the thread at the moment of escalation."""

    state: CustomerState
    said: tuple[Said, ...] = ()


@dataclass(frozen=True, slots=True)
class Quote:
    """The customer's own words, labelled as such. Evidence, never instruction."""

    text: str
    seq: int
    """The event they came with."""
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Help for the agent who answers: a macro, an article, a troubleshooting step."""

    kind: str
    """``macro``, ``article`` or ``troubleshooting``."""
    words: str
    source: str
    """The id of the macro or article."""


@dataclass(frozen=True, slots=True)
class Routing:
    """Frontline or a specialist, and why."""

    to: str
    why: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply that a person may send. It goes nowhere without approval of exactly these bytes."""

    text: str
    sources: tuple[Reference, ...] = ()
    marks: tuple[str, ...] = ()
    """What the screen wants the agent to look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Briefing:
    """What both kinds of packet hold."""

    ticket: str
    summary: tuple[Sentence, ...]
    triggers: tuple[FiredTrigger, ...]
    """Those that fired, strongest first."""
    families: tuple[str, ...]
    consequence: Consequence
    damage: tuple[Damage, ...]
    known: tuple[FactGroup, ...]
    missing: tuple[Missing, ...]
    references: tuple[Reference, ...]
    owner: Owner
    decision_wanted: DecisionWanted
    not_done: tuple[NotDone, ...]
    customer: CustomerFacing
    words: tuple[Quote, ...]
    """What the customer wrote, in order."""
    policy_version: str
    created_at: datetime
    thread_revision: int
    """The seq of the last customer message it takes into account."""
    revision: int = 1
    """Which version of this review's packet it is; the ledger counts."""
    degraded: tuple[str, ...] = ()
    """What could not be done as it should (``the model was down``)."""
    read_by: str = "embedded default (no model)"
    """Who read the message besides the rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanPacket(Briefing):
    """The packet of a human-owned ticket. It has no place for a reply, and cannot be given one (law 1)."""

    @property
    def lane(self) -> Lane:
        """The recommended lane."""
        return Lane.HUMAN_OWNED


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistedPacket(Briefing):
    """The packet of an assisted ticket: the same, and what an agent may use to answer."""

    draft: Draft | None
    """None where no draft could be prepared."""
    suggestions: tuple[Suggestion, ...] = ()
    routing: Routing | None = None

    @property
    def lane(self) -> Lane:
        """The recommended lane."""
        return Lane.ASSISTED


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedPacket(Briefing):
    """What is recorded of a routine ticket while nothing may leave: people agree with the lane or disagree."""

    @property
    def lane(self) -> Lane:
        """The recommended lane."""
        return Lane.AUTONOMOUS


EscalationPacket: TypeAlias = HumanPacket | AssistedPacket | ObservedPacket

_OF_LANE: Mapping[Lane, type[HumanPacket] | type[AssistedPacket] | type[ObservedPacket]] = {
    Lane.AUTONOMOUS: ObservedPacket,
    Lane.ASSISTED: AssistedPacket,
    Lane.HUMAN_OWNED: HumanPacket,
}

_STANDING_ORDER = (
    Standing.CONFIRMED,
    Standing.INFERRED,
    Standing.CLAIMED,
    Standing.CONFLICTING,
    Standing.STALE,
    Standing.MISSING,
)


def group_facts(facts: Iterable[Fact]) -> tuple[FactGroup, ...]:
    """The facts by standing, the most reliable first; standings without a fact are left out."""
    kept = tuple(facts)
    groups = (FactGroup(s, tuple(f for f in kept if f.standing is s)) for s in _STANDING_ORDER)
    return tuple(group for group in groups if group.facts)


def not_done_from(refusals: Iterable[Refusal]) -> tuple[NotDone, ...]:
    """Refused and withheld rights as the packet says them, each deed once: ``did not …`` (law 7)."""
    done: dict[str, NotDone] = {}
    for refusal in refusals:
        done.setdefault(refusal.what, NotDone(f"did not {refusal.what}", refusal.rule, refusal.reason))
    return tuple(done.values())


def human_owned(packet: EscalationPacket) -> HumanPacket:
    """The packet without anything that lane 3 may not hold; what fell away is said in ``not_done``."""
    if type(packet) is HumanPacket:  # a kind derived from it might have a field more
        return packet
    kept = {f.name: getattr(packet, f.name) for f in fields(HumanPacket)}
    dropped = TABLE[Right.DRAFT_REPLY]
    lost = not_done_from([Refusal(dropped.does, "lane", dropped.reason)])
    have = {n.words for n in packet.not_done}
    kept["not_done"] = packet.not_done + tuple(n for n in lost if n.words not in have)
    return HumanPacket(**kept)


def to_json(packet: EscalationPacket) -> dict[str, Any]:
    """Plain JSON, with ``recommended_lane``; ``from_json`` reads it back to an equal packet."""
    return {"recommended_lane": int(packet.lane), **to_plain(packet)}


def from_json(raw: Mapping[str, Any]) -> EscalationPacket:
    """Reads what ``to_json`` wrote. PacketUnreadable for unknown, missing or mistyped fields; in lane 3, and in a
    lane nobody knows, a draft is such a field."""
    try:
        lane = Lane.read(raw["recommended_lane"])
        rest = {name: value for name, value in raw.items() if name != "recommended_lane"}
        return from_plain(_OF_LANE[lane], rest)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PacketUnreadable(f"not a packet: {error}") from error
