"""suggest_help: names a macro, an article or a troubleshooting step for an agent."""

from __future__ import annotations

from guards.capabilities import Effect, Right
from tools.actions.ports import Ports
from tools.toolbox import Tool


def suggest_help(ports: Ports) -> Tool:
    """The tool over these ports."""

    def run(kind: str, source: str) -> object:
        return ports.notes.suggest(kind, source)

    return Tool("suggest_help", Effect.LOCAL_NOTE, Right.SUGGEST_HELP, {"kind": str, "source": str}, run)
