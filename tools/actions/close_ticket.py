"""close_ticket: hands in the closing text once the customer has confirmed that it is settled."""

from __future__ import annotations

from guards.capabilities import Effect, Right
from guards.gate import Permit, Piece, Refusal
from tools.actions.ports import Ports
from tools.toolbox import Tool


def close_ticket(ports: Ports) -> Tool:
    """The tool over these ports."""

    def run(text: str) -> Permit | Refusal:
        return ports.outgoing.propose(Piece.CLOSING, text)

    return Tool("close_ticket", Effect.CLOSE, Right.CLOSE_TICKET, {"text": str}, run)
