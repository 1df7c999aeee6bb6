"""The outbox's rows: a letter, its body and its state. ``worker`` and ``people`` add, ``outbox`` moves them on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from guards.gate import Approval, Letter, Piece, Refusal
from ledger.errors import UnknownLetter
from ledger.events import HEAD_STRING_LIMIT, Body, Entry, Kind, append, own_key
from ledger.tables import approvals, bodies, outbox
from ledger.words import filed_name, keepable


class DeliveryState(StrEnum):
    """How far a letter has come."""

    INTENT = "intent"
    """It may leave; nothing has happened."""
    SENDING = "sending"
    """The post room has it in its hands."""
    SENT = "sent"
    FAILED = "failed"
    """The channel said that it did not take it."""
    UNKNOWN = "unknown"
    """Nobody knows. Never tried again by a machine."""
    REFUSED = "refused"
    """Its right died before it left."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row of the outbox."""

    reply_key: str
    letter: Letter
    state: DeliveryState
    body: Body
    proposed_by: int
    """The seq of the event that put it there."""
    provider_ref: str | None
    changed_at: datetime
    decided_by: int | None = None
    """The seq of the decision that approved it; None for the assistant's own."""


KEY_LIMIT = 400
"""Most characters of a reply key; a longer one is its beginning and its digest."""


def key_of(*parts: str | int) -> str:
    """A reply key, or a change's, from its parts; two different lists of parts never make one key.

    As JSON, because strangers choose some parts: ticket ``a``, key ``b/c`` is not ticket ``a/b``, key ``c``.
    """
    return filed_name(json.dumps(parts, ensure_ascii=False, separators=(",", ":")), KEY_LIMIT)


_SELECT = (
    select(
        outbox,
        bodies.c.text.label("body_text"),
        approvals.c.id.label("approval"),
        approvals.c.digest.label("approved_digest"),
        approvals.c.recipient.label("approved_recipient"),
        approvals.c.epoch.label("approved_epoch"),
        approvals.c.revision.label("approved_revision"),
        approvals.c.release.label("approved_release"),
        approvals.c.by.label("approved_by"),
        approvals.c.expires_at,
        approvals.c.ticket_id.label("approved_ticket"),
        approvals.c.decided_by,
    )
    .join(bodies, bodies.c.id == outbox.c.body_id)
    .outerjoin(approvals, approvals.c.id == outbox.c.approval_id)
)

_BY_KEY = _SELECT.where(outbox.c.reply_key == bindparam("key"))
_BY_TICKET = _SELECT.where(outbox.c.ticket_id == bindparam("ticket")).order_by(outbox.c.proposed_by)
_INSERT = insert(outbox)


def find(conn: Connection, reply_key: str) -> Delivery | None:
    """The letter under a reply key, with its approval read from the approvals' own table."""
    row = conn.execute(_BY_KEY, {"key": reply_key}).first()
    return None if row is None else _delivery(row)


def get(conn: Connection, reply_key: str) -> Delivery:
    """As ``find``; UnknownLetter where there is none."""
    found = find(conn, reply_key)
    if found is None:
        raise UnknownLetter(f"no letter under {reply_key!r}")
    return found


def deliveries_of(conn: Connection, ticket: str) -> tuple[Delivery, ...]:
    """The ticket's letters in the order they were proposed."""
    return tuple(_delivery(row) for row in conn.execute(_BY_TICKET, {"ticket": ticket}))


def in_state(conn: Connection, state: DeliveryState) -> tuple[Delivery, ...]:
    """All letters in a state, in the order they were proposed."""
    rows = conn.execute(_SELECT.where(outbox.c.state == state.value).order_by(outbox.c.proposed_by))
    return tuple(_delivery(row) for row in rows)


def sent_as(conn: Connection, provider_ref: str) -> Delivery | None:
    """The letter that a channel gave this reference."""
    row = conn.execute(_SELECT.where(outbox.c.provider_ref == provider_ref)).first()
    return None if row is None else _delivery(row)


