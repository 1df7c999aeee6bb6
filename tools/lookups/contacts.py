"""Looks up earlier contacts with support, and how many of them are unresolved."""

from __future__ import annotations

from guards.facts import Fact, FactValue
from tools.lookups.enquiry import Enquiry

SYSTEM = "contacts"
DAYS = 30
"""How far back a contact counts."""
NAMES = ("contacts.unresolved", "contacts.total_30_days")


async def contacts(enquiry: Enquiry) -> tuple[Fact, ...]:
    """Contacts within 30 days, the ticket at hand not among them. Their words are not repeated here."""
    assert enquiry.account is not None
    log = await enquiry.systems.contacts.contacts(enquiry.account.account_id)
    this = enquiry.request.ticket_id
    recent = sorted(
        (c for c in log.records if enquiry.within(c.at, DAYS) and not (this and c.ticket_id == this)),
        key=lambda c: c.at,
    )
    values: dict[str, FactValue] = {
        "contacts.unresolved": sum(not c.resolved for c in recent),
        "contacts.total_30_days": len(recent),
        "contacts.recent": tuple(
            f"{c.at:%Y-%m-%d} {c.ticket_id} {c.family}, {'resolved' if c.resolved else 'not resolved'}" for c in recent
        ),
    }
    return enquiry.facts(values, SYSTEM, log.as_of)
