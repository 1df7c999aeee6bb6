"""human_owned: lane 3's work; organises the case and says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.briefing import Briefing, Carried
from agent.lane_work import human_owned
from guards.lanes import Lane


@dataclass(frozen=True, slots=True)
class HumanOwned:
    """Names references for the owner; it is given no writer, no chooser and no way to a customer."""

    briefing: Briefing

    async def __call__(self, state: Carried) -> dict[str, Any]:
        """Adds ``result``."""
        held = self.briefing.ledger.snapshot(state["ticket"])
        case = await self.briefing.case(state, held)
        done = await human_owned.work(case, self.briefing.toolbox(state, Lane.HUMAN_OWNED, held.register.epoch))
        return {"result": {"kind": "organised", "references": [r.id for r in done.references]}}
