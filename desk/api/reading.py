"""A ticket, its messages, its reviews and its outcomes as plain JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from desk import decisions
from desk.counter import Counter
from desk.ways_out import whom
from ledger.events import Event, Kind
from ledger.history import Message
from ledger.result import read_result
from ledger.reviews import Review


def ticket_json(counter: Counter, ticket: str, working: bool) -> dict[str, Any]:
    """The result, whether the worker has still something of it before it, whom an answer would reach, and what a decision
    is to name as seen."""
    place = counter.place
    look = decisions.look(place.history, place.reviews, ticket)
    told = read_result(place.history, place.reviews, ticket).to_json()
    recipient = place.history.ticket(ticket).recipient
    return {
        **told,
        "working": working,
        "answers_reach": whom(place.settings, recipient, look.besides) if recipient else None,
        "seen": decisions.token(look.seen),
        "claimed_by": look.register.claimed_by,
    }


def message_json(message: Message) -> dict[str, Any]:
    """One message of a thread."""
    return {
        "seq": message.seq,
        "role": message.role,
        "text": None if message.erased else message.text,
        "at": message.at.isoformat(),
        "piece": message.piece or None,
        "certain": message.certain,
        "attachments": list(message.attachments),
        "settled": message.settled,
        "settled_how": message.settled_how or None,
    }


def review_json(review: Review) -> dict[str, Any]:
    """An open review, without its packet."""
    return {
        "id": review.id,
        "ticket": review.ticket,
        "why": review.why,
        "lane": int(review.lane),
        "queue": review.queue,
        "claimed_by": review.claimed_by,
        "stale": review.stale,
        "has_draft": review.draft is not None,
        "opened_at": review.opened_at.isoformat(),
        "due_at": review.due_at.isoformat() if review.due_at else None,
    }


def decisions_of(events: Sequence[Event]) -> list[dict[str, Any]]:
    """What people decided, and how each of their decisions stands beside what had been proposed."""
    told = []
    for event in events:
        if event.kind is Kind.PERSON_DECIDED:
            reason = (event.body.json() if event.body else None) or {}
            told.append(
                {
                    "seq": event.seq,
                    "at": event.at.isoformat(),
                    "by": event.actor,
                    "what": dict(event.head),
                    "reason": reason.get("reason"),
                }
            )
        elif event.kind is Kind.OUTCOME_RECORDED:
            told.append({"seq": event.seq, "at": event.at.isoformat(), "by": event.actor, "what": dict(event.head)})
    return told
