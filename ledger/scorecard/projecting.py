"""Keeps the summaries up: folds what has happened since, in small batches, whenever a scorecard is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from ledger.events import HOUSE, Kind
from ledger.scorecard.summary import COLUMNS, READS, VERSION, Happened, Summary
from ledger.store import Store
from ledger.tables import bodies, events, summary_progress, ticket_summaries

BATCH = 4_000
"""Events folded at a time; the write lock is held only for the rows that come of them."""
_MANY = 500
"""Values in one IN (…)."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the summaries have come."""

    seq: int
    """The last event that was folded."""
    last: int
    """The last event there is."""

    @property
    def complete(self) -> bool:
        """Whether every event is folded."""
        return self.seq >= self.last


def catch_up(store: Store, *, batches: int | None = None) -> Progress:
    """Folds what has happened since, or at most so many batches of it. Never called where a letter is on its way.

    Summaries of another version of the fold are made anew. Two processes may catch up at once: each batch is folded
    by one of them. StoreBusy and StoreBroken as the store.
    """
    done = 0
    while batches is None or done < batches:
        if not _one_batch(store):
            break
        done += 1
    with store.read() as conn:
        return progress(conn)


def rebuild(store: Store) -> Progress:
    """Makes all summaries anew from the events."""
    with store.write() as conn:
        _forget(conn)
    return catch_up(store)


def progress(conn: Connection) -> Progress:
    """How far they have come, in this view of the ledger."""
    at = conn.execute(select(summary_progress.c.seq).where(summary_progress.c.version == VERSION)).scalar()
    last = conn.execute(select(func.max(events.c.seq))).scalar()
    return Progress(at or 0, last or 0)


def _forget(conn: Connection) -> None:
    conn.execute(delete(ticket_summaries))
    conn.execute(delete(summary_progress))
    conn.execute(insert(summary_progress).values(id=1, seq=0, version=VERSION))


def _one_batch(store: Store) -> bool:
    """Folds one batch; False where nothing was left. Read and folded first, so that nobody waits for the folding."""
    with store.read() as conn:
        known = conn.execute(select(summary_progress)).first()
        before = known.seq if known is not None and known.version == VERSION else None
        rows: list[Any] = list(conn.execute(_NEXT, {"after": before or 0, "most": BATCH}))
        if before is not None and not rows:
            return False
        happened = _with_words(conn, [r for r in rows if r.kind in READS and r.ticket_id != HOUSE])
        held = _held(conn, {e.ticket for e in happened}) if before is not None else {}
    touched = dict(held)
    for event in happened:
        touched.setdefault(event.ticket, Summary(event.ticket)).take(event)
    with store.write() as conn:
        now = conn.execute(select(summary_progress)).first()
        if (now.seq if now is not None and now.version == VERSION else None) != before:
            return True  # another process was faster: its rows stand, and ours are read anew
        if before is None:
            _forget(conn)
        _forget_customers(conn, touched, rows[-1].seq if rows else 0)
        _write(conn, touched.values(), held)
        erased = [s.ticket_id for s in touched.values() if s.erased]
        customers = {s.customer for s in touched.values() if s.customer} | _pointing(conn, erased)
        _look_for_recontact(conn, customers)
        if rows:
            conn.execute(update(summary_progress).values(seq=rows[-1].seq))
    return True


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────

_NEXT = (
    select(
        events.c.seq,
        events.c.ticket_id,
        events.c.kind,
        events.c.at,
        events.c.actor,
        events.c.head,
        events.c.body_id,
    )
    .where(events.c.seq > bindparam("after"))
    .order_by(events.c.seq)
    .limit(bindparam("most"))
)


def _with_words(conn: Connection, rows: Sequence[Any]) -> list[Happened]:
    """The events, with the few texts that the fold looks at."""
    wrote = [r.body_id for r in rows if r.kind == Kind.CUSTOMER_WROTE.value and r.body_id is not None]
    words = {r.id: r.text for part in _parts(wrote) for r in conn.execute(_TEXTS, {"ids": part})}
    return [
        Happened(
            r.seq,
            r.ticket_id,
            r.kind,
            r.at,
            r.actor,
            r.head,
            words.get(r.body_id),
            _edit(conn, r) if r.head.get("decision") == "edited_and_approved" else None,
        )
        for r in rows
    ]


_TEXTS = select(bodies.c.id, bodies.c.text).where(bodies.c.id.in_(bindparam("ids", expanding=True)))
_OF_DIGEST = (
    select(bodies.c.text)
    .where(
        bodies.c.ticket_id == bindparam("ticket"), bodies.c.digest == bindparam("digest"), bodies.c.text.is_not(None)
    )
    .limit(1)
)


