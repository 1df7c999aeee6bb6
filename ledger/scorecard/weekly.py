"""Counts week by week, for whatever is watched: families, queues, articles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from sqlalchemy import Connection, func, select

from ledger.scorecard.marks import Mark, Where
from ledger.scorecard.reading import Period
from ledger.scorecard.sequential import REFERENCE_WEEKS, WATCH_WEEKS, Array
from ledger.scorecard.summary import RECONTACT_WITHIN
from ledger.tables import ticket_summaries

_t = ticket_summaries.c
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Watch:
    """The weeks that are looked at: a reference, and what comes after it.

    Watches are laid end to end from the ledger's first week on, so that whoever looks, and how often, looks at the same:
    a window that moved along would be a new test every week, and its bound none at all. Each watch takes the end of the
    one before as its reference.
    """

    first: date
    """A Monday."""
    weeks: int
    """How many are over by now, reference included; at most ``REFERENCE_WEEKS + WATCH_WEEKS``."""

    @property
    def last(self) -> date:
        """The last day of the last week that is over."""
        return self.first + self.weeks * _WEEK - timedelta(days=1)

    def monday(self, week: int) -> date:
        """The first day of a week."""
        return self.first + week * _WEEK

    def period(self, as_of: datetime) -> Period:
        """All of it, for finding its tickets."""
        return Period(as_of, self.first, self.last)


def watch_of(conn: Connection, as_of: datetime) -> Watch | None:
    """The watch that is under way; None before the first week is over. A week is over seven days after its last: what its
    customers and people say of its tickets by then is counted."""
    opened = conn.execute(select(func.min(_t.opened_on)).where(_t.opened_on != "")).scalar()
    if opened is None:
        return None
    day = date.fromisoformat(opened)
    first = day - timedelta(days=day.weekday())
    over = ((as_of - RECONTACT_WITHIN).date() - first).days // 7
    if over <= 0:
        return None
    done = max(0, -(-(over - REFERENCE_WEEKS) // WATCH_WEEKS) - 1) * WATCH_WEEKS
    return Watch(first + done * _WEEK, over - done)


@dataclass(frozen=True, slots=True)
class Row:
    """How many tickets of a group were opened on a day and bear exactly these marks."""

    on: str
    group: str
    marks: int
    tickets: int


def by_family(conn: Connection, watch: Watch, as_of: datetime, marks: Mark) -> list[Row]:
    """All tickets with a lane, by their issue family; only the marks that are named are told apart."""
    # Counted by day first, which is the index's own order.
    days = select(_t.opened_on, _t.family, _t.marks, func.count().label("tickets")).where(*watch.period(as_of).sql())
    daily = days.group_by(_t.opened_on, _t.family, _t.marks).subquery().c
    cols = (daily.opened_on, daily.family, daily.marks.bitwise_and(int(marks)))
    query = select(*cols, func.sum(daily.tickets)).where(Where(Mark.ASSIGNED).sql(daily.marks)).group_by(*cols)
    return [Row(on, family, borne, int(tickets)) for on, family, borne, tickets in conn.execute(query) if family]


def by_queue(conn: Connection, watch: Watch, as_of: datetime) -> list[Row]:
    """The tickets that a packet sent to a specialist, by the queue it named."""
    return _rows(conn, watch, as_of, "queue", Where(Mark.TO_SPECIALIST), Mark.TO_SPECIALIST | Mark.BOUNCED)


def by_article(conn: Connection, watch: Watch, as_of: datetime) -> list[Row]:
    """The tickets that the assistant answered, by the article that it quoted."""
    return _rows(conn, watch, as_of, "source", Where(Mark.ANSWERED), Mark.ANSWERED | Mark.RECONTACTED)


def _rows(conn: Connection, watch: Watch, as_of: datetime, column: str, where: Where, marks: Mark) -> list[Row]:
    cols = (_t.opened_on, _t[column], _t.marks.bitwise_and(int(marks)))
    asked = (*watch.period(as_of).sql(), _t[column] != "", where.sql(_t.marks))
    query = select(*cols, func.count()).where(*asked).group_by(*cols)
    return [Row(*row) for row in conn.execute(query)]


def table(rows: Iterable[Row], groups: Sequence[str], watch: Watch, among: Where, counts: Where) -> tuple[Array, Array]:
    """(hits, among), each groups x weeks."""
    place = {group: n for n, group in enumerate(groups)}
    hits, total = np.zeros((len(groups), watch.weeks)), np.zeros((len(groups), watch.weeks))
    both = among & counts
    for row in rows:
        if row.group in place and among.holds(row.marks):
            week = (date.fromisoformat(row.on) - watch.first).days // 7
            total[place[row.group], week] += row.tickets
            hits[place[row.group], week] += row.tickets if both.holds(row.marks) else 0
    return hits, total
