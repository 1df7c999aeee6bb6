"""What the graph may do in the ledger: read, record, raise, propose, ask a person. It has no way down."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from guards.capabilities import TABLE, Right
from guards.gate import Letter, Permit, Piece, Refusal
from guards.lanes import Lane
from guards.policy import Release
from guards.rollout import Ceiling
from ledger import calling, events, history, letters, moment, register, reviews, rollout
from ledger.errors import NotYours, UnknownReview, WordsErased
from ledger.events import Entry, Event, Kind, Record, own_key
from ledger.history import Message, Snapshot, TicketRecord
from ledger.lease import check_still_ours, event_under_way
from ledger.letters import Delivery
from ledger.moment import Halt, ReleaseView
from ledger.packets.packet import AssistedPacket, EscalationPacket, HumanPacket, human_owned
from ledger.pins import Edition, pin
from ledger.reaching import CHAT
from ledger.register import OpeningKind, Register, Standing
from ledger.reviews import Review
from ledger.rollout import RolloutLedger
from ledger.store import Store

ACTOR = "assistant"
"""The actor of everything that is written here."""

MAY_RECORD = frozenset(
    {
        Kind.FACTS_GATHERED,
        Kind.TRIGGERS_ASSESSED,
        Kind.LANE_ASSIGNED,
        Kind.RIGHTS_GRANTED,
        Kind.ANSWER_COMPOSED,
        Kind.DRAFT_PREPARED,
        Kind.PACKET_BUILT,
        Kind.OUTCOME_RECORDED,
    }
)
"""What a step may say happened. Everything else is written by the deed itself."""

FACTS_LAST = timedelta(minutes=15)
"""How old the facts may be that a reply rests on: a run that a crash held up longer asks a person instead."""


class WorkerLedger:
    """The graph's hand in the ledger.

    Every write is idempotent by its key, so that a step that is run again after a crash writes nothing twice and
    is told what stands. LeaseLost where a run's lease is another's by now: nothing is written then. WordsErased where the ticket was erased and the customer has not written since: nothing is
    written then, and the run is over. Keys are the worker's own (``f"{event.key}/{step}"``) and never meet a customer's.
    """

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        """Works on one store."""
        self._store = store

    # --- reading ---

    def now(self) -> datetime:
        """The store's clock, in UTC."""
        return self._store.now()

    def thread(self, ticket: str) -> tuple[Message, ...]:
        """The conversation as the customer has it, in order. UnknownTicket."""
        with self._store.read() as conn:
            return history.thread(conn, ticket)

    def ticket(self, ticket: str) -> TicketRecord:
        """The ticket's own record. UnknownTicket."""
        with self._store.read() as conn:
            return history.ticket_record(conn, ticket)

    def snapshot(self, ticket: str, kinds: Sequence[Kind] = ()) -> Snapshot:
        """The ticket's record, thread and register, and its events of some kinds, in one read. UnknownTicket."""
        with self._store.read() as conn:
            return history.snapshot(conn, ticket, kinds)

    def address(self, ticket: str) -> tuple[str, int]:
        """Where a letter of the ticket goes, and the epoch as it stands now, in one read. UnknownTicket."""
        with self._store.read() as conn:
            return history.ticket_record(conn, ticket).recipient, register.standing(conn, ticket).epoch

    def recorded(self, ticket: str, key: str) -> Event | None:
        """What a step recorded under a key of its own."""
        with self._store.read() as conn:
            return events.by_key(conn, ticket, own_key(f"worker/{key}"))

    def register(self, ticket: str) -> Register:
        """Lane, epoch, revision and openings as they stand now; read anew on every call. UnknownTicket."""
        with self._store.read() as conn:
            return register.current(conn, ticket)

    def halts(self) -> tuple[Halt, ...]:
        """The halts in force."""
        with self._store.read() as conn:
            return moment.halts_now(conn)

    def is_halted(self, families: Sequence[str]) -> bool:
        """True where a halt covers all, or one of the families; with no family known, any halt."""
        with self._store.read() as conn:
            return moment.is_halted(conn, frozenset(families))

    def standing(self, ticket: str) -> tuple[Standing, bool]:
        """Lane and epoch, and whether a halt covers the ticket's families: what a grant is derived from, in one read."""
        with self._store.read() as conn:
            return moment.standing(conn, ticket)

    def ceilings(self) -> Mapping[str, Ceiling]:
        """What the ledger holds issue families to, below what the release allows."""
        return RolloutLedger(self._store).ceilings()

    def narrowed(self, ticket: str, release: Release) -> Release:
        """The release as it applies to this ticket's families now; never wider than it is."""
        with self._store.read() as conn:
            return rollout.narrowed(conn, ticket, release)

    def refusals(self, ticket: str) -> tuple[Refusal, ...]:
        """Every right that was refused on the ticket, in order."""
        with self._store.read() as conn:
            return history.refusals(conn, ticket)

    def deliveries(self, ticket: str) -> tuple[Delivery, ...]:
        """Every letter of the ticket with its state, in the order they were proposed."""
        with self._store.read() as conn:
            return letters.deliveries_of(conn, ticket)

    def events(self, ticket: str, kinds: Sequence[Kind] = ()) -> tuple[Event, ...]:
        """The ticket's events in order, all or those of some kinds."""
        with self._store.read() as conn:
            return events.timeline(conn, ticket, kinds)

    def review(self, ticket: str) -> Review | None:
        """The ticket's open review."""
        with self._store.read() as conn:
            return reviews.open_review_of(conn, ticket)

    def packet_for(self, ticket: str, why: str) -> HumanPacket:
        """A small packet from the ledger alone, for a review that has none a person could read. UnknownTicket."""
        with self._store.read() as conn:
            return calling.packet_for(conn, ticket, why, self._store.now())

    # --- recording ---

    def record(
        self,
        ticket: str,
        kind: Kind,
        key: str,
        head: Mapping[str, Any] | None = None,
        body: str | Mapping[str, Any] | Sequence[Any] | None = None,
    ) -> Record:
        """Records that a step was taken; told twice, the first record is returned (``first=False``).

        ``head`` is small and holds no customer text; ``body`` is text or plain JSON, and can be erased. NotYours for
        a kind outside ``MAY_RECORD``. The latest ``lane_assigned`` head's ``families`` is what halts and roll-out
        are asked about.
        """
        return self.record_many(ticket, [Entry(kind, key, head or {}, body)])[0]

    def record_many(self, ticket: str, entries: Sequence[Entry]) -> tuple[Record, ...]:
        """As ``record``, several in one transaction: all or none."""
        with self._writing(ticket) as conn:
            register.standing(conn, ticket)
            return self._write(conn, ticket, entries)

    def record_outcome(
        self, ticket: str, key: str, head: Mapping[str, Any], body: Mapping[str, Any] | None = None
    ) -> Record:
        """Records how a piece of work ended."""
        return self.record(ticket, Kind.OUTCOME_RECORDED, key, head, body)

    def refuse(self, ticket: str, key: str, refusal: Refusal) -> Refusal:
        """Records that a right was refused or withheld (the packet's "not done"); once a key, the first stands."""
        with self._writing(ticket) as conn:
            register.current(conn, ticket)
            return letters.note_refusal(conn, ticket, f"worker/{key}", refusal, at=self._store.now(), actor=ACTOR)

    # --- raising ---

    def assign(
        self,
        ticket: str,
        event_seq: int,
        lane: object,
        *,
        actions: Sequence[str] = (),
        floor: object = None,
        also: Sequence[Entry] = (),
    ) -> Register:
        """Opens the answer owed to an event and the actions it asks for, and with a ``floor`` raises the conversation's
        to it: as ``open_answer``, ``open_action`` and ``raise_floor``, in one transaction."""
        with self._writing(ticket) as conn:
            self._write(conn, ticket, also)
            now, action = self._store.now(), OpeningKind.ACTION
            held = register.open_one(conn, ticket, OpeningKind.ANSWER, event_seq, lane, at=now, actor=ACTOR)
            for name in actions:
                held = register.open_one(
                    conn, ticket, action, event_seq, lane, at=now, actor=ACTOR, name=name[:100], held=held
                )
            if floor is not None:
                held = register.raise_floor(conn, ticket, floor, at=now, actor=ACTOR, held=held)
            return held

    def open_answer(self, ticket: str, event_seq: int, lane: object, also: Sequence[Entry] = ()) -> Register:
        """Opens the answer owed to an event at max(floor, lane); opened before, it is raised to that.

        ``also`` is recorded in the same transaction. An unknown lane is lane 3.
        """
        return self._open(ticket, OpeningKind.ANSWER, event_seq, lane, "", also)

    def open_action(self, ticket: str, event_seq: int, lane: object, name: str, also: Sequence[Entry] = ()) -> Register:
        """Opens an action that is asked for (``refund``) at max(floor, lane); a person decides it. It does not
        silence the answer beside it."""
        return self._open(ticket, OpeningKind.ACTION, event_seq, lane, name[:100], also)

    def raise_answer(self, ticket: str, opening: int, to: object, also: Sequence[Entry] = ()) -> Register:
        """Raises an open answer; a lower lane changes nothing. UnknownOpening."""
        with self._writing(ticket) as conn:
            self._write(conn, ticket, also)
            return register.raise_opening(conn, ticket, opening, to, at=self._store.now(), actor=ACTOR)

    def raise_floor(self, ticket: str, to: object, also: Sequence[Entry] = ()) -> Register:
        """Raises the conversation's floor; a lower lane changes nothing."""
        with self._writing(ticket) as conn:
            self._write(conn, ticket, also)
            return register.raise_floor(conn, ticket, to, at=self._store.now(), actor=ACTOR)

    def close_answer(self, ticket: str, opening: int) -> Register:
        """Closes an answer that does not hold the lane up. UnknownOpening; OnlyAPersonLowers where it does."""
        with self._writing(ticket) as conn:
            return register.close_answer(conn, ticket, opening)

    # --- proposing ---

    def changed_articles(self, editions: Sequence[Edition]) -> tuple[Edition, ...]:
        """Those whose version had another text when it was first relied on; a version that nobody has relied on yet is
        pinned to the text it has now."""
        return pin(self._store, editions, ACTOR)

    def propose(
        self, letter: Letter, body: str, *, reply_key: str, view: ReleaseView, also: Sequence[Entry] = ()
    ) -> Permit | Refusal:
        """Asks for a text to leave. One durable transaction re-reads everything, asks the gate, and writes the
        intent or the refusal; the post room asks again before it sends.

        Called again with the same reply key it answers as the first time, and with another text it refuses. An
        answer, question or closing needs the open answer of the revision it replies to (``open_answer``). An
        approved text cannot be proposed: only a person's decision puts one here. UnknownTicket.
        """
        with self._writing(letter.ticket, durable=True) as conn:
            now = self._store.now()
            self._write(conn, letter.ticket, also)
            earlier = self._answered_before(conn, letter, reply_key, now)
            if earlier is not None:
                return earlier
            held = register.current(conn, letter.ticket)
            answer = self._own_checks(conn, letter, held, now) or moment.judge(
                conn, letter, body, view, now, reply_key, held
            )
            if isinstance(answer, Refusal):
                more = {"reply_key": reply_key, "piece": letter.piece.value}
                return letters.note_refusal(
                    conn, letter.ticket, f"propose/{reply_key}", answer, at=now, actor=ACTOR, more=more
                )
            self._intend(conn, letter, body, reply_key, answer, now)
            return answer

    def _answered_before(
        self, conn: Connection, letter: Letter, reply_key: str, now: datetime
    ) -> Permit | Refusal | None:
        what = f"send the {letter.piece.value}"
        held = letters.find(conn, reply_key)
        if held is not None:
            if (held.letter.ticket, held.letter.digest) != (letter.ticket, letter.digest):
                other = Refusal(what, "reply_key", "another text was proposed under this reply key")
                key = f"another/{letter.digest}/{reply_key}"
                return letters.note_refusal(conn, letter.ticket, key, other, at=now, actor=ACTOR)
            proposed = events.event_at(conn, held.proposed_by)
            assert proposed is not None
            return Permit(Right(proposed.head["right"]), TABLE[Right(proposed.head["right"])].reason)
        refused = events.by_key(conn, letter.ticket, own_key(f"refused/propose/{reply_key}"))
        if refused is not None:
            return Refusal(refused.head["what"], refused.head["rule"], refused.head["reason"])
        return None

    def _own_checks(self, conn: Connection, letter: Letter, held: Register, now: datetime) -> Refusal | None:
        what = f"send the {letter.piece.value}"
        if letter.piece is Piece.APPROVED or letter.approval is not None:
            return Refusal(what, "approval", "an approval is a person's act, not the assistant's")
        wrote = events.event_at(conn, letter.revision)
        if letter.recipient.startswith(CHAT) and wrote is not None and wrote.head.get("channel", "chat") != "chat":
            return Refusal(
                what, "left_the_chat", "the customer wrote by mail, and the assistant answers in the chat alone"
            )
        if letter.piece in moment.REPLIES and not any(answer.opened_by == letter.revision for answer in held.answers):
            return Refusal(what, "opening", "no open answer belongs to what the customer wrote last")
        if letter.piece in moment.REPLIES:
            gathered = events.latest(conn, letter.ticket, Kind.FACTS_GATHERED)
            if gathered is not None and now - gathered.at > FACTS_LAST:
                return Refusal(what, "stale_facts", "the facts it rests on were gathered too long ago")
        return None

    def _intend(self, conn: Connection, letter: Letter, body: str, reply_key: str, by: Permit, now: datetime) -> None:
        kept = events.keep_body(conn, letter.ticket, body)
        head = {
            "reply_key": reply_key,
            "piece": letter.piece.value,
            "digest": letter.digest,
            "right": by.right.value,
            "epoch": letter.epoch,
            "revision": letter.revision,
            "release": letter.release,
        }
        kind = Kind.NOTICE_PROPOSED if letter.piece is Piece.NOTICE else Kind.REPLY_PROPOSED
        entry = Entry(kind, own_key(f"proposed/{reply_key}"), head)
        done = events.append(conn, letter.ticket, entry, at=now, actor=ACTOR, body=kept)
        letters.put(conn, letter, kept, reply_key=reply_key, proposed_by=done.seq, approval_id=None, at=now)

    # --- asking a person ---

    def open_review(
        self,
        packet: EscalationPacket,
        *,
        key: str,
        due_at: datetime | None = None,
        later: bool = False,
        also: Sequence[Entry] = (),
    ) -> Review:
        """Asks a person, with a packet; where a review is open already, the packet joins it as its next revision,
        and the draft before it becomes stale (kept in ``Reviews.drafts``).

        Where the ticket is in lane 3 by now, an assisted packet loses its draft and the loss is recorded. The
        lint's findings stand on the review; they never keep it from being opened. Idempotent by key. UnknownTicket.
        """
        now = self._store.now()
        with self._writing(packet.ticket, durable=True) as conn:
            held = register.current(conn, packet.ticket)
            self._write(conn, packet.ticket, also)
            told = events.by_key(conn, packet.ticket, own_key(f"review/{key}"))
            if told is not None:
                return reviews.get(conn, str(told.head["review"]))
            if held.lane is Lane.HUMAN_OWNED and isinstance(packet, AssistedPacket):
                row = TABLE[Right.DRAFT_REPLY]
                lost = Refusal(row.does, "lane", "the lane has risen to 3 since the draft was prepared")
                letters.note_refusal(conn, packet.ticket, f"worker/{key}/draft", lost, at=now, actor=ACTOR)
                packet = human_owned(packet)
            return reviews.put(
                conn,
                packet,
                held,
                key=own_key(f"review/{key}"),
                review_id=self._store.new_id(),
                due_at=due_at,
                at=now,
                actor=ACTOR,
                later=later,
            )

    def revise_review(
        self,
        review: str,
        packet: EscalationPacket,
        *,
        key: str,
        due_at: datetime | None = None,
        also: Sequence[Entry] = (),
    ) -> Review:
        """As ``open_review``, for a review whose deadline has passed: ``due_at`` is its new one. UnknownReview where
        it is not open, or is another ticket's."""
        with self._store.read() as conn:
            held = reviews.get(conn, review)
        if not held.open or held.ticket != packet.ticket:
            raise UnknownReview(f"review {review!r} is not open on ticket {packet.ticket!r}")
        return self.open_review(packet, key=key, due_at=due_at, later=True, also=also)

    # --- within ---

    @contextmanager
    def _writing(self, ticket: str, *, durable: bool = False) -> Iterator[Connection]:
        """As the store's ``write``. A run that was under way when the ticket was erased holds its words still."""
        with self._store.write(durable=durable) as conn:
            check_still_ours(conn, ticket)
            if events.erased(conn, ticket, event_under_way(ticket)):
                raise WordsErased(f"ticket {ticket!r} was erased: no run goes on with what it had read")
            yield conn

    def _write(self, conn: Connection, ticket: str, entries: Sequence[Entry]) -> tuple[Record, ...]:
        for entry in entries:
            if entry.kind not in MAY_RECORD:
                raise NotYours(f"a step may not record {entry.kind.value}; the deed itself writes it")
        now = self._store.now()
        return tuple(
            events.append(conn, ticket, replace(entry, key=own_key(f"worker/{entry.key}")), at=now, actor=ACTOR)
            for entry in entries
        )

    def _open(
        self,
        ticket: str,
        kind: OpeningKind,
        event_seq: int,
        lane: object,
        name: str,
        also: Sequence[Entry],
    ) -> Register:
        with self._writing(ticket) as conn:
            self._write(conn, ticket, also)
            return register.open_one(conn, ticket, kind, event_seq, lane, at=self._store.now(), actor=ACTOR, name=name)
