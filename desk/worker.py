"""The agent at work beside the pages: its own loop in a thread of its own, woken by what is filed."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial

from agent.handle import Handler
from desk.policy.narrowing import HourlyNarrowing
from desk.workplace import Workplace
from guards.errors import PolicyError
from ledger.errors import LedgerError

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())

AT_ONCE = 8
"""Tickets that are run at the same time: they wait for models and lookups, not for the processor."""
LAST_LOOK_SECONDS = 10.0
"""How long the worker's end waits for a look at the families that is under way; what it holds, it holds at once."""
SWEEP_SECONDS = 15.0
"""Between two looks for what nobody woke us for: another process's crash, a deadline that has passed."""


class Worker(threading.Thread):
    """Runs each ticket that has something waiting. What it is not told of, it finds by its sweep."""

    def __init__(
        self,
        place: Workplace,
        done: Callable[[], None],
        sweep_seconds: float = SWEEP_SECONDS,
        renewed: Callable[[Workplace], None] = lambda place: None,
        narrowing: HourlyNarrowing | None = None,
    ) -> None:
        """``done`` is called after each ticket: something may leave by now. ``renewed`` is called with the workplace as it
        is once another release is in force: what people approve is to be approved under that one."""
        super().__init__(name="lanewise-worker", daemon=True)
        self._place = place
        self._done = done
        self._sweep_seconds = sweep_seconds
        self._tell_renewed = renewed
        self._swept = 0.0
        self.narrowing = narrowing or HourlyNarrowing()
        """Whether a family has to be held back is looked at by the tick, at most once an hour."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken: asyncio.Event | None = None
        self._tickets: dict[str, None] = {}
        self._lock = threading.Lock()
        self._stopping = False
        self.ready = threading.Event()
        """Set once the machine is built."""
        self.warm = threading.Event()
        """Set once it works on what waits: a fresh workspace's articles have to be read first."""
        self.busy: frozenset[str] = frozenset()
        """The tickets that are run at this moment, by this process."""
        self.broken: BaseException | None = None
        """What ended the worker; everything is filed on, and another process, or the next start, runs it."""

    @property
    def release(self) -> str:
        """The version of the release it works by."""
        return self._place.release.version

    def wake(self, ticket: str) -> None:
        """Something waits in that ticket. Returns at once; harmless for a ticket without anything."""
        with self._lock:
            self._tickets[ticket] = None
        self._ring()

    def look_now(self) -> None:
        """Sweeps at once, and sees which release is in force."""
        self._swept = 0.0
        self._ring()

    def stop(self) -> None:
        """Ends the work after the events in hand; what waits goes on waiting."""
        self._stopping = True
        self._ring()

    def run(self) -> None:
        """The thread's own."""
        try:
            asyncio.run(self._work())
        except BaseException as error:  # nobody above us would tell of it
            self.broken = error
            _log.exception("the worker has stopped; messages are filed on and wait")
        finally:
            self.ready.set()
            self.narrowing.wait(LAST_LOOK_SECONDS)

    def _ring(self) -> None:
        loop, woken = self._loop, self._woken
        if loop is not None and woken is not None and not loop.is_closed():
            loop.call_soon_threadsafe(woken.set)

    async def _work(self) -> None:
        self._loop, self._woken = asyncio.get_running_loop(), asyncio.Event()
        while not self._stopping:
            async with self._place.handler() as handler:
                self.ready.set()
                await self._guarded(self._place.warm(lambda: self._stopping), "getting the search ready")
                self.warm.set()
                await self._serve(handler)

    async def _serve(self, handler: Handler) -> None:
        """Until it is told to stop, or release or files are other ones by now: then the machine is built anew."""
        places = asyncio.Semaphore(AT_ONCE)
        running: dict[str, asyncio.Task[None]] = {}
        self._swept = 0.0
        while not self._stopping:
            if not self._swept or time.monotonic() - self._swept >= self._sweep_seconds:
                self._swept = time.monotonic()
                await self._guarded(self._sweep(handler), "the sweep")
                if self._renewed():
                    break
                self.narrowing.tick(self._place)
            for ticket in self._taken(running):
                running[ticket] = asyncio.create_task(self._run(handler, ticket, places))
                running[ticket].add_done_callback(partial(self._ended, running, ticket))
            self.busy = frozenset(running)
            await self._wait()
        await asyncio.gather(*running.values())

    def _renewed(self) -> bool:
        """True where another release is in force than the one we work by, or the company's files are other ones; from now on
        they are ours."""
        try:
            now = self._place.renewed()
        except (PolicyError, LedgerError, OSError, UnicodeError):
            _log.exception("release or files cannot be read; what the release would forbid is refused on the way out")
            return False
        changed = now is not self._place
        self._place = now
        if changed:
            self._tell_renewed(now)
        return changed

    async def _wait(self) -> None:
        assert self._woken is not None
        try:
            await asyncio.wait_for(self._woken.wait(), self._sweep_seconds)
        except TimeoutError:
            return
        self._woken.clear()

    def _taken(self, running: dict[str, asyncio.Task[None]]) -> list[str]:
        """The woken tickets that are not run already; those are looked at again when their run has ended."""
        with self._lock:
            taken = [ticket for ticket in self._tickets if ticket not in running]
            for ticket in taken:
                del self._tickets[ticket]
        return taken

    def _ended(self, running: dict[str, asyncio.Task[None]], ticket: str, _: asyncio.Task[None]) -> None:
        running.pop(ticket, None)
        self.busy = frozenset(running)
        self._ring()

    async def _run(self, handler: Handler, ticket: str, places: asyncio.Semaphore) -> None:
        async with places:
            if not self._stopping:
                await self._guarded(handler.drain(ticket), f"ticket {ticket!r}")
        self._done()

    async def _sweep(self, handler: Handler) -> None:
        for ticket in (*await handler.find_work(), *handler.tick()):
            self.wake(ticket)
        self._done()

    async def _guarded(self, work: Awaitable[object], what: str) -> None:
        """A busy ledger or a passing trouble ends no worker: what it held up is done by the next sweep."""
        try:
            await work
        except Exception:
            _log.exception("%s broke off; what waits is found by the next sweep", what)
