"""The frame of an audit: every ticket of a week that ended in lane 1 and that no person ever had."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, select

from guards.domains import Touch, touched
from guards.lanes import Consequence, Lane
from ledger.decisions import DecisionKind
from ledger.errors import CannotDraw
from ledger.events import Kind
from ledger.spans import Span, Told, began, in_span, span_of, words_in_span
from ledger.tables import events

NEW_FOR = timedelta(weeks=8)
"""How long a family that has come to be answered by itself counts as newly autonomous."""
INCIDENT_FACT = "incidents.affecting"
"""The fact that names the incidents which affect an account."""


class Stratum(StrEnum):
    """What kind of ticket an audit looks at. Each ticket of a frame is in exactly one."""

    NEWLY_AUTONOMOUS = "newly_autonomous"
    INCIDENT_ADJACENT = "incident_adjacent"
    BILLING_CLARIFICATION = "billing_clarification"
    """Money and terms; and families of a domain that a team made for itself."""
    FEATURE_ACCESS = "feature_access"
    """Access, security among it."""
    DOCUMENTATION = "documentation"
    """Everything else: answered from an article, no money and no access in it."""


_BY_TOUCH: Mapping[Touch, Stratum] = {
    Touch.INCIDENT: Stratum.INCIDENT_ADJACENT,
    Touch.TERMS: Stratum.BILLING_CLARIFICATION,
    Touch.SECURITY: Stratum.FEATURE_ACCESS,
    Touch.ACCESS: Stratum.FEATURE_ACCESS,
    Touch.ARTICLES: Stratum.DOCUMENTATION,
}
"""The first of them that one of a ticket's families touches decides."""


@dataclass(frozen=True, slots=True)
class Unattended:
    """One ticket that ended a span in lane 1 without a person."""

    ticket: str
    families: tuple[str, ...]
    """The likeliest first; empty where none was known."""
    consequence: Consequence
    tier: str
    segment: str
    release: str
    """The policy release that decided it."""
    levels: Mapping[str, str]
    """Each trigger's level as it was judged; empty where no judgement stands in the span."""
    incident: bool
    """True where an incident affected the account, or the words were about one."""
    stratum: Stratum


def week_of(text: str) -> tuple[datetime, datetime]:
    """``2026-W47`` as its Monday and the next, midnight in UTC. CannotDraw for anything else."""
    read = re.fullmatch(r"(\d{4})-W(\d{2})", text.strip())
    try:
        if read is None:
            raise ValueError(text)
        monday = datetime.fromisocalendar(int(read[1]), int(read[2]), 1).replace(tzinfo=UTC)
    except ValueError:
        raise CannotDraw(f"{text[:40]!r} is no week: write it as 2026-W47") from None
    return monday, monday + timedelta(weeks=1)


def week_before(now: datetime) -> str:
    """The last week that is over at a moment, as ``2026-W47``."""
    year, week, _ = (now.astimezone(UTC) - timedelta(weeks=1)).isocalendar()
    return f"{year}-W{week:02d}"


def frame_of(conn: Connection, since: datetime, until: datetime) -> tuple[Unattended, ...]:
    """Every ticket to which a lane was assigned in the span, always lane 1, and which until its end nobody was asked
    about and no person decided on; by ticket id.

    What comes later (a late escalation, a person who looks) does not change it. Erasure changes one thing: whether an
    incident affected the account is not known any more.
    """
    span = span_of(conn, since, until)
    found = _unattended(conn, span)
    levels = {
        e.ticket: dict(e.head.get("levels", {}))
        for e in in_span(conn, span, [Kind.TRIGGERS_ASSESSED])
        if e.ticket in found
    }
    incidents = _with_incidents(conn, span, found)
    new = newly_autonomous(conn, {f for e in found.values() for f in _families(e.head)}, until)
    made = (_read(e, levels.get(ticket, {}), ticket in incidents, new) for ticket, e in found.items())
    return tuple(sorted(made, key=lambda one: one.ticket))


