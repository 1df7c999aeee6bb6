"""The tickets behind a number of the scorecard, as the desk lists them: which were asked for, in words, and one page."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from sqlalchemy import Connection

from desk.accounts.people import Person
from desk.errors import DeskError
from desk.operators.inbox import OperatorInbox
from desk.scoring import Asked, audited_in, figure_of, people_of, period_of
from desk.workplace import Workplace
from ledger.scorecard.listing import Listed, TicketPage, page_among, page_where
from ledger.scorecard.projecting import catch_up
from ledger.scorecard.reading import Part, Period, counted
from ledger.scorecard.showing import NO_GROUP
from ledger.scorecard.warnings import Warn, read_warnings

_PARTS = {
    Part.HITS: "the tickets that are counted",
    Part.AMONG: "the tickets that they are a share of",
    Part.LOSSES: "the losses, to be looked at first",
}
_OF_WARNING = {
    "hits": "the tickets that are counted",
    "among": "the tickets that they are a share of",
    "rest_hits": "those counted in what it is compared with",
    "rest_among": "what it is compared with",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One number of the scorecard: a figure's, a month's, a warning's or an audit's."""

    asked: Asked
    """A figure's metric, part and groups, and the period, as ``lanewise scorecard`` has them."""
    month: str = ""
    """``2026-03``: as the picture of the figure counts that month."""
    warning: str = ""
    group: str = ""
    about: str = ""
    """A warning's kind, its group, and what stood out."""
    audited: str = ""
    """A family of the high-risk misses."""

    def address(self, page: int) -> str:
        """The same list's other page, as a query."""
        told = {
            "tickets": self.asked.tickets,
            "part": self.asked.part,
            "of": list(self.asked.of),
            "since": self.asked.since,
            "until": self.asked.until,
            "month": self.month,
            "warning": self.warning,
            "group": self.group,
            "about": self.about,
            "audited": self.audited,
        }
        return "?" + urlencode({**{k: v for k, v in told.items() if v}, "page": page}, doseq=True)


@dataclass(frozen=True, slots=True)
class Behind:
    """A list of tickets, and what it is a list of."""

    title: str
    told: str
    """Which of the number's tickets, of which groups and of which time."""
    definition: str
    tickets: TicketPage


def behind(place: Workplace, person: Person, wanted: Wanted, number: int = 1) -> Behind:
    """One page of the tickets behind a number, for one person. DeskError names what is not there.

    Of a ticket whose lane the person is to name before they see ours, the lane is not shown (0).
    """
    period = period_of(place, wanted.asked)
    catch_up(place.store)
    with place.store.read() as conn:
        if wanted.warning:
            found = _of_warning(conn, place, period, wanted, number)
        elif wanted.audited:
            found = _of_audits(conn, period, wanted, number)
        else:
            found = _of_figure(conn, period, wanted, number)
    shown = tuple(_shown(place, person, ticket) for ticket in found.tickets.tickets)
    return replace(found, tickets=replace(found.tickets, tickets=shown))


def _of_figure(conn: Connection, period: Period, wanted: Wanted, number: int) -> Behind:
    metric, part, of = figure_of(wanted.asked)
    if wanted.month and not re.fullmatch(r"\d{4}-\d\d", wanted.month):
        raise DeskError(f"there is no month {wanted.month[:20]!r}. Write it as 2026-03.")
    groups = [f"{dimension.value} {group or NO_GROUP}" for dimension, group in of.items()]
    told = ", ".join([_PARTS[part], *groups, _time(period, wanted.month)])
    tickets = page_where(conn, counted(metric, period, part, of, wanted.month), number)
    return Behind(metric.title, told, metric.definition, tickets)


def _of_warning(conn: Connection, place: Workplace, period: Period, wanted: Wanted, number: int) -> Behind:
    part = wanted.asked.part
    if part not in _OF_WARNING:
        raise DeskError(f"there is no part {part[:40]!r} of a warning. Choose one of: {', '.join(_OF_WARNING)}.")
    warn = next(
        (w for w in read_warnings(conn, period.as_of, people_of(place.settings.company)) if _is(w, wanted)), None
    )
    if warn is None or warn.counted is None:
        raise DeskError("this warning is not there any more. Look at the scorecard again.")
    where = warn.counted.sql(hits=part.endswith("hits"), rest=part.startswith("rest"))
    title = f"Warning: {warn.kind.replace('_', ' ')}: {warn.group}"
    return Behind(title, _OF_WARNING[part], warn.words, page_where(conn, where, number))


def _is(warn: Warn, wanted: Wanted) -> bool:
    return (warn.kind.value, warn.group, warn.about) == (wanted.warning, wanted.group, wanted.about)


def _of_audits(conn: Connection, period: Period, wanted: Wanted, number: int) -> Behind:
    tickets = page_among(conn, audited_in(conn, period, wanted.audited), number)
    told = f"the tickets that were audited, {wanted.audited}, {_time(period, '')}"
    return Behind("High-risk misses", told, "One line for each audit with all its verdicts.", tickets)


def _time(period: Period, month: str) -> str:
    parts = [f"from {period.since}" if period.since else "", f"to {period.until}" if period.until else ""]
    return " ".join(filter(None, [f"in {month}" if month else "", *parts])) or "of all time"


def _shown(place: Workplace, person: Person, ticket: Listed) -> Listed:
    review = place.reviews.of_ticket(ticket.ticket)
    hidden = review is not None and OperatorInbox(place).blind(review, person)
    return replace(ticket, lane=0) if hidden else ticket
