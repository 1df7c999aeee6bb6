"""The table of docs/boundary.md names proofs that exist, and leaves out no invariant that a proof shows."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "boundary.md"
TEXT = DOCUMENT.read_text(encoding="utf-8")
PROOFS = ROOT / "tests" / "proofs"
_, _, _REST = TEXT.partition("<!-- made by make prove -->")
MADE, _, _ = _REST.partition("<!-- end of what make prove made -->")
ROWS = [
    [cell.strip() for cell in line.strip("| ").split(" | ")] for line in MADE.splitlines() if re.match(r"\| I\d", line)
]


def test_every_invariant_of_the_law_is_explained_once_to_a_reviewer() -> None:
    before = TEXT.partition("<!-- made by make prove -->")[0]
    assert re.findall(r"^\| (I\d+) \|", before, re.MULTILINE) == [f"I{n}" for n in range(1, 15)]


def test_the_table_leaves_out_no_invariant_that_a_proof_shows() -> None:
    text = "".join(p.read_text(encoding="utf-8") for p in PROOFS.glob("test_*.py"))
    shown = set(re.findall(r'"(I\d{1,2})"', text))
    if (peers := ROOT / "evals" / "peers" / "results.json").exists():
        parts = json.loads(peers.read_text(encoding="utf-8"))["parts"]
        shown |= {row["invariant"] for part in parts.values() for row in part["rows"]}
    assert len(shown) >= 10
    assert shown - {row[0] for row in ROWS} == set(), "run `make prove` and commit docs/boundary.md"


def test_every_proof_that_the_table_names_exists() -> None:
    named = {found for row in ROWS for found in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row[4])}
    assert len(named) >= 6
    lost = [
        (path, name)
        for path, name in sorted(named)
        if not (ROOT / path).is_file() or f"def {name}(" not in (ROOT / path).read_text(encoding="utf-8")
    ]
    assert lost == []


def test_every_row_says_what_came_out_and_where_it_is_enforced() -> None:
    assert ROWS
    assert [row[0] for row in ROWS if len(row) != 6 or not all((row[1], row[2], row[4], row[5]))] == []


def test_a_table_is_put_between_its_marks_and_made_the_same_way_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(PROOFS))
    import prove

    page = tmp_path / "page.md"
    page.write_text(f"before\n{prove.BEGIN}\nold\n{prove.END}\nafter\n", encoding="utf-8")
    rows = [
        prove.Row("I10", "b", "2", "", "tests/x.py::test_b"),
        prove.Row("I2", "a | b", "1", "much", "tests/x.py::test_a"),
    ]
    prove.write_table(rows, date(2026, 11, 23), page)
    once = page.read_text(encoding="utf-8")
    prove.write_table(reversed(rows), date(2026, 11, 23), page)
    assert page.read_text(encoding="utf-8") == once
    assert "old" not in once
    assert once.startswith("before\n") and once.endswith("\nafter\n")
    assert once.index("| I2 | a \\| b |") < once.index("| I10 |")
    page.write_text("no marks", encoding="utf-8")
    with pytest.raises(ValueError, match="marks"):
        prove.write_table(rows, date(2026, 11, 23), page)
