"""The made-up history by the million: each life is driven once through the real machine, and then told again of others.

A life that was driven leaves its rows in a scratch ledger in which every number, id, name and moment of its own can be told
from all else. Told again, these are replaced and nothing else is; a test shows that the same stories, driven, leave the
same events.
"""

from __future__ import annotations

import heapq
import itertools
import json
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import Connection, func, insert, select, text, update
from sqlalchemy.schema import Table

from desk.made_up.history import MadeUpClock, drive, pin_made_up_articles
from desk.made_up.lives import Life, Story
from guards.policy import Release
from ledger.appending import Appending
from ledger.events import HOUSE, Kind
from ledger.store import Store, open_store
from ledger.tables import approvals, bodies, chain_head, events, inbox, instant_text, openings, outbox, registers
from ledger.tables import reviews as reviews_table
from ledger.tables import tickets as tickets_table
from ledger.words import canonical, digest_of

_SEQS, _BODIES, _OPENINGS = 4_000_000_000, 5_000_000_000, 6_000_000_000
"""Where the scratch ledger's numbers begin: each is known again wherever it stands."""
_ID = "1dea"
_SPECIMEN = "M-specimen"
_NAME = "Specimen"
_MAIL = "specimen@customers.example"
_MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?(?:\+00:00|Z)"
_TOKEN = re.compile(
    rf"(?P<seq>4000\d{{6}})|(?P<body>5000\d{{6}})|(?P<opening>6000\d{{6}})|(?P<id>{_ID}[0-9a-f]{{28}})"
    rf"|(?P<digest>[0-9a-f]{{64}})|(?P<moment>{_MOMENT})|(?P<mail>{re.escape(_MAIL)})"
    rf"|(?P<ticket>{_SPECIMEN}-\d{{5}})|(?P<name>{_NAME})"
)
_STATE: tuple[Table, ...] = (tickets_table, registers, openings, reviews_table, approvals, outbox, inbox)
"""What changes and is derived from events, as it stood when the life was over; in the order of their references."""
_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "approved": ("review", "digest"),
    "edited_and_approved": ("review", "digest"),
    "rejected": ("review",),
    "answered": ("digest",),
    "lane_changed": ("to",),
    "routed": ("review", "to"),
    "packet_rated": ("review", "rating"),
}
"""What a decision's print is made of (``ledger.deciding``), besides who and what."""

Piece: TypeAlias = "str | tuple[str, str]"
Told: TypeAlias = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """One event of a driven life."""

    after: timedelta
    kind: Kind
    key: Told
    actor: str
    head: Told
    body: int | None


@dataclass(frozen=True, slots=True)
class Specimen:
    """A life as it was driven: its events, its texts, and the rows that were left."""

    started: datetime
    events: tuple[Pattern, ...]
    texts: Mapping[int, Told]
    """By the scratch ledger's body id."""
    digests: Mapping[str, int]
    """Which body a digest is of."""
    seqs: tuple[int, ...]
    rows: tuple[tuple[Table, tuple[tuple[str, Any], ...]], ...]
    """Each with its values; strings are cut at what is the specimen's own."""


def cut(said: str) -> Told:
    """A text at each place where something of the specimen's own stands."""
    found: list[Piece] = []
    end = 0
    for match in _TOKEN.finditer(said):
        if match.start() > end:
            found.append(said[end : match.start()])
        found.append((str(match.lastgroup), match[0]))
        end = match.end()
    if end < len(said):
        found.append(said[end:])
    return tuple(found)


# ── driving each life once ──────────────────────────────────────────────────────────────────────────────────


async def specimens(
    lives: Iterable[Life], release: Release, start: datetime, began: Callable[[], object] = lambda: None
) -> dict[Life, Specimen]:
    """Drives each life once, in a scratch ledger, one after the other; ``began`` is called at the start of each."""
    wanted = list(dict.fromkeys(lives))
    with tempfile.TemporaryDirectory() as folder:
        clock, count = MadeUpClock(start), itertools.count()
        store = open_store(Path(folder) / "scratch.sqlite3", clock=clock, ids=lambda: f"{_ID}{next(count):028x}")
        try:
            _number_from_far(store, start)
            stories = []
            for n, life in enumerate(wanted):
                at = start + timedelta(days=30 * n)
                stories.append(Story(f"{_SPECIMEN}-{n:05d}", at, _MAIL, _NAME, life))
            await drive(store, clock, stories, [(start, release)], Path(folder) / "runs.sqlite3", began)
            with store.read() as conn:
                return {s.life: _specimen(conn, s) for s in stories}
        finally:
            store.close()


