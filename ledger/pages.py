"""A ticket's timeline as a person reads it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ledger.events import Event, Kind
from ledger.packets.packet import EscalationPacket
from ledger.register import Register
from ledger.reviews import Reviews

_SHOWN = 100
"""Characters of an event's words that a line shows; the whole is in the ledger."""


def timeline_text(events: Iterable[Event], register: Register) -> str:
    """One line an event, then the lane as the ledger holds it now."""
    lines = [
        f"ticket {register.ticket}: lane {int(register.lane)}, floor {int(register.floor)}, epoch {register.epoch}"
    ]
    if register.claimed_by:
        lines.append(f"claimed by {register.claimed_by}")
    lines.append("")
    for event in events:
        said = _said(event)
        lines.append(f"{event.seq:>5}  {event.at:%Y-%m-%d %H:%M:%S}  {event.actor:<10} {event.kind.value:<18} {said}")
    return "\n".join(lines) + "\n"


def latest_packet(reviews: Reviews, ticket: str) -> EscalationPacket | None:
    """The packet of the ticket's newest review that has one, open or closed; None where there is none."""
    return next((r.packet for r in reversed(reviews.all_of_ticket(ticket)) if r.packet), None)


_TELLING: Mapping[Kind, tuple[str, ...]] = {
    Kind.FACTS_GATHERED: ("tier", "segment"),
    Kind.TRIGGERS_ASSESSED: ("levels", "families", "failures"),
    Kind.LANE_ASSIGNED: ("lane", "unit", "rules", "policy"),
    Kind.LANE_RAISED: ("what", "lane", "epoch"),
    Kind.RIGHTS_GRANTED: ("lane", "epoch", "rights"),
    Kind.RIGHT_REFUSED: ("what", "rule", "reason"),
    # What a person has to see first; the digest would fill the line.
    Kind.DELIVERED: ("piece", "reply_key"),
    Kind.DELIVERY_FAILED: ("piece", "error", "reply_key"),
    Kind.DELIVERY_UNKNOWN: ("piece", "error", "reply_key"),
    Kind.CHANGE_STARTED: ("action", "approved_by"),
    Kind.CHANGE_DONE: ("action", "approved_by"),
    Kind.CHANGE_FAILED: ("action", "error", "approved_by"),
    Kind.CHANGE_UNKNOWN: ("action", "error", "approved_by"),
    # Not what was said: the ticket may still wait for a second auditor, who is not to know.
    Kind.AUDIT_JUDGED: ("audit",),
}


def _said(event: Event) -> str:
    if event.kind is Kind.CUSTOMER_WROTE:
        raw = event.body.json() if event.body else None
        return _short("(erased)" if raw is None else f"“{raw['text']}”")
    if event.kind is Kind.MAIL_NOTED:
        raw = event.body.json() if event.body else None
        return _short(f"{event.head['why']}; " + ("(no words kept)" if raw is None else f"“{raw['text']}”"))
    names = _TELLING.get(event.kind, tuple(event.head))
    return _short(
        "; ".join(f"{n} {_plain(event.head[n])}" for n in names if event.head.get(n) not in (None, "", [], {}))
    )


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        fired = {k: v for k, v in value.items() if v != "low"}
        return ", ".join(f"{k} {v}" for k, v in fired.items()) or "all low"
    if isinstance(value, list):
        return ", ".join(map(str, value)) if all(isinstance(v, str | int) for v in value) else json.dumps(value)
    return str(value)


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN else f"{flat[:_SHOWN]}…"
