"""I9: whatever is done to the file of a small real log without the key is found, and the first bad record is named."""

# ruff: noqa: S608 - the attacker's statements are put together from names that stand in this file.
from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from agent_scene import read_words_as_words
from sealed_log import NAME, SealedLog, build

from guards.policy import Release
from ledger.errors import CannotSeal, NoChainKey, OtherChainKey, RecordRolledBack
from ledger.intake import IncomingMessage, Intake
from ledger.sealed.chain import Fault
from ledger.sealed.keyring import beside
from ledger.store import open_store
from ledger.verifying.verification import Noted, Verdict, verify

Shows = Callable[..., None]
STATES = ("intent", "sending", "sent", "failed", "unknown", "refused")
CONTENT = ("ticket_id", "key", "kind", "at", "actor", "head", "body_id", "seal")
"""The columns of a record but its number, which is moved by tests of its own."""


@pytest.fixture(scope="module")
def patched() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        read_words_as_words(patch.setattr)
        yield patch


@pytest.fixture(scope="module")
async def log(tmp_path_factory: pytest.TempPathFactory, rules: Release, patched: pytest.MonkeyPatch) -> SealedLog:
    return await build(tmp_path_factory.mktemp("log"), rules, patched.setattr)


@pytest.fixture(scope="module")
async def other(
    tmp_path_factory: pytest.TempPathFactory, log: SealedLog, rules: Release, patched: pytest.MonkeyPatch
) -> SealedLog:
    """Another ledger, of the same story and sealed with the very same key."""
    folder = tmp_path_factory.mktemp("other")
    shutil.copy(log.folder / f"{NAME}.key", folder / f"{NAME}.key")
    return await build(folder, rules, patched.setattr)


def named(verdict: Verdict, record: int | None, *faults: Fault) -> None:
    """The verdict names this record, and says that it is one of these."""
    assert verdict.finding is not None, "nothing was found"
    assert (verdict.finding.record, verdict.finding.fault in faults) == (record, True), verdict.finding
    if record is not None:
        assert verdict.records == record - 1, verdict


def changed(value: Any) -> Any:
    """Another value that the column might hold."""
    return value + 1 if isinstance(value, int) else f"{value or ''}x"


# ── what is left alone verifies ─────────────────────────────────────────────────────────────────────────────


def test_the_untouched_log_with_its_erased_words_is_in_order(log: SealedLog, shown: Shows) -> None:
    found = log.after()
    assert (found.finding, found.doubt, found.unanchored) == (None, None, 0)
    assert found.records == len(log.rows) > 40
    assert found.erased > 3
    letters = log.column("SELECT state FROM outbox")
    assert letters.count("sent") > 1
    figure = f"{found.records} records, {found.erased} bodies erased: in order"
    shown(
        "I9",
        "the untouched log of three tickets, with an erasure",
        figure,
        f"{len(letters)} letters with their intents",
    )


def test_every_earlier_copy_verified_when_it_was_made(log: SealedLog) -> None:
    """So that what is found below is the attack, and nothing that was wrong before."""
    for count, file in log.copies.items():
        found = log.of_file(file)
        assert found.finding is not None and found.finding.fault is Fault.ROLLED_BACK
        assert found.records == count  # all of it was in order, up to where it ends


# ── records ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_column_of_every_record_is_held(log: SealedLog, shown: Shows) -> None:
    done = 0
    for number, row in enumerate(log.rows, 1):
        for column in CONTENT:
            values = [changed(getattr(row, column)), None if column in ("body_id", "seal") else ""]
            for value in values:
                if value == getattr(row, column):
                    continue
                found = log.after(f'UPDATE events SET "{column}" = :v WHERE seq = :s', v=value, s=row.seq)
                named(found, number, Fault.EDITED, *([Fault.INSERTED] if column == "seal" else []))
                done += 1
    assert done > 14 * len(log.rows)
    shown("I9", "a column of a record edited, every column of every record", f"{done} of {done} found and named")


def test_every_deleted_record_is_missed(log: SealedLog, shown: Shows) -> None:
    done = 0
    for number, row in enumerate(log.rows, 1):
        last = number == len(log.rows)
        gone = log.after("DELETE FROM events WHERE seq = :s", s=row.seq)
        named(gone, number, Fault.TAIL_CUT if last else Fault.DELETED)
        closed_up = log.after(
            "DELETE FROM events WHERE seq = :s", "UPDATE events SET seq = seq - 1 WHERE seq > :s", s=row.seq
        )
        named(closed_up, number, Fault.TAIL_CUT if last else Fault.DELETED)
        done += 2
    shown("I9", "a record deleted, with and without closing the gap", f"{done} of {done} found and named")


