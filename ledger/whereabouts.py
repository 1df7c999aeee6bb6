"""Where each ticket is that no person is asked about: in the assistant's hands, or done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, and_, bindparam, case, exists, func, not_, or_, select

from ledger.events import Kind
from ledger.store import Store
from ledger.tables import events, inbox, outbox, registers, reviews, tickets


class Place(StrEnum):
    """In whose hands a ticket is."""

    PERSON = "person"
    """A review is open, or somebody has claimed it."""
    ASSISTANT = "assistant"
    """It has something to do, or has just done it."""
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """One ticket that no review is open for."""

    ticket: str
    subject: str
    requester: str
    lane: int
    """The conversation's floor."""
    families: tuple[str, ...]
    state: str
    """reading, sending, answered, handed_back or waiting with the assistant; customer_closed; quiet where nobody wrote
    again; else the decision that ended it."""
    by: str
    """Who ended it; empty for the assistant's."""
    at: datetime


LIVE_FOR = timedelta(hours=24)
"""After an answer or a hand back the assistant has nothing to do until the customer writes: so long a ticket still shows
as its own. A message that nobody has answered yet stays there however old it is."""

_OPEN = exists().where(reviews.c.ticket_id == tickets.c.id, reviews.c.state == "open")
_WAITS = exists().where(inbox.c.ticket_id == tickets.c.id, inbox.c.state == "waiting")
_LEAVES = exists().where(outbox.c.ticket_id == tickets.c.id, outbox.c.state.in_(["intent", "sending"]))


def _last(*kinds: Kind) -> Any:
    return (
        select(func.max(events.c.seq))
        .where(events.c.ticket_id == tickets.c.id, events.c.kind.in_([k.value for k in kinds]))
        .correlate(tickets)
        .scalar_subquery()
    )


_CLOSED = func.coalesce(_last(Kind.CUSTOMER_CLOSED), 0)
_BACK = func.coalesce(_last(Kind.HANDED_BACK), 0)
_SENT = func.coalesce(_last(Kind.DELIVERED), 0)
_TOUCHES = (Kind.CUSTOMER_WROTE, Kind.CUSTOMER_CLOSED, Kind.PERSON_DECIDED, Kind.DELIVERED)
_TOUCHED = _last(*_TOUCHES)
_FRESH = exists().where(
    events.c.ticket_id == tickets.c.id,
    events.c.kind.in_([k.value for k in _TOUCHES]),
    events.c.at >= bindparam("since", type_=events.c.at.type),
)
_NOTHING_TO_DO = and_(or_(registers.c.revision < _SENT, registers.c.revision < _BACK), not_(_WAITS), not_(_LEAVES))
_SETTLED = and_(registers.c.settled_by > registers.c.revision, registers.c.settled_by > _BACK)
_PLACE = case(
    (_OPEN, Place.PERSON.value),
    (registers.c.claimed_by.is_not(None), case((_SETTLED, Place.DONE.value), else_=Place.PERSON.value)),
    (_SETTLED, Place.DONE.value),
    (registers.c.revision < _CLOSED, Place.DONE.value),
    (and_(_NOTHING_TO_DO, not_(_FRESH)), Place.DONE.value),
    else_=Place.ASSISTANT.value,
)
_STATE = case(
    (_WAITS, "reading"),
    (_LEAVES, "sending"),
    (and_(registers.c.revision < _BACK, _SENT < _BACK), "handed_back"),
    (registers.c.revision < _SENT, "answered"),
    else_="waiting",
)
_ENDED = case((_SETTLED, "decided"), (registers.c.revision < _CLOSED, "customer_closed"), else_="quiet")
_COLUMNS: Select[Any] = select(
    tickets.c.id,
    tickets.c.subject,
    tickets.c.requester_name,
    tickets.c.requester_email,
    registers.c.floor,
    registers.c.settled_by,
    _PLACE.label("place"),
    _STATE.label("state"),
    _ENDED.label("ended"),
    _TOUCHED.label("touched"),
).join(registers, registers.c.ticket_id == tickets.c.id)


class WhereaboutsLedger:
    """Reads for the operators' desk."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        """Reads from one store."""
        self._store = store

    def counts(self) -> dict[Place, int]:
        """How many tickets are where."""
        placed = _COLUMNS.subquery()
        query = select(placed.c.place, func.count()).group_by(placed.c.place)
        with self._store.read() as conn:
            found = {str(place): int(n) for place, n in conn.execute(query, self._since())}
        return {place: found.get(place.value, 0) for place in Place}

    def rerouted(self) -> frozenset[str]:
        """The open reviews whose deadline has passed once."""
        query = (
            select(reviews.c.id)
            .join(events, events.c.ticket_id == reviews.c.ticket_id)
            .where(
                reviews.c.state == "open",
                events.c.kind == Kind.DEADLINE_PASSED.value,
                events.c.at >= reviews.c.opened_at,
            )
        )
        with self._store.read() as conn:
            return frozenset(conn.execute(query).scalars())

    def of_address(self, ticket: str) -> tuple[tuple[str, str], ...]:
        """Other tickets that are answered at the same address, the newest first: ids and subjects."""
        address = select(tickets.c.recipient).where(tickets.c.id == ticket).scalar_subquery()
        query = select(tickets.c.id, tickets.c.subject).where(tickets.c.recipient == address, tickets.c.id != ticket)
        with self._store.read() as conn:
            rows = conn.execute(query.order_by(tickets.c.first_seen.desc()).limit(20)).all()
        return tuple((row.id, row.subject or "") for row in rows)

    def of(self, place: Place, limit: int = 200) -> tuple[Whereabouts, ...]:
        """The tickets that are there, the last touched first; no more than ``limit``."""
        placed = _COLUMNS.subquery()
        query = select(placed).where(placed.c.place == place.value).order_by(placed.c.touched.desc()).limit(limit)
        with self._store.read() as conn:
            rows = conn.execute(query, self._since()).all()
            told = self._told(conn, [row.touched for row in rows] + [row.settled_by for row in rows])
            families = self._families(conn, [row.id for row in rows])
        found = []
        for row in rows:
            at = told[row.touched][1]
            ended = told.get(row.settled_by) if place is Place.DONE and row.ended == "decided" else None
            state = ended[2] if ended else (row.ended if place is Place.DONE else row.state)
            found.append(
                Whereabouts(
                    row.id,
                    row.subject or "",
                    row.requester_name or row.requester_email or "",
                    int(row.floor),
                    families.get(row.id, ()),
                    state,
                    ended[0] if ended else "",
                    at,
                )
            )
        return tuple(found)

    def _since(self) -> dict[str, datetime]:
        return {"since": self._store.now() - LIVE_FOR}

    @staticmethod
    def _told(conn: Any, seqs: Sequence[int | None]) -> dict[int, tuple[str, datetime, str]]:
        wanted = [s for s in seqs if s]
        query = select(events.c.seq, events.c.actor, events.c.at, events.c.head).where(events.c.seq.in_(wanted))
        return {r.seq: (r.actor, r.at, str(r.head.get("decision", ""))) for r in conn.execute(query)}

    @staticmethod
    def _families(conn: Any, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
        query = (
            select(events.c.ticket_id, events.c.head)
            .where(events.c.ticket_id.in_(ids), events.c.kind == Kind.LANE_ASSIGNED.value)
            .order_by(events.c.seq)
        )
        return {r.ticket_id: tuple(str(f) for f in r.head.get("families", ())) for r in conn.execute(query)}
