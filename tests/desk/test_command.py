"""The command, as a newcomer and a helpdesk call it: clear words, honest exit codes, nothing lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROUTINE = {
    "id": "T-1",
    "subject": "",
    "email": "rowan@maplefinch.example",
    "name": "Rowan Petty",
    "verified": True,
    "text": "Where do I find audit logs in the admin panel?",
}
RISKY = {
    "id": "T-2",
    "email": "ingrid@harrowpell.example",
    "name": "Ingrid Vasko",
    "verified": True,
    "text": "After INC-2331 we want a refund for the part of the year that we are not using. Please confirm the amount.",
}


def drafted(run: Any, ticket: dict[str, Any]) -> dict[str, Any]:
    result = run("draft", given=json.dumps(ticket))
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def test_a_routine_ticket_is_answered_from_its_source_and_handed_to_the_caller(run: Any) -> None:
    found = drafted(run, ROUTINE)
    assert found["lane"] == 1
    (reply,) = found["replies"]
    assert (reply["piece"], reply["state"]) == ("answer", "sent")
    assert "audit log is in the admin panel" in reply["text"]
    assert found["packet"] is None
    assert found["answered_by"].startswith("embedded")


def test_a_risky_ticket_comes_back_as_a_packet_and_promises_nothing(run: Any) -> None:
    found = drafted(run, RISKY)
    assert found["lane"] == 3
    assert found["draft"] is None
    assert [r["piece"] for r in found["replies"]] == ["notice"]
    assert found["packet"]["owner"]["queue"] == "billing_specialist"
    assert any("refund or credit outcome" in words for words in found["not_done"])
    assert found["policy_version"]


def test_the_same_ticket_told_twice_is_filed_once(run: Any) -> None:
    first, second = drafted(run, RISKY), drafted(run, RISKY)
    assert first["review"] == second["review"]
    timeline = run("ticket", "T-2").stdout
    assert timeline.count(" customer   customer_wrote ") == 1
    assert (first["filed"], second["filed"]) == ("new", "already")


def test_only_what_this_very_call_let_go_is_new_to_the_caller(run: Any) -> None:
    first, second = drafted(run, ROUTINE), drafted(run, ROUTINE)
    assert [(r["piece"], r["new"]) for r in first["replies"]] == [("answer", True)]
    assert [(r["piece"], r["new"]) for r in second["replies"]] == [("answer", False)]
    assert first["replies"][0]["reply_key"] == second["replies"][0]["reply_key"]
    more = drafted(run, {**ROUTINE, "text": "Your service ruined our quarter. I want our money back at once."})
    assert [(r["piece"], r["new"]) for r in more["replies"]] == [("answer", False), ("notice", True)]
    assert len({r["reply_key"] for r in more["replies"]}) == 2


def test_an_id_that_is_too_long_is_filed_and_found_again(run: Any) -> None:
    found = drafted(run, {**ROUTINE, "id": "T" * 400})
    assert found["lane"] == 1
    assert run("ticket", found["id"]).exit_code == 0


def test_every_output_says_which_mode_answered(run: Any, tmp_path: Path) -> None:
    drafted(run, ROUTINE)
    drafted(run, RISKY)
    (tmp_path / "rows.jsonl").write_text('{"id": "1", "text": "Where is the status page?", "account_context": null}')
    (tmp_path / "one.jsonl").write_text(json.dumps(ROUTINE))
    for args in (
        ("ticket", "T-2"),
        ("packet", "T-2"),
        ("packet", "T-2", "-f", "markdown"),
        ("packet", "T-2", "-f", "json"),
        ("assess", "rows.jsonl", "--out", "out.jsonl"),
        ("try", "one.jsonl"),
    ):
        result = run(*args)
        assert result.exit_code == 0, result.output
        assert "embedded default" in result.stdout, args


def test_a_tickets_timeline_explanation_and_packet_can_be_read(run: Any) -> None:
    drafted(run, ROUTINE)
    drafted(run, RISKY)
    assert "lane_assigned" in run("ticket", "T-2").stdout
    told = run("explain", "T-2").stdout
    assert "belongs to a person" in told
    assert "policy_sensitivity" not in told  # no technical word
    both = run("explain", "T-1", "T-2").stdout
    assert "money or terms" in both
    for command in (("ticket", "nope"), ("explain", "nope"), ("packet", "nope")):
        assert "nope" in run(*command).stderr
    assert run("packet", "T-2").stdout.startswith("Escalation Packet")
    assert run("packet", "T-2", "--format", "markdown").stdout.startswith("# ")
    assert json.loads(run("packet", "T-2", "-f", "json").stdout)["recommended_lane"] == 3


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("ticket", "nope"), "there is no ledger at"),
        (("packet", "nope"), "nothing was ever filed here"),
        (("explain", "nope"), "--workspace"),
        (("erase", "nope", "--by", "Ada", "--reason", "asked"), "there is no ledger at"),
        (("try", "nope.csv"), "does not exist"),
        (("draft", "nope.json"), "nope.json"),
        (("assess", "nope.jsonl", "--out", "o.jsonl"), "does not exist"),
        (("halt", "no_such_family"), "no issue family"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_code_2(run: Any, args: tuple[str, ...], words: str) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("given", ["", "{", "[]", '{"id": "x"}', "\x00\x01\x02", '{"id": "x", "text": "   "}'])
def test_a_ticket_that_cannot_be_read_is_named_and_nothing_is_filed(run: Any, given: str) -> None:
    result = run("draft", given=given)
    assert result.exit_code == 2
    assert result.stderr.startswith("lanewise: ")


def test_one_act_halts_and_one_resumes(run: Any) -> None:
    assert "Halted: all families" in run("halt", "--by", "Ada", "--reason", "odd answers").stdout
    held = drafted(run, ROUTINE)
    assert held["lane"] == 2
    assert held["replies"] == []
    assert "Resumed" in run("resume", "--by", "Ada").stdout
    assert drafted(run, {**ROUTINE, "id": "T-9"})["lane"] == 1


def test_a_new_workspace_checks_clean_and_judges_its_sample(run: Any, tmp_path: Path) -> None:
    made = run("init", "team")
    assert made.exit_code == 0
    assert run("policy", "check", "--workspace", "team").stdout.rstrip().endswith("ok")
    tried = run("try", "team/tickets/sample.csv", "--workspace", "team", "--out", "report")
    assert tried.exit_code == 0, tried.output
    assert "human-owned" in (tmp_path / "report.md").read_text(encoding="utf-8")
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    again = run("init", "team")
    assert again.exit_code == 2
    assert "lanewise.toml" in again.stderr


def test_in_observe_only_nothing_leaves_and_a_person_has_a_packet(run: Any) -> None:
    run("init", "team")
    result = run("draft", "--workspace", "team", given=json.dumps({**ROUTINE, "id": "T-5"}))
    found = json.loads(result.stdout)
    assert found["replies"] == []
    assert found["draft"] is None
    assert found["packet"] is not None


def test_policy_check_names_an_unknown_key_and_a_version_used_twice(run: Any, tmp_path: Path) -> None:
    run("init", "team")
    (release,) = (tmp_path / "team" / "policy").glob("*.toml")
    text = release.read_text(encoding="utf-8")
    twin = release.with_name("twin.toml")
    twin.write_text(text.replace('title = "', 'title = "Another: ', 1), encoding="utf-8")
    found = run("policy", "check", "--workspace", "team")
    assert found.exit_code == 1
    assert "twin.toml is also version" in found.stdout
    twin.write_text("colour = 'red'\n" + text, encoding="utf-8")
    odd = run("policy", "check", str(twin))
    assert odd.exit_code == 1
    assert "colour: this key is not known" in odd.stdout


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, lanewise\n"
        "heavy = {'langgraph', 'langchain_core', 'sqlalchemy', 'numpy', 'onnxruntime', 'pydantic', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_number_of_thousands_of_digits_is_one_clear_line(run: Any) -> None:
    result = run("draft", given='{"id": "1", "text": "hi", "n": ' + "1" * 5000 + "}")
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1
    assert "not valid JSON" in result.stderr


def test_a_thread_told_newest_first_hides_no_new_message(run: Any) -> None:
    old = {"role": "customer", "text": ROUTINE["text"], "created_at": "2026-03-10T08:00:00Z"}
    new = {"role": "customer", "text": RISKY["text"], "created_at": "2026-03-10T09:00:00Z"}
    thread = {"id": "T-9", "email": ROUTINE["email"], "verified": True}
    assert drafted(run, {**thread, "comments": [old]})["lane"] == 1
    found = drafted(run, {**thread, "comments": [new, old]})
    assert (found["filed"], found["lane"]) == ("new", 3)


def test_no_strangers_word_can_command_the_operators_terminal(run: Any) -> None:
    orders = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e"
    odd = {**RISKY, "subject": f"S{orders}", "name": f"N{orders}", "text": f"{RISKY['text']}\n\tHi {orders}"}
    found = drafted(run, odd)
    told = [run("draft", given=json.dumps(odd)), run("ticket", found["id"]), run("explain", found["id"])]
    told += [run("packet", found["id"], "-f", form) for form in ("text", "markdown", "json")]
    told.append(run("ticket", f"none{orders}"))
    for result in told:
        assert result.output and not set(result.output) & set(orders[0] + "\x07\x9b\u202e")
    assert orders in json.loads(told[-2].stdout)["words"][0]["text"]
