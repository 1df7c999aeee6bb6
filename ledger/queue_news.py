"""Which queues have still to be told that a review came to them because its deadline had passed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, exists, select

from ledger.events import Entry, Kind, append, own_key
from ledger.store import Store
from ledger.tables import events, reviews


@dataclass(frozen=True, slots=True)
class Came:
    """One review that came to a queue."""

    ticket: str
    review: str
    queue: str
    """Where it is now: the release's deadline queue, or where a person has sent it since."""
    passed_at: datetime
    """The deadline that nobody kept."""
    due_at: datetime
    """The new one."""

    @property
    def key(self) -> str:
        """One telling's own, whoever tells it."""
        return f"deadline/{self.review}/{self.passed_at:%Y%m%dT%H%M%S}"


class QueueNews:
    """Reads and writes of one store."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        """Works on one store."""
        self._store = store

    def waiting(self) -> tuple[Came, ...]:
        """What no queue has been told yet, the oldest first: open reviews that have been given on since."""
        row, told = reviews.c, events.alias()
        same = and_(
            told.c.ticket_id == row.ticket_id,
            told.c.kind == Kind.QUEUE_TOLD.value,
            told.c.at >= row.told_due_at,
        )
        query = select(row.ticket_id, row.id, row.queue, row.routed_to, row.told_due_at, row.due_at).where(
            row.state == "open", row.told_due_at.is_not(None), row.due_at > row.told_due_at, ~exists().where(same)
        )
        with self._store.read() as conn:
            found = conn.execute(query.order_by(row.told_due_at)).all()
        return tuple(Came(r.ticket_id, r.id, r.routed_to or r.queue, r.told_due_at, r.due_at) for r in found)

    def told(self, one: Came, state: str, error: str = "") -> None:
        """Records what became of the telling: ``sent``, ``failed`` or ``unknown``. Whoever records first is right."""
        head = {"review": one.review, "queue": one.queue, "passed_at": one.passed_at.isoformat(), "state": state}
        entry = Entry(
            Kind.QUEUE_TOLD, own_key(f"queue_told/{one.key}"), {**head, **({"error": error} if error else {})}
        )
        with self._store.write() as conn:
            append(conn, one.ticket, entry, at=self._store.now(), actor="lanewise")
