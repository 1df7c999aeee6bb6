"""Tells open pages that something has happened to a ticket: one look at the ledger a moment, however many pages watch."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import func, select

from ledger.errors import LedgerError
from ledger.store import Store
from ledger.tables import events

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())

LOOK_SECONDS = 0.25
EVERY_TICKET = "*"
"""To be subscribed to by who wants to know of all tickets."""


class Watch(threading.Thread):
    """Reads which tickets had something happen since its last look, whichever process wrote it."""

    def __init__(self, store: Store, look_seconds: float = LOOK_SECONDS) -> None:
        """``look_seconds`` between two looks."""
        super().__init__(name="lanewise-watch", daemon=True)
        self._store = store
        self._seconds = look_seconds
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._pages: dict[str, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}
        self._seen = 0

    @asynccontextmanager
    async def on(self, ticket: str) -> AsyncIterator[asyncio.Event]:
        """An event that is set each time something happened to the ticket (``EVERY_TICKET``: to any). Clear it, then
        read the ledger: what happens in between sets it again."""
        page = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._pages.setdefault(ticket, set()).add(page)
        try:
            yield page[1]
        finally:
            with self._lock:
                self._pages[ticket].discard(page)
                if not self._pages[ticket]:
                    del self._pages[ticket]

    def run(self) -> None:
        """The thread's own."""
        self._seen = self._last()
        while not self._over.wait(self._seconds):
            try:
                self._tell(self._happened())
            except LedgerError:
                _log.warning("the ledger cannot be looked at just now", exc_info=True)

    def stop(self) -> None:
        """Ends it, and wakes every page that watches, so that each looks up and finds it over."""
        self._over.set()
        with self._lock:
            tickets = tuple(self._pages)
        self._tell(tickets)

    @property
    def over(self) -> bool:
        """True once stopped: a page that waits is to end."""
        return self._over.is_set()

    def _last(self) -> int:
        with self._store.read() as conn:
            return int(conn.execute(select(func.coalesce(func.max(events.c.seq), 0))).scalar_one())

    def _happened(self) -> tuple[str, ...]:
        with self._store.read() as conn:
            query = select(events.c.seq, events.c.ticket_id).where(events.c.seq > self._seen)
            rows = conn.execute(query.order_by(events.c.seq)).all()
        if not rows:
            return ()
        self._seen = rows[-1].seq
        return (*dict.fromkeys(row.ticket_id for row in rows), EVERY_TICKET)

    def _tell(self, tickets: tuple[str, ...]) -> None:
        with self._lock:
            pages = [page for ticket in tickets for page in self._pages.get(ticket, ())]
        for loop, happened in pages:
            if not loop.is_closed():
                loop.call_soon_threadsafe(happened.set)
