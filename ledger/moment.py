"""What the ledger says now, for the gate: re-read in the very transaction that lets a text go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, CursorResult, bindparam, func, or_, select

from guards.gate import Letter, Moment, Permit, Piece, Refusal, may_leave
from guards.rollout import Ceiling
from ledger import register
from ledger.errors import UnknownTicket
from ledger.events import Event, Kind, latest
from ledger.register import Register, Standing
from ledger.releases import in_force, release_now
from ledger.rollout import ceiling_at
from ledger.tables import halts, outbox, tickets
from ledger.words import digest_of


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """What the policy release in force says about leaving; the caller loads it, the ledger knows the rest."""

    version: str
    phase_sends: bool
    """False in observe-only."""
    open_families: frozenset[str]
    """The issue families to which roll-out gives lane 1."""
    notice_digests: frozenset[str]
    """SHA-256 of every approved notice as it would read now for this ticket."""
    digest: str = ""
    """SHA-256 of the release's file; empty where it came from no file."""
    quiet_families: frozenset[str] = frozenset()
    """The issue families in which nothing leaves, though it does in others."""


@dataclass(frozen=True, slots=True)
class Halt:
    """Autonomy is stopped, for one family or for all."""

    seq: int
    family: str | None
    """None stops all."""
    by: str
    at: datetime


REPLIES = frozenset({Piece.ANSWER, Piece.QUESTION, Piece.CLOSING})
"""What the assistant says by itself, by the lane it was given; a notice and a person's text need no such lane."""

_HALTS = select(halts).where(halts.c.resumed_by.is_(None)).order_by(halts.c.seq)
_PROPOSED = select(outbox.c.proposed_by).where(outbox.c.reply_key == bindparam("reply_key")).scalar_subquery()
_STOPPING = select(halts).where(or_(halts.c.resumed_by.is_(None), halts.c.seq > _PROPOSED)).order_by(halts.c.seq)
_BORN = select(outbox.c.proposed_by).where(outbox.c.reply_key == bindparam("reply_key"))
_RECIPIENT = select(tickets.c.recipient).where(tickets.c.id == bindparam("ticket"))
_OTHERS = (
    select(func.count())
    .select_from(outbox)
    .where(
        outbox.c.ticket_id == bindparam("ticket"),
        outbox.c.piece == bindparam("piece"),
        outbox.c.state.in_(["intent", "sending", "sent", "unknown"]),
        outbox.c.proposed_by > bindparam("settled_by"),
        outbox.c.reply_key != bindparam("besides"),
    )
)


def halts_now(conn: Connection) -> tuple[Halt, ...]:
    """The halts in force, oldest first."""
    return _halts(conn.execute(_HALTS))


def families_of(conn: Connection, ticket: str) -> frozenset[str]:
    """The issue families of the latest lane_assigned event; empty where no lane was assigned yet."""
    return _families(latest(conn, ticket, Kind.LANE_ASSIGNED))


def _families(assigned: Event | None) -> frozenset[str]:
    found = assigned.head.get("families", []) if assigned else []
    return frozenset(str(f) for f in found)


def is_halted(conn: Connection, families: frozenset[str]) -> bool:
    """True where a halt covers all, or one of the families; of unknown families, any halt stops it."""
    return covers(halts_now(conn), families)


def covers(in_force: Iterable[Halt], families: frozenset[str]) -> bool:
    """True where one of these halts is of all, or of one of the families; of unknown families, any of them counts."""
    return any(h.family is None or h.family in families or not families for h in in_force)


def standing(conn: Connection, ticket: str) -> tuple[Standing, bool]:
    """Lane and epoch, and whether a halt covers the ticket's families. UnknownTicket."""
    held = register.standing(conn, ticket)
    return held, held.halts > 0 and is_halted(conn, families_of(conn, ticket))


