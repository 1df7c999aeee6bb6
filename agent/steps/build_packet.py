"""build_packet: writes the escalation packet from facts, signals, refusals and what the customer has seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from agent.briefing import NOT_DONE, Briefing, Carried, packet_key
from agent.packet_writing import write_packet
from guards.facts import Standing
from guards.lanes import Lane
from ledger.events import Kind
from ledger.packet import EscalationPacket, to_json
from ledger.packet_lint import lint
from ledger.worker import WorkerLedger


@dataclass(frozen=True, slots=True)
class BuildPacket:
    """The packet is composed by rules; no model writes in it."""

    ledger: WorkerLedger
    briefing: Briefing

    async def __call__(self, state: Carried) -> dict[str, Any]:
        """Records the packet; ``open_review`` reads it back from the ledger."""
        ticket, seq = state["ticket"], state["seq"]
        held = self.ledger.snapshot(ticket, NOT_DONE)
        case = await self.briefing.case(state, held)
        prepared = self.briefing.prepared(state) if case.decision.lane is Lane.ASSISTED else None
        packet = passed(write_packet(case, self.briefing.not_done(held), prepared, seq))
        head = {"lane": int(packet.lane), "owner": packet.owner.queue, "policy": packet.policy_version}
        self.ledger.record(ticket, Kind.PACKET_BUILT, packet_key(seq), head, to_json(packet))
        return {}


def passed(packet: EscalationPacket) -> EscalationPacket:
    """The packet as the lint lets it stand: one that is refused loses what it says beyond the facts, and tells so.

    A person gets it all the same, with what the lint still finds shown beside it: a packet is never withheld.
    """
    found = lint(packet)
    if not found:
        return packet
    wrong = {f.where for f in found}
    confirmed = tuple(
        s for i, s in enumerate(packet.summary) if s.standing is Standing.CONFIRMED and f"summary[{i}]" not in wrong
    )
    note = f"the summary was left out: {'; '.join(sorted({f.rule for f in found}))}"
    return replace(packet, summary=confirmed, degraded=(*packet.degraded, note))
