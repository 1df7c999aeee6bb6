"""The view of the ledger for the room that carries changes out: what waits, whether it may run now, what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, update

from guards.gate import Refusal
from ledger import changes, reviews
from ledger.changes import Change, ChangeState
from ledger.errors import WrongState
from ledger.events import Entry, Kind, Record, append, by_key, not_before, own_key
from ledger.moment import ReleaseView
from ledger.store import Store
from ledger.tables import openings
from ledger.words import keepable, outsiders_error

ACTOR = "change room"
"""The actor of everything that is written here."""


@dataclass(frozen=True, slots=True)
class Running:
    """A change that the ledger has let go; ask for exactly this, once, with the key as idempotency key."""

    key: str
    ticket: str
    action: str
    arguments: Mapping[str, Any]
    approved_by: str
    """The person under whose name it is carried out."""


class ChangeLedger:
    """The change room's hand in the ledger: intent -> running -> done, failed or unknown; or refused.

    It cannot order a change: only a person's decision (``PeopleLedger.approve_change``) puts one here.
    """

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        """Works on one store."""
        self._store = store

    def waiting(self) -> tuple[str, ...]:
        """The keys of the changes that may be begun, in the order they were ordered."""
        with self._store.read() as conn:
            return tuple(c.key for c in changes.in_state(conn, ChangeState.INTENT))

    def change(self, key: str) -> Change:
        """The change and its state. UnknownChange."""
        with self._store.read() as conn:
            return changes.get(conn, key)

    def changes(self, ticket: str) -> tuple[Change, ...]:
        """The ticket's changes, in the order they were ordered."""
        with self._store.read() as conn:
            return changes.changes_of(conn, ticket)

    def unknowns(self) -> tuple[Change, ...]:
        """The changes of which nobody knows whether they were made: for a person to look at."""
        with self._store.read() as conn:
            return changes.in_state(conn, ChangeState.UNKNOWN)

    def begin(self, key: str, view: ReleaseView) -> Running | Refusal:
        """The moment of effect: may this change be carried out now? One durable transaction re-reads everything.

        It is the point of no return, as for letters. A change whose order died becomes ``refused``, is recorded as
        such, and calls a person. One that was begun before is refused here without a record (rule ``state``).
        UnknownChange.
        """
        with self._store.write(durable=True) as conn:
            now = self._store.now()
            held = changes.get(conn, key)
            if held.state is not ChangeState.INTENT:
                return Refusal(f"carry out {held.action}", "state", f"it is {held.state.value} already")
            arguments = changes.judge(conn, held, view, not_before(conn, now))
            if isinstance(arguments, Refusal):
                told = changes.refuse(conn, held, arguments, at=now, actor=ACTOR)
                self._call(conn, held, "change_refused", held.decided_by, now)
                return told
            if not self._told(conn, held, Kind.CHANGE_STARTED, "started", now).first:
                before = Refusal(f"carry out {held.action}", "record", "the record holds that it was begun before")
                self._call(conn, held, "change_refused", held.decided_by, now)
                return changes.refuse(conn, held, before, at=now, actor=ACTOR)
            changes.move(conn, key, ChangeState.RUNNING, now)
            return Running(key, held.ticket, held.action, arguments, held.by)

    def done(self, key: str, reference: str = "") -> None:
        """The system has made it, and the action that was asked for is closed. Said twice, the first stands. Where a
        person has said meanwhile that it was not made, one is called, and an order that was given anew and has not
        begun is withdrawn. UnknownChange; WrongState where it was not begun."""
        with self._store.write(durable=True) as conn:
            held = self._begun(conn, key, ChangeState.DONE)
            if held is None:
                return
            now = self._store.now()
            changes.move(conn, key, ChangeState.DONE, now, reference=keepable(reference)[:300])
            # By the person's decision, which ordered the change for this very action.
            conn.execute(update(openings).where(openings.c.id == held.opening).values(state="closed"))
            seq = self._tell(conn, held, Kind.CHANGE_DONE, "done", now)
            if held.state is ChangeState.UNKNOWN:
                reviews.tell_a_person(conn, held.ticket, "change_cleared", cause=seq, at=now)
            elif held.state is ChangeState.FAILED:
                why = "the change before it was made after all"
                changes.withdraw(conn, held.ticket, why, at=now, actor=ACTOR, only=held.opening)
                self._call(conn, held, "change_cleared", seq, now)

    def failed(self, key: str, error: str) -> None:
        """The system said that it did not make it; a person is called. UnknownChange, WrongState."""
        with self._store.write(durable=True) as conn:
            self._end(conn, key, ChangeState.FAILED, Kind.CHANGE_FAILED, error)

    def unknown(self, key: str, error: str) -> None:
        """Nobody knows whether the system made it; no machine tries again, and a person is called. UnknownChange,
        WrongState."""
        with self._store.write(durable=True) as conn:
            self._end(conn, key, ChangeState.UNKNOWN, Kind.CHANGE_UNKNOWN, error)

    def recover(self, older_than: timedelta = timedelta(0)) -> tuple[str, ...]:
        """After a crash: each change that was left ``running`` so long becomes unknown. Returns their keys."""
        begun_before = self._store.now() - older_than
        with self._store.write(durable=True) as conn:
            left = changes.in_state(conn, ChangeState.RUNNING)
            if older_than:  # else all: another machine's clock may run ahead of ours
                left = tuple(c for c in left if c.changed_at <= begun_before)
            for held in left:
                error = "the room stopped between asking the system and hearing back"
                self._end(conn, held.key, ChangeState.UNKNOWN, Kind.CHANGE_UNKNOWN, error)
        return tuple(held.key for held in left)

    def _begun(self, conn: Connection, key: str, to: ChangeState) -> Change | None:
        """The change where it may go to that state; None where it is there already."""
        held = changes.get(conn, key)
        if held.state is to:
            return None
        # What a person found is not the last word: a system that answers late may have made it after they looked.
        looked = held.state is ChangeState.FAILED and by_key(conn, held.ticket, _step_key(key, "failed")) is None
        if held.state not in (ChangeState.RUNNING, ChangeState.UNKNOWN) and not looked:
            raise WrongState(f"change {key!r} is {held.state.value}: it cannot become {to.value}")
        return held

    def _end(self, conn: Connection, key: str, to: ChangeState, kind: Kind, error: str) -> None:
        held = self._begun(conn, key, to)
        if held is None:
            return
        now = self._store.now()
        changes.move(conn, key, to, now)
        cause = self._tell(conn, held, kind, to.value, now, error)
        self._call(conn, held, kind.value, cause, now)

    def _call(self, conn: Connection, held: Change, why: str, cause: int, now: datetime) -> None:
        reviews.call_a_person(conn, held.ticket, why, review_id=self._store.new_id(), cause=cause, at=now)

    def _tell(self, conn: Connection, held: Change, kind: Kind, step: str, now: datetime, error: str = "") -> int:
        return self._told(conn, held, kind, step, now, error).seq

    def _told(self, conn: Connection, held: Change, kind: Kind, step: str, now: datetime, error: str = "") -> Record:
        head = {
            "change": held.key,
            "action": held.action,
            "digest": held.arguments.digest,
            "approved_by": held.by,
            "error": outsiders_error(error),
        }
        entry = Entry(kind, _step_key(held.key, step), head)
        return append(conn, held.ticket, entry, at=now, actor=ACTOR, body=held.arguments)


def _step_key(change: str, step: str) -> str:
    return own_key(f"change/{change}/{step}")
