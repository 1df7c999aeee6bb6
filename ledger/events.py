"""What happened to a ticket: an append-only list, in the past tense, its words in bodies that can be erased."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, CursorResult, Row, Select, bindparam, func, insert, select, update

from ledger.errors import HeadTooLarge, KeyReused
from ledger.sealed.chain import Fields
from ledger.sealed.sealing import sealing_of
from ledger.tables import bodies, events, inbox, instant_text
from ledger.words import canonical, digest_of, keepable

HEAD_LIMIT = 8_000
"""Most characters an event's head may have as JSON."""
HEAD_STRING_LIMIT = 300
"""Most characters one string in a head may have: names and codes fit, a customer's message does not."""

HOUSE = "(house)"
"""Stands where a ticket's id would, for what happens to the whole house (a halt)."""


OWN = "~"
"""What the ledger's own keys begin with. A message id is written by a stranger and may not look like one."""


def own_key(key: str) -> str:
    """A key that no message from outside can have."""
    return OWN + key


class Kind(StrEnum):
    """All that can happen, in the past tense."""

    CUSTOMER_WROTE = "customer_wrote"
    CUSTOMER_CLOSED = "customer_closed"
    CONTACT_GIVEN = "contact_given"
    PERSON_DECIDED = "person_decided"
    DEADLINE_PASSED = "deadline_passed"
    QUEUE_TOLD = "queue_told"
    FACTS_GATHERED = "facts_gathered"
    TRIGGERS_ASSESSED = "triggers_assessed"
    LANE_ASSIGNED = "lane_assigned"
    LANE_RAISED = "lane_raised"
    LANE_LOWERED = "lane_lowered"
    RIGHTS_GRANTED = "rights_granted"
    RIGHT_REFUSED = "right_refused"
    ANSWER_COMPOSED = "answer_composed"
    DRAFT_PREPARED = "draft_prepared"
    PACKET_BUILT = "packet_built"
    REVIEW_OPENED = "review_opened"
    REVIEW_REVISED = "review_revised"
    REPLY_PROPOSED = "reply_proposed"
    NOTICE_PROPOSED = "notice_proposed"
    DELIVERY_STARTED = "delivery_started"
    DELIVERED = "delivered"
    DELIVERY_FAILED = "delivery_failed"
    DELIVERY_UNKNOWN = "delivery_unknown"
    OUTCOME_RECORDED = "outcome_recorded"
    THREAD_CLAIMED = "thread_claimed"
    THREAD_RELEASED = "thread_released"
    HANDED_BACK = "handed_back"
    HALTED = "halted"
    RESUMED = "resumed"
    RELEASE_ADOPTED = "release_adopted"
    RELEASE_PROPOSED = "release_proposed"
    RELEASE_PROVEN = "release_proven"
    RELEASE_APPROVED = "release_approved"
    FAMILY_HELD = "family_held"
    FAMILY_LIFTED = "family_lifted"
    FAMILY_PROMOTED = "family_promoted"
    ARTICLE_PINNED = "article_pinned"
    WORDS_ERASED = "words_erased"
    EVENT_FAILED = "event_failed"
    EVENT_GIVEN_UP = "event_given_up"
    RECORD_SEALED = "record_sealed"
    MAIL_NOTED = "mail_noted"
    CHANGE_STARTED = "change_started"
    CHANGE_DONE = "change_done"
    CHANGE_FAILED = "change_failed"
    CHANGE_UNKNOWN = "change_unknown"
    AUDIT_DRAWN = "audit_drawn"
    AUDIT_JUDGED = "audit_judged"
    PERIODIC_REVIEW_OPENED = "periodic_review_opened"
    PERIODIC_REVIEW_CLOSED = "periodic_review_closed"
    LOOKED = "looked"
    NOTE_WRITTEN = "note_written"
    MERGED = "merged"


TO_ACT_ON = frozenset({Kind.CUSTOMER_WROTE, Kind.CUSTOMER_CLOSED, Kind.PERSON_DECIDED, Kind.DEADLINE_PASSED})
"""The kinds the worker runs on: each of these also waits in the inbox."""


