"""Looks up the account: tier, plan, segment, region, status, seats."""

from __future__ import annotations

from guards.facts import Fact, FactValue
from tools.lookups.enquiry import Enquiry

SYSTEM = "accounts"
NAMES = (
    "account.tier",
    "account.plan",
    "account.standard_plan",
    "account.segment",
    "account.region",
    "account.status",
    "account.seats",
)


async def account(enquiry: Enquiry) -> tuple[Fact, ...]:
    """The account's own record as facts."""
    record = enquiry.account
    assert record is not None
    values: dict[str, FactValue] = {
        "account.id": record.account_id,
        "account.name": record.name,
        "account.tier": record.tier,
        "account.plan": record.plan,
        "account.standard_plan": record.standard_plan,
        "account.segment": record.segment,
        "account.region": record.region,
        "account.status": record.status,
        "account.seats": record.seats,
    }
    if record.csm:
        values["account.csm"] = record.csm
    return enquiry.facts(values, SYSTEM, record.as_of)
