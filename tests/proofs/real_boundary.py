"""The real ledger, gate, executor and post room, driven by the same acts as the abstract model."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from boundary_model import (
    ANSWER,
    CLOSED,
    DRAFT,
    FAILED,
    MARIA,
    OTHER,
    PERMIT,
    POLICIES,
    SENT,
    TEMPLATE,
    Act,
    State,
)
from sqlalchemy import text as sql

from agent.approved_words import ApprovedWords
from agent.briefing import Briefing
from agent.findings import Findings
from agent.release_in_force import release_view
from desk.errors import Rejected
from desk.post import PostRoom
from guards.facts import Standing
from guards.gate import Letter, Permit, Piece, Refusal
from guards.grounding import Span
from guards.lanes import Consequence, Lane, Unit
from guards.policy import Phase, Release
from ledger.decisions import Seen, Signature
from ledger.errors import LedgerError
from ledger.events import Kind
from ledger.history import History
from ledger.intake import IncomingMessage, Intake
from ledger.letters import key_of
from ledger.moment import ReleaseView
from ledger.outbox import PostLedger, Sending
from ledger.packets.packet import AssistedPacket, CustomerFacing, CustomerState, DecisionWanted, Draft, Owner, Sentence
from ledger.people import PeopleLedger
from ledger.reviews import Reviews
from ledger.store import Store
from ledger.words import digest_of
from ledger.worker import WorkerLedger
from tools.actions import Ports, every_tool
from tools.toolbox import Done, Toolbox

FAMILY = "feature_access"
ADDRESS = "hazel@maplefinch.example"
ELSEWHERE = "mallory@elsewhere.example"


class PowerCut(BaseException):
    """Not an Exception: nothing in the house may catch it."""


@dataclass
class Recorder:
    """A channel that keeps what it is given, after doing what a test asks for."""

    name: str = "recorder"
    letters: list[dict[str, str]] = field(default_factory=list)
    before: Callable[[], object] = lambda: None
    """Runs before anything is kept: raise in it, and the letter does not arrive."""
    after: Callable[[], object] = lambda: None
    """Runs once the letter has arrived."""

    def deliver(self, reply_key: str, *, recipient: str, subject: str, body: str, headers: Mapping[str, str]) -> str:
        """Keeps the letter."""
        self.before()
        self.letters.append({"key": reply_key, "to": recipient, "body": body})
        self.after()
        return f"ref-{len(self.letters)}"


class HandClock:
    """Stands still until it is told to move."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment


def quick_folder(otherwise: Path) -> Path:
    """A folder in memory where the machine has one: these proofs are about what is decided, not about a disk."""
    memory = Path("/dev/shm")
    return Path(mkdtemp(dir=memory if memory.is_dir() and os.access(memory, os.W_OK) else otherwise))


def releases_of(base: Release) -> tuple[Release, ...]:
    """The model's three policies as releases, each with a version of its own."""
    made = []
    for number, policy in enumerate(POLICIES):
        phase = Phase.ASSISTED if policy.sends else Phase.OBSERVE_ONLY
        families = (FAMILY,) if policy.family_open else ()
        rollout = base.rollout.model_copy(update={"phase": phase, "autonomous_families": families})
        made.append(base.model_copy(update={"version": f"proof-{number}", "rollout": rollout}))
    return tuple(made)