def put(
    conn: Connection,
    letter: Letter,
    body: Body,
    *,
    reply_key: str,
    proposed_by: int,
    approval_id: str | None,
    at: datetime,
) -> None:
    """Adds a letter as an intent. The reply key is unique over the whole store."""
    conn.execute(
        _INSERT,
        {
            "reply_key": reply_key,
            "ticket_id": letter.ticket,
            "piece": letter.piece.value,
            "body_id": body.id,
            "digest": letter.digest,
            "recipient": letter.recipient,
            "epoch": letter.epoch,
            "revision": letter.revision,
            "release": letter.release,
            "approval_id": approval_id,
            "state": DeliveryState.INTENT.value,
            "proposed_by": proposed_by,
            "changed_at": at,
        },
    )


def move(conn: Connection, reply_key: str, to: DeliveryState, at: datetime, *, provider_ref: str | None = None) -> None:
    """Sets a letter's state; whoever calls it has checked that the step is allowed."""
    values: dict[str, Any] = {"state": to.value, "changed_at": at}
    if provider_ref is not None:
        values["provider_ref"] = provider_ref
    conn.execute(update(outbox).where(outbox.c.reply_key == reply_key).values(values))


def note_refusal(
    conn: Connection,
    ticket: str,
    key: str,
    refusal: Refusal,
    *,
    at: datetime,
    actor: str,
    more: Mapping[str, Any] | None = None,
) -> Refusal:
    """Records a refused right, once a key, and returns the refusal that stands under it."""
    # A tool's name or argument may stand in the words, as long as its writer liked.
    clipped = {name: _clipped(words) for name, words in refusal.to_json().items()}
    head = {**(more or {}), **clipped}
    done = append(conn, ticket, Entry(Kind.RIGHT_REFUSED, own_key(f"refused/{key}"), head), at=at, actor=actor)
    return Refusal(done.head["what"], done.head["rule"], done.head["reason"])


def withdraw(
    conn: Connection,
    ticket: str,
    why: Refusal,
    *,
    at: datetime,
    actor: str,
    approved_too: bool = False,
    but_of: str | None = None,
) -> tuple[Delivery, ...]:
    """Refuses every letter of a ticket that has not begun to leave, and returns them. What a person approved is left
    alone unless ``approved_too``, and what ``but_of`` approved is left alone also then."""
    waiting = [d for d in deliveries_of(conn, ticket) if d.state is DeliveryState.INTENT]
    doomed = [
        d
        for d in waiting
        if d.letter.piece is not Piece.APPROVED
        or (approved_too and (but_of is None or d.letter.approval is None or d.letter.approval.by != but_of))
    ]
    for one in doomed:
        move(conn, one.reply_key, DeliveryState.REFUSED, at)
        more = {"reply_key": one.reply_key}
        note_refusal(conn, ticket, f"begin/{one.reply_key}", why, at=at, actor=actor, more=more)
    return tuple(doomed)


def _clipped(words: str) -> str:
    kept = keepable(words)
    return kept if len(kept) <= HEAD_STRING_LIMIT else f"{kept[: HEAD_STRING_LIMIT - 1]}…"


def _delivery(row: Row[Any]) -> Delivery:
    approval = None
    if row.approval is not None:
        approval = Approval(
            ticket=row.approved_ticket,
            digest=row.approved_digest,
            recipient=row.approved_recipient or "",
            epoch=row.approved_epoch,
            revision=row.approved_revision,
            release=row.approved_release,
            by=row.approved_by,
            expires_at=row.expires_at,
        )
    letter = Letter(
        ticket=row.ticket_id,
        piece=Piece(row.piece),
        digest=row.digest,
        recipient=row.recipient or "",
        epoch=row.epoch,
        revision=row.revision,
        release=row.release,
        approval=approval,
    )
    return Delivery(
        reply_key=row.reply_key,
        letter=letter,
        state=DeliveryState(row.state),
        body=Body(row.body_id, row.body_text, row.digest),
        proposed_by=row.proposed_by,
        provider_ref=row.provider_ref,
        changed_at=row.changed_at,
        decided_by=row.decided_by,
    )