def _number_from_far(store: Store, at: datetime) -> None:
    first = {"seq": _SEQS, "ticket_id": HOUSE, "key": "~from-far", "kind": Kind.RESUMED.value, "actor": "made up"}
    with store.write() as conn:
        conn.execute(insert(events).values(**first, at=at, head={}))
        conn.execute(update(chain_head).values(seq=_SEQS))
        for name, begin in (("bodies", _BODIES), ("openings", _OPENINGS)):
            conn.execute(
                text("INSERT INTO sqlite_sequence(name, seq) VALUES (:name, :seq)"), {"name": name, "seq": begin}
            )


def _specimen(conn: Connection, story: Story) -> Specimen:
    told = conn.execute(select(events).where(events.c.ticket_id == story.ticket).order_by(events.c.seq)).all()
    kept = conn.execute(select(bodies).where(bodies.c.ticket_id == story.ticket).order_by(bodies.c.id)).all()
    return Specimen(
        started=story.at,
        events=tuple(
            Pattern(e.at - story.at, Kind(e.kind), cut(e.key), e.actor, cut(canonical(e.head)), e.body_id) for e in told
        ),
        texts={b.id: cut(b.text) for b in kept},
        digests={b.digest: b.id for b in kept},
        seqs=tuple(e.seq for e in told),
        rows=tuple(_rows(conn, story.ticket)),
    )


def _rows(conn: Connection, ticket: str) -> Iterable[tuple[Table, tuple[tuple[str, Any], ...]]]:
    for table in _STATE:
        mine = table.c.id if table is tickets_table else table.c.ticket_id
        for row in conn.execute(select(table).where(mine == ticket)).mappings():
            yield table, tuple((name, cut(value) if isinstance(value, str) else value) for name, value in row.items())


# ── telling it again ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Telling:
    """One story while it is told: what its specimen's numbers and ids are here."""

    story: Story
    specimen: Specimen
    ids: Callable[[], str]
    numbers: Callable[[str], int]
    """The next free id of a table: ``bodies``, ``openings``."""
    seqs: dict[int, int] = field(default_factory=dict)
    given: dict[str, int] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    texts: dict[int, tuple[int, str, str]] = field(default_factory=dict)
    """(id, text, digest) of each body that was needed so far."""
    fresh: list[tuple[int, str, str]] = field(default_factory=list)
    """Those that nobody has written yet."""

    def say(self, pieces: Told) -> str:
        """The pieces, joined, with what is this story's own."""
        return "".join([p if isinstance(p, str) else self._own(*p) for p in pieces])

    def body(self, old: int) -> tuple[int, str, str]:
        """A body of the specimen's, as this story has it."""
        held = self.texts.get(old)
        if held is None:
            said = self.say(self.specimen.texts[old])
            held = self.texts[old] = (self.numbers("bodies"), said, digest_of(said))
            self.fresh.append(held)
        return held

    def moment(self, was: datetime) -> datetime:
        """When it is here."""
        return was + (self.story.at - self.specimen.started)

    def value(self, name: str, value: Any) -> Any:
        """A column's value."""
        if isinstance(value, tuple):
            return self.say(value)
        if isinstance(value, datetime):
            return self.moment(value)
        if isinstance(value, int) and not isinstance(value, bool) and value >= _SEQS:
            return int(self.say(cut(str(value))))
        return json.loads(self.say(cut(canonical(value)))) if isinstance(value, list | dict) else value

    def _own(self, kind: str, was: str) -> str:
        match kind:
            case "seq":
                return str(self.seqs[int(was)])
            case "body":
                return str(self.body(int(was))[0])
            case "opening":
                if was not in self.given:
                    self.given[was] = self.numbers("openings")
                return str(self.given[was])
            case "id":
                if was not in self.named:
                    self.named[was] = self.ids()
                return self.named[was]
            case "digest":
                of = self.specimen.digests.get(was)
                return was if of is None else self.body(of)[2]
            case "moment":
                return _moved(was, self.moment)
            case "mail":
                return self.story.email
            case "ticket":
                return self.story.ticket
            case _:
                return self.story.name


