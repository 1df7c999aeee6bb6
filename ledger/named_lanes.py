"""Lanes that people named, before they saw ours, for tickets that only roll-out kept from being answered without a person."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select

from guards.lanes import Lane
from guards.rollout_evidence import Share
from ledger.decisions import DecisionKind
from ledger.events import Kind
from ledger.store import Store
from ledger.tables import events


def kept_by_rollout(assigned: Mapping[str, Any], now: Lane) -> bool:
    """Whether a ticket would be answered without a person but for roll-out, by the head of its last ``lane_assigned`` and
    the lane that it is in now: observe-only recommends lane 1, a family that is not open is held to lane 2 for nothing else."""
    lane = Lane.read(assigned.get("lane"))
    held = lane is Lane.ASSISTED and list(assigned.get("rules", ())) == ["rollout"]
    return now is lane and (held or lane is Lane.AUTONOMOUS)


def foreseen_misses(store: Store, family: str, since: datetime) -> Share:
    """``Evidence.foreseen`` of a family since a moment, counted in tickets.

    Only the desk's blind reviews count: chance chooses them, and the desk hides our lane until it is named. Whoever names a
    lane on the command line has chosen the ticket.
    """
    query = select(events.c.ticket_id, events.c.head).where(
        events.c.kind == Kind.PERSON_DECIDED.value, events.c.at >= since
    )
    missed: dict[str, bool] = {}
    with store.read() as conn:
        for ticket, head in conn.execute(query):
            alone = head.get("decision") == DecisionKind.LANE_NAMED.value and head.get("alone") is True
            if alone and family in head.get("families", ()):
                missed[ticket] = missed.get(ticket, False) or Lane.read(head["to"]) is not Lane.AUTONOMOUS
    return Share(sum(missed.values()), len(missed))
