"""Who runs a ticket now: a lease that holds between processes and outlives no crash for long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import CursorResult, delete, insert, select, update

from ledger.errors import LeaseHeld, LeaseLost
from ledger.store import Store
from ledger.tables import leases


@dataclass(slots=True)
class Lease:
    """A held lease. ``renew`` it before it runs out where the work takes longer."""

    ticket: str
    holder: str
    expires_at: datetime
    _token: str
    _store: Store

    def renew(self, seconds: float) -> None:
        """Holds on for so many seconds from now. LeaseLost where it ran out (another may hold it by now)."""
        now = self._store.now()
        until = now + timedelta(seconds=seconds)
        with self._store.write() as conn:
            done: CursorResult[tuple[()]] = conn.execute(
                update(leases)
                .where(
                    leases.c.ticket_id == self.ticket,
                    leases.c.token == self._token,
                    leases.c.expires_at > now,
                )
                .values(expires_at=until)
            )
        if done.rowcount != 1:
            raise LeaseLost(f"ticket {self.ticket!r}: the lease of {self.holder!r} ran out")
        self.expires_at = until

    def release(self) -> None:
        """Gives the ticket free; nothing happens where the lease was lost already."""
        with self._store.write() as conn:
            conn.execute(delete(leases).where(leases.c.ticket_id == self.ticket, leases.c.token == self._token))


def acquire(store: Store, ticket: str, holder: str, seconds: float) -> Lease:
    """Takes the ticket's lease for so many seconds. LeaseHeld where it is another's and has not run out."""
    now = store.now()
    lease = Lease(ticket, holder, now + timedelta(seconds=seconds), store.new_id(), store)
    values = {"holder": holder, "token": lease._token, "expires_at": lease.expires_at}
    with store.write() as conn:
        row = conn.execute(select(leases).where(leases.c.ticket_id == ticket)).first()
        if row is None:
            conn.execute(insert(leases).values(ticket_id=ticket, **values))
        elif row.expires_at <= now:
            conn.execute(update(leases).where(leases.c.ticket_id == ticket).values(values))
        else:
            left = (row.expires_at - now).total_seconds()
            raise LeaseHeld(f"ticket {ticket!r} is run by {row.holder!r} for at most {left:.1f} s more")
    return lease


@contextmanager
def lease(store: Store, ticket: str, holder: str, seconds: float) -> Iterator[Lease]:
    """Holds the ticket's lease for the block, and releases it after. LeaseHeld as ``acquire``."""
    held = acquire(store, ticket, holder, seconds)
    try:
        yield held
    finally:
        held.release()