SHIFT = ("UPDATE events SET seq = -seq WHERE seq >= :s", "UPDATE events SET seq = 1 - seq WHERE seq < 0")
COPY = (
    'INSERT INTO events (seq, ticket_id, "key", kind, at, actor, head, body_id, seal) '
    "SELECT :s, ticket_id, \"key\" || '/again', kind, at, actor, head, body_id, {seal} FROM events WHERE seq = :of"
)


def test_a_record_put_in_at_any_place_is_found(log: SealedLog, shown: Shows) -> None:
    done = 0
    first, last = log.rows[0].seq, log.rows[-1].seq
    for seq in range(first, last + 2):
        of = seq + 1 if seq <= last else last
        for seal in ("NULL", "seal", "'7.7.' || hex(randomblob(32))"):
            found = log.after(*SHIFT, COPY.format(seal=seal), s=seq, of=of)
            named(found, seq - first + 1, Fault.INSERTED)
            done += 1
    for seq, number in ((first - 1, 1), (-5, 1), (last + 100, len(log.rows) + 1)):
        named(log.after(COPY.format(seal="seal"), s=seq, of=first), number, Fault.INSERTED)
        done += 1
    shown("I9", "a record put in, at every place, with three kinds of seal", f"{done} of {done} found and named")


def test_neighbours_that_change_places_are_found(log: SealedLog, shown: Shows) -> None:
    done = 0
    kept = ", ".join(f'"{c}"' for c in CONTENT if c not in ("seal", "key"))
    for number, (one, two) in enumerate(zip(log.rows, log.rows[1:], strict=False), 1):
        moved = log.after(
            "UPDATE events SET seq = -1 WHERE seq = :a",
            "UPDATE events SET seq = :a WHERE seq = :b",
            "UPDATE events SET seq = :b WHERE seq = -1",
            a=one.seq,
            b=two.seq,
        )
        named(moved, number, Fault.REORDERED)
        under_their_seals = log.after(
            f'CREATE TEMP TABLE was AS SELECT seq, "key", {kept} FROM events WHERE seq IN (:a, :b)',
            'UPDATE events SET "key" = "key" || \'-\' WHERE seq IN (:a, :b)',
            f'UPDATE events SET ("key", {kept}) = (SELECT "key", {kept} FROM was WHERE was.seq = :a + :b - events.seq) '
            "WHERE seq IN (:a, :b)",
            "DROP TABLE was",
            a=one.seq,
            b=two.seq,
        )
        named(under_their_seals, number, Fault.REORDERED)
        done += 2
    shown("I9", "two neighbours exchanged, with and without their seals", f"{done} of {done} found and named")


def test_a_tail_cut_at_any_length_is_found(log: SealedLog, shown: Shows) -> None:
    done = 0
    for left in range(len(log.rows)):
        after = log.rows[left - 1].seq if left else 0
        cut = "DELETE FROM events WHERE seq > :s"
        named(log.after(cut, s=after), left + 1, Fault.TAIL_CUT)
        # The seals stand in the file: whoever can write it can set the head back to any of them.
        number, seq, macs = log.rows[left - 1].seal.split(".") if left else ("0", "0", None)
        back = "UPDATE chain_head SET number = :n, seq = :q, link = :l"
        found = log.after(cut, back, s=after, n=int(number), q=int(seq), l=macs and macs[32:])
        named(found, left + 1, Fault.ROLLED_BACK)
        done += 2
    shown("I9", "the tail cut off, at every length, the head set back or not", f"{done} of {done} found and named")


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_earlier_copy_of_the_file_is_found(log: SealedLog, shown: Shows) -> None:
    assert len(log.copies) > 15
    for count, file in log.copies.items():
        named(log.of_file(file), count + 1, Fault.ROLLED_BACK)
    shown("I9", "the whole file rolled back to every earlier copy", f"{len(log.copies)} of {len(log.copies)} found")


