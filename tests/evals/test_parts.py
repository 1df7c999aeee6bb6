"""The table of parts: each part judged by itself, put together in every way, and silent where it was not asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent.wiring import build_assessors
from evals import keywords
from evals.assess import AssessRow, assess_row, opinion_json, read_opinion
from evals.parts import PARTS, Row, read, shares, tables
from guards.assess import Need, Opinion
from guards.policy import Release
from guards.triggers import Level, Trigger, Witness
from tools.sandbox import SandboxCompany

ROWS = [
    {"id": "a", "text": "Please refund the ten seats.", "min": 2, "max": 3, "must": {"policy": "high"}},
    {"id": "b", "text": "Where is the audit log?", "min": 1, "max": 1, "must": {}},
    {"id": "c", "text": "Somebody hacked our workspace.", "min": 3, "max": 3, "must": {"security": "high"}},
]
MODEL = Opinion(by=Witness.MODEL, levels={Trigger.POLICY_SENSITIVITY: Level.HIGH}, need=Need.RECORD)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("parts")
    rows = [
        {
            "id": r["id"],
            "text": r["text"],
            "expected_min_lane": r["min"],
            "expected_max_lane": r["max"],
            "must_fire": r["must"],
        }
        for r in ROWS
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    return folder / "rows.jsonl", folder / "judged.jsonl"


async def judged_into(file: Path, release: Release, more: dict[str, dict[str, Any]]) -> None:
    company = SandboxCompany()
    assessors, finder = build_assessors(company.systems(), release, None)
    lines = []
    for r in ROWS:
        row = AssessRow(str(r["id"]), (str(r["text"]),), None)
        out = await assess_row(row, release, assessors, finder, company.now.date())
        told = more.get(row.id, {})
        lines.append({**out, **told, "opinions": [*out["opinions"], *told.get("opinions", [])]})
    file.write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")


async def test_the_embedded_part_says_what_assess_said(release: Release, files: tuple[Path, Path]) -> None:
    await judged_into(files[1], release, {})
    for row in read(*files):
        told = PARTS["embedded default: rules and text model"](row, release)
        assert told is not None
        assert told["lane_by_risk"] == row.judged["lane_by_risk"]
        assert {t: r["level"] for t, r in told["triggers"].items()} == {
            t: r["level"] for t, r in row.judged["triggers"].items()
        }
        assert PARTS["language model alone"](row, release) is None
    table = list(tables(read(*files), release))
    assert sum("not asked" in line for line in table) == 4
    assert any(line.startswith("| rules alone | all rows (3) | 0.0% (0 of 2") for line in table)


async def test_a_model_is_judged_alone_and_beside_the_rest_and_its_failure_is_no_opinion(
    release: Release, files: tuple[Path, Path]
) -> None:
    opinion = opinion_json(MODEL)
    silent = {"failures": ["model: timeout"]}
    await judged_into(files[1], release, {"a": {"opinions": [opinion]}, "b": silent, "c": {"opinions": [opinion]}})
    rows = {row.asked.id: row for row in read(*files)}

    def lane(part: str, row: str) -> int | None:
        found = PARTS[part](rows[row], release)
        return None if found is None else int(found["lane_by_risk"])

    assert [lane("language model alone", r) for r in "abc"] == [2, None, 2]
    assert lane("embedded default and language model", "b") == 2
    assert lane("embedded default and language model", "c") == 3
    alone = {s.name: s for s in shares(list(rows.values()), PARTS["language model alone"], release)}
    assert (alone["lane-3 miss"].hits, alone["lane-3 miss"].of) == (1, 1)
    assert "On 1 of 3 rows an assessor failed" in "\n".join(tables(list(rows.values()), release))


def test_an_opinion_survives_json() -> None:
    assert read_opinion(json.loads(json.dumps(opinion_json(MODEL)))) == MODEL


def test_rows_that_another_version_judged_are_refused(files: tuple[Path, Path]) -> None:
    files[1].write_text("".join(json.dumps({"id": r["id"]}) + "\n" for r in ROWS), encoding="utf-8")
    with pytest.raises(SystemExit, match="3 rows are not judged"):
        read(*files)


def test_the_keyword_baseline_is_under_the_same_law(release: Release, files: tuple[Path, Path], tmp_path: Path) -> None:
    assert keywords.main(str(files[0]), str(tmp_path / "k.jsonl")) == 0
    found = [json.loads(line) for line in (tmp_path / "k.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(j["id"], j["lane_by_risk"]) for j in found] == [("a", 2), ("b", 1), ("c", 3)]
    row = Row(AssessRow("x", ("Cancel it, I am furious.",), None), {}, {})
    assert by_words(row, release) == {"action_irreversibility": "high", "customer_pressure": "medium"}


def by_words(row: Row, release: Release) -> dict[str, str]:
    told = keywords.judge(row.asked, release)["triggers"]
    return {name: r["level"] for name, r in told.items() if r["level"] != "low"}
