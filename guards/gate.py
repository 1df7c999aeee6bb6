"""The gate: may this effect happen, now? Pure; asked when a tool is called and again when a text leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from guards.capabilities import TABLE, Effect, Right, rights_of
from guards.lanes import Lane


@dataclass(frozen=True, slots=True)
class Permit:
    """Yes, and by which right."""

    right: Right
    reason: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """No, and why. A refusal is a value: it is recorded, and the packet's "not done" is written from it."""

    what: str
    """What was asked for, in words: ``send a reply to the customer``."""
    rule: str
    """The check that said no: ``lane``, ``epoch``, ``halted``, ``unknown_tool`` …"""
    reason: str

    def to_json(self) -> dict[str, str]:
        """Plain JSON."""
        return {"what": self.what, "rule": self.rule, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Grant:
    """What the assistant may do on one opening, derived from lane and release; never carried between events."""

    lane: Lane
    epoch: int
    release: str
    rights: frozenset[Right]
    withheld: tuple[Refusal, ...]
    """Rights that the lane, the phase or a halt took away, each with its reason."""


def may(grant: Grant, right: Right, effect: Effect) -> Permit | Refusal:
    """May this grant do an effect by a right? The tool's declared effect must be the right's own."""
    if right not in TABLE:
        return Refusal(f"use the right {right!r}"[:80], "unknown_right", "the law knows no such right")
    row = TABLE[right]
    if effect is not row.effect:
        return Refusal(row.does, "effect", f"{right.value} is a right to {row.effect.value}, not to {effect.value}")
    if right in rights_of(grant.lane) and right not in grant.rights:
        # The lane holds it; the phase or a halt took it away, and the refusal says which.
        return next((w for w in grant.withheld if w.what == row.does), Refusal(row.does, "grant", "it was not granted"))
    if right not in grant.rights or right not in rights_of(grant.lane):
        return Refusal(row.does, "lane", f"lane {int(Lane.read(grant.lane))} does not hold {right.value}: {row.reason}")
    return Permit(right, row.reason)


class Piece(StrEnum):
    """The kinds of text that can leave, each by its own right."""

    ANSWER = "answer"
    QUESTION = "question"
    CLOSING = "closing"
    NOTICE = "notice"
    APPROVED = "approved"
    """A text that a person approved, byte for byte."""


RIGHT_FOR: dict[Piece, Right | None] = {
    Piece.ANSWER: Right.SEND_ANSWER,
    Piece.QUESTION: Right.ASK_QUESTION,
    Piece.CLOSING: Right.CLOSE_TICKET,
    Piece.NOTICE: Right.RELEASE_NOTICE,
    Piece.APPROVED: None,
}
"""The assistant's right that a piece leaves by; None where a person's approval takes its place."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's yes to exactly one text, for one recipient, at one moment of the thread."""

    ticket: str
    digest: str
    recipient: str
    epoch: int
    revision: int
    release: str
    by: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Letter:
    """A text about to leave, with everything it was bound to when it was written."""

    ticket: str
    piece: Piece
    digest: str
    """SHA-256 of the bytes, hex."""
    recipient: str
    epoch: int
    revision: int
    """The thread's revision (what the customer wrote last) that it answers."""
    release: str
    approval: Approval | None = None

    def __post_init__(self) -> None:
        # The checks compare by identity: a piece read back as plain text would pass those for notices and approvals.
        object.__setattr__(self, "piece", Piece(self.piece))


@dataclass(frozen=True, slots=True)
class Moment:
    """What the ledger says now, read in the transaction that lets the letter go."""

    ticket: str
    lane: Lane
    """The highest of the conversation's floor and its open answers."""
    epoch: int
    revision: int
    release: str
    phase_sends: bool
    """False in observe-only: nothing leaves, not even a notice."""
    family_open: bool
    """True where roll-out gives this ticket's families lane 1."""
    halted: bool
    claimed_by: str | None
    """Who has claimed the thread; None for nobody."""
    recipient: str
    """The ticket record's own address: the only one a letter may go to."""
    notice_digests: frozenset[str]
    """Digests of the approved notice templates as they would read now."""
    notices_sent: int
    """Notices already on their way in this epoch's escalation."""
    now: datetime


Check: TypeAlias = Callable[[Letter, Moment], str | None]


def _ticket(letter: Letter, moment: Moment) -> str | None:
    return None if letter.ticket == moment.ticket else "the letter belongs to another ticket"


def _recipient(letter: Letter, moment: Moment) -> str | None:
    return None if letter.recipient == moment.recipient else "the recipient is not the ticket's own address"


def _phase(letter: Letter, moment: Moment) -> str | None:
    if moment.phase_sends or letter.piece is Piece.APPROVED:
        return None
    return "the policy is in observe-only: nothing leaves by itself"


def _halted(letter: Letter, moment: Moment) -> str | None:
    if not moment.halted or letter.piece is Piece.APPROVED:
        return None
    return "autonomy is halted"


def _lane(letter: Letter, moment: Moment) -> str | None:
    right = RIGHT_FOR[letter.piece]
    if right is None or right in rights_of(moment.lane):
        return None
    return f"lane {int(Lane.read(moment.lane))} does not hold {right.value}"


def _family(letter: Letter, moment: Moment) -> str | None:
    if Lane.read(moment.lane) is not Lane.AUTONOMOUS or moment.family_open or letter.piece is Piece.APPROVED:
        return None
    return "roll-out holds this issue family to lane 2"


def _epoch(letter: Letter, moment: Moment) -> str | None:
    return None if letter.epoch == moment.epoch else "the lane has risen since: rights of an older epoch are dead"


def _revision(letter: Letter, moment: Moment) -> str | None:
    return None if letter.revision == moment.revision else "the customer has written since"


def _release(letter: Letter, moment: Moment) -> str | None:
    return None if letter.release == moment.release else "the policy release has changed since"


def _claimed(letter: Letter, moment: Moment) -> str | None:
    if moment.claimed_by is None:
        return None
    if letter.piece is not Piece.APPROVED:
        return "a person has claimed the thread"
    by = letter.approval.by if letter.approval else None
    return None if by == moment.claimed_by else "another person has claimed the thread"


def _notice(letter: Letter, moment: Moment) -> str | None:
    if letter.piece is not Piece.NOTICE:
        return None
    if letter.digest not in moment.notice_digests:
        return "a notice must be byte-equal to an approved template"
    return None if moment.notices_sent == 0 else "this escalation's notice has been sent already"


def _approval(letter: Letter, moment: Moment) -> str | None:
    if letter.piece is not Piece.APPROVED:
        return None
    yes = letter.approval
    if yes is None:
        return "no person has approved this text"
    bound = (yes.ticket, yes.digest, yes.recipient, yes.epoch, yes.revision, yes.release)
    if bound != (
        letter.ticket,
        letter.digest,
        letter.recipient,
        letter.epoch,
        letter.revision,
        letter.release,
    ):
        return "the approval was given for another text, recipient or moment"
    return None if moment.now < yes.expires_at else "the approval has expired"


CHECKS: tuple[tuple[str, Check], ...] = (
    ("ticket", _ticket),
    ("recipient", _recipient),
    ("phase", _phase),
    ("halted", _halted),
    ("lane", _lane),
    ("family", _family),
    ("epoch", _epoch),
    ("revision", _revision),
    ("release", _release),
    ("claimed", _claimed),
    ("notice", _notice),
    ("approval", _approval),
)
"""Every check a letter passes, in order; remove any one and a proof must fail (I14)."""


def may_leave(letter: Letter, moment: Moment) -> Permit | Refusal:
    """May this letter leave now? Asked in one transaction with the intent it is recorded by."""
    for rule, check in CHECKS:
        if (reason := check(letter, moment)) is not None:
            return Refusal(f"send the {letter.piece.value}", rule, reason)
    right = RIGHT_FOR[letter.piece]
    by = f"approved by {letter.approval.by}" if letter.approval else TABLE[right].reason if right else ""
    return Permit(right or Right.SEND_ANSWER, by)
