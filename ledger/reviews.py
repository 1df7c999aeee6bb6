"""Reviews: each time a person is asked. One is open a ticket at most, and later messages join it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, insert, select, update

from guards.lanes import Lane
from ledger import calling, register
from ledger.errors import PacketUnreadable, UnknownReview
from ledger.events import Body, Entry, Event, Kind, append, by_key, keep_body, own_key, timeline
from ledger.packets.lint import lint
from ledger.packets.packet import AssistedPacket, EscalationPacket, from_json, to_json
from ledger.register import Register
from ledger.store import Store
from ledger.tables import bodies, registers, reviews
from ledger.words import keepable

UNROUTED = calling.UNROUTED
_OF_NO_EPOCH = -1


@dataclass(frozen=True, slots=True)
class Review:
    """One open or closed question to a person."""

    id: str
    ticket: str
    open: bool
    why: str
    """``escalated``, or what went wrong: ``event_given_up``, ``delivery_unknown``, ``reply_refused`` …"""
    lane: Lane
    queue: str
    """Where a person routed it, else where the packet suggests."""
    revision: int
    """Counts from 1; each new message or packet makes it one more."""
    epoch: int
    """The ticket's epoch when it was last revised."""
    thread_revision: int
    """The seq of the last customer message its packet takes into account."""
    packet: EscalationPacket | None
    """None where the words were erased, or where it cannot be read."""
    draft: Body | None
    """The text that may be approved; its digest is what an approval names. Always None in lane 3."""
    lint: tuple[str, ...]
    """What the lint found wrong with the packet; shown to the person, never a reason to withhold it."""
    opened_at: datetime
    revised_at: datetime
    due_at: datetime | None
    closed_at: datetime | None
    closed_by: int | None
    """The seq of the decision that closed it."""
    claimed_by: str | None
    """Who has the thread now."""
    stale: bool
    """True where the customer has written, or the lane has risen, since it was last revised."""


@dataclass(frozen=True, slots=True)
class PastDraft:
    """A draft that the review held once, or holds now."""

    revision: int
    text: str | None
    """None once erased."""
    digest: str
    at: datetime
    stale: bool
    """True for all but the one that may still be approved."""


class Reviews:
    """Reads for the operators' desk."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        """Reads from one store."""
        self._store = store

    def open(self, queue: str | None = None) -> tuple[Review, ...]:
        """The open reviews, of all queues or of one; the soonest due first, then the oldest."""
        query = _SELECT.where(reviews.c.state == "open")
        if queue is not None:
            query = query.where(func.coalesce(reviews.c.routed_to, reviews.c.queue) == queue)
        return self._all(query.order_by(reviews.c.due_at.is_(None), reviews.c.due_at, reviews.c.opened_at))

    def due(self, now: datetime | None = None) -> tuple[Review, ...]:
        """The open reviews whose time is over, the longest overdue first; by the store's clock by default."""
        moment = now or self._store.now()
        query = _SELECT.where(reviews.c.state == "open", reviews.c.due_at <= moment)
        return self._all(query.order_by(reviews.c.due_at))

    def of_ticket(self, ticket: str) -> Review | None:
        """The ticket's open review."""
        with self._store.read() as conn:
            return open_review_of(conn, ticket)

    def all_of_ticket(self, ticket: str) -> tuple[Review, ...]:
        """The ticket's reviews, closed ones too, oldest first."""
        return self._all(_SELECT.where(reviews.c.ticket_id == ticket).order_by(reviews.c.opened_at))

    def get(self, review: str) -> Review:
        """The review of that id, open or closed. UnknownReview."""
        with self._store.read() as conn:
            return get(conn, review)

    def drafts(self, review: str) -> tuple[PastDraft, ...]:
        """Every draft the review has held, oldest first. UnknownReview."""
        with self._store.read() as conn:
            held = get(conn, review)
            past = timeline(conn, held.ticket, [Kind.REVIEW_OPENED, Kind.REVIEW_REVISED])
            return tuple(_past_draft(conn, e, held) for e in past if _holds_draft(e, review))

    def _all(self, query: Select[Any]) -> tuple[Review, ...]:
        with self._store.read() as conn:
            return tuple(_review(row) for row in conn.execute(query))


_packets = bodies.alias("packets")
_drafts = bodies.alias("drafts")
_SELECT: Select[Any] = (
    select(
        reviews,
        registers.c.claimed_by,
        registers.c.epoch.label("epoch_now"),
        registers.c.revision.label("revision_now"),
        _packets.c.text.label("packet_text"),
        _packets.c.id.label("packet_id"),
        _packets.c.digest.label("packet_digest"),
        _drafts.c.text.label("draft_text"),
        _drafts.c.digest.label("draft_digest"),
    )
    .join(registers, registers.c.ticket_id == reviews.c.ticket_id)
    .outerjoin(_packets, _packets.c.id == reviews.c.packet_body)
    .outerjoin(_drafts, _drafts.c.id == reviews.c.draft_body)
)
_BY_ID = _SELECT.where(reviews.c.id == bindparam("review"))
_OPEN_ONE = _SELECT.where(reviews.c.ticket_id == bindparam("ticket"), reviews.c.state == "open")
_INSERT = insert(reviews)


