"""Says who assessed a ticket, from what the ledger recorded of it, so that no output hides which mode was at work."""

from __future__ import annotations

import json
from typing import Any

from desk.face import json_text
from ledger.packets.packet import EscalationPacket
from ledger.packets.pages import to_json, to_markdown, to_text
from ledger.result import TicketResult

FORMS = ("text", "markdown", "json")
"""How a packet can be shown."""


def assessed_by(result: TicketResult) -> str:
    """``the embedded default (…)`` or ``model …``, and who failed; of the ticket's latest assessment."""
    who = dict(result.assessors)
    asked = who.pop("model", "")
    beside = ", ".join(f"{name} {fingerprint}" for name, fingerprint in sorted(who.items()))
    told = f"model {asked}, beside rules" if asked else "the embedded default (no model): rules"
    told += f" and {beside}" if beside else ""
    return f"{told}; {', '.join(result.failures)}" if result.failures else told


def packet_page(packet: EscalationPacket, result: TicketResult, form: str) -> str:
    """The packet in one of ``FORMS``, and who assessed the ticket."""
    told = assessed_by(result)
    match form:
        case "json":
            whole: dict[str, Any] = json.loads(to_json(packet))
            return json_text({**whole, "assessed_by": told})
        case "markdown":
            return f"{to_markdown(packet)}\n## Assessed by\n\n`{told.replace('`', '’')}`\n"
        case _:
            return f"{to_text(packet)}\nAssessed by:\n{told}\n"
