"""autonomous: lane 1's work, through the toolbox; what cannot stand goes on as lane 2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.approved_words import approved_words
from agent.briefing import Briefing, Carried
from agent.lane_work import autonomous
from agent.lane_work.autonomous import Answered, Held
from agent.model import CALLS_A_MESSAGE, CallBudget
from agent.steps.grant_capabilities import head_of
from agent.writers import Writers
from guards.lanes import Lane
from ledger.events import Entry, Kind
from ledger.words import digest_of
from ledger.worker import WorkerLedger


@dataclass(frozen=True, slots=True)
class Autonomous:
    """Proposes an answer, a question or a closing; or raises the answer to lane 2 and says why."""

    ledger: WorkerLedger
    briefing: Briefing
    writers: Writers

    async def __call__(self, state: Carried) -> dict[str, Any]:
        """Adds ``result``; raises ``lane`` where nothing could be said."""
        ticket, seq = state["ticket"], state["seq"]
        held = self.ledger.snapshot(state["ticket"])
        case = await self.briefing.case(state, held)
        budget = CallBudget(CALLS_A_MESSAGE - state["calls"])
        toolbox = self.briefing.toolbox(state, Lane.AUTONOMOUS, held.register.epoch, approved_words(case))
        done = await autonomous.work(case, toolbox, self.writers.chooser(budget))
        match done:
            case Answered(tool, text, sources):
                head = {"tool": tool, "digest": digest_of(text), "sources": list(sources)}
                self.ledger.record(ticket, Kind.ANSWER_COMPOSED, f"{seq}/answer", head, {"text": text})
                return {"result": {"kind": tool, **head}}
            case Held("phase", reason):
                # Observe-only: the lane stands as recommended, for people to agree or disagree with.
                head = {"tool": "observed", "rule": "phase", "reason": reason[:300]}
                self.ledger.record(ticket, Kind.ANSWER_COMPOSED, f"{seq}/answer", head)
                return {"result": {"kind": "observed"}}
            case Held(rule, reason):
                head = {"tool": "held", "rule": rule, "reason": reason[:300]}
                entry = Entry(Kind.ANSWER_COMPOSED, f"{seq}/answer", head)
                raised = self.ledger.raise_answer(ticket, state["opening"], Lane.ASSISTED, also=[entry])
                # The grant of lane 1 died with the raise; whoever reads the ticket is to see the rights that it has now.
                given = head_of(self.briefing.grant(ticket))
                self.ledger.record(ticket, Kind.RIGHTS_GRANTED, f"{seq}/rights/held", given)
                return {
                    "result": {"kind": "held", "rule": rule, "reason": reason},
                    "lane": int(raised.lane),
                    "calls": CALLS_A_MESSAGE - budget.left,
                }