@dataclass(frozen=True, slots=True)
class Body:
    """Words somebody wrote, or what is left of them."""

    id: int
    text: str | None
    """None once erased. JSON where the writer gave a mapping or a list."""
    digest: str
    """SHA-256 of the text as it was; it outlives the text."""

    def json(self) -> Any:
        """The text read as JSON; None once erased."""
        return None if self.text is None else json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened."""

    seq: int
    ticket: str
    key: str
    """Unique in its ticket: the same deed, told twice, is one event."""
    kind: Kind
    at: datetime
    actor: str
    head: Mapping[str, Any]
    """Small plain JSON without any customer text; it outlives erasure."""
    body: Body | None


@dataclass(frozen=True, slots=True)
class Entry:
    """An event about to be recorded."""

    kind: Kind
    key: str
    head: Mapping[str, Any] = field(default_factory=dict)
    body: str | Mapping[str, Any] | Sequence[Any] | None = None
    """Text as it is, or plain JSON."""


@dataclass(frozen=True, slots=True)
class Record:
    """What stands in the ledger for an entry."""

    seq: int
    first: bool
    """False where the key was there already: then ``head`` and ``body`` are the earlier ones."""
    head: Mapping[str, Any]
    body: Body | None


def keep_body(conn: Connection, ticket: str, words: str | Mapping[str, Any] | Sequence[Any]) -> Body:
    """Stores words and returns them with their digest. Text is kept as ``words.keepable`` says."""
    kept = keepable(words) if isinstance(words, str) else canonical(words)
    digest = digest_of(kept)
    done = conn.execute(_INSERT_BODY, {"ticket_id": ticket, "text": kept, "digest": digest})
    return Body(_new_key(done), kept, digest)


def append(
    conn: Connection,
    ticket: str,
    entry: Entry,
    *,
    at: datetime,
    actor: str,
    body: Body | None = None,
) -> Record:
    """Appends one event, sealed, in the caller's write transaction; a key that is there already writes nothing.

    ``body`` is a body that was kept before, in place of ``entry.body``. Kinds in ``TO_ACT_ON`` go to the inbox
    in the same breath. HeadTooLarge for a head that is no head; KeyReused where the key stands for another kind;
    CannotSeal where the chain's key is missing or the ledger is not the one that was sealed (a halt is written still).
    """
    told = _checked(entry)
    found = by_key(conn, ticket, entry.key)
    if found is not None:
        if found.kind is not entry.kind:
            raise KeyReused(ticket, entry.key, found.kind.value, entry.kind.value)
        return Record(found.seq, False, found.head, found.body)
    if body is None and entry.body is not None:
        body = keep_body(conn, ticket, entry.body)
    seals = sealing_of(conn)
    place = seals.next(_sealed_fields(ticket, entry, told, at, actor, body))
    conn.execute(
        _INSERT_EVENT,
        {
            "seq": place.seq,
            "ticket_id": ticket,
            "key": entry.key,
            "kind": entry.kind.value,
            "at": at,
            "actor": actor,
            "head": entry.head,
            "body_id": body.id if body else None,
            "seal": None if place.seal is None else str(place.seal),
        },
    )
    seals.take(place)
    if entry.kind in TO_ACT_ON:
        conn.execute(_INSERT_WORK, {"seq": place.seq, "ticket_id": ticket, "state": "waiting", "failures": 0})
    return Record(place.seq, True, entry.head, body)


def take_from_inbox(conn: Connection, seq: int, at: datetime) -> None:
    """The event needs no work after all."""
    conn.execute(update(inbox).where(inbox.c.seq == seq).values(state="handled", settled_at=at))


def timeline(conn: Connection, ticket: str, kinds: Sequence[Kind] = ()) -> tuple[Event, ...]:
    """The ticket's events in order; all of them, or those of the given kinds. Empty for an unknown ticket."""
    asked: dict[str, Any] = {"ticket": ticket}
    if kinds:
        asked["kinds"] = [k.value for k in kinds]
    return tuple(_event(row) for row in conn.execute(_OF_KINDS if kinds else _OF_TICKET, asked))


def event_at(conn: Connection, seq: int) -> Event | None:
    """The event of that number."""
    row = conn.execute(_BY_SEQ, {"seq": seq}).first()
    return _event(row) if row is not None else None


def not_before(conn: Connection, now: datetime) -> datetime:
    """The clock's moment, or that of the ledger's last event where the clock has stepped back behind it: what had run
    out by then stays so."""
    last = conn.execute(_LAST_AT).scalar_one_or_none()
    return now if last is None else max(now, last)


