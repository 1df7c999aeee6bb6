"""Reading what happened: the thread as the customer saw it, the ticket's own record, refusals and deliveries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, bindparam, select

from guards.gate import Refusal
from ledger import events, register
from ledger.changes import Change, changes_of
from ledger.errors import UnknownTicket
from ledger.events import HOUSE, Event, Kind, own_key
from ledger.letters import Delivery, DeliveryState, deliveries_of, key_of, sent_as
from ledger.moment import Halt, halts_now
from ledger.reaching import Reach, mailed_to, reach
from ledger.register import Register
from ledger.store import Store
from ledger.tables import tickets


@dataclass(frozen=True, slots=True)
class TicketRecord:
    """What the ticket says of itself, as it was first seen."""

    id: str
    channel: str
    subject: str
    requester_email: str
    requester_name: str
    recipient: str
    """The only address a letter of this ticket may go to; never changed by a later message."""
    account_id: str | None
    verified: bool
    """True where every message came from a verified sender of the same account; it only ever falls."""
    first_seen: datetime
    erased: bool
    """True once the personal fields and all bodies were erased."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the thread."""

    seq: int
    key: str
    role: Literal["customer", "assistant", "agent"]
    text: str
    """Empty where erased."""
    at: datetime
    subject: str = ""
    attachments: tuple[str, ...] = ()
    """Names only: nobody has read what is in them."""
    verified: bool = True
    """False for a customer's message whose sender nobody verified."""
    piece: str = ""
    """For what left: answer, question, closing, notice or approved."""
    certain: bool = True
    """False where nobody knows whether it reached the customer."""
    settled: bool = False
    """True where a person's decision covers it: it needs no assessment again."""
    settled_how: str = ""
    """That decision's kind (``approved``, ``handed_back`` …)."""
    erased: bool = False
    context: object = None
    """What came with it about the account, plain JSON."""
    message_id: str = ""
    """The Message-ID of a customer's mail; empty where it came another way."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a step needs to know of a ticket, all of one moment. For reading: a right is derived from the register as
    it stands at each call."""

    ticket: TicketRecord
    messages: tuple[Message, ...]
    """The conversation, in order."""
    register: Register
    events: tuple[Event, ...]
    """The ticket's events of the kinds that were asked for, in order."""


