"""Many events at once, sealed one by one and written together: for a history that is made up, or brought in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, String, Text, bindparam, insert

from ledger.events import Kind
from ledger.sealed.chain import Fields
from ledger.sealed.sealing import sealing_of
from ledger.tables import bodies, events

# Texts as they are stored: the seal is over these very characters.
_INSERT = insert(events).values(head=bindparam("head", type_=Text), at=bindparam("at", type_=String))


class Appending:
    """Events of one write transaction, held back until ``flush``; the same seals as by ``events.append``.

    It looks nothing up: a key must be new in its ticket (else the database refuses the whole transaction), and nothing is
    put into the inbox.
    """

    __slots__ = ("_bodies", "_conn", "_rows", "_seals", "last")

    def __init__(self, conn: Connection) -> None:
        """In the caller's write transaction."""
        self._conn, self._seals = conn, sealing_of(conn)
        self._rows: list[Mapping[str, Any]] = []
        self._bodies: list[Mapping[str, Any]] = []
        self.last = 0
        """The seq of the last event that was added."""

    def body(self, id: int, ticket: str, text: str, digest: str) -> None:
        """Words, under an id that the caller chose."""
        self._bodies.append({"id": id, "ticket_id": ticket, "text": text, "digest": digest})

    def event(
        self, ticket: str, key: str, kind: Kind, at: str, actor: str, head: str, body: tuple[int, str] | None
    ) -> int:
        """One event, as it will be stored: ``at`` by ``tables.instant_text``, ``head`` as canonical JSON, ``body`` as id
        and digest. Returns its seq."""
        kept = body or (None, None)
        place = self._seals.next(Fields(ticket, key, kind.value, at, actor, head, *kept))
        self._seals.take(place)
        row = {"seq": place.seq, "ticket_id": ticket, "key": key, "kind": kind.value, "at": at, "actor": actor}
        self._rows.append({**row, "head": head, "body_id": kept[0], "seal": str(place.seal)})
        self.last = place.seq
        return place.seq

    def flush(self) -> None:
        """Writes what was held back."""
        if self._bodies:
            self._conn.execute(insert(bodies), self._bodies)
        if self._rows:
            self._conn.execute(_INSERT, self._rows)
        self._rows, self._bodies = [], []
