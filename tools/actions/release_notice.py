"""release_notice: hands in the approved notice that a colleague will read the ticket."""

from __future__ import annotations

from guards.capabilities import Effect, Right
from guards.gate import Permit, Piece, Refusal
from tools.actions.ports import Ports
from tools.toolbox import Tool


def release_notice(ports: Ports) -> Tool:
    """The tool over these ports."""

    def run(text: str) -> Permit | Refusal:
        return ports.outgoing.propose(Piece.NOTICE, text)

    return Tool("release_notice", Effect.CUSTOMER_TEXT, Right.RELEASE_NOTICE, {"text": str}, run)
