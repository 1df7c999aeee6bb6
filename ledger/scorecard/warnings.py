"""What the article asks to be warned of, each with an owner, its evidence, and a bound on false alarms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

import numpy as np
from sqlalchemy import ColumnElement, Connection, func, select

from guards.domains import SENSITIVE, touched
from ledger.scorecard.marks import Mark, Where
from ledger.scorecard.metrics import BY_ID, Metric
from ledger.scorecard.sequential import REFERENCE_WEEKS, Array, beside, rising
from ledger.scorecard.weekly import Row, Watch, by_article, by_family, by_queue, table, watch_of
from ledger.tables import ticket_summaries

ALARM_RATE = 0.05
"""In a calm year, the chance of even one false warning, all tests and all weeks together, is at most this."""
SHOWN = 20
"""Tickets that a warning names."""

_t = ticket_summaries.c


class Kind(StrEnum):
    """What is warned of."""

    AUTONOMY_RISING = "autonomy_rising"
    BAD_FAMILY = "bad_family"
    REPEATED_OVERRIDES = "repeated_overrides"
    WRONG_QUEUE = "wrong_queue"
    VAGUE_PACKETS = "vague_packets"
    UNANSWERED_QUESTIONS = "unanswered_questions"
    STALE_ARTICLE = "stale_article"


OWNERS: Mapping[Kind, str] = {
    Kind.AUTONOMY_RISING: "policy owner",
    Kind.BAD_FAMILY: "support leadership",
    Kind.REPEATED_OVERRIDES: "policy owner",
    Kind.WRONG_QUEUE: "support operations",
    Kind.VAGUE_PACKETS: "support operations",
    Kind.UNANSWERED_QUESTIONS: "knowledge owner",
    Kind.STALE_ARTICLE: "knowledge owner",
}
"""Who is asked where the caller names nobody better."""


class Beside(StrEnum):
    """What a warning's own tickets are compared with."""

    BEFORE = "before"
    """The same group's, in the reference weeks."""
    OTHERS = "others"
    """Those of all other groups."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Which tickets a warning counts, so that they can be looked at."""

    column: str
    """Of a summary: family, queue or source."""
    group: str
    among: Where
    counts: Where
    first: date
    last: date
    beside: Beside | None = None
    before: date | None = None
    """The first day of the reference weeks."""

    def sql(self, *, hits: bool, rest: bool = False) -> list[ColumnElement[bool]]:
        """As conditions on a summary: those that count, or those they are a share of; ``rest``: those they were compared
        with."""
        column = _t[self.column]
        before = rest and self.beside is Beside.BEFORE and self.before is not None
        since, until = (self.before, self.first - timedelta(days=1)) if before else (self.first, self.last)
        where = [column != "", _t.opened_on >= str(since), _t.opened_on <= str(until)]
        where.append(column != self.group if rest and self.beside is Beside.OTHERS else column == self.group)
        return [*where, (self.among & self.counts if hits else self.among).sql(_t.marks)]


@dataclass(frozen=True, slots=True)
class Warn:
    """One warning."""

    kind: Kind
    group: str
    """The family, queue or article."""
    words: str
    owner: str
    since: date
    """The Monday of the week at the end of which it could first be said."""
    hits: int
    among: int
    """In the group, over the weeks of the watch."""
    rest_hits: int
    rest_among: int
    """What it was compared with: its own reference weeks, or all other groups."""
    strength: float
    """How many times the wealth that an alarm takes was reached; 0 for a fact that no test was needed for."""
    tickets: tuple[str, ...]
    """The newest cases, at most ``SHOWN``."""
    counted: Counted | None = None
    """Which tickets are behind the numbers; None where nobody says."""
    about: str = ""
    """What stood out, where several are tested under one name: a metric's id, or ``review_by``."""

    @property
    def rate(self) -> float:
        """The group's share."""
        return self.hits / self.among if self.among else 0.0

    @property
    def rest_rate(self) -> float:
        """The other share."""
        return self.rest_hits / self.rest_among if self.rest_among else 0.0


@dataclass(frozen=True, slots=True)
class Reviewed:
    """An article as its owner keeps it."""

    name: str
    """Id and version, as answers name their source: ``audit-log v7``."""
    owner: str
    review_by: date | None


@dataclass(frozen=True, slots=True)
class People:
    """Who owns what; the caller knows, the ledger does not."""

    families: Mapping[str, str] = field(default_factory=dict)
    queues: Mapping[str, str] = field(default_factory=dict)
    articles: Sequence[Reviewed] = ()
    domains: Mapping[str, str] = field(default_factory=dict)
    """The domain of each family, as the release in force says."""


