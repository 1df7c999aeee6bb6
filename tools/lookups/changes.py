"""Looks up recent changes of the account: roles, ownership, plan, seats, settings."""

from __future__ import annotations

from guards.facts import Fact, FactValue
from tools.lookups.enquiry import Enquiry

SYSTEM = "changes"
DAYS = 30
"""How far back a change counts as recent."""
NAMES = ("changes.recent_kinds", "changes.recent_role_change", "changes.recent_plan_change")
_OF_ROLES = frozenset({"role_change", "owner_change"})


async def changes(enquiry: Enquiry) -> tuple[Fact, ...]:
    """What changed within 30 days; no change is an answer, up to the day the log reaches."""
    assert enquiry.account is not None
    log = await enquiry.systems.changes.changes(enquiry.account.account_id)
    recent = sorted((c for c in log.records if enquiry.within(c.at, DAYS)), key=lambda c: c.at)
    kinds = tuple(dict.fromkeys(change.kind for change in recent))
    values: dict[str, FactValue] = {
        "changes.recent_kinds": kinds,
        "changes.recent_role_change": bool(_OF_ROLES & set(kinds)),
        "changes.recent_plan_change": "plan_change" in kinds,
        "changes.recent": tuple(f"{c.at:%Y-%m-%d} {c.kind}: {c.subject}, {c.detail}" for c in recent),
    }
    return enquiry.facts(values, SYSTEM, log.as_of)
