"""Turns a ticket as a file, a helpdesk or a mailbox tells it into the message that the ledger files."""

from __future__ import annotations

import hashlib

from ledger.intake import Earlier, IncomingMessage
from tools.ticket import Ticket


def incoming(ticket: Ticket, channel: str | None = None) -> IncomingMessage:
    """The customer's last message, with all that was said besides as what was there before.

    The key is the message's own digest, so that the same ticket told twice is filed once, and a ticket told again
    with a new message is a new event of the same thread.
    """
    last = max(i for i, m in enumerate(ticket.messages) if m.role == "customer")
    message = ticket.messages[last]
    rest = [m for i, m in enumerate(ticket.messages) if i != last]
    digest = hashlib.sha256(message.text.encode("utf-8", "surrogatepass")).hexdigest()
    return IncomingMessage(
        ticket=ticket.id,
        key=f"{len(ticket.messages)}-{digest[:16]}",
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
