"""Each check of the product's code is needed: without any one of them a named test fails (I14)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from guards.gate import CHECKS

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("guards", "prompts", "ledger", "tools", "agent", "desk", "evals", "tests")
LARGE = 300_000
"""Files above so many bytes (weights) are linked, not copied."""
ALONE = {"guards", "ledger", "tools"}
"""Rooms whose tests run without the fixtures of the whole house."""
NO_KILL = ("ImportError", "ModuleNotFoundError", "SyntaxError", "NameError", "IndentationError", "fixture")
"""A test that fails by one of these has not noticed that a check is gone, but that the code is broken."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One check that is taken out, and the test that must notice."""

    name: str
    file: str
    old: str
    new: str
    killer: str


MUTANTS = tuple(
    Mutant(**entry)
    for entry in tomllib.loads(Path(__file__).with_name("mutants.toml").read_text(encoding="utf-8"))["mutant"]
)
QUICK = (
    "a right of an older epoch is dead in the executor",
    "an approval is bound to its bytes",
    "the floor only rises",
)
"""The three of the reduced run."""


def copy_house(to: Path) -> Path:
    """The source tree, in a folder of its own."""
    for source in (
        p for room in ROOMS for p in (ROOT / room).rglob("*") if p.is_file() and "__pycache__" not in p.parts
    ):
        target = to / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.stat().st_size > LARGE:
            target.symlink_to(source)
        else:
            shutil.copy(source, target)
    for name in ("lanewise.py", "pyproject.toml"):
        shutil.copy(ROOT / name, to / name)
    return to


def run_tests(house: Path, killers: list[str], report: Path) -> dict[str, list[str]]:
    """``{"passed": […], "failed": […], "broken": […]}``: the tests of a house by how they ended, with the reason."""
    rooms = {killer.split("/")[1] for killer in killers}
    # Most rooms' tests need nothing of the whole house's fixtures, which take longer to load than the tests to run.
    cut = [f"--confcutdir={house / 'tests' / rooms.pop()}"] if rooms <= ALONE and len(rooms) == 1 else []
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *cut, *killers],
        cwd=house,
        # With CI set, hypothesis keeps to fixed examples and to no clock, as the house's own profile does.
        env={**os.environ, "PYTHONPATH": str(house), "PYTHONDONTWRITEBYTECODE": "1", "LANEWISE_PROOFS": "", "CI": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    ended: dict[str, list[str]] = {"passed": [], "failed": [], "broken": []}
    if not report.exists():
        ended["broken"].append((ran.stdout + ran.stderr)[-2_000:])
        return ended
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = str(case.get("name"))
        failure = case.find("failure")
        said = str(failure.get("message")) if failure is not None else ""
        if case.find("error") is not None or any(word in said for word in NO_KILL):
            ended["broken"].append(f"{name}: {said[:300]}")
        else:
            ended["failed" if failure is not None else "passed"].append(name)
    return ended


def outcome(mutant: Mutant, house: Path, report: Path) -> str:
    """Empty where the mutant is killed by its killer, else what is wrong."""
    target = house / mutant.file
    source = (ROOT / mutant.file).read_text(encoding="utf-8")
    if (found := source.count(mutant.old)) != 1:
        return f"{mutant.name}: its text stands {found} times in {mutant.file}: the code has changed, mend mutants.toml"
    target.write_text(source.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        ended = run_tests(house, [mutant.killer], report)
    finally:
        target.write_text(source, encoding="utf-8")
    if ended["broken"]:
        return f"{mutant.name}: it breaks the code rather than taking a check out: {ended['broken'][0]}"
    return (
        ""
        if ended["failed"]
        else f"{mutant.name}: SURVIVES {mutant.killer}; either it is not needed or a test is missing"
    )


@pytest.fixture
def houses(tmp_path: Path) -> list[Path]:
    """Two copies, one for each of two processes."""
    return [copy_house(tmp_path / f"house-{n}") for n in range(2)]


def test_without_any_one_check_a_named_test_fails(
    houses: list[Path], tmp_path: Path, full: bool, shown: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = MUTANTS if full else [m for m in MUTANTS if m.name in QUICK]
    assert len(chosen) >= (25 if full else 3)

    def run_half(number: int) -> list[str]:
        return [outcome(m, houses[number], tmp_path / f"m-{number}-{i}.xml") for i, m in enumerate(chosen[number::2])]

    killers = sorted({m.killer for m in chosen})
    with ThreadPoolExecutor(2) as pool:
        control = pool.submit(run_tests, copy_house(tmp_path / "control"), killers, tmp_path / "control.xml")
        wrong = [w for half in pool.map(run_half, range(2)) for w in half if w]
    ended = control.result()
    assert (ended["failed"], ended["broken"]) == ([], []), "the killers must pass on the code as it is"
    assert len(ended["passed"]) >= len(killers)
    assert not wrong, "\n".join(wrong)
    if full:
        with capsys.disabled():
            sys.stdout.write("".join(f"\n  killed: {m.name} ({m.file}) by {m.killer}" for m in chosen) + "\n")
    figure = f"{len(chosen)} of {len(chosen)} one-check-removed mutants of {len({m.file for m in chosen})} files killed"
    beside = f"{len(killers)} killers, named in mutants.toml; all pass on the code as it is"
    shown("I14", "one check taken out of the product's code at a time", figure, beside)


def test_every_check_of_the_gate_has_its_mutant() -> None:
    text = "".join(m.old for m in MUTANTS if m.file == "guards/gate.py")
    missing = [rule for rule, _ in CHECKS if f'("{rule}"' not in text and rule != "notice"]
    assert missing == []
    assert len({m.name for m in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name.replace(" ", "_"))
def test_the_text_of_a_mutant_stands_exactly_once_in_the_code(mutant: Mutant) -> None:
    assert (ROOT / mutant.file).read_text(encoding="utf-8").count(mutant.old) == 1
    file, _, name = mutant.killer.partition("::")
    assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text(encoding="utf-8")


def test_a_mutant_that_nothing_notices_or_that_breaks_the_code_is_told(houses: list[Path], tmp_path: Path) -> None:
    killer = "tests/guards/test_gate.py::test_a_piece_leaves_in_its_own_lanes_and_in_no_other"
    gone = Mutant("gone", "guards/gate.py", "text that is not there", "", killer)
    assert "0 times" in outcome(gone, houses[0], tmp_path / "c.xml")
    harmless = Mutant("harmless", "guards/gate.py", '"""Yes, and by which right."""', '"""Yes."""', killer)
    assert "SURVIVES" in outcome(harmless, houses[0], tmp_path / "a.xml")
    breaking = Mutant("breaking", "guards/gate.py", "class Permit:", "class Permitted:", killer)
    assert "breaks the code" in outcome(breaking, houses[0], tmp_path / "b.xml")
