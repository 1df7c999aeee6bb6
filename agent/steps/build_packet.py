"""build_packet: writes the escalation packet from facts, signals, refusals and what the customer has seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from agent.briefing import NOT_DONE, Briefing, Carried, packet_key
from agent.packet_writing import write_packet
from guards.facts import Standing
from guards.lanes import Lane
from ledger.events import Kind
from ledger.packets.lint import LEFT_OUT, lint
from ledger.packets.packet import EscalationPacket, Sentence, to_json
from ledger.worker import WorkerLedger

POINTER = Sentence("Likely needs a person for the triggers and the missing context named below.", Standing.INFERRED)
"""What a summary says of which nothing else may stand."""


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
    """The packet as the lint lets it stand: each sentence of the summary in which it finds a fault is left out, and the
    packet says so. A summary is never empty, for a person would have to rebuild it.

    A person gets it all the same, with what the lint still finds shown beside it: a packet is never withheld.
    """
    faulty = {f.where: f.rule for f in lint(packet) if f.where.startswith("summary[")}
    if not faulty:
        return packet
    kept = tuple(s for i, s in enumerate(packet.summary) if f"summary[{i}]" not in faulty)
    many = "a sentence was" if len(faulty) == 1 else f"{len(faulty)} sentences were"
    note = f"{LEFT_OUT}: {many} not fit to stand ({'; '.join(sorted(set(faulty.values())))})"
    return replace(packet, summary=kept or (POINTER,), degraded=(*packet.degraded, note))
