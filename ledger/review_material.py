"""What a periodic review is opened with: counts and ticket ids out of the ledger, each with what it means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from guards.lanes import Consequence, Lane
from guards.triggers import Level, Trigger
from ledger.audits.frame import frame_of
from ledger.audits.verdicts import Fault, Standing, standings
from ledger.decisions import DecisionKind
from ledger.events import Kind, timeline
from ledger.scorecard.metrics import BY_ID
from ledger.scorecard.summary import LATE_BY, became_late
from ledger.spans import Span, Told, in_span, span_of

SHOWN = 200
"""Most ticket ids a section lists; its count is whole."""


class Topic(StrEnum):
    """What is reviewed again and again."""

    LATE_ESCALATIONS = "late-escalations"
    """Late escalations and severe overrides."""
    RISKY_NOT_ESCALATED = "risky-not-escalated"
    LANE_DISTRIBUTION = "lane-distribution"
    TRIGGER_DEFINITIONS = "trigger-definitions"


@dataclass(frozen=True, slots=True)
class Section:
    """One thing to look at."""

    title: str
    what: str
    """What was counted, in a sentence."""
    count: int
    tickets: tuple[str, ...] = ()
    """At most ``SHOWN`` of them, in the order they came."""
    figures: Mapping[str, int] = field(default_factory=dict)
    """Counts under names, where there is more than one."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, as the ledger keeps it."""
        told = {"title": self.title, "what": self.what, "count": self.count}
        return {**told, "tickets": list(self.tickets), "figures": dict(self.figures)}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Section:
        """Reads what ``to_json`` wrote."""
        return cls(raw["title"], raw["what"], int(raw["count"]), tuple(raw["tickets"]), dict(raw["figures"]))


def material(conn: Connection, topic: Topic, since: datetime, until: datetime) -> tuple[Section, ...]:
    """What there is to see about a topic in [since, until), from the ledger as it stands."""
    return _OF[topic](conn, span_of(conn, since, until))


def _section(title: str, what: str, tickets: Iterable[str], figures: Mapping[str, int] | None = None) -> Section:
    every = tuple(dict.fromkeys(tickets))
    return Section(title, what, len(every), every[:SHOWN], figures or {})


# ── late escalations and severe overrides ───────────────────────────────────────────────────────────────────


def _late_and_overridden(conn: Connection, span: Span) -> tuple[Section, ...]:
    decided = list(in_span(conn, span, [Kind.PERSON_DECIDED]))
    return (
        _section(
            "Late escalations",
            BY_ID["late_escalation"].definition,
            _escalated_late(conn, span),
        ),
        _section(
            "Lanes overridden severely",
            "tickets whose lane a person moved to lane 3, or by two lanes",
            (e.ticket for e in decided if _lane_overridden(e)),
        ),
        _section(
            "Triggers overridden severely",
            "tickets on which a person corrected a trigger by two levels",
            (e.ticket for e in decided if any(abs(by) >= SEVERE for by in _corrections(e).values())),
        ),
    )


def _escalated_late(conn: Connection, span: Span) -> Iterator[str]:
    """The tickets that became a late escalation, as the scorecard counts it, in the span."""
    for ticket in dict.fromkeys(e.ticket for e in in_span(conn, span, [Kind.LANE_RAISED])):
        event = became_late(timeline(conn, ticket, LATE_BY))
        if event is not None and event.seq in range(span.first, span.end) and span.since <= event.at < span.until:
            yield ticket


SEVERE = 2
"""So many lanes or levels apart, and an override is severe. The scorecard's override asks of a ticket whether people
overrode it; this asks of one decision how far."""


def _lane_overridden(event: Told) -> bool:
    """Whether it moved the lane severely; to lane 3 always is."""
    if event.head.get("decision") != DecisionKind.LANE_CHANGED:
        return False
    before, after = Lane.read(event.head.get("from")), Lane.read(event.head.get("to"))
    return before is not after and (after is Lane.HUMAN_OWNED or abs(after - before) >= SEVERE)


def _corrections(event: Told) -> dict[Trigger, int]:
    """By how many levels a person corrected each trigger; empty for any other decision."""
    if event.head.get("decision") != DecisionKind.TRIGGERS_CORRECTED:
        return {}
    proposed = event.head.get("proposed", {})
    levels = {Trigger(t): Level.of(word) for t, word in event.head.get("levels", {}).items()}
    return {t: level - Level.of(proposed.get(t.value, "low")) for t, level in levels.items()}


# ── risky tickets that did not escalate ─────────────────────────────────────────────────────────────────────


