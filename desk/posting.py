"""One sweep of the desk: what a crash left, what waits, what is overdue, and then the letters that may leave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from agent.handle import ClockTicked
from desk.channels import Channel
from desk.channels.console import visible
from desk.workplace import Workplace
from ledger.events import Kind
from ledger.letters import Delivery, DeliveryState

Tell = Callable[[str], None]


def sweep(place: Workplace, channel: Channel, tell: Tell) -> int:
    """Does once all that nobody else does by itself, tells what became of each letter, and returns 0.

    Whoever serves calls it every minute or so; two sweeps at once are harmless.
    """
    post = place.post_room(channel)
    left = post.recover()
    caught_up, overdue = asyncio.run(_work(place))
    if caught_up:
        tell(f"{_counted(caught_up, 'event')} that waited: worked on by {place.mode}")
    if overdue:
        tell(f"{_counted(overdue, 'ticket')} past the deadline: re-routed to {place.release.review.deadline_queue}")
    for delivery in (gone := post.deliver_waiting()):
        tell(_told(place, delivery))
    # A letter that broke in this very sweep is told above already.
    fresh = {d.reply_key for d in gone}
    for delivery in left:
        if delivery.reply_key not in fresh:
            tell(_told(place, delivery))
    if not gone:
        tell("No letter waits.")
    return 0


async def _work(place: Workplace) -> tuple[int, int]:
    async with place.handler() as handler:
        caught_up = await handler.catch_up()
        ticked = await handler.handle(ClockTicked())
    return caught_up.runs, len(ticked.tickets)


def _told(place: Workplace, delivery: Delivery) -> str:
    """What became of a letter, in one line that no stranger's id can break."""
    letter = delivery.letter
    to = letter.recipient or "(erased)"
    line = (
        f"{delivery.state.value:<8} {letter.piece.value} for ticket {letter.ticket}, to {to}: {_why(place, delivery)}"
    )
    return visible(line.replace("\n", " "))


def _why(place: Workplace, delivery: Delivery) -> str:
    heads = [e.head for e in place.history.timeline(delivery.letter.ticket) if e.kind in _ENDS]
    head = next((h for h in reversed(heads) if h.get("reply_key") == delivery.reply_key), _NOTHING)
    error = f" ({head['error']})" if head.get("error") else ""
    match delivery.state:
        case DeliveryState.SENT:
            return "it left"
        case DeliveryState.FAILED:
            return f"the channel did not take it{error}; a person is called"
        case DeliveryState.UNKNOWN:
            return f"nobody knows whether it arrived{error}; no machine sends it again, and a person is called"
        case DeliveryState.REFUSED:
            return f"{head.get('reason', 'its right died')}; it does not leave"
        case DeliveryState.INTENT | DeliveryState.SENDING:
            return "the ledger was too busy to note what became of it; the next sweep calls it unknown"


_NOTHING: Mapping[str, Any] = {}
_ENDS = frozenset({Kind.RIGHT_REFUSED, Kind.DELIVERY_FAILED, Kind.DELIVERY_UNKNOWN})


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
