"""The graph as a studio finds it: by the file that names it, compiled, and without a way out."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_named_graph_is_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANEWISE_STUDIO_LEDGER", str(tmp_path / "studio.sqlite3"))
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "LANEWISE_MODEL"):
        monkeypatch.delenv(name, raising=False)
    named = json.loads((ROOT / "langgraph.json").read_text(encoding="utf-8"))["graphs"]["lanewise"]
    path, _, name = named.partition(":")
    spec = importlib.util.spec_from_file_location("studio", ROOT / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    machine = getattr(module, name)()
    nodes = set(machine.get_graph().nodes)
    assert {"gather_context", "assess_triggers", "assign_lane", "grant_capabilities", "open_review"} <= nodes
    assert (tmp_path / "studio.sqlite3").is_file()
