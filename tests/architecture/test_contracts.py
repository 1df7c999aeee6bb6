"""The walls between the rooms: they stand, and each is tried with a planted violation that it must find."""

from __future__ import annotations

import ast
import configparser
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("guards", "prompts", "ledger", "tools", "agent", "evals", "desk")

PLANTS: list[tuple[str, str, str]] = [
    ("floors", "ledger/planted.py", "from tools.ticket import Ticket"),
    ("floors", "tools/planted.py", "import agent.case"),
    ("floors", "agent/planted.py", "import desk.post"),
    ("floors", "guards/planted.py", "import prompts.library"),
    ("floors", "prompts/planted.py", "import guards.lanes"),
    ("floors", "guards/planted.py", "import ledger.register"),
    ("floors", "evals/planted.py", "import desk.settings"),
    ("floors", "desk/planted.py", "import evals.case"),
    ("floors", "ledger/planted.py", "def late():\n    import agent.graph"),
    ("floors", "guards/planted.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import ledger.register"),
    ("circles", "guards/planted.py", "import guards.planted_too"),
    ("circles", "agent/steps/planted.py", "import agent.steps.planted_too"),
    ("command", "desk/planted.py", "import lanewise"),
    ("command", "agent/planted.py", "from lanewise import main"),
    ("guards_pure", "guards/planted.py", "import random"),
    ("guards_pure", "guards/planted.py", "import sqlite3"),
    ("guards_pure", "guards/planted.py", "import socket"),
    ("guards_pure", "guards/planted.py", "from langgraph.graph import StateGraph"),
    ("guards_pure", "guards/planted.py", "from langchain_core.tools import tool"),
    ("guards_pure", "guards/planted.py", "import openai"),
    ("guards_pure", "guards/planted.py", "import httpx"),
    ("guards_pure", "guards/planted.py", "def late():\n    import sqlalchemy.orm"),
    ("model_door", "agent/steps/planted.py", "from langchain_openai import ChatOpenAI"),
    ("model_door", "agent/lane_work/planted.py", "import openai"),
    ("model_door", "tools/planted.py", "def late():\n    import httpx"),
    ("model_door", "desk/planted.py", "import langchain_core.messages"),
    ("model_door", "evals/planted.py", "import langchain_openai"),
    ("framework", "agent/steps/planted.py", "from langgraph.types import Command"),
    ("framework", "agent/lane_work/planted.py", "import langgraph"),
    ("framework", "desk/planted.py", "import langgraph.checkpoint.sqlite"),
    ("framework", "ledger/planted.py", "import langgraph"),
    ("post_room", "agent/steps/planted.py", "from desk.post import send"),
    ("post_room", "tools/actions/planted.py", "import desk.channels.eml"),
    ("post_room", "ledger/planted.py", "def late():\n    import desk.post"),
    ("post_room", "evals/planted.py", "import desk.post"),
    ("change_room", "agent/steps/planted.py", "from desk.changes import ChangeRoom"),
    ("change_room", "tools/actions/planted.py", "def late():\n    import desk.changes"),
    ("change_system", "agent/lane_work/planted.py", "from tools.sandbox_changes import SandboxChanges"),
    ("change_system", "tools/planted.py", "import ledger.changing"),
    ("credential", "desk/planted.py", "from desk.channels.credential import ChannelCredential"),
    ("credential", "agent/planted.py", "import desk.channels.credential"),
    ("lane_work_state", "agent/lane_work/planted.py", "import agent.state"),
    ("lane_work_state", "agent/lane_work/planted.py", "from agent.handle import handle"),
    ("lane_work_state", "agent/lane_work/planted.py", "import agent.wiring"),
    ("lane_work_ledger", "agent/lane_work/planted.py", "import ledger.store"),
    ("lane_work_ledger", "agent/lane_work/planted.py", "from ledger.register import Register"),
    ("hands", "agent/lane_work/planted.py", "from tools.actions import send_answer"),
    ("hands", "desk/planted.py", "import tools.actions.close_ticket"),
    ("rights", "agent/lane_work/planted.py", "from guards.grant import grant"),
    ("rights", "tools/planted.py", "import guards.grant"),
]
"""(the wall, a new file, what it says): what each wall must find."""

SECOND_HALF = {"circles": ("planted_too.py", "import {package}.planted\n")}

