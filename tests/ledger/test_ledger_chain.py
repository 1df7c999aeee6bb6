"""The chain: seals and the walk over them, the key, the anchor, and what a ledger does without them."""

from __future__ import annotations

import copy
import hmac
import os
import pickle
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from ledger_scene import DAY, VIEW, Scene, message
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from ledger import migrations
from ledger.decisions import Signature
from ledger.errors import CannotSeal, NoChainKey, OtherChainKey, RecordRolledBack
from ledger.events import Entry, Kind, append
from ledger.intake import Intake
from ledger.people import PeopleLedger
from ledger.sealed.chain import ChainKey, Fault, Fields, Finding, Place, Seal, Stored, Walk, ended, genesis, seal_next
from ledger.sealed.keyring import ENV_NAME, Anchor, Keyring, anchored, beside
from ledger.store import open_store
from ledger.tables import metadata
from ledger.verifying.takeover import take_over
from ledger.verifying.verification import verify

KEY = ChainKey("a key for tests, long enough to be one")
SIGN = Signature("Ada", "because the test says so", "k-1")


def record(seq: int, ticket: str = "T", words: str | None = None) -> Stored:
    fields = Fields(ticket, f"k{seq}", "kind", "2026-03-10", "ada", "{}", None, None)
    return Stored(seq, fields, None, ticket if words else None, words)


def sealed(records: Iterable[Stored], key: ChainKey = KEY, chain: str = "c") -> list[Stored]:
    place, done = genesis(key, chain), []
    for one in records:
        seal = seal_next(key, chain, place, one.seq, one.fields)
        place = seal.place
        done.append(replace(one, seal=str(seal)))
    return done


def walked(
    records: Iterable[Stored], key: ChainKey = KEY, chain: str = "c", known: int = 0
) -> tuple[int, Finding | None]:
    """How many records were in order, and what was wrong with the next."""
    walk = Walk(key, chain, known)
    steps = list(walk.check(records))
    last = steps[-1] if steps else None
    return walk.place.number, last if isinstance(last, Finding) else None


TEN = sealed(record(seq) for seq in range(1, 11))

FORK = sealed([*(record(seq) for seq in range(1, 6)), *(record(seq, "Y") for seq in range(6, 11))])
"""As ten was once, rolled back to its fifth record and written on."""


