"""Tickets that nobody looked at, for the tests of audits and of the review calendar."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ledger_scene import DAY, Scene

from guards.lanes import Consequence
from ledger.audits.frame import Stratum, Unattended
from ledger.audits.verdicts import Fault, Judgement
from ledger.events import Entry, Kind

WEEK = "2026-W45"
"""The week that begins on the day the ledger's clock stands at."""
SINCE, UNTIL = DAY.replace(hour=0), DAY.replace(hour=0) + timedelta(weeks=1)
DOMAINS = {
    "documentation": "documentation",
    "billing": "commerce",
    "refunds": "commerce",
    "feature_access": "product",
    "seats_permissions": "permissions",
    "provisioning": "permissions",
    "outage": "outage",
    "security": "security",
}
NO = Judgement(escalate=False)
YES = Judgement(escalate=True, fault=Fault.BOUNDARY)


def answered(
    scene: Scene,
    ticket: str,
    families: tuple[str, ...] = ("documentation",),
    consequence: str = "low",
    lane: int = 1,
    *,
    incidents: tuple[str, ...] = (),
    levels: dict[str, str] | None = None,
    text: str = "Where do I find audit logs?",
    key: str = "m1",
    **more: Any,
) -> None:
    """A message that was judged and given a lane, as the machine records it."""
    seq = scene.receive(ticket, key, text, **more).seq
    facts = {"facts": [{"name": "incidents.affecting", "value": list(incidents)}]}
    told = {"levels": levels or {"policy_sensitivity": "low"}}
    scene.worker.record(ticket, Kind.FACTS_GATHERED, f"{seq}/facts", {}, facts)
    scene.worker.record(ticket, Kind.TRIGGERS_ASSESSED, f"{seq}/triggers", told)
    head = {
        "lane": lane,
        "families": list(families),
        "domains": [DOMAINS.get(family, f"our_own_{family}") for family in families],
        "consequence": consequence,
        "tier": "team",
        "segment": "midmarket",
        "policy": "2026.11",
    }
    scene.worker.open_answer(ticket, seq, lane, also=[Entry(Kind.LANE_ASSIGNED, f"{seq}/lane", head)])


def week_over(scene: Scene) -> None:
    """The clock stands in the week after."""
    scene.clock.moment = UNTIL + timedelta(hours=9)


def at(scene: Scene, moment: datetime) -> None:
    """Sets the clock."""
    scene.clock.moment = moment


def unattended(
    ticket: str,
    stratum: Stratum = Stratum.DOCUMENTATION,
    consequence: Consequence = Consequence.LOW,
    families: tuple[str, ...] = ("documentation",),
) -> Unattended:
    """A ticket of a frame, without a ledger."""
    return Unattended(ticket, families, consequence, "team", "midmarket", "2026.11", {}, False, stratum)