class History:
    """All reads, for whoever may see a ticket. It writes nothing."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        """Reads from one store."""
        self._store = store

    def timeline(self, ticket: str) -> tuple[Event, ...]:
        """Everything that happened to the ticket, in order; empty for an unknown one."""
        with self._store.read() as conn:
            return events.timeline(conn, ticket)

    def house_timeline(self) -> tuple[Event, ...]:
        """What happened to the whole house: halts and resumptions."""
        with self._store.read() as conn:
            return events.timeline(conn, HOUSE)

    def thread(self, ticket: str) -> tuple[Message, ...]:
        """The conversation, in order. UnknownTicket."""
        with self._store.read() as conn:
            return thread(conn, ticket)

    def ticket(self, ticket: str) -> TicketRecord:
        """The ticket's own record. UnknownTicket."""
        with self._store.read() as conn:
            return ticket_record(conn, ticket)

    def register(self, ticket: str) -> Register:
        """Lane, epoch and revision. UnknownTicket."""
        with self._store.read() as conn:
            return register.current(conn, ticket)

    def refusals(self, ticket: str) -> tuple[Refusal, ...]:
        """Every right that was refused on this ticket, in order."""
        with self._store.read() as conn:
            return refusals(conn, ticket)

    def deliveries(self, ticket: str) -> tuple[Delivery, ...]:
        """Every text that left, may leave or could not, in the order they were proposed."""
        with self._store.read() as conn:
            return deliveries_of(conn, ticket)

    def changes(self, ticket: str) -> tuple[Change, ...]:
        """Every change of state that a person ordered on the ticket, in order."""
        with self._store.read() as conn:
            return changes_of(conn, ticket)

    def decided_under(self, ticket: str, key: str) -> Event | None:
        """The decision that a person made on the ticket under this key of theirs; None where none was."""
        with self._store.read() as conn:
            return events.by_key(conn, ticket, events.own_key(key_of("person", key)))

    def contact(self, ticket: str) -> str:
        """The address that the customer left last for being reached; empty where none, or erased. Anybody's claim: it is
        for the person who writes there, and verifies nobody."""
        with self._store.read() as conn:
            given = events.latest(conn, ticket, Kind.CONTACT_GIVEN)
        return given.body.text or "" if given and given.body else ""

    def reach(self, ticket: str) -> Reach:
        """How the customer of a ticket is reached once they have left the chat."""
        with self._store.read() as conn:
            return reach(conn, ticket)

    def mailed_to(self, delivery: Delivery) -> str:
        """The address that a letter of the chat went to by mail; empty where it did not, or once erased."""
        with self._store.read() as conn:
            return mailed_to(conn, delivery)

    def halts(self) -> tuple[Halt, ...]:
        """The halts in force."""
        with self._store.read() as conn:
            return halts_now(conn)

    def letter_sent_as(self, provider_ref: str) -> Delivery | None:
        """The letter that a channel gave this reference; None where there is none."""
        with self._store.read() as conn:
            return sent_as(conn, provider_ref)

    def holds(self, ticket: str, key: str) -> bool:
        """True where an event of that key is on record for the ticket."""
        with self._store.read() as conn:
            return events.by_key(conn, ticket, key) is not None

    def opened_since(self, requester_email: str, moment: datetime, *, verified: bool) -> tuple[str, ...]:
        """The tickets that this address has opened since a moment, oldest first: those of a verified sender, or those
        of somebody who only says so."""
        asked = select(tickets.c.id).where(
            tickets.c.requester_email == requester_email, tickets.c.first_seen >= moment, tickets.c.verified == verified
        )
        with self._store.read() as conn:
            return tuple(conn.execute(asked.order_by(tickets.c.first_seen, tickets.c.id)).scalars())

    def tickets(self) -> tuple[str, ...]:
        """All ticket ids, in the order they were first seen."""
        with self._store.read() as conn:
            query = select(tickets.c.id).order_by(tickets.c.first_seen, tickets.c.id)
            return tuple(conn.execute(query).scalars())


_TICKET = select(tickets).where(tickets.c.id == bindparam("ticket"))


def snapshot(conn: Connection, ticket: str, kinds: Sequence[Kind] = ()) -> Snapshot:
    """The ticket as it stands in this transaction, with its events of the given kinds. UnknownTicket."""
    return Snapshot(
        ticket_record(conn, ticket),
        thread(conn, ticket),
        register.current(conn, ticket),
        events.timeline(conn, ticket, kinds) if kinds else (),
    )


def ticket_record(conn: Connection, ticket: str) -> TicketRecord:
    """The ticket's own record. UnknownTicket."""
    row = conn.execute(_TICKET, {"ticket": ticket}).first()
    if row is None:
        raise UnknownTicket(f"no ticket {ticket!r}")
    return TicketRecord(
        id=row.id,
        channel=row.channel,
        subject=row.subject or "",
        requester_email=row.requester_email or "",
        requester_name=row.requester_name or "",
        recipient=row.recipient or "",
        account_id=row.account_id,
        verified=row.verified,
        first_seen=row.first_seen,
        erased=row.erased_at is not None,
    )


def refusals(conn: Connection, ticket: str) -> tuple[Refusal, ...]:
    """Every right that was refused on this ticket, in order."""
    return tuple(refused(e) for e in events.timeline(conn, ticket, [Kind.RIGHT_REFUSED]))


def refused(event: Event) -> Refusal:
    """The refusal that a ``right_refused`` event tells."""
    return Refusal(event.head["what"], event.head["rule"], event.head["reason"])


_SPOKEN = (
    Kind.CUSTOMER_WROTE,
    Kind.DELIVERED,
    Kind.DELIVERY_UNKNOWN,
    Kind.DELIVERY_FAILED,
    Kind.PERSON_DECIDED,
)


