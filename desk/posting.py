"""One sweep of the desk: what a crash left, what waits, what is overdue, and then the letters that may leave."""

from __future__ import annotations

import asyncio

from agent.handle import ClockTicked
from desk.channels import Channel
from desk.queue_mail import tell_queues
from desk.records import Records
from desk.staying import IN_HAND, Tell, counted, told, told_of_change
from desk.workplace import Workplace
from ledger.outbox import PostLedger


def sweep(place: Workplace, channel: Channel, tell: Tell) -> int:
    """Does once all that nobody else does by itself, tells what became of each letter, and returns 0.

    Whoever serves calls it every minute or so; two sweeps at once, or one beside a room that stays, are harmless.
    """
    post, changes = place.post_room(channel), place.change_room()
    left = post.recover(IN_HAND)
    left_changes = changes.recover(IN_HAND) if changes else []
    caught_up, overdue = asyncio.run(_work(place))
    if caught_up:
        tell(f"{counted(caught_up, 'event')} that waited: worked on by {place.mode}")
    if overdue:
        tell(f"{counted(overdue, 'ticket')} past the deadline: re-routed to {place.release.review.deadline_queue}")
    if written := tell_queues(Records(place.settings, place.store), channel):
        tell(f"{counted(written, 'queue')} told by mail of a passed deadline")
    made = changes.run_waiting() if changes else []
    gone = post.deliver_waiting()
    # What broke in this very sweep is told once.
    fresh = {d.reply_key for d in gone} | {c.key for c in made}
    for delivery in (*gone, *(d for d in (*left, *PostLedger(place.store).in_hand()) if d.reply_key not in fresh)):
        tell(told(place, delivery))
    for change in (*made, *(c for c in left_changes if c.key not in fresh)):
        tell(told_of_change(place, change))
    if held := len(PostLedger(place.store).waiting()):
        tell(f"Waiting a minute or two, since the customer has just left the chat: {counted(held, 'letter')}.")
    elif not gone:
        tell("No letter waits.")
    return 0


async def _work(place: Workplace) -> tuple[int, int]:
    async with place.handler() as handler:
        caught_up = await handler.catch_up()
        ticked = await handler.handle(ClockTicked())
    return caught_up.runs, len(ticked.tickets)
