"""A release's way by the command line: proposed, proven, approved by its rules' owners, in force, and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from desk.policy_files import file_of, release_now
from desk.policy_releases import activate, approve, propose, prove, roll_back
from desk.records import Records, open_records
from desk.settings import load_settings
from guards.errors import ReleaseConflict
from guards.rollout import Ceiling
from ledger.errors import NotYetAllowed
from ledger.rollout import RolloutLedger
from ledger.rollout_gate import record_promotion

TEAM = "team"


@pytest.fixture
def team(run: Any, tmp_path: Path) -> Path:
    """A new workspace, whose release only watches."""
    assert run("init", TEAM).exit_code == 0
    return tmp_path / TEAM


@pytest.fixture
def records(team: Path) -> Any:
    opened = open_records(load_settings(team, {}))
    yield opened
    opened.store.close()


def candidate(team: Path, version: str, *edits: tuple[str, str]) -> Path:
    """A copy of the workspace's release under a version of its own, with lines replaced."""
    (base,) = (team / "policy").glob("*.toml")
    text = base.read_text(encoding="utf-8")
    for pattern, by in ((r"^version = .*$", f'version = "{version}"'), *edits):
        text, times = re.subn(pattern, by, text, count=1, flags=re.MULTILINE)
        assert times == 1, pattern
    path = team / "policy" / f"{version}.toml"
    path.write_text(text, encoding="utf-8")
    return path


NARROW = ((r"^phase = .*$", 'phase = "narrow"'), (r"^autonomous_families = .*$", 'autonomous_families = ["billing"]'))
QUIET = (r"^phase = .*$", 'phase = "assisted"'), (r"^autonomous_families = .*$", "autonomous_families = []")


def go(records: Records, path: Path, groups: dict[str, str]) -> list[str]:
    """Everything but the last step; what was told."""
    told: list[str] = []
    propose(records, path, "ada", "because the test says so", told.append)
    assert prove(records, path.stem, lambda release: None, told.append) == 0
    for group, by in groups.items():
        approve(records, path.stem, by, group, "read", told.append)
    return told


def test_a_release_is_put_in_force_only_with_proof_and_the_owners_approval(records: Records, team: Path) -> None:
    path = candidate(team, "2026-04-01", *QUIET)
    with pytest.raises(NotYetAllowed, match="never proposed"):
        activate(records, "2026-04-01", "ada", "", print)
    propose(records, path, "ada", "drafts help people", print)
    with pytest.raises(NotYetAllowed, match=r"a proof that holds.*approval of support_leadership"):
        activate(records, "2026-04-01", "ada", "", print)
    assert prove(records, "2026-04-01", lambda release: 0, print) == 0
    approve(records, "2026-04-01", "bo", "support_leadership", "", print)
    assert activate(records, "2026-04-01", "ada", "", print) == 0
    assert release_now(records.settings, records.store).version == "2026-04-01"


def test_an_exam_that_is_not_passed_keeps_a_release_out(records: Records, team: Path) -> None:
    path = candidate(team, "2026-04-01", *QUIET)
    propose(records, path, "ada", "x", print)
    assert prove(records, "2026-04-01", lambda release: 2, print) == 1
    approve(records, "2026-04-01", "bo", "support_leadership", "", print)
    with pytest.raises(NotYetAllowed, match="a proof that holds"):
        activate(records, "2026-04-01", "ada", "", print)


def test_a_family_is_opened_only_with_evidence_of_its_own(records: Records, team: Path) -> None:
    go(records, candidate(team, "2026-04-01", *NARROW), {"support_leadership": "bo"})
    with pytest.raises(NotYetAllowed, match="evidence for the family billing"):
        activate(records, "2026-04-01", "ada", "", print)
    record_promotion(records.store, "usage_limits", "narrow", {}, records_sign())
    with pytest.raises(NotYetAllowed, match="evidence for the family billing"):
        activate(records, "2026-04-01", "ada", "", print)
    record_promotion(records.store, "billing", "narrow", {}, records_sign())
    assert activate(records, "2026-04-01", "ada", "", print) == 0


def records_sign() -> Any:
    from desk.policy_releases import sign

    return sign("ada", "a test")


def test_a_changed_file_under_the_same_version_is_refused_everywhere(records: Records, team: Path) -> None:
    path = candidate(team, "2026-04-01", *QUIET)
    go(records, path, {"support_leadership": "bo"})
    path.write_text(path.read_text(encoding="utf-8") + "\n# one more line\n", encoding="utf-8")
    with pytest.raises(ReleaseConflict, match="another text"):
        propose(records, path, "ada", "x", print)
    activate(records, "2026-04-01", "ada", "", print)
    kept = file_of(records.settings, "2026-04-01")
    kept.write_text(
        kept.read_text(encoding="utf-8").replace('phase = "assisted"', 'phase = "narrow"'), encoding="utf-8"
    )
    with pytest.raises(Exception, match="was changed"):
        release_now(records.settings, records.store)