def shared(one: list[Stored], other: list[Stored]) -> int:
    """How many records the two begin with alike."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


# ── the walk ────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_was_sealed_is_in_order_and_gaps_in_the_numbers_are_no_matter() -> None:
    assert walked(TEN) == (10, None)
    assert walked(sealed(record(seq) for seq in (1, 2, 7, 40))) == (4, None)
    assert walked([]) == (0, None)


def test_a_seal_is_of_one_key_one_ledger_and_one_place() -> None:
    for key, chain in ((ChainKey("another key for tests, long enough too"), "c"), (KEY, "another")):
        assert walked(TEN, key, chain)[0] == 0
    one, two = (seal_next(KEY, "c", genesis(KEY, "c"), seq, TEN[0].fields) for seq in (1, 2))
    assert one.own != two.own
    follows = seal_next(KEY, "c", one.place, 2, TEN[1].fields)
    assert seal_next(KEY, "c", replace(one.place, link="0" * 32), 2, TEN[1].fields).link != follows.link


def test_no_two_lists_of_parts_read_the_same() -> None:
    said = [
        ("a", "b"),
        ("ab",),
        ("a", "b", None),
        ("a", None, "b"),
        ("a:1", "b"),
        ("a", "1:b"),
        ("1", 2),
        ("12",),
        ("-",),
        (None,),
    ]
    assert len({KEY.mac(*parts) for parts in said}) == len(said)
    assert KEY.mac("1") != KEY.mac(b"1")  # a column of SQLite may hold bytes where a text should stand
    assert len(KEY.mac("\ud800\0")) == 64


@pytest.mark.parametrize("length", [32, 64, 65, 200])
def test_a_mac_is_the_librarys_own_hmac(length: int) -> None:
    secret = "s" * length
    assert ChainKey(secret).mac("one", 2) == hmac.digest(secret.encode(), b"3:one1:2", "sha256").hex()


@given(st.data())
def test_whatever_is_done_to_the_list_of_records_its_first_bad_one_is_found(data: st.DataObject) -> None:
    foreign = sealed((record(seq, "X") for seq in range(1, 11)), chain="other")
    pool = [*TEN, *FORK[5:], *foreign, *(replace(r, seq=r.seq + 1) for r in TEN), *(replace(r, seal=None) for r in TEN)]
    mixed = data.draw(st.lists(st.sampled_from(pool), max_size=12))
    number, finding = walked(mixed, known=10)
    in_order = max(shared(mixed, TEN), shared(mixed, FORK))
    assert number == in_order
    assert (finding is None) == (in_order == len(mixed))
    if finding is not None:
        assert finding.record == in_order + 1
        assert finding.words


@given(
    st.integers(0, 9), st.sampled_from(["ticket", "key", "kind", "at", "actor", "head", "body_id", "digest"]), st.text()
)
def test_any_field_of_any_record_set_to_anything_is_found(at: int, name: str, value: str) -> None:
    assume(getattr(TEN[at].fields, name) != value)
    edited = [*TEN]
    edited[at] = replace(TEN[at], fields=replace(TEN[at].fields, **{name: value}))
    number, finding = walked(edited, known=10)
    assert (number, finding and finding.fault) == (at, Fault.EDITED)


@given(st.text(max_size=120) | st.from_regex(r"\d{1,3}\.-*\w\.\w{64}", fullmatch=True))
def test_anything_may_stand_where_a_seal_should(said: str) -> None:
    seal = Seal.read(said)
    assert seal is None or str(seal) == said or walked([replace(TEN[0], seal=said)])[0] == 0
    assert walked([replace(TEN[0], seal=said), *TEN[1:]], known=10)[0] == 0


def test_records_of_before_and_after_a_roll_back_do_not_fit_together() -> None:
    assert walked(FORK) == (10, None)  # a chain of its own: the anchor tells the two apart
    number, finding = walked([*TEN[:7], *FORK[7:]])
    assert (number, finding and finding.fault) == (7, Fault.ROLLED_BACK)


def test_a_record_of_many_pages_is_read_whole_and_in_order(scene: Scene) -> None:
    scene.receive()
    with scene.store.write() as conn:
        for n in range(1200):
            append(conn, "T1", Entry(Kind.FACTS_GATHERED, f"k{n}"), at=scene.clock(), actor="a")
    assert verify(scene.store).records == 1201
    for seq in (500, 501, 1000, 1201):
        with closing(sqlite3.connect(scene.path)) as raw:
            raw.execute("DROP TRIGGER IF EXISTS events_refuse_update")
            raw.execute("UPDATE events SET actor = 'b' WHERE seq = ?", [seq])
            raw.commit()
            finding = verify(scene.store).finding
            raw.execute("UPDATE events SET actor = 'a' WHERE seq = ?", [seq])
            raw.commit()
        assert finding is not None and (finding.record, finding.fault) == (seq, Fault.EDITED)


def test_the_end_is_where_the_head_says() -> None:
    end = Place(10, 10, "x")
    assert ended(end, end) is None
    for head, fault in (
        (Place(12, 12, "y"), Fault.TAIL_CUT),
        (Place(12, 10, "x"), Fault.HEAD_EDITED),
        (Place(9, 9, "w"), Fault.HEAD_EDITED),
        (Place(10, 11, "x"), Fault.HEAD_EDITED),
    ):
        found = ended(end, head)
        assert found is not None and found.fault is fault


# ── the key ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_key_cannot_be_printed_copied_or_stored() -> None:
    secret = "not to be seen by anybody at all, ever"
    key = ChainKey(secret)
    assert secret not in f"{key!r} {key} {key.id}"
    for act in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be copied"):
            act(key)
    with pytest.raises(ValueError, match="at least 32") as refused:
        ChainKey("short")
    assert "short" not in str(refused.value)


def test_the_key_is_made_with_the_first_event_for_its_owner_alone_and_stands_nowhere_else(scene: Scene) -> None:
    file = scene.store.keyring.key_file
    assert file is not None and not file.exists()
    scene.history.tickets()
    assert not file.exists()  # reading needs none
    scene.receive()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.with_suffix(".anchor").stat().st_mode) == 0o600
    secret = file.read_text().strip()
    assert len(secret) == 64
    scene.store.close()
    for other in scene.path.parent.iterdir():
        assert other == file or secret.encode() not in other.read_bytes(), other


def test_the_environments_key_goes_before_the_file(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV_NAME, "a key of the environment, long enough")
    store = open_store(scene.path)
    Intake(store).receive(message())
    assert store.keyring.key_file is not None and not store.keyring.key_file.exists()
    assert verify(store).records == 1
    monkeypatch.setenv(ENV_NAME, "too short")
    with pytest.raises(NoChainKey, match="at least 32") as refused:
        verify(open_store(scene.path))
    assert "too short" not in str(refused.value)


@pytest.mark.parametrize("words", ["", "short", "\udcff not text"])
def test_a_key_file_that_cannot_be_used_is_named_and_not_repeated(scene: Scene, words: str) -> None:
    file = scene.store.keyring.key_file
    assert file is not None
    file.write_bytes(words.encode(errors="surrogateescape"))
    with pytest.raises(NoChainKey, match=r"\.key") as refused:
        scene.receive()
    assert "short" not in str(refused.value).replace("shorter", "")


def test_without_its_key_a_ledger_is_read_and_halted_and_nothing_else(scene: Scene) -> None:
    scene.receive()
    scene.store.close()
    key = scene.store.keyring.key_file
    assert key is not None
    secret = key.read_text()
    key.unlink()
    store = open_store(scene.path)
    assert [m.text for m in Scene(scene.path).history.thread("T1")] == ["Where do I find audit logs?"]
    with pytest.raises(NoChainKey, match="Put the key back"):
        Intake(store).receive(message(key="m2"))
    PeopleLedger(store).halt(None, SIGN)  # a halt waits for no key
    assert not key.exists()
    with pytest.raises(NoChainKey):
        verify(store)
    key.write_text(secret)
    again = open_store(scene.path)
    Intake(again).receive(message(key="m3"))
    found = verify(again).finding
    assert found is not None and (found.record, found.fault) == (2, Fault.INSERTED)
    assert "halt" in found.words
    take_over(again, SIGN)
    assert verify(again).finding is None


def test_another_key_writes_nothing_but_a_halt(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.receive()
    monkeypatch.setenv(ENV_NAME, "another key than the one in the file")
    store = open_store(scene.path)
    with pytest.raises(OtherChainKey, match="Put the right one back"):
        Intake(store).receive(message(key="m2"))
    PeopleLedger(store).halt(None, SIGN)
    assert [h.by for h in scene.worker.halts()] == ["Ada"]


def test_a_database_of_another_kind_has_no_key_by_default(tmp_path: Path) -> None:
    with pytest.raises(NoChainKey, match=ENV_NAME):
        Keyring(None, None).make_key()
    named = Keyring(tmp_path / "keys" / "k", None)
    assert named.make_key().id == Keyring(tmp_path / "keys" / "k", None).make_key().id


def test_a_ledger_in_memory_is_sealed_for_its_own_lifetime() -> None:
    store = open_store("sqlite://")
    Intake(store).receive(message())
    found = verify(store)
    assert (found.records, found.finding) == (1, None)


def test_the_key_file_is_shut_or_a_warning_says_so(scene: Scene) -> None:
    scene.receive()
    keyring = scene.store.keyring
    assert keyring.open_to_others() is None
    assert keyring.key_file is not None
    keyring.key_file.chmod(0o640)
    assert "chmod 600" in str(keyring.open_to_others())


def test_a_place_where_no_key_can_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NoChainKey, match="LANEWISE_CHAIN_KEY"):
        Keyring(tmp_path / "file" / "key", None).make_key()


# ── the anchor ──────────────────────────────────────────────────────────────────────────────────────────────


def anchored_at(scene: Scene) -> int:
    keyring = scene.store.keyring
    key = keyring.key()
    found = keyring.anchor(key) if key else None
    return found.place.number if found else -1


def test_the_anchor_follows_what_is_on_disk_and_never_runs_ahead(scene: Scene) -> None:
    scene.receive()
    assert anchored_at(scene) == 1
    scene.worker.record("T1", Kind.FACTS_GATHERED, "facts")
    assert anchored_at(scene) == 1  # a quick write may still be lost in a power cut
    assert verify(scene.store).unanchored == 1
    scene.receive(key="m2")
    assert anchored_at(scene) == 3
    scene.worker.record("T1", Kind.FACTS_GATHERED, "more")
    scene.store.close()
    assert anchored_at(scene) == 4


def test_a_write_that_fails_moves_neither_head_nor_anchor(scene: Scene) -> None:
    scene.receive()

    def fail_halfway() -> None:
        with scene.store.write(durable=True) as conn:
            append(conn, "T1", Entry(Kind.FACTS_GATHERED, "x"), at=scene.clock(), actor="a")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert anchored_at(scene) == 1
    assert scene.receive(key="m2").seq == 2
    assert verify(scene.store).finding is None


def test_an_anchor_that_was_taken_away_or_damaged_is_not_made_anew(scene: Scene) -> None:
    scene.receive()
    file = scene.store.keyring.anchor_file
    assert file is not None
    file.write_text("{}")
    scene.receive(key="m2")
    assert file.read_text() == "{}"
    finding = verify(scene.store).finding
    assert finding is not None and finding.fault is Fault.ANCHOR_EDITED
    file.unlink()
    scene.receive(key="m3")
    assert not file.exists()
    assert "no anchor" in str(verify(scene.store).doubt)


def test_an_anchor_that_cannot_be_written_stops_nothing_and_lags(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scene.receive()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        scene.receive(key="m2")
    assert "No space left" in caplog.text
    assert (anchored_at(scene), verify(scene.store).unanchored) == (1, 1)
    scene.receive(key="m3")
    assert anchored_at(scene) == 3


def test_a_check_is_not_confused_by_what_is_written_meanwhile(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.receive()
    read = Keyring.anchor

    def meanwhile(self: Keyring, key: ChainKey) -> Anchor | None:
        monkeypatch.setattr(Keyring, "anchor", read)
        scene.receive(key="m2")
        return read(self, key)

    monkeypatch.setattr(Keyring, "anchor", meanwhile)
    found = verify(scene.store)
    assert (found.records, found.finding) == (2, None)


def test_an_anchor_says_who_wrote_it_and_where(tmp_path: Path) -> None:
    keyring = Keyring(None, tmp_path / "far" / "anchor")
    first = anchored("c", Place(3, 3, "ab"), DAY)
    assert keyring.anchor(KEY) is None
    keyring.begin_anchor(first, KEY)
    assert keyring.anchor(KEY) == first
    assert (tmp_path / "far" / "anchor").stat().st_size == 512


# ── several hands, and old ledgers ──────────────────────────────────────────────────────────────────────────

WRITER = """
import sys
from ledger.intake import IncomingMessage as M, Intake
from ledger.store import open_store
from ledger.tables import metadata
intake = Intake(open_store(sys.argv[1]))
for n in range(20):
    intake.receive(M(f"T{sys.argv[2]}", f"m{n}", "c", "s", "e", "n", True, None, "r", "text"))
