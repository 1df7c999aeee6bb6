"""A seeded, random life of a small desk: every event is written by the ledger's own acts, some of them refused."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from ledger_scene import VIEW, Scene, assisted_packet, human_packet

from guards.gate import Permit, Piece
from guards.lanes import Consequence, Lane
from guards.triggers import Level, Trigger
from ledger.decisions import PacketRating, Signature
from ledger.errors import LedgerError
from ledger.events import Entry, Kind
from ledger.looks import Looks
from ledger.moment import ReleaseView
from ledger.packets.packet import Owner
from ledger.reviews import Review
from ledger.words import digest_of

FAMILIES = ("billing", "documentation", "security")
QUEUES = ("frontline_support", "billing_specialist", "security_team")
WORDS = [
    "the",
    "invoice",
    "of",
    "march",
    "was",
    "sent",
    "to",
    "the",
    "address",
    "that",
    "you",
    "gave",
    "us",
    "and",
    "a",
    "copy",
    "is",
    "on",
    "its",
    "way",
]


@dataclass
class Desk:
    """What happens next is drawn from a seed."""

    scene: Scene
    seed: int
    tickets: int = 24
    chance: random.Random = field(init=False)
    number: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def live(self, steps: int) -> None:
        """So many things happen; what the ledger refuses did not."""
        for _ in range(steps):
            self.scene.clock.forward(seconds=self.chance.choice([5, 20, 3600, 40_000, 200_000]))
            act = self.chance.choice(
                [self.message, self.message, self.answer, self.answer, self.ask, self.ask, *self.decisions()]
            )
            with suppress(LedgerError):
                act(f"T{self.chance.randrange(self.tickets)}")

    def decisions(self) -> list[Callable[[str], None]]:
        names = "approve edit reject answer_myself move_lane correct move resolve hand_back rate close_on deliver erase name_lane"
        return (
            [getattr(self, name) for name in names.split()] + [self.deliver] * 4 + [self.approve, self.edit, self.rate]
        )

    # what comes in

    def message(self, ticket: str) -> None:
        self.number += 1
        who = f"c{self.chance.randrange(3)}@example.com"
        self.scene.receive(ticket, f"m{self.number}", f"message {self.number}", requester_email=who, recipient=who)
        self.assign(ticket)
        if self.chance.random() < 0.5:
            self.answer(ticket)
            self.deliver(ticket)

    def assign(self, ticket: str) -> None:
        lane = self.chance.choice([1, 1, 1, 2, 3])
        families = self.chance.sample(FAMILIES, self.chance.choice([0, 1, 1, 1, 2]))
        rules = ["mostly_low"] if lane == 1 else self.chance.sample(["no_source", "policy_high", "rollout"], 2)
        head = {
            "families": families,
            "lane": lane,
            "rules": rules,
            "consequence": self.chance.choice(list(Consequence)).value,
            "tier": self.chance.choice(["team", "enterprise", "unknown"]),
            "segment": self.chance.choice(["smb", "unknown"]),
            "policy": self.view(ticket).version,
        }
        worker, revision = self.scene.worker, self.scene.worker.register(ticket).revision
        entry = Entry(Kind.LANE_ASSIGNED, f"{revision}/{self.number}/lane", head)
        worker.open_answer(ticket, revision, lane, also=[entry])

    def answer(self, ticket: str) -> None:
        """The assistant's own answer; refused where the lane does not allow it."""
        self.number += 1
        body = f"Open Admin, then Audit. ({self.number})"
        view = self.view(ticket)
        to = self.scene.history.ticket(ticket).recipient
        letter = self.scene.letter(body, ticket=ticket, release=view.version, recipient=to)
        self.scene.worker.propose(letter, body, reply_key=f"r{self.number}", view=view)

    def close_on(self, ticket: str) -> None:
        self.number += 1
        body = f"We close this. ({self.number})"
        to = self.scene.history.ticket(ticket).recipient
        letter = self.scene.letter(body, Piece.CLOSING, ticket, release=self.view(ticket).version, recipient=to)
        done = self.scene.worker.propose(letter, body, reply_key=f"r{self.number}", view=self.view(ticket))
        assert isinstance(done, Permit) or done.rule

    def view(self, ticket: str) -> ReleaseView:
        """The release that is in force for a ticket."""
        return self.view_of(f"2026.{10 + int(ticket[1:]) % 2}")

    def view_of(self, version: str) -> ReleaseView:
        return replace(VIEW, version=version, open_families=frozenset(FAMILIES))

    def deliver(self, ticket: str) -> None:
        for key in self.scene.post.waiting():
            held = self.scene.post.delivery(key)
            begun = self.scene.post.begin(key, self.view_of(held.letter.release))
            if hasattr(begun, "body"):
                self.chance.choice([self.scene.post.sent, self.scene.post.sent, self.fail])(key)

    def fail(self, key: str) -> None:
        self.scene.post.unknown(key, "it broke")

    def ask(self, ticket: str) -> None:
        self.number += 1
        register = self.scene.worker.register(ticket)
        more = {
            "ticket": ticket,
            "thread_revision": register.revision,
            "owner": Owner(self.chance.choice(QUEUES), (), "because"),
        }
        text = " ".join(self.chance.sample(WORDS, 12))
        packet = assisted_packet(text, **more) if self.chance.random() < 0.8 else human_packet(**more)
        routing = {"routing": self.chance.choice(["frontline", "specialist"]), "by": "rules"}
        entry = Entry(Kind.DRAFT_PREPARED, f"{self.number}/draft", routing)
        if self.chance.random() < 0.7:
            self.scene.worker.open_answer(ticket, register.revision, 2)
        self.scene.worker.open_review(packet, key=f"{self.number}/review", also=[entry])
        if self.chance.random() < 0.4:
            self.scene.clock.forward(seconds=self.chance.choice([4, 400]))
            self.chance.choice([self.approve, self.approve, self.edit])(ticket)

    # what people decide

    def review(self, ticket: str) -> Review:
        found = self.scene.reviews.of_ticket(ticket)
        if found is None:
            raise LedgerError("nobody is asked")
        return found

    def approve(self, ticket: str) -> None:
        review = self.review(ticket)
        text = (review.draft.text if review.draft else "") or ""
        sign = self.sign()
        self.scene.people.approve(review.id, text.encode(), self.scene.seen(ticket), sign, self.view(ticket))
        self.look(ticket, sign, digest_of(text))

    def look(self, ticket: str, sign: Signature, draft: str) -> None:
        """What the desk writes behind an approval; now and then it had not measured, or had another draft open."""
        seconds = self.chance.choice([None, 3, 40])
        draft = self.chance.choice([draft, draft, draft, "another"])
        if self.chance.random() < 0.7:
            Looks(self.scene.store).record(ticket, sign, {"review": "r", "draft": draft, "seconds": seconds})

    def edit(self, ticket: str) -> None:
        review = self.review(ticket)
        words = ((review.draft.text if review.draft else "") or "").split()
        for place in range(self.chance.randrange(len(words) + 1)):
            words[place] = "another"
        text = " ".join(words) or "nothing was left"
        self.scene.people.edit_and_approve(review.id, text, self.scene.seen(ticket), self.sign(), self.view(ticket))

    def reject(self, ticket: str) -> None:
        self.scene.people.reject(self.review(ticket).id, self.scene.seen(ticket), self.sign())

    def answer_myself(self, ticket: str) -> None:
        self.scene.people.answer_myself(
            ticket, "In my own words.", self.scene.seen(ticket), self.sign(), self.view(ticket)
        )

    def move_lane(self, ticket: str) -> None:
        self.scene.people.change_lane(ticket, self.chance.choice(list(Lane)), self.scene.seen(ticket), self.sign())

    def name_lane(self, ticket: str) -> None:
        self.scene.people.name_lane(ticket, self.chance.choice(list(Lane)), self.scene.sign(by=f"p{self.number}"))

    def correct(self, ticket: str) -> None:
        levels = {Trigger.POLICY_SENSITIVITY: self.chance.choice(list(Level))}
        self.scene.people.correct_triggers(ticket, levels, self.sign())

    def move(self, ticket: str) -> None:
        self.scene.people.route(self.review(ticket).id, self.chance.choice(QUEUES), self.sign())

    def resolve(self, ticket: str) -> None:
        if self.chance.random() < 0.5:
            self.scene.people.resolve(ticket, self.scene.seen(ticket), self.sign())

    def hand_back(self, ticket: str) -> None:
        self.scene.people.hand_back(ticket, Lane.AUTONOMOUS, self.scene.seen(ticket), self.sign())

    def rate(self, ticket: str) -> None:
        self.scene.people.rate_packet(self.review(ticket).id, self.chance.choice(list(PacketRating)), self.sign())

    def erase(self, ticket: str) -> None:
        if self.chance.random() < 0.15:
            self.scene.people.erase(ticket, self.sign())

    def sign(self) -> Signature:
        return self.scene.sign(by=self.chance.choice(["maria", "omar"]))
