"""Lookups: one a file, each turns one system's records into facts with standing, source and age."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from guards.capabilities import Effect, Right
from guards.facts import Fact, Facts
from guards.policy import Freshness
from tools.errors import ToolError
from tools.lookups import account as _account
from tools.lookups import attachments as _attachments
from tools.lookups import changes as _changes
from tools.lookups import contacts as _contacts
from tools.lookups import contract as _contract
from tools.lookups import credits as _credits
from tools.lookups import entitlements as _entitlements
from tools.lookups import incidents as _incidents
from tools.lookups import requester as _requester
from tools.lookups.crosscheck import crosscheck
from tools.lookups.enquiry import Enquiry, Request, identify, missing
from tools.systems import Systems

__all__ = ["LOOKUPS", "Enquiry", "Lookup", "Request", "gather_facts"]

LookUp: TypeAlias = Callable[[Enquiry], Awaitable[tuple[Fact, ...]]]


@dataclass(frozen=True, slots=True)
class Lookup:
    """One lookup, with the effect it declares and the right it needs."""

    name: str
    system: str
    """The system of record it asks; also the source of its facts."""
    names: tuple[str, ...]
    """The facts that are missing where it fails."""
    of_account: bool
    """True where all it tells belongs to the account, so that it is not asked for an unverified requester."""
    look_up: LookUp
    effect: Effect = Effect.READ
    right: Right = Right.READ_SOURCES


LOOKUPS: tuple[Lookup, ...] = (
    Lookup("requester", _requester.SYSTEM, _requester.NAMES, False, _requester.requester),
    Lookup("account", _account.SYSTEM, _account.NAMES, True, _account.account),
    Lookup("contract", _contract.SYSTEM, _contract.NAMES, True, _contract.contract),
    Lookup("entitlements", _entitlements.SYSTEM, _entitlements.NAMES, True, _entitlements.entitlements),
    Lookup("changes", _changes.SYSTEM, _changes.NAMES, True, _changes.changes),
    Lookup("credits", _credits.SYSTEM, _credits.NAMES, True, _credits.credits),
    Lookup("incidents", _incidents.SYSTEM, _incidents.NAMES, False, _incidents.incidents),
    Lookup("contacts", _contacts.SYSTEM, _contacts.NAMES, True, _contacts.contacts),
    Lookup("attachments", _attachments.SYSTEM, _attachments.NAMES, False, _attachments.attachments),
)
"""Every lookup, in the order in which a packet tells its facts."""


async def gather_facts(
    systems: Systems, request: Request, freshness: Freshness, now: datetime, timeout_seconds: float
) -> Facts:
    """All that can be known about a request, at most one fact a name; never raises for a system that fails.

    First whose account it is, then every lookup at once, each with its own timeout, so the whole takes at most
    twice that. A lookup that fails, times out or finds nothing leaves missing facts with the reason.
    """
    enquiry = Enquiry(systems, request, freshness, now)
    try:
        async with asyncio.timeout(timeout_seconds):
            enquiry = await identify(enquiry)
    except Exception as error:
        enquiry = Enquiry(systems, request, freshness, now, withheld=_reason("accounts", error, timeout_seconds))
    found = await asyncio.gather(*(_facts(lookup, enquiry, timeout_seconds) for lookup in LOOKUPS))
    return crosscheck(Facts(tuple(fact for facts in found for fact in facts)))


async def _facts(lookup: Lookup, enquiry: Enquiry, timeout_seconds: float) -> tuple[Fact, ...]:
    if lookup.of_account and enquiry.account is None:
        return missing(lookup.names, lookup.system, enquiry.withheld)
    try:
        async with asyncio.timeout(timeout_seconds):
            return await lookup.look_up(enquiry)
    except Exception as error:
        return missing(lookup.names, lookup.system, _reason(lookup.system, error, timeout_seconds))


def _reason(system: str, error: Exception, timeout_seconds: float) -> str:
    if isinstance(error, TimeoutError):
        return f"{system} did not answer within {timeout_seconds:g} s"
    if isinstance(error, ToolError):
        return f"{system} did not answer: {error}"
    # A stranger's exception may quote a record or a key: only its kind is told.
    return f"{system} failed with {type(error).__name__}"
