"""What the scorers may look at: everything that stands in the ledger after a case was played."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from guards.facts import Facts
from guards.gate import Piece
from guards.lanes import Lane
from guards.policy import Release
from ledger.events import Event, Kind
from ledger.history import History
from ledger.letters import Delivery
from ledger.packets.packet import EscalationPacket, ObservedPacket, from_json
from ledger.packets.pages import to_text
from ledger.result import TicketResult, read_result
from ledger.reviews import Reviews
from ledger.store import Store
from tools.systems import Article


@dataclass(frozen=True)
class Evidence:
    """One case, played."""

    result: TicketResult
    lanes: tuple[int, ...]
    """The lane after each live message."""
    timeline: tuple[Event, ...]
    deliveries: tuple[Delivery, ...]
    """Every text that was ever put into the outbox, refused ones too."""
    articles: tuple[Article, ...]
    """The current articles of this world, of every audience."""
    release: Release
    today: date
    failed_acts: tuple[str, ...] = ()
    """What a person of the case could not do, and why."""

    @cached_property
    def packet(self) -> EscalationPacket | None:
        """The open review's packet, else the last one that was built; None for a routine ticket that a release only
        observes, where nobody is handed anything."""
        held = self.result.packet
        if held is None:
            built = self.last(Kind.PACKET_BUILT)
            raw = built.body.json() if built and built.body else None
            held = from_json(raw) if raw else None
        return None if isinstance(held, ObservedPacket) else held

    @cached_property
    def packet_text(self) -> str:
        """The packet as a person reads it."""
        return to_text(self.packet) if self.packet else ""

    @property
    def from_us(self) -> tuple[Delivery, ...]:
        """The texts that no person approved."""
        return tuple(d for d in self.deliveries if d.letter.piece is not Piece.APPROVED)

    @property
    def observed_only(self) -> bool:
        """True where the release lets nothing leave, so that nothing that leaves can be judged."""
        return self.release.rollout.phase.value == "observe_only"

    def last(self, kind: Kind) -> Event | None:
        """The last event of a kind."""
        return next((e for e in reversed(self.timeline) if e.kind is kind), None)

    def of_kind(self, *kinds: Kind) -> Iterator[Event]:
        """The events of some kinds, in order."""
        return (e for e in self.timeline if e.kind in kinds)

    def lane_at(self, seq: int) -> Lane:
        """The lane that the ledger held when an event was written: each raise and each lowering is an event."""
        held: Any = 1
        for event in self.of_kind(Kind.LANE_RAISED, Kind.LANE_LOWERED):
            if event.seq < seq:
                held = event.head["lane"][1]
        return Lane.read(held)

    def claimed_at(self, seq: int) -> bool:
        """True where a person had the thread when an event was written."""
        kinds = (Kind.THREAD_CLAIMED, Kind.THREAD_RELEASED, Kind.HANDED_BACK, Kind.PERSON_DECIDED)
        claimed = False
        for event in self.of_kind(*kinds):
            if event.seq < seq:
                ended = event.kind is not Kind.PERSON_DECIDED or event.head.get("decision") == "resolved"
                claimed = event.kind is Kind.THREAD_CLAIMED or (claimed and not ended)
        return claimed

    def facts_before(self, seq: int) -> Facts:
        """The facts as they were gathered last before an event."""
        found = [e for e in self.of_kind(Kind.FACTS_GATHERED) if e.seq < seq and e.body]
        raw: Mapping[str, Any] = (found[-1].body.json() if found and found[-1].body else None) or {"facts": []}
        return Facts.from_json(raw["facts"])

    @property
    def sources(self) -> tuple[str, ...]:
        """The ids of the articles that the last answer was made from."""
        composed = self.last(Kind.ANSWER_COMPOSED)
        named = composed.head.get("sources", []) if composed else []
        return tuple(m[1] for s in named if (m := re.fullmatch(r"(.+) v\d+", str(s))))


def read_evidence(
    store: Store,
    ticket: str,
    lanes: tuple[int, ...],
    articles: tuple[Article, ...],
    release: Release,
    failed_acts: tuple[str, ...] = (),
) -> Evidence:
    """Everything the ledger holds of a ticket. UnknownTicket."""
    history = History(store)
    return Evidence(
        result=read_result(history, Reviews(store), ticket),
        lanes=lanes,
        timeline=history.timeline(ticket),
        deliveries=history.deliveries(ticket),
        articles=articles,
        release=release,
        today=store.now().date(),
        failed_acts=failed_acts,
    )