TRY_ALL = """
import importlib, json, pathlib, sys
from importlinter import api  # configures the linter
from importlinter.application import use_cases

here, plants = pathlib.Path.cwd(), json.load(sys.stdin)
sys.path.insert(0, str(here))
options = use_cases.read_user_options(".importlinter")
use_cases._register_contract_types(options)


def broken():
    report = use_cases.create_report(options, cache_dir=None)
    return [contract.name for contract, check in report.get_contracts_and_checks() if not check.kept]


found = [broken()]
for files in plants:
    for path, text in files:
        (here / path).write_text(text)
    found.append(broken())
    for path, _ in files:
        (here / path).unlink()
print("RESULT" + json.dumps(found))
"""


def walls() -> dict[str, str]:
    """Each contract's id and name, in the file's order."""
    read = configparser.ConfigParser()
    read.read(ROOT / ".importlinter", encoding="utf-8")
    return {s.rpartition(":")[2]: read[s]["name"] for s in read.sections() if s.startswith("importlinter:contract:")}


def files_of(wall: str, path: str, line: str) -> list[tuple[str, str]]:
    files = [(path, line + "\n")]
    if wall in SECOND_HALF:
        name, text = SECOND_HALF[wall]
        folder = Path(path).parent
        files.append((str(folder / name), text.format(package=".".join(folder.parts))))
    return files


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """The names of the broken contracts: of an untouched copy of the house first, then of one copy for each plant."""
    copy = tmp_path_factory.mktemp("house")
    shutil.copy(ROOT / ".importlinter", copy)
    for room in ROOMS:
        for source in (ROOT / room).rglob("*.py"):
            target = copy / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    ran = subprocess.run(
        [sys.executable, "-c", TRY_ALL],
        cwd=copy,
        input=json.dumps([files_of(*plant) for plant in PLANTS]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    found = json.loads(ran.stdout.rpartition("RESULT")[2])
    assert isinstance(found, list)
    return found


def test_every_wall_stands(tried: list[list[str]]) -> None:
    assert tried[0] == []


@pytest.mark.parametrize("number", range(len(PLANTS)), ids=lambda n: f"{PLANTS[n][0]}-{PLANTS[n][1]}-{n}")
def test_a_planted_violation_is_found(tried: list[list[str]], number: int) -> None:
    wall = PLANTS[number][0]
    assert walls()[wall] in tried[number + 1]


def test_every_wall_is_tried_at_least_twice() -> None:
    tries = [wall for wall, _, _ in PLANTS]
    assert set(tries) == set(walls())
    assert all(tries.count(wall) >= 2 for wall in walls())


def test_the_command_that_ci_runs_finds_the_walls_standing() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    ran = subprocess.run([lint, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-4000:]
    assert f"{len(walls())} kept, 0 broken" in ran.stdout


# ── what the import linter cannot say: it asks for packages, and the command is one file ────────────────────


def test_there_is_no_room_that_the_walls_do_not_know() -> None:
    aside = {"tests", "build", "dist", "docs"}
    found = {
        path.relative_to(ROOT).parts[0]
        for path in ROOT.glob("[!.]*/**/*.py")
        if not path.relative_to(ROOT).parts[0].endswith(".egg-info")
    }
    assert found - aside == set(ROOMS)


def test_the_command_is_the_only_module_at_the_root() -> None:
    assert [path.name for path in ROOT.glob("*.py")] == ["lanewise.py"]


def test_the_command_imports_rooms_and_frameworks_only_when_it_runs() -> None:
    parts = sorted((ROOT / "desk" / "commands").glob("[a-z]*.py"))
    own = {f"desk.commands.{part.stem}" for part in parts} | {"desk.commands"}
    for file in (ROOT / "lanewise.py", *parts):
        loaded = _loaded_at_once(ast.parse(file.read_text(encoding="utf-8")))
        loaded = {name for name in loaded if not name.startswith(tuple(own))}
        assert {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names) <= {"typer"}, file.name


def _loaded_at_once(tree: ast.Module) -> set[str]:
    loaded: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            loaded |= {f"{node.module}.{a.name}" for a in node.names}
        elif isinstance(node, ast.Import):
            loaded |= {a.name for a in node.names}
    return loaded


def test_the_walls_are_the_floors_of_the_house() -> None:
    read = configparser.ConfigParser()
    read.read(ROOT / ".importlinter", encoding="utf-8")
    assert set(read["importlinter"]["root_packages"].split()) == set(ROOMS)
    floors = [line.strip() for line in read["importlinter:contract:floors"]["layers"].strip().splitlines()]
    assert floors == ["desk | evals", "agent", "tools", "ledger", "guards | prompts"]
