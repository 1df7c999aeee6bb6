"""`lanewise verify`, as an operator meets it: what it prints, how it ends, and what it asks for."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from agent_scene import read_words_as_words

TICKET = {"id": "T-1", "email": "hazel@maplefinch.example", "verified": True, "text": "Could you give us a discount?"}
FOLDER = Path(".lanewise")
LEDGER, KEY, ANCHOR = (FOLDER / f"ledger.sqlite3{end}" for end in ("", ".key", ".anchor"))


@pytest.fixture
def desk(run: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command, in a folder where one ticket was worked on."""
    read_words_as_words(monkeypatch.setattr)
    assert run("draft", "-", given=json.dumps(TICKET)).exit_code == 0
    return run


def change(deed: str, ledger: Path = LEDGER) -> None:
    """What somebody who can write the file does to it."""
    with closing(sqlite3.connect(ledger)) as raw:
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            raw.execute(f"DROP TRIGGER {name}")
        raw.execute(deed)
        raw.commit()


def backup(to: Path) -> None:
    with closing(sqlite3.connect(LEDGER)) as raw, closing(sqlite3.connect(to)) as copy:
        raw.backup(copy)


def restore(copy: Path) -> None:
    for left in FOLDER.glob("ledger.sqlite3-*"):
        left.unlink()
    shutil.copy(copy, LEDGER)


def printed_anchor(told: str) -> str:
    (line,) = [line for line in told.splitlines() if line.startswith("anchor ")]
    return line.split()[1]


def test_a_whole_record_is_told_in_one_line_with_an_anchor_to_write_down(desk: Any) -> None:
    told = desk("verify")
    assert told.exit_code == 0, told.output
    first, last = told.stdout.splitlines()
    assert " records, from 20" in first and first.endswith("all in order; 0 bodies erased.")
    assert last.startswith("anchor ")
    assert desk("verify", "--anchor", printed_anchor(told.stdout)).exit_code == 0


def test_erased_words_are_no_tampering(desk: Any) -> None:
    assert desk("erase", "T-1", "--by", "Ada", "--reason", "asked for").exit_code == 0
    told = desk("verify")
    assert told.exit_code == 0
    assert "all in order" in told.stdout and "0 bodies" not in told.stdout


def test_the_first_bad_record_is_named_with_what_to_do(desk: Any) -> None:
    change("UPDATE events SET actor = 'somebody' WHERE seq IN (3, 5)")
    told = desk("verify")
    assert told.exit_code == 1
    assert "NOT in order: record 3 at event 3: edited" in told.stdout
    assert "The 2 records before it are in order." in told.stdout
    assert "lanewise halt" in told.stdout
    assert "anchor" not in told.stdout.split("What to do")[0]


def test_a_record_cannot_be_checked_without_the_right_key(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = KEY.read_text()
    KEY.unlink()
    missing = desk("verify")
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert "LANEWISE_CHAIN_KEY" in missing.stderr
    monkeypatch.setenv("LANEWISE_CHAIN_KEY", "another key, which is long enough for one")
    wrong = desk("verify")
    assert wrong.exit_code == 2
    assert "the key at hand is" in wrong.stderr and "another key" not in wrong.stderr
    monkeypatch.setenv("LANEWISE_CHAIN_KEY", secret)
    assert desk("verify").exit_code == 0


def test_reading_a_ticket_needs_no_key(desk: Any) -> None:
    KEY.unlink()
    for look in ("ticket", "explain", "packet"):
        assert desk(look, "T-1").exit_code == 0
    assert not KEY.exists()


def test_without_its_key_a_workspace_files_nothing_and_still_halts(desk: Any) -> None:
    KEY.unlink()
    refused = desk("draft", "-", given=json.dumps({**TICKET, "id": "T-2"}))
    assert refused.exit_code == 2
    assert "Put the key back" in refused.stderr
    assert desk("halt").exit_code == 0


def test_a_key_that_others_can_read_is_warned_of(desk: Any) -> None:
    KEY.chmod(0o644)
    told = desk("verify")
    assert told.exit_code == 0
    assert "chmod 600" in told.stderr


def test_a_ledger_that_others_can_read_is_left_as_it_is_and_warned_of(desk: Any) -> None:
    file = KEY.with_name("ledger.sqlite3")
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o644)
    told = desk("verify")
    assert told.exit_code == 0
    assert "ledger.sqlite3 (mode 644)" in told.stderr and "chmod 600 ledger.sqlite3" in told.stderr
    assert file.stat().st_mode & 0o777 == 0o644


