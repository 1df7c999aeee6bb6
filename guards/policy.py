"""A policy release: the operators' rules as data, checked against the law when it is read."""

from __future__ import annotations

import hashlib
import re
import tomllib
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from guards.errors import PolicyError
from guards.lanes import Consequence, Unit
from guards.triggers import Boundary, Level, Trigger

_VERSION = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(\.[0-9]+)?(-[a-z0-9-]+)?$"
LevelWord = Literal["low", "medium", "high"]
Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
Words = Annotated[str, Field(min_length=1, max_length=600)]


class Phase(StrEnum):
    """How far roll-out has come (article: progressive roll-out). A phase only narrows what the table allows."""

    OBSERVE_ONLY = "observe_only"
    NARROW = "narrow"
    ASSISTED = "assisted"
    EXPANSION = "expansion"


class OwnerGroup(StrEnum):
    """Who answers for a rule; a change to it needs that group's approval."""

    SUPPORT_LEADERSHIP = "support_leadership"
    OPERATIONS = "operations"
    ENGINEERING = "engineering"
    SECURITY = "security"
    LEGAL = "legal"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Guidance(_Part):
    """When a trigger is low, medium and high, in words that two reviewers would apply alike."""

    low: Words
    medium: Words
    high: Words


class SignalRule(_Part):
    """One observation over a fact or over the customer's words, and the level it makes of a trigger."""

    id: Slug
    trigger: Trigger
    level: LevelWord
    why: Words
    boundary: Boundary | None = None
    """The outright boundary that it crosses: lane 3 whatever else is low."""
    says: Annotated[str, Field(max_length=120)] = ""
    """A packet's clause for it, after "the customer": ``asks for money back``."""
    open_question: Annotated[str, Field(max_length=200)] = ""
    """What nobody has verified when it fires, after "whether": ``anybody approved a concession``."""
    fact: str | None = None
    """The fact it looks at; a fact that may not be relied on never satisfies a comparison."""
    is_: str | int | bool | None = Field(default=None, alias="is")
    any_of: tuple[str, ...] | None = None
    at_least: int | None = None
    at_most: int | None = None
    text: tuple[str, ...] = ()
    """Regular expressions over the normalised, lower-cased words of the customer; one match suffices."""
    unless: tuple[str, ...] = ()
    """Expressions that make this one rule (never another's level) silent where they match the same sentence."""
    families: tuple[str, ...] = ()
    """Only where one of these families is touched; empty means everywhere."""
    personal: bool = False
    """Silent on general questions: "how long do refunds take?" asks for no refund (``assess.is_general``)."""
    needs: tuple[str, ...] = ()
    """Facts that an answer to this would rest on; where one is not known, context is missing. A fact that no system
    holds is never known."""
    untrusted: bool = False
    """Also looked for in what else reaches a machine: account notes, articles, quoted mail."""
    owned_by: OwnerGroup | None = None
    """Who answers for this one; None leaves it to the release's ``owned_by`` table."""

    @model_validator(mode="after")
    def _one_kind(self) -> SignalRule:
        comparisons = [x for x in (self.is_, self.any_of, self.at_least, self.at_most) if x is not None]
        if self.fact is not None and (self.text or len(comparisons) != 1):
            raise ValueError("a rule over a fact needs exactly one of: is, any_of, at_least, at_most")
        if self.fact is None and (not self.text or comparisons):
            raise ValueError("a rule needs either `fact` with one comparison, or `text` with expressions")
        if self.level == "low":
            raise ValueError("a signal can only raise: its level is medium or high")
        return self

    @field_validator("text", "unless")
    @classmethod
    def _expressions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for expression in value:
            try:
                re.compile(expression)
            except re.error as error:
                raise ValueError(f"the expression {expression!r} is not valid: {error}") from error
        return value

    @cached_property
    def text_pattern(self) -> re.Pattern[str] | None:
        """All expressions as one."""
        return _joined(self.text)

    @cached_property
    def unless_pattern(self) -> re.Pattern[str] | None:
        """All exceptions as one."""
        return _joined(self.unless)


