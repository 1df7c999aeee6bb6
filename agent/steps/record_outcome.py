"""record_outcome: writes how the event ended beside what was proposed, so that the policy can learn from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

from ledger.events import Kind
from ledger.worker import WorkerLedger


class Seen(TypedDict):
    """What this step reads of the run."""

    ticket: str
    seq: int
    kind: str
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RecordOutcome:
    """The last step of every run."""

    ledger: WorkerLedger

    async def __call__(self, state: Seen) -> dict[str, Any]:
        """Records the outcome; a person's decision stands beside the lane, triggers and draft that were proposed."""
        head: dict[str, Any] = {"event": state["kind"], "result": state["result"].get("kind", state["kind"])}
        if state["kind"] == Kind.PERSON_DECIDED:
            head |= self._beside(state["ticket"], state["seq"])
        self.ledger.record_outcome(state["ticket"], f"{state['seq']}/outcome", head)
        return {}

    def _beside(self, ticket: str, seq: int) -> dict[str, Any]:
        events = self.ledger.events(ticket)
        decided = next(e for e in events if e.seq == seq)
        assigned = next((e for e in reversed(events) if e.kind is Kind.LANE_ASSIGNED and e.seq < seq), None)
        return {
            "decision": decided.head.get("decision", ""),
            "by": decided.actor,
            "proposed_lane": assigned.head["lane"] if assigned else None,
            "proposed_rules": assigned.head["rules"] if assigned else [],
            "policy": assigned.head["policy"] if assigned else None,
        }
