"""assign_lane: the law is applied, and the ledger's register raised to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypedDict

from agent.findings import Findings
from agent.settling import settled_by_customer
from agent.sources import Sources, asks_of
from agent.telling import tellable
from guards.assign import Coverage, assign
from guards.facts import Fact, Facts
from guards.lanes import Lane, LaneDecision, Unit
from guards.policy import Release
from guards.rollout import for_ticket
from ledger.events import Entry, Kind
from ledger.worker import WorkerLedger


class Seen(TypedDict):
    """What this step reads of the run."""

    ticket: str
    seq: int


@dataclass(frozen=True, slots=True)
class AssignLane:
    """Opens the answer owed to this message at its lane, raises the floor where the conversation escalates."""

    ledger: WorkerLedger
    findings: Findings
    release: Release

    async def __call__(self, state: Seen) -> dict[str, Any]:
        """Adds ``lane`` and ``opening``; the ledger holds the decision and its reasons."""
        ticket, seq = state["ticket"], state["seq"]
        gathered, assessed = self.findings.gathered(ticket, seq), self.findings.assessed(ticket, seq)
        facts, sources, assessment = gathered.facts, gathered.sources, assessed.assessment
        held = self.ledger.snapshot(ticket)
        messages = held.messages
        asked = next((m.text for m in reversed(messages) if m.role == "customer"), "")
        told = tellable(asked, assessment, facts, self.release)
        several = questions if len(questions := asks_of(asked)[1:]) > 1 else []
        if sources.answer is None and not all(tellable(q, assessment, facts, self.release) for q in several):
            told = ()  # a fact that answers one question does not answer the others
        coverage = coverage_of(facts, sources, told)
        if settled_by_customer(messages):
            # "That worked, thank you" asks nothing, so no article has to answer it.
            coverage = replace(coverage, source="the customer's own confirmation")
        decision = assign(
            assessment,
            coverage,
            for_ticket(self.release, assessment.families, self.ledger.ceilings()),
            failures=assessed.failures,
            floor=max(held.register.lane, held.register.floor),
            halted=self.ledger.is_halted(assessment.families),
        )
        entry = Entry(
            Kind.LANE_ASSIGNED,
            self.findings.key_of(LaneDecision, seq),
            {
                "lane": int(decision.lane),
                "lane_by_risk": int(decision.lane_by_risk),
                "unit": decision.unit.value,
                "units": [u.value for u in decision.units],
                "families": list(decision.families),
                "domains": [f.domain if (f := self.release.family_of(name)) else "" for name in decision.families],
                "consequence": decision.consequence.value,
                "rules": [r.rule for r in decision.reasons],
                "tier": str(facts.value("account.tier") or "unknown"),
                "segment": str(facts.value("account.segment") or "unknown"),
                "policy": self.release.version,
                "policy_digest": self.release.digest,
            },
            decision.to_json(),
        )
        assigned = self.ledger.assign(
            ticket,
            seq,
            decision.lane,
            actions=["state_change"] if Unit.ACTION in decision.units else [],
            floor=Lane.HUMAN_OWNED if Unit.CONVERSATION in decision.units else None,
            also=[entry],
        )
        opening = next((o.id for o in assigned.answers if o.opened_by == seq), 0)
        self.findings.keep(ticket, seq, decision)
        return {"lane": int(assigned.lane), "opening": opening}


def coverage_of(facts: Facts, sources: Sources, told: tuple[Fact, ...] = ()) -> Coverage:
    """The positive reasons for lane 1: an article that answers, two between which the customer may choose, or a
    confirmed fact of their own account."""
    found = sources.answer or (sources.choice[0] if sources.choice else None)
    return Coverage(
        source=f"{found.id} v{found.version}" if found else ", ".join(f.name for f in told),
        account_confirmed=facts.get("account.tier").known,
        requester_verified=facts.value("requester.verified") is True,
    )
