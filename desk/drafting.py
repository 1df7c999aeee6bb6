"""What a helpdesk calls: one ticket in, one result out. A lane-1 reply is handed to the caller, and to nobody else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from agent.incoming import incoming
from agent.outgoing import release_view
from desk.post import PostRoom
from desk.workplace import Workplace
from ledger.outbox import PostLedger
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
    """Files the ticket, runs the machine, and returns the result as plain JSON. Bad input is a ToolError."""
    text, _ = decode(raw, name)
    try:
        ticket = ticket_from_json(json.loads(text), name)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UnreadableFile(f"{name} is not valid JSON ({error}). Give one ticket as a JSON object") from error
    asyncio.run(_handle(place, ticket))
    # Only this ticket's letters, and only what the ledger still lets go at this moment.
    post = PostRoom(PostLedger(place.store), place.history, HandedToCaller(), lambda: release_view(place.release))
    post.deliver_waiting(ticket.id)
    return {**read_result(place.history, place.reviews, ticket.id).to_json(), "answered_by": place.mode}


async def _handle(place: Workplace, ticket: Any) -> None:
    async with place.handler() as handler:
        await handler.handle(incoming(ticket, "helpdesk"))
