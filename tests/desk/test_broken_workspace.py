"""What must work in a workspace that is half broken: a halt always, a look back always, and the rest as far as it can."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

TICKET = {
    "id": "T-1",
    "email": "ingrid@harrowpell.example",
    "verified": True,
    "text": "Please refund 40 of our seats with this month's invoice.",
}


@pytest.fixture
def team(run: Any, tmp_path: Path) -> Path:
    """A workspace with one ticket in its ledger."""
    assert run("init", "team").exit_code == 0
    assert run("draft", "-w", "team", given=json.dumps(TICKET)).exit_code == 0
    return tmp_path / "team"


def release_of(team: Path) -> Path:
    """The release in force."""
    (file,) = (team / "policy").glob("*.toml")
    return file


def break_company(team: Path) -> None:
    (team / "company" / "company.toml").write_text("name = ")
    (team / "company" / "accounts.csv").write_bytes(b"\xff\xfe")


def break_release(team: Path) -> None:
    release_of(team).write_text("colour = 'red'\n")


def lose_company(team: Path) -> None:
    (team / "company").rename(team / "elsewhere")


def lose_release(team: Path) -> None:
    release_of(team).unlink()


@pytest.mark.parametrize("broken", [break_company, break_release, lose_company, lose_release])
def test_a_halt_and_a_look_back_need_the_ledger_alone(run: Any, team: Path, broken: Any) -> None:
    broken(team)
    for args, words in (
        (("halt", "--by", "Ada"), "Halted: all families, by Ada"),
        (("halt", "billing", "--by", "Ada"), "Halted: billing"),
        (("resume", "--by", "Ada"), "Resumed: all families"),
        (("resume", "billing", "--by", "Ada"), "Resumed: billing"),
        (("ticket", "T-1"), "lane_assigned"),
        (("explain", "T-1"), "belongs to a person"),
        (("packet", "T-1"), "Escalation Packet"),
    ):
        result = run(*args, "-w", "team")
        assert result.exit_code == 0, result.output
        assert words in result.stdout
        assert "Traceback" not in result.output


def test_a_halt_says_where_no_release_could_check_the_familys_name(run: Any, team: Path) -> None:
    assert run("halt", "no_such_family", "-w", "team").exit_code == 2
    break_release(team)
    result = run("halt", "no_such_family", "-w", "team")
    assert result.exit_code == 0
    assert "The release cannot be read" in result.stdout
    assert "Halted: no_such_family" in result.stdout
    assert "Resumed: no_such_family" in run("resume", "no_such_family", "-w", "team").stdout


def test_a_words_erasure_needs_the_ledger_alone(run: Any, team: Path) -> None:
    break_release(team)
    break_company(team)
    done = run("erase", "T-1", "--by", "Ada", "--reason", "the customer asked", "-w", "team")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("Erased: every word and address of ticket T-1, by Ada.")
    told = run("ticket", "T-1", "-w", "team").stdout
    assert "(erased)" in told
    assert "refund 40" not in told
    assert run("packet", "T-1", "-w", "team").exit_code == 2


def spoil(team: Path) -> None:
    """Makes one account row unusable, and takes one article's approval away."""
    accounts = team / "company" / "accounts.csv"
    lines = accounts.read_text(encoding="utf-8").splitlines()
    spoilt = [line.replace(",yes,", ",perhaps,", 1) if line.startswith("A-1006,") else line for line in lines]
    spoilt = [line.replace(",no,", ",perhaps,", 1) if line.startswith("A-1006,") else line for line in spoilt]
    assert spoilt != lines
    accounts.write_text("\n".join(spoilt) + "\n", encoding="utf-8")
    article = team / "company" / "knowledge" / "status-page.md"
    kept = [x for x in article.read_text(encoding="utf-8").splitlines() if not x.startswith("approved_by")]
    article.write_text("\n".join(kept) + "\n", encoding="utf-8")


