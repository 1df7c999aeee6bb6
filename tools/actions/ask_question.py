"""ask_question: hands in the one clarifying question to the customer."""

from __future__ import annotations

from guards.capabilities import Effect, Right
from guards.gate import Permit, Piece, Refusal
from tools.actions.ports import Ports
from tools.toolbox import Tool


def ask_question(ports: Ports) -> Tool:
    """The tool over these ports."""

    def run(text: str) -> Permit | Refusal:
        return ports.outgoing.propose(Piece.QUESTION, text)

    return Tool("ask_question", Effect.CUSTOMER_TEXT, Right.ASK_QUESTION, {"text": str}, run)