def newly_autonomous(conn: Connection, families: Collection[str], until: datetime) -> frozenset[str]:
    """Those of the families that answered nothing by themselves in the eight weeks that ended eight weeks ago. Empty
    in a ledger that is younger than that: there is nothing to be newer than."""
    start = began(conn)
    if not families or start is None or start > until - NEW_FOR:
        return frozenset()
    earlier = _unattended(conn, span_of(conn, until - 2 * NEW_FOR, until - NEW_FOR))
    known = {f for e in earlier.values() for f in _families(e.head)}
    return frozenset(families) - known


_PERSON = tuple(
    k.value
    for k in (
        Kind.LANE_RAISED,
        Kind.REVIEW_OPENED,
        Kind.PERSON_DECIDED,
        Kind.THREAD_CLAIMED,
        Kind.EVENT_GIVEN_UP,
    )
)
"""Where one of these stands, a person has been asked; without an index on time, each ticket is asked by its own."""
_SEEN = select(events.c.ticket_id, events.c.head).where(
    events.c.ticket_id.in_(bindparam("tickets", expanding=True)),
    events.c.kind.in_(_PERSON),
    events.c.seq < bindparam("end"),
)
_AT_ONCE = 400
"""How many ids one statement may name; SQLite takes at least 999."""


def _unattended(conn: Connection, span: Span) -> dict[str, Told]:
    """The last lane_assigned of each such ticket, by ticket."""
    last: dict[str, Told] = {}
    raised: set[str] = set()
    for event in in_span(conn, span, [Kind.LANE_ASSIGNED]):
        last[event.ticket] = event
        if Lane.read(event.head.get("lane")) is not Lane.AUTONOMOUS:
            raised.add(event.ticket)
    asked = sorted(last.keys() - raised)
    for start in range(0, len(asked), _AT_ONCE):
        given = {"tickets": asked[start : start + _AT_ONCE], "end": span.end}
        # Who erases words has not looked after the customer: the ticket stays in the frame, and cannot be judged.
        raised.update(r.ticket_id for r in conn.execute(_SEEN, given) if r.head.get("decision") != DecisionKind.ERASED)
    return {ticket: event for ticket, event in last.items() if ticket not in raised}


def _with_incidents(conn: Connection, span: Span, tickets: Collection[str]) -> frozenset[str]:
    facts = words_in_span(conn, span, Kind.FACTS_GATHERED)
    return frozenset(t for t, text in facts if t in tickets and text is not None and _names_incident(json.loads(text)))


def _names_incident(gathered: Mapping[str, Any]) -> bool:
    return any(f.get("name") == INCIDENT_FACT and f.get("value") for f in gathered.get("facts", ()))


def _families(head: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(f) for f in head.get("families", ()))


def _read(event: Told, levels: Mapping[str, str], affected: bool, new: Collection[str]) -> Unattended:
    head, families = event.head, _families(event.head)
    touches = _touches(head, families)
    incident = affected or Touch.INCIDENT in touches
    return Unattended(
        ticket=event.ticket,
        families=families,
        consequence=_consequence(head.get("consequence")),
        tier=str(head.get("tier", "unknown")),
        segment=str(head.get("segment", "unknown")),
        release=str(head.get("policy", "unknown")),
        levels=levels,
        incident=incident,
        stratum=_stratum(touches, incident, any(f in new for f in families)),
    )


def _consequence(word: object) -> Consequence:
    # What nobody recorded is looked at as closely as what costs most.
    known = {c.value: c for c in Consequence}
    return known.get(str(word), Consequence.HIGH)


def _touches(head: Mapping[str, Any], families: tuple[str, ...]) -> frozenset[Touch]:
    """By the domains that the release gave the families when the lane was assigned; a later release changes no frame."""
    domains = tuple(str(d) for d in head.get("domains", ()))
    return frozenset(map(touched, domains if len(domains) == len(families) else ("",) * len(families)))


def _stratum(touches: Collection[Touch], incident: bool, new: bool) -> Stratum:
    if new:
        return Stratum.NEWLY_AUTONOMOUS
    if incident:
        return Stratum.INCIDENT_ADJACENT
    return next((stratum for touch, stratum in _BY_TOUCH.items() if touch in touches), Stratum.DOCUMENTATION)
