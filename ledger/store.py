"""The store: one database, its read and write transactions, its clock and its ids."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError, ProgrammingError

from ledger.errors import LedgerError, NestedWrite, StoreBroken, StoreBusy, StoreTooNew
from ledger.sealed import keyring as keys
from ledger.sealed.keyring import Keyring
from ledger.sealed.sealing import Chain, Sealing, sealing_of
from ledger.tables import HEAD_REVISION

BUSY_MILLISECONDS = 5000
"""How long SQLite waits for a lock before we say ``StoreBusy``."""


def utc_now() -> datetime:
    """The machine's clock, aware, in UTC."""
    return datetime.now(UTC)


def random_id() -> str:
    """32 random hex digits."""
    return uuid.uuid4().hex


class Store:
    """One open database. Safe to share between threads; open it anew in each process."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime], ids: Callable[[], str], keyring: Keyring) -> None:
        """For ``open_store``, which also brings the schema up to date."""
        self._engine = engine
        self._chain = Chain(keyring)
        self._clock = clock
        self._ids = ids
        self._writing = threading.local()

    def now(self) -> datetime:
        """The injected clock's moment, in UTC; ValueError where the clock gives no time zone."""
        moment = self._clock()
        if moment.tzinfo is None:
            raise ValueError("the ledger's clock must give aware moments")
        return moment.astimezone(UTC)

    def new_id(self) -> str:
        """A fresh id from the injected source."""
        return self._ids()

    @property
    def keyring(self) -> Keyring:
        """Where the key and the anchor of this ledger's chain are."""
        return self._chain.keyring

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One consistent view of the store; whatever is written through it is rolled back.

        StoreBusy where the database stayed locked, StoreBroken where it cannot be read.
        """
        with _named_errors(), self._engine.connect() as conn, conn.begin() as transaction:
            _begin(conn, None)
            yield conn
            transaction.rollback()

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Connection]:
        """One write transaction: all of the block, or nothing of it where it raises.

        It takes the write lock before its first read, so that what it reads is still true when it commits.
        ``durable`` waits for the disk: for what came in from outside, and for what is about to leave.
        Without it a power cut (not a crash of ours) may lose the last moments. NestedWrite inside another
        write of the same thread; StoreBusy and StoreBroken as ``read``.
        """
        if getattr(self._writing, "now", False):
            raise NestedWrite("finish the outer write first: this one would wait for it")
        self._writing.now = True
        try:
            with _named_errors(), self._engine.connect() as conn:
                seals = Sealing(conn, self._chain, durable, self.now)
                conn.execution_options(lanewise_write="durable" if durable else "quick", lanewise_seals=seals)
                with conn.begin():
                    _begin(conn, "FULL" if durable else "NORMAL")
                    yield conn
                    seals.finish()
            # Only now: an anchor must never know of more than the disk holds.
            seals.anchor()
        finally:
            self._writing.now = False

    def forget_erased(self) -> None:
        """Clears SQLite's write-ahead file, where a copy of an erased text may still stand. May be skipped
        by SQLite while another process reads; the next checkpoint then does it."""
        if self._engine.dialect.name == "sqlite":
            with _named_errors(), self._engine.connect() as conn:
                # A pragma of this kind must run outside any transaction, so the driver is asked directly.
                raw = conn.connection.driver_connection
                assert raw is not None
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()

    def close(self) -> None:
        """Anchors what is not anchored yet, and closes all connections; the store can be opened again by ``open_store``."""
        if self._chain.behind:
            # What cannot be anchored now is covered by the next durable write.
            with suppress(LedgerError), self.write(durable=True) as conn:
                sealing_of(conn).settle()
        self._engine.dispose()


def open_store(
    url: str | Path,
    *,
    clock: Callable[[], datetime] = utc_now,
    ids: Callable[[], str] = random_id,
    key_file: Path | None = None,
    anchor_file: Path | None = None,
) -> Store:
    """Opens the store at a SQLAlchemy URL (``sqlite:///…``) or at a file path, and migrates it where needed.

    A new file becomes an empty store. Any number of processes may open one store at once: one migrates, the
    others wait. StoreBroken where the place cannot be used, StoreTooNew where a later Lanewise wrote it.

    The chain's key is ``LANEWISE_CHAIN_KEY`` in the environment, else ``key_file``, which is made with the first event;
    the anchor is ``anchor_file``. Both default to files beside a SQLite ledger. A database of another kind has no
    default: without a key it is opened for reading, and a write raises NoChainKey. Reading needs no key.
    """
    place = str(url) if "://" in str(url) else f"sqlite:///{url}"
    try:
        _make_for_owner_alone(file_of(place))
        engine = _engine(place)
        keyring = _keyring(place, key_file, anchor_file)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise StoreBroken(f"{place!r} is not a database this Lanewise can open: {error}") from error
    store = Store(engine, clock, ids, keyring)
    try:
        with store.read() as conn:
            found = stored_revision(conn)
        if found != HEAD_REVISION:
            with store.write(durable=True) as conn:
                _migrate(conn, store)
    except BaseException:
        store.close()
        raise
    return store


def file_of(url: str) -> Path | None:
    """The file of a SQLite store; None for one in memory, and for a database of another kind. ArgumentError."""
    parts = make_url(url)
    name = parts.database or ""
    if parts.get_backend_name() != "sqlite" or not name or name == ":memory:" or name.startswith("file:"):
        return None
    return Path(name)


def open_to_others(file: Path) -> str | None:
    """A warning where others than the owner may read the ledger's file, or those that SQLite keeps beside it."""
    beside = (file.with_name(file.name + end) for end in ("", "-wal", "-shm"))
    loose = [f"{one.name} (mode {mode:o})" for one in beside if one.exists() and (mode := _mode(one)) & 0o077]
    if not loose:
        return None
    names = " ".join(one.partition(" ")[0] for one in loose)
    return f"the ledger in {file.parent} can be read by others: {', '.join(loose)}. Run chmod 600 {names} there"


def _mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def _make_for_owner_alone(file: Path | None) -> None:
    """A new file that only its owner reads; what SQLite puts beside it gets the same mode. One that is there stays as it
    is."""
    # What cannot be made here is named by the database itself.
    with suppress(OSError):
        if file is not None:
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def stored_revision(conn: Connection) -> str | None:
    """The schema revision the store was last brought to; None for an empty database."""
    if not inspect(conn).has_table("alembic_version"):
        return None
    return conn.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _keyring(url: str, key_file: Path | None, anchor_file: Path | None) -> Keyring:
    parts = make_url(url)
    if parts.get_backend_name() != "sqlite":
        return Keyring(key_file, anchor_file)
    if parts.database in (None, "", ":memory:"):
        return Keyring(None, None, passing=True)
    default = keys.beside(Path(str(parts.database)))
    return Keyring(key_file or default.key_file, anchor_file or default.anchor_file)


def _migrate(conn: Connection, store: Store) -> None:
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(491284)"))
    if stored_revision(conn) == HEAD_REVISION:  # another process was first
        return
    # Imported here: alembic takes longer to load than a whole ticket takes to run.
    from ledger.migrations import UnknownRevision, upgrade

    try:
        upgrade(conn)
    except UnknownRevision as error:
        raise StoreTooNew(
            f"the store is at schema {stored_revision(conn)}, which this Lanewise (schema {HEAD_REVISION}) does "
            "not know. Run the version that wrote it, or a later one."
        ) from error
    if conn.execute(text("SELECT 1 FROM events LIMIT 1")).first() is not None:
        from ledger.resealing import seal_old_records

        seal_old_records(conn, store.keyring, store.now())


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, isolation_level="SERIALIZABLE", hide_parameters=True)
    # The driver's own habit of beginning late is switched off: a SELECT would run outside the transaction.
    # Nothing is left to undo when a connection goes back: each of our transactions ends where its block ends.
    # Parameters are a customer's words: an error that quotes its statement goes to the log without them.
    engine = create_engine(url, connect_args={"isolation_level": None}, pool_reset_on_return=None, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _prepare(raw: sqlite3.Connection, _record: Any) -> None:
        for pragma in (
            f"busy_timeout={BUSY_MILLISECONDS}",
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            "secure_delete=ON",  # an erased body's bytes are overwritten, not only unlinked
        ):
            raw.execute(f"PRAGMA {pragma}").close()

    return engine


def _begin(conn: Connection, synchronous: str | None) -> None:
    """Begins SQLite's own transaction: to write, at that pragma of safety, or with None to read.

    Not by SQLAlchemy's hook for it: an engine with such a hook asks for hooks at every statement. And of the driver
    itself, for through SQLAlchemy these few words cost more than all else of a small transaction.
    """
    if conn.dialect.name != "sqlite":
        return
    raw = conn.connection.driver_connection
    assert raw is not None
    try:
        if synchronous is not None and conn.info.get("synchronous", "NORMAL") != synchronous:
            raw.execute(f"PRAGMA synchronous={synchronous}").close()
            conn.info["synchronous"] = synchronous
        raw.execute("BEGIN" if synchronous is None else "BEGIN IMMEDIATE").close()
    except sqlite3.Error as error:
        raise _named(error) from error


@contextmanager
def _named_errors() -> Iterator[None]:
    """Drivers' errors by our names; a broken constraint is a mistake of ours and keeps its own."""
    try:
        yield
    except (IntegrityError, ProgrammingError):
        raise
    except DBAPIError as error:
        raise _named(error.orig) from error


def _named(error: BaseException | None) -> StoreBusy | StoreBroken:
    if _is_lock(error):
        return StoreBusy(f"the store stayed locked for {BUSY_MILLISECONDS / 1000:g} s; try again")
    return StoreBroken(f"the store cannot be used: {error}")


def _is_lock(error: BaseException | None) -> bool:
    if isinstance(error, sqlite3.OperationalError):
        # The low byte is the primary code; extended codes say which kind of busy. Text that is no UTF-8 has no code.
        return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    # Postgres: serialisation failure, deadlock, lock not available.
    return getattr(error, "sqlstate", None) in ("40001", "40P01", "55P03")
