"""Everything that serves people: the ledger, the worker behind it, the post room beside it, and who may work here."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field

from desk.channels import Channel
from desk.staying import keep_posting
from desk.watching import Watch
from desk.ways_out import APART, HERE
from desk.worker import Worker
from desk.workplace import Workplace
from ledger.accounts import Accounts
from ledger.intake import Admit, IncomingMessage, Intake, Received

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())

POST_SECONDS = 2.0
"""Between two looks of the post room where nobody rang."""


@dataclass(slots=True)
class Counter:
    """What pages and interfaces are given. It holds no channel: the post room's thread alone does."""

    place: Workplace
    worker: Worker = field(init=False)
    watch: Watch = field(init=False)
    accounts: Accounts = field(init=False)
    beside: list[threading.Thread] = field(init=False, default_factory=list)
    """Whatever else serves along in this process: the mailbox's reader, who tells receivers."""
    _bell: threading.Event = field(init=False, default_factory=threading.Event)
    _over: threading.Event = field(init=False, default_factory=threading.Event)
    _post: threading.Thread | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Nothing runs before ``open``."""
        self.worker = Worker(self.place, self._bell.set, renewed=self._work_by)
        self.watch = Watch(self.place.store)
        self.accounts = Accounts(self.place.store)

    def open(self, channel: Channel | None) -> None:
        """Starts worker and watch, and the post room in this process where a channel is given; None where
        ``lanewise post --watch`` runs beside it."""
        self.worker.start()
        self.watch.start()
        if channel is not None:
            self._post = threading.Thread(target=self._keep_posting, args=(channel,), name="lanewise-post", daemon=True)
            self._post.start()

    def close(self, seconds: float = 30.0) -> None:
        """Ends all of it: what is in hand is finished, what waits goes on waiting."""
        self._over.set()
        self._bell.set()
        self.watch.stop()
        self.worker.stop()
        for thread in (self.worker, self.watch, self._post):
            if thread is not None and thread.is_alive():
                thread.join(seconds)

    @property
    def leaves(self) -> str:
        """When an approved text leaves, in words: by this process's own post room, or by another's."""
        return HERE if self._post is not None and self._post.is_alive() else APART

    def stopped(self) -> tuple[str, ...]:
        """The parts that were started and have ended by themselves: somebody has to start the process anew."""
        parts: list[threading.Thread] = [self.worker, self.watch, *([self._post] if self._post else []), *self.beside]
        return tuple(part.name for part in parts if part.ident is not None and not part.is_alive())

    def receive(self, message: IncomingMessage, admit: Admit | None = None) -> Received:
        """Files a customer's message and wakes the worker. Once it returns, nothing is lost. BadMessage, KeyReused,
        StoreBusy; what ``admit`` raises."""
        received = Intake(self.place.store).receive(message, admit)
        self.worker.wake(received.ticket)
        return received

    def close_for_customer(self, ticket: str, key: str, admit: Admit | None = None) -> Received:
        """Files that the customer said the matter is resolved. UnknownTicket; what ``admit`` raises."""
        received = Intake(self.place.store).close(ticket, key, admit)
        self.worker.wake(received.ticket)
        return received

    def decided(self, ticket: str) -> None:
        """To be called after a person's decision is in the ledger: the worker runs it, the post room looks."""
        self._bell.set()
        self.worker.wake(ticket)

    def renew(self) -> None:
        """To be called after a release was put in force: pages work by it at once, and the worker as soon as it looks.
        PolicyError, OSError where it cannot be read."""
        self._work_by(self.place.renewed())
        self.worker.look_now()

    def _work_by(self, place: Workplace) -> None:
        self.place = place

    def _keep_posting(self, channel: Channel) -> None:
        def pause() -> None:
            self._bell.wait(POST_SECONDS)
            self._bell.clear()

        try:
            keep_posting(self.place, channel, _log.info, self._over, pause)
        except Exception:
            _log.exception("the post room has stopped; letters wait")
