"""What the ledger's tests need to tell a story: a clock that stands still, a ticket, a packet."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from guards.facts import Fact, Standing
from guards.gate import Letter, Permit, Piece, Refusal
from guards.lanes import Consequence, Lane, Unit
from guards.triggers import Level, Trigger
from ledger.decisions import Seen, Signature
from ledger.events import Entry, Kind
from ledger.history import History
from ledger.intake import IncomingMessage, Intake, Received
from ledger.moment import ReleaseView
from ledger.outbox import PostLedger
from ledger.packets.packet import (
    AssistedPacket,
    CustomerFacing,
    CustomerState,
    Damage,
    DecisionWanted,
    Draft,
    FiredTrigger,
    HumanPacket,
    Missing,
    NotDone,
    Owner,
    Quote,
    Reference,
    Sentence,
    group_facts,
)
from ledger.people import PeopleLedger
from ledger.register import Register
from ledger.reviews import Review, Reviews
from ledger.store import Store, open_store
from ledger.words import digest_of
from ledger.worker import WorkerLedger

NOTICE = "Thank you for writing. A colleague will read this and answer you here."
VIEW = ReleaseView("2026.11", True, frozenset({"documentation"}), frozenset({digest_of(NOTICE)}))
DAY = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


class Clock:
    """Stands still until it is told to move."""

    def __init__(self) -> None:
        self.moment = DAY

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **by: float) -> None:
        self.moment += timedelta(**by)


def message(
    ticket: str = "T1", key: str = "m1", text: str = "Where do I find audit logs?", **more: Any
) -> IncomingMessage:
    told: dict[str, Any] = {
        "channel": "mail",
        "subject": "Audit logs",
        "requester_email": "ada@example.com",
        "requester_name": "Ada",
        "verified": True,
        "account_id": "acct-7",
        "recipient": "ada@example.com",
        **more,
    }
    return IncomingMessage(ticket=ticket, key=key, text=text, **told)


@dataclass
class Scene:
    """One store and every actor on it."""

    path: Path
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        counter = itertools.count(1)
        self.store: Store = open_store(self.path, clock=self.clock, ids=lambda: f"id-{next(counter)}")
        self.intake = Intake(self.store)
        self.worker = WorkerLedger(self.store)
        self.people = PeopleLedger(self.store)
        self.post = PostLedger(self.store)
        self.reviews = Reviews(self.store)
        self.history = History(self.store)
        self.signatures = itertools.count(1)

    def receive(
        self, ticket: str = "T1", key: str = "m1", text: str = "Where do I find audit logs?", **more: Any
    ) -> Received:
        return self.intake.receive(message(ticket, key, text, **more))

    def assigned(
        self, lane: int = 1, ticket: str = "T1", families: tuple[str, ...] = ("documentation",), key: str = "m1"
    ) -> Register:
        """The message that came last, given a lane and an open answer."""
        revision = self.worker.register(ticket).revision
        entry = Entry(Kind.LANE_ASSIGNED, f"{key}/assign_lane", {"families": list(families), "lane": lane})
        return self.worker.open_answer(ticket, revision, lane, also=[entry])

    def letter(self, body: str, piece: Piece = Piece.ANSWER, ticket: str = "T1", **more: Any) -> Letter:
        """A letter bound to how things stand now."""
        held = self.worker.register(ticket)
        told: dict[str, Any] = {
            "ticket": ticket,
            "piece": piece,
            "digest": digest_of(body),
            "recipient": "ada@example.com",
            "epoch": held.epoch,
            "revision": held.revision,
            "release": VIEW.version,
            **more,
        }
        return Letter(**told)

    def propose(
        self,
        body: str = "Open Admin, then Audit.",
        key: str = "T1/answer",
        piece: Piece = Piece.ANSWER,
        view: ReleaseView = VIEW,
        ticket: str = "T1",
    ) -> Permit | Refusal:
        return self.worker.propose(self.letter(body, piece, ticket), body, reply_key=key, view=view)

    def sign(self, by: str = "maria", reason: str = "read the thread", key: str = "") -> Signature:
        return Signature(by, reason, key or f"d{next(self.signatures)}")

    def seen(self, ticket: str = "T1") -> Seen:
        """What a person sees who looks now."""
        review = self.reviews.of_ticket(ticket)
        draft = review.draft.digest if review and review.draft else None
        return Seen.of(self.worker.register(ticket), draft)

    def under_review(
        self, draft: str = "We are sorry about the invoice.", ticket: str = "T1", key: str = "m1"
    ) -> Review:
        """The last message in lane 2, with an open review that holds a draft."""
        held = self.assigned(2, ticket, ("billing",), key)
        packet = assisted_packet(draft, ticket=ticket, thread_revision=held.revision)
        return self.worker.open_review(packet, key=f"{key}/open_review", due_at=self.clock() + timedelta(hours=4))


_SHARED: dict[str, Any] = {
    "ticket": "T1",
    "summary": (
        Sentence("Customer requests a downgrade refund after incident-related disruption.", Standing.CLAIMED),
        Sentence("Account plan: enterprise annual.", Standing.CONFIRMED, "account.plan"),
        Sentence("Credits issued: yes.", Standing.CONFIRMED, "credits.issued"),
    ),
    "triggers": (
        FiredTrigger(
            Trigger.POLICY_SENSITIVITY,
            Level.HIGH,
            ("“refund the difference”",),
            ("an answer may create a concession",),
        ),
        FiredTrigger(
            Trigger.MULTI_DOMAIN_COMPLEXITY, Level.MEDIUM, ("billing and outages",), ("two domains in one decision",)
        ),
        FiredTrigger(Trigger.CUSTOMER_PRESSURE, Level.MEDIUM, ("renewal in 21 days",), ("renewal is near",)),
    ),
    "families": ("billing", "outages"),
    "consequence": Consequence.HIGH,
    "damage": (Damage("money", "a concession nobody authorised"),),
    "known": group_facts(
        [
            Fact("account.plan", "enterprise annual", Standing.CONFIRMED, "accounts", DAY),
            Fact("incident.id", "INC-2331", Standing.CONFIRMED, "incidents", DAY),
            Fact("credits.issued", True, Standing.CONFIRMED, "billing", DAY),
            Fact("contract.exception", "possible", Standing.INFERRED, "contracts", DAY, "exception terms present"),
            Fact("contract.amendment", None, Standing.MISSING, "contracts", note="timed out"),
        ]
    ),
    "missing": (
        Missing("whether commercial team approved additional concession range"),
        Missing("whether contract amendment changed refund eligibility", "contracts timed out"),
    ),
    "references": (Reference("refund-policy", "Refunds and credits", "4", "policy"),),
    "owner": Owner("billing specialist", ("CSM",), "contract terms and a credit meet in one decision"),
    "decision_wanted": DecisionWanted(
        "Decide whether the concession goes beyond the standard terms, and who signs it.", Unit.CONVERSATION
    ),
    "not_done": (
        NotDone("did not quote refund approval outcome", "lane", "no assistant lane may commit the organisation"),
        NotDone("did not promise credit amount", "lane", ""),
        NotDone("did not send final reply", "lane", ""),
    ),
    "customer": CustomerFacing(CustomerState.NOTHING_SENT),
    "words": (Quote("We want to downgrade. Please refund the difference: your outage cost us a launch.", 1, DAY),),
    "policy_version": "2026.11",
    "created_at": DAY,
    "thread_revision": 1,
}


def article_packet(**more: Any) -> HumanPacket:
    """The article's packet example, as our type holds it."""
    return HumanPacket(**{**_SHARED, "ticket": "491284", **more})


def human_packet(**more: Any) -> HumanPacket:
    """The same, for ticket T1."""
    return HumanPacket(**{**_SHARED, **more})


def assisted_packet(draft: str | None = "We are sorry about the invoice.", **more: Any) -> AssistedPacket:
    """The same situation, as an assisted ticket with a draft."""
    return AssistedPacket(**{**_SHARED, "draft": None if draft is None else Draft(draft), **more})


LANES = tuple(Lane)
