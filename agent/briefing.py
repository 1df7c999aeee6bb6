"""Briefs a step: reads a run and the ledger into a Case, and opens a toolbox that asks the ledger on every call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from agent.approved_words import NO_WORDS, ApprovedWords
from agent.case import Case, customer_words
from agent.findings import Findings
from agent.lane_work.assisted import Prepared
from agent.outgoing import Outgoing
from agent.sources import SourceFinder
from guards.assign import owner_for
from guards.gate import Grant, Refusal
from guards.grant import grant
from guards.lanes import Lane
from guards.policy import Release
from guards.screening import PeopleOnIt
from ledger.events import Kind
from ledger.history import Snapshot, refused
from ledger.packets.plain_json import from_plain
from ledger.worker import WorkerLedger
from tools.actions import KNOWN, Ports, tools_for
from tools.systems import Article, Systems
from tools.toolbox import Toolbox

EXCERPT_AT = 0.10
"""An article this near is worth quoting to an agent, who judges it; not to a customer."""


NOT_DONE = (Kind.RIGHTS_GRANTED, Kind.RIGHT_REFUSED)
"""The events from which a packet tells what the assistant did not do."""


class Carried(TypedDict):
    """What the lanes' steps read of the run."""

    ticket: str
    seq: int
    calls: int
    opening: int
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Briefing:
    """What the lanes' steps share: reading a case, and a toolbox for a lane."""

    ledger: WorkerLedger
    findings: Findings
    systems: Systems
    finder: SourceFinder
    release: Release
    read_by: str

    async def case(self, state: Carried, held: Snapshot) -> Case:
        """The case as the ledger and the run have it now. Its lane is the register's, never the state's."""
        messages = held.messages
        ticket, seq = state["ticket"], state["seq"]
        gathered, assessed = self.findings.gathered(ticket, seq), self.findings.assessed(ticket, seq)
        decision = replace(self.findings.decided(ticket, seq), lane=held.register.lane)
        articles = [await self.finder.article(h.id, h.version) for h in gathered.sources.hits]
        return Case(
            ticket=held.ticket,
            messages=messages,
            words=customer_words(messages),
            facts=gathered.facts,
            assessment=assessed.assessment,
            decision=decision,
            owner=owner_for(decision, assessed.assessment.matrix, self.release),
            sources=gathered.sources,
            articles=tuple(a for a in articles if a is not None),
            macros=self.systems.macros,
            queues=self.systems.queues,
            release=self.release,
            failures=assessed.failures,
            read_by=self.read_by,
            now=self.ledger.now(),
            people=PeopleOnIt(
                review_open=held.register.lane is not Lane.AUTONOMOUS,  # one is open, or this run opens it
                claimed=held.register.claimed_by is not None,
                decided=held.register.settled_by > 0,
            ),
        )

    def toolbox(
        self, state: Mapping[str, Any], lane: Lane, epoch: int | None = None, approved: ApprovedWords = NO_WORDS
    ) -> Toolbox:
        """Only that lane's tools (the first refusal), in the executor that re-reads lane and epoch at each call
        (the second). The post room is the third. ``epoch`` is the one in which the case was read, where there is one:
        what has risen since is refused. Without ``approved`` no text of lane 1 can be handed in."""
        ticket, seq = str(state["ticket"]), int(state["seq"])
        out = Outgoing(self.ledger, self.release, ticket, seq, approved)
        return Toolbox(
            tools_for(lane, Ports(out)),
            read_grant=lambda: self.grant(ticket),
            record_refusal=lambda refusal: self._record(ticket, seq, refusal, out),
            epoch=epoch,
            known=KNOWN,
        )

    def grant(self, ticket: str) -> Grant:
        """The rights that the ledger's lane gives at this very moment."""
        register, halted = self.ledger.standing(ticket)
        return grant(register.lane, register.epoch, self.ledger.narrowed(ticket, self.release), halted=halted)

    def _record(self, ticket: str, seq: int, refusal: Refusal, out: Outgoing) -> None:
        if any(refusal is told for told in out.refused):
            return  # the ledger refused it, and wrote it down in the same transaction
        self.ledger.refuse(ticket, f"{seq}/{refusal.rule}/{refusal.what}"[:200], refusal)

    def excerpts(self, case: Case) -> tuple[tuple[Article, tuple[str, ...]], ...]:
        """The sentences of near articles that a draft may quote, each with its article."""
        found = []
        for hit in case.sources.hits[:2]:
            article = case.article(hit.id)
            if article is not None and hit.score >= EXCERPT_AT:
                found.append((article, self.finder.relevant_sentences(case.question, article)))
        return tuple(found)

    def not_done(self, held: Snapshot) -> tuple[Refusal, ...]:
        """Refused and withheld rights, from the ledger (law 7). The snapshot holds the events of ``NOT_DONE``."""
        given = [e for e in held.events if e.kind is Kind.RIGHTS_GRANTED and e.head]
        withheld = [Refusal(**w) for w in given[-1].head["withheld"]] if given else []
        if given and Lane.read(given[-1].head["lane"]) is not held.register.lane:
            withheld = list(self.grant(held.ticket.id).withheld)
        return (*(refused(e) for e in held.events if e.kind is Kind.RIGHT_REFUSED), *withheld)

    def prepared(self, state: Carried) -> Prepared | None:
        """The lane-2 work of this run, read back from the ledger; None where there was none."""
        event = self.ledger.recorded(state["ticket"], draft_key(state["seq"]))
        return None if event is None or event.body is None else from_plain(Prepared, event.body.json())


def draft_key(seq: int) -> str:
    """Under which the lane-2 work on an event is recorded."""
    return f"{seq}/draft"


def packet_key(seq: int) -> str:
    """Under which the packet of an event is recorded."""
    return f"{seq}/packet"