def _moved(was: str, moment: Callable[[datetime], datetime]) -> str:
    now = moment(datetime.fromisoformat(was)).astimezone(UTC)
    said = now.isoformat(timespec="microseconds" if "." in was else "seconds")
    return said.replace("+00:00", "Z") if was.endswith("Z") else said


def tell_again(
    store: Store,
    stories: Sequence[Story],
    releases: Sequence[tuple[datetime, Mapping[Life, Specimen]]],
    batch: int = 2_000,
    reached: Callable[[int], object] = lambda stories: None,
) -> int:
    """Writes stories into a ledger, in the order of their moments, as if they had been driven; returns how many events.

    ``releases`` are the specimens of each release, from its moment on. ``stories`` in the order of ``made_up_lives.plan``.
    ``reached`` is called after each batch of events, with how many stories have begun.
    A deed that falls into the next release is told as under the first: in a driven year it would be decided anew.
    """
    with store.read() as conn:
        counters = {
            t.name: itertools.count((conn.execute(select(func.max(t.c.id))).scalar() or 0) + 1)
            for t in (bodies, openings)
        }

    def numbers(table: str) -> int:
        return next(counters[table])

    due: list[tuple[datetime, int, int, _Telling]] = []
    waiting = written = 0
    pin_made_up_articles(store)
    while waiting < len(stories) or due:
        with store.write() as conn:
            adding, ended, added = Appending(conn), [], 0
            while (waiting < len(stories) or due) and added < batch:
                while waiting < len(stories) and (not due or stories[waiting].at <= due[0][0]):
                    story = stories[waiting]
                    told = _Telling(story, _of(releases, story), store.new_id, numbers)
                    heapq.heappush(due, (story.at + told.specimen.events[0].after, waiting, 0, told))
                    waiting += 1
                at, which, n, telling = heapq.heappop(due)
                _add(adding, telling, n, at)
                added += 1
                if n + 1 < len(telling.specimen.events):
                    after = telling.specimen.events[n + 1].after
                    heapq.heappush(due, (telling.story.at + after, which, n + 1, telling))
                else:
                    ended.append(telling)
            for telling in ended:
                _write_bodies(adding, telling, all_=True)
            adding.flush()
            _write_state(conn, ended)
            written += added
        reached(waiting)
    return written


def _of(releases: Sequence[tuple[datetime, Mapping[Life, Specimen]]], story: Story) -> Specimen:
    return next(found for since, found in reversed(releases) if story.at >= since)[story.life]


def _add(adding: Appending, telling: _Telling, n: int, at: datetime) -> None:
    pattern, story = telling.specimen.events[n], telling.story
    body = None
    if pattern.body is not None:
        number, _, digest = telling.body(pattern.body)
        body = (number, digest)
    head = telling.say(pattern.head)
    if pattern.kind is Kind.PERSON_DECIDED:
        head = _signed(head, pattern.actor)
    key = telling.say(pattern.key)
    _write_bodies(adding, telling)
    seq = adding.event(story.ticket, key, pattern.kind, instant_text(at), pattern.actor, head, body)
    telling.seqs[telling.specimen.seqs[n]] = seq


def _signed(head: str, by: str) -> str:
    told = json.loads(head)
    kind = told["decision"]
    args = {name: told[name] for name in _ARGUMENTS[kind]}
    return canonical({**told, "print": digest_of(canonical({"by": by, "kind": kind, "args": args}))})


def _write_bodies(adding: Appending, telling: _Telling, *, all_: bool = False) -> None:
    if all_:
        for old in telling.specimen.texts:
            telling.body(old)
    for number, said, digest in telling.fresh:
        adding.body(number, telling.story.ticket, said, digest)
    telling.fresh.clear()


def _write_state(conn: Connection, ended: Sequence[_Telling]) -> None:
    rows: dict[str, list[dict[str, Any]]] = {table.name: [] for table in _STATE}
    for telling in ended:
        for table, values in telling.specimen.rows:
            rows[table.name].append({name: telling.value(name, value) for name, value in values})
    for table in _STATE:
        if rows[table.name]:
            conn.execute(insert(table), rows[table.name])
