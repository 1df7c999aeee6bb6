"""A release's way by the command line: proposed, proven, approved by its rules' owners, in force, and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from desk.accounts.people import Person, Role
from desk.adopting import adopt_release
from desk.errors import DecisionRefused
from desk.halting import halt
from desk.policy.files import file_of, release_now
from desk.policy.releases import activate, approve, missing, pinned_of, propose, prove, roll_back, sign
from desk.policy.rollout import promote
from desk.records import Records, open_records
from desk.settings import load_settings
from guards.errors import ReleaseConflict
from guards.policy import OwnerGroup, Release, parse_release
from guards.rollout import Ceiling, open_families
from guards.rollout_evidence import Evidence, Recent, Share
from ledger.errors import NotYetAllowed
from ledger.evidence.rollout_gate import record_promotion
from ledger.releases import ADOPTED, ReleaseLedger
from ledger.rollout import RolloutLedger

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
    (base,) = (team / "policy").glob("*-observe.toml")
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
    assert promote(records, "usage_limits", "narrow", "ada", "ready", print, Shown()) == 0
    with pytest.raises(NotYetAllowed, match="evidence for the family billing"):
        activate(records, "2026-04-01", "ada", "", print)
    assert promote(records, "billing", "narrow", "ada", "ready", print, Shown()) == 0
    assert activate(records, "2026-04-01", "ada", "", print) == 0


class Shown:
    """Everything that a family could be asked to show."""

    def evidence(self, family: str) -> Evidence:
        return Evidence(Share(0, 100), Share(5, 200), Share(20, 200), Share(60, 80), Share(95, 100))

    def recent(self, family: str, days: int) -> Recent:
        return Recent(Share(0, 0), Share(0, 0))


def test_what_was_promoted_to_drafts_once_opens_no_lane_1(records: Records, team: Path) -> None:
    go(records, candidate(team, "2026-04-01", *NARROW), {"support_leadership": "bo"})
    record_promotion(
        records.store, "billing", "assisted", {"agreed": [95, 100], "useful": [60, 80]}, sign("ada", "then")
    )
    with pytest.raises(
        NotYetAllowed, match="evidence for the family billing: lanewise policy promote billing --to narrow"
    ):
        activate(records, "2026-04-01", "ada", "", print)
    assert not open_families(release_now(records.settings, records.store))


def test_the_phase_that_a_release_gives_a_family_is_one_that_the_family_has_earned(
    records: Records, team: Path
) -> None:
    further = (NARROW[0], (NARROW[1][0], NARROW[1][1] + '\nfamily_phase = { billing = "expansion" }'))
    go(records, candidate(team, "2026-04-01", *further), {"support_leadership": "bo"})
    promote(records, "billing", "narrow", "ada", "ready", print, Shown())
    with pytest.raises(NotYetAllowed, match=r"evidence for the family billing: .* --to expansion"):
        activate(records, "2026-04-01", "ada", "", print)
    go(records, candidate(team, "2026-04-02", *NARROW), {"support_leadership": "bo"})
    assert activate(records, "2026-04-02", "ada", "", print) == 0
    go(records, candidate(team, "2026-04-03", *further), {"support_leadership": "bo"})
    with pytest.raises(NotYetAllowed, match=r"Missing: evidence for the family billing: .* --to expansion$"):
        activate(records, "2026-04-03", "ada", "", print)
    promote(records, "billing", "expansion", "ada", "audited", print, Shown())
    assert activate(records, "2026-04-03", "ada", "", print) == 0


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


def test_an_approval_and_a_proof_end_with_the_release_that_they_compared_with(records: Records, team: Path) -> None:
    asks = (r"^several_mediums = .*$", "several_mediums = 3")
    go(records, candidate(team, "2026-04-01", *QUIET, asks), {"support_leadership": "bo"})
    first = ReleaseLedger(records.store).pinned("2026-04-01")
    assert first is not None and not missing(records, release_of(records, "2026-04-01"))
    go(records, candidate(team, "2026-04-02", *QUIET), {"support_leadership": "bo"})
    activate(records, "2026-04-02", "ada", "", print)
    with pytest.raises(NotYetAllowed, match=r"a proof that holds.*not beside 2026-04-02.*approval of .*not beside"):
        activate(records, "2026-04-01", "ada", "", print)
    assert prove(records, "2026-04-01", lambda release: None, print) == 0
    approve(records, "2026-04-01", "bo", "support_leadership", "read again", print)
    assert activate(records, "2026-04-01", "ada", "", print) == 0


def test_nobody_approves_what_they_compared_with_a_release_that_is_gone(records: Records, team: Path) -> None:
    looked = release_now(records.settings, records.store).digest
    propose(records, candidate(team, "2026-04-01", *QUIET), "ada", "x", print)
    approve(records, "2026-04-01", "di", "support_leadership", "read", print, beside=looked)
    go(records, candidate(team, "2026-04-02", *QUIET), {"support_leadership": "bo"})
    activate(records, "2026-04-02", "ada", "", print)
    with pytest.raises(NotYetAllowed, match="2026-04-02 came in force since you looked"):
        approve(records, "2026-04-01", "di", "support_leadership", "read", print, beside=looked)


def release_of(records: Records, version: str) -> Release:
    return parse_release(file_of(records.settings, version).read_text(encoding="utf-8"), version)


def test_of_two_activations_at_once_the_second_is_told_to_look_again(records: Records, team: Path) -> None:
    before, ledger = pinned_of(release_now(records.settings, records.store)), ReleaseLedger(records.store)
    go(records, candidate(team, "2026-04-01", *QUIET), {"support_leadership": "bo"})
    activate(records, "2026-04-01", "ada", "", print)
    with pytest.raises(NotYetAllowed, match="put in force by ada meanwhile"):
        ledger.put_in_force(before, before, "activated", sign("cy", "at the same time"))
    ledger.put_in_force(before, before, "rolled_back", sign("cy", "a way back waits for nobody"))


# ── lanewise.toml beside what was activated ─────────────────────────────────────────────────────────────────


def names(team: Path, records: Records, path: Path) -> Records:
    """The workspace after somebody pointed lanewise.toml at another release."""
    file = team / "lanewise.toml"
    text = re.sub(r'^file = "policy/.*"$', f'file = "policy/{path.name}"', file.read_text(encoding="utf-8"), flags=re.M)
    file.write_text(text, encoding="utf-8")
    settings = load_settings(team, {})
    assert settings.policy == path
    return Records(settings, records.store)


def governed(records: Records, team: Path) -> None:
    go(records, candidate(team, "2026-04-01", *QUIET), {"support_leadership": "bo"})
    activate(records, "2026-04-01", "ada", "", print)


def test_adopting_is_no_way_round_what_an_activation_asks_for(records: Records, team: Path) -> None:
    governed(records, team)
    wide = (r"^phase = .*$", 'phase = "expansion"'), (r"^deadline_hours = .*$", "deadline_hours = 24")
    pointed = names(team, records, candidate(team, "2026-05-01", *wide))
    with pytest.raises(
        NotYetAllowed, match=r"does more than narrow.*a proof that holds.*evidence for the family billing"
    ):
        adopt_release(pointed, "eve", "quicker so", print)
    assert release_now(pointed.settings, pointed.store).version == "2026-04-01"
    same = (*QUIET, (r"^security_identity = \"security\"$", 'security_identity = "operations"'))
    pointed = names(team, records, candidate(team, "2026-05-02", *same))
    with pytest.raises(NotYetAllowed, match="approval of"):
        adopt_release(pointed, "eve", "whose rules they are widens nothing by itself", print)


def test_what_only_narrows_is_adopted_by_name_and_reason_and_pinned(records: Records, team: Path) -> None:
    governed(records, team)
    path = candidate(team, "2026-05-01", (r"^autonomous_families = .*$", "autonomous_families = []"))
    pointed = names(team, records, path)
    for by, reason in (("", "odd answers"), ("cy", "")):
        with pytest.raises(DecisionRefused):
            adopt_release(pointed, by, reason, print)
    assert adopt_release(pointed, "cy", "odd answers", print) == 0
    now = ReleaseLedger(records.store).in_force()
    assert now is not None and (now.version, now.by) == ("2026-05-01", "cy")
    assert [e.head["how"] for e in records.history.house_timeline() if e.head.get("how")][-1] == ADOPTED
    path.write_text(path.read_text(encoding="utf-8").replace('"observe_only"', '"expansion"'), encoding="utf-8")
    assert release_now(pointed.settings, pointed.store).rollout.phase == "observe_only", "its text is pinned"


def test_before_any_activation_lanewise_toml_decides_and_adopting_says_so(run: Any, team: Path) -> None:
    assert run("policy", "adopt", "--workspace", TEAM).exit_code == 2
    done = run("policy", "adopt", "--by", "cy", "--reason", "as it is", "--workspace", TEAM)
    assert done.exit_code == 0 and "lanewise.toml decides" in done.stdout


# ── who speaks for a group ──────────────────────────────────────────────────────────────────────────────────


def test_whoever_is_signed_in_speaks_for_the_groups_of_their_account_and_for_no_other(
    records: Records, team: Path
) -> None:
    propose(records, candidate(team, "2026-04-01", *QUIET), "ada", "x", print)
    bo = Person("Bo", frozenset({Role.POLICY_OWNER}), frozenset({OwnerGroup.SUPPORT_LEADERSHIP, OwnerGroup.LEGAL}))
    told: list[str] = []
    with pytest.raises(NotYetAllowed, match="does not speak for security"):
        approve(records, "2026-04-01", "Bo", "security", "", told.append, signed_in=bo)
    with pytest.raises(NotYetAllowed, match="does not speak for"):
        approve(records, "2026-04-01", "Ada", "legal", "", told.append, signed_in=bo)
    approve(records, "2026-04-01", "Bo", "support_leadership", "", told.append, signed_in=bo)
    approve(records, "2026-04-01", "Bo", "legal", "", told.append, signed_in=bo)
    assert "nobody signed in" not in "\n".join(told)
    approve(records, "2026-04-01", "Cy", "security", "", told.append)
    assert "the name was typed, and nobody signed in" in "\n".join(told)


def test_where_the_settings_name_members_an_account_alone_is_not_enough(records: Records, team: Path) -> None:
    propose(records, candidate(team, "2026-04-01", *QUIET), "ada", "x", print)
    settings = records.settings.model_copy(update={"groups": {OwnerGroup.LEGAL: ("Di",)}})
    bo = Person("Bo", frozenset({Role.POLICY_OWNER}), frozenset({OwnerGroup.LEGAL}))
    with pytest.raises(NotYetAllowed, match="not a member"):
        approve(Records(settings, records.store), "2026-04-01", "Bo", "legal", "", print, signed_in=bo)


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


def test_a_family_of_the_release_in_force_can_be_halted_though_the_settings_name_an_older_one(
    records: Records, team: Path
) -> None:
    path = candidate(team, "2026-04-01", *QUIET)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('id = "usage_limits"', 'id = "quotas"').replace('"usage_limits"', '"quotas"'), "utf-8")
    go(records, path, dict.fromkeys(OwnerGroup, "bo") | {group: f"{group}-owner" for group in OwnerGroup})
    assert activate(records, "2026-04-01", "ada", "", print) == 0
    assert halt(records, "quotas", "ada", "wrong answers", print) == 0
    with pytest.raises(DecisionRefused, match="no issue family 'usage_limits'"):
        halt(records, "usage_limits", "ada", "wrong answers", print)
