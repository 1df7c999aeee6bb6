"""What people at the desk do that decides nothing: they look, and they write notes to each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, insert, select, update

from ledger import events, register
from ledger.decisions import Signature
from ledger.events import Entry, Kind, own_key
from ledger.letters import key_of
from ledger.store import Store
from ledger.tables import looks
from ledger.words import keepable


@dataclass(frozen=True, slots=True)
class Look:
    """That somebody has had a ticket before their eyes."""

    person: str
    opened_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Note:
    """What one colleague wrote for the others. No customer and no model ever reads it."""

    seq: int
    by: str
    text: str
    """Empty where erased."""
    at: datetime
    erased: bool


_ONE = (
    looks.c.ticket_id == bindparam("t"),
    looks.c.person == bindparam("p"),
    looks.c.review_id == bindparam("r"),
    looks.c.draft_digest == bindparam("d"),
)


class Looks:
    """Looks and notes of one store."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        """Works on one store."""
        self._store = store

    def opened(self, ticket: str, person: str, review: str, digest: str, *, again: bool = False) -> None:
        """This person has this draft before their eyes now; ``again`` where their page only asked for news."""
        now, asked = self._store.now(), {"t": ticket, "p": person, "r": review, "d": digest}
        with self._store.write() as conn:
            values = {"last_at": now} if again else {"opened_at": now, "last_at": now}
            if conn.execute(update(looks).where(*_ONE).values(values), asked).rowcount:
                return
            row = {"ticket_id": ticket, "person": person, "review_id": review, "draft_digest": digest}
            conn.execute(insert(looks).values(**row, opened_at=now, last_at=now))

    def of(self, ticket: str, person: str, review: str, digest: str) -> Look | None:
        """When this person last opened exactly this draft; None where they never did."""
        with self._store.read() as conn:
            row = conn.execute(select(looks).where(*_ONE), {"t": ticket, "p": person, "r": review, "d": digest}).first()
        return None if row is None else Look(row.person, row.opened_at, row.last_at)

    def others(self, ticket: str, person: str, within: timedelta) -> tuple[Look, ...]:
        """Who else has the ticket open: their page asked for news within that time. The longest first."""
        since = self._store.now() - within
        query = select(looks).where(looks.c.ticket_id == ticket, looks.c.person != person, looks.c.last_at >= since)
        with self._store.read() as conn:
            rows = conn.execute(query.order_by(looks.c.opened_at)).all()
        found = {row.person: Look(row.person, row.opened_at, row.last_at) for row in reversed(rows)}
        return tuple(reversed(found.values()))

    def record(self, ticket: str, sign: Signature, head: dict[str, object]) -> None:
        """Writes beside a decision how it came about: how long the draft was open, how it was changed. Once a key."""
        with self._store.write() as conn:
            entry = Entry(Kind.LOOKED, own_key(key_of("looked", sign.key)), {"person": sign.by, **head})
            events.append(conn, ticket, entry, at=self._store.now(), actor=sign.by)

    def note(self, ticket: str, text: str, sign: Signature) -> int:
        """Keeps a note for colleagues; once a key. Returns its seq. UnknownTicket."""
        with self._store.write(durable=True) as conn:
            register.current(conn, ticket)
            entry = Entry(Kind.NOTE_WRITTEN, own_key(key_of("note", sign.key)), {}, keepable(text))
            return events.append(conn, ticket, entry, at=self._store.now(), actor=sign.by).seq

    def notes(self, ticket: str) -> tuple[Note, ...]:
        """The ticket's notes, in order."""
        with self._store.read() as conn:
            return notes(conn, ticket)


def notes(conn: Connection, ticket: str) -> tuple[Note, ...]:
    """The ticket's notes, in order."""
    found = events.timeline(conn, ticket, [Kind.NOTE_WRITTEN])
    return tuple(
        Note(e.seq, e.actor, (e.body.text if e.body else None) or "", e.at, e.body is None or e.body.text is None)
        for e in found
    )
