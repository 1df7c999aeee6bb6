"""Each assigned lane with its signals as numbers: made from the events once, read by back-tests many times."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert, select, update

from guards.triggers import Level, Trigger, Witness
from ledger.events import _SELECT, Event, Kind, _event, latest
from ledger.store import Store
from ledger.tables import decision_codes, events, stored_decisions

NO_SOURCE, UNVERIFIED, UNCONFIRMED, ASKS_HUMAN, ACCOUNT_NEEDED, FAILED = (1 << n for n in range(6))
_RULES = {
    "no_source": NO_SOURCE,
    "unverified_requester": UNVERIFIED | ACCOUNT_NEEDED,
    "account_not_confirmed": UNCONFIRMED | ACCOUNT_NEEDED,
    "assessor_failed": FAILED,
}
CHUNK = 32_768
"""Rows that are in memory at once."""
_BATCH = 2_000
_KINDS = [k.value for k in (Kind.TRIGGERS_ASSESSED, Kind.LANE_ASSIGNED, Kind.PERSON_DECIDED)]
_PLAIN = re.compile(r"-?\d{1,9}|True|False")
_UPTO = 0
"""Under this code stands the seq up to which events have been read. As a signal it means none."""


@dataclass(frozen=True, slots=True)
class StoredSignal:
    """A signal as a back-test knows it."""

    id: str
    trigger: Trigger
    level: Level
    by: Witness
    boundary: str
    value: str = ""
    """A fact's number or yes and no; other values may be somebody's and are not kept here."""

    def word(self) -> str:
        """As it is written down."""
        return json.dumps([self.id, self.trigger.value, int(self.level), self.by.value, self.boundary, self.value])

    @classmethod
    def read(cls, word: str) -> StoredSignal:
        """Reads what ``word`` wrote."""
        name, trigger, level, by, boundary, value = json.loads(word)
        return cls(name, Trigger(trigger), Level(level), Witness(by), boundary, value)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some decisions, column by column."""

    seqs: np.ndarray[Any, Any]
    tickets: tuple[str, ...]
    signals: np.ndarray[Any, Any]
    """The codes of all rows, one after the other; each row begins with a 0, so that none is empty."""
    starts: np.ndarray[Any, Any]
    families: np.ndarray[Any, Any]
    segments: np.ndarray[Any, Any]
    flags: np.ndarray[Any, Any]
    lanes: np.ndarray[Any, Any]
    said: np.ndarray[Any, Any]


class StoredDecisions:
    """The table, and how it is brought up to date."""

    def __init__(self, store: Store) -> None:
        """Works on one store."""
        self._store = store

    def bring_up_to_date(self) -> int:
        """Reads the events that came since; how many decisions were added."""
        added = 0
        while True:
            with self._store.write() as conn:
                filler = _Filler(conn)
                done, more = filler.fill()
            added += more
            if not done:
                return added

    def words(self) -> tuple[str, ...]:
        """What each code stands for; the place is the code."""
        with self._store.read() as conn:
            rows = conn.execute(select(decision_codes).order_by(decision_codes.c.code)).all()
        return tuple(row.word for row in rows)

    def chunks(self, size: int = CHUNK) -> Iterator[Chunk]:
        """All decisions in the order they were made, some at a time; memory does not grow with their number."""
        query = select(stored_decisions).order_by(stored_decisions.c.seq)
        with self._store.read() as conn:
            rows = conn.execution_options(stream_results=True, max_row_buffer=size).execute(query)
            while found := rows.fetchmany(size):
                yield _chunk(found)


def _chunk(rows: Any) -> Chunk:
    seqs, tickets, blobs, families, segments, flags, lanes, said = zip(*rows, strict=True)
    sizes = np.fromiter(map(len, blobs), dtype=np.int64, count=len(blobs)) // 4
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    numbers = (np.array(column, dtype=np.int64) for column in (families, segments, flags, lanes, said))
    return Chunk(np.array(seqs), tickets, np.frombuffer(b"".join(blobs), dtype="<u4"), starts, *numbers)


