"""The scorecard and the export as commands: what is shown, what is refused, and what nobody gets to read unasked."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ledger_for_scores import filled
from typer.testing import CliRunner

from agent.packaged import packaged_text
from desk import scoring
from desk.made_up_marks import MARK, NOTE
from lanewise import app
from ledger.scorecard.metrics import METRICS
from ledger.scorecard.warnings import People, read_warnings

Run = Callable[..., str]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with a few tickets, one of them by somebody who tries to be a formula and a script."""
    filled(tmp_path / ".lanewise" / "ledger.sqlite3")
    return tmp_path


@pytest.fixture
def run(workspace: Path) -> Run:
    def told(*words: str, exits: int = 0) -> str:
        done = CliRunner().invoke(app, [*words, "--workspace", str(workspace)])
        assert done.exit_code == exits, done.output
        return done.output

    return told


def test_the_scorecard_tells_every_figure_with_its_definition_and_its_interval(run: Run) -> None:
    told = run("scorecard", "--by", "family")
    for metric in METRICS:
        assert metric.title in told
        assert metric.definition in told
    assert "small numbers" in told
    # The made-up company keeps one article whose day for a review has passed.
    assert "WARNING stale article: redaction-tool v1" in told


@pytest.mark.parametrize("readable", [True, False])
def test_the_domains_that_warnings_go_by_are_those_of_the_release_in_force(
    workspace: Path, run: Run, monkeypatch: pytest.MonkeyPatch, readable: bool
) -> None:
    told = packaged_text().replace('"billing"', '"refunds"') if readable else "no release"
    (workspace / "ours.toml").write_text(told, encoding="utf-8")
    (workspace / "lanewise.toml").write_text('[policy]\nfile = "ours.toml"\n', encoding="utf-8")
    asked: list[People] = []

    def noting(conn: Any, as_of: Any, people: People) -> Any:
        asked.append(people)
        return read_warnings(conn, as_of, people)

    monkeypatch.setattr(scoring, "read_warnings", noting)
    run("scorecard", "--json")
    (people,) = asked
    assert people.domains.get("refunds") == ("commerce" if readable else None)
    assert people.domains.get("feature_access") == ("product" if readable else None), "unknown ones are all watched"


def test_the_json_holds_counts_intervals_and_tickets_to_look_at(run: Run) -> None:
    told = json.loads(run("scorecard", "--json"))
    figures = {f["metric"]: f for f in told["total"]}
    assert (figures["lane_3"]["hits"], figures["lane_3"]["among"]) == (1, 3)
    assert figures["lane_3"]["low"] < 1 / 3 < figures["lane_3"]["high"]
    assert figures["lane_3"]["small"] is True
    assert set(told["by"]) == {"family", "tier", "segment", "consequence", "release"}
    assert [x["ticket"] for x in told["worst"]["uncovered"]] == ["T-3"]


def test_the_tickets_behind_a_figure_are_named(run: Run) -> None:
    assert run("scorecard", "--tickets", "lane_1").split() == ["T-2", "T-1"]
    assert run("scorecard", "--tickets", "lane_1", "--of", "tier=team").split() == ["T-1"]
    assert run("scorecard", "--tickets", "lane_3", "--part", "among").split() == ["T-3", "T-2", "T-1"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tickets", "deflection"], "no metric 'deflection'"),
        (["--by", "weather"], "--by 'weather'"),
        (["--since", "yesterday"], "--since 'yesterday' is no day"),
        (["--tickets", "lane_1", "--of", "billing"], "--of 'billing' names no group"),
        (["--tickets", "lane_1", "--part", "half"], "no part 'half'"),
    ],
)
def test_what_cannot_be_asked_is_named(run: Run, words: list[str], said: str) -> None:
    assert said in run("scorecard", *words, exits=2)


def test_the_page_is_one_file_in_which_no_strangers_word_is_markup(run: Run, workspace: Path) -> None:
    run("scorecard", "--html", str(workspace / "s.html"))
    page = (workspace / "s.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"(?:src|href)\s*=", page)
    assert page.count("<svg") > 3
    for metric in METRICS:
        assert f'id="{metric.id}"' in page


def test_a_made_up_year_is_said_to_be_made_up(run: Run, workspace: Path) -> None:
    assert NOTE not in run("scorecard")
    (workspace / MARK).write_text(NOTE, encoding="utf-8")
    assert NOTE in run("scorecard")
    run("scorecard", "--html", str(workspace / "s.html"))
    assert NOTE in (workspace / "s.html").read_text(encoding="utf-8")


def test_a_made_up_year_is_never_mixed_with_real_tickets(workspace: Path) -> None:
    done = CliRunner().invoke(app, ["made-up-history", str(workspace)])
    assert done.exit_code == 2
    assert "never mixed with real ones" in done.output


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_an_export_holds_nobodys_words_unless_they_are_asked_for(run: Run, workspace: Path) -> None:
    run("export", str(workspace / "out"))
    everything = "".join(p.read_text(encoding="utf-8") for p in (workspace / "out").iterdir())
    for words in ("secret words", "hazel@maplefinch.example", "Hazel"):
        assert words not in everything
    run("export", str(workspace / "more"), "--words")
    assert "secret words" in (workspace / "more" / "events.csv").read_text(encoding="utf-8")


def test_an_export_has_every_event_once_and_a_row_a_ticket(run: Run, workspace: Path) -> None:
    told = run("export", str(workspace / "out"))
    events, summaries = rows(workspace / "out" / "events.csv"), rows(workspace / "out" / "summaries.csv")
    assert [int(e["seq"]) for e in events] == list(range(1, len(events) + 1))
    assert f"events.csv: {len(events)} rows" in told
    assert [s["ticket_id"] for s in summaries] == ["T-1", "T-2", "T-3"]
    assert {"lane_3", "uncovered"} <= set(summaries[2]["is"].split())


def test_a_cell_that_looks_like_a_formula_is_only_a_word(run: Run, workspace: Path) -> None:
    run("export", str(workspace / "out"))
    assert [s["tier"] for s in rows(workspace / "out" / "summaries.csv")][1] == "'=cmd|' /C calc'!A0"
    assert "'=cmd" in run("scorecard", "--csv")


def test_parquet_without_its_library_says_what_to_install(
    run: Run, monkeypatch: pytest.MonkeyPatch, workspace: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "lanewise[parquet]" in run("export", str(workspace / "out"), "--format", "parquet", exits=2)
    assert not (workspace / "out").exists()


def test_parquet_holds_what_csv_holds(run: Run, workspace: Path) -> None:
    parquet: Any = pytest.importorskip("pyarrow.parquet")
    run("export", str(workspace / "out"), "--format", "parquet")
    run("export", str(workspace / "out"))
    for name in ("events", "decisions", "summaries"):
        table = parquet.read_table(workspace / "out" / f"{name}.parquet")
        assert table.num_rows == len(rows(workspace / "out" / f"{name}.csv"))


def test_an_unknown_format_is_named(run: Run, workspace: Path) -> None:
    assert "no format 'xml'" in run("export", str(workspace / "out"), "--format", "xml", exits=2)
