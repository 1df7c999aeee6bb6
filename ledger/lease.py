"""Who runs a ticket now: a lease that holds between processes and outlives no crash for long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from ledger.errors import LeaseHeld, LeaseLost
from ledger.store import Store
from ledger.tables import leases

_FIND = select(leases).where(leases.c.ticket_id == bindparam("ticket"))
_MINE = (leases.c.ticket_id == bindparam("ticket"), leases.c.token == bindparam("mine"))
_PROLONG = update(leases).where(*_MINE, leases.c.expires_at > bindparam("now")).values(expires_at=bindparam("until"))
_GIVE_UP = delete(leases).where(*_MINE)
_STILL = select(leases.c.token).where(*_MINE)
_PUT = insert(leases)
_REPLACE = (
    update(leases)
    .where(leases.c.ticket_id == bindparam("ticket"))
    .values(holder=bindparam("by"), token=bindparam("mine"), expires_at=bindparam("until"))
)


@dataclass(slots=True)
class Lease:
    """A held lease. ``renew`` it before it runs out where the work takes longer."""

    ticket: str
    holder: str
    expires_at: datetime
    _token: str
    _store: Store
    ended: bool = False
    """True once it was given up in a write that has committed."""

    def renew(self, seconds: float) -> None:
        """Holds on for so many seconds from now. LeaseLost where it ran out (another may hold it by now)."""
        with self._store.write() as conn:
            held = self.prolong(conn, seconds)
        if not held:
            raise self.lost()

    def release(self) -> None:
        """Gives the ticket free; nothing happens where that was done, or the lease was lost, already."""
        if not self.ended:
            with self._store.write() as conn:
                self.give_up(conn)
            self.ended = True

    def prolong(self, conn: Connection, seconds: float) -> bool:
        """As ``renew``, in the caller's write; False where it ran out."""
        now = self._store.now()
        until = now + timedelta(seconds=seconds)
        asked = {"ticket": self.ticket, "mine": self._token, "now": now, "until": until}
        held = conn.execute(_PROLONG, asked).rowcount == 1
        if held:
            self.expires_at = until
        return held

    def give_up(self, conn: Connection) -> bool:
        """As ``release``, in the caller's write; False where it was lost already. The caller says ``ended`` once that
        write stands."""
        return conn.execute(_GIVE_UP, {"ticket": self.ticket, "mine": self._token}).rowcount == 1

    def still(self, conn: Connection) -> bool:
        """True where nobody else has taken the ticket since, in the caller's transaction."""
        return conn.execute(_STILL, {"ticket": self.ticket, "mine": self._token}).first() is not None

    def lost(self) -> LeaseLost:
        """What to raise where another may have the ticket."""
        return LeaseLost(f"ticket {self.ticket!r}: the lease of {self.holder!r} ran out")


_RUNNING: ContextVar[tuple[Lease, int] | None] = ContextVar("the lease and event that are run", default=None)


@contextmanager
def running_under(held: Lease, event: int = 0) -> Iterator[None]:
    """What is written in the block, and in every task that it starts, is written under this lease, for that event."""
    before = _RUNNING.set((held, event))
    try:
        yield
    finally:
        _RUNNING.reset(before)


def check_still_ours(conn: Connection, ticket: str) -> None:
    """LeaseLost where a run writes to its ticket after another process has taken that over: of two that run at once, one
    writes. Whoever writes outside a run is not asked."""
    running = _RUNNING.get()
    if running is not None and running[0].ticket == ticket and not running[0].still(conn):
        raise running[0].lost()


def event_under_way(ticket: str) -> int:
    """The seq of the event of that ticket that this run is for; 0 outside a run."""
    running = _RUNNING.get()
    return running[1] if running is not None and running[0].ticket == ticket else 0


def acquire(store: Store, ticket: str, holder: str, seconds: float) -> Lease:
    """Takes the ticket's lease for so many seconds. LeaseHeld where it is another's and has not run out."""
    with store.write() as conn:
        return take(conn, store, ticket, holder, seconds)


def take(conn: Connection, store: Store, ticket: str, holder: str, seconds: float) -> Lease:
    """As ``acquire``, in the caller's write."""
    now = store.now()
    lease = Lease(ticket, holder, now + timedelta(seconds=seconds), store.new_id(), store)
    row = conn.execute(_FIND, {"ticket": ticket}).first()
    if row is None:
        values = {"ticket_id": ticket, "holder": holder, "token": lease._token, "expires_at": lease.expires_at}
        conn.execute(_PUT, values)
    elif row.expires_at <= now:
        asked = {"ticket": ticket, "by": holder, "mine": lease._token, "until": lease.expires_at}
        conn.execute(_REPLACE, asked)
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