def test_nothing_is_written_or_sent_on_a_ledger_that_was_rolled_back(log: SealedLog, tmp_path: Path) -> None:
    for name in (f"{NAME}.key", f"{NAME}.anchor"):
        shutil.copy(log.folder / name, tmp_path / name)
    for file in log.copies.values():
        shutil.copy(file, tmp_path / NAME)
        store = open_store(tmp_path / NAME)
        with pytest.raises(RecordRolledBack, match="lanewise verify"):
            Intake(store).receive(IncomingMessage("T-9", "m", "c", "s", "e", "n", True, None, "r", "text"))
        store.close()


def test_a_rolled_back_ledger_that_was_written_on_without_its_anchor_is_found_by_one_noted_elsewhere(
    log: SealedLog, tmp_path: Path
) -> None:
    noted = Noted.read(str(log.after().now))
    shutil.copy(log.folder / f"{NAME}.key", tmp_path / f"{NAME}.key")
    count = max(log.copies)
    shutil.copy(log.copies[count], tmp_path / NAME)
    store = open_store(tmp_path / NAME)
    for n in range(len(log.rows)):
        Intake(store).receive(IncomingMessage("T-9", f"m-{n}", "c", "s", "e", "n", True, None, "r", "text"))
    alone = verify(store)
    assert alone.finding is None and alone.doubt is not None and "no anchor" in alone.doubt
    by_note = verify(store, noted)
    store.close()
    assert by_note.finding is not None
    assert (by_note.finding.fault, by_note.finding.record) == (Fault.ROLLED_BACK, noted.number)


def test_records_of_another_ledger_cannot_be_spliced_in(log: SealedLog, other: SealedLog, shown: Shows) -> None:
    assert len(other.rows) == len(log.rows)
    sets = [f'"{column}" = :{column}' for column in CONTENT]
    done = 0
    for number, row in enumerate(other.rows, 1):
        values = dict(row._mapping)
        put = f"UPDATE events SET {', '.join(sets)} WHERE seq = :seq"
        named(log.after(put, **values), number, Fault.EDITED)
        done += 1
    named(log.of_file(other.file), None, Fault.OTHER_LEDGER)
    shown(
        "I9",
        "a record of another ledger under the same key in its place; the whole file",
        f"{done + 1} of {done + 1} found",
    )


# ── words ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_words_that_are_not_those_that_were_sealed_are_found(log: SealedLog, shown: Shows) -> None:
    bodies = log.column("SELECT id FROM bodies WHERE text IS NOT NULL")
    first_of = {b: n for n, b in reversed([(n, r.body_id) for n, r in enumerate(log.rows, 1)])}
    drafts = [b for b in bodies if b not in first_of]
    done = 0
    for body in bodies:
        edited = log.after("UPDATE bodies SET text = text || '.' WHERE id = :b", b=body)
        emptied = log.after("UPDATE bodies SET text = NULL, erased_at = 'x' WHERE id = :b", b=body)
        for found, fault in ((edited, Fault.BODY_EDITED), (emptied, Fault.BODY_LOST)):
            assert found.finding is not None and found.finding.fault is fault, (body, found)
            assert found.finding.record == first_of.get(body)
            done += 1
    written_back = log.after("UPDATE bodies SET text = 'made up' WHERE text IS NULL")
    named(
        written_back,
        log.column("SELECT min(seq) FROM events WHERE ticket_id = 'T-1' AND body_id > 0")[0],
        Fault.BODY_EDITED,
    )
    for body in log.column("SELECT id FROM bodies"):
        for deed in (
            "UPDATE bodies SET digest = 'x' WHERE id = :b",
            "UPDATE bodies SET ticket_id = 'T-x' WHERE id = :b",
            "DELETE FROM bodies WHERE id = :b",
        ):
            found = log.after(deed, b=body)
            if body in first_of:
                named(found, first_of[body], Fault.EDITED, Fault.BODY_EDITED)
            elif "ticket_id" not in deed:
                assert found.finding is not None and found.finding.fault is Fault.BODY_EDITED
            done += 1
    assert drafts, "no draft hangs on a review alone"
    shown("I9", "words edited, emptied, moved or deleted, every body", f"{done} of {done} found")


def test_an_erasure_that_was_tampered_with_is_named_itself(log: SealedLog) -> None:
    (seq,) = log.column("SELECT seq FROM events WHERE kind = 'words_erased'")
    named(log.after("UPDATE events SET kind = 'resumed' WHERE seq = :s", s=seq), seq, Fault.EDITED)


