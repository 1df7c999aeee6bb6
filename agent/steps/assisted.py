"""assisted: lane 2's work, a draft for an agent, through the toolbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.briefing import Briefing, Carried, draft_key
from agent.lane_work import assisted
from agent.model import CALLS_A_MESSAGE, CallBudget
from agent.writers import Writers
from guards.lanes import Lane
from ledger.events import Kind
from ledger.packets.plain_json import to_plain
from ledger.words import digest_of
from ledger.worker import WorkerLedger


@dataclass(frozen=True, slots=True)
class Assisted:
    """Prepares; sends nothing."""

    ledger: WorkerLedger
    briefing: Briefing
    writers: Writers

    async def __call__(self, state: Carried) -> dict[str, Any]:
        """Adds ``result``; the draft's text stays in the ledger."""
        ticket, seq = state["ticket"], state["seq"]
        held = self.ledger.snapshot(state["ticket"])
        case = await self.briefing.case(state, held)
        budget = CallBudget(CALLS_A_MESSAGE - state["calls"])
        excerpts = self.briefing.excerpts(case)
        prepared = await assisted.work(
            case,
            self.briefing.toolbox(state, Lane.ASSISTED, held.register.epoch),
            self.writers.drafter(budget, case.failures),
            excerpts,
        )
        text = prepared.draft.text if prepared.draft else ""
        head = {
            "by": prepared.by,
            "digest": digest_of(text) if text else "",
            "marks": len(prepared.draft.marks) if prepared.draft else 0,
            "routing": prepared.routing.to,
        }
        self.ledger.record(ticket, Kind.DRAFT_PREPARED, draft_key(seq), head, to_plain(prepared))
        earlier = state["result"]
        before = {"held": earlier} if earlier.get("kind") == "held" else {}
        return {"result": {"kind": "prepared", **head, **before}}
