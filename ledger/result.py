"""One ticket's result, read from the ledger: lane, triggers, reasons, grant, reply or draft or packet, and what was not done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from guards.gate import Refusal
from guards.lanes import LaneDecision
from guards.triggers import Trigger
from ledger.events import Event, Kind
from ledger.history import History, TicketRecord
from ledger.letters import Delivery, DeliveryState
from ledger.packets.packet import EscalationPacket, NotDone, not_done_from, to_json
from ledger.reviews import Review, Reviews


@dataclass(frozen=True, slots=True)
class TicketResult:
    """What came of a ticket so far."""

    ticket: TicketRecord
    decision: LaneDecision | None
    """None where no lane could be assigned (the event failed, and a person has it)."""
    lane: int
    """The lane the ledger holds now."""
    triggers: Mapping[str, Mapping[str, Any]]
    """``{trigger: {level, evidence, by}}`` for every trigger."""
    rights: tuple[str, ...]
    not_done: tuple[NotDone, ...]
    replies: tuple[Delivery, ...]
    """Texts that left or may leave, in order."""
    review: Review | None
    """The open question to a person."""
    assessors: Mapping[str, str]
    """Who assessed: ``{"head": fingerprint, "model": …}``."""
    failures: tuple[str, ...]
    held: str
    """Why an answer in lane 1 was held back; empty where none was."""
    mailed: Mapping[str, str] = field(default_factory=dict)
    """Where those replies went, by reply key, that left by mail in place of the chat."""

    @property
    def packet(self) -> EscalationPacket | None:
        """The open review's packet."""
        return self.review.packet if self.review else None

    @property
    def draft(self) -> str | None:
        """The draft that a person may approve."""
        return self.review.draft.text if self.review and self.review.draft else None

    @property
    def mode(self) -> str:
        """``embedded`` where no model took part, else the model's fingerprint."""
        return self.assessors.get("model", "embedded")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, as ``lanewise draft`` prints it."""
        decision = self.decision.to_json() if self.decision else {}
        return {
            "id": self.ticket.id,
            "lane": self.lane,
            "lane_by_risk": decision.get("lane_by_risk", self.lane),
            "unit": decision.get("unit", "conversation"),
            "units": decision.get("units", ["conversation"]),
            "families": decision.get("families", []),
            "consequence": decision.get("consequence", "high"),
            "triggers": {name: dict(row) for name, row in self.triggers.items()},
            "reasons": decision.get("reasons", []),
            "grant": list(self.rights),
            "replies": [
                {
                    "piece": d.letter.piece.value,
                    "state": d.state.value,
                    "text": d.body.text,
                    "to": self.mailed.get(d.reply_key) or d.letter.recipient,
                }
                for d in self.replies
            ],
            "draft": self.draft,
            "packet": to_json(self.packet) if self.packet else None,
            "review": self.review.id if self.review else None,
            "not_done": [n.words for n in self.not_done],
            "held": self.held,
            "policy_version": decision.get("policy_version", ""),
            "assessed_by": dict(self.assessors),
            "mode": self.mode,
            "failures": list(self.failures),
        }


def read_result(history: History, reviews: Reviews, ticket: str) -> TicketResult:
    """The ticket's result as it stands. UnknownTicket."""
    record = history.ticket(ticket)
    events = history.timeline(ticket)
    assigned = _last(events, Kind.LANE_ASSIGNED)
    assessed = _last(events, Kind.TRIGGERS_ASSESSED)
    granted = _last(events, Kind.RIGHTS_GRANTED)
    composed = _last(events, Kind.ANSWER_COMPOSED)
    review = reviews.of_ticket(ticket)
    withheld = [Refusal(**w) for w in granted.head["withheld"]] if granted else []
    refused = history.refusals(ticket)
    packet = review.packet if review else None
    replies = tuple(d for d in history.deliveries(ticket) if d.state is not DeliveryState.REFUSED)
    return TicketResult(
        ticket=record,
        decision=_decision(assigned),
        lane=int(history.register(ticket).lane),
        triggers=_triggers(assessed),
        rights=tuple(granted.head["rights"]) if granted else (),
        not_done=packet.not_done if packet else not_done_from([*refused, *withheld]),
        replies=replies,
        review=review,
        assessors=assessed.head["assessors"] if assessed else {},
        failures=tuple(assessed.head["failures"]) if assessed else ("no assessment was recorded",),
        held=str(composed.head.get("reason", "")) if composed else "",
        mailed={d.reply_key: to for d in replies if (to := history.mailed_to(d))},
    )


def _last(events: tuple[Event, ...], kind: Kind) -> Event | None:
    return next((e for e in reversed(events) if e.kind is kind), None)


def _decision(assigned: Event | None) -> LaneDecision | None:
    raw = assigned.body.json() if assigned and assigned.body else None
    return LaneDecision.from_json(raw) if raw else None


def _triggers(assessed: Event | None) -> Mapping[str, Mapping[str, Any]]:
    if assessed is None:
        return {t.value: {"level": "low", "evidence": [], "by": []} for t in Trigger}
    raw = (assessed.body.json() if assessed.body else None) or {"signals": []}
    return {
        t.value: {
            "level": assessed.head["levels"][t.value],
            "evidence": [s["evidence"] for s in raw["signals"] if s["trigger"] == t.value],
            "by": sorted({f"{s['by']}:{s['id']}" for s in raw["signals"] if s["trigger"] == t.value}),
        }
        for t in Trigger
    }
