"""The queue pane: which tickets wait for whom, why, how long still, and what happens when the time is over."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from desk.accounts.people import Person
from desk.decisions import token
from desk.queue_hours import QueueNow, queue_now
from desk.workplace import Workplace
from guards.lanes import Lane
from guards.rollout import Ceiling
from ledger import calling
from ledger.decisions import DecisionKind, Seen
from ledger.events import Kind
from ledger.looks import Looks
from ledger.moment import Halt
from ledger.reviews import Review
from ledger.rollout import RolloutLedger
from ledger.whereabouts import Place, Whereabouts, WhereaboutsLedger

BLIND_SHARE = 0.1
"""How many of the reviews ask the person for the lane before ours is shown. Which ones is fixed by the review's id, so
that nobody chooses and a reload changes nothing."""


class Tab(StrEnum):
    """The lists of the queue pane."""

    WAITING = "waiting"
    MINE = "mine"
    LIVE = "live"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Filter:
    """What of a list is shown; empty for all of it."""

    queue: str = ""
    family: str = ""
    lane: int = 0


@dataclass(frozen=True, slots=True)
class Deadline:
    """When somebody must have decided, and what happens then."""

    at: datetime
    seconds: int
    """Left; below 0 where it is over."""
    at_zero: str
    """What happens when it passes."""

    @property
    def words(self) -> str:
        """``2 h 5 min left`` or ``overdue by 10 min``."""
        minutes = abs(self.seconds) // 60
        long = f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
        return f"{long} left" if self.seconds >= 0 else f"overdue by {long}"

    @property
    def near(self) -> str:
        """over, soon or fine."""
        return "over" if self.seconds < 0 else "soon" if self.seconds < 3600 else "fine"


@dataclass(frozen=True, slots=True)
class Row:
    """One ticket of a list."""

    ticket: str
    reason: str
    """Why a person is asked, first of all."""
    detail: str
    subject: str
    requester: str
    lane: int
    """0 where it is not shown."""
    queue: str
    queue_title: str
    families: tuple[str, ...] = ()
    deadline: Deadline | None = None
    rerouted: bool = False
    claimed_by: str = ""
    fresh_draft: bool = False
    """A draft waits that may be approved as it is."""
    picked: str = ""
    """What the person has seen of it, where they have opened exactly this draft: it may be approved among others."""
    at: datetime | None = None
    state: str = ""


@dataclass(frozen=True, slots=True)
class QueueOption:
    """A queue to filter by or to route to."""

    id: str
    title: str
    now: QueueNow
    waiting: int
    owner: str


@dataclass(frozen=True, slots=True)
class QueuePane:
    """Everything the left pane shows."""

    tab: Tab
    rows: tuple[Row, ...]
    with_colleagues: tuple[Row, ...]
    counts: Mapping[Tab, int]
    chosen: Filter
    queues: tuple[QueueOption, ...]
    families: tuple[str, ...]
    overdue: int
    rerouted: int
    """Open reviews whose time ran out once, so that they were given to another queue."""
    halts: tuple[Halt, ...]
    held: tuple[str, ...] = ()
    """Families that a narrowing or a roll-back holds below what the release allows."""


@dataclass(frozen=True, slots=True)
class OperatorInbox:
    """Reads for the desk, over one workplace."""

    place: Workplace
    looks: Looks = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "looks", Looks(self.place.store))

    def queue(self, person: Person, tab: Tab, chosen: Filter) -> QueuePane:
        """The list of one tab, filtered, with what every tab holds."""
        asked = self.place.reviews.open()
        where = WhereaboutsLedger(self.place.store)
        placed = where.counts()
        mine = [r for r in asked if r.claimed_by == person.name]
        free = [r for r in asked if not r.claimed_by]
        others = [r for r in asked if r.claimed_by and r.claimed_by != person.name]
        moved = where.rerouted()
        listed: dict[Tab, list[Review]] = {Tab.WAITING: free, Tab.MINE: mine}
        if tab in listed:
            rows = tuple(self.row(r, person, r.id in moved) for r in listed[tab] if self._fits(r, chosen, person))
        else:
            there = where.of(Place.ASSISTANT if tab is Tab.LIVE else Place.DONE)
            rows = tuple(_elsewhere(w) for w in there if _fits_elsewhere(w, chosen))
        theirs = others if tab is Tab.WAITING else []
        counts = {
            Tab.WAITING: len(free),
            Tab.MINE: len(mine),
            Tab.LIVE: placed[Place.ASSISTANT],
            Tab.RESOLVED: placed[Place.DONE],
        }
        now = self.place.store.now()
        return QueuePane(
            tab=tab,
            rows=rows,
            with_colleagues=tuple(self.row(r, person, r.id in moved) for r in theirs if self._fits(r, chosen, person)),
            counts=counts,
            chosen=chosen,
            queues=self.queues(asked),
            families=tuple(f.id for f in self.place.release.family),
            overdue=sum(1 for r in asked if r.due_at is not None and r.due_at <= now),
            rerouted=len(moved),
            halts=self.place.history.halts(),
            held=tuple(f for f, c in RolloutLedger(self.place.store).ceilings().items() if c is not Ceiling.OPEN),
        )

    def row(self, review: Review, person: Person, rerouted: bool) -> Row:
        """An open review in one list."""
        ticket = self.place.history.ticket(review.ticket)
        blind = self.blind(review, person)
        reason, detail = ("Name the lane first", "ours is shown afterwards") if blind else reason_of(review)
        draft = "" if review.draft is None or review.stale or blind else review.draft.digest
        looked = self.looks.of(review.ticket, person.name, review.id, draft) if draft else None
        queue = self.place.systems.queue(review.queue)
        return Row(
            ticket=review.ticket,
            reason=reason,
            detail=detail,
            subject=ticket.subject,
            requester=ticket.requester_name or ticket.requester_email,
            lane=0 if blind else int(review.lane),
            queue=review.queue,
            queue_title=queue.title if queue else review.queue,
            families=review.packet.families if review.packet and not blind else (),
            deadline=self.deadline(review),
            rerouted=rerouted,
            claimed_by=review.claimed_by or "",
            fresh_draft=bool(draft),
            picked=self._seen(review) if looked else "",
            at=review.opened_at,
        )

    def deadline(self, review: Review) -> Deadline | None:
        """Its deadline, by the ledger's clock."""
        if review.due_at is None:
            return None
        to = self.place.release.review.deadline_queue
        queue = self.place.systems.queue(to)
        title = queue.title if queue else to
        again = "it gets a new deadline there" if review.queue != to else "it stays there, with a new deadline"
        left = int((review.due_at - self.place.store.now()).total_seconds())
        return Deadline(review.due_at, left, f"then it goes to {title}; {again}")

    def blind(self, review: Review, person: Person) -> bool:
        """True where the person is to name the lane before they see ours."""
        if not review.open or not asked_blind(review.id):
            return False
        return not any(
            e.head.get("decision") == DecisionKind.LANE_NAMED.value
            and e.head.get("review") == review.id
            and e.actor == person.name
            for e in self.place.history.timeline(review.ticket)
            if e.kind is Kind.PERSON_DECIDED
        )

    def queues(self, asked: Iterable[Review]) -> tuple[QueueOption, ...]:
        """The company's queues, when each is at work, and how much waits there."""
        now, waiting = self.place.store.now(), [r.queue for r in asked]
        return tuple(
            QueueOption(q.queue_id, q.title, queue_now(q, now), waiting.count(q.queue_id), q.owner)
            for q in self.place.systems.queues
        )

    def _seen(self, review: Review) -> str:
        register = self.place.history.register(review.ticket)
        return token(Seen.of(register, review.draft.digest if review.draft else None))

    def _fits(self, review: Review, chosen: Filter, person: Person) -> bool:
        if chosen.queue not in ("", review.queue):
            return False
        if not chosen.lane and not chosen.family:
            return True
        # A filter that finds a blind review by its lane or families would tell them.
        if self.blind(review, person):
            return False
        families = review.packet.families if review.packet else ()
        return chosen.lane in (0, int(review.lane)) and (not chosen.family or chosen.family in families)


