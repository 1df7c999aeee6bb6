"""Briefs a step: reads a run and the ledger into a Case, and opens a toolbox that asks the ledger on every call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from agent.case import Case, customer_words
from agent.lane_work.assisted import Prepared
from agent.outgoing import Outgoing
from agent.sources import SourceFinder, Sources
from guards.assess import Assessment
from guards.assign import owner_for
from guards.facts import Facts
from guards.gate import Grant, Refusal
from guards.grant import grant
from guards.lanes import Lane, LaneDecision
from guards.policy import Release
from ledger.events import Kind
from ledger.packet_json import from_plain
from ledger.worker import WorkerLedger
from tools.actions import KNOWN, Ports, tools_for
from tools.systems import Article, Systems
from tools.toolbox import Toolbox

EXCERPT_AT = 0.10
"""An article this near is worth quoting to an agent, who judges it; not to a customer."""


class Carried(TypedDict):
    """What the lanes' steps read of the run."""

    ticket: str
    seq: int
    facts: list[dict[str, Any]]
    sources: dict[str, Any]
    assessment: dict[str, Any]
    calls: int
    failures: list[str]
    decision: dict[str, Any]
    opening: int
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Briefing:
    """What the lanes' steps share: reading a case, and a toolbox for a lane."""

    ledger: WorkerLedger
    systems: Systems
    finder: SourceFinder
    release: Release
    read_by: str

    async def case(self, state: Carried) -> Case:
        """The case as the ledger and the run have it now. Its lane is the register's, never the state's."""
        messages = self.ledger.thread(state["ticket"])
        register = self.ledger.register(state["ticket"])
        assessment = Assessment.from_json(state["assessment"])
        decision = LaneDecision.from_json({**state["decision"], "lane": int(register.lane)})
        sources = Sources.from_json(state["sources"])
        articles = [await self.finder.article(h.id, h.version) for h in sources.hits]
        return Case(
            ticket=self.ledger.ticket(state["ticket"]),
            messages=messages,
            words=customer_words(messages),
            facts=Facts.from_json(state["facts"]),
            assessment=assessment,
            decision=decision,
            owner=owner_for(decision, assessment.matrix, self.release),
            sources=sources,
            articles=tuple(a for a in articles if a is not None),
            macros=self.systems.macros,
            queues=self.systems.queues,
            release=self.release,
            failures=tuple(state["failures"]),
            read_by=self.read_by,
            now=self.ledger.now(),
        )

    def toolbox(self, state: Mapping[str, Any], lane: Lane) -> Toolbox:
        """Only that lane's tools (the first refusal), in the executor that re-reads lane and epoch at each call
        (the second). The post room is the third."""
        ticket, seq = str(state["ticket"]), int(state["seq"])
        out = Outgoing(self.ledger, self.release, ticket, seq)
        return Toolbox(
            tools_for(lane, Ports(out)),
            read_grant=lambda: self.grant(ticket),
            record_refusal=lambda refusal: self._record(ticket, seq, refusal),
            known=KNOWN,
        )

    def grant(self, ticket: str) -> Grant:
        """The rights that the ledger's lane gives at this very moment."""
        register, halted = self.ledger.standing(ticket)
        return grant(register.lane, register.epoch, self.release, halted=halted)

    def _record(self, ticket: str, seq: int, refusal: Refusal) -> None:
        self.ledger.refuse(ticket, f"{seq}/{refusal.rule}/{refusal.what}"[:200], refusal)

    def excerpts(self, case: Case) -> tuple[tuple[Article, tuple[str, ...]], ...]:
        """The sentences of near articles that a draft may quote, each with its article."""
        found = []
        for hit in case.sources.hits[:2]:
            article = case.article(hit.id)
            if article is not None and hit.score >= EXCERPT_AT:
                found.append((article, self.finder.relevant_sentences(case.question, article)))
        return tuple(found)

    def not_done(self, state: Carried) -> tuple[Refusal, ...]:
        """Refused and withheld rights, from the ledger (law 7)."""
        ticket = state["ticket"]
        given = [e for e in self.ledger.events(ticket, [Kind.RIGHTS_GRANTED]) if e.head]
        withheld = [Refusal(**w) for w in given[-1].head["withheld"]] if given else []
        if given and Lane.read(given[-1].head["lane"]) is not self.ledger.register(ticket).lane:
            withheld = list(self.grant(ticket).withheld)
        return (*self.ledger.refusals(ticket), *withheld)

    def prepared(self, state: Carried) -> Prepared | None:
        """The lane-2 work of this run, read back from the ledger; None in lane 3."""
        for event in reversed(self.ledger.events(state["ticket"], [Kind.DRAFT_PREPARED])):
            if event.key.endswith(f"/{state['seq']}/draft") and event.body is not None:
                return from_plain(Prepared, event.body.json())
        return None
