"""Who asks, which account that person belongs to, and how a record becomes a fact with standing, source and age."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from guards.facts import Fact, FactValue, Standing
from guards.policy import Freshness
from tools.errors import ToolError
from tools.systems import AccountRecord, PersonRecord, Systems

UNVERIFIED = "the requester is not verified"
"""Why nothing of an account is looked up for somebody who only says who they are (law 10)."""

OPTIONAL = frozenset({"changes.recent", "contacts.recent", "contract.amendments", "contract.unreflected_topics"})
"""Details for people beside a fact that says the same in short: none of them is no news."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a ticket says about who asks."""

    email: str
    name: str = ""
    verified: bool = False
    """True only where the channel itself proved the address."""
    account_id: str | None = None
    """The account that the ticket names, by id or name; never enough to be told about it."""
    unread: tuple[str, ...] = ()
    """Attachments that nobody has read."""
    ticket_id: str = ""


@dataclass(frozen=True, slots=True)
class Enquiry:
    """What every lookup is given."""

    systems: Systems
    request: Request
    freshness: Freshness
    now: datetime
    account: AccountRecord | None = None
    """The account the requester was shown to belong to; None where facts of an account are withheld."""
    person: PersonRecord | None = None
    known: bool | None = None
    """Whether an account's directory holds the requester; None where nobody could say."""
    withheld: str = ""
    """Why there is no account."""

    def fact(self, name: str, value: FactValue, source: str, as_of: datetime | None, note: str = "") -> Fact:
        """A fact from a system of record: confirmed, or stale where the record is older than the release allows."""
        days: int = getattr(self.freshness, source)
        if as_of is not None and self.now - as_of > timedelta(days=days):
            old = f"older than {days} days"
            return Fact(name, value, Standing.STALE, source, as_of, f"{note}; {old}" if note else old)
        return Fact(name, value, Standing.CONFIRMED, source, as_of, note)

    def facts(self, values: Mapping[str, FactValue], source: str, as_of: datetime | None) -> tuple[Fact, ...]:
        """Several facts of one record. Names in OPTIONAL are left out where there is nothing to tell."""
        told = ((name, value) for name, value in values.items() if value != () or name not in OPTIONAL)
        return tuple(self.fact(name, value, source, as_of) for name, value in told)

    def within(self, at: datetime, days: int) -> bool:
        """True where a moment lies no more than so many days back."""
        return self.now - at <= timedelta(days=days)


def missing(names: Iterable[str], source: str, note: str) -> tuple[Fact, ...]:
    """One missing fact a name, each with the reason."""
    return tuple(Fact(name, None, Standing.MISSING, source, note=note) for name in names)


async def identify(enquiry: Enquiry) -> Enquiry:
    """The enquiry with the requester's account, or with the reason why there is none.

    A verified address opens the account whose directory holds it, else the one that verified its mail domain.
    An account that the ticket merely names opens nothing.
    """
    request, accounts = enquiry.request, enquiry.systems.accounts
    if not request.verified:
        return replace(enquiry, withheld=UNVERIFIED)
    if "@" not in request.email:
        return replace(enquiry, withheld="the requester has no address that could be looked up")
    known: bool | None = None
    try:
        person = await accounts.person(request.email)
        known = person is not None
    except ToolError:
        # Without the people's directory the mail domain may still tell the account.
        person = None
    if person is not None:
        account = await accounts.account(person.account_id)
    else:
        account = await accounts.account_of_domain(request.email.rpartition("@")[2])
    if account is None:
        reason = "accounts knows neither the requester nor their mail domain"
        return replace(enquiry, known=known, withheld=reason)
    named = (request.account_id or "").strip()
    if named and named != account.account_id and named.casefold() != account.name.casefold():
        return replace(enquiry, withheld="the requester belongs to another account than the one the ticket names")
    return replace(enquiry, account=account, person=person, known=known)