class _Filler:
    """One batch of events on its way into the table, inside one transaction."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        rows = conn.execute(select(decision_codes)).all()
        self.codes: dict[str, int] = {row.word: int(row.code) for row in rows if row.code != _UPTO}
        self.upto = next((int(row.word) for row in rows if row.code == _UPTO), None)
        self.fresh: list[dict[str, Any]] = []
        self.next = max([0, *self.codes.values()]) + 1
        self.assessed: dict[str, Event] = {}

    def fill(self) -> tuple[int, int]:
        """(events read, decisions added)."""
        if self.upto is None:
            self.conn.execute(insert(decision_codes).values(code=_UPTO, word="0"))
        query = _SELECT.where(events.c.seq > (self.upto or 0), events.c.kind.in_(_KINDS))
        told = [_event(row) for row in self.conn.execute(query.order_by(events.c.seq).limit(_BATCH))]
        rows: list[dict[str, Any]] = []
        for event in told:
            if event.kind is Kind.TRIGGERS_ASSESSED:
                self.assessed[event.ticket] = event
            elif event.kind is Kind.LANE_ASSIGNED:
                if (row := self._row(event)) is not None:
                    rows.append(row)
            elif (said := lane_said(event.head)) is not None:
                self._flush(rows)
                mine = stored_decisions.c.ticket_id == event.ticket
                self.conn.execute(update(stored_decisions).where(mine).values(said=said))
        added = len(rows) + self._added
        self._flush(rows)
        if self.fresh:
            self.conn.execute(insert(decision_codes), self.fresh)
        if told:
            done = update(decision_codes).where(decision_codes.c.code == _UPTO).values(word=str(told[-1].seq))
            self.conn.execute(done)
        return len(told), added

    _added = 0

    def _flush(self, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._added += len(rows)
            self.conn.execute(insert(stored_decisions), rows)
            rows.clear()

    def _code(self, word: str) -> int:
        found = self.codes.get(word)
        if found is None:
            found = self.codes[word] = self.next
            self.fresh.append({"code": found, "word": word})
            self.next += 1
        return found

    def _row(self, event: Event) -> dict[str, Any] | None:
        seen = self.assessed.pop(event.ticket, None) or latest(self.conn, event.ticket, Kind.TRIGGERS_ASSESSED)
        if seen is None or seen.seq > event.seq:
            return None
        codes = [0, *sorted({self._code(s.word()) for s in signals_of(seen)})]
        return {
            "seq": event.seq,
            "ticket_id": event.ticket,
            "signals": np.array(codes, dtype="<u4").tobytes(),
            "families": self._code(json.dumps({"families": list(event.head.get("families", []))})),
            "segment": self._code(json.dumps({"segment": str(event.head.get("segment", "unknown"))})),
            "flags": flags_of(event.head, seen.head),
            "lane": int(event.head.get("lane", 3)),
            "said": 0,
        }


def signals_of(assessed: Event) -> list[StoredSignal]:
    """The signals of an assessment; of one whose words were erased, the level of each trigger that its head has."""
    raw = assessed.body.json() if assessed.body else None
    if raw is None:
        levels = assessed.head.get("levels", {})
        kept = [(Trigger(t), Level.of(str(word))) for t, word in levels.items()]
        return [StoredSignal("erased", t, level, Witness.LAW, "") for t, level in kept if level]
    found = []
    for s in raw["signals"]:
        by, value = Witness(s["by"]), str(s.get("value", ""))
        plain = value if by is Witness.FACTS and _PLAIN.fullmatch(value) else ""
        found.append(
            StoredSignal(s["id"], Trigger(s["trigger"]), Level.of(s["level"]), by, s.get("boundary") or "", plain)
        )
    return found


def flags_of(assigned: Mapping[str, Any], assessed: Mapping[str, Any]) -> int:
    """What lane 1 lacked, as it stands in the decision's reasons and in the assessment."""
    flags = 0
    for rule in assigned.get("rules", []):
        flags |= _RULES.get(str(rule), 0)
    if assessed.get("asks_human") is True:
        flags |= ASKS_HUMAN
    if assessed.get("need") in ("record", "decision"):
        flags |= ACCOUNT_NEEDED
    return flags


def lane_said(head: Mapping[str, Any]) -> int | None:
    """The lane that a person's decision gives a ticket; None where it gives none."""
    if head.get("decision") in ("lane_changed", "lane_named"):
        return int(head["to"])
    return None
