"""What an approval would come to now: the letter it makes, judged by the same judge, with nothing written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from guards.gate import Approval, Letter, Permit, Piece, Refusal
from ledger import history, moment, register
from ledger.moment import ReleaseView
from ledger.register import Register
from ledger.store import Store
from ledger.words import digest_of, keepable


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would happen if this person said yes to this text at this moment."""

    letter: Letter
    approval: Approval
    answer: Permit | Refusal
    """The judge's own word: may it leave?"""
    claimed_by: str | None
    """Who has the thread; another's claim keeps a text from leaving."""


def approved_letter(
    conn: Connection, held: Register, digest: str, view: ReleaseView, *, by: str, expires_at: datetime
) -> tuple[Letter, Approval]:
    """The letter that a person's yes makes: to the ticket's own address, bound to epoch, revision and release."""
    ticket = held.ticket
    recipient = history.ticket_record(conn, ticket).recipient
    approval = Approval(ticket, digest, recipient, held.epoch, held.revision, view.version, by, expires_at)
    bound = Letter(ticket, Piece.APPROVED, digest, recipient, held.epoch, held.revision, view.version, approval)
    return bound, approval


def foresee(store: Store, ticket: str, text: str, view: ReleaseView, *, by: str, lasts: timedelta) -> Foreseen:
    """What an approval of this text would come to. It writes nothing, and promises nothing of a later moment.
    UnknownTicket."""
    kept, now = keepable(text), store.now()
    with store.read() as conn:
        held = register.current(conn, ticket)
        letter, approval = approved_letter(conn, held, digest_of(kept), view, by=by, expires_at=now + lasts)
        # No reply has this key: whatever else is in the outbox counts.
        answer = moment.judge(conn, letter, kept, view, now, "(foreseen)")
    return Foreseen(letter, approval, answer, held.claimed_by)