def test_one_bad_row_does_not_close_the_workspace(run: Any, team: Path) -> None:
    release = release_of(team)
    release.write_text(release.read_text(encoding="utf-8").replace('phase = "observe_only"', 'phase = "assisted"'))
    asked = {
        "id": "T-2",
        "email": "jonah@tallowridge.example",
        "verified": True,
        "text": "Where can I follow an incident?",
    }
    assert json.loads(run("draft", "-w", "team", given=json.dumps(asked)).stdout)["lane"] == 1
    spoil(team)
    result = run("draft", "-w", "team", given=json.dumps({**TICKET, "id": "T-3"}))
    assert result.exit_code == 0, result.output
    assert re.fullmatch(r"lanewise: \d+ problems in the company's files; run `lanewise policy check`\n", result.stderr)
    known = json.loads(result.stdout)["packet"]["known"]
    confirmed = {f["name"] for group in known if group["standing"] == "confirmed" for f in group["facts"]}
    assert not any(name.startswith("account.") for name in confirmed), "a bad row's facts are missing, never guessed"
    again = run("draft", "-w", "team", given=json.dumps({**asked, "id": "T-4"}))
    held = json.loads(again.stdout)
    assert held["lane"] >= 2, "an article that nobody approved grounds nothing"
    assert [r["piece"] for r in held["replies"] if r["piece"] == "answer"] == []
    checked = run("policy", "check", "-w", "team")
    assert checked.exit_code == 1
    assert "accounts.csv, line" in checked.stdout
    assert "knowledge/status-page.md: nobody has approved it" in checked.stdout


def test_a_sound_workspace_says_nothing_on_standard_error(run: Any, team: Path) -> None:
    assert run("draft", "-w", "team", given=json.dumps(TICKET)).stderr == ""


def test_a_check_lists_the_company_too_where_the_release_is_broken(run: Any, team: Path) -> None:
    break_release(team)
    spoil(team)
    told = run("policy", "check", "-w", "team")
    assert told.exit_code == 1
    assert "colour" in told.stdout
    assert "accounts.csv, line" in told.stdout


def test_a_check_notes_what_is_absent_and_a_release_of_tomorrow_and_fails_for_neither(run: Any, team: Path) -> None:
    (team / "company" / "credits.csv").unlink()
    release = release_of(team)
    text = release.read_text(encoding="utf-8")
    release.write_text(text.replace("effective = 2026-03-01", "effective = 2026-03-11"), encoding="utf-8")
    told = run("policy", "check", "-w", "team")
    assert told.exit_code == 0, told.stdout
    assert "note: credits.csv is not there" in told.stdout
    assert "note: the release is effective from 2026-03-11, and today is 2026-03-10" in told.stdout
    assert told.stdout.rstrip().endswith("ok")


def test_an_article_that_changed_under_its_version_is_named_until_its_version_is_raised(run: Any, team: Path) -> None:
    file = team / "company" / "knowledge" / "add-seats.md"
    whole = file.read_text(encoding="utf-8")
    assert run("policy", "check", "-w", "team").exit_code == 0
    file.write_text(f"{whole}\nSeats are free in March.\n", encoding="utf-8")
    told = run("policy", "check", "-w", "team")
    assert told.exit_code == 1
    assert "add-seats.md: add-seats v" in told.stdout
    assert "raise its version" in told.stdout
    again = run("draft", "-w", "team", given=json.dumps({**TICKET, "id": "T-2"}))
    assert "1 approved text(s) changed under the same version; run `lanewise policy check`" in again.stderr
    version = re.search(r"version = (\d+)", whole)
    assert version is not None
    raised = whole.replace(version.group(), f"version = {int(version.group(1)) + 1}")
    file.write_text(f"{raised}\nSeats are free in March.\n", encoding="utf-8")
    assert run("policy", "check", "-w", "team").exit_code == 0
