"""send_answer: hands in a grounded answer to the customer."""

from __future__ import annotations

from guards.capabilities import Effect, Right
from guards.gate import Permit, Piece, Refusal
from tools.actions.ports import Ports
from tools.toolbox import Tool


def send_answer(ports: Ports) -> Tool:
    """The tool over these ports."""

    def run(text: str) -> Permit | Refusal:
        return ports.outgoing.propose(Piece.ANSWER, text)

    return Tool("send_answer", Effect.CUSTOMER_TEXT, Right.SEND_ANSWER, {"text": str}, run)
