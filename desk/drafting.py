"""What a helpdesk calls: one ticket in, one result out. A lane-1 reply is handed to the caller, and to nobody else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from agent.incoming import incoming
from desk.workplace import Workplace
from ledger.intake import Intake
from ledger.letters import DeliveryState
from ledger.result import read_result
from tools.errors import UnreadableFile
from tools.ticket_files import ticket_from_json
from tools.ticket_text import decode


class HandedToCaller:
    """The channel of a helpdesk that sends by its own means: the letter stands in the result it is given."""

    name = "helpdesk"

    def deliver(self, reply_key: str, *, recipient: str, subject: str, body: str, headers: Mapping[str, str]) -> str:
        """Nothing to do: whoever called has the text in hand and sends it."""
        return f"caller:{reply_key}"


def draft_ticket(place: Workplace, raw: bytes, name: str) -> dict[str, Any]:
    """Files the ticket, runs the machine, and returns the result as plain JSON. Bad input is a ToolError.

    ``filed`` says whether the message was new. Each of ``replies`` has its ``reply_key``, the same for ever, and
    ``new`` is true for those that this call let go: they, and no others, are now the caller's to send.
    """
    text, _ = decode(raw, name)
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:  # a ValueError also where a number has thousands of digits
        raise UnreadableFile(f"{name} is not valid JSON ({error}). Give one ticket as a JSON object") from error
    ticket = ticket_from_json(told, name)
    # Filed before anything else is opened: from here on it is not lost, whatever breaks.
    received = Intake(place.store).receive(incoming(ticket, "helpdesk"))
    asyncio.run(_drain(place, received.ticket))
    # Only this ticket's letters, and only what the ledger still lets go at this moment.
    gone = place.post_room(HandedToCaller()).deliver_waiting(received.ticket)
    new = {d.reply_key for d in gone if d.state is DeliveryState.SENT}
    result = read_result(place.history, place.reviews, received.ticket)
    shown = result.to_json()
    replies = [
        {"reply_key": d.reply_key, "new": d.reply_key in new, **reply}
        for d, reply in zip(result.replies, shown["replies"], strict=True)
    ]
    filed = "new" if received.first else "already"
    return {**shown, "replies": replies, "filed": filed, "answered_by": place.mode}


async def _drain(place: Workplace, ticket: str) -> None:
    async with place.handler() as handler:
        await handler.drain(ticket)
