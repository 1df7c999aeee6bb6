"""A ledger with a ticket in it, a clock that can be set, and a channel that does what a test tells it to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from desk.decisions import Look, look
from desk.post import PostRoom
from guards.facts import Standing
from guards.gate import Letter, Permit, Piece
from guards.lanes import Consequence, Lane, Unit
from ledger.decisions import Signature
from ledger.events import Kind
from ledger.history import History
from ledger.intake import IncomingMessage, Intake
from ledger.letters import Delivery
from ledger.moment import ReleaseView
from ledger.outbox import PostLedger
from ledger.packets.packet import AssistedPacket, CustomerFacing, CustomerState, DecisionWanted, Draft, Owner, Sentence
from ledger.people import PeopleLedger
from ledger.reviews import Review, Reviews
from ledger.store import Store
from ledger.words import digest_of
from ledger.worker import WorkerLedger

TICKET = "T-1"
CUSTOMER = "hazel@maplefinch.example"
WORDS = "Hello,\nseats are added under Settings, then Billing, then Seats.\n"
NOTICE = "Thank you for writing. A colleague will read this."
VIEW = ReleaseView("2026-03-01", True, frozenset({"seats_permissions"}), frozenset({digest_of(NOTICE)}))


@dataclass
class Clock:
    """A clock that moves only when it is told to."""

    moment: datetime = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def move(self, **by: float) -> None:
        """Forward."""
        self.moment += timedelta(**by)


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
        self.letters.append({"key": reply_key, "to": recipient, "subject": subject, "body": body, **headers})
        self.after()
        return f"ref-{len(self.letters)}"


@dataclass
class House:
    """Everything around one ticket."""

    store: Store
    clock: Clock
    view: ReleaseView = VIEW
    channel: Recorder = field(default_factory=Recorder)

    def __post_init__(self) -> None:
        self.intake, self.worker, self.people = Intake(self.store), WorkerLedger(self.store), PeopleLedger(self.store)
        self.history, self.reviews, self.post = History(self.store), Reviews(self.store), PostLedger(self.store)

    def room(self) -> PostRoom:
        """A post room with the recorder."""
        return PostRoom(self.post, self.history, self.channel, lambda: self.view)

    def customer_writes(self, key: str = "m-1", *, verified: bool = True, subject: str = "Seats") -> int:
        """Files a message, and the families it touches."""
        done = self.intake.receive(
            IncomingMessage(
                ticket=TICKET,
                key=key,
                channel="mail",
                subject=subject,
                requester_email=CUSTOMER,
                requester_name="Hazel",
                verified=verified,
                account_id="A-1001",
                recipient=CUSTOMER,
                text=f"Where do I add seats? ({key})",
            )
        )
        self.worker.record(TICKET, Kind.LANE_ASSIGNED, f"{key}/lane", {"families": ["seats_permissions"]})
        return done.seq

    def propose(self, key: str = "r-1", words: str = WORDS, *, piece: Piece = Piece.ANSWER, lane: int = 1) -> str:
        """Puts a letter of the assistant's into the outbox, and returns its reply key."""
        register = self.worker.open_answer(TICKET, self.worker.register(TICKET).revision, lane)
        letter = Letter(TICKET, piece, digest_of(words), CUSTOMER, register.epoch, register.revision, self.view.version)
        answer = self.worker.propose(letter, words, reply_key=key, view=self.view)
        assert isinstance(answer, Permit), answer
        return key

    def ask(self, draft: str | None = "Hello, that is the next billing date.") -> Review:
        """Opens a review in lane 2, with a draft."""
        self.worker.open_answer(TICKET, self.worker.register(TICKET).revision, 2)
        packet = assisted_packet(self, draft)
        return self.worker.open_review(packet, key=f"packet-{packet.thread_revision}")

    def look(self) -> Look:
        """What a person is shown now."""
        return look(self.history, self.reviews, TICKET)

    def sign(self, key: str = "d-1", by: str = "Marek") -> Signature:
        """A person's signature."""
        return Signature(by, "because the test says so", key)

    def state(self, key: str = "r-1") -> str:
        """How far a letter has come."""
        return self.post.delivery(key).state.value

    def lane(self) -> Lane:
        """The ticket's lane now."""
        return self.worker.register(TICKET).lane


def states(deliveries: list[Delivery]) -> list[tuple[str, str]]:
    """Key and state of each."""
    return [(d.reply_key, d.state.value) for d in deliveries]


def assisted_packet(house: House, draft: str | None = "Hello, that is the next billing date.") -> AssistedPacket:
    """A small packet of lane 2, with a draft."""
    register = house.worker.register(TICKET)
    return AssistedPacket(
        ticket=TICKET,
        summary=(Sentence("asks where seats are added", Standing.CLAIMED),),
        triggers=(),
        families=("seats_permissions",),
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
        policy_version=house.view.version,
        created_at=house.clock(),
        thread_revision=register.revision,
        draft=None if draft is None else Draft(draft),
    )