"""


def test_several_processes_write_one_chain(scene: Scene) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(scene.path), str(n)], stderr=subprocess.PIPE)
        for n in range(3)
    ]
    assert [(p.communicate()[1], p.returncode) for p in started] == [(b"", 0)] * 3
    found = verify(scene.store)
    assert (found.records, found.finding, found.doubt) == (60, None, None)
    assert anchored_at(scene) >= 58  # who anchors last may be one that committed earlier


def old_ledger(path: Path) -> None:
    """One that was written before there were seals."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as conn:
        migrations.upgrade(conn, "r0001")
        conn.execute(text("INSERT INTO bodies (ticket_id, text, digest) VALUES ('T1', '{}', :d)"), {"d": "0" * 64})
        for n in range(1, 4):
            values = {"key": f"k{n}", "at": f"2026-03-0{n}T00:00:00.000000+00:00"}
            conn.execute(
                text(
                    'INSERT INTO events (ticket_id, "key", kind, at, actor, head) '
                    "VALUES ('T1', :key, 'facts_gathered', :at, 'assistant', '{}')"
                ),
                values,
            )
    engine.dispose()


def test_an_old_ledger_is_sealed_when_it_is_brought_up_to_date_and_says_so(tmp_path: Path) -> None:
    old_ledger(tmp_path / "old.db")
    store = open_store(tmp_path / "old.db")
    found = verify(store)
    assert (found.records, found.finding, found.doubt) == (4, None, None)
    assert "records 1 to 3 were sealed as they stood" in found.notes[0]
    with pytest.raises(IntegrityError, match="append-only"), store.write() as conn:
        conn.execute(text("UPDATE events SET actor = 'x'"))
    store.close()


