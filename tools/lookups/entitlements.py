"""Looks up the entitlements: what the account may use, and how much of it is used."""

from __future__ import annotations

from guards.facts import Fact
from tools.lookups.enquiry import Enquiry, missing
from tools.systems import EntitlementRecord

SYSTEM = "entitlements"
NAMES = ("entitlements.on_record",)


async def entitlements(enquiry: Enquiry) -> tuple[Fact, ...]:
    """One readable fact a feature. Nothing on record is missing, not "no": rights are not told from silence."""
    assert enquiry.account is not None
    records = await enquiry.systems.entitlements.entitlements(enquiry.account.account_id)
    if not records:
        return missing(NAMES, SYSTEM, "entitlements holds nothing on this account")
    facts = [enquiry.fact("entitlements.on_record", True, SYSTEM, min(r.as_of for r in records))]
    for record in records:
        facts.append(enquiry.fact(f"entitlement.{record.feature}", readable(record), SYSTEM, record.as_of))
        if record.feature == "seats" and record.limit is not None:
            facts.append(enquiry.fact("entitlements.seats", int(record.limit), SYSTEM, record.as_of))
    return tuple(facts)


def readable(record: EntitlementRecord) -> str:
    """``no``, ``yes``, or ``yes, 82 of 100 seats used``."""
    if not record.entitled:
        return "no"
    unit = f" {record.unit}" if record.unit else ""
    if record.limit is not None and record.used is not None:
        return f"yes, {record.used:.12g} of {record.limit:.12g}{unit} used"
    if record.limit is not None:
        return f"yes, up to {record.limit:.12g}{unit}"
    return f"yes, {record.used:.12g}{unit} used" if record.used is not None else "yes"
