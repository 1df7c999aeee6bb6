"""Reads the scorecard out of the summaries: one walk along one index, whatever is asked about."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, select

from ledger.intervals import wilson
from ledger.scorecard.marks import Where
from ledger.scorecard.metrics import METRICS, Metric
from ledger.scorecard.projecting import Progress, progress
from ledger.scorecard.summary import RECONTACT_WITHIN
from ledger.tables import ticket_summaries

SMALL = 30
"""Fewer tickets than this, and a rate is marked as resting on small numbers."""
SHOWN_LOSSES = 5
_SEP = "\x1f"

_t = ticket_summaries.c


class Dimension(StrEnum):
    """What figures are split by."""

    FAMILY = "family"
    TIER = "tier"
    SEGMENT = "segment"
    CONSEQUENCE = "consequence"
    RELEASE = "release"

    @property
    def column(self) -> ColumnElement[str]:
        """Where it stands in a summary."""
        return _t.policy if self is Dimension.RELEASE else _t[self.value]


@dataclass(frozen=True, slots=True)
class Period:
    """Which tickets: by the day on which the customer's first message was filed, both ends included, in UTC."""

    as_of: datetime
    """When the scorecard is read: what is younger than seven days is not ripe yet."""
    since: date | None = None
    until: date | None = None

    @property
    def ripe_until(self) -> str:
        """The last day whose answers can no longer be followed by a recontact that counts."""
        return (self.as_of - RECONTACT_WITHIN - timedelta(days=1)).date().isoformat()

    def sql(self) -> list[ColumnElement[bool]]:
        """As conditions on a summary."""
        found = [_t.opened_on != ""]
        if self.since is not None:
            found.append(_t.opened_on >= self.since.isoformat())
        if self.until is not None:
            found.append(_t.opened_on <= self.until.isoformat())
        return found


@dataclass(frozen=True, slots=True)
class Cell:
    """All tickets that are alike: same family, tier, segment, consequence and release, and the same marks."""

    of: Mapping[Dimension, str]
    marks: int
    tickets: int
    ripe: int
    latest: tuple[str, str]
    """The newest of them: its day and its id."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric for one group of tickets."""

    metric: Metric
    dimension: Dimension | None
    """None for the total."""
    group: str
    hits: int
    among: int

    @property
    def rate(self) -> float | None:
        """The share; None among none."""
        return self.hits / self.among if self.among else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's, 95 in a hundred. Tickets of one customer are no independent draws: it is the least to allow for."""
        return wilson(self.hits, self.among)

    @property
    def small(self) -> bool:
        """Whether it rests on fewer than ``SMALL`` tickets."""
        return self.among < SMALL


@dataclass(frozen=True, slots=True)
class Loss:
    """A ticket to look at, and how many are like it."""

    ticket: str
    consequence: str
    family: str
    tier: str
    alike: int


@dataclass(frozen=True, slots=True)
class Scorecard:
    """The figures of one period, of the whole and by every dimension."""

    period: Period
    progress: Progress
    tickets: int
    totals: tuple[Figure, ...]
    by: Mapping[Dimension, tuple[Figure, ...]]
    """Sorted by metric, then by how many tickets a group has."""
    losses: Mapping[str, tuple[Loss, ...]]
    """By metric id, the worst first."""
    months: Mapping[str, Mapping[str, Counter[str]]]
    """Month, then metric id: how many (``hits`` and ``among``)."""


def read_scorecard(conn: Connection, period: Period) -> Scorecard:
    """The scorecard as the summaries have it; ``projecting.catch_up`` comes first."""
    cells = read_cells(conn, period)
    return Scorecard(
        period=period,
        progress=progress(conn),
        tickets=sum(c.tickets for c in cells),
        totals=tuple(_figures(cells, None, METRICS)),
        by={d: tuple(_figures(cells, d, METRICS)) for d in Dimension},
        losses={m.id: worst(cells, m) for m in METRICS},
        months=_months(conn, period),
    )


def read_cells(conn: Connection, period: Period) -> list[Cell]:
    """Every kind of ticket that there is in the period, with how many."""
    dims = [d.column for d in Dimension]
    ripe = func.sum(case((_t.settled_on <= period.ripe_until, 1), else_=0))
    latest = func.max(_t.opened_on.concat(_SEP).concat(_t.ticket_id))
    query = select(*dims, _t.marks, func.count(), ripe, latest).where(*period.sql()).group_by(*dims, _t.marks)
    found = []
    for row in conn.execute(query):
        family, tier, segment, consequence, release, marks, tickets, ripe_ones, newest = tuple[Any, ...](row)
        of = dict(zip(Dimension, (family, tier, segment, consequence, release), strict=True))
        day, _, ticket = str(newest).partition(_SEP)
        found.append(Cell(of, marks, tickets, ripe_ones, (day, ticket)))
    return found


def _figures(cells: Sequence[Cell], by: Dimension | None, metrics: Iterable[Metric]) -> list[Figure]:
    groups: dict[str, dict[int, list[int]]] = {} if cells or by else {"": {}}
    for cell in cells:
        group = groups.setdefault("" if by is None else cell.of[by], {})
        held = group.setdefault(cell.marks, [0, 0])
        held[0] += cell.tickets
        held[1] += cell.ripe
    size = {g: sum(held[0] for held in marks.values()) for g, marks in groups.items()}
    largest = sorted(groups, key=lambda g: (-size[g], g))
    return [Figure(m, by, g, *count(groups[g], m)) for m in metrics for g in largest]


