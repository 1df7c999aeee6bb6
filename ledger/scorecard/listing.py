"""The tickets behind a figure as people look through them: how many there are, and one page of them at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select

from ledger.tables import ticket_summaries

PAGE = 50
"""Tickets on one page."""

_t = ticket_summaries.c


@dataclass(frozen=True, slots=True)
class Listed:
    """One ticket of a list, as its summary has it."""

    ticket: str
    family: str
    tier: str
    segment: str
    consequence: str
    release: str
    lane: int
    """The highest it was ever in; 0 before one was assigned."""
    opened_at: datetime | None


@dataclass(frozen=True, slots=True)
class TicketPage:
    """One page of a list, the newest tickets first."""

    tickets: tuple[Listed, ...]
    count: int
    """In the whole list."""
    number: int
    """Of this page, from 1."""

    @property
    def pages(self) -> int:
        """How many there are; one where the list is empty."""
        return max(1, -(-self.count // PAGE))


def page_where(conn: Connection, where: Sequence[ColumnElement[bool]], number: int = 1) -> TicketPage:
    """One page of the tickets whose summaries fulfil the conditions; the last one where there are not so many pages."""
    count = int(conn.execute(select(func.count()).select_from(ticket_summaries).where(*where)).scalar() or 0)
    number = min(max(1, number), max(1, -(-count // PAGE)))
    query = select(ticket_summaries).where(*where).order_by(_t.opened_on.desc(), _t.ticket_id.desc())
    rows = conn.execute(query.limit(PAGE).offset((number - 1) * PAGE))
    return TicketPage(tuple(_listed(row) for row in rows), count, number)


def page_among(conn: Connection, tickets: Sequence[str], number: int = 1) -> TicketPage:
    """One page of tickets that are named, in their order; one that has no summary is listed by its id alone."""
    number = min(max(1, number), max(1, -(-len(tickets) // PAGE)))
    shown = tickets[(number - 1) * PAGE : number * PAGE]
    rows = conn.execute(select(ticket_summaries).where(_t.ticket_id.in_(shown)))
    found = {row.ticket_id: _listed(row) for row in rows}
    bare = (found.get(t) or Listed(t, "", "", "", "", "", 0, None) for t in shown)
    return TicketPage(tuple(bare), len(tickets), number)


def _listed(row: Row[Any]) -> Listed:
    return Listed(
        row.ticket_id,
        row.family,
        row.tier,
        row.segment,
        row.consequence,
        row.policy,
        row.lane,
        row.opened_at,
    )