@dataclass
class RealTicket:
    """One ticket in a real store, and every hand that reaches it."""

    store: Store
    clock: HandClock
    releases: tuple[Release, ...]
    ticket: str
    policy: int = 0
    channel: Recorder = field(default_factory=Recorder)

    def __post_init__(self) -> None:
        self.intake, self.worker, self.people = Intake(self.store), WorkerLedger(self.store), PeopleLedger(self.store)
        self.history, self.reviews, self.post = History(self.store), Reviews(self.store), PostLedger(self.store)
        self.texts = {TEMPLATE: self.releases[0].notice[-1].text, DRAFT: "It is under Settings.", OTHER: "Other words."}
        honest = (Span("article KB-1 v1", self.texts[DRAFT]),)
        self.words = ApprovedWords(honest, honest, honest)
        self.revisions: list[int] = []
        self.openings: dict[int, int] = {}
        self.keys: dict[Any, str] = {}
        self.hands: dict[str, Sending] = {}
        self.seen: Seen | None = None
        self.box: Toolbox | None = None
        self.box_revision = 0
        self.signed = self.approved = 0
        self.write()
        self.worker.record(self.ticket, Kind.LANE_ASSIGNED, "families", {"families": [FAMILY]})

    # ── what is compared ──

    def summary(self) -> dict[str, Any]:
        """What the model says of itself too: see ``expected``."""
        held = self.worker.register(self.ticket)
        review = self.reviews.of_ticket(self.ticket)
        return {
            "lane": int(held.lane),
            "floor": int(held.floor),
            "epoch": held.epoch,
            "claimed": held.claimed_by,
            "answers": sorted((self.revisions.index(o.opened_by), int(o.lane)) for o in held.answers),
            "review": (review is not None, review is not None and review.draft is not None),
            "letters": [
                (d.reply_key, d.letter.piece.value, d.state.value) for d in self.history.deliveries(self.ticket)
            ],
            "delivered": [(sent["key"], sent["body"], sent["to"]) for sent in self.channel.letters],
        }

    def expected(self, s: State, delivered: list[tuple[Any, str]]) -> dict[str, Any]:
        """The model's state in the same words."""
        return {
            "lane": s.lane,
            "floor": s.floor,
            "epoch": s.epoch,
            "claimed": s.holder,
            "answers": [(at, lane) for at, lane in enumerate(s.answers) if 0 < lane < CLOSED],
            "review": (s.review is not None, s.review is not None and s.review.draft is not None),
            "letters": [(self.key_of(x.key), x.piece, x.state) for x in s.letters],
            "delivered": [(self.key_of(key), self.texts[text], ADDRESS) for key, text in delivered],
        }

    def key_of(self, key: Any) -> str:
        """The reply key that the model calls ``key``."""
        return self.keys[key]

    # ── acts ──

    def do(self, act: Act) -> str:
        """Carries an act out, and says what came of it in the model's words."""
        try:
            done = getattr(self, {"policy": "set_policy"}.get(act[0], act[0]))(*act[1:])
        except LedgerError as error:
            return type(error).__name__
        return done.rule if isinstance(done, Refusal) else PERMIT

    @property
    def release_now(self) -> Release:
        """The release in force."""
        return self.releases[self.policy]

    def view(self) -> ReleaseView:
        """What the post room reads anew for every letter."""
        return release_view(self.release_now)

    def sign(self, by: str = MARIA) -> Signature:
        """A person's signature under a fresh key."""
        self.signed += 1
        return Signature(by, "read the thread", f"{self.ticket}-{self.signed}")

    def write(self) -> None:
        """The customer writes."""
        number = len(self.revisions)
        done = self.intake.receive(
            IncomingMessage(
                ticket=self.ticket,
                key=f"m-{number}",
                channel="mail",
                subject="Audit logs",
                requester_email=ADDRESS,
                requester_name="Hazel",
                verified=True,
                account_id="A-1",
                recipient=ADDRESS,
                text=f"Where is it? ({number})",
            )
        )
        self.revisions.append(done.seq)

    def open_answer(self, lane: int) -> None:
        """As the model's."""
        seq = self.revisions[-1]
        held = self.worker.open_answer(self.ticket, seq, lane)
        self.openings.update({self.revisions.index(o.opened_by): o.id for o in held.answers})

    def raise_floor(self, lane: int) -> None:
        """As the model's."""
        self.worker.raise_floor(self.ticket, lane)

    def close_answer(self, at: int) -> None:
        """As the model's."""
        self.worker.close_answer(self.ticket, self.openings.get(at, 0))

    def propose(self, key: Any, piece: str, text: str, bend: str = "") -> Permit | Refusal:
        """As the model's, over the worker's own hand."""
        body, held = self.texts[text], self.worker.register(self.ticket)
        reply_key = self.keys.setdefault(key, f"{self.ticket}/{key}")
        old = self.revisions[-2] if bend == "revision" else self.revisions[-1]
        other = self.releases[(self.policy + 1) % len(self.releases)].version
        letter = Letter(
            ticket=self.ticket,
            piece=Piece(piece),
            digest=digest_of(body),
            recipient=ELSEWHERE if bend == "address" else ADDRESS,
            epoch=held.epoch - (bend == "epoch"),
            revision=old,
            release=other if bend == "release" else self.release_now.version,
        )
        return self.worker.propose(letter, body, reply_key=reply_key, view=self.view())

    def open_box(self) -> None:
        """The executor as the steps open it."""
        lane = self.worker.register(self.ticket).lane
        briefing = Briefing(self.worker, Findings(self.worker), None, None, self.release_now, "")  # type: ignore[arg-type]
        run = {"ticket": self.ticket, "seq": self.revisions[-1]}
        self.box = briefing.toolbox(run, lane, approved=self.words)
        self.box_revision = len(self.revisions) - 1

    def call(self, tool: str, text: str = DRAFT) -> object:
        """A model's call, with the right arguments."""
        assert self.box is not None
        pieces = {"send_answer": ANSWER, "ask_question": "question", "close_ticket": "closing"}
        piece = {**pieces, "release_notice": "notice"}.get(tool, "")
        self.keys[("box", self.box_revision, piece)] = key_of(self.ticket, self.revisions[self.box_revision], piece)
        return asked(self.box, tool, right_arguments(tool, self.texts[text]))

    def open_review(self) -> None:
        """A person is asked; in lane 3 the ledger itself takes the draft out."""
        packet = self.packet(self.texts[DRAFT])
        self.signed += 1
        self.worker.open_review(packet, key=f"review-{self.signed}")

    def packet(self, draft: str) -> AssistedPacket:
        """A small packet of lane 2."""
        return AssistedPacket(
            ticket=self.ticket,
            summary=(Sentence("asks where it is", Standing.CLAIMED),),
            triggers=(),
            families=(FAMILY,),
            consequence=Consequence.LOW,
            damage=(),
            known=(),
            missing=(),
            references=(),
            owner=Owner("frontline_support", (), "frontline can answer this after a look"),
            decision_wanted=DecisionWanted("whether this answer may go out", Unit.ANSWER),
            not_done=(),
            customer=CustomerFacing(CustomerState.NOTHING_SENT),
            words=(),
            policy_version=self.release_now.version,
            created_at=self.clock(),
            thread_revision=self.worker.register(self.ticket).revision,
            draft=Draft(draft),
        )

    def look(self) -> None:
        """A person is shown the ticket."""
        review = self.reviews.of_ticket(self.ticket)
        draft = review.draft.digest if review is not None and review.draft is not None else None
        self.seen = Seen.of(self.worker.register(self.ticket), draft)

    def approve(self, text: str) -> None:
        """As the model's."""
        review = self.reviews.of_ticket(self.ticket)
        assert review is not None and self.seen is not None
        body = self.texts[text].encode()
        self._approved(self.people.approve(review.id, body, self.seen, self.sign(), self.view()).reply_key)

    def answer(self, text: str) -> None:
        """As the model's."""
        assert self.seen is not None
        done = self.people.answer_myself(self.ticket, self.texts[text], self.seen, self.sign(), self.view())
        self._approved(done.reply_key)

    def _approved(self, reply_key: str | None) -> None:
        assert reply_key is not None
        self.keys[("person", self.approved)] = reply_key
        self.approved += 1

    def change_lane(self, to: int) -> None:
        """As the model's."""
        assert self.seen is not None
        self.people.change_lane(self.ticket, Lane(to), self.seen, self.sign())

    def hand_back(self, to: int, by: str = MARIA) -> None:
        """As the model's."""
        assert self.seen is not None
        self.people.hand_back(self.ticket, Lane(to), self.seen, self.sign(by))

    def resolve(self, by: str = MARIA) -> None:
        """As the model's."""
        assert self.seen is not None
        self.people.resolve(self.ticket, self.seen, self.sign(by))

    def claim(self, by: str = MARIA) -> None:
        """As the model's."""
        self.people.claim(self.ticket, self.sign(by))

    def release(self, by: str = MARIA) -> None:
        """As the model's."""
        self.people.release(self.ticket, self.sign(by))

    def halt(self) -> None:
        """For all, or for the ticket's own family: the model sees no difference."""
        self.people.halt(None if self.signed % 2 else FAMILY, self.sign())

    def resume(self) -> None:
        """Ends every halt."""
        for halted in self.worker.halts():
            self.people.resume(halted.family, self.sign())

    def set_policy(self, to: int) -> None:
        """Another release is in force."""
        self.policy = to

    def wait(self) -> None:
        """Two hours: an approval lasts one."""
        self.clock.moment += timedelta(hours=2)

    def restamp(self, key: Any) -> None:
        """A mistake in the outbox's row; the approval's own table is not touched."""
        held = self.worker.register(self.ticket)
        values = {"e": held.epoch, "r": held.revision, "v": self.release_now.version, "k": self.keys[key]}
        with self.store.write() as conn:
            conn.execute(sql("UPDATE outbox SET epoch = :e, revision = :r, release = :v WHERE reply_key = :k"), values)

    def begin(self, key: Any, at: int = 0) -> Sending | Refusal:
        """As the model's."""
        going = self.post.begin(self.keys[key], self.view())
        if isinstance(going, Sending):
            self.hands[going.reply_key] = going
        return going

    def hand(self, key: Any) -> Refusal | str:
        """Hands a begun letter to the channel."""
        going = self.hands.pop(self.keys[key], None)
        if going is None:
            return Refusal("hand it over", "nobody", "nobody has begun it")
        words = going.body.decode()
        return self.channel.deliver(
            going.reply_key, recipient=going.letter.recipient, subject="", body=words, headers={}
        )

    def record(self, key: Any, to: str) -> None:
        """As the model's."""
        reply_key = self.keys[key]
        state = self.post.delivery(reply_key).state.value
        if state in ("sending", "unknown") and state != to:
            self.hands.pop(reply_key, None)
        if to == SENT:
            self.post.sent(reply_key)
        elif to == FAILED:
            self.post.failed(reply_key, "no such mailbox")
        else:
            self.post.unknown(reply_key, "no answer")

    def crash(self) -> None:
        """Every post room dies."""
        self.hands.clear()
        self.post = PostLedger(self.store)

    def recover(self) -> None:
        """A post room starts."""
        self.post.recover()

    # ── the post room itself, over all that waits ──

    def run_room(self, how: str, meanwhile: Callable[[], object] = lambda: None) -> list[tuple[str, str]]:
        """``deliver_waiting``, with a channel that behaves in a certain way; ``meanwhile`` runs while the first letter
        is in its hands."""
        done: list[bool] = []

        def before() -> None:
            if not done:
                done.append(True)
                meanwhile()
            if how == "rejected":
                raise Rejected("no such mailbox")
            if how == "lost_before":
                raise TimeoutError
            if how == "cut_before":
                raise PowerCut

        def after() -> None:
            if how == "lost_after":
                raise TimeoutError
            if how == "cut_after":
                raise PowerCut

        self.channel.before, self.channel.after = before, after
        try:
            told = PostRoom(self.post, self.history, self.channel, self.view).deliver_waiting(self.ticket)
        except PowerCut:
            return [("", "cut")]
        finally:
            self.channel.before = self.channel.after = lambda: None
        return [(d.reply_key, d.state.value) for d in told]


class _Nowhere:
    def propose(self, piece: Piece, text: str) -> Permit | Refusal:
        return Refusal("send", "nowhere", "no way out")


PARAMETERS = {tool.name: dict(tool.parameters) for tool in every_tool(Ports(_Nowhere()))}
_GOOD: dict[type, Any] = {str: "words", int: 3, float: 1.5, bool: True, tuple: ("a", "b")}


def right_arguments(tool: str, words: str) -> dict[str, Any]:
    """Arguments that the tool takes, with the words where a text belongs."""
    return {name: words if name == "text" else _GOOD[kind] for name, kind in PARAMETERS[tool].items()}


def asked(box: Toolbox, name: object, arguments: object) -> Done | Refusal:
    """Calls the executor to its end: it awaits nothing between the grant and the tool, so one step finishes it."""
    going = box.call(name, arguments)
    try:
        going.send(None)
    except StopIteration as stopped:
        found: Done | Refusal = stopped.value
        return found
    raise AssertionError("the executor awaited something between reading the grant and running the tool")
