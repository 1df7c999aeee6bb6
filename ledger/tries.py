"""Passwords that were tried and were not right, counted for all processes that serve."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from sqlalchemy import delete, func, insert, or_, select

from ledger.store import Store
from ledger.tables import sign_in_tries


class Tries:
    """Counts tries by a mark (whose name, from where); a try counts from its beginning on, so that many at once are no way
    round."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        """Counts in one store."""
        self._store = store

    def begin(self, mark: str, most: int, within: timedelta) -> str | None:
        """Begins a try, and returns its id; None, and nothing is counted, where ``most`` of that mark were begun lately
        and were not right. Those of longer ago are forgotten."""
        now, table = self._store.now(), sign_in_tries
        kept, own = _digest(mark), self._store.new_id()
        with self._store.write() as conn:
            # A clock that was set back leaves tries in the future; they would count for too long.
            conn.execute(delete(table).where(or_(table.c.at <= now - within, table.c.at > now + within)))
            found = conn.execute(select(func.count()).select_from(table).where(table.c.mark == kept)).scalar_one()
            if found >= most:
                return None
            conn.execute(insert(table), {"id": own, "mark": kept, "at": now})
        return own

    def was_right(self, attempt: str) -> None:
        """That try's password was right: it does not count."""
        with self._store.write() as conn:
            conn.execute(delete(sign_in_tries).where(sign_in_tries.c.id == attempt))


def _digest(mark: str) -> str:
    return hashlib.sha256(mark.encode("utf-8", "surrogatepass")).hexdigest()
