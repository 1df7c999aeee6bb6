"""A stretch of time in the ledger: the events that fall into it, found by number and not by a search through all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from ledger.events import Kind
from ledger.tables import bodies, events


@dataclass(frozen=True, slots=True)
class Span:
    """The events from one moment up to, and without, another."""

    since: datetime
    until: datetime
    first: int
    """The number of the first event that may fall into it."""
    end: int
    """One more than the number of the last."""


@dataclass(frozen=True, slots=True)
class Told:
    """One event of a span, without its words."""

    seq: int
    ticket: str
    kind: Kind
    at: datetime
    actor: str
    head: dict[str, Any]


_ENDS = select(func.min(events.c.seq), func.max(events.c.seq))
_FROM = select(events.c.seq, events.c.at).where(events.c.seq >= bindparam("seq")).order_by(events.c.seq).limit(1)
_IN = (
    select(events.c.seq, events.c.ticket_id, events.c.kind, events.c.at, events.c.actor, events.c.head)
    .where(
        events.c.seq >= bindparam("first"),
        events.c.seq < bindparam("end"),
        # A clock that stepped back leaves single events that their number alone would put into another span.
        events.c.at >= bindparam("since"),
        events.c.at < bindparam("until"),
        events.c.kind.in_(bindparam("kinds", expanding=True)),
    )
    .order_by(events.c.seq)
)
_WORDS = select(events.c.ticket_id, bodies.c.text).join(bodies, bodies.c.id == events.c.body_id)


def span_of(conn: Connection, since: datetime, until: datetime) -> Span:
    """The span between two moments; ValueError where they have no time zone."""
    return Span(since, until, _first_at(conn, since), _first_at(conn, until))


def began(conn: Connection) -> datetime | None:
    """The moment of the ledger's first event; None for an empty ledger."""
    row = conn.execute(_FROM, {"seq": 0}).first()
    return None if row is None else row.at


def in_span(conn: Connection, span: Span, kinds: Sequence[Kind]) -> Iterator[Told]:
    """The span's events of some kinds, in order."""
    asked = {
        "first": span.first,
        "end": span.end,
        "since": span.since,
        "until": span.until,
        "kinds": [k.value for k in kinds],
    }
    for row in conn.execute(_IN, asked):
        yield Told(row.seq, row.ticket_id, Kind(row.kind), row.at, row.actor, row.head)


def words_in_span(conn: Connection, span: Span, kind: Kind) -> Iterator[tuple[str, str | None]]:
    """Ticket and body text of the span's events of one kind, in order; None for a text that was erased."""
    query = _WORDS.where(events.c.seq >= span.first, events.c.seq < span.end, events.c.kind == kind.value)
    for row in conn.execute(query.order_by(events.c.seq)):
        yield row.ticket_id, row.text


def _first_at(conn: Connection, moment: datetime) -> int:
    """The lowest number whose event is not before the moment, by halving: numbers rise as time does."""
    low, high = conn.execute(_ENDS).one()
    if low is None:
        return 1
    below, above = low - 1, high + 1
    while above - below > 1:
        middle = (below + above) // 2
        row = conn.execute(_FROM, {"seq": middle}).one()
        if row.at < moment:
            below = row.seq
        else:
            above = middle
    return int(above)
