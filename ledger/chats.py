"""Who holds which conversation of the chat, and what the customer is shown of it: only what the record says has left."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from ledger import events, register
from ledger.errors import UnknownTicket
from ledger.events import Entry, Event, Kind, own_key
from ledger.letters import DeliveryState
from ledger.reaching import CHAT, CLOSING, is_by_mail, is_closed
from ledger.store import Store
from ledger.tables import chats, inbox, outbox, reviews, tickets
from ledger.tables import events as events_table
from ledger.words import digest_of, keepable

ADDRESS_KEPT = timedelta(hours=1)
"""How long the digest of the address stands that a conversation was started from: as long as it is counted by."""
HERE_FOR = timedelta(seconds=40)
"""How long a customer counts as there after the last sign of their open page: longer than two of its beats."""
CONTACTS_A_DAY = 5
"""How often the address for an answer may be corrected in one conversation."""
EMPTY_KEPT = timedelta(days=1)
"""How long a conversation stands in which nobody wrote."""


@dataclass(frozen=True, slots=True)
class Somebody:
    """A customer for whom the host page vouches."""

    account_id: str
    email: str
    name: str


@dataclass(frozen=True, slots=True)
class Chat:
    """One conversation."""

    ticket: str
    somebody: Somebody | None
    """None where nobody vouches for the customer."""
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was said, as the customer has it."""

    number: int
    """Its place in the conversation, from 1; it never changes."""
    role: Literal["customer", "assistant", "agent"]
    """``agent`` where a person approved or wrote exactly these words."""
    text: str
    """Empty once erased."""
    at: datetime
    key: str = ""
    """The key that the customer's own page gave the message."""
    piece: str = ""
    """For what left: answer, question, closing, notice or approved."""
    asks_person: bool = False
    erased: bool = False
    mailed: bool = False
    """True where it left by mail, since the customer was gone: its words stand there alone."""


class ChatState(StrEnum):
    """How a conversation stands. Each is read off the record; none says that a person did what none did."""

    NEW = "new"
    """Nobody has written."""
    LOOKING = "looking"
    """The assistant has a message in hand, or a text of its own is on its way."""
    ASKED = "asked"
    """A person is asked and has not taken the thread."""
    TAKEN = "taken"
    """A person has taken the thread, by name."""
    ANSWERED = "answered"
    """Nothing waits."""
    CLOSED = "closed"
    """The customer said that it is settled, or a person resolved it; a new message opens it again."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What one customer is shown."""

    lines: tuple[Line, ...]
    state: ChatState
    contact: bool
    """True where the customer can be reached: an address was left, or the host page named one."""
    person_asked: bool
    """True where they asked for a person, and no person has written since."""


@dataclass(frozen=True, slots=True)
class Pressure:
    """How much is written."""

    minute: int
    """Messages of the conversation in the last minute, and how often it was closed."""
    day: int
    """The same in the last day."""
    waiting: int
    """Events that wait for the worker, of all tickets."""
    waiting_here: int
    """Those of this conversation."""
    waiting_from_address: int
    """Those of all conversations that were started from the same address within the hour."""
    wished: bool
    """True where a person was asked for in this conversation before."""


def recipient_of(conversation: str) -> str:
    """Where letters of a conversation go."""
    return CHAT + conversation


