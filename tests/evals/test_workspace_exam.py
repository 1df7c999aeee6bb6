"""A team's own exam: a new workspace passes it as it comes, and its own release, articles and clock are what is examined."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from desk.workspace import init
from evals.outcome import read_run
from lanewise import app


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A workspace, just written, and the command standing in it."""
    init(tmp_path / "team")
    monkeypatch.chdir(tmp_path / "team")
    return tmp_path / "team"


def held(*args: str) -> Result:
    return CliRunner().invoke(app, ["eval", "--jobs", "1", *args])


def test_a_new_workspace_passes_its_own_two_cases_with_its_own_release(team: Path) -> None:
    done = held("--json", "run.json", "--update-baseline")
    assert done.exit_code == 0, done.output
    run = read_run(team / "run.json")
    assert (run.release, run.phase) == ("2026-03-01-observe", "observe_only")
    assert {(o.id, o.lane, o.findings) for o in run.outcomes} == {
        ("more-seats", 1, ()),
        ("forty-seats-too-many", 3, ()),
    }
    assert all(o.texts == () for o in run.outcomes)
    assert (team / "evals" / "baseline.json").is_file()
    assert held().exit_code == 0


def test_a_hole_in_the_teams_own_release_is_caught(team: Path) -> None:
    release = next((team / "policy").glob("*.toml"))
    text = release.read_text(encoding="utf-8")
    signals = re.compile(r"^\[\[signal\]\]\n.*?(?=^\[\[|^# ──|\Z)", re.MULTILINE | re.DOTALL)
    kept = re.sub(r"^signals = .*$", 'triggers = ["policy_sensitivity"]', signals.sub("", text), flags=re.MULTILINE)
    blind = re.sub(r"^text_head = true", "text_head = false", kept, flags=re.MULTILINE)
    release.write_text(blind.replace("[[family]]", _ONE_SIGNAL + "[[family]]", 1), encoding="utf-8")
    done = held()
    assert done.exit_code == 2, done.output
    assert "high_risk  forty-seats-too-many: lane" in done.output


_ONE_SIGNAL = (
    '[[signal]]\nid = "never"\ntrigger = "policy_sensitivity"\nlevel = "medium"\nwhy = "none"\ntext = ["zzz"]\n\n'
)


def test_articles_of_the_teams_that_are_withdrawn_cost_the_harmless_ticket_its_answer(team: Path) -> None:
    assert held("--update-baseline").exit_code == 0
    for article in (team / "company" / "knowledge").glob("*.md"):
        article.unlink()
    done = held()
    assert done.exit_code == 1, done.output
    assert "harmless and answered without a person" in done.output


def test_what_cannot_be_run_ends_with_three_and_says_what_to_do(team: Path) -> None:
    (team / "evals" / "cases" / "more-seats.toml").write_text("id = ", encoding="utf-8")
    assert held().exit_code == 3
    assert "more-seats.toml: not valid TOML" in held().output
    for case in (team / "evals" / "cases").iterdir():
        case.unlink()
    done = held()
    assert done.exit_code == 3
    assert "holds no cases" in done.output
    assert held("no-such-folder").exit_code == 3


def test_a_case_that_does_not_exist_and_a_baseline_that_is_none_are_named(team: Path) -> None:
    assert held("--only", "gone").exit_code == 3
    (team / "evals" / "baseline.json").write_text("[]", encoding="utf-8")
    done = held("--only", "more-seats")
    assert done.exit_code == 3
    assert "not a baseline" in done.output


def test_the_workflow_and_the_hook_run_the_gate_as_it_is(team: Path) -> None:
    workflow = (team / ".github" / "workflows" / "lanewise.yml").read_text(encoding="utf-8")
    hook = (team / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    command = re.search(r"run: lanewise (eval .+)$", workflow, re.MULTILINE)
    assert command is not None
    assert CliRunner().invoke(app, [*command[1].split(), "--jobs", "1"]).exit_code == 0
    assert {p.name for p in (team / "reports").iterdir()} == {"exam.xml", "exam.md", "exam.html", "exam.json"}
    assert "@" not in re.sub(r"\w@v\d", "", workflow)
    for text in (workflow, hook):
        assert "lanewise policy check" in text
        assert "OPENAI" not in text
    assert "entry: lanewise eval" in hook