class Family(_Part):
    """An issue family of the queue: what it touches, what must be known, and where it may be answered."""

    id: Slug
    title: Words
    domain: Slug
    """Families of different domains in one ticket make it multi-domain."""
    text: tuple[str, ...]
    """Expressions that show the family is touched."""
    otherwise: tuple[str, ...] = ()
    """Weaker expressions, tried only where no family has shown itself."""
    needs: tuple[str, ...] = ()
    """Facts without which a question about the customer's own record cannot be answered."""
    decisive: tuple[str, ...] = ()
    """Facts that a decision in this family hangs on."""
    tells: tuple[str, ...] = ()
    """Beginnings of names of account facts that a verified requester may be told by the assistant itself."""
    owned_by: OwnerGroup | None = None
    """Who answers for this one; None leaves it to the release's ``owned_by`` table."""

    @field_validator("text", "otherwise")
    @classmethod
    def _expressions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return SignalRule._expressions(value)

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """All expressions as one."""
        return _joined(self.text)

    @cached_property
    def otherwise_pattern(self) -> re.Pattern[str] | None:
        """The weaker expressions as one."""
        return _joined(self.otherwise)


class ConsequenceRow(_Part):
    """How much damage a wrong but plausible handling does, when a trigger is medium and when it is high."""

    medium: Consequence
    high: Consequence


class CostlyPair(_Part):
    """Two domains whose mixture is high at once (incident and commerce), rather than medium."""

    domains: tuple[Slug, Slug]
    why: Words
    boundary: Boundary | None = None
    owned_by: OwnerGroup | None = None


