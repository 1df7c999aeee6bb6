"""Tickets of one matter: which may be joined, and what was joined to which."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from ledger import events, history, register, reviews
from ledger.errors import CannotBeDone
from ledger.events import Event, Kind
from ledger.register import Register


def check(conn: Connection, ticket: str, into: str) -> None:
    """CannotBeDone where answering in ``into`` would leave the writer of ``ticket`` out, or tell them what another
    wrote. UnknownTicket."""
    one, other = history.ticket_record(conn, ticket), history.ticket_record(conn, into)
    if one.id == other.id:
        raise CannotBeDone("a ticket cannot be merged into itself")
    if not one.recipient or one.recipient != other.recipient:
        raise CannotBeDone(
            f"tickets {one.id!r} and {other.id!r} are answered at different addresses, or at none: whoever wrote in the "
            "one would not read the answer to the other"
        )
    if ticket in merged_into(conn, into):
        raise CannotBeDone(f"ticket {into!r} was merged into {ticket!r} before")


def carry_over(
    conn: Connection, held: Register, into: str, *, cause: int, review_id: str, at: datetime, actor: str
) -> None:
    """What becomes of the ticket into which another was merged: its floor rises to the other's lane, a person is asked
    about it, and a draft that was made without the other's words cannot be approved. ``held`` is the other's register
    before the merge, ``cause`` the seq of the event by which ``into`` says so. UnknownTicket."""
    register.raise_floor(conn, into, held.lane, at=at, actor=actor)
    asked = reviews.call_a_person(conn, into, "merged", review_id=review_id, cause=cause, at=at)
    if asked.draft is not None:
        reviews.outdate(conn, asked.id)


def merged_into(conn: Connection, ticket: str) -> tuple[str, ...]:
    """The tickets that this one was merged into, in order."""
    return tuple(str(e.head["into"]) for e in _of(conn, ticket) if "into" in e.head)


def merged_from(conn: Connection, ticket: str) -> tuple[str, ...]:
    """The tickets that were merged into this one, in order."""
    return tuple(str(e.head["from"]) for e in _of(conn, ticket) if "from" in e.head)


def _of(conn: Connection, ticket: str) -> tuple[Event, ...]:
    return events.timeline(conn, ticket, [Kind.MERGED])
