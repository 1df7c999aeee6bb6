"""Whether what changes (outbox, register, halts, approvals, drafts) is what the log says it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, bindparam, exists, func, select

from ledger.changes import ChangeState, changes_of
from ledger.events import Event, Kind, event_at, first, timeline
from ledger.letters import DeliveryState
from ledger.sealed.chain import Fault, Finding
from ledger.tables import approvals, bodies, changes, events, halts, outbox, registers, tickets
from ledger.words import digest_of

_PROPOSED = frozenset({Kind.REPLY_PROPOSED, Kind.NOTICE_PROPOSED})
_STATE_AFTER: Mapping[Kind, DeliveryState] = {
    Kind.REPLY_PROPOSED: DeliveryState.INTENT,
    Kind.NOTICE_PROPOSED: DeliveryState.INTENT,
    Kind.DELIVERY_STARTED: DeliveryState.SENDING,
    Kind.DELIVERED: DeliveryState.SENT,
    Kind.DELIVERY_FAILED: DeliveryState.FAILED,
    Kind.DELIVERY_UNKNOWN: DeliveryState.UNKNOWN,
    Kind.RIGHT_REFUSED: DeliveryState.REFUSED,
}
_LETTERS = tuple(_STATE_AFTER)
_REVISIONS = (Kind.CUSTOMER_WROTE, Kind.CUSTOMER_CLOSED)
_MOVES = (Kind.LANE_RAISED, Kind.LANE_LOWERED)
_REVIEWS = (Kind.REVIEW_OPENED, Kind.REVIEW_REVISED)


def first_disagreement(conn: Connection) -> Finding | None:
    """The first place where the log and what was derived from it differ; None where there is none. Asked once the log
    itself is known to be whole."""
    for ticket in _tickets(conn):
        for finding in _of_ticket(conn, ticket):
            return finding
    for finding in _halts(conn):
        return finding
    return None


def _tickets(conn: Connection) -> list[str]:
    """Every ticket with an event, a letter or a register, in the order of their ids."""
    found: set[str] = set()
    for column in (
        events.c.ticket_id,
        outbox.c.ticket_id,
        registers.c.ticket_id,
        approvals.c.ticket_id,
        changes.c.ticket_id,
    ):
        found |= set(conn.execute(select(column).distinct()).scalars())
    return sorted(found)


def _of_ticket(conn: Connection, ticket: str) -> Iterator[Finding]:
    yield from _ticket(conn, ticket)
    yield from _letters(conn, ticket)
    yield from _changes(conn, ticket)
    yield from _register(conn, ticket)
    yield from _approvals(conn, ticket)
    yield from _drafts(conn, ticket)


def _wrong(words: str, seq: int | None = None) -> Finding:
    return Finding(Fault.DISAGREES, None, seq, words)


# ── the ticket's own row ────────────────────────────────────────────────────────────────────────────────────


def _ticket(conn: Connection, ticket: str) -> Iterator[Finding]:
    """Whom the row names is whom the first message came from, and nobody became verified since."""
    row = conn.execute(_ROW, {"ticket": ticket}).mappings().first()
    wrote = first(conn, ticket, Kind.CUSTOMER_WROTE)
    if row is None or wrote is None:
        return
    if row["verified"] and wrote.head.get("verified") is not True:
        yield _wrong(f"ticket {ticket!r} says that its requester is verified, and its first message was not", wrote.seq)
    sender = ((wrote.body.json() if wrote.body else None) or {}).get("sender")
    if sender is None:  # erased, or told before senders were sealed
        return
    for name, value in sender.items():
        if row[name] != value:
            yield _wrong(f"ticket {ticket!r} has another {name} than its first message", wrote.seq)


_ROW = select(tickets).where(tickets.c.id == bindparam("ticket"))


# ── changes ─────────────────────────────────────────────────────────────────────────────────────────────────


def _changes(conn: Connection, ticket: str) -> Iterator[Finding]:
    """Each change hangs on the decision that ordered it, and none that was begun waits to be begun."""
    told: dict[str, list[Event]] = {}
    for event in timeline(conn, ticket, _CHANGED):
        if (key := event.head.get("change")) is not None:
            told.setdefault(str(key), []).append(event)
    held = {one.key: one for one in changes_of(conn, ticket)}
    for key in told.keys() - held.keys():
        yield _wrong(f"change {key!r} is in the log and not in the list of changes", told[key][0].seq)
    for key, one in held.items():
        decided = event_at(conn, one.decided_by)
        if (
            decided is None
            or (decided.ticket, decided.kind) != (ticket, Kind.PERSON_DECIDED)
            or decided.head.get("digest") != one.arguments.digest
        ):
            yield _wrong(f"change {key!r} is not one that a person ordered", one.decided_by)
        last = told[key][-1] if key in told else None
        allowed = _AFTER_CHANGE[last.kind if last else None]
        if one.state not in allowed:
            by_log = " or ".join(sorted(state.value for state in allowed))
            yield _wrong(f"change {key!r} is {one.state.value} in the list, and {by_log} by the log", one.decided_by)


_AFTER_CHANGE: Mapping[Kind | None, frozenset[ChangeState]] = {
    None: frozenset({ChangeState.INTENT}),
    Kind.CHANGE_STARTED: frozenset({ChangeState.RUNNING}),
    Kind.CHANGE_DONE: frozenset({ChangeState.DONE}),
    Kind.CHANGE_FAILED: frozenset({ChangeState.FAILED}),
    # A person may have found out since, and said so by a decision.
    Kind.CHANGE_UNKNOWN: frozenset({ChangeState.UNKNOWN, ChangeState.DONE, ChangeState.FAILED}),
    Kind.RIGHT_REFUSED: frozenset({ChangeState.REFUSED}),
}
_CHANGED = tuple(kind for kind in _AFTER_CHANGE if kind is not None)


# ── letters ─────────────────────────────────────────────────────────────────────────────────────────────────


def _letters(conn: Connection, ticket: str) -> Iterator[Finding]:
    """Each effect has an earlier intent, and each row is where the log left it."""
    told: dict[str, list[Event]] = {}
    for event in timeline(conn, ticket, _LETTERS):
        key = event.head.get("reply_key")
        # A right that was refused before anything was proposed has a reply key and no letter.
        if key is not None and (key in told or event.kind is not Kind.RIGHT_REFUSED):
            told.setdefault(str(key), []).append(event)
    for key, history in told.items():
        yield from _intent_first(key, history)
    rows = {row.reply_key: row for row in conn.execute(_ROWS, {"ticket": ticket})}
    for key, history in told.items():
        row = rows.pop(key, None)
        if row is None:
            yield _wrong(f"letter {key!r} is in the log and not in the outbox", history[0].seq)
            continue
        proposed, last = history[0], history[-1]
        if (row.proposed_by, row.digest) != (proposed.seq, proposed.head.get("digest")):
            yield _wrong(f"letter {key!r} in the outbox is not the text that was proposed", proposed.seq)
        if row.body_digest != row.digest:
            yield _wrong(f"letter {key!r} in the outbox points to another text than the one proposed", proposed.seq)
        if row.state != _STATE_AFTER[last.kind].value:
            state = _STATE_AFTER[last.kind].value
            yield _wrong(f"letter {key!r} is {row.state} in the outbox, and {state} by the log", last.seq)
    for key in rows:
        yield _wrong(f"letter {key!r} is in the outbox, and the log knows of no proposal of it")


_ROWS = (
    select(
        outbox.c.reply_key,
        outbox.c.proposed_by,
        outbox.c.digest,
        outbox.c.state,
        bodies.c.digest.label("body_digest"),
    )
    .outerjoin(bodies, bodies.c.id == outbox.c.body_id)
    .where(outbox.c.ticket_id == bindparam("ticket"))
)


def _intent_first(key: str, history: list[Event]) -> Iterator[Finding]:
    begun = False
    proposed = history[0]
    if proposed.kind not in _PROPOSED:
        yield _wrong(f"letter {key!r} was {proposed.kind.value} without having been proposed", proposed.seq)
    for event in history[1:]:
        if event.kind in _PROPOSED:
            yield _wrong(f"letter {key!r} was proposed twice", event.seq)
        elif event.kind is Kind.DELIVERY_STARTED:
            begun = True
        elif event.kind is not Kind.RIGHT_REFUSED and not begun:
            yield _wrong(f"letter {key!r} was {event.kind.value} before it was begun", event.seq)
        if event.kind is not Kind.RIGHT_REFUSED and event.head.get("digest") != proposed.head.get("digest"):
            yield _wrong(f"letter {key!r} left with another text than the one proposed", event.seq)


# ── the register ────────────────────────────────────────────────────────────────────────────────────────────


def _register(conn: Connection, ticket: str) -> Iterator[Finding]:
    row = conn.execute(_REGISTER, {"ticket": ticket}).first()
    wrote = conn.execute(_WROTE, {"ticket": ticket}).scalar()
    if row is None:
        if wrote is not None:
            yield _wrong(f"ticket {ticket!r} has no lane register", wrote)
        return
    moves = timeline(conn, ticket, _MOVES)
    floor = int(moves[-1].head["floor"][1]) if moves else 1
    epoch = max((int(m.head["epoch"]) for m in moves if m.kind is Kind.LANE_RAISED), default=0)
    seq = moves[-1].seq if moves else None
    if row.floor != floor:
        yield _wrong(f"ticket {ticket!r}: the register's floor is lane {row.floor}, and lane {floor} by the log", seq)
    if row.epoch != epoch:
        yield _wrong(f"ticket {ticket!r}: the register's epoch is {row.epoch}, and {epoch} by the log", seq)
    if row.revision != wrote:
        yield _wrong(f"ticket {ticket!r}: the register's revision is {row.revision}, and {wrote} by the log", wrote)


_REGISTER = select(registers.c.floor, registers.c.epoch, registers.c.revision).where(
    registers.c.ticket_id == bindparam("ticket")
)
_WROTE = select(func.max(events.c.seq)).where(
    events.c.ticket_id == bindparam("ticket"), events.c.kind.in_([k.value for k in _REVISIONS])
)


# ── what people did ─────────────────────────────────────────────────────────────────────────────────────────


def _approvals(conn: Connection, ticket: str) -> Iterator[Finding]:
    for row in conn.execute(_APPROVALS, {"ticket": ticket}):
        decided = event_at(conn, row.decided_by)
        stands = (
            decided is not None
            and (decided.ticket, decided.kind, decided.actor) == (ticket, Kind.PERSON_DECIDED, row.by)
            and decided.head.get("digest") == row.digest
            and (decided.head.get("epoch"), decided.head.get("revision")) == (row.epoch, row.revision)
        )
        if not stands:
            yield _wrong(f"an approval of a text on ticket {ticket!r} is not one that a person gave", row.decided_by)


_APPROVALS = select(
    approvals.c.decided_by, approvals.c.by, approvals.c.digest, approvals.c.epoch, approvals.c.revision
).where(approvals.c.ticket_id == bindparam("ticket"))


def _drafts(conn: Connection, ticket: str) -> Iterator[Finding]:
    """A draft's words hang on its review's event, which names their digest."""
    for event in timeline(conn, ticket, _REVIEWS):
        if event.head.get("draft_body") is None:
            continue
        row = conn.execute(_BODY, {"body": event.head["draft_body"]}).first()
        if row is None or row.digest != event.head.get("draft_digest"):
            yield Finding(Fault.BODY_EDITED, None, event.seq, "the draft it holds is not the one that was prepared")
        elif row.text is not None and digest_of(row.text) != row.digest:
            yield Finding(Fault.BODY_EDITED, None, event.seq, "the words of its draft are not those that were prepared")
        elif row.text is None and not conn.execute(_ERASED, {"ticket": ticket, "after": event.seq}).scalar():
            yield Finding(Fault.BODY_LOST, None, event.seq, "its draft is gone, and no erasure of it is on record")


_BODY = select(bodies.c.digest, bodies.c.text).where(bodies.c.id == bindparam("body"))
_ERASED = select(
    exists().where(
        events.c.ticket_id == bindparam("ticket"),
        events.c.kind == Kind.WORDS_ERASED.value,
        events.c.seq > bindparam("after"),
    )
)


def _halts(conn: Connection) -> Iterator[Finding]:
    listed = select(halts.c.seq, halts.c.family, halts.c.by, halts.c.resumed_by)
    rows = {row.seq: row for row in conn.execute(listed)}
    for seq in conn.execute(select(events.c.seq).where(events.c.kind == Kind.HALTED.value)).scalars().all():
        event, row = event_at(conn, seq), rows.pop(seq, None)
        assert event is not None
        if row is None or (row.family, row.by) != (event.head.get("family"), event.actor):
            yield _wrong("a halt that is on record is not in the list of halts, or is another there", seq)
            continue
        ended = None if row.resumed_by is None else event_at(conn, row.resumed_by)
        if row.resumed_by is not None and (
            ended is None or ended.kind is not Kind.RESUMED or ended.seq < seq or ended.head.get("family") != row.family
        ):
            yield _wrong("a halt is marked as ended, and no resumption of it is on record", seq)
    for seq in rows:
        yield _wrong("the list of halts holds one that nobody ordered", seq)