class Chats:
    """The conversations."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        """Keeps them in one store."""
        self._store = store

    def start(self, ticket: str, secret: str, somebody: Somebody | None, address: str, most: int) -> bool:
        """Makes a conversation that whoever holds ``secret`` may read and write in. False, and nothing made, where
        ``address`` has started ``most`` within the hour, whichever process took them."""
        now, told = self._store.now(), digest_of(address)
        row: dict[str, Any] = {"ticket_id": ticket, "secret_digest": _digest(secret), "address": told}
        if somebody is not None:
            kept = (keepable(somebody.account_id), keepable(somebody.email), keepable(somebody.name))
            row |= dict(zip(("account_id", "email", "name"), kept, strict=True))
        with self._store.write() as conn:
            _forget(conn, now)
            query = select(func.count()).select_from(chats).where(chats.c.address == told)
            if conn.execute(query).scalar_one() >= most:
                return False
            conn.execute(insert(chats), {**row, "started_at": now})
        return True

    def held(self, ticket: str, secret: str) -> Chat | None:
        """The conversation, for who holds its secret; None for everybody else."""
        with self._store.read() as conn:
            row = conn.execute(select(chats).where(chats.c.ticket_id == ticket)).first()
        # Compared even where there is none: how long we take tells nobody which conversations exist.
        right = hmac.compare_digest(_digest(secret), (row.secret_digest if row else None) or _digest(""))
        return _chat(row) if row is not None and row.secret_digest and right else None

    def is_one(self, ticket: str) -> bool:
        """True where the ticket is a conversation that somebody can still read."""
        with self._store.read() as conn:
            row = conn.execute(select(chats.c.secret_digest).where(chats.c.ticket_id == ticket)).first()
        return row is not None and row.secret_digest is not None

    def ticket_of(self, reply_key: str) -> str | None:
        """The ticket that a letter belongs to; None where there is no such letter."""
        with self._store.read() as conn:
            query = select(outbox.c.ticket_id).where(outbox.c.reply_key == reply_key)
            return conn.execute(query).scalar_one_or_none()

    def leave_contact(self, ticket: str, email: str) -> bool:
        """Records an address that the customer left to be reached at; told twice, it is one. It is anybody's claim, and
        nothing of the assistant's ever goes there. False, and nothing recorded, where ``CONTACTS_A_DAY`` were left within
        the day. UnknownTicket before the first message."""
        now = self._store.now()
        with self._store.write(durable=True) as conn:
            _known(conn, ticket)
            last = events.latest(conn, ticket, Kind.CONTACT_GIVEN)
            if last is not None and last.body is not None and last.body.text == email:
                return True
            given = (events_table.c.ticket_id == ticket, events_table.c.kind == Kind.CONTACT_GIVEN.value)
            query = select(func.count()).where(*given, events_table.c.at >= now - timedelta(days=1))
            if conn.execute(query).scalar_one() >= CONTACTS_A_DAY:
                return False
            # Who corrects an address twice may come back to the first: each change is an event of its own.
            key = own_key(f"contact/{last.seq if last else 0}/{digest_of(email)}")
            entry = Entry(Kind.CONTACT_GIVEN, key, {}, email)
            events.append(conn, ticket, entry, at=now, actor="customer")
            return True

    def here(self, ticket: str) -> None:
        """The customer's page is open: a text for them is read in the chat."""
        self._set_here(ticket, self._store.now() + HERE_FOR)

    def left(self, ticket: str) -> None:
        """Their page was closed, or its line was lost: whoever comes back in a moment has not left."""
        self._set_here(ticket, self._store.now())

    def _set_here(self, ticket: str, until: datetime) -> None:
        with self._store.write() as conn:
            held = (chats.c.ticket_id == ticket, chats.c.secret_digest.is_not(None))
            conn.execute(update(chats).where(*held).values(here_until=until))

    def pressure(self, ticket: str, key: str) -> Pressure | None:
        """How much is written just now, all of one moment; None for a message that was filed before."""
        with self._store.read() as conn:
            return None if events.by_key(conn, ticket, key) is not None else self.pressure_in(conn, ticket)

    def pressure_in(self, conn: Connection, ticket: str) -> Pressure:
        """The same within the transaction that files the message, where nothing else can come between."""
        now = self._store.now()
        minute, day = (
            conn.execute(_WROTE.where(events_table.c.ticket_id == ticket, events_table.c.at >= now - span)).scalar_one()
            for span in (timedelta(minutes=1), timedelta(days=1))
        )
        address = select(chats.c.address).where(chats.c.ticket_id == ticket).scalar_subquery()
        beside = select(chats.c.ticket_id).where(chats.c.address == address)
        return Pressure(
            minute,
            day,
            conn.execute(_WAITING).scalar_one(),
            conn.execute(_WAITING.where(inbox.c.ticket_id == ticket)).scalar_one(),
            conn.execute(_WAITING.where(inbox.c.ticket_id.in_(beside))).scalar_one(),
            any(e.head.get("asks_person") for e in events.timeline(conn, ticket, (Kind.CUSTOMER_WROTE,))),
        )

    def closed_in(self, conn: Connection, ticket: str) -> bool:
        """True where the conversation is closed, of the moment of the transaction."""
        return is_closed(events.timeline(conn, ticket, CLOSING))

    def shown(self, ticket: str) -> Shown:
        """What the customer is shown, all of one moment: what they wrote, and what has left for them for certain. A text
        of which nobody knows whether it arrived is not shown: a person is called to it."""
        with self._store.read() as conn:
            happened = events.timeline(conn, ticket, _TOLD)
            chat = conn.execute(select(chats.c.email).where(chats.c.ticket_id == ticket)).first()
            contact = bool(chat and chat.email) or any(
                e.kind is Kind.CONTACT_GIVEN and e.body and e.body.text for e in happened
            )
            lines = _lines(happened)
            wished = max((line.number for line in lines if line.asks_person), default=0)
            asked = wished > max((line.number for line in lines if line.role == "agent"), default=0)
            return Shown(lines, _state(conn, ticket, happened), contact, asked)


