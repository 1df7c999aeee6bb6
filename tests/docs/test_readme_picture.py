"""The README's picture of the graph is drawn from the code, and the README stays short and in order."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from agent.graph import build_graph
from agent.steps import Steps

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


async def stand_in(state: Any) -> dict[str, Any]:
    """Drawn, never run."""
    return {}


def test_the_readme_shows_the_graph_as_the_code_draws_it() -> None:
    steps = Steps(**{f.name: stand_in for f in fields(Steps)})  # type: ignore[arg-type]
    drawn = build_graph(steps).get_graph().draw_mermaid()
    shown = re.findall(r"^```mermaid\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    assert [picture.rstrip("\n") for picture in shown] == [drawn.rstrip("\n")]


def test_the_readme_opens_with_what_it_is_and_the_two_commands() -> None:
    first = README.index("\n## ")
    opening, commands = README[:first], README[first : README.index("\n## ", first + 1)]
    assert opening.startswith("# Lanewise\n")
    assert 3 <= len(re.findall(r"[.](?:\*\*)?\s", opening)) <= 6
    assert commands.index("make demo") < commands.index("make test")


def test_the_readme_can_be_read_in_one_go() -> None:
    assert len(README.splitlines()) < 180
