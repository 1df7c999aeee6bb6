"""Events, decisions and summaries as tables for a team's own tools: without anybody's words unless they are asked for."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, bindparam, select

from ledger.audits.verdicts import standings
from ledger.events import Kind
from ledger.scorecard.marks import names
from ledger.scorecard.showing import harmless
from ledger.scorecard.summary import COLUMNS
from ledger.tables import bodies, events, ticket_summaries
from ledger.words import canonical

PAGE = 5_000
"""Rows read at a time: memory does not grow with the ledger."""
Format: TypeAlias = Literal["csv", "parquet"]
Column: TypeAlias = Literal["text", "whole", "yes_no"]


class NoParquet(Exception):
    """Parquet was asked for, and what writes it is not installed."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One table: its name, and its columns with what they hold."""

    name: str
    columns: Mapping[str, Column]


_EVENTS: Mapping[str, Column] = {
    "seq": "whole",
    "ticket": "text",
    "kind": "text",
    "at": "text",
    "actor": "text",
    "head": "text",
    "digest": "text",
}
_DECISIONS: Mapping[str, Column] = {
    "seq": "whole",
    "ticket": "text",
    "at": "text",
    "by": "text",
    "decision": "text",
    "review": "text",
    "from": "text",
    "to": "text",
    "epoch": "whole",
    "revision": "whole",
}
_WHOLE = frozenset({"first_lane", "lane", "edited", "read_seconds", "marks"})
_YES_NO = frozenset(
    {"by_assistant", "by_person", "late", "decided", "moved_up", "path_override", "specialist", "uncovered"}
)
_LEFT_OUT = frozenset({"customer", "draft_body", "draft_at", "looked", "asked_again", "erased"})
"""Columns that only the fold needs, and the digest that tells customers apart."""
_SUMMARIES: Mapping[str, Column] = {
    **{n: "whole" if n in _WHOLE else "yes_no" if n in _YES_NO else "text" for n in COLUMNS if n not in _LEFT_OUT},
    "wrote_again": "yes_no",
    "is": "text",
}


def export(
    conn: Connection, folder: Path, format: Format, *, words: bool = False, now: datetime | None = None
) -> dict[str, int]:
    """Writes ``events``, ``decisions`` and ``summaries`` into a folder, and returns how many rows each has.

    With ``words`` events and decisions hold what people wrote, as far as it is not erased. Of an audit's verdict on which
    another is still to come by ``now`` (where none is named, the moment of the last event) only the audit's name is
    told. A file that is there already is written anew. NoParquet; OSError where the folder cannot be written.
    """
    text: Mapping[str, Column] = {"words": "text"} if words else {}
    reason: Mapping[str, Column] = {"reason": "text"} if words else {}
    tables = (
        (Shape("events", {**_EVENTS, **text}), _events(conn, words, now)),
        (Shape("decisions", {**_DECISIONS, **reason}), _decisions(conn, words)),
        (Shape("summaries", _SUMMARIES), _summaries(conn)),
    )
    write = _write_csv if format == "csv" else _parquet_writer()
    folder.mkdir(parents=True, exist_ok=True)
    return {shape.name: write(folder / f"{shape.name}.{format}", shape, pages) for shape, pages in tables}


# ── what stands in the tables ───────────────────────────────────────────────────────────────────────────────

Page: TypeAlias = Sequence[Sequence[Any]]

_NEXT = (
    select(events, bodies.c.text, bodies.c.digest)
    .outerjoin(bodies, bodies.c.id == events.c.body_id)
    .where(events.c.seq > bindparam("after"))
    .order_by(events.c.seq)
    .limit(PAGE)
)
_NEXT_DECISIONS = _NEXT.where(events.c.kind == Kind.PERSON_DECIDED.value)
_NEXT_SUMMARIES = (
    select(ticket_summaries)
    .where(ticket_summaries.c.ticket_id > bindparam("after"))
    .order_by(ticket_summaries.c.ticket_id)
    .limit(PAGE)
)


def _events(conn: Connection, words: bool, now: datetime | None) -> Iterator[Page]:
    blind = frozenset(s.audit.id for s in standings(conn, now) if s.open)
    for page in _pages(conn, _NEXT, -(2**62), "seq"):
        yield [[r.seq, r.ticket_id, r.kind, _at(r.at), r.actor, *_told_of(r, words, blind)] for r in page]


def _told_of(row: Any, words: bool, blind: frozenset[str]) -> list[Any]:
    """An event's head, its body's digest and, where they are asked for, its words."""
    if row.kind == Kind.AUDIT_JUDGED.value and row.head.get("audit") in blind:
        # Whoever judges next may be who reads this: nobody's verdict is told before both are given.
        return [canonical({"audit": row.head["audit"]}), None, *([None] if words else [])]
    head = row.head if words else _without_quotations(row.head)
    return [canonical(head), row.digest, *([row.text] if words else [])]


def _decisions(conn: Connection, words: bool) -> Iterator[Page]:
    for page in _pages(conn, _NEXT_DECISIONS, -(2**62), "seq"):
        yield [
            [
                r.seq,
                r.ticket_id,
                _at(r.at),
                r.actor,
                *(_told(r.head.get(name)) for name in ("decision", "review", "from", "to")),
                r.head.get("epoch"),
                r.head.get("revision"),
                *([r.text] if words else []),
            ]
            for r in page
        ]


def _summaries(conn: Connection) -> Iterator[Page]:
    kept = [name for name in COLUMNS if name not in _LEFT_OUT]
    for page in _pages(conn, _NEXT_SUMMARIES, "", "ticket_id"):
        yield [[*(_cell(name, getattr(r, name)) for name in kept), " ".join(names(r.marks))] for r in page]


def _pages(conn: Connection, query: Any, after: Any, by: str) -> Iterator[Sequence[Any]]:
    while page := conn.execute(query, {"after": after}).all():
        yield page
        after = getattr(page[-1], by)


def _cell(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return _at(value)
    return bool(value) if _SUMMARIES[name] == "yes_no" else value


def _without_quotations(head: Mapping[str, Any]) -> dict[str, Any]:
    # Heads hold names and codes; a refusal's reason or an error may quote what somebody wrote.
    return {name: value for name, value in head.items() if name not in ("what", "reason", "error")}


def _at(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")


def _told(value: object) -> str | None:
    return None if value is None else str(value)


# ── how they are written ────────────────────────────────────────────────────────────────────────────────────


def _write_csv(file: Path, shape: Shape, pages: Iterator[Page]) -> int:
    written = 0
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(shape.columns)
        for page in pages:
            writer.writerows([[harmless(c) if isinstance(c, str) else c for c in row] for row in page])
            written += len(page)
    return written


def _parquet_writer() -> Any:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise NoParquet(
            "Parquet needs pyarrow, which is not installed. Install lanewise[parquet], or export with --format csv."
        ) from error
    of = {"text": pyarrow.string(), "whole": pyarrow.int64(), "yes_no": pyarrow.bool_()}

    def write(file: Path, shape: Shape, pages: Iterator[Page]) -> int:
        schema = pyarrow.schema([(name, of[kind]) for name, kind in shape.columns.items()])
        written = 0
        with parquet.ParquetWriter(file, schema) as writer:
            for page in pages:
                columns = [
                    pyarrow.array(column, type=field.type)
                    for column, field in zip(zip(*page, strict=True), schema, strict=True)
                ]
                writer.write_table(pyarrow.Table.from_arrays(columns, schema=schema))
                written += len(page)
        return written

    return write
