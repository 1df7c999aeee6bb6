"""The one way in: an event is filed in the ledger first, then run under its ticket's lease, one run an event."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from langgraph.checkpoint.base import BaseCheckpointSaver

from agent.graph import Machine
from agent.keeping import Keeper
from guards.lanes import Lane
from ledger.errors import LeaseHeld, LeaseLost, WordsErased
from ledger.events import Event
from ledger.intake import IncomingMessage, Intake
from ledger.lease import Lease, running_under

GIVE_UP_AFTER = 3
"""Runs of one event that may fail before a person is called; the events behind it must not wait for ever."""
LEASE_SECONDS = 25.0
"""How long a ticket stays with a process that was killed. While a run is under way its lease is renewed, however long the
run takes; and a run that has lost its lease writes nothing more."""
BEAT_SECONDS = 5.0
"""Between two renewals: several fit into a lease, also where the ledger is busy for one of them."""


@dataclass(frozen=True, slots=True)
class CustomerClosed:
    """The customer said, by a button, that the matter is resolved."""

    ticket: str
    key: str


@dataclass(frozen=True, slots=True)
class PersonDecided:
    """A person's decision, which the desk has already put in the ledger."""

    ticket: str


@dataclass(frozen=True, slots=True)
class ClockTicked:
    """Time has passed: whoever serves emits these."""


Incoming: TypeAlias = IncomingMessage | CustomerClosed | PersonDecided | ClockTicked


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of an incoming event."""

    tickets: tuple[str, ...]
    runs: int
    """Events run here; 0 where another process holds the ticket and runs them."""


class Handler:
    """Files events and drains tickets. One per event loop."""

    def __init__(
        self,
        intake: Intake,
        machine: Machine,
        saver: BaseCheckpointSaver[str],
        holder: str,
        patience: float = 30.0,
        keeper: Keeper | None = None,
        forget: Callable[[str, int], object] = lambda ticket, seq: None,
    ) -> None:
        """``holder`` names this process in leases; ``patience`` is how long, in seconds, to wait for another's; ``keeper``
        renews those of runs under way; ``forget`` is told of each run that is over, however it ended."""
        self._intake = intake
        self._machine = machine
        self._saver = saver
        self._holder = holder
        self._patience = patience
        self._forget = forget
        self._keeper = keeper or Keeper(LEASE_SECONDS, BEAT_SECONDS)

    def close(self) -> None:
        """To be called when no run is under way any more: nothing of it is left at work."""
        self._keeper.close()

    async def handle(self, event: Incoming) -> Handled:
        """Takes an event in and runs its ticket until nothing waits. Filed first: from then on nothing is lost."""
        match event:
            case IncomingMessage():
                tickets: tuple[str, ...] = (self._intake.receive(event).ticket,)
            case CustomerClosed(ticket, key):
                tickets = (self._intake.close(ticket, key).ticket,)
            case PersonDecided(ticket):
                tickets = (ticket,)
            case ClockTicked():
                tickets = self.tick()
        return Handled(tickets, sum([await self.drain(ticket) for ticket in tickets]))

    async def catch_up(self) -> Handled:
        """Runs everything that waits, whoever filed it: after a crash."""
        tickets = await self.find_work()
        return Handled(tickets, sum([await self.drain(ticket) for ticket in tickets]))

    def tick(self) -> tuple[str, ...]:
        """Files that deadlines have passed, and returns the tickets that have something to run by it."""
        return self._intake.tick()

    async def find_work(self) -> tuple[str, ...]:
        """The tickets with something that waits, whoever filed it; what a kill left of settled runs is forgotten."""
        await self._forget_finished()
        return self._intake.tickets_with_work()

    async def drain(self, ticket: str) -> int:
        """Runs the ticket's waiting events in order, and returns how many. A ticket that another process runs is
        waited for, so that an event filed while it finished is not left lying."""
        waited, runs = 0.0, 0
        while True:
            try:
                taken = self._intake.take(ticket, self._holder, LEASE_SECONDS)
                if taken is None:
                    return runs
                lease, event = taken
                try:
                    following: Event | None = event
                    with self._keeper.keeping(lease):
                        while following is not None:
                            runs += 1
                            with running_under(lease, following.seq):
                                following = await self._run(following, lease)
                    if lease.ended:  # in the very write that saw that nothing waits
                        return runs
                finally:
                    lease.release()
            except (LeaseHeld, LeaseLost):
                if waited >= self._patience:
                    return runs
                await asyncio.sleep(0.05)
                waited += 0.05

    async def _forget_finished(self) -> None:
        """Deletes what a kill left of runs whose event is settled: between the two no transaction reaches."""
        left = {str(found.config["configurable"]["thread_id"]) async for found in self._saver.alist(None)}
        for thread in sorted(left):
            ticket, key = json.loads(thread)
            if self._intake.is_settled(ticket, key):
                await self._saver.adelete_thread(thread)

    async def _run(self, event: Event, lease: Lease) -> Event | None:
        """Runs one event, and returns the next that waits; None where none does, and the lease is given up."""
        thread = thread_of(event)
        config: Any = {"configurable": {"thread_id": thread}}
        try:
            # After a kill the state's `next` may be empty though the run is unfinished: ask only whether it began.
            begun = await self._saver.aget_tuple(config)
            await self._machine.ainvoke(None if begun else _start(event), config, durability="sync")
        except WordsErased:
            pass  # the customer's words were erased under the run: there is nothing left to do
        except LeaseLost:
            raise  # another process runs it by now: it is its, and its failures are too
        except Exception as error:  # whatever a step raised ends at a person, after GIVE_UP_AFTER tries
            lease.renew(LEASE_SECONDS)
            await self._saver.adelete_thread(thread)
            if self._intake.mark_failed(event.seq, error) >= GIVE_UP_AFTER:
                self._intake.give_up(event.seq)
            return self._intake.next_unhandled(event.ticket)
        finally:
            self._forget(event.ticket, event.seq)
        following = self._intake.handled(event.seq, lease, LEASE_SECONDS)
        await self._saver.adelete_thread(thread)
        return following


def thread_of(event: Event) -> str:
    """The run's own name, by the event's and never by a sequence number alone: a reused number once swallowed a
    message. As JSON, because strangers choose both parts: ticket ``a``, key ``b/c`` is not ticket ``a/b``, key ``c``."""
    return json.dumps([event.ticket, event.key])


def _start(event: Event) -> Any:
    head: Mapping[str, Any] = event.head
    return {
        "ticket": event.ticket,
        "seq": event.seq,
        "kind": event.kind.value,
        "lane": int(Lane.AUTONOMOUS),
        "calls": 0,
        "opening": 0,
        "result": {"review": head.get("review", "")} if "review" in head else {},
    }
