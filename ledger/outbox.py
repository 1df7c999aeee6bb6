"""The post room's view of the ledger: what waits, whether it may leave this moment, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from guards.gate import Letter, Piece, Refusal
from ledger import letters, moment, reaching, reviews
from ledger.errors import WrongState
from ledger.events import Entry, Event, Kind, Record, append, event_at, first, not_before, own_key
from ledger.letters import Delivery, DeliveryState
from ledger.moment import ReleaseView
from ledger.reaching import Way
from ledger.store import Store
from ledger.words import outsiders_error

ACTOR = "post"
"""The actor of everything that is written here."""


@dataclass(frozen=True, slots=True)
class Sending:
    """A letter that the ledger has let go; send exactly these bytes, with the reply key as idempotency key."""

    reply_key: str
    letter: Letter
    body: bytes
    """UTF-8."""
    to: str
    """Where it goes: the letter's recipient, or the mail address of a customer who has left the chat."""


class PostLedger:
    """The post room's hand in the ledger: intent -> sending -> sent, failed or unknown; or refused."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        """Works on one store."""
        self._store = store

    def waiting(self) -> tuple[str, ...]:
        """The reply keys of the letters that may be begun, in the order they were proposed."""
        with self._store.read() as conn:
            return tuple(d.reply_key for d in letters.in_state(conn, DeliveryState.INTENT))

    def delivery(self, reply_key: str) -> Delivery:
        """The letter and its state. UnknownLetter."""
        with self._store.read() as conn:
            return letters.get(conn, reply_key)

    def unknowns(self) -> tuple[Delivery, ...]:
        """The letters of which nobody knows whether they arrived: for a person to look at."""
        with self._store.read() as conn:
            return letters.in_state(conn, DeliveryState.UNKNOWN)

    def in_hand(self) -> tuple[Delivery, ...]:
        """The letters that a post room has in its hands, or had when it was killed."""
        with self._store.read() as conn:
            return letters.in_state(conn, DeliveryState.SENDING)

    def begin(self, reply_key: str, view: ReleaseView, mails: bool = False) -> Sending | Refusal:
        """The moment of effect: may this letter leave now? One durable transaction re-reads everything.

        It is the point of no return: whatever is recorded before it commits (a halt, a claim, the customer's next
        message, a raised lane) stops the letter; what comes after finds it on its way.

        A letter whose right died becomes ``refused``, is recorded as such, and calls a person where nothing else
        will wake one. A letter that was begun before is refused here without a record (rule ``state``): two post
        rooms may race, and one delivers.

        ``mails`` is True where mail can leave: an approved text of the chat then goes by mail to a customer who has left,
        in place of the chat. While nobody can tell yet, it is refused without a record (rule ``wait``). UnknownLetter.
        """
        with self._store.write(durable=True) as conn:
            now = self._store.now()  # asked once the lock is ours: waiting for it may outlast an approval
            held = letters.get(conn, reply_key)
            what = f"send the {held.letter.piece.value}"
            if held.state is not DeliveryState.INTENT:
                return Refusal(what, "state", f"it is {held.state.value} already")
            at = not_before(conn, now)
            answer = _as_recorded(conn, held) or moment.judge(conn, held.letter, held.body.text, view, at, reply_key)
            if not isinstance(answer, Refusal):
                answer = _as_addressed(conn, held) or answer
            if isinstance(answer, Refusal):
                return self._refuse(conn, held, answer, now)
            way, address = reaching.way_of(conn, held, now) if mails else (Way.OWN, "")
            if way is Way.WAIT:
                return Refusal(what, "wait", "the customer left the chat a moment ago, and may come back")
            if not self._told(conn, held, Kind.DELIVERY_STARTED, "started", now, way=way).first:
                return self._refuse(
                    conn, held, Refusal(what, "record", "the record holds that it was begun before"), now
                )
            letters.move(conn, reply_key, DeliveryState.SENDING, now)
            assert held.body.text is not None
            return Sending(reply_key, held.letter, held.body.text.encode("utf-8"), address or held.letter.recipient)

    def sent(self, reply_key: str, provider_ref: str = "") -> None:
        """The channel took it. Said twice, the first stands. UnknownLetter; WrongState where it was not begun."""
        now = self._store.now()
        with self._store.write(durable=True) as conn:
            held = self._begun(conn, reply_key, DeliveryState.SENT)
            if held is None:
                return
            letters.move(conn, reply_key, DeliveryState.SENT, now, provider_ref=provider_ref)
            seq = self._tell(conn, held, Kind.DELIVERED, "delivered", now)
            if held.state is DeliveryState.UNKNOWN:
                reviews.tell_a_person(conn, held.letter.ticket, "delivery_cleared", cause=seq, at=now)

    def failed(self, reply_key: str, error: str) -> None:
        """The channel said that it did not take it; a person is called. UnknownLetter, WrongState."""
        with self._store.write(durable=True) as conn:
            self._end(conn, reply_key, DeliveryState.FAILED, Kind.DELIVERY_FAILED, error)

    def unknown(self, reply_key: str, error: str) -> None:
        """Nobody knows whether the channel took it; no machine tries again, and a person is called. UnknownLetter,
        WrongState."""
        with self._store.write(durable=True) as conn:
            self._end(conn, reply_key, DeliveryState.UNKNOWN, Kind.DELIVERY_UNKNOWN, error)

    def came_back(self, reply_key: str, error: str) -> bool:
        """A mail system says that a letter did not arrive; a person is called. True where that was news.

        A report is only said, and may be forged by whoever has the letter: from now on nobody knows whether it
        arrived, and what the customer may have read stays in sight. UnknownLetter; nothing where it never left.
        """
        now = self._store.now()
        with self._store.write(durable=True) as conn:
            held = letters.get(conn, reply_key)
            if held.state not in (DeliveryState.SENT, DeliveryState.SENDING, DeliveryState.UNKNOWN):
                return False
            told = self._told(conn, held, Kind.DELIVERY_UNKNOWN, "came_back", now, error, _way(conn, held))
            if told.first:
                letters.move(conn, reply_key, DeliveryState.UNKNOWN, now)
                self._call(conn, held, "letter_came_back", told.seq, now)
            return told.first

    def recover(self, older_than: timedelta = timedelta(0)) -> tuple[str, ...]:
        """After a crash: each letter that was left in ``sending`` so long becomes unknown. Returns their reply keys.

        Call it when a post room starts. A letter that another post room still has in its hands becomes unknown
        too, and ``sent`` when that one says so.
        """
        begun_before = self._store.now() - older_than
        with self._store.write(durable=True) as conn:
            left = letters.in_state(conn, DeliveryState.SENDING)
            if older_than:  # else all: another machine's clock may run ahead of ours
                left = tuple(d for d in left if d.changed_at <= begun_before)
            for held in left:
                error = "the post room stopped between handing it over and hearing back"
                self._end(conn, held.reply_key, DeliveryState.UNKNOWN, Kind.DELIVERY_UNKNOWN, error)
        return tuple(held.reply_key for held in left)

    def _begun(self, conn: Connection, reply_key: str, to: DeliveryState) -> Delivery | None:
        """The letter where it may go to that state; None where it is there already."""
        held = letters.get(conn, reply_key)
        if held.state is to:
            return None
        # Unknown may still be cleared up: a channel that answers late, or a slower post room, knows better.
        if held.state not in (DeliveryState.SENDING, DeliveryState.UNKNOWN):
            raise WrongState(f"letter {reply_key!r} is {held.state.value}: it cannot become {to.value}")
        return held

    def _end(self, conn: Connection, reply_key: str, to: DeliveryState, kind: Kind, error: str) -> None:
        held = self._begun(conn, reply_key, to)
        if held is None:
            return
        now = self._store.now()
        letters.move(conn, reply_key, to, now)
        cause = self._tell(conn, held, kind, to.value, now, error)
        self._call(conn, held, kind.value, cause, now)

    def _refuse(self, conn: Connection, held: Delivery, refusal: Refusal, now: datetime) -> Refusal:
        letters.move(conn, held.reply_key, DeliveryState.REFUSED, now)
        more = {"reply_key": held.reply_key, "piece": held.letter.piece.value}
        told = letters.note_refusal(
            conn, held.letter.ticket, f"begin/{held.reply_key}", refusal, at=now, actor=ACTOR, more=more
        )
        # What the customer wrote since waits in the inbox and will be answered; else nobody would notice. Whoever
        # approved a text believes that it left.
        answered_anew = refusal.rule == "revision" and held.letter.piece is not Piece.APPROVED
        if not answered_anew and held.letter.piece is not Piece.NOTICE:
            self._call(conn, held, "reply_refused", held.proposed_by, now)
        return told

    def _call(self, conn: Connection, held: Delivery, why: str, cause: int, now: datetime) -> None:
        reviews.call_a_person(conn, held.letter.ticket, why, review_id=self._store.new_id(), cause=cause, at=now)

    def _tell(self, conn: Connection, held: Delivery, kind: Kind, step: str, now: datetime, error: str = "") -> int:
        return self._told(conn, held, kind, step, now, error, _way(conn, held)).seq

    def _told(
        self,
        conn: Connection,
        held: Delivery,
        kind: Kind,
        step: str,
        now: datetime,
        error: str = "",
        way: Way = Way.OWN,
    ) -> Record:
        head = {
            "reply_key": held.reply_key,
            "piece": held.letter.piece.value,
            "digest": held.letter.digest,
            "error": outsiders_error(error),
            **({"way": way.value} if way is Way.MAIL else {}),
        }
        entry = Entry(kind, own_key(f"post/{held.reply_key}/{step}"), head)
        return append(conn, held.letter.ticket, entry, at=now, actor=ACTOR, body=held.body)


def _way(conn: Connection, held: Delivery) -> Way:
    """How a letter that was begun went."""
    return Way.MAIL if reaching.was_mailed(conn, held) else Way.OWN


def _as_recorded(conn: Connection, held: Delivery) -> Refusal | None:
    """A refusal where the outbox's row is not what the record of events says was proposed, or approved.

    Rows can be changed and events cannot: a row that was given another digest, or an approval nobody gave, differs.
    """
    letter, what = held.letter, f"send the {held.letter.piece.value}"
    proposed = event_at(conn, held.proposed_by)
    if proposed is None or not _says(proposed, letter.ticket, held, piece=letter.piece.value):
        return Refusal(what, "record", "the record does not hold that this text was proposed")
    if letter.approval is None:
        return None
    decided = event_at(conn, held.decided_by or 0)
    bound = {"epoch": letter.approval.epoch, "revision": letter.approval.revision}
    if decided is None or decided.kind is not Kind.PERSON_DECIDED or decided.actor != letter.approval.by:
        return Refusal(what, "record", "the record does not hold that this person approved it")
    if not _says(decided, letter.ticket, held, **bound):
        return Refusal(what, "record", "the record holds that something else was approved")
    return None


def _as_addressed(conn: Connection, held: Delivery) -> Refusal | None:
    """A refusal where the ticket's row, which can be changed, names another address than the message that opened it."""
    wrote = first(conn, held.letter.ticket, Kind.CUSTOMER_WROTE)
    sender = ((wrote.body.json() if wrote and wrote.body else None) or {}).get("sender")
    # None: erased, which other checks refuse, or told before senders were sealed.
    if sender is None or sender["recipient"] == held.letter.recipient:
        return None
    what = f"send the {held.letter.piece.value}"
    return Refusal(what, "record", "the record holds another address for this ticket")


def _says(event: Event, ticket: str, held: Delivery, **also: object) -> bool:
    told = {"reply_key": held.reply_key, "digest": held.letter.digest, **also}
    return event.ticket == ticket and all(event.head.get(name) == value for name, value in told.items())
