"""The systems of record: what each one holds, and the protocol through which it is asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol, TypeAlias

# ── who the customer is ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """One customer account."""

    account_id: str
    name: str
    domain: str
    """The mail domain that was verified for the account, lower case; empty where none was."""
    tier: str
    plan: str
    standard_plan: bool
    """False where the plan is not one of the published ones."""
    segment: str
    region: str
    status: str
    seats: int
    csm: str
    """The customer success manager; empty where the account has none."""
    as_of: datetime


@dataclass(frozen=True, slots=True)
class PersonRecord:
    """One person of a customer's, as the account's own directory knows them."""

    email: str
    """Lower case."""
    name: str
    account_id: str
    role: str
    executive: bool
    as_of: datetime


class Accounts(Protocol):
    """Accounts and their people."""

    async def account(self, account_id: str) -> AccountRecord | None:
        """The account of that id."""

    async def account_of_domain(self, domain: str) -> AccountRecord | None:
        """The one account that verified this mail domain; None where none did, or several."""

    async def person(self, email: str) -> PersonRecord | None:
        """The person with that address."""


# ── what was agreed ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class NegotiatedTerm:
    """A clause that differs from the standard terms."""

    topic: str
    summary: str


@dataclass(frozen=True, slots=True)
class Amendment:
    """A signed change of the contract."""

    reference: str
    reflected: bool
    """True once the account record shows it."""
    topic: str
    summary: str


@dataclass(frozen=True, slots=True)
class ContractRecord:
    """The contract of one account."""

    account_id: str
    reference: str
    billing_cycle: str
    """``monthly``, ``quarterly``, ``annual``, or ``none``."""
    cycle_start: date
    renewal_date: date | None
    """None where the contract runs on without one."""
    negotiated_terms: tuple[NegotiatedTerm, ...]
    amendments: tuple[Amendment, ...]
    exception_terms_present: bool
    as_of: datetime
    tier: str = ""
    """The tier as the contract has it; empty where the contract system does not say."""
    plan: str = ""
    """The plan as the contract has it; empty where it does not say."""
    status: str = ""
    """The account's status as the contract has it; empty where it does not say."""


class Contracts(Protocol):
    """Contracts and their amendments."""

    async def contract(self, account_id: str) -> ContractRecord | None:
        """The account's contract; None where the system answers that there is none."""


@dataclass(frozen=True, slots=True)
class EntitlementRecord:
    """Whether one account has one feature, and how much of it."""

    account_id: str
    feature: str
    entitled: bool
    limit: float | None
    used: float | None
    unit: str
    as_of: datetime


class Entitlements(Protocol):
    """What each account may use."""

    async def entitlements(self, account_id: str) -> tuple[EntitlementRecord, ...]:
        """One record a feature; empty where nothing is on record."""


# ── what happened lately: logs, which also say how far they reach ───────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """A change of the account, its people or its settings."""

    account_id: str
    at: datetime
    kind: str
    """``role_change``, ``owner_change``, ``plan_change``, ``seat_change``, …"""
    subject: str
    by: str
    detail: str


@dataclass(frozen=True, slots=True)
class CreditRecord:
    """Money that was given: a service credit, a goodwill credit, a refund."""

    account_id: str
    at: datetime
    kind: str
    amount: float
    currency: str
    reason: str
    incident_id: str
    """Empty where it belongs to no incident."""
    period_end: date | None
    """The last day of the period it is set against; None where it has none."""


@dataclass(frozen=True, slots=True)
class ContactRecord:
    """One earlier contact with support."""

    account_id: str
    email: str
    at: datetime
    family: str
    subject: str
    resolved: bool
    ticket_id: str


@dataclass(frozen=True, slots=True)
class IncidentRecord:
    """One incident."""

    incident_id: str
    title: str
    status: str
    """``investigating``, ``identified``, ``monitoring`` or ``resolved``."""
    started_at: datetime
    resolved_at: datetime | None
    components: tuple[str, ...]
    regions: tuple[str, ...]
    account_ids: tuple[str, ...] | None
    """The accounts affected; None where everybody in those regions is."""
    public_summary: str
    """What the status page says."""
    as_of: datetime

    @property
    def active(self) -> bool:
        """True until it is resolved."""
        return self.status != "resolved"

    def affects(self, account_id: str, region: str) -> bool:
        """True where the record names the account, or everybody in its region."""
        if self.account_ids is not None:
            return account_id in self.account_ids
        return not self.regions or not region or region in self.regions


