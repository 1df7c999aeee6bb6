"""Every shell command in the documents is run, in a fresh folder for each document and in the order it is read."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from lanewise import app

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = tuple(sorted(str(p.relative_to(ROOT)) for p in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))))
TARGETS = frozenset(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ROOT_COMMAND: Any = typer.main.get_command(app)
_SHELL = re.compile(r"[|<>$;`]")


@dataclass(frozen=True, slots=True)
class Command:
    """One line of a block."""

    line: str
    exits: int
    needs: str
    """What a line says it needs and a test does not have: ``a model server``; empty where it can be run."""

    @property
    def parts(self) -> tuple[str, ...]:
        """What ``&&`` joins."""
        return tuple(part.strip() for part in self.line.split("&&"))


def commands(document: str) -> list[Command]:
    found = []
    for block in _BLOCK.findall((ROOT / document).read_text(encoding="utf-8")):
        for line in filter(str.strip, block.splitlines()):
            said, _, note = line.partition("  #")
            exits, needs = re.fullmatch(r" exits (\d)", note), re.fullmatch(r" needs (.+)", note)
            found.append(Command(said.strip(), int(exits[1]) if exits else 0, needs[1] if needs else ""))
    return found


def spoken(document: str) -> Iterator[list[str]]:
    """The arguments of every ``lanewise …`` in a document's blocks, run or not."""
    for command in commands(document):
        for part in command.parts:
            if part.startswith("lanewise"):
                yield shlex.split(re.split(r"[|<>]", part)[0])[1:]


def subcommands(command: Any) -> Mapping[str, Any]:
    """What a command holds; nothing where it is one to run."""
    held: Mapping[str, Any] = getattr(command, "commands", {})
    return held


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A fresh folder to stand in, no model, and a ``lanewise`` for lines that need a shell."""
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "LANEWISE_")):
            monkeypatch.delenv(name)
    shims, desk = tmp_path / "shims", tmp_path / "somewhere"
    shims.mkdir()
    desk.mkdir()
    shim = shims / "lanewise"
    shim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(ROOT / "lanewise.py"))} "$@"\n')
    shim.chmod(0o755)
    monkeypatch.chdir(desk)
    return {**os.environ, "PATH": f"{shims}{os.pathsep}{os.environ['PATH']}"}


def run(part: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """(exit code, output): plain calls of the command in this process, all else in a shell."""
    words = shlex.split(part)
    if words[0] == "cd":
        monkeypatch.chdir(words[1])
        return 0, ""
    if words[0] == "lanewise" and not _SHELL.search(part):
        done = CliRunner().invoke(app, words[1:])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.output
    ran = subprocess.run(["bash", "-c", part], env=environment, capture_output=True, text=True, timeout=240)
    return ran.returncode, ran.stdout + ran.stderr


# ── the tests ───────────────────────────────────────────────────────────────────────────────────────────────


def test_there_are_commands_to_run() -> None:
    assert sum(len(commands(document)) for document in DOCUMENTS) > 20
    assert {"README.md", "docs/operators.md", "docs/policy.md"} <= set(DOCUMENTS)


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if commands(d)])
def test_every_command_of_the_document_does_what_a_reader_expects(
    document: str, bare: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in commands(document):
        # Targets and exports are checked by the tests below; what needs more than this machine is only parsed.
        if command.needs or command.line.startswith(("make ", "export ")):
            continue
        code, told = 0, ""
        for part in command.parts:
            code, told = run(part, bare, monkeypatch)
            if code:
                break
        assert code == command.exits, f"{document}: {command.line}\n{told}"
        assert "Traceback" not in told


def test_every_make_target_that_is_named_exists() -> None:
    named = {
        (document, target)
        for document in DOCUMENTS
        for target in re.findall(r"(?:`|^)make ([a-z]+)", (ROOT / document).read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {target for _, target in named} >= {"demo", "test", "check", "bench", "record"}
    assert [(document, target) for document, target in sorted(named) if target not in TARGETS] == []


def test_every_subcommand_and_option_that_is_named_exists() -> None:
    wrong = []
    for document in DOCUMENTS:
        for words in spoken(document):
            command, rest = ROOT_COMMAND, list(words)
            while rest and rest[0] in subcommands(command):
                command = subcommands(command)[rest.pop(0)]
            known = {option for p in command.params for option in p.opts} | {"--help"}
            strange = [word for word in rest if word.startswith("-") and word != "-" and word not in known]
            if subcommands(command) or strange:
                wrong.append((document, words))
    assert wrong == []


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command that can be run, by its words."""
    if not subcommands(command):
        yield path
    for name, held in subcommands(command).items():
        yield from leaves(held, (*path, name))


def spelt_out(*documents: str) -> str:
    """What stands as code in the documents, a line each: an English word is no command."""
    texts = [(ROOT / document).read_text(encoding="utf-8") for document in documents]
    return "\n".join(found for text in texts for found in [*_BLOCK.findall(text), *re.findall(r"`([^`\n]+)`", text)])


def test_every_command_is_told_to_operators_and_every_command_of_a_group_on_some_page() -> None:
    to_operators = spelt_out("docs/operators.md")
    pages = spelt_out(*(d for d in DOCUMENTS if d == "README.md" or d.startswith("docs/")))
    told = [*leaves(ROOT_COMMAND)]
    assert {("mail",), ("user", "change"), ("audit", "show")} <= set(told)
    untold = [path for path in told if not re.search(rf"\blanewise {re.escape(path[0])}(?![\w-])", to_operators)]
    assert untold == []
    in_groups = [path for path in told if len(path) > 1]
    assert len(in_groups) > 20
    words = {path: r"\s+".join(map(re.escape, path)) for path in in_groups}
    assert [p for p in in_groups if not re.search(rf"(?m)(?:^|\blanewise ){words[p]}(?![\w-])", pages)] == []


def test_exports_name_only_variables_that_are_read() -> None:
    sources = [p for room in ("agent", "desk", "evals") for p in (ROOT / room).rglob("*.py")]
    read = "".join(path.read_text(encoding="utf-8") for path in sources)
    exported = {
        name
        for document in DOCUMENTS
        for command in commands(document)
        if command.line.startswith("export ")
        for name in re.findall(r"\b([A-Z_]+)=", command.line)
    }
    assert exported
    assert sorted(name for name in exported if name not in read) == []
