"""The hourly look at whether a family has to be held back: the worker's tick asks for it, and a thread of its own looks."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime

from desk.policy.rollout import NARROWING_DAYS, Tell, narrow
from desk.records import Records

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())

EVERY_SECONDS = 3600.0
"""Between two looks of one process."""
AGAIN_SECONDS = 300.0
"""After a look that broke off."""

Look = Callable[[Records, int, Tell], int]


class HourlyNarrowing:
    """Holds families whose overrides or recontacts have surely spiked, as ``lanewise policy narrow`` does. It never widens.

    Several processes may look: the ledger holds a family once, and the one that held it gives the notice.
    """

    def __init__(
        self,
        look: Look = narrow,
        notice: Callable[[str], object] = _log.warning,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``clock`` gives seconds; the first tick looks."""
        self._look, self._notice, self._clock = look, notice, clock
        self._due = clock()
        self._failing_since: float | None = None
        self._thread: threading.Thread | None = None
        self.trouble = ""
        """The error's name where the last look broke off. What it could not read, no answer leaves without either."""
        self.looked_at: datetime | None = None
        """When the last look was over, by the ledger's clock."""

    @property
    def overdue(self) -> bool:
        """True where every look of an hour and more has broken off: a person has to see why."""
        return self._failing_since is not None and self._clock() - self._failing_since >= EVERY_SECONDS

    def tick(self, records: Records) -> None:
        """Begins a look where an hour is over since the last one began; returns at once. For one caller's thread."""
        if self._clock() < self._due or (self._thread is not None and self._thread.is_alive()):
            return
        self._due = self._clock() + EVERY_SECONDS
        self._thread = threading.Thread(target=self._run, args=(records,), name="lanewise-narrowing", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Until the look under way is over, at most so long."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self, records: Records) -> None:
        told: list[str] = []
        try:
            held = self._look(records, NARROWING_DAYS, told.append)
            self.looked_at = records.store.now()
        except Exception as error:  # whatever it is: nobody above a thread would tell of it
            self.trouble = type(error).__name__
            self._failing_since = self._clock() if self._failing_since is None else self._failing_since
            self._due = self._clock() + AGAIN_SECONDS
            _log.exception("nobody could tell whether a family has to be held back; the next look is in five minutes")
            held = int(bool(told))  # what it held before it broke off is held, and told
        else:
            self.trouble, self._failing_since = "", None
        if held:
            for line in told:
                self._notice(line)