def get(conn: Connection, review: str) -> Review:
    """The review of that id. UnknownReview."""
    row = conn.execute(_BY_ID, {"review": review}).first()
    if row is None:
        raise UnknownReview(f"no review {review!r}")
    return _review(row)


def open_review_of(conn: Connection, ticket: str) -> Review | None:
    """The ticket's open review."""
    row = conn.execute(_OPEN_ONE, {"ticket": ticket}).first()
    return None if row is None else _review(row)


def put(
    conn: Connection,
    packet: EscalationPacket,
    now: Register,
    *,
    key: str,
    review_id: str,
    due_at: datetime | None,
    at: datetime,
    actor: str,
    later: bool = False,
) -> Review:
    """Opens a review with a packet, or revises the open one; the draft before it is stale from here on.

    Written once a key. Its event holds the packet, whole; the draft stands in a body of its own. ``now`` is the
    ticket's register in this very transaction.
    """
    held = open_review_of(conn, packet.ticket)
    kind = Kind.REVIEW_REVISED if held else Kind.REVIEW_OPENED
    review = held.id if held else review_id
    revision = held.revision + 1 if held else 1
    packet = replace(packet, revision=revision)
    found = lint(packet)
    findings, rules = [str(f) for f in found], sorted({f.rule for f in found})
    packet_body = keep_body(conn, packet.ticket, to_json(packet))
    text = packet.draft.text if isinstance(packet, AssistedPacket) and packet.draft is not None else None
    draft = None if text is None else keep_body(conn, packet.ticket, text)
    head = {
        "review": review,
        "revision": revision,
        "lane": int(packet.lane),
        "queue": keepable(packet.owner.queue)[:200],
        "thread_revision": packet.thread_revision,
        "draft_body": draft.id if draft else None,
        "draft_digest": draft.digest if draft else None,
        "policy": packet.policy_version,
        "families": list(packet.families),
        "consequence": packet.consequence.value,
        "lint": rules,
    }
    append(conn, packet.ticket, Entry(kind, key, head), at=at, actor=actor, body=packet_body)
    values = {
        "lane": int(packet.lane),
        "queue": keepable(packet.owner.queue)[:200],
        "revision": revision,
        "epoch": now.epoch,
        "thread_revision": packet.thread_revision,
        "packet_body": packet_body.id,
        "draft_body": draft.id if draft else None,
        "lint": findings,
        "revised_at": at,
    }
    if held is None:
        opened = {"id": review, "ticket_id": packet.ticket, "state": "open", "why": "escalated"}
        conn.execute(_INSERT, {**opened, **values, "opened_at": at, "due_at": due_at})
        return _opened(review, packet, draft, now, findings, at, due_at)
    # The customer has waited since the first message: a later one does not put the deadline off.
    # Only a passed deadline is followed by a new one.
    soonest = due_at if later else min((d for d in (held.due_at, due_at) if d is not None), default=None)
    # A passed deadline takes the review from whoever had it, a person's own routing included.
    moved = {"routed_to": None} if later else {}
    conn.execute(update(reviews).where(reviews.c.id == review).values(**values, **moved, due_at=soonest))
    return get(conn, review)


def _opened(
    review: str,
    packet: EscalationPacket,
    draft: Body | None,
    now: Register,
    findings: list[str],
    at: datetime,
    due_at: datetime | None,
) -> Review:
    """The review as ``get`` would read it back: the packet in it is long, and its reader is at hand."""
    return Review(
        id=review,
        ticket=packet.ticket,
        open=True,
        why="escalated",
        lane=packet.lane,
        queue=keepable(packet.owner.queue)[:200],
        revision=packet.revision,
        epoch=now.epoch,
        thread_revision=packet.thread_revision,
        packet=packet,
        draft=draft if packet.lane is Lane.ASSISTED else None,
        lint=tuple(findings),
        opened_at=at,
        revised_at=at,
        due_at=due_at,
        closed_at=None,
        closed_by=None,
        claimed_by=now.claimed_by,
        stale=packet.thread_revision != now.revision,
    )