def test_a_roll_back_goes_at_once_to_what_was_in_force_before(records: Records, team: Path) -> None:
    before = release_now(records.settings, records.store)
    go(records, candidate(team, "2026-04-01", *QUIET), {"support_leadership": "bo"})
    activate(records, "2026-04-01", "ada", "", print)
    (team / "policy" / f"{before.version}.toml").unlink()  # the store has a copy of its own
    assert roll_back(records, None, None, "cy", "odd answers", print) == 0
    assert release_now(records.settings, records.store) == before


def test_one_family_goes_back_to_the_older_releases_ceiling_and_no_further_up(records: Records, team: Path) -> None:
    before = release_now(records.settings, records.store)
    go(records, candidate(team, "2026-04-01", *QUIET), {"support_leadership": "bo"})
    activate(records, "2026-04-01", "ada", "", print)
    assert roll_back(records, before.version, "billing", "cy", "odd", print) == 0
    assert RolloutLedger(records.store).ceilings() == {"billing": Ceiling.NOTHING_LEAVES}
    assert release_now(records.settings, records.store).version == "2026-04-01"
    with pytest.raises(NotYetAllowed, match="no family"):
        roll_back(records, before.version, "biling", "cy", "odd", print)


def test_the_commands_say_what_is_missing_and_do_what_they_say(run: Any, team: Path) -> None:
    path = candidate(team, "2026-04-01", *QUIET)
    found = run("policy", "diff", "now", str(path), "--workspace", TEAM)
    assert (found.exit_code, "WIDENS" in found.stdout) == (1, True)
    told: Callable[..., Any] = lambda *words: run("policy", *words, "--workspace", TEAM)  # noqa: E731
    assert told("propose", str(path), "--by", "ada", "--reason", "drafts").exit_code == 0
    refused = told("activate", "2026-04-01", "--by", "ada")
    assert refused.exit_code == 2 and "approval of support_leadership" in refused.stderr
    assert told("approve", "2026-04-01", "--by", "bo", "--group", "nobody").exit_code == 2
    assert "observe_only" in told("status").stdout
    assert told("roll-back", "--by", "bo").exit_code == 2
    assert told("widen", "billing", "--by", "bo", "--reason", "x").exit_code == 0


def test_members_of_a_group_are_named_in_the_settings(team: Path, records: Records) -> None:
    file = team / "lanewise.toml"
    text = file.read_text(encoding="utf-8")
    groups = '\n[policy.groups]\nsupport_leadership = ["Bo"]\n\n[channel]'
    file.write_text(text.replace("\n[channel]", groups, 1), encoding="utf-8")
    named = Records(load_settings(team, {}), records.store)
    path = candidate(team, "2026-04-01", *QUIET)
    propose(named, path, "ada", "x", print)
    with pytest.raises(NotYetAllowed, match="not a member"):
        approve(named, "2026-04-01", "Ada", "support_leadership", "", print)
    assert approve(named, "2026-04-01", "Bo", "support_leadership", "", print) == 0


def test_there_is_no_way_back_to_a_release_that_was_never_in_force(records: Records, team: Path) -> None:
    before = release_now(records.settings, records.store)
    path = candidate(team, "2026-09-09", (r"^phase = .*$", 'phase = "expansion"'))
    propose(records, path, "eve", "please", print)
    for family in (None, "billing"):
        with pytest.raises(NotYetAllowed, match="never in force here"):
            roll_back(records, "2026-09-09", family, "eve", "odd", print)
    assert release_now(records.settings, records.store) == before
    assert not RolloutLedger(records.store).holds()


def test_a_back_test_is_told_as_text_json_and_one_page(run: Any, team: Path, tmp_path: Path) -> None:
    path = candidate(team, "2026-04-01", *QUIET)
    words = ("--workspace", TEAM, "--json", "b.json", "--html", "b.html")
    done = run("policy", "backtest", str(path), *words)
    assert done.exit_code == 0 and "over 0 stored decisions" in done.stdout
    assert '"newly_autonomous"' in (tmp_path / "b.json").read_text(encoding="utf-8")
    assert "Newly answered without a person" in (tmp_path / "b.html").read_text(encoding="utf-8")
    assert run("policy", "promote", "billing", "--to", "narrow", "--workspace", TEAM).exit_code == 1
    assert run("policy", "narrow", "--workspace", TEAM).stdout == "no family was narrowed\n"
    assert "no rule is spoken against" in run("policy", "suggestions", "--workspace", TEAM).stdout
