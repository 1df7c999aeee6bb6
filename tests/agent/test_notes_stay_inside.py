"""What colleagues write to each other reaches no run, no packet, no draft and no customer; a passed deadline is shown."""

from __future__ import annotations

from agent_scene import DISCOUNT, Scene
from sqlalchemy import select

from agent.handle import ClockTicked
from ledger.decisions import Signature
from ledger.events import Kind
from ledger.looks import Looks
from ledger.tables import bodies, events
from ledger.whereabouts import WhereaboutsLedger

SECRET = "zebra-crossing"


async def test_a_note_goes_into_nothing_that_a_later_run_makes(machine: Scene) -> None:
    await machine.customer_writes(DISCOUNT, subject="A discount?")
    Looks(machine.store).note("T-1", f"{SECRET}: give them ten percent", Signature("Marek", "a note", "n-1"))
    result = await machine.customer_writes("And where do I find the audit log?", subject="A discount?")
    assert result.review is not None, "the run did make something"
    with machine.store.read() as conn:
        holding = conn.execute(select(bodies.c.id).where(bodies.c.text.contains(SECRET))).scalars().all()
        noted = conn.execute(select(events.c.body_id).where(events.c.kind == Kind.NOTE_WRITTEN.value)).scalars().all()
    assert holding == noted and len(noted) == 1
    machine.deliver()
    assert all(SECRET.encode() not in path.read_bytes() for path in machine.mails())


async def test_a_review_whose_deadline_passed_is_known_as_re_routed(machine: Scene) -> None:
    await machine.customer_writes(DISCOUNT, subject="A discount?")
    where = WhereaboutsLedger(machine.store)
    review = machine.reviews.of_ticket("T-1")
    assert review is not None and where.rerouted() == frozenset()
    machine.clock.forward(days=5)
    await machine.handler.handle(ClockTicked())
    moved = machine.reviews.of_ticket("T-1")
    assert moved is not None and moved.queue != review.queue
    assert where.rerouted() == frozenset({review.id})