def _risky_not_escalated(conn: Connection, span: Span) -> tuple[Section, ...]:
    frame = frame_of(conn, span.since, span.until)
    judged = _judged(conn, span)
    named = [(c, [u.ticket for u in frame if u.consequence is c]) for c in (Consequence.HIGH, Consequence.MEDIUM)]
    fired = [u.ticket for u in frame if any(word != Level.LOW.word for word in u.levels.values())]
    return (
        *(
            _section(f"Consequence {c.value}", f"tickets without a person whose consequence was {c.value}", tickets)
            for c, tickets in named
        ),
        _section("A trigger fired", "tickets without a person on which a trigger was medium or high", fired),
        _section(
            "An incident was near",
            "tickets without a person whose account an incident affected, or that were about one",
            (u.ticket for u in frame if u.incident),
        ),
        _section(
            "Found by audit",
            "audited tickets that should have had a person, by one auditor at least",
            (s.audit.ticket for s in judged if s.miss),
            {"audited": len(judged), "without_a_person": len(frame)},
        ),
    )


# ── lane distribution ───────────────────────────────────────────────────────────────────────────────────────


def _lane_distribution(conn: Connection, span: Span) -> tuple[Section, ...]:
    now = _last_lanes(conn, span)
    before = _last_lanes(conn, span_of(conn, span.since - (span.until - span.since), span.since))
    sections = [
        _section(
            f"Lane {lane:d}",
            f"tickets that were given lane {lane:d} last ({lane.title}); `before` is the stretch of the same length before it",
            (t for t, e in now.items() if _lane(e) is lane),
            {"before": sum(_lane(e) is lane for e in before.values())},
        )
        for lane in Lane
    ]
    families = sorted({f for e in (*now.values(), *before.values()) for f in e.head.get("families", ())})
    return (*sections, *(_family_lanes(f, now, before) for f in families))


def _family_lanes(family: str, now: Mapping[str, Told], before: Mapping[str, Told]) -> Section:
    held = {t: e for t, e in now.items() if family in e.head.get("families", ())}
    past = [e for e in before.values() if family in e.head.get("families", ())]
    figures = {f"lane_{lane:d}": sum(_lane(e) is lane for e in held.values()) for lane in Lane}
    figures |= {f"lane_{lane:d}_before": sum(_lane(e) is lane for e in past) for lane in Lane}
    return _section(f"Family {family}", f"tickets that touched {family}, by lane", held, figures)


def _last_lanes(conn: Connection, span: Span) -> dict[str, Told]:
    return {e.ticket: e for e in in_span(conn, span, [Kind.LANE_ASSIGNED])}


def _lane(event: Told) -> Lane:
    return Lane.read(event.head.get("lane"))


# ── trigger definitions ─────────────────────────────────────────────────────────────────────────────────────


def _trigger_definitions(conn: Connection, span: Span) -> tuple[Section, ...]:
    assessed = {e.ticket: e.head.get("levels", {}) for e in in_span(conn, span, [Kind.TRIGGERS_ASSESSED])}
    decided = [(e.ticket, _corrections(e)) for e in in_span(conn, span, [Kind.PERSON_DECIDED])]
    misses = [s for s in _judged(conn, span) if s.miss]
    return tuple(_trigger(t, assessed, decided, misses) for t in Trigger)


def _trigger(
    trigger: Trigger,
    assessed: Mapping[str, Mapping[str, str]],
    decided: list[tuple[str, dict[Trigger, int]]],
    misses: list[Standing],
) -> Section:
    levels = Counter(held.get(trigger.value, Level.LOW.word) for held in assessed.values())
    higher = [ticket for ticket, by in decided if by.get(trigger, 0) > 0]
    lower = [ticket for ticket, by in decided if by.get(trigger, 0) < 0]
    missed = [s for s in misses if any(trigger in v.triggers for v in s.verdicts)]
    faults = Counter(v.fault for s in missed for v in s.verdicts if trigger in v.triggers)
    figures = {
        "medium": levels[Level.MEDIUM.word],
        "high": levels[Level.HIGH.word],
        "corrected_higher": len(higher),
        "corrected_lower": len(lower),
        "missed_by_audit": len(missed),
        **{f"fault_{fault.value}": faults[fault] for fault in Fault if faults[fault]},
    }
    what = "tickets on which people corrected it, or auditors missed it"
    return _section(trigger.value, what, [*higher, *lower, *(s.audit.ticket for s in missed)], figures)


def _judged(conn: Connection, span: Span) -> list[Standing]:
    """The audits whose verdicts have come to count in the span, of whatever week the tickets are."""
    held = standings(conn, span.until)
    return [s for s in held if s.settled_at is not None and span.since <= s.settled_at < span.until]


_OF: Mapping[Topic, Callable[[Connection, Span], tuple[Section, ...]]] = {
    Topic.LATE_ESCALATIONS: _late_and_overridden,
    Topic.RISKY_NOT_ESCALATED: _risky_not_escalated,
    Topic.LANE_DISTRIBUTION: _lane_distribution,
    Topic.TRIGGER_DEFINITIONS: _trigger_definitions,
}