_WAITING = select(func.count()).select_from(inbox).where(inbox.c.state == "waiting")
_WROTE = select(func.count()).where(events_table.c.kind.in_((Kind.CUSTOMER_WROTE.value, Kind.CUSTOMER_CLOSED.value)))
_TOLD = (Kind.CUSTOMER_WROTE, Kind.DELIVERED, Kind.CUSTOMER_CLOSED, Kind.PERSON_DECIDED, Kind.CONTACT_GIVEN)


def _forget(conn: Connection, now: datetime) -> None:
    """Addresses that are no longer counted, and conversations in which nobody ever wrote."""
    conn.execute(
        update(chats).where(chats.c.address.is_not(None), chats.c.started_at < now - ADDRESS_KEPT).values(address=None)
    )
    unwritten = ~select(tickets.c.id).where(tickets.c.id == chats.c.ticket_id).exists()
    conn.execute(delete(chats).where(chats.c.started_at < now - EMPTY_KEPT, unwritten))


def _known(conn: Connection, ticket: str) -> None:
    if conn.execute(select(tickets.c.id).where(tickets.c.id == ticket)).first() is None:
        raise UnknownTicket("nothing was written in this conversation yet")


def _lines(happened: Sequence[Event]) -> tuple[Line, ...]:
    said = [e for e in happened if e.kind in (Kind.CUSTOMER_WROTE, Kind.DELIVERED)]
    return tuple(_line(number, event) for number, event in enumerate(said, 1))


def _line(number: int, event: Event) -> Line:
    if event.kind is Kind.CUSTOMER_WROTE:
        raw = (event.body.json() if event.body else None) or {}
        asks = event.head.get("asks_person") is True
        text = str(raw.get("text", ""))
        return Line(number, "customer", text, event.at, event.key, asks_person=asks, erased=not raw)
    left, piece = (event.body.text if event.body else None), str(event.head["piece"])
    role: Literal["assistant", "agent"] = "agent" if piece == "approved" else "assistant"
    if left is not None and is_by_mail(event):
        return Line(number, role, "", event.at, piece=piece, mailed=True)
    return Line(number, role, left or "", event.at, piece=piece, erased=left is None)


def _state(conn: Connection, ticket: str, happened: Sequence[Event]) -> ChatState:
    wrote = [e.seq for e in happened if e.kind is Kind.CUSTOMER_WROTE]
    if not wrote:
        return ChatState.NEW
    if is_closed(tuple(happened)):
        return ChatState.CLOSED
    if register.standing(conn, ticket).claimed_by is not None:
        return ChatState.TAKEN
    if _any(conn, reviews, ticket, ("open",)):
        return ChatState.ASKED
    on_its_way = (DeliveryState.INTENT.value, DeliveryState.SENDING.value)
    if _any(conn, inbox, ticket, ("waiting",)) or _any(conn, outbox, ticket, on_its_way):
        return ChatState.LOOKING
    return ChatState.ANSWERED


def _any(conn: Connection, table: Any, ticket: str, states: Sequence[str]) -> bool:
    query = select(table.c.ticket_id).where(table.c.ticket_id == ticket, table.c.state.in_(states)).limit(1)
    return conn.execute(query).first() is not None


def _chat(row: Row[Any]) -> Chat:
    somebody = Somebody(row.account_id or "", row.email, row.name or "") if row.email else None
    return Chat(row.ticket_id, somebody, row.started_at)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
