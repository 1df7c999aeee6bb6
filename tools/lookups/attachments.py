"""Counts what came with the ticket and nobody has read: missing context, whatever the words say."""

from __future__ import annotations

from guards.facts import Fact, Standing
from tools.lookups.enquiry import Enquiry

SYSTEM = "ticket"
NAMES = ("attachments.unread",)


async def attachments(enquiry: Enquiry) -> tuple[Fact, ...]:
    """How many attachments are unread, and their names."""
    unread = enquiry.request.unread
    count = Fact("attachments.unread", len(unread), Standing.CONFIRMED, SYSTEM)
    if not unread:
        return (count,)
    return count, Fact("attachments.names", unread, Standing.CLAIMED, "customer", note="not opened")
