"""Keeps the leases of runs that are under way, from a thread that a loop which is held up cannot hold up."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ledger.errors import LeaseLost, LedgerError
from ledger.lease import Lease

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())


class Keeper:
    """Renews each lease that is held, several times before it would run out. The thread ends by itself once none is, or
    with ``close``."""

    def __init__(self, seconds: float, beat: float) -> None:
        """Each renewal lasts ``seconds``, and comes every ``beat`` seconds."""
        self._seconds, self._beat = seconds, beat
        self._held: dict[int, Lease] = {}
        self._lock = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def keeping(self, lease: Lease) -> Iterator[None]:
        """For the length of the block the lease does not run out, while this process lives."""
        with self._lock:
            self._held[id(lease)] = lease
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep, name="lanewise-leases", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(id(lease), None)

    def close(self) -> None:
        """Ends the thread, and waits for it; a lease that is held is renewed no more."""
        with self._lock:
            self._held.clear()
            thread = self._thread
            self._lock.notify()
        if thread is not None:
            thread.join()

    def _keep(self) -> None:
        while True:
            with self._lock:
                self._lock.wait(self._beat)
                held = tuple(self._held.items())
                if not held:
                    self._thread = None
                    return
            for name, lease in held:
                self._renew(name, lease)

    def _renew(self, name: int, lease: Lease) -> None:
        if lease.ended:
            return
        try:
            lease.renew(self._seconds)
        except LeaseLost:
            if lease.ended:  # given up in this very moment
                return
            # Its run writes nothing more: each of its writes asks whether the lease is still its own.
            _log.warning("the lease of ticket %r ran out under its run; another may have it", lease.ticket)
        except LedgerError as error:  # asked again at the next beat
            _log.warning("the lease of ticket %r cannot be renewed just now: %s", lease.ticket, type(error).__name__)
