"""``assess`` at scale: the same bytes with any number of jobs, and a stopped run goes on where it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals import measure
from evals.measure import run_assess
from guards.policy import Release
from tools.sandbox import SandboxCompany

TEXTS = (
    "Where is the audit log?",
    "Please refund us.",
    "We are locked out.",
    "How do I add a viewer?",
    "Cancel it all.",
)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Thirty rows, and one that cannot be read."""
    file = tmp_path / "in.jsonl"
    lines = [json.dumps({"id": f"r{n}", "text": f"{TEXTS[n % 5]} ({n})"}) for n in range(30)]
    file.write_text("\n".join([*lines[:7], "{broken", *lines[7:]]) + "\n", encoding="utf-8")
    return file


def assessed(rows: Path, out: Path, release: Release, jobs: int = 1) -> int:
    return run_assess(rows, out, release, SandboxCompany().systems(), None, None, jobs)


def test_two_processes_write_the_same_bytes_as_one_in_the_order_of_the_rows(
    rows: Path, rules: Release, tmp_path: Path
) -> None:
    for jobs in (1, 2):
        assert assessed(rows, tmp_path / f"out{jobs}.jsonl", rules, jobs) == 1  # one row was left out
    one, two = ((tmp_path / f"out{jobs}.jsonl").read_bytes() for jobs in (1, 2))
    assert one == two
    assert [json.loads(line)["id"] for line in one.splitlines()] == [f"r{n}" for n in range(30)]
    assert sorted(p.name for p in tmp_path.glob("*.part")) == []


def test_a_stopped_run_goes_on_after_its_last_whole_row(
    rows: Path, rules: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    assessed(rows, whole, rules)
    real, seen = measure.assess_row, list[str]()

    async def counted(row, *rest):  # type: ignore[no-untyped-def]
        seen.append(row.id)
        if len(seen) == 12:
            raise KeyboardInterrupt
        return await real(row, *rest)

    monkeypatch.setattr(measure, "assess_row", counted)
    with pytest.raises(KeyboardInterrupt):
        assessed(rows, out, rules)
    assert not out.exists()
    part = tmp_path / "out.jsonl.part"
    part.write_text(part.read_text(encoding="utf-8") + '{"id": "torn', encoding="utf-8")
    seen.extend(["", ""])
    assert assessed(rows, out, rules) == 1
    assert "going on after 11 rows" in capsys.readouterr().out
    assert seen[14:] == [f"r{n}" for n in range(11, 30)]
    assert out.read_bytes() == whole.read_bytes()


def test_what_another_release_judged_is_not_gone_on_with(
    rows: Path, rules: Release, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, part = tmp_path / "out.jsonl", tmp_path / "out.jsonl.part"
    part.write_text('{"lanewise assess": 1, "release": "older"}\n{"id": "r0"}\n', encoding="utf-8")
    assessed(rows, out, rules)
    assert "beginning anew" in capsys.readouterr().out
    assert len(out.read_text(encoding="utf-8").splitlines()) == 30