def call_a_person(conn: Connection, ticket: str, why: str, *, review_id: str, cause: int, at: datetime) -> Review:
    """Makes sure that a person is asked, and told: a machine failed, and ``why`` says which way.

    A review that is open is told so in its packet; else one is opened with the small packet of ``calling`` and a
    deadline. Once a ``cause``, which is the seq of the event that tells what happened.
    """
    held = open_review_of(conn, ticket)
    if held is not None:
        return _tell_too(conn, held, why, cause, at)
    now = register.current(conn, ticket)
    packet = calling.packet_for(conn, ticket, why, at)
    kept = keep_body(conn, ticket, to_json(packet))
    head = {"review": review_id, "revision": 1, "lane": int(Lane.HUMAN_OWNED), "why": why, "cause": cause}
    entry = Entry(Kind.REVIEW_OPENED, own_key(f"called/{cause}"), head)
    append(conn, ticket, entry, at=at, actor="ledger", body=kept)
    conn.execute(
        insert(reviews).values(
            id=review_id,
            ticket_id=ticket,
            state="open",
            why=why,
            lane=int(Lane.HUMAN_OWNED),
            queue=UNROUTED,
            revision=1,
            epoch=now.epoch,
            thread_revision=now.revision,
            packet_body=kept.id,
            lint=[],
            opened_at=at,
            revised_at=at,
            due_at=at + calling.CALLED_WITHIN,
        )
    )
    return get(conn, review_id)


def tell_a_person(conn: Connection, ticket: str, why: str, *, cause: int, at: datetime) -> None:
    """Puts what has come about into the open review's packet; nothing where nobody is asked just now."""
    held = open_review_of(conn, ticket)
    if held is not None:
        _tell_too(conn, held, why, cause, at)


def _tell_too(conn: Connection, held: Review, why: str, cause: int, at: datetime) -> Review:
    """Puts what failed into the open review's packet. Its draft, and how fresh that is, stay as they were."""
    key = own_key(f"called/{cause}")
    if by_key(conn, held.ticket, key) is not None:
        return held
    if held.packet is None:
        packet: EscalationPacket = calling.packet_for(conn, held.ticket, why, at)
    else:
        packet = calling.also_told(conn, held.packet, why)
    packet = replace(packet, revision=held.revision + 1)
    kept = keep_body(conn, held.ticket, to_json(packet))
    head = {
        "review": held.id,
        "revision": packet.revision,
        "lane": int(held.lane),
        "why": why,
        "cause": cause,
        "draft_body": held.draft.id if held.draft else None,
        "draft_digest": held.draft.digest if held.draft else None,
    }
    append(conn, held.ticket, Entry(Kind.REVIEW_REVISED, key, head), at=at, actor="ledger", body=kept)
    due = held.due_at or at + calling.CALLED_WITHIN
    values = {"packet_body": kept.id, "revision": packet.revision, "revised_at": at, "due_at": due}
    conn.execute(update(reviews).where(reviews.c.id == held.id).values(values))
    return get(conn, held.id)


def outdate(conn: Connection, review: str) -> None:
    """Makes the draft of an open review one from before: it cannot be approved, and stays to be read."""
    conn.execute(update(reviews).where(reviews.c.id == review).values(epoch=_OF_NO_EPOCH))


def close(conn: Connection, review: str, *, closed_by: int, at: datetime) -> None:
    """Closes a review; for ``people`` alone, whose decision ``closed_by`` is."""
    conn.execute(
        update(reviews).where(reviews.c.id == review).values(state="closed", closed_at=at, closed_by=closed_by)
    )


def _review(row: Row[Any]) -> Review:
    packet, wrong = _packet(row)
    lane = Lane.read(row.lane)
    has_draft = row.draft_body is not None and lane is Lane.ASSISTED
    return Review(
        id=row.id,
        ticket=row.ticket_id,
        open=row.state == "open",
        why=row.why,
        lane=lane,
        queue=row.routed_to or row.queue,
        revision=row.revision,
        epoch=row.epoch,
        thread_revision=row.thread_revision,
        packet=packet,
        draft=Body(row.draft_body, row.draft_text, row.draft_digest) if has_draft else None,
        lint=(*row.lint, *wrong),
        opened_at=row.opened_at,
        revised_at=row.revised_at,
        due_at=row.due_at,
        closed_at=row.closed_at,
        closed_by=row.closed_by,
        claimed_by=row.claimed_by,
        stale=row.epoch != row.epoch_now or row.thread_revision != row.revision_now,
    )


def _packet(row: Row[Any]) -> tuple[EscalationPacket | None, tuple[str, ...]]:
    if row.packet_text is None:
        return None, ()
    try:
        return from_json(Body(row.packet_id, row.packet_text, row.packet_digest).json()), ()
    except PacketUnreadable as error:
        # One unreadable packet may not hide the whole queue from the desk.
        return None, (str(error),)


def _holds_draft(event: Event, review: str) -> bool:
    return event.head.get("review") == review and event.head.get("draft_body") is not None


def _past_draft(conn: Connection, event: Event, held: Review) -> PastDraft:
    text = conn.execute(select(bodies.c.text).where(bodies.c.id == event.head["draft_body"])).scalar_one()
    digest = str(event.head["draft_digest"])
    current = held.open and not held.stale and event.head["revision"] == held.revision
    return PastDraft(event.head["revision"], text, digest, event.at, stale=not current)