class OwnerRule(_Part):
    """Who should own an escalation; the first rule that fits is taken."""

    queue: Slug
    visible_to: tuple[Slug, ...] = ()
    why: Words
    families: tuple[str, ...] = ()
    boundaries: tuple[Boundary, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    """Any of these is at least medium, and none of the six is higher."""
    signals: tuple[str, ...] = ()
    """Any of these signal ids fired."""
    lane: Literal[2, 3] | None = None
    owned_by: OwnerGroup | None = None


class Notice(_Part):
    """An approved text that tells a customer a colleague will read the ticket; nothing in it is filled in."""

    id: Slug
    text: Words
    boundaries: tuple[Boundary, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    lane: Literal[2, 3] | None = None
    approved_by: Words
    owned_by: OwnerGroup | None = None


class Texts(_Part):
    """The approved sentences of lane 1 that are not quotations."""

    greeting: Words
    closing: Words
    source_line: Words
    """Contains ``{title}`` and ``{version}``."""
    fact_line: Words
    """Contains ``{label}`` and ``{value}``: how a confirmed fact is told."""
    clarify: Words
    """Contains ``{options}``: the one clarifying question."""
    closed: Words
    approved_by: Words


class Freshness(_Part):
    """After how many days a system's record counts as stale."""

    accounts: int = Field(ge=0)
    contracts: int = Field(ge=0)
    entitlements: int = Field(ge=0)
    changes: int = Field(ge=0)
    credits: int = Field(ge=0)
    incidents: int = Field(ge=0)
    contacts: int = Field(ge=0)


class Rollout(_Part):
    """Where autonomy has been earned. Narrows; cannot widen."""

    phase: Phase
    autonomous_families: tuple[Slug, ...] = ()
    family_phase: dict[Slug, Phase] = Field(default_factory=dict)
    """How far each family has come; where there is such a table, a family that it does not name is observe-only."""


class Promotion(_Part):
    """What a family must show before it may go further. Each bound is exact, at ``confidence``, on the bad side."""

    confidence: float = Field(default=0.95, ge=0.8, lt=1)
    audited_at_least: int = Field(default=60, ge=1)
    """This many tickets that never escalated were audited, however good the rest is."""
    high_risk_miss_at_most: float = Field(default=0.05, gt=0, lt=1)
    override_at_most: float = Field(default=0.15, gt=0, lt=1)
    recontact_at_most: float = Field(default=0.25, gt=0, lt=1)
    useful_at_least: float = Field(default=0.5, gt=0, lt=1)
    """Share of rated packets that saved time."""
    agreed_at_least: float = Field(default=0.8, gt=0, lt=1)
    """Share of tickets where people who had not seen our lane named the same one, or a lower."""


class Review(_Part):
    """How a person's work on an escalation is bounded in time."""

    approval_expires_hours: int = Field(ge=1, le=168)
    deadline_hours: int = Field(ge=1, le=336)
    """When nobody has decided by then, the review is re-routed (queues may set a shorter time)."""
    deadline_queue: Slug


class Assessors(_Part):
    """How the opinions beside the rules are taken."""

    text_head: bool = True
    """The packaged local text model takes part."""
    head_medium: float = Field(default=0.55, gt=0, le=1)
    """How probable the local text model must hold a trigger to be at least medium for that to count."""
    head_high: float = Field(default=0.4, gt=0, le=1)
    """The same for high, where medium counts already."""
    head_record: float = Field(default=0.88, gt=0, le=1)
    """How probable it must be that the customer's own record is needed."""
    head_asks_human: float = Field(default=0.4, gt=0, le=1)
    """How probable it must be that the customer asks for a person."""
    model_policy: Literal["raise_only"] = "raise_only"


class Release(_Part):
    """One version of the operators' rules."""

    version: Annotated[str, Field(pattern=_VERSION)]
    title: Words
    owner: Words
    effective: date
    reason: Annotated[str, Field(max_length=600)] = ""
    """Why this version came to be; ``propose`` asks for it."""
    supersedes: Annotated[str, Field(pattern=_VERSION)] | None = None
    """The version that it was made from."""
    owned_by: dict[str, OwnerGroup] = Field(default_factory=dict)
    """Who answers for a section, a trigger or a boundary, by its name; what is not named is as ``policy_owners`` says."""
    several_mediums: int = Field(ge=2, le=6)
    """This many triggers at medium or above give the ticket to a person's ownership."""
    rollout: Rollout
    promotion: Promotion = Promotion()
    review: Review
    freshness: Freshness
    assessors: Assessors
    guidance: dict[Trigger, Guidance]
    units: dict[Trigger, Unit]
    damage: dict[Trigger, tuple[Literal["money", "access", "contract", "trust"], ...]]
    damage_words: dict[Literal["money", "access", "contract", "trust"], Words]
    """What each kind of damage would look like here."""
    decision: dict[Trigger, Words]
    """What a person is asked to decide when the trigger fires."""
    consequence: dict[Trigger, ConsequenceRow]
    family: tuple[Family, ...]
    costly_pair: tuple[CostlyPair, ...] = ()
    signal: tuple[SignalRule, ...]
    owner_rule: tuple[OwnerRule, ...]
    notice: tuple[Notice, ...]
    texts: Texts
    digest: str = ""
    """SHA-256 of the release's text, hex; filled in by ``parse_release``."""

    @model_validator(mode="after")
    def _whole(self) -> Release:
        for table, name in (
            (self.guidance, "guidance"),
            (self.units, "units"),
            (self.damage, "damage"),
            (self.consequence, "consequence"),
            (self.decision, "decision"),
        ):
            if missing := [t.value for t in Trigger if t not in table]:
                raise ValueError(f"[{name}] has no row for {', '.join(missing)}")
        if len(self.damage_words) != 4:
            raise ValueError("[damage_words] needs a line for money, access, contract and trust")
        _unique("family", [f.id for f in self.family])
        _unique("signal", [s.id for s in self.signal])
        _unique("notice", [n.id for n in self.notice])
        known = {f.id for f in self.family}
        for who, named in (
            ("rollout.autonomous_families", self.rollout.autonomous_families),
            ("rollout.family_phase", tuple(self.rollout.family_phase)),
            *((f"signal {s.id}", s.families) for s in self.signal),
            *((f"owner_rule {o.queue}", o.families) for o in self.owner_rule),
        ):
            if strange := sorted(set(named) - known):
                raise ValueError(f"{who} names families that do not exist: {', '.join(strange)}")
        ownable = {*SECTIONS, *(t.value for t in Trigger), *(b.value for b in Boundary)}
        if strange := sorted(set(self.owned_by) - ownable):
            raise ValueError(f"[owned_by] names no section, trigger or boundary: {', '.join(strange)}")
        domains = {f.domain for f in self.family}
        for pair in self.costly_pair:
            if strange := sorted(set(pair.domains) - domains):
                raise ValueError(f"costly_pair names domains that no family has: {', '.join(strange)}")
        ids = {s.id for s in self.signal}
        for owner in self.owner_rule:
            if strange := sorted(set(owner.signals) - ids):
                raise ValueError(f"owner_rule {owner.queue} names unknown signals: {', '.join(strange)}")
        last = self.owner_rule[-1] if self.owner_rule else None
        if last is None or last.families or last.boundaries or last.triggers or last.signals or last.lane:
            raise ValueError("the last owner_rule must be unconditional, so that every ticket finds a person")
        for lane in (2, 3):
            if not any(n.lane in (lane, None) and not n.boundaries and not n.triggers for n in self.notice):
                raise ValueError(f"lane {lane} has no unconditional notice")
        if Unit.NONE in self.units.values():
            raise ValueError("[units] every trigger escalates something: answer, action or conversation")
        return self

    def family_of(self, family_id: str) -> Family | None:
        """The family of that id."""
        return next((f for f in self.family if f.id == family_id), None)


SECTIONS = (
    *("owner", "several_mediums", "rollout", "promotion", "review", "freshness", "assessors", "owned_by"),
    *("guidance", "units", "damage", "damage_words", "decision", "consequence"),
    *("family", "costly_pair", "signal", "owner_rule", "notice", "texts"),
)
"""Everything in a release that is a rule; the rest (version, title, date, reason) tells of it."""


def _unique(what: str, ids: list[str]) -> None:
    twice = sorted({i for i in ids if ids.count(i) > 1})
    if twice:
        raise ValueError(f"two {what} entries are called {', '.join(twice)}")


def _joined(expressions: tuple[str, ...]) -> re.Pattern[str] | None:
    # Line by line: one search over all sentences, each on a line of its own, then sees what one a sentence would.
    return re.compile("|".join(f"(?:{e})" for e in expressions), re.MULTILINE) if expressions else None


def parse_release(text: str, name: str) -> Release:
    """Reads a release from TOML text. PolicyError names the file, the place and what to do."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyError(
            f"{name}: not valid TOML: {error}. Mend that line and run `lanewise policy check`."
        ) from error
    if "digest" in raw:
        raise PolicyError(f"{name}: digest: it is computed from the text and may not stand in it; remove the line")
    raw["digest"] = hashlib.sha256(text.encode()).hexdigest()
    try:
        return Release.model_validate(raw)
    except ValidationError as error:
        lines = []
        for item in error.errors():
            where = ".".join(str(part) for part in item["loc"]) or "the release as a whole"
            if item["type"] == "extra_forbidden":
                lines.append(f"{where}: this key is not known; remove it or correct its spelling")
            else:
                lines.append(f"{where}: {item['msg'].removeprefix('Value error, ')}")
        raise PolicyError(f"{name}: the release cannot be used:\n  " + "\n  ".join(lines)) from error


def level_of(rule: SignalRule) -> Level:
    """A rule's level as a level."""
    return Level.of(rule.level)