def moment_of(conn: Connection, held: Register | Standing, view: ReleaseView, now: datetime, reply_key: str) -> Moment:
    """Everything the gate asks about, as it stands in this transaction; ``reply_key``'s own row not counted."""
    assigned = latest(conn, held.ticket, Kind.LANE_ASSIGNED)
    families = _families(assigned)
    # By the letter's own birth too: a lane assigned again after a hold revives nothing that died with it.
    born = conn.execute(_BORN, {"reply_key": reply_key}).scalar()
    since = assigned.seq if assigned else 0
    ceiling = ceiling_at(conn, families, since if born is None else min(since, born))
    recipient = conn.execute(_RECIPIENT, {"ticket": held.ticket}).one_or_none()
    if recipient is None:
        raise UnknownTicket(f"no ticket {held.ticket!r}")
    return Moment(
        ticket=held.ticket,
        lane=held.lane,
        epoch=held.epoch,
        revision=held.revision,
        release=_release(conn, view, reply_key),
        phase_sends=view.phase_sends and ceiling is not Ceiling.NOTHING_LEAVES and not families & view.quiet_families,
        family_open=bool(families) and families <= view.open_families and ceiling is Ceiling.OPEN,
        halted=covers(_stopping(conn, reply_key), families),
        claimed_by=held.claimed_by,
        recipient=recipient.recipient or "",
        notice_digests=view.notice_digests,
        notices_sent=_others(conn, held, Piece.NOTICE, reply_key),
        now=now,
    )


def judge(
    conn: Connection,
    letter: Letter,
    body: str | None,
    view: ReleaseView,
    now: datetime,
    reply_key: str,
    held: Register | None = None,
) -> Permit | Refusal:
    """May this letter leave now? The ledger's own checks, then the gate's. Asked in a write transaction; ``held`` is
    the register where this very transaction has read it already.

    The ledger's: the body is there and is what the digest says (I6), the ticket has an address, and a thread is
    asked one clarifying question between two decisions of a person, not a series. UnknownTicket.
    """
    now_held = held or register.standing(conn, letter.ticket)
    moment = moment_of(conn, now_held, view, now, reply_key)
    what = f"send the {letter.piece.value}"
    if body is None:
        return Refusal(what, "erased", "the text has been erased")
    if digest_of(body) != letter.digest:
        return Refusal(what, "digest", "the text is not the one that was judged")
    if not moment.recipient:
        return Refusal(what, "recipient", "the ticket record holds no address to send to")
    if letter.piece is Piece.QUESTION and _others(conn, now_held, Piece.QUESTION, reply_key):
        return Refusal(what, "one_question", "one clarifying question has been asked already")
    if letter.piece in REPLIES and not _assigned_under(conn, letter.ticket, view):
        return Refusal(what, "release", "the lane was assigned under another policy release")
    return may_leave(letter, moment)


def _release(conn: Connection, view: ReleaseView, reply_key: str) -> str:
    if in_force(conn) is None:
        return view.version
    return release_now(conn, view.version, view.digest, conn.execute(_BORN, {"reply_key": reply_key}).scalar())


def _assigned_under(conn: Connection, ticket: str, view: ReleaseView) -> bool:
    """True where the lane was assigned by the release in force, since it came in force; a run that goes on after a crash
    carries the lane of the release it began under, whatever its letter says."""
    assigned = latest(conn, ticket, Kind.LANE_ASSIGNED)
    head = assigned.head if assigned else {}
    file = head.get("policy_digest") or view.digest
    now = in_force(conn)
    if assigned is not None and now is not None and assigned.seq < now.seq:
        return False
    return head.get("policy", view.version) == view.version and (not view.digest or file == view.digest)


def _stopping(conn: Connection, reply_key: str) -> tuple[Halt, ...]:
    """The halts in force, and those that came after this letter was proposed, ended or not: what died with a halt
    stays dead."""
    return _halts(conn.execute(_STOPPING, {"reply_key": reply_key}))


def _halts(rows: CursorResult[Any]) -> tuple[Halt, ...]:
    return tuple(Halt(row.seq, row.family, row.by, row.at) for row in rows)


def _others(conn: Connection, held: Register | Standing, piece: Piece, reply_key: str) -> int:
    """Letters of a kind that are on their way or gone since a person last settled the thread."""
    asked = {"ticket": held.ticket, "piece": piece.value, "settled_by": held.settled_by, "besides": reply_key}
    return conn.execute(_OTHERS, asked).scalar_one()