COMPARED = ("recontact", "late_escalation")
OVERRIDES = ("override_lane", "override_draft", "override_path")
_AUTONOMY = (Where(Mark.ASSIGNED), Where(Mark.ANSWERED_ALONE))
_UNCOVERED = (BY_ID["uncovered"].among, BY_ID["uncovered"].counts)
_BOUNCED = (BY_ID["specialist_bounce"].among, BY_ID["specialist_bounce"].counts)
_QUOTED = (Where(Mark.ANSWERED), Where(Mark.RECONTACTED))
_LOOKED_AT = Mark.ASSIGNED | Mark.ANSWERED_ALONE | Mark.UNCOVERED
for _id in (*COMPARED, *OVERRIDES):
    _LOOKED_AT |= BY_ID[_id].among.all | BY_ID[_id].counts.all
SHARE = ALARM_RATE / 6
"""Six kinds of test share the rate alike; within a kind its tests do."""


def read_warnings(conn: Connection, as_of: datetime, people: People | None = None) -> tuple[Warn, ...]:
    """What there is to be warned of by now, in the watch that is under way; ``projecting.catch_up`` comes first."""
    held = people or People()
    watch = watch_of(conn, as_of)
    if watch is None:
        return tuple(_past_review(conn, as_of, held))
    families = by_family(conn, watch, as_of, _LOOKED_AT)
    board = _Board(conn, watch, as_of, held)
    return tuple(
        sorted(
            [
                *board.autonomy(families),
                *board.bad_families(families),
                *board.overrides(families),
                *board.unanswered(families),
                *board.bounces(by_queue(conn, watch, as_of)),
                *board.articles(by_article(conn, watch, as_of)),
                *_past_review(conn, as_of, held),
            ],
            key=lambda w: (-w.strength, w.kind, w.group),
        )
    )


@dataclass(frozen=True, slots=True)
class _Board:
    """All tests over one watch."""

    conn: Connection
    watch: Watch
    as_of: datetime
    people: People

    def autonomy(self, rows: Sequence[Row]) -> Iterator[Warn]:
        """Families of money, contract, law and security in which the assistant answers more alone than it did."""
        groups = [f for f in _groups(rows) if f and touched(self.people.domains.get(f, "")) in SENSITIVE]
        words = "the assistant answers more of these alone than in the first weeks of the watch"
        yield from self._rising(Kind.AUTONOMY_RISING, groups, rows, _AUTONOMY, words)

    def unanswered(self, rows: Sequence[Row]) -> Iterator[Warn]:
        """Families with more questions that no article answers than before."""
        words = "more questions find no article that answers them than in the first weeks of the watch"
        yield from self._rising(Kind.UNANSWERED_QUESTIONS, _groups(rows), rows, _UNCOVERED, words)

    def bad_families(self, rows: Sequence[Row]) -> Iterator[Warn]:
        """Families that a healthy total hides."""
        for metric in COMPARED:
            words = f"{BY_ID[metric].title.lower()}: far more often than in all other families, which the total hides"
            yield from self._beside(Kind.BAD_FAMILY, rows, BY_ID[metric], words, len(COMPARED))

    def overrides(self, rows: Sequence[Row]) -> Iterator[Warn]:
        """Categories (a family and what was overridden in it) in which people overrule again and again."""
        for metric in OVERRIDES:
            words = f"{BY_ID[metric].title.lower()} again and again: far more often than in all other families"
            yield from self._beside(Kind.REPEATED_OVERRIDES, rows, BY_ID[metric], words, len(OVERRIDES))

    def bounces(self, rows: Sequence[Row]) -> Iterator[Warn]:
        """Queues that send on what they are sent: their packets are vague, or the taxonomy of queues is wrong."""
        for warn in self._compare(Kind.VAGUE_PACKETS, rows, _BOUNCED, "", 1, "queue"):
            to, moved, all_ = self._where_to(warn.group)
            if moved >= 0.6 * all_:
                words = f"people move {moved} of {all_} on to {to}: the taxonomy sends this queue what is {to}'s"
                yield _replaced(warn, Kind.WRONG_QUEUE, words, self.people)
            else:
                words = f"people move what it is sent on, and to many places (most, {moved} of {all_}, to {to}): packets are vague"
                yield _replaced(warn, Kind.VAGUE_PACKETS, words, self.people)

    def articles(self, rows: Sequence[Row]) -> Iterator[Warn]:
        """Articles after whose quotation customers come back."""
        words = (
            "customers come back after answers from it, far more often than after all others: it may have gone stale"
        )
        yield from self._compare(Kind.STALE_ARTICLE, rows, _QUOTED, words, 1, "source")

    # --- within ---

    def _rising(
        self, kind: Kind, groups: Sequence[str], rows: Sequence[Row], what: tuple[Where, Where], words: str
    ) -> Iterator[Warn]:
        if not groups or self.watch.weeks <= REFERENCE_WEEKS:
            return
        hits, among = table(rows, groups, self.watch, *what)
        told = rising(hits, among, SHARE / len(groups))
        for n in _alarmed(told):
            now, before = slice(REFERENCE_WEEKS, None), slice(None, REFERENCE_WEEKS)
            counts = (hits[n, now].sum(), among[n, now].sum(), hits[n, before].sum(), among[n, before].sum())
            yield self._warn(
                kind, groups[n], words, told[n], counts, what, self._counted("family", groups[n], what, True)
            )

    def _beside(self, kind: Kind, rows: Sequence[Row], metric: Metric, words: str, sharing: int) -> Iterator[Warn]:
        for warn in self._compare(kind, rows, (metric.among, metric.counts), words, sharing, "family"):
            yield replace(warn, about=metric.id)

    def _compare(
        self, kind: Kind, rows: Sequence[Row], what: tuple[Where, Where], words: str, sharing: int, column: str
    ) -> Iterator[Warn]:
        groups = _groups(rows)
        if len(groups) < 2:
            return
        hits, among = table(rows, groups, self.watch, *what)
        told = beside(hits, among, SHARE / sharing / len(groups))
        for n in _alarmed(told):
            own, total = (hits[n].sum(), among[n].sum()), (hits.sum(), among.sum())
            counts = (*own, total[0] - own[0], total[1] - own[1])
            yield self._warn(
                kind, groups[n], words, told[n], counts, what, self._counted(column, groups[n], what, False)
            )

    def _warn(
        self,
        kind: Kind,
        group: str,
        words: str,
        told: Array,
        counts: Sequence[float],
        what: tuple[Where, Where],
        counted: Counted,
    ) -> Warn:
        hits, among, rest_hits, rest_among = (int(c) for c in counts)
        column = _t[counted.column]
        where = (*self.watch.period(self.as_of).sql(), column == group, (what[0] & what[1]).sql(_t.marks))
        newest = select(_t.ticket_id).where(*where).order_by(_t.opened_on.desc(), _t.ticket_id.desc()).limit(SHOWN)
        return Warn(
            kind=kind,
            group=group,
            words=words,
            owner=_owner(kind, group, self.people),
            since=self.watch.monday(int(np.argmax(told >= 1))),
            hits=hits,
            among=among,
            rest_hits=rest_hits,
            rest_among=rest_among,
            strength=float(told.max()),
            tickets=tuple(self.conn.execute(newest).scalars()),
            counted=counted,
        )

    def _counted(self, column: str, group: str, what: tuple[Where, Where], rising: bool) -> Counted:
        # Families are counted among the tickets with a lane alone (``weekly.by_family``).
        among = Where(Mark.ASSIGNED) & what[0] if column == "family" else what[0]
        begins, last = self.watch.first, self.watch.last
        if not rising:
            return Counted(column, group, among, what[1], begins, last, Beside.OTHERS)
        return Counted(column, group, among, what[1], self.watch.monday(REFERENCE_WEEKS), last, Beside.BEFORE, begins)

    def _where_to(self, queue: str) -> tuple[str, int, int]:
        where = (
            *self.watch.period(self.as_of).sql(),
            _t.queue == queue,
            BY_ID["specialist_bounce"].numerator.sql(_t.marks),
        )
        found = self.conn.execute(select(_t.routed_to, func.count()).where(*where).group_by(_t.routed_to)).all()
        to, most = max(((str(r[0]), int(r[1])) for r in found), key=lambda f: (f[1], f[0]))
        return to, most, sum(int(r[1]) for r in found)


