"""gather_context: looks up what is known about the account, the incident and the question."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, TypedDict

from agent.case import customer_words, unread_attachments
from agent.findings import Findings, Gathered
from agent.sources import SourceFinder, Sources
from guards.facts import Facts, Standing
from guards.policy import Release
from ledger.events import Kind
from ledger.worker import WorkerLedger
from tools.account_context import facts_from_context
from tools.lookups import Request, gather_facts
from tools.systems import Systems

SEARCH_SECONDS = 5.0
"""How long the search for an answering article may take."""


class Seen(TypedDict):
    """What this step reads of the run."""

    ticket: str
    seq: int


@dataclass(frozen=True, slots=True)
class GatherContext:
    """Facts with their standing, and the articles found. A lookup that fails yields a missing fact."""

    ledger: WorkerLedger
    findings: Findings
    systems: Systems
    finder: SourceFinder
    release: Release
    lookup_seconds: float

    async def __call__(self, state: Seen) -> dict[str, Any]:
        """Adds nothing to the state: the ledger holds what was found."""
        now = self.ledger.now()
        held = self.ledger.snapshot(state["ticket"])
        ticket, messages = held.ticket, held.messages
        request = Request(
            email=ticket.requester_email,
            name=ticket.requester_name,
            verified=ticket.verified,
            account_id=ticket.account_id,
            unread=unread_attachments(messages),
            ticket_id=ticket.id,
        )
        asked = next((m.text for m in reversed(messages) if m.role == "customer"), "")
        facts, sources = await asyncio.gather(
            gather_facts(self.systems, request, self.release.freshness, now, self.lookup_seconds),
            self._find(asked if len(asked.split()) > 3 else customer_words(messages)),
        )
        facts = with_context(facts, [m.context for m in messages if m.context is not None])
        done = self.ledger.record(
            state["ticket"],
            Kind.FACTS_GATHERED,
            self.findings.key_of(Gathered, state["seq"]),
            {
                "standings": {f.name: f.standing.value for f in facts},
                "articles": [[h.id, h.version, h.score] for h in sources.hits],
                "tier": _known(facts, "account.tier"),
                "segment": _known(facts, "account.segment"),
            },
            {"facts": facts.to_json(), "sources": sources.to_json()},
        )
        self.findings.keep(state["ticket"], state["seq"], Gathered(facts, sources), first=done.first)
        return {}

    async def _find(self, question: str) -> Sources:
        try:
            async with asyncio.timeout(SEARCH_SECONDS):
                return await self.finder.find(question, self.ledger.now().date())
        except Exception as error:  # no knowledge is a missing source, and a missing source is a person
            return Sources(note=f"knowledge: {type(error).__name__}")


def with_context(facts: Facts, contexts: list[object]) -> Facts:
    """The facts, and where our own systems say nothing, what the helpdesk handed over with the ticket.

    Its latest word counts. What both know is left as our systems have it: a context is a copy that may be old.
    """
    handed = {f.name: f for context in contexts for f in facts_from_context(context)}
    known = {f.name for f in facts if f.standing is not Standing.MISSING}
    kept = [f for f in facts if f.name in known or f.name not in handed]
    return Facts((*kept, *(f for name, f in handed.items() if name not in known)))


def _known(facts: Facts, name: str) -> str:
    value = facts.value(name)
    return value if isinstance(value, str) else "unknown"
