"""open_review: asks a person, tells the customer by an approved notice, and re-routes what nobody took in time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypedDict

from agent.briefing import Briefing, packet_key
from agent.findings import Findings
from agent.outgoing import notice_for
from guards.lanes import Lane
from guards.policy import Release
from guards.triggers import Trigger
from ledger.events import Kind
from ledger.packets.packet import EscalationPacket, Owner, from_json
from ledger.worker import WorkerLedger
from tools.systems import Systems


class Seen(TypedDict):
    """What this step reads of the run."""

    ticket: str
    seq: int
    kind: str


@dataclass(frozen=True, slots=True)
class OpenReview:
    """A review is one row in the ledger: a second message joins it, a passed deadline moves it."""

    ledger: WorkerLedger
    findings: Findings
    systems: Systems
    release: Release
    briefing: Briefing

    async def __call__(self, state: Seen) -> dict[str, Any]:
        """Opens, revises or re-routes the ticket's review."""
        if state["kind"] == Kind.DEADLINE_PASSED:
            return self._reroute(state)
        ticket, seq = state["ticket"], state["seq"]
        built = self.ledger.recorded(ticket, packet_key(seq))
        assert built is not None and built.body is not None
        packet = from_json(built.body.json())
        review = self.ledger.open_review(packet, key=f"{seq}/review", due_at=self._due(packet))
        if packet.lane is not Lane.AUTONOMOUS:
            await self._notice(state, packet)
        return {"result": {"kind": "review", "review": review.id, "revision": review.revision}}

    def _due(self, packet: EscalationPacket) -> Any:
        queue = self.systems.queue(packet.owner.queue)
        hours = queue.first_reply_hours if queue and queue.first_reply_hours else self.release.review.deadline_hours
        return self.ledger.now() + timedelta(hours=min(hours, self.release.review.deadline_hours))

    def _reroute(self, state: Seen) -> dict[str, Any]:
        review = self.ledger.review(state["ticket"])
        if review is None:
            return {"result": {"kind": "deadline", "review": ""}}
        held = review.packet or self.ledger.packet_for(state["ticket"], review.why)
        to = self.release.review.deadline_queue
        why = (
            f"nobody decided by {review.due_at:%Y-%m-%d %H:%M} UTC; it was with {review.queue}" if review.due_at else ""
        )
        seen = tuple(dict.fromkeys((review.queue, *held.owner.visibility)))
        packet = replace(held, owner=Owner(to, tuple(q for q in seen if q != to), why))
        due = self.ledger.now() + timedelta(hours=self.release.review.deadline_hours)
        moved = self.ledger.revise_review(review.id, packet, key=f"{state['seq']}/deadline", due_at=due)
        return {"result": {"kind": "deadline", "review": moved.id, "queue": to}}

    async def _notice(self, state: Seen, packet: EscalationPacket) -> None:
        crossed = self.findings.assessed(state["ticket"], state["seq"]).assessment.matrix.boundaries
        fired = tuple(Trigger(t.trigger) for t in packet.triggers)
        lane = Lane.read(int(packet.lane))
        notice = notice_for(self.release, lane, crossed, fired)
        toolbox = self.briefing.toolbox({"ticket": state["ticket"], "seq": state["seq"]}, lane)
        # A refusal here is no failure: a person has claimed the thread, or this escalation has had its notice.
        await toolbox.call("release_notice", {"text": notice.text})