def thread(conn: Connection, ticket: str) -> tuple[Message, ...]:
    """The conversation, in order, with what a person's decision has settled. UnknownTicket.

    A decision whose reply never left settles nothing: the customer still waits for an answer to those words. What a
    helpdesk tells again of the thread stands in it once.
    """
    found = events.timeline(conn, ticket, _SPOKEN)
    if not found:
        ticket_record(conn, ticket)
    spoken: dict[str, Message] = {}
    for event in found:
        match event.kind:
            case Kind.CUSTOMER_WROTE:
                spoken.update({m.key: m for m in _not_yet_told(_from_before(event), spoken.values())})
                spoken[event.key] = _from_customer(event)
            case Kind.DELIVERED | Kind.DELIVERY_UNKNOWN:
                said = _from_us(event)
                # A letter that was unknown and is now known keeps its place in the thread.
                earlier = spoken.get(said.key)
                spoken[said.key] = replace(said, seq=earlier.seq, at=earlier.at) if earlier else said
            case Kind.DELIVERY_FAILED:
                spoken.pop(_letter_key(event), None)
            case _:
                pass  # decisions settle messages, below
    decisions = [e for e in found if e.kind is Kind.PERSON_DECIDED]
    if any("reply_key" in e.head for e in decisions):
        revision = register.standing(conn, ticket).revision
        undone = {d.reply_key for d in deliveries_of(conn, ticket) if _never_leaves(d, revision)}
        decisions = [e for e in decisions if e.head.get("reply_key") not in undone]
    return _settled(tuple(spoken.values()), decisions)


def _never_leaves(held: Delivery, revision: int) -> bool:
    """It did not arrive, or waits though the customer has written since: then the moment of effect will refuse it."""
    dead = held.state in (DeliveryState.REFUSED, DeliveryState.FAILED)
    return dead or (held.state is DeliveryState.INTENT and held.letter.revision != revision)


def _from_customer(event: Event) -> Message:
    raw: Mapping[str, Any] = (event.body.json() if event.body else None) or {}
    return Message(
        seq=event.seq,
        key=event.key,
        role="customer",
        text=str(raw.get("text", "")),
        at=event.at,
        subject=str(raw.get("subject", "")),
        attachments=tuple(str(a) for a in raw.get("attachments", ())),
        verified=event.head.get("verified") is True,
        erased=not raw,
        context=raw.get("context"),
        message_id=str(raw.get("message_id", "")),
    )


def _from_before(event: Event) -> tuple[Message, ...]:
    """What was said before the thread came to us; it keeps the seq of the message that brought it."""
    raw: Mapping[str, Any] = (event.body.json() if event.body else None) or {}
    verified = event.head.get("verified") is True
    return tuple(
        Message(event.seq, own_key(f"{event.key}/earlier/{n}"), e["role"], e["text"], event.at, verified=verified)
        for n, e in enumerate(raw.get("earlier", ()))
    )


def _not_yet_told(before: Sequence[Message], spoken: Iterable[Message]) -> Iterator[Message]:
    """What was said before, without what the thread holds already. Each message answers for one repetition: a customer
    may say the same words twice."""
    held = Counter(_said(m) for m in spoken) if before else Counter()
    for message in before:
        if held[_said(message)]:
            held[_said(message)] -= 1
        else:
            yield message


def _said(message: Message) -> tuple[bool, str]:
    """Side and words: a helpdesk may call the assistant its agent, and breaks lines its own way."""
    return message.role == "customer", " ".join(message.text.split())


def _letter_key(event: Event) -> str:
    # In our own keys' room: a stranger's message id may not take a letter's place in the thread, or lose its own.
    return own_key(f"letter/{event.head['reply_key']}")


def _from_us(event: Event) -> Message:
    text = event.body.text if event.body else None
    piece = str(event.head["piece"])
    return Message(
        seq=event.seq,
        key=_letter_key(event),
        role="agent" if piece == "approved" else "assistant",
        text=text or "",
        at=event.at,
        piece=piece,
        certain=event.kind is Kind.DELIVERED,
        erased=text is None,
    )


def _settled(messages: tuple[Message, ...], decisions: Sequence[Event]) -> tuple[Message, ...]:
    """Marks each message that a decision covers: those up to the seq that the person had read."""
    settling = [(int(d.head["settles"]), str(d.head["decision"])) for d in decisions if "settles" in d.head]

    def mark(message: Message) -> Message:
        how = next((decision for seq, decision in settling if message.seq <= seq), None)
        return message if how is None else replace(message, settled=True, settled_how=how)

    return tuple(mark(m) for m in messages)