FIRST_TABLES = frozenset(
    [
        "tickets",
        "bodies",
        "events",
        "inbox",
        "leases",
        "registers",
        "openings",
        "reviews",
        "approvals",
        "outbox",
        "halts",
    ]
)
"""What the first migration made."""


def test_a_ledger_whose_seals_were_taken_away_is_not_sealed_again(tmp_path: Path, scene: Scene) -> None:
    scene.receive()
    scene.store.close()
    with closing(sqlite3.connect(scene.path)) as raw:
        for deed in (
            "DROP TRIGGER events_refuse_update",
            "ALTER TABLE events DROP COLUMN seal",
            *(
                f"DROP TABLE {table.name}"
                for table in reversed(metadata.sorted_tables)
                if table.name not in FIRST_TABLES
            ),
            "UPDATE alembic_version SET version_num = 'r0001'",
            "CREATE TRIGGER events_refuse_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'no'); END",
        ):
            raw.execute(deed)
        raw.commit()
    with pytest.raises(RecordRolledBack, match="carries no seals"):
        open_store(scene.path)


def test_a_ledger_that_begins_anew_beside_an_old_anchor_is_refused(scene: Scene, empty_store: Path) -> None:
    scene.receive()
    scene.store.close()
    for left in scene.path.parent.glob("ledger.db*"):
        if left.suffix not in (".key", ".anchor"):
            left.unlink()
    fresh = open_store(scene.path)
    with pytest.raises(RecordRolledBack):
        Intake(fresh).receive(message())
    fresh.close()