def _edit(conn: Connection, row: Any) -> tuple[str, str] | None:
    asked = [{"ticket": row.ticket_id, "digest": row.head.get(name)} for name in ("draft_digest", "digest")]
    draft, sent = (conn.execute(_OF_DIGEST, one).scalar() for one in asked)
    return None if draft is None or sent is None else (draft, sent)


def _held(conn: Connection, tickets: Iterable[str]) -> dict[str, Summary]:
    """The rows of tickets, as they stand."""
    table = ticket_summaries
    query = select(table).where(table.c.ticket_id.in_(bindparam("ids", expanding=True)))
    rows = (row for part in _parts(sorted(tickets)) for row in conn.execute(query, {"ids": part}))
    return {row.ticket_id: summary_of(row) for row in rows}


def summary_of(row: Row[Any]) -> Summary:
    """A row as the fold knows it."""
    return Summary(*(getattr(row, name) for name in COLUMNS))


def _parts(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (values[i : i + _MANY] for i in range(0, len(values), _MANY))


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────

_INSERT = insert(ticket_summaries)
_UPDATE = (
    update(ticket_summaries)
    .where(ticket_summaries.c.ticket_id == bindparam("of_ticket"))
    .values({name: bindparam(f"to_{name}") for name in COLUMNS if name != "ticket_id"})
)


def _write(conn: Connection, touched: Iterable[Summary], held: dict[str, Summary]) -> None:
    new, changed = [], []
    for one in touched:
        one.mark()
        if one.ticket_id in held:
            changed.append(_as_change(one))
        else:
            new.append({name: getattr(one, name) for name in COLUMNS})
    if new:
        conn.execute(_INSERT, new)
    if changed:
        conn.execute(_UPDATE, changed)


def _as_change(one: Summary) -> dict[str, Any]:
    return {"of_ticket": one.ticket_id, **{f"to_{n}": getattr(one, n) for n in COLUMNS if n != "ticket_id"}}


def _forget_customers(conn: Connection, touched: Mapping[str, Summary], folded: int) -> None:
    """What was erased since the batch was read stays erased: its own event is folded later."""
    erased = select(events.c.ticket_id).where(events.c.seq > folded, events.c.kind == Kind.WORDS_ERASED.value)
    for ticket in conn.execute(erased).scalars():
        if ticket in touched:
            touched[ticket].customer = None
    for one in touched.values():
        if one.customer is None:
            one.recontacted_by = None


# ── who came back ───────────────────────────────────────────────────────────────────────────────────────────


def _pointing(conn: Connection, tickets: Sequence[str]) -> set[str]:
    """The customers of the rows that say their customer came back with one of these tickets."""
    query = select(ticket_summaries.c.customer).where(
        ticket_summaries.c.recontacted_by.in_(bindparam("ids", expanding=True)),
        ticket_summaries.c.customer.is_not(None),
    )
    return {str(c) for part in _parts(tickets) for c in conn.execute(query, {"ids": part}).scalars()}


_OF_CUSTOMERS = select(ticket_summaries).where(ticket_summaries.c.customer.in_(bindparam("ids", expanding=True)))


def _look_for_recontact(conn: Connection, customers: Iterable[str]) -> None:
    """Says of each ticket of these customers with which one they came back: a function of the rows alone, so that it
    does not matter in which batches they came to stand there."""
    groups: dict[tuple[str, str], list[Summary]] = {}
    for part in _parts(sorted(customers)):
        for row in conn.execute(_OF_CUSTOMERS, {"ids": part}):
            one = summary_of(row)
            groups.setdefault((str(one.customer), one.family), []).append(one)
    changed = []
    for group in groups.values():
        for one in group:
            by = came_back(one, group)
            if by != one.recontacted_by:
                one.recontacted_by = by
                one.mark()
                changed.append(_as_change(one))
    if changed:
        conn.execute(_UPDATE, changed)


def came_back(one: Summary, group: Iterable[Summary]) -> str | None:
    """The first ticket that the same customer opened in the same known family, after this one's last answer and within
    the time in which that counts."""
    if not one.family or one.answered_at is None or one.answered_until is None:
        return None
    after = [
        (other.opened_at, other.ticket_id)
        for other in group
        if other.ticket_id != one.ticket_id
        and other.opened_at is not None
        and one.answered_at < other.opened_at <= one.answered_until
    ]
    return min(after)[1] if after else None
