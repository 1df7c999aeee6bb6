"""What lane work is given: one ticket's words, facts, decision and sources. It sees neither state nor ledger."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.sources import Sources
from guards.assess import Assessment
from guards.facts import Facts
from guards.lanes import LaneDecision
from guards.policy import OwnerRule, Release
from guards.screening import NOBODY, PeopleOnIt
from ledger.history import Message, TicketRecord
from tools.systems import Article, Macro, Queue


@dataclass(frozen=True, slots=True)
class Case:
    """One ticket, as far as its lane's work needs it."""

    ticket: TicketRecord
    messages: tuple[Message, ...]
    words: str
    """What the customer wrote and no person has settled yet."""
    facts: Facts
    assessment: Assessment
    decision: LaneDecision
    owner: OwnerRule
    sources: Sources
    articles: tuple[Article, ...]
    """The articles of ``sources.hits``, as they stand now."""
    macros: tuple[Macro, ...]
    queues: tuple[Queue, ...]
    release: Release
    failures: tuple[str, ...]
    read_by: str
    """Who read the message besides the rules, as every output says it."""
    now: datetime
    people: PeopleOnIt = NOBODY
    """What the ledger holds of people and this ticket."""

    @property
    def question(self) -> str:
        """The last thing the customer wrote."""
        return next((m.text for m in reversed(self.messages) if m.role == "customer"), "")

    def article(self, article_id: str) -> Article | None:
        """One of the found articles."""
        return next((a for a in self.articles if a.article_id == article_id), None)


_QUOTED = re.compile(r"^\s*(?:>|\|)\s?")
_REPLIES = re.compile(r"^(?:\s*(?:re|aw|fwd?|wg|antw|sv)(?:\[\d+\])?\s*:)+\s*", re.I)


def customer_words(messages: Sequence[Message]) -> str:
    """What the customer wrote and no person has settled, as one text."""
    return "\n\n".join(customer_messages(messages))


def customer_messages(messages: Sequence[Message]) -> list[str]:
    """What the customer wrote and no person has settled, a text a message, oldest first.

    Quoted mail counts as the customer's words, because a forward may hold what matters; only lines that repeat
    what we ourselves said in this thread are left out. A subject is read without its ``Re:`` and ``Fwd:``, and left
    out only where a message before it had the same.
    """
    ours = {_squeezed(line) for m in messages if m.role != "customer" for line in m.text.splitlines()}
    kept = []
    subjects: set[str] = set()
    for message in messages:
        if message.role != "customer":
            continue
        subject = _REPLIES.sub("", message.subject)
        repeats = subject != message.subject and _squeezed(subject) in subjects
        subjects.add(_squeezed(subject))
        if message.settled:
            continue
        lines = [
            line
            for line in message.text.splitlines()
            if not (_QUOTED.match(line) and _squeezed(_QUOTED.sub("", line)) in ours)
        ]
        kept.append((f"{subject}\n" if subject and not repeats else "") + "\n".join(lines))
    return kept


def unread_attachments(messages: Sequence[Message]) -> tuple[str, ...]:
    """The names of the files that came with unsettled messages; nobody has read any of them."""
    return tuple(name for m in messages if m.role == "customer" and not m.settled for name in m.attachments)


def _squeezed(line: str) -> str:
    return re.sub(r"\W+", " ", line).strip().lower()