# ── head, anchor, key ───────────────────────────────────────────────────────────────────────────────────────


def test_every_column_of_the_chain_head_is_held(log: SealedLog, shown: Shows) -> None:
    done = 0
    for column in ("chain", "key_id", "number", "seq", "link"):
        value = getattr(log.head, column)
        for other in (changed(value), value - 1 if isinstance(value, int) else value[::-1]):
            found = log.after(f"UPDATE chain_head SET {column} = :v", v=other)
            named(found, None, Fault.HEAD_EDITED)
            done += 1
    for deed in (
        "DELETE FROM chain_head",
        "UPDATE chain_head SET number = 'many'",
        "UPDATE chain_head SET number = 0, seq = 0, link = NULL, key_id = NULL",
    ):
        named(log.after(deed), None, Fault.HEAD_EDITED)
        done += 1
    shown("I9", "the chain head edited or deleted", f"{done} of {done} found")


def test_every_byte_of_the_anchor_is_held(log: SealedLog, size: Any, shown: Shows, tmp_path: Path) -> None:
    for name in (NAME, f"{NAME}.key", f"{NAME}.anchor"):
        shutil.copy(log.folder / name, tmp_path / name)
    here, file = SealedLog(tmp_path), tmp_path / f"{NAME}.anchor"
    whole = file.read_bytes()
    done = 0
    for at in range(0, len(whole), size(5, 1)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        named(here.after(), None, Fault.ANCHOR_EDITED)
        done += 1
    told = json.loads(whole)
    for key in told:
        file.write_text(json.dumps({**told, key: changed(told[key])}).ljust(511) + "\n")
        named(here.after(), None, Fault.ANCHOR_EDITED)
        done += 1
    file.unlink()
    without = here.after()
    assert without.finding is None and without.doubt is not None
    shown("I9", "the anchor edited, byte by byte and field by field", f"{done} of {done} found")


def test_without_the_key_or_with_another_nothing_is_called_whole(log: SealedLog, tmp_path: Path) -> None:
    shutil.copy(log.file, tmp_path / NAME)
    alone = SealedLog(tmp_path)
    with pytest.raises(NoChainKey, match="LANEWISE_CHAIN_KEY"):
        alone.after()
    (tmp_path / f"{NAME}.key").write_text("another key, long enough to be one " * 2)
    alone.keyring = beside(alone.file)
    with pytest.raises(OtherChainKey):
        alone.after()
    assert issubclass(OtherChainKey, CannotSeal)


# ── what is derived from the log ────────────────────────────────────────────────────────────────────────────


def test_an_outbox_a_register_or_a_halt_that_differs_from_the_log_is_found(log: SealedLog, shown: Shows) -> None:
    done = 0
    for key in log.column("SELECT reply_key FROM outbox"):
        (is_now,) = log.column(f"SELECT state FROM outbox WHERE reply_key = '{key}'")
        deeds = [f"UPDATE outbox SET state = '{state}' WHERE reply_key = :k" for state in STATES if state != is_now]
        deeds += ["DELETE FROM outbox WHERE reply_key = :k", "UPDATE outbox SET digest = 'x' WHERE reply_key = :k"]
        deeds += ["UPDATE outbox SET body_id = 1 + (body_id = 1) WHERE reply_key = :k"]
        deeds += ["UPDATE outbox SET reply_key = 'forged' WHERE reply_key = :k"]
        for deed in deeds:
            named(log.after(deed, k=key), None, Fault.DISAGREES)
            done += 1
    for column in ("floor", "epoch", "revision"):
        for step in ("+ 1", "- 1"):
            for ticket in ("T-1", "T-2", "T-3"):
                found = log.after(f"UPDATE registers SET {column} = {column} {step} WHERE ticket_id = :t", t=ticket)
                named(found, None, Fault.DISAGREES)
                done += 1
    for deed in (
        "DELETE FROM registers",
        "DELETE FROM halts",
        "UPDATE halts SET family = 'other'",
        "UPDATE halts SET resumed_by = 1",
        "UPDATE approvals SET \"by\" = 'somebody'",
        "UPDATE approvals SET digest = 'x'",
        "UPDATE approvals SET epoch = epoch + 1",
    ):
        named(log.after(deed), None, Fault.DISAGREES)
        done += 1
    shown("I9", "outbox, register, halts and approvals edited against the log", f"{done} of {done} found")
