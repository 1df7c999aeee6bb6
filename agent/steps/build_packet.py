"""build_packet: writes the escalation packet from facts, signals, refusals and what the customer has seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.briefing import Briefing, Carried
from agent.packet_writing import write_packet
from ledger.events import Kind
from ledger.packet import to_json
from ledger.worker import WorkerLedger


@dataclass(frozen=True, slots=True)
class BuildPacket:
    """The packet is composed by rules; no model writes in it."""

    ledger: WorkerLedger
    briefing: Briefing

    async def __call__(self, state: Carried) -> dict[str, Any]:
        """Records the packet; ``open_review`` reads it back from the ledger."""
        ticket, seq = state["ticket"], state["seq"]
        case = await self.briefing.case(state)
        packet = write_packet(case, self.briefing.not_done(state), self.briefing.prepared(state), seq)
        head = {"lane": int(packet.lane), "owner": packet.owner.queue, "policy": packet.policy_version}
        self.ledger.record(ticket, Kind.PACKET_BUILT, f"{seq}/packet", head, to_json(packet))
        return {}
