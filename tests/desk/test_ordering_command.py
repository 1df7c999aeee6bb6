"""A person decides on an action by a command: ordered exactly as shown, done elsewhere, refused, or cleared up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from desk.ordering import read_levels
from desk.settings import load_settings
from desk.ways_out import COMMAND
from desk.workplace import open_workplace
from guards.triggers import Level, Trigger
from ledger.changing import ChangeLedger, Running
from tools.sandbox_changes import SandboxChanges

CANCEL = {
    "id": "T-9",
    "email": "hazel@maplefinch.example",
    "verified": True,
    "text": "Please cancel our subscription.",
}
WHO = ("--by", "Oona", "--reason", "they asked twice, and may")


def decide(run: Any, act: str, *more: str, given: str | None = None) -> Result:
    result: Result = run("decide", "T-9", act, *WHO, *more, given=given)
    assert "Traceback" not in result.output
    return result


def account(run: Any, tmp_path: Path) -> str:
    """Files the ticket, and returns the account that its requester was shown to belong to."""
    result = run("draft", given=json.dumps(CANCEL))
    assert result.exit_code == 0, result.output
    place = open_workplace(load_settings(tmp_path, {}), {})
    facts = next(e.body for e in place.history.timeline("T-9") if e.kind == "facts_gathered")
    assert facts is not None
    found = next(f["value"] for f in facts.json()["facts"] if f["name"] == "account.id")
    place.store.close()
    return str(found)


def ordered(run: Any, account_id: str) -> Result:
    told = json.dumps({"account_id": account_id, "reason": "asked for by the owner"})
    return decide(run, "approve-change", "--action", "close_account", "--arguments", "-", given=told)


def test_an_ordered_change_is_shown_exactly_and_made_once_by_the_next_post(run: Any, tmp_path: Path) -> None:
    named = account(run, tmp_path)
    done = ordered(run, named)
    assert done.exit_code == 0, done.output
    assert "(state_change) waits" in done.stdout.splitlines()[0]
    assert f"This exact change will be made {COMMAND}, once, under Oona's name (until " in done.stdout
    assert f'close_account\n{{\n  "account_id": "{named}"' in done.stdout
    swept = run("post")
    assert swept.exit_code == 0, swept.output
    assert "done     close_account for ticket T-9: it was made, under Oona's name (SBX-" in swept.stdout
    assert "close_account" not in run("post").stdout
    [made] = SandboxChanges(tmp_path / ".lanewise" / "changes").made()
    assert (made["action"], made["approved_by"]) == ("close_account", "Oona")
    told = run("ticket", "T-9").stdout
    assert all(word in told for word in ("change_approved", "change_started", "change_done"))
    assert "no action of ticket T-9 waits" in decide(run, "refuse").stderr


def test_an_action_that_was_done_elsewhere_says_where_and_one_that_is_refused_changes_nothing(
    run: Any, tmp_path: Path
) -> None:
    account(run, tmp_path)
    done = decide(run, "done-elsewhere", "--reference", "SUB-4711")
    assert done.exit_code == 0, done.output
    assert "done elsewhere, under SUB-4711" in done.stdout
    result = run("draft", given=json.dumps({**CANCEL, "text": "And please close our account as well."}))
    assert result.exit_code == 0, result.output
    refused = decide(run, "refuse")
    assert refused.exit_code == 0, refused.output
    assert "nothing is changed" in refused.stdout
    assert SandboxChanges(tmp_path / ".lanewise" / "changes").made() == ()


def test_a_change_that_nobody_knows_of_is_shown_and_cleared_up_by_a_person(run: Any, tmp_path: Path) -> None:
    named = account(run, tmp_path)
    assert ordered(run, named).exit_code == 0
    place = open_workplace(load_settings(tmp_path, {}), {})
    room = ChangeLedger(place.store)
    [key] = room.waiting()
    change = place.change_room()
    assert change is not None and isinstance(room.begin(key, change._view()), Running)
    room.unknown(key, "TimeoutError")
    place.store.close()
    assert "Nobody knows whether a change that a person ordered was carried out" in run("packet", "T-9").stdout
    assert "change_unknown" in run("ticket", "T-9").stdout
    assert "unknown  close_account for ticket T-9: nobody knows whether it was made" in run("post").stdout
    assert "may have been" in ordered(run, named).stderr
    assert "say done-elsewhere or not-done first" in decide(run, "refuse").stderr
    cleared = decide(run, "not-done")
    assert cleared.exit_code == 0, cleared.output
    assert ordered(run, named).exit_code == 0
    assert "it was made" in run("post").stdout


def test_what_cannot_be_ordered_is_one_clear_line(run: Any, tmp_path: Path) -> None:
    named = account(run, tmp_path)
    for more, given, words in (
        (("--action", "close_account"), "", "approve-change needs --arguments"),
        (("--arguments", "-"), "{}", "approve-change needs --action"),
        (("--action", "close_account", "--arguments", "-"), "{}", "takes exactly account_id, reason"),
        (("--action", "send_money", "--arguments", "-"), "{}", "there is no change 'send_money'"),
        (
            ("--action", "recover_access", "--arguments", "-"),
            json.dumps({"account_id": "A-0000", "email": "eve@elsewhere.example"}),
            "another account",
        ),
        (
            ("--action", "close_account", "--opening", "99", "--arguments", "-"),
            json.dumps({"account_id": named, "reason": "r"}),
            "no open action 99",
        ),
    ):
        refused = decide(run, "approve-change", *more, given=given)
        assert refused.exit_code == 2
        assert words in refused.stderr
        assert refused.stderr.count("\n") == 1
    for act, more, words in (
        ("done-elsewhere", (), "done-elsewhere needs --reference"),
        ("refuse", ("--reference", "x"), "--reference belongs to done-elsewhere, not to refuse"),
        ("not-done", (), "no change of this action is in doubt"),
        ("change-lane", (), "change-lane needs --lane"),
        ("correct-triggers", (), "correct-triggers needs --levels"),
        ("correct-triggers", ("--levels", "policy=high"), "is no TRIGGER=LEVEL"),
    ):
        refused = decide(run, act, *more)
        assert (refused.exit_code, words in refused.stderr) == (2, True), refused.stderr


def test_a_team_without_a_connected_system_is_told_to_do_it_there(run: Any, tmp_path: Path) -> None:
    account(run, tmp_path)
    (tmp_path / "ours").mkdir()
    (tmp_path / "lanewise.toml").write_text('[company]\ndirectory = "ours"\n', encoding="utf-8")
    refused = ordered(run, "A-1001")
    assert refused.exit_code == 2
    assert "no system for changes is connected" in refused.stderr


def test_a_person_sets_the_lane_and_corrects_the_triggers_by_name_and_reason(run: Any, tmp_path: Path) -> None:
    account(run, tmp_path)
    raised = decide(run, "change-lane", "--lane", "3")
    assert raised.exit_code == 0, raised.output
    assert "The conversation is in lane 3 now" in raised.stdout
    lowered = decide(run, "change-lane", "--lane", "2")
    assert "The conversation is in lane 2 now." in lowered.stdout
    corrected = decide(run, "correct-triggers", "--levels", "policy_sensitivity=low, customer_pressure=medium")
    assert corrected.exit_code == 0, corrected.output
    place = open_workplace(load_settings(tmp_path, {}), {})
    heads = [e.head for e in place.history.timeline("T-9") if e.head.get("decision") == "triggers_corrected"]
    place.store.close()
    assert heads[0]["levels"] == {"policy_sensitivity": "low", "customer_pressure": "medium"}
    assert set(heads[0]["proposed"]) == {t.value for t in Trigger}
    assert heads[0]["lane"] == 2
    told = run("ticket", "T-9").stdout
    assert "lane_lowered" in told


@pytest.mark.parametrize(
    "words", ["policy_sensitivity=low customer_pressure=high", "policy_sensitivity=low,customer_pressure=high"]
)
def test_levels_are_read_by_their_names(words: str) -> None:
    assert read_levels(words) == {Trigger.POLICY_SENSITIVITY: Level.LOW, Trigger.CUSTOMER_PRESSURE: Level.HIGH}