def test_a_restored_backup_is_found_refused_and_taken_over(desk: Any, tmp_path: Path) -> None:
    backup(tmp_path / "backup")
    noted = printed_anchor(desk("verify").stdout)
    desk("draft", "-", given=json.dumps({**TICKET, "id": "T-2"}))
    restore(tmp_path / "backup")
    found = desk("verify")
    assert found.exit_code == 1
    assert "rolled back" in found.stdout and "Was a backup restored?" in found.stdout
    refused = desk("draft", "-", given=json.dumps({**TICKET, "id": "T-3"}))
    assert refused.exit_code == 2 and "lanewise verify" in refused.stderr
    unsigned = desk("verify", "--take-over", "--by", "Ada")
    assert unsigned.exit_code == 2
    taken = desk("verify", "--take-over", "--by", "Ada", "--reason", "restored from Monday's backup")
    assert taken.exit_code == 0 and "Taken over by Ada" in taken.stdout
    after = desk("verify")
    assert after.exit_code == 0
    assert "were sealed as they stood" in after.stdout and "by Ada" in after.stdout
    assert desk("draft", "-", given=json.dumps({**TICKET, "id": "T-3"})).exit_code == 0
    # What was written down of the record before it was taken over does not vouch for it any more.
    assert desk("verify", "--anchor", noted).exit_code == 1


def test_a_missing_anchor_is_a_doubt_and_not_a_yes(desk: Any) -> None:
    noted = printed_anchor(desk("verify").stdout)
    ANCHOR.unlink()
    told = desk("verify")
    assert told.exit_code == 2
    assert "nobody can say whether this is the newest copy" in told.stdout
    assert desk("verify", "--anchor", noted).exit_code == 0


@pytest.mark.parametrize("anchor", ["", "7", "x:y", "7:" + "0" * 31, f"-1:{'0' * 32}"])
def test_an_anchor_that_is_none_is_refused(desk: Any, anchor: str) -> None:
    told = desk("verify", "--anchor", anchor)
    assert told.exit_code == 2
    assert "COUNT:MAC" in told.stderr


def test_an_anchor_of_a_longer_record_is_missed(desk: Any) -> None:
    told = desk("verify", "--anchor", f"400:{'0' * 32}")
    assert told.exit_code == 1
    assert "has seen 400 records" in told.stdout


def test_where_nothing_was_filed_nothing_is_made(run: Any) -> None:
    told = run("verify")
    assert told.exit_code == 2
    assert "there is no ledger at" in told.stderr
    assert not FOLDER.exists()


def test_a_file_that_is_no_ledger_is_named(desk: Any) -> None:
    restore(Path(__file__))
    told = desk("verify")
    assert told.exit_code == 2
    assert "cannot be used" in told.stderr


def test_a_text_that_cannot_be_read_is_found_at_its_record(desk: Any) -> None:
    change("UPDATE events SET actor = CAST(x'ff' AS TEXT) WHERE seq = 4")
    told = desk("verify")
    assert told.exit_code == 1
    assert "record 4 at event 4: edited" in told.stdout


def test_key_and_anchor_may_stand_elsewhere(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_words_as_words(monkeypatch.setattr)
    (tmp_path / "lanewise.toml").write_text('[ledger]\nkey_file = "far/key"\nanchor_file = "elsewhere/anchor"\n')
    assert run("draft", "-", given=json.dumps(TICKET)).exit_code == 0
    assert (tmp_path / "far" / "key").stat().st_mode & 0o077 == 0
    assert (tmp_path / "elsewhere" / "anchor").is_file()
    assert not KEY.exists() and not ANCHOR.exists()
    assert run("verify").exit_code == 0


def test_the_help_says_how_it_ends(run: Any) -> None:
    told = run("verify", "--help").stdout
    assert "--anchor" in told and "--take-over" in told
    assert "cannot check" in told
