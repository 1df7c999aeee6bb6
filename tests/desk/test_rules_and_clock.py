"""What a workspace is opened with: one clock rule, the model as it is set, and no ledger where none is needed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.errors import ModelMisconfigured
from desk.records import clock_for, open_records
from desk.settings import FILE_NAME, load_settings
from desk.workplace import open_rules, open_workplace

KEY = {"OPENAI_API_KEY": "made-up"}


def test_a_companys_today_counts_with_the_machines_time_of_day() -> None:
    before = datetime.now(UTC)
    now = clock_for(datetime(2026, 3, 10, 9, tzinfo=UTC))()
    assert (now.date().isoformat(), now.tzinfo) == ("2026-03-10", UTC)
    passed = datetime.combine(before.date(), now.timetz()) - before
    assert timedelta(0) <= passed % timedelta(days=1) < timedelta(minutes=1)


def test_without_a_today_the_machines_clock_counts() -> None:
    assert abs(clock_for(None)() - datetime.now(UTC)) < timedelta(minutes=1)


def test_every_way_to_open_a_workspace_has_the_same_day(run: Any, tmp_path: Path) -> None:
    run("init", "team")
    settings = load_settings(tmp_path / "team", {})
    days = {
        open_records(settings).store.now().date(),
        open_workplace(settings, {}).store.now().date(),
        open_rules(settings, {}).clock().date(),
    }
    assert {d.isoformat() for d in days} == {"2026-03-10"}
    company = tmp_path / "team" / "company" / "company.toml"
    kept = [line for line in company.read_text(encoding="utf-8").splitlines() if not line.startswith("today")]
    company.write_text("\n".join(kept), encoding="utf-8")
    assert open_records(settings).store.now().date() == datetime.now(UTC).date()
    assert open_rules(settings, {}).clock().date() == datetime.now(UTC).date()


@pytest.mark.parametrize("hour", [0, 9, 23])
def test_draft_and_try_agree_at_any_hour(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hour: int) -> None:
    monkeypatch.setattr("desk.records.utc_now", lambda: datetime(2026, 11, 23, hour, 30, tzinfo=UTC))
    run("init", "team")
    told = {
        "id": "T-1",
        "email": "jonah@tallowridge.example",
        "verified": True,
        "text": "You owe us a credit for the sync problem in February. How much will you take off our bill?",
    }
    (tmp_path / "one.jsonl").write_text(json.dumps(told), encoding="utf-8")
    drafted = json.loads(run("draft", "one.jsonl", "-w", "team").stdout)
    assert run("try", "one.jsonl", "-w", "team", "--out", "report").exit_code == 0
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert f"Lane {drafted['lane']}:" in report
    facts = {f["name"]: group["standing"] for group in drafted["packet"]["known"] for f in group["facts"]}
    assert "stale" not in facts.values(), "the sample's records are fresh on their own day"
    assert "Possibly out of date" not in report


@pytest.mark.parametrize("workspace", ["here", "team"])
def test_trying_and_measuring_create_nothing_but_their_reports(run: Any, tmp_path: Path, workspace: str) -> None:
    if workspace == "team":
        run("init", "team")
    else:
        (tmp_path / "here").mkdir()
    before = set((tmp_path / workspace).rglob("*"))
    row = {"id": "1", "text": "Where is the status page?", "account_context": None}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row), encoding="utf-8")
    assert run("assess", "rows.jsonl", "--out", "out.jsonl", "-w", workspace).exit_code == 0
    assert run("try", "rows.jsonl", "--out", "report", "-w", workspace).exit_code == 0
    assert run("ticket", "1", "-w", workspace).exit_code == 2
    assert set((tmp_path / workspace).rglob("*")) == before
    assert {p.name for p in tmp_path.iterdir()} == {workspace, "rows.jsonl", "out.jsonl", "report.md", "report.html"}


# ── the model ───────────────────────────────────────────────────────────────────────────────────────────────


def opened(tmp_path: Path, said: str, env: dict[str, str]) -> Any:
    (tmp_path / FILE_NAME).write_text(f"[model]\n{said}\n", encoding="utf-8")
    return open_rules(load_settings(tmp_path, env), env)


def test_the_files_timeout_is_passed_on_and_the_environments_goes_before_it(tmp_path: Path) -> None:
    said = 'name = "small"\nbase_url = "http://models.example/v1"\ntimeout_seconds = 7.5'
    model = opened(tmp_path, said, KEY).model
    assert (model.name, model.base_url, model.timeout_seconds) == ("small", "http://models.example/v1", 7.5)
    assert opened(tmp_path, said, {**KEY, "LANEWISE_MODEL_TIMEOUT": "90"}).model.timeout_seconds == 90
    assert opened(tmp_path, 'name = "small"', KEY).model.timeout_seconds == 60


@pytest.mark.parametrize("said", ['name = "small"', 'base_url = "http://models.example/v1"'])
def test_a_model_of_the_file_without_a_key_is_the_embedded_default_and_says_so(tmp_path: Path, said: str) -> None:
    rules = opened(tmp_path, said, {})
    assert rules.model is None
    (notice,) = rules.notices
    assert "no OPENAI_API_KEY" in notice
    assert "embedded default" in notice
    assert rules.mode.startswith("embedded")


def test_who_switches_the_model_off_is_told_nothing(tmp_path: Path) -> None:
    assert opened(tmp_path, 'name = "embedded"', {}).notices == ()
    rules = opened(tmp_path, 'name = "small"', {**KEY, "LANEWISE_MODEL": "embedded"})
    assert (rules.model, rules.notices) == (None, ())


def test_an_environment_that_is_half_set_is_still_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelMisconfigured, match="LANEWISE_MODEL set, but no OPENAI_API_KEY"):
        opened(tmp_path, 'name = "small"', {"LANEWISE_MODEL": "large"})
    with pytest.raises(ModelMisconfigured, match="no LANEWISE_MODEL"):
        opened(tmp_path, 'base_url = "http://models.example/v1"', KEY)


def test_the_line_about_the_model_stands_on_standard_error(run: Any, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('[model]\nname = "small"\n', encoding="utf-8")
    (tmp_path / "rows.jsonl").write_text('{"id": "1", "text": "Where is the status page?"}', encoding="utf-8")
    result = run("assess", "rows.jsonl", "--out", "out.jsonl")
    assert result.exit_code == 0
    assert result.stderr.count("\n") == 1
    assert "no OPENAI_API_KEY" in result.stderr
    assert "answered by: embedded default" in result.stdout