def erased(conn: Connection, ticket: str, under_way: int = 0) -> bool:
    """True where the ticket's words were erased, and the customer has not written since. For a run ``under_way``, by its
    event's seq: true where they were erased since that event, whatever was written afterwards."""
    gone = latest(conn, ticket, Kind.WORDS_ERASED)
    if gone is not None and under_way:
        return gone.seq > under_way
    wrote = latest(conn, ticket, Kind.CUSTOMER_WROTE) if gone else None
    return gone is not None and (wrote is None or wrote.seq < gone.seq)


def next_waiting(conn: Connection, ticket: str) -> Event | None:
    """The ticket's oldest event that waits in the inbox."""
    row = conn.execute(_NEXT_WAITING, {"ticket": ticket}).first()
    return _event(row) if row is not None else None


def latest(conn: Connection, ticket: str, kind: Kind) -> Event | None:
    """The ticket's last event of a kind."""
    row = conn.execute(_LATEST, {"ticket": ticket, "kind": kind.value}).first()
    return _event(row) if row is not None else None


def first(conn: Connection, ticket: str, kind: Kind) -> Event | None:
    """The ticket's first event of a kind."""
    row = conn.execute(_FIRST, {"ticket": ticket, "kind": kind.value}).first()
    return _event(row) if row is not None else None


def by_key(conn: Connection, ticket: str, key: str) -> Event | None:
    """The ticket's event of that key."""
    row = conn.execute(_BY_KEY, {"ticket": ticket, "key": key}).first()
    return _event(row) if row is not None else None


# Built once: building a statement costs more than SQLite takes to run it.
_SELECT: Select[Any] = select(
    events.c.seq,
    events.c.ticket_id,
    events.c.key,
    events.c.kind,
    events.c.at,
    events.c.actor,
    events.c.head,
    events.c.body_id,
    bodies.c.text,
    bodies.c.digest,
).outerjoin(bodies, bodies.c.id == events.c.body_id)
_BY_KEY = _SELECT.where(events.c.ticket_id == bindparam("ticket"), events.c.key == bindparam("key"))
_BY_SEQ = _SELECT.where(events.c.seq == bindparam("seq"))
_OF_TICKET = _SELECT.where(events.c.ticket_id == bindparam("ticket")).order_by(events.c.seq)
_OF_KINDS = _OF_TICKET.where(events.c.kind.in_(bindparam("kinds", expanding=True)))
_LAST_AT = select(events.c.at).order_by(events.c.seq.desc()).limit(1)
_NEXT_WAITING = _SELECT.where(
    events.c.seq
    == select(func.min(inbox.c.seq))
    .where(inbox.c.ticket_id == bindparam("ticket"), inbox.c.state == "waiting")
    .scalar_subquery()
)
_LATEST = (
    _SELECT.where(events.c.ticket_id == bindparam("ticket"), events.c.kind == bindparam("kind"))
    .order_by(events.c.seq.desc())
    .limit(1)
)
_FIRST = (
    _SELECT.where(events.c.ticket_id == bindparam("ticket"), events.c.kind == bindparam("kind"))
    .order_by(events.c.seq)
    .limit(1)
)
_INSERT_EVENT, _INSERT_BODY, _INSERT_WORK = insert(events), insert(bodies), insert(inbox)


def _new_key(done: CursorResult[Any]) -> int:
    key = done.inserted_primary_key
    assert key is not None
    return int(key[0])


def _event(row: Row[Any]) -> Event:
    body = Body(row.body_id, row.text, row.digest) if row.body_id is not None else None
    return Event(row.seq, row.ticket_id, row.key, Kind(row.kind), row.at, row.actor, row.head, body)


def _sealed_fields(ticket: str, entry: Entry, head: str, at: datetime, actor: str, body: Body | None) -> Fields:
    """What the seal covers, each as the tables will store it."""
    kept = (None, None) if body is None else (body.id, body.digest)
    return Fields(ticket, entry.key, entry.kind.value, instant_text(at), actor, head, *kept)


def _checked(entry: Entry) -> str:
    """The head as it is stored."""
    told = canonical(entry.head)
    if len(told) > HEAD_LIMIT:
        raise HeadTooLarge(f"{entry.kind.value}: a head of {len(told)} characters; put long things in the body")
    long = next((s for s in _strings(entry.head) if len(s) > HEAD_STRING_LIMIT), None)
    if long is not None:
        raise HeadTooLarge(
            f"{entry.kind.value}: a string of {len(long)} characters in the head; put text in the body, "
            "where it can be erased"
        )
    return told


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [s for k, v in value.items() for s in (str(k), *_strings(v))]
    if isinstance(value, list | tuple):
        return [s for v in value for s in _strings(v)]
    return []
