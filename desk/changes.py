"""The change room: the only room that holds the system which changes money, access and accounts.

Nothing that the graph can reach may import this module.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from desk.settings import Settings
from guards.gate import Refusal
from ledger.changes import Change
from ledger.changing import ChangeLedger, Running
from ledger.errors import Busy, WrongState
from ledger.moment import ReleaseView
from tools.errors import ChangeRejected
from tools.sandbox_changes import SandboxChanges
from tools.state_changes import StateChanges

_log = logging.getLogger("lanewise.changes")
_log.addHandler(logging.NullHandler())  # whoever serves decides where it goes; a command tells it in its own words


class ChangeRoom:
    """Takes each change that a person ordered to the team's own system, once, if the ledger still lets it run."""

    __slots__ = ("_ledger", "_owed", "_system", "_view")

    def __init__(self, ledger: ChangeLedger, system: StateChanges, view: Callable[[], ReleaseView]) -> None:
        """``view`` is asked anew for every change."""
        self._ledger = ledger
        self._system = system
        self._view = view
        self._owed: list[Callable[[], None]] = []

    def run_waiting(self, stop: Callable[[], bool] = lambda: False) -> list[Change]:
        """Carries out every change that waits, in the order they were ordered; returns what became of each.

        A change is done, failed, unknown or refused afterwards; each is in the ledger. One that another room began
        is left out. ``stop`` is asked before each. What ``view`` raises, or a store that cannot be used, comes
        through; what was not begun goes on waiting.
        """
        self.record_what_is_owed()
        done = []
        for key in self._ledger.waiting():
            if stop():
                break
            done.append(self._run(key))
        return [change for change in done if change is not None]

    def recover(self, older_than: timedelta = timedelta(0)) -> list[Change]:
        """Changes that a crash left half-way become unknown: no machine tries them again, a person is called for
        each. Returns every change that is unknown by now."""
        self._ledger.recover(older_than)
        return list(self._ledger.unknowns())

    def _run(self, key: str) -> Change | None:
        going = self._ledger.begin(key, self._view())
        if isinstance(going, Refusal):
            return None if going.rule == "state" else self._ledger.change(key)
        self._record(self._carry_out(going))
        return self._ledger.change(key)

    def _carry_out(self, going: Running) -> Callable[[], None]:
        """Asks the system, once, and returns what is to be recorded of it."""
        try:
            reference = self._system.apply(going.key, going.action, going.arguments, going.approved_by)
        except ChangeRejected as error:
            return partial(self._ledger.failed, going.key, str(error))
        except Exception as error:
            # Only ChangeRejected is a promise that nothing was changed. The error's name alone is kept, since a
            # system's message may quote the customer and cannot be erased from the record.
            _log.warning("change %s: the system broke; nobody knows whether it was made", going.key, exc_info=error)
            return partial(self._ledger.unknown, going.key, type(error).__name__)
        return partial(self._ledger.done, going.key, reference)

    def _record(self, outcome: Callable[[], None]) -> None:
        try:
            outcome()
        except Busy as error:
            # What we know must not be lost while we live; should we not, ``recover`` makes it unknown.
            _log.warning("the ledger is busy; what became of a change is recorded later: %s", error)
            self._owed.append(outcome)
        except WrongState as error:
            # A person has said what became of it before the system did; the changes behind it must not wait for that.
            _log.warning("what the system said of a change comes too late for the record: %s", error)

    def record_what_is_owed(self) -> None:
        """Tells the ledger what it was too busy to take; what it does not take now is owed on."""
        owed, self._owed = self._owed, []
        for outcome in owed:
            self._record(outcome)


def system_for(settings: Settings) -> StateChanges | None:
    """The system that changes are made in: the made-up company's own, or None where a team's files are used and its
    system is not connected. People then do it there, and say so (done-elsewhere)."""
    if settings.company is not None:
        return None
    return SandboxChanges(settings.workspace / ".lanewise" / "changes")
