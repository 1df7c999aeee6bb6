"""Erasing a ticket's words and addresses, and leaving what happened: events, digests, decisions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, update

from ledger.tables import approvals, bodies, changes, chats, inbox, outbox, ticket_summaries, tickets


def erase_words(conn: Connection, ticket: str, at: datetime) -> None:
    """Empties every body, address and name of the ticket, and drops what waits in its inbox. For ``people`` alone.

    Digests stay, so that the record can still be shown to be whole. A digest of a very short text can be guessed.
    """
    conn.execute(
        update(bodies).where(bodies.c.ticket_id == ticket, bodies.c.text.is_not(None)).values(text=None, erased_at=at)
    )
    conn.execute(
        update(tickets)
        .where(tickets.c.id == ticket)
        .values(
            subject=None,
            requester_email=None,
            requester_name=None,
            recipient=None,
            account_id=None,
            verified=False,
            erased_at=at,
        )
    )
    conn.execute(update(approvals).where(approvals.c.ticket_id == ticket).values(recipient=None))
    conn.execute(update(outbox).where(outbox.c.ticket_id == ticket).values(recipient=None))
    conn.execute(update(changes).where(changes.c.ticket_id == ticket).values(reference=None))
    # A digest of an address can be guessed by whoever knows the address.
    conn.execute(update(ticket_summaries).where(ticket_summaries.c.ticket_id == ticket).values(customer=None))
    conn.execute(
        update(chats)
        .where(chats.c.ticket_id == ticket)
        .values(secret_digest=None, account_id=None, email=None, name=None, address=None, here_until=None)
    )
    conn.execute(
        update(inbox)
        .where(inbox.c.ticket_id == ticket, inbox.c.state == "waiting")
        .values(state="handled", settled_at=at)
    )