def asked_blind(review: str, share: float | None = None) -> bool:
    """True for the share of reviews, by their ids, whose lane a person names first."""
    place = int.from_bytes(hashlib.sha256(f"lane first/{review}".encode()).digest()[:4], "big") / 2**32
    return place < (BLIND_SHARE if share is None else share)


_CALLED = {"merged": "Another ticket was merged in", "person_asked_for": "A person was asked for"}
"""Why a person was called where nothing failed."""


def reason_of(review: Review) -> tuple[str, str]:
    """Why a person is asked, in a few words, and one sentence more."""
    if review.why != "escalated":
        told = calling.WHY.get(review.why)
        return _CALLED.get(review.why, "Something failed"), told.happened if told else review.why.replace("_", " ")
    packet = review.packet
    if packet is None:
        return "The packet cannot be shown", "read the conversation"
    if not packet.triggers:
        lead = "A draft waits" if packet.lane is Lane.ASSISTED else packet.decision_wanted.words
        return lead, packet.decision_wanted.words
    first = packet.triggers[0]
    name = first.trigger.value.replace("_", " ").capitalize()
    more = first.why[0] if first.why else first.evidence[0] if first.evidence else packet.decision_wanted.words
    return f"{name}: {first.level.word}", more


_STATES = {
    "reading": "being worked on now",
    "sending": "an answer is on its way",
    "answered": "answered; the customer's turn",
    "waiting": "with the assistant",
    "handed_back": "handed back; the customer's turn",
    "quiet": "the customer has not written again",
    "customer_closed": "the customer says it is resolved",
    "approved": "draft approved",
    "edited_and_approved": "edited and approved",
    "answered_by": "answered",
    "resolved": "resolved",
    "merged": "merged into another",
}


def _elsewhere(found: Whereabouts) -> Row:
    said = _STATES.get(found.state, found.state.replace("_", " "))
    return Row(
        ticket=found.ticket,
        reason=f"{said.capitalize()}" + (f" by {found.by}" if found.by else ""),
        detail=", ".join(f.replace("_", " ") for f in found.families),
        subject=found.subject,
        requester=found.requester,
        lane=found.lane,
        queue="",
        queue_title="",
        families=found.families,
        at=found.at,
        state=found.state,
    )


def _fits_elsewhere(found: Whereabouts, chosen: Filter) -> bool:
    return chosen.lane in (0, found.lane) and (not chosen.family or chosen.family in found.families)
