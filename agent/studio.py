"""The graph for a team's studio (``langgraph.json`` names it): compiled as it is served, over a ledger of its own."""

from __future__ import annotations

import os
from pathlib import Path

from agent.graph import Machine, build_graph
from agent.model import ModelSettings
from agent.packaged import packaged_release
from agent.wiring import build_steps
from ledger.store import open_store
from tools.directory import open_directory
from tools.sandbox import company_folder

LEDGER_NAME = "LANEWISE_STUDIO_LEDGER"
"""The file of the ledger that a studio works on; without it, one in ``.lanewise`` below the folder it was started in."""


def graph() -> Machine:
    """The machine over the made-up company. It is for looking at: no post room is beside it, so nothing leaves."""
    file = Path(os.environ.get(LEDGER_NAME, "") or ".lanewise/studio.sqlite3")
    file.parent.mkdir(parents=True, exist_ok=True)
    systems = open_directory(company_folder()).systems()
    return build_graph(
        build_steps(
            open_store(file),
            systems,
            packaged_release(),
            ModelSettings.from_environment(os.environ),
        )
    )