def count(marks: Mapping[int, Sequence[int]], metric: Metric, *, so_far: bool = False) -> tuple[int, int]:
    """Hits and among, over tickets by their marks: how many there are, and how many of those are ripe.

    With ``so_far`` a metric that ripens counts all of them: some of their customers may still come back.
    """
    hits = among = 0
    which = 1 if metric.ripens and not so_far else 0
    for borne, tickets in marks.items():
        if metric.among.holds(borne):
            among += tickets[which]
            if metric.counts.holds(borne):
                hits += tickets[which]
    return hits, among


def touching(conn: Connection, family: str, since: datetime, as_of: datetime) -> dict[int, tuple[int, int]]:
    """The tickets that ever touched a family and whose customer first wrote at ``since`` or later, by their marks: how
    many, and how many of those are ripe. ``projecting.catch_up`` comes first."""
    # The day is the index's; it alone would take in what was opened earlier on that day.
    asked = (_t.opened_on >= since.date().isoformat(), _t.opened_at >= since)
    ripe = func.sum(case((_t.settled_on <= Period(as_of).ripe_until, 1), else_=0))
    query = select(_t.families, _t.marks, func.count(), ripe).where(*asked).group_by(_t.families, _t.marks)
    found: dict[int, tuple[int, int]] = {}
    for families, marks, tickets, ripe_ones in (tuple[Any, ...](row) for row in conn.execute(query)):
        if family in json.loads(families):
            held = found.get(marks, (0, 0))
            found[marks] = (held[0] + tickets, held[1] + ripe_ones)
    return found


_WEIGHT: Mapping[str, int] = {"high": 0, "medium": 1, "low": 2}


def worst(cells: Sequence[Cell], metric: Metric, shown: int = SHOWN_LOSSES) -> tuple[Loss, ...]:
    """The losses of a metric: the worst consequence first, then where there are most alike; the newest of each kind."""
    alike: dict[tuple[str, str, str], list[Cell]] = defaultdict(list)
    lost = {marks for marks in {c.marks for c in cells} if metric.losses.holds(marks)}
    for cell in cells:
        if cell.marks in lost:
            key = (cell.of[Dimension.CONSEQUENCE], cell.of[Dimension.FAMILY], cell.of[Dimension.TIER])
            alike[key].append(cell)
    found = [Loss(max(c.latest for c in same)[1], *key, sum(c.tickets for c in same)) for key, same in alike.items()]
    ranked = sorted(found, key=lambda x: (_WEIGHT.get(x.consequence, 3), -x.alike, x.family, x.tier))
    return tuple(ranked[:shown])


# ── over time ───────────────────────────────────────────────────────────────────────────────────────────────


def _months(conn: Connection, period: Period) -> dict[str, dict[str, Counter[str]]]:
    # Counted by day first, which is the index's own order: only then is there little left to sort.
    days = select(_t.opened_on, _t.family, _t.marks, func.count().label("tickets")).where(*period.sql())
    daily = days.group_by(_t.opened_on, _t.family, _t.marks).subquery().c
    month_of = func.substr(daily.opened_on, 1, 7)
    # Told apart by the day they came and not by their last answer, which this index does not hold: a little stricter.
    ripe = func.sum(case((daily.opened_on <= period.ripe_until, daily.tickets), else_=0))
    by_month: dict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
    query = select(month_of, daily.marks, func.sum(daily.tickets), ripe).group_by(month_of, daily.marks)
    for on, marks, tickets, ripe_ones in (tuple[Any, ...](row) for row in conn.execute(query)):
        by_month[str(on)][int(marks)] = (int(tickets), int(ripe_ones))
    found: dict[str, dict[str, Counter[str]]] = {}
    for month in sorted(by_month):
        counted = {metric.id: count(by_month[month], metric) for metric in METRICS}
        found[month] = {id: Counter(hits=hits, among=among) for id, (hits, among) in counted.items()}
    return found


# ── the tickets behind a figure ─────────────────────────────────────────────────────────────────────────────


class Part(StrEnum):
    """Which tickets of a figure."""

    HITS = "hits"
    AMONG = "among"
    LOSSES = "losses"


_PARTS: Mapping[Part, Callable[[Metric], Where]] = {
    Part.HITS: lambda m: m.numerator,
    Part.AMONG: lambda m: m.among,
    Part.LOSSES: lambda m: m.losses,
}


def tickets_of(
    conn: Connection,
    metric: Metric,
    period: Period,
    part: Part = Part.HITS,
    of: Mapping[Dimension, str] | None = None,
    *,
    limit: int | None = None,
) -> tuple[str, ...]:
    """The tickets that a figure counts, the newest first: of the total, or of groups that are named."""
    where = counted(metric, period, part, of)
    query = select(_t.ticket_id).where(*where).order_by(_t.opened_on.desc(), _t.ticket_id.desc()).limit(limit)
    return tuple(conn.execute(query).scalars())


def counted(
    metric: Metric,
    period: Period,
    part: Part = Part.HITS,
    of: Mapping[Dimension, str] | None = None,
    month: str = "",
) -> list[ColumnElement[bool]]:
    """Which summaries a figure counts, as conditions. ``month`` (2026-03): as the figures over time count that month."""
    where = [*period.sql(), _PARTS[part](metric).sql(_t.marks)]
    where += [dimension.column == group for dimension, group in (of or {}).items()]
    if month:
        where.append(func.substr(_t.opened_on, 1, 7) == month)
    if metric.ripens and part is not Part.LOSSES:
        where.append((_t.opened_on if month else _t.settled_on) <= period.ripe_until)
    return where
