"""The store: migrations, transactions, locks."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import traceback
from datetime import datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from ledger_scene import Clock, Scene
from sqlalchemy import create_engine, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from ledger import migrations, store
from ledger.errors import NestedWrite, StoreBroken, StoreBusy, StoreTooNew
from ledger.store import open_store, stored_revision
from ledger.tables import HEAD_REVISION, metadata


def test_the_head_revision_is_the_newest_migration() -> None:
    assert migrations.revisions()[-1] == HEAD_REVISION


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(scene: Scene) -> None:
    with scene.store.read() as conn:
        differences = compare_metadata(MigrationContext.configure(conn), metadata)
    assert differences == []


@pytest.mark.parametrize("revision", migrations.revisions())
def test_a_store_of_any_earlier_revision_opens(tmp_path: Path, revision: str) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'old.db'}")
    with engine.begin() as conn:
        migrations.upgrade(conn, revision)
    engine.dispose()
    opened = open_store(tmp_path / "old.db")
    with opened.read() as conn:
        assert stored_revision(conn) == HEAD_REVISION
    opened.close()


def test_a_store_of_a_later_lanewise_is_refused_and_left_alone(scene: Scene) -> None:
    with scene.store.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = 'r9999'"))
    with pytest.raises(StoreTooNew, match="r9999"):
        open_store(scene.path)


def test_opening_a_store_that_is_up_to_date_loads_no_alembic(scene: Scene) -> None:
    code = f"import sys; from ledger.store import open_store; open_store({str(scene.path)!r}); print('alembic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_many_may_open_a_new_store_at_once(tmp_path: Path) -> None:
    code = (
        "from ledger.store import open_store; from ledger.intake import Intake, IncomingMessage as M\n"
        f"s = open_store({str(tmp_path / 'new.db')!r})\n"
        "Intake(s).receive(M('T', 'm', 'c', 's', 'e', 'n', True, None, 'r', 'text'))"
    )
    started = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(3)]
    assert [(p.wait(), p.communicate()[1]) for p in started] == [(0, b"")] * 3


def test_a_new_ledger_and_what_sqlite_puts_beside_it_are_read_by_their_owner_alone(tmp_path: Path) -> None:
    file, before = tmp_path / "ledger.sqlite3", os.umask(0o022)
    try:
        made = open_store(file)
        with made.write() as conn:
            conn.execute(text("CREATE TABLE more (n INTEGER)"))
        found = {f.name: stat.S_IMODE(f.stat().st_mode) for f in tmp_path.glob("ledger.sqlite3*")}
        made.close()
    finally:
        os.umask(before)
    assert found == dict.fromkeys(("ledger.sqlite3", "ledger.sqlite3-wal", "ledger.sqlite3-shm"), 0o600)
    assert store.open_to_others(file) is None


def test_a_ledger_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite3"
    open_store(file).close()
    file.chmod(0o640)
    open_store(file).close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert "ledger.sqlite3 (mode 640)" in str(store.open_to_others(file))


def test_a_place_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is not a database, it is a longer piece of prose " * 50)
    with pytest.raises(StoreBroken):
        open_store(tmp_path / "text.db")
    with pytest.raises(StoreBroken):
        open_store(tmp_path / "no such folder" / "ledger.db")
    with pytest.raises(StoreBroken):
        open_store("nosuchdatabase://here")


def test_a_write_that_raises_leaves_nothing(scene: Scene) -> None:
    def fail_halfway() -> None:
        with scene.store.write() as conn:
            conn.execute(text("INSERT INTO leases VALUES ('T', 'h', 't', 'x')"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    with scene.store.read() as conn:
        assert conn.execute(text("SELECT count(*) FROM leases")).scalar_one() == 0


def test_what_is_written_through_a_read_is_dropped(scene: Scene) -> None:
    with scene.store.read() as conn:
        conn.execute(text("INSERT INTO leases VALUES ('T', 'h', 't', 'x')"))
    with scene.store.read() as conn:
        assert conn.execute(text("SELECT count(*) FROM leases")).scalar_one() == 0


def test_a_write_inside_a_write_is_refused_at_once(scene: Scene) -> None:
    with scene.store.write(), pytest.raises(NestedWrite), scene.store.write():
        pass
    with scene.store.write():
        pass  # and the thread may write again


def test_a_durable_write_waits_for_the_disk_and_a_quick_one_after_it_does_not(scene: Scene) -> None:
    levels = []
    for durable in (False, True, False, True):
        with scene.store.write(durable=durable) as conn:
            levels.append(conn.execute(text("PRAGMA synchronous")).scalar_one())
    assert levels == [1, 2, 1, 2]  # NORMAL, FULL, NORMAL, FULL


def test_what_a_write_has_read_cannot_change_before_it_commits(scene: Scene) -> None:
    order: list[str] = []
    inside, waiting = threading.Event(), threading.Event()

    def other() -> None:
        inside.wait(5)
        waiting.set()
        with scene.store.write() as conn:
            order.append("other")
            conn.execute(text("DELETE FROM leases"))

    thread = threading.Thread(target=other)
    thread.start()
    with scene.store.write() as conn:
        conn.execute(text("SELECT count(*) FROM leases"))
        inside.set()
        waiting.wait(5)
        thread.join(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "other"]


def test_a_locked_database_is_busy_and_not_broken(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BUSY_MILLISECONDS", 20)
    impatient = open_store(scene.path)
    with scene.store.write(), pytest.raises(StoreBusy), impatient.write():
        pass
    impatient.close()


def test_an_error_of_the_database_does_not_quote_what_was_to_be_written(scene: Scene) -> None:
    with pytest.raises(StoreBroken) as found, scene.store.write() as conn:
        conn.execute(text("INSERT INTO nowhere VALUES (:words)"), {"words": f"my card is {4000 + 111}"})
    said = "".join(traceback.format_exception(found.value))
    assert "nowhere" in said and "4111" not in said


def test_the_clock_must_know_its_time_zone(tmp_path: Path) -> None:
    naive = open_store(tmp_path / "a.db", clock=lambda: datetime(2026, 11, 2))
    with pytest.raises(ValueError, match="aware"):
        naive.now()
    naive.close()


def test_every_table_is_one_that_postgres_takes() -> None:
    for table in metadata.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=postgresql.dialect()))


def test_two_stores_on_one_file_see_the_same(scene: Scene) -> None:
    other = open_store(scene.path, clock=Clock())
    scene.receive()
    with other.read() as conn:
        assert conn.execute(text("SELECT count(*) FROM events")).scalar_one() == 1
    other.close()
