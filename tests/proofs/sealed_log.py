"""A small real log: three tickets through the machine, letters out, an erasure, a halt; with a copy after each write."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent_scene import AUDIT_LOG, DISCOUNT, REFUND, Clock, Scene, filled, open_scene
from sqlalchemy import Connection, create_engine, text

from agent.release_in_force import release_view
from guards.policy import Release
from ledger.sealed.keyring import Keyring, beside
from ledger.sealed.sealing import Sealing
from ledger.verifying.verification import Noted, Verdict, verify_by

NAME = "ledger.sqlite3"
HALTS = "billing"


async def tell_the_story(scene: Scene) -> None:
    """An answer that left, a draft that a person finished and approved, an escalation, an erasure, a halt and its end."""
    await scene.customer_writes(AUDIT_LOG, "T-1")
    scene.deliver()
    await scene.customer_writes(DISCOUNT, "T-2")
    scene.deliver()
    seen = scene.look("T-2")
    assert seen.review is not None and seen.review.draft is not None and seen.review.draft.text is not None
    words = filled(seen.review.draft.text)
    scene.people.edit_and_approve(seen.review.id, words, seen.seen, scene.sign(), release_view(scene.release))
    await scene.person_decided("T-2")
    scene.deliver()
    scene.people.erase("T-1", scene.sign())
    scene.people.halt(HALTS, scene.sign())
    scene.people.resume(HALTS, scene.sign())
    await scene.customer_writes(REFUND, "T-3")
    held = scene.look("T-3")
    scene.people.hand_back("T-3", scene.register("T-3").lane.__class__(2), held.seen, scene.sign())


@dataclass
class SealedLog:
    """The log at rest, its key and anchor beside it, and the copies that were made on the way."""

    folder: Path
    copies: dict[int, Path] = field(default_factory=dict)
    """By how many records each holds; the whole one is not among them."""

    def __post_init__(self) -> None:
        self.file = self.folder / NAME
        self.keyring: Keyring = beside(self.file)
        with closing(sqlite3.connect(self.file)) as raw:
            # What the tables refuse is no wall for whoever can write the file.
            for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                raw.execute(f"DROP TRIGGER {name}")
            raw.commit()
        self.engine = create_engine(f"sqlite:///{self.file}", connect_args={"isolation_level": None})
        self.rows: list[Any] = []
        with self.attacked() as conn:
            self.rows = list(conn.execute(text("SELECT * FROM events ORDER BY seq")))
            self.head = conn.execute(text("SELECT * FROM chain_head")).one()

    @contextmanager
    def attacked(self) -> Iterator[Connection]:
        """A connection on which anything may be done; nothing of it stays."""
        with self.engine.connect() as conn:
            # By hand: the driver begins no transaction for a CREATE or a SELECT.
            conn.exec_driver_sql("BEGIN")
            try:
                yield conn
            finally:
                conn.exec_driver_sql("ROLLBACK")

    def after(self, *deeds: str, noted: Noted | None = None, **values: Any) -> Verdict:
        """What a check says after the statements ran."""
        with self.attacked() as conn:
            for deed in deeds:
                conn.execute(text(deed), {k: v for k, v in values.items() if f":{k}" in deed})
            return verify_by(conn, self.keyring, noted)

    def of_file(self, file: Path) -> Verdict:
        """What a check says where another file stands in the ledger's place."""
        engine = create_engine(f"sqlite:///{file}")
        with engine.connect() as conn:
            found = verify_by(conn, self.keyring)
        engine.dispose()
        return found

    def column(self, sql: str) -> list[Any]:
        """The first column of a query on the untouched log."""
        with self.attacked() as conn:
            return list(conn.execute(text(sql)).scalars())


def _backup(ledger: Path, to: Path) -> None:
    """Not a plain copy of the file: what was written last may still stand beside it, in its -wal file."""
    with closing(sqlite3.connect(ledger)) as raw, closing(sqlite3.connect(to)) as copy:
        raw.backup(copy)


async def build(folder: Path, release: Release, patch: Callable[[object, str, object], None]) -> SealedLog:
    """Runs the story in a folder."""
    copies: dict[int, Path] = {}
    anchor = Sealing.anchor

    def and_copy(self: Sealing) -> None:
        anchor(self)
        with closing(sqlite3.connect(folder / NAME)) as raw:
            (count,) = raw.execute("SELECT number FROM chain_head").fetchone()
        copies[count] = folder / f"copy-{count}.sqlite3"
        _backup(folder / NAME, copies[count])

    patch(Sealing, "anchor", and_copy)
    async with open_scene(folder, release, clock=Clock()) as scene:
        await tell_the_story(scene)
    patch(Sealing, "anchor", anchor)
    copies.pop(max(copies))
    whole = folder / "whole"
    whole.mkdir()
    _backup(folder / NAME, whole / NAME)
    for name in (f"{NAME}.key", f"{NAME}.anchor"):
        shutil.copy(folder / name, whole / name)
    return SealedLog(whole, copies)
