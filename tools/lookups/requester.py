"""Looks up who asks: verified or not, known to the account or not, and in which role."""

from __future__ import annotations

from guards.facts import Fact, Standing
from tools.lookups.enquiry import UNVERIFIED, Enquiry, missing

SYSTEM = "accounts"
NAMES = ("requester.known", "requester.role", "requester.executive")


async def requester(enquiry: Enquiry) -> tuple[Fact, ...]:
    """What may be said of the requester. The identity of an unverified one is only claimed."""
    asks = enquiry.request
    said = Standing.CONFIRMED if asks.verified else Standing.CLAIMED
    by = "channel" if asks.verified else "customer"
    facts = [Fact("requester.verified", asks.verified, Standing.CONFIRMED, "channel")]
    if asks.email:
        facts.append(Fact("requester.email", asks.email, said, by))
    if asks.name:
        # A channel proves an address, never the name beside it.
        facts.append(Fact("requester.name", asks.name, Standing.CLAIMED, "customer"))
    if asks.account_id and enquiry.account is None:
        facts.append(Fact("account.claimed", asks.account_id, Standing.CLAIMED, "ticket", note=enquiry.withheld))
    if not asks.verified:
        return (*facts, *missing(NAMES, SYSTEM, UNVERIFIED))
    person = enquiry.person
    if person is not None:
        return (
            *facts,
            enquiry.fact("requester.known", True, SYSTEM, person.as_of),
            enquiry.fact("requester.role", person.role, SYSTEM, person.as_of),
            enquiry.fact("requester.executive", person.executive, SYSTEM, person.as_of),
        )
    if enquiry.known is None:
        return (*facts, *missing(NAMES, SYSTEM, enquiry.withheld or "the people's directory did not answer"))
    facts.append(Fact("requester.known", False, Standing.CONFIRMED, SYSTEM, note="the address is on no account"))
    return (*facts, *missing(NAMES[1:], SYSTEM, "the requester is not in the account's directory"))