@dataclass(frozen=True, slots=True)
class ChangeLog:
    """An account's changes, and up to when the system knows of any: silence of an old log proves nothing."""

    records: tuple[ChangeRecord, ...]
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class CreditLog:
    """An account's credits and refunds, and up to when the system knows of any."""

    records: tuple[CreditRecord, ...]
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class ContactLog:
    """An account's earlier contacts, and up to when the system knows of any."""

    records: tuple[ContactRecord, ...]
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class IncidentLog:
    """All incidents, and up to when the system knows of any."""

    records: tuple[IncidentRecord, ...]
    as_of: datetime | None


class Changes(Protocol):
    """Recent changes of accounts."""

    async def changes(self, account_id: str) -> ChangeLog:
        """All changes on record, in any order."""


class Credits(Protocol):
    """Credits and refunds already given."""

    async def credits(self, account_id: str) -> CreditLog:
        """All of them on record, in any order."""


class Contacts(Protocol):
    """Earlier contacts with support."""

    async def contacts(self, account_id: str) -> ContactLog:
        """All of them on record, in any order."""


class Incidents(Protocol):
    """Incidents, past and present. What it holds for the public may be read for anybody."""

    async def incidents(self) -> IncidentLog:
        """All of them on record, in any order."""


# ── what may be said, and by whom ───────────────────────────────────────────────────────────────────────────


class Audience(StrEnum):
    """Who an article was written for. Only a public one may ground what a customer reads."""

    PUBLIC = "public"
    INTERNAL = "internal"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Article:
    """One version of one knowledge article. Its text is untrusted until ``knowledge.may_ground`` says yes."""

    article_id: str
    title: str
    version: int
    audience: Audience
    approved_by: str
    """Empty where nobody approved it."""
    approved_on: date | None
    review_by: date | None
    """The last day on which it may be relied on."""
    family: str
    tags: tuple[str, ...]
    questions: tuple[str, ...]
    """Questions it answers, in a customer's words."""
    body: str
    file: str = ""
    """Where it stands in the knowledge folder."""
    not_answered: tuple[str, ...] = ()
    """Questions that look as if it answered them, and that it does not: those go to a person."""

    @property
    def name(self) -> str:
        """Id and version: ``audit-log v7``."""
        return f"{self.article_id} v{self.version}"


@dataclass(frozen=True, slots=True)
class Hit:
    """An article that a search found."""

    article: Article
    score: float
    """Higher is better; comparable only within one search."""
    lexical: float
    """The words' share of it: BM25, 0 where no word matched."""
    semantic: float | None
    """What the injected ranking said; None where none was injected."""


Rank: TypeAlias = Callable[[str, Sequence[str]], Sequence[float]]
"""``rank(query, texts)`` gives one closeness a text, higher is closer."""


class Knowledge(Protocol):
    """The approved articles."""

    async def search(self, words: str, audiences: Collection[Audience], limit: int) -> tuple[Hit, ...]:
        """The articles nearest to any words whatever, best first; never raises on what a customer wrote."""

    async def articles(self, audiences: Collection[Audience]) -> tuple[Article, ...]:
        """All current articles of those audiences, in any order."""

    async def article(self, article_id: str) -> Article | None:
        """The current version of that article."""


@dataclass(frozen=True, slots=True)
class Macro:
    """A text that agents send by hand. Nothing in it is filled in by the assistant."""

    macro_id: str
    title: str
    family: str
    version: int
    approved_by: str
    approved_on: date
    body: str


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue of people that a ticket can be given to."""

    queue_id: str
    title: str
    owner: str
    group: str
    """``frontline`` or ``specialist``."""
    handles: tuple[str, ...]
    hours: str
    timezone: str
    first_reply_hours: int | None
    """Working hours to a first reply; None where no time may be promised."""
    visibility: tuple[str, ...]
    replies_an_hour: int | None = None
    """How many tickets its people answer in a working hour; None where nobody has said, and no time may be promised."""
    address: str = ""
    """Where its people are written to when a deadline has passed; empty where by the desk alone."""


@dataclass(frozen=True, slots=True)
class Company:
    """The company that runs the support queue."""

    name: str
    product: str
    currency: str
    support_address: str
    today: datetime | None = None
    """A fixed clock, for made-up companies only."""
    exported_at: datetime | None = None
    """When the files were written; None where they do not say."""
    segments: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Systems:
    """Every system of record that a ticket may need."""

    company: Company
    accounts: Accounts
    contracts: Contracts
    entitlements: Entitlements
    changes: Changes
    credits: Credits
    incidents: Incidents
    contacts: Contacts
    knowledge: Knowledge
    macros: tuple[Macro, ...] = ()
    queues: tuple[Queue, ...] = ()

    def queue(self, queue_id: str) -> Queue | None:
        """The queue of that id."""
        return next((q for q in self.queues if q.queue_id == queue_id), None)
