"""Turns a ticket as a file, a helpdesk or a mailbox tells it into the message that the ledger files."""

from __future__ import annotations

import hashlib
from datetime import UTC

from ledger.intake import Earlier, IncomingMessage
from tools.ticket import Message, Ticket
from tools.ticket_text import in_utc_range


def incoming(ticket: Ticket, channel: str | None = None) -> IncomingMessage:
    """The customer's last message, with all that was said besides as what was there before.

    The key is the message's own (``key_of``), so that the same ticket told twice is filed once, and a ticket told
    again with a new message is a new event of the same thread.
    """
    told = _oldest_first(ticket.messages)
    last = max(i for i, m in enumerate(told) if m.role == "customer")
    message = told[last]
    rest = [m for i, m in enumerate(told) if i != last]
    return IncomingMessage(
        ticket=ticket.id,
        key=key_of(message, last + 1),
        channel=channel or ticket.channel,
        subject=ticket.subject,
        requester_email=ticket.requester_email,
        requester_name=ticket.requester_name,
        verified=ticket.verified,
        account_id=ticket.account_id,
        recipient=ticket.requester_email,
        text=message.text,
        attachments=ticket.unread,
        received_at=message.at,
        context=ticket.account_context,
        earlier=tuple(Earlier(m.role, m.text) for m in rest),
    )


def _oldest_first(messages: tuple[Message, ...]) -> list[Message]:
    """By time where every message has one: some helpdesks tell a thread newest first."""
    timed = [(in_utc_range(m.at), m) for m in messages if m.at is not None]
    return [m for _, m in sorted(timed, key=lambda t: t[0])] if len(timed) == len(messages) else list(messages)


def key_of(message: Message, place: int) -> str:
    """A message's key in its ticket: its time, its words and what came with it.

    With a time, the same words at another time are another message, however much of the thread is told along with
    them. Without one, only its ``place`` in the thread tells two of the same words apart.
    """
    words = "\n".join((message.text, *message.attachments))
    digest = hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    if message.at is None:
        return f"{place}-{digest}"
    return f"{in_utc_range(message.at).astimezone(UTC):%Y%m%dT%H%M%S.%f}-{digest}"
