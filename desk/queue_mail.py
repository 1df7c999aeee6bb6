"""The mail by which a queue's people are told that a review came to them because its deadline had passed."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta

from desk.channels import MAIL, Channel
from desk.errors import Rejected
from desk.records import Records
from ledger.queue_news import Came, QueueNews
from tools.directory import open_directory
from tools.errors import ToolError
from tools.sandbox import company_folder
from tools.systems import Queue
from tools.ticket_text import folded_address

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())

TRIED_FOR = timedelta(hours=1)
"""How long a mail that has certainly not left is tried again."""
_HEADERS = {"Auto-Submitted": "auto-generated"}


def tell_queues(records: Records, channel: Channel) -> int:
    """Writes to each queue that has an address and was given a review whose deadline had passed; returns to how many.

    It is no answer to a customer: fixed words to a colleague's address out of the company's own files, without a word of
    the ticket's. Where no mail leaves, or the queue has no address, the desk and the webhooks tell it alone.
    """
    news = QueueNews(records.store)
    waiting = news.waiting() if channel.name in MAIL else ()
    if not waiting:
        return 0
    queues = _with_address(records)
    return sum(_tell(records, news, channel, one, queues[one.queue]) for one in waiting if one.queue in queues)


def _tell(records: Records, news: QueueNews, channel: Channel, one: Came, queue: Queue) -> bool:
    ticket = records.history.ticket(one.ticket)
    if folded_address(queue.address) in {folded_address(a) for a in (ticket.recipient, ticket.requester_email)}:
        # The way past outbox and gate is to colleagues alone, whatever the company's files say.
        news.told(one, "failed", "the queue's address is the customer's own")
        return False
    subject = f"Nobody decided in time: ticket {one.ticket}"
    try:
        channel.deliver(one.key, recipient=queue.address, subject=subject, body=_body(one, queue), headers=_HEADERS)
    except Rejected as error:
        if records.store.now() - one.passed_at > TRIED_FOR:
            news.told(one, "failed", str(error))
        return False
    except Exception as error:  # it may have left: only Rejected says that it has not
        _log.warning("mail to queue %s broke off; nobody knows whether it left", queue.queue_id, exc_info=error)
        news.told(one, "unknown", type(error).__name__)
        return False
    news.told(one, "sent")
    return True


def _body(one: Came, queue: Queue) -> str:
    return (
        f"Nobody decided on ticket {one.ticket} by {one.passed_at:%Y-%m-%d %H:%M} UTC.\n"
        f"It is with {queue.title} now, until {one.due_at:%Y-%m-%d %H:%M} UTC.\n\n"
        "Open it at the desk. Answers to this mail reach nobody who decides.\n"
    )


def _with_address(records: Records) -> Mapping[str, Queue]:
    try:
        found = open_directory(records.settings.company or company_folder()).shelves.queues
    except (OSError, ToolError) as error:
        _log.warning("the company's queues cannot be read, so none is written to: %s", type(error).__name__)
        return {}
    return {queue.queue_id: queue for queue in found if queue.address}