@pytest.mark.parametrize(
    "deed",
    [
        "DELETE FROM chain_head",
        "UPDATE chain_head SET number = 'many'",
        "UPDATE chain_head SET seq = 0",
        "UPDATE chain_head SET chain = 'another'",
    ],
)
def test_a_head_that_was_tampered_with_takes_no_more_events(scene: Scene, deed: str) -> None:
    scene.receive()
    with scene.store.write() as conn:
        conn.execute(text(deed))
    with pytest.raises(CannotSeal, match="lanewise verify"):
        scene.receive(key="m2")


# ── taking over ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_restored_backup_is_taken_over_by_a_person_and_sends_nothing_that_waits_in_it(
    scene: Scene, tmp_path: Path
) -> None:
    scene.receive()
    scene.assigned()
    scene.propose("It is under Settings.")
    backup = tmp_path / "backup.db"
    with closing(sqlite3.connect(scene.path)) as raw, closing(sqlite3.connect(backup)) as to:
        raw.backup(to)
    scene.receive("T2", "m2")
    scene.store.close()
    for left in tmp_path.glob("ledger.db-*"):
        left.unlink()
    shutil.copy(backup, scene.path)
    restored = Scene(scene.path)
    (waiting,) = restored.post.waiting()
    with pytest.raises(RecordRolledBack):
        restored.post.begin(waiting, VIEW)
    through = take_over(restored.store, SIGN)
    found = verify(restored.store)
    assert (found.finding, found.doubt) == (None, None)
    assert f"records 1 to {through}" in found.notes[0] and "Ada" in found.notes[0]
    assert restored.post.waiting() == ()
    assert restored.reviews.of_ticket("T1") is not None  # a person is called
    sealed_by = [e for e in restored.history.house_timeline() if e.kind is Kind.RECORD_SEALED]
    assert [(e.actor, e.body.json()) for e in sealed_by if e.body] == [("Ada", {"reason": SIGN.reason})]


def test_a_lost_key_is_replaced_by_a_person(scene: Scene) -> None:
    scene.receive()
    scene.store.close()
    key = beside(scene.path).key_file
    assert key is not None
    key.unlink()
    store = open_store(scene.path)
    take_over(store, SIGN)
    assert key.exists()
    Intake(store).receive(message(key="m2"))
    assert (verify(store).records, verify(store).finding) == (3, None)
