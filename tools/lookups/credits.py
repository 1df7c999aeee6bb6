"""Looks up credits and refunds already given to the account."""

from __future__ import annotations

from guards.facts import Fact, FactValue
from tools.lookups.enquiry import Enquiry, missing
from tools.systems import CreditRecord

SYSTEM = "credits"
DAYS = 90
"""How far back a credit counts as recent."""
NAMES = ("credits.issued_recently", "credits.last", "credits.total_90_days", "credits.service_periods")
_FOR_SERVICE = frozenset({"service_credit", "sla_credit", "credit"})


async def credits(enquiry: Enquiry) -> tuple[Fact, ...]:
    """What was given within 90 days, and the periods that service credits are set against."""
    assert enquiry.account is not None
    log = await enquiry.systems.credits.credits(enquiry.account.account_id)
    given = sorted(log.records, key=lambda c: c.at)
    recent = [c for c in given if enquiry.within(c.at, DAYS)]
    values: dict[str, FactValue] = {
        "credits.issued_recently": bool(recent),
        "credits.last": described(given[-1]) if given else "none on record",
        "credits.service_periods": tuple(_period(c) for c in given if c.kind in _FOR_SERVICE),
    }
    currencies = {c.currency for c in recent}
    facts = enquiry.facts(values, SYSTEM, log.as_of)
    if len(currencies) > 1:
        note = f"in several currencies: {', '.join(sorted(currencies))}"
        return (*facts, *missing(("credits.total_90_days",), SYSTEM, note))
    total = round(float(sum(c.amount for c in recent)), 2)
    return (*facts, enquiry.fact("credits.total_90_days", total, SYSTEM, log.as_of, " ".join(currencies)))


def described(credit: CreditRecord) -> str:
    """``service_credit of 2400.00 USD on 2026-02-28 for INC-2331``."""
    incident = f" for {credit.incident_id}" if credit.incident_id else ""
    return f"{credit.kind} of {credit.amount:.2f} {credit.currency} on {credit.at:%Y-%m-%d}{incident}"


def _period(credit: CreditRecord) -> str:
    last = credit.period_end or credit.at.date()
    return f"{credit.at:%Y-%m-%d} to {last.isoformat()}"
