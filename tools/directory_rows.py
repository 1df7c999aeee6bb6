"""What a row of each file must hold: checked at this border, then handed on as plain records."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from tools.systems import (
    AccountRecord,
    Amendment,
    Article,
    Audience,
    ChangeRecord,
    Company,
    ContactRecord,
    ContractRecord,
    CreditRecord,
    EntitlementRecord,
    IncidentRecord,
    Macro,
    NegotiatedTerm,
    PersonRecord,
    Queue,
)
from tools.ticket_text import folded_address


def _yes_no(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().casefold()
    if word in ("yes", "true"):
        return True
    if word in ("no", "false"):
        return False
    raise ValueError(f"{str(value)[:40]!r} is neither yes nor no; Write yes or no")


def _moment(value: object) -> datetime:
    # A date without a time is its first moment, and a time without a zone is UTC: the format says so.
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    try:
        read = datetime.fromisoformat(str(value).strip())
    except ValueError:
        raise ValueError(f"{str(value)[:40]!r} is not a time; Write it as 2026-03-31T09:00:00Z") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _day(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(str(value).strip())
    except ValueError:
        raise ValueError(f"{str(value)[:40]!r} is not a date; Write it as 2026-03-31") from None


def _or_none(value: object) -> object:
    return None if value in ("", None) else value


def _lower(value: object) -> object:
    return value.strip().casefold() if isinstance(value, str) else value


def _folded(value: object) -> object:
    return folded_address(value.strip()) if isinstance(value, str) else value


YesNo = Annotated[bool, BeforeValidator(_yes_no)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Day = Annotated[date, BeforeValidator(_day)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Word = Annotated[str, BeforeValidator(_lower), Field(min_length=1, max_length=100)]
Email = Annotated[str, BeforeValidator(_folded), Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=320)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AccountRow(_Row):
    """accounts.csv"""

    account_id: Name
    name: Name
    domain: Annotated[str, BeforeValidator(_folded)]
    tier: Word
    plan: Word
    standard_plan: YesNo
    segment: Word
    region: Word
    status: Word
    seats: Annotated[int, Field(ge=0)]
    csm: str
    as_of: Moment

    def record(self) -> AccountRecord:
        """As the rest of the house knows it."""
        return AccountRecord(**dict(self))


class PersonRow(_Row):
    """people.csv"""

    email: Email
    name: Name
    account_id: Name
    role: Word
    executive: YesNo
    as_of: Moment

    def record(self) -> PersonRecord:
        """As the rest of the house knows it."""
        return PersonRecord(**dict(self))


class TermPart(_Row):
    """A negotiated term in contracts.json"""

    topic: Word
    summary: Name | Annotated[str, Field(max_length=2000)]


class AmendmentPart(_Row):
    """An amendment in contracts.json"""

    reference: Name
    status: Literal["reflected", "not_reflected"]
    topic: Word
    summary: Annotated[str, Field(max_length=2000)]


class ContractRow(_Row):
    """contracts.json"""

    account_id: Name
    reference: Name
    billing_cycle: Annotated[Literal["monthly", "quarterly", "annual", "none"], BeforeValidator(_lower)]
    cycle_start: Day
    renewal_date: Day | None
    negotiated_terms: tuple[TermPart, ...]
    amendments: tuple[AmendmentPart, ...]
    exception_terms_present: YesNo
    as_of: Moment
    tier: Annotated[str, BeforeValidator(_lower)] = ""
    plan: Annotated[str, BeforeValidator(_lower)] = ""
    status: Annotated[str, BeforeValidator(_lower)] = ""

    def record(self) -> ContractRecord:
        """As the rest of the house knows it."""
        terms = tuple(NegotiatedTerm(t.topic, t.summary) for t in self.negotiated_terms)
        amendments = tuple(Amendment(a.reference, a.status == "reflected", a.topic, a.summary) for a in self.amendments)
        return ContractRecord(**{**dict(self), "negotiated_terms": terms, "amendments": amendments})


class EntitlementRow(_Row):
    """entitlements.csv"""

    account_id: Name
    feature: Word
    entitled: YesNo
    limit: Annotated[Number | None, BeforeValidator(_or_none)]
    used: Annotated[Number | None, BeforeValidator(_or_none)]
    unit: str
    as_of: Moment

    def record(self) -> EntitlementRecord:
        """As the rest of the house knows it."""
        return EntitlementRecord(**dict(self))


class ChangeRow(_Row):
    """changes.csv"""

    account_id: Name
    at: Moment
    kind: Word
    subject: str
    by: str
    detail: str

    def record(self) -> ChangeRecord:
        """As the rest of the house knows it."""
        return ChangeRecord(**dict(self))


class CreditRow(_Row):
    """credits.csv"""

    account_id: Name
    at: Moment
    kind: Word
    amount: Number
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    reason: str
    incident_id: str
    period_end: Annotated[Day | None, BeforeValidator(_or_none)]

    def record(self) -> CreditRecord:
        """As the rest of the house knows it."""
        return CreditRecord(**dict(self))


class ContactRow(_Row):
    """contacts.csv"""

    account_id: Name
    email: str
    at: Moment
    family: str
    subject: str
    resolved: YesNo
    ticket_id: str

    def record(self) -> ContactRecord:
        """As the rest of the house knows it."""
        return ContactRecord(**dict(self))


class IncidentRow(_Row):
    """incidents.json"""

    id: Name
    title: Name
    status: Literal["investigating", "identified", "monitoring", "resolved"]
    started_at: Moment
    resolved_at: Moment | None
    components: tuple[str, ...]
    regions: tuple[Word, ...]
    account_ids: tuple[str, ...] | Literal["all"]
    public_summary: str
    as_of: Moment

    def record(self) -> IncidentRecord:
        """As the rest of the house knows it."""
        whom = None if self.account_ids == "all" else tuple(self.account_ids)
        rest = {name: value for name, value in self if name not in ("id", "account_ids")}
        return IncidentRecord(incident_id=self.id, account_ids=whom, **rest)


class QueueRow(_Row):
    """One [[queue]] of queues.toml"""

    id: Name
    title: Name
    owner: Name
    group: Literal["frontline", "specialist"]
    handles: tuple[str, ...]
    hours: str
    timezone: str
    first_reply_hours: Annotated[int, Field(ge=1)] | None = None
    visibility: tuple[str, ...] = ()
    replies_an_hour: Annotated[int, Field(ge=1)] | None = None
    address: Email | Literal[""] = ""

    def record(self) -> Queue:
        """As the rest of the house knows it."""
        rest = {name: value for name, value in self if name != "id"}
        return Queue(queue_id=self.id, **rest)


class MacroHead(_Row):
    """The front matter of a macro"""

    id: Name
    title: Name
    family: str
    version: Annotated[int, Field(ge=1)]
    approved_by: Name
    approved_on: Day

    def record(self, body: str) -> Macro:
        """As the rest of the house knows it."""
        rest = {name: value for name, value in self if name != "id"}
        return Macro(macro_id=self.id, body=body, **rest)


class ArticleHead(_Row):
    """The front matter of a knowledge article. An approval may be absent here: then nothing rests on it."""

    id: Name
    title: Name
    version: Annotated[int, Field(ge=1)]
    audience: Audience
    approved_by: str = ""
    approved_on: Day | None = None
    review_by: Day | None = None
    family: str
    tags: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    not_answered: tuple[str, ...] = ()

    def record(self, body: str, file: str) -> Article:
        """As the rest of the house knows it."""
        rest = {name: value for name, value in self if name != "id"}
        return Article(article_id=self.id, body=body, file=file, **rest)


class CompanyFile(_Row):
    """company.toml"""

    name: Name
    product: Name
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    support_address: Email
    today: Moment | None = None
    exported_at: Moment | None = None
    segments: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()

    def record(self) -> Company:
        """As the rest of the house knows it."""
        return Company(**dict(self))
