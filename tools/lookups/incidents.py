"""Looks up incidents: what the status page says to everybody, and which of them affect the account."""

from __future__ import annotations

from datetime import datetime

from guards.facts import Fact
from tools.lookups.enquiry import Enquiry, missing
from tools.systems import IncidentLog, IncidentRecord

SYSTEM = "incidents"
DAYS = 14
"""How long a resolved incident still counts as affecting an account."""
NAMES = ("incidents.active", "incidents.affecting", "incidents.last_summary")
_NONE = "no recent incident"


async def incidents(enquiry: Enquiry) -> tuple[Fact, ...]:
    """Active incidents for anybody; those that affect the account only where the requester belongs to it."""
    log = await enquiry.systems.incidents.incidents()
    newest_first = sorted(log.records, key=lambda i: i.started_at, reverse=True)
    active = [i for i in newest_first if i.active]
    as_of = _as_of(log, active)
    facts = [enquiry.fact("incidents.active", tuple(i.incident_id for i in active), SYSTEM, as_of)]
    account = enquiry.account
    if account is None:
        shown = active
        facts += missing(("incidents.affecting",), SYSTEM, enquiry.withheld)
    else:
        shown = [i for i in newest_first if _recent(enquiry, i) and i.affects(account.account_id, account.region)]
        facts.append(enquiry.fact("incidents.affecting", tuple(i.incident_id for i in shown), SYSTEM, as_of))
    summary = f"{shown[0].incident_id}: {shown[0].public_summary}" if shown else _NONE
    facts.append(enquiry.fact("incidents.last_summary", summary, SYSTEM, as_of))
    return tuple(facts)


def _recent(enquiry: Enquiry, incident: IncidentRecord) -> bool:
    # One that is resolved without a date still counts: we cannot say that it is long over.
    return incident.active or incident.resolved_at is None or enquiry.within(incident.resolved_at, DAYS)


def _as_of(log: IncidentLog, active: list[IncidentRecord]) -> datetime | None:
    # An incident that is still open is only known as well as its own record is.
    dates = [d for d in (log.as_of, *(i.as_of for i in active)) if d is not None]
    return min(dates) if dates else None
