"""Runs every proof whole, one file after another, and writes what came out into the table of docs/boundary.md."""

from __future__ import annotations

import json
import os
import platform
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "boundary.md"
PEERS = ROOT / "evals" / "peers" / "results.json"
BEGIN, END = "<!-- made by make prove -->", "<!-- end of what make prove made -->"
MINUTES = 25
"""What all proofs together should take at most on two cores of their own."""
INVARIANTS = tuple(f"I{n}" for n in range(1, 15))
ENFORCED: Mapping[str, str] = {
    "I1": "`ledger/register.py`, `ledger/people.py`, `agent/state.py`",
    "I2": "`guards/gate.py`, `ledger/moment.py`",
    "I3": "`guards/gate.py`, `ledger/deciding.py`",
    "I4": "`tools/toolbox.py`, `guards/capabilities.py`",
    "I5": "`guards/gate.py`, `ledger/moment.py`, `ledger/outbox.py`",
    "I6": "`ledger/moment.py`, `desk/post.py`",
    "I7": "`guards/grounding.py`, `guards/wording.py`, `ledger/packets/lint.py`",
    "I8": "`ledger/outbox.py`, `ledger/worker.py`",
    "I9": "`ledger/outbox.py`, `ledger/events.py`",
    "I10": "`guards/assess.py`, `guards/assign.py`",
    "I11": "`guards/assess.py`, `agent/case.py`",
    "I12": "`agent/handle.py`, `ledger/intake.py`, `agent/assessors/__init__.py`",
    "I13": "`desk/post.py`, `agent/wiring.py`",
    "I14": "every row above",
}
"""Where each invariant is enforced first; docs/boundary.md says more."""
SHOWN_WITH = ("hypothesis", "langgraph", "pydantic", "pytest", "sqlalchemy")


class Row(NamedTuple):
    """One figure of one proof."""

    invariant: str
    what: str
    figure: str
    beside: str
    by: str
    holds: bool = True


def main() -> int:
    """0 where every proof holds and every invariant has a row; the table is written in that case alone."""
    rows, failed = run_all()
    rows += peers_rows()
    missing = [name for name in INVARIANTS if not any(row.invariant == name for row in rows)]
    broken = [f"{row.invariant}, {row.what}: {row.figure}" for row in rows if not row.holds]
    for told, which in (("failed", failed), ("without a row", missing), ("does not hold", broken)):
        if which:
            sys.stdout.write(f"{told}: {'; '.join(which)}\n")
    if failed or broken:
        return 1
    write_table(rows, datetime.now(UTC).date())
    sys.stdout.write(f"{len(rows)} rows written to {DOCUMENT.relative_to(ROOT)}\n")
    return 1 if missing else 0


def run_all() -> tuple[list[Row], list[str]]:
    """Every proof file, whole; its rows, and the names of the files that failed."""
    rows: list[Row] = []
    failed: list[str] = []
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for file in sorted((ROOT / "tests" / "proofs").glob("test_*.py")):
            out = Path(folder) / f"{file.stem}.jsonl"
            began = time.monotonic()
            sys.stdout.write(f"── {file.stem} …\n")
            sys.stdout.flush()
            ran = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file.relative_to(ROOT))],
                cwd=ROOT,
                env={**os.environ, "LANEWISE_PROOFS": "full", "LANEWISE_PROOFS_OUT": str(out)},
                check=False,
            )
            if ran.returncode:
                failed.append(file.name)
            rows += read_rows(out)
            sys.stdout.write(f"── {file.stem}: {time.monotonic() - began:.0f} s\n\n")
            sys.stdout.flush()
    minutes = (time.monotonic() - started) / 60
    sys.stdout.write(f"all proofs: {minutes:.1f} min" + (f", more than {MINUTES}\n" if minutes > MINUTES else "\n"))
    return rows, failed


def read_rows(out: Path) -> list[Row]:
    """What ``shown`` wrote; nothing where no proof wrote anything."""
    lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
    return [_row(json.loads(line)) for line in lines]


def peers_rows(path: Path = PEERS) -> list[Row]:
    """The peers' suites' rows, where they were run: they have environments and a results file of their own."""
    if not path.exists():
        return []
    parts: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))["parts"]
    return [_row(row) for part in parts.values() for row in part["rows"]]


def _row(raw: Mapping[str, Any]) -> Row:
    by = re.sub(r"\[.*\]$", "", str(raw["by"]))
    return Row(raw["invariant"], raw["what"], raw["figure"], raw.get("beside", ""), by, raw.get("holds", True) is True)


def write_table(rows: Iterable[Row], day: date, document: Path = DOCUMENT) -> None:
    """Puts the table between its marks; ValueError where the document has none."""
    text = document.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{document.name}: the marks {BEGIN} and {END} must stand in it")
    document.write_text(f"{head}{BEGIN}\n\n{table(rows, day)}\n{END}{tail}", encoding="utf-8")


def table(rows: Iterable[Row], day: date) -> str:
    """The rows, by invariant; what changes from run to run (seconds) is no part of them."""
    releases = sorted(p.stem for p in (ROOT / "guards" / "policies").glob("*.toml"))
    libraries = ", ".join(f"{name} {version(name)}" for name in SHOWN_WITH)
    lines = [
        f"Lanewise {version('lanewise')}, policy release {releases[-1]}, {day.isoformat()}; Python "
        f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}, {libraries}.",
        "",
        "| | what was done | what came out | beside it | shown by | enforced first in |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in sorted(set(rows), key=lambda r: (int(r.invariant[1:]), r.by, r.what)):
        cells = (row.invariant, row.what, row.figure, row.beside, f"`{row.by}`", ENFORCED[row.invariant])
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
