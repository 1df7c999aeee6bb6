"""assess_triggers: rules, the text head and, where configured, a model score the six triggers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypedDict

from agent.assessors import Assessors
from agent.case import customer_messages, customer_words
from agent.findings import Assessed, Findings
from agent.model import CALLS_A_MESSAGE, CallBudget
from agent.sources import SourceFinder
from guards.assess import assess, untrusted_signals
from guards.policy import Release
from guards.triggers import Signal, Trigger
from ledger.events import Kind
from ledger.worker import WorkerLedger
from tools.account_context import untrusted_texts
from tools.systems import Article


class Seen(TypedDict):
    """What this step reads of the run."""

    ticket: str
    seq: int


@dataclass(frozen=True, slots=True)
class AssessTriggers:
    """Levels with their evidence. Nobody's opinion lowers another's."""

    ledger: WorkerLedger
    findings: Findings
    assessors: Assessors
    finder: SourceFinder
    release: Release
    _seen_in: dict[Article, tuple[Signal, ...]] = field(default_factory=dict, repr=False, compare=False)
    """What the rules see in an article, which says the same in every ticket. Customers' words are kept nowhere."""

    async def __call__(self, state: Seen) -> dict[str, Any]:
        """Adds the model calls spent; the ledger holds what was found."""
        ticket, seq = state["ticket"], state["seq"]
        messages = self.ledger.thread(ticket)
        words = customer_words(messages)
        gathered = self.findings.gathered(ticket, seq)
        budget = CallBudget()
        opinions, failures = await self.assessors.opinions(customer_messages(messages), budget)
        notes = [text for m in messages for text in untrusted_texts(m.context)]
        articles = [a for h in gathered.sources.hits if (a := await self.finder.article(h.id, h.version))]
        noticed = [signal for article in articles for signal in self._noticed(article)]
        seen = assess(words, gathered.facts, self.release, opinions, gathered.sources.hinted, notes, noticed)
        done = self.ledger.record(
            ticket,
            Kind.TRIGGERS_ASSESSED,
            self.findings.key_of(Assessed, seq),
            {
                "levels": {t.value: seen.matrix.level(t).word for t in Trigger},
                "signals": sorted({s.id for s in seen.matrix.signals}),
                "families": list(seen.families),
                "need": seen.need.name.lower(),
                "asks_human": seen.asks_human,
                "language": seen.language,
                "assessors": {o.by.value: o.fingerprint for o in opinions},
                "failures": list(failures),
                "policy": self.release.version,
                "policy_digest": self.release.digest,
            },
            seen.to_json(),
        )
        self.findings.keep(ticket, seq, Assessed(seen, tuple(failures)), first=done.first)
        return {"calls": CALLS_A_MESSAGE - budget.left}

    def _noticed(self, article: Article) -> tuple[Signal, ...]:
        if article not in self._seen_in:
            self._seen_in[article] = tuple(untrusted_signals([article.body], self.release))
        return self._seen_in[article]