def _groups(rows: Iterable[Row]) -> list[str]:
    return sorted({row.group for row in rows})


def _alarmed(told: Array) -> list[int]:
    return [int(n) for n in np.flatnonzero((told >= 1).any(axis=-1))]


def _owner(kind: Kind, group: str, people: People) -> str:
    match kind:
        case Kind.WRONG_QUEUE | Kind.VAGUE_PACKETS:
            return people.queues.get(group, OWNERS[kind])
        case Kind.STALE_ARTICLE:
            return next((a.owner for a in people.articles if a.name == group and a.owner), OWNERS[kind])
        case _:
            return people.families.get(group, OWNERS[kind])


def _replaced(warn: Warn, kind: Kind, words: str, people: People) -> Warn:
    return replace(warn, kind=kind, words=words, owner=_owner(kind, warn.group, people))


def _past_review(conn: Connection, as_of: datetime, people: People) -> Iterator[Warn]:
    """Articles whose own day for a review has passed, with how many answers rested on them since: a fact, no test."""
    for article in people.articles:
        if article.review_by is None or article.review_by >= as_of.date():
            continue
        since = article.review_by.isoformat()
        where = (_t.source == article.name, _t.opened_on > since)
        quoted = conn.execute(select(_t.ticket_id).where(*where).order_by(_t.opened_on.desc())).scalars().all()
        words = f"its day for a review was {since}; {len(quoted)} answers have rested on it since"
        owner = _owner(Kind.STALE_ARTICLE, article.name, people)
        yield Warn(
            Kind.STALE_ARTICLE,
            article.name,
            words,
            owner,
            article.review_by,
            len(quoted),
            len(quoted),
            0,
            0,
            0.0,
            tuple(quoted[:SHOWN]),
            Counted("source", article.name, Where(), Where(), article.review_by + timedelta(days=1), date.max),
            "review_by",
        )
