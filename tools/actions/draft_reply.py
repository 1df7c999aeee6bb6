"""draft_reply: puts down a reply for an agent, who owns the final message."""

from __future__ import annotations

from guards.capabilities import Effect, Right
from tools.actions.ports import Ports
from tools.toolbox import Tool


def draft_reply(ports: Ports) -> Tool:
    """The tool over these ports."""

    def run(text: str) -> object:
        return ports.notes.draft(text)

    return Tool("draft_reply", Effect.DRAFT, Right.DRAFT_REPLY, {"text": str}, run)
