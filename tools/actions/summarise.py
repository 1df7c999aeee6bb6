"""summarise: puts down what an owner may want to open; a packet is owed to a person in every lane."""

from __future__ import annotations

from guards.capabilities import Effect, Right
from tools.actions.ports import Ports
from tools.toolbox import Tool


def summarise(ports: Ports) -> Tool:
    """The tool over these ports."""

    def run(references: tuple[str, ...]) -> object:
        return ports.notes.summarise(references)

    return Tool("summarise", Effect.LOCAL_NOTE, Right.SUMMARISE, {"references": tuple}, run)
