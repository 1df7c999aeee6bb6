"""What comes in: customers' messages and the clock's ticks, each filed once, and the list of what waits."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, bindparam, func, insert, select, update

from guards.gate import Refusal
from guards.lanes import Lane
from ledger import lease as lease_room
from ledger import letters, register, reviews
from ledger.errors import BadMessage, KeyReused, UnknownEvent
from ledger.events import HOUSE, OWN, Body, Entry, Event, Kind, append, by_key, erased, event_at, next_waiting, own_key
from ledger.store import Store
from ledger.tables import inbox, tickets
from ledger.tables import reviews as reviews_table
from ledger.words import canonical, digest_of, filed_name, keepable

TICKET_LIMIT = 200
"""Most characters of a ticket id; a longer one is filed under its beginning and its digest."""
KEY_LIMIT = 200
"""The same for a message's key."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """One message from before we had the thread, as the channel or a helpdesk tells it."""

    role: Literal["customer", "assistant", "agent"]
    text: str


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """What a channel hands in. All of it but ``verified`` is written by a stranger."""

    ticket: str
    key: str
    """The message's own id, unique in its ticket: the same message, told twice, is filed once."""
    channel: str
    subject: str
    requester_email: str
    requester_name: str
    verified: bool
    """True only where the channel has authenticated the sender."""
    account_id: str | None
    recipient: str
    """Where a reply goes. Taken from the ticket's first message, and never changed by a later one."""
    text: str
    attachments: tuple[str, ...] = ()
    """Their names; what is in them is read by nobody."""
    received_at: datetime | None = None
    """None for now; a moment without a zone is read as UTC."""
    context: object = None
    """What the channel or helpdesk hands over about the account, plain JSON; None for nothing."""
    earlier: tuple[Earlier, ...] = ()
    """What was said in the thread before its first message here, oldest first; it is quoted to people and
    assessed, and nothing of it was judged by us."""
    message_id: str = ""
    """The mail's own Message-ID, for what an answer refers to; empty where the channel has none."""
    asks_person: bool = False
    """True where the customer said by a button that they want a person. It is honoured with the message itself,
    whatever becomes of the run: the floor is lane 3 and a review is open from the same write on."""


@dataclass(frozen=True, slots=True)
class NotedMail:
    """A mail that is recorded and that no run is made of: a machine wrote it, or too much came at once."""

    key: str
    """The mail's own id, unique in its ticket."""
    why: str
    """Which sign it was known by: ``auto_submitted``, ``list``, ``too_much`` …"""
    sender: str
    subject: str
    text: str


Admit: TypeAlias = Callable[[Connection], None]
"""Says no to what would be filed, by raising."""


@dataclass(frozen=True, slots=True)
class Received:
    """What became of a message."""

    ticket: str
    """The id it is filed under: the given one, stripped and made storable."""
    key: str
    seq: int
    first: bool
    """False where the same message was filed before."""


class Intake:
    """The front door, and the list of what waits behind it."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        """Files into one store."""
        self._store = store

    def receive(self, message: IncomingMessage, admit: Admit | None = None) -> Received:
        """Files a customer's message: ticket, words, event, inbox and thread revision in one durable write. ``admit`` is
        asked within that write about a message that is new; what it raises leaves nothing filed.

        Idempotent by (ticket, key): told again, the first telling stands, also where more of the thread or another
        context comes along. BadMessage without a ticket or key, or with a context that is no plain JSON; KeyReused
        where the key came before with another text (the first is kept; file the second under a key of its own).
        """
        now = self._store.now()
        ticket, key = _filed(message.ticket, "ticket id", TICKET_LIMIT), _filed(message.key, "key", KEY_LIMIT)
        words: dict[str, Any] = {
            "text": keepable(message.text),
            "subject": keepable(message.subject),
            "attachments": [keepable(a) for a in message.attachments],
            # Sealed with the message: the ticket's own row, which holds the same, could be changed in the file.
            "sender": sender_of(message),
        }
        if message.context is not None:
            words["context"] = message.context
        if message.message_id:
            words["message_id"] = keepable(message.message_id)
        if message.earlier:
            words["earlier"] = [{"role": e.role, "text": keepable(e.text)} for e in message.earlier]
        head = {
            "channel": keepable(message.channel)[:100],
            "verified": message.verified is True,
            "received_at": _aware(message.received_at or now).isoformat(),
            "characters": len(words["text"]),
            "attachments": len(message.attachments),
            **({"asks_person": True} if message.asks_person else {}),
        }
        digest = _digest(words)
        with self._store.write(durable=True) as conn:
            if admit is not None and by_key(conn, ticket, key) is None:
                admit(conn)
            done = append(conn, ticket, Entry(Kind.CUSTOMER_WROTE, key, head, words), at=now, actor="customer")
            if done.first:
                _file_ticket(conn, ticket, message, done.seq, now)
                if message.asks_person:
                    self._call_a_person(conn, ticket, done.seq, now)
            else:
                _same(ticket, key, done.body, words["text"], digest)
        return Received(ticket, key, done.seq, done.first)

    def note(self, ticket: str | None, mail: NotedMail, *, call: bool = False) -> bool:
        """Records a mail that nothing answers; True the first time. Whoever has the ticket's open review is told; with
        ``call`` a person is called where nobody is asked just now.

        Without a ticket its words are not kept: they would belong to nobody, and could not be erased. UnknownTicket.
        """
        now = self._store.now()
        words = {"sender": keepable(mail.sender), "subject": keepable(mail.subject), "text": keepable(mail.text)}
        entry = Entry(Kind.MAIL_NOTED, own_key(f"mail/{mail.key}"), {"why": mail.why}, words if ticket else None)
        with self._store.write(durable=True) as conn:
            if ticket is not None:
                register.current(conn, ticket)
            done = append(conn, ticket or HOUSE, entry, at=now, actor="mailbox")
            if ticket is None or not done.first:
                return done.first
            if call:
                why, review = "too_much_mail", self._store.new_id()
                reviews.call_a_person(conn, ticket, why, review_id=review, cause=done.seq, at=now)
            else:
                reviews.tell_a_person(conn, ticket, "automatic_mail", cause=done.seq, at=now)
        return True

    def _call_a_person(self, conn: Connection, ticket: str, seq: int, now: datetime) -> None:
        register.raise_floor(conn, ticket, Lane.HUMAN_OWNED, at=now, actor="customer")
        wanted = Refusal("answer the customer", "asks_for_a_person", "the customer asked for a person meanwhile")
        letters.withdraw(conn, ticket, wanted, at=now, actor="ledger")
        reviews.call_a_person(conn, ticket, "person_asked_for", review_id=self._store.new_id(), cause=seq, at=now)

    def close(self, ticket: str, key: str, admit: Admit | None = None) -> Received:
        """Files that the customer said, by a button, that the matter is resolved. Idempotent; UnknownTicket. ``admit`` as
        for a message."""
        filed = _filed(key, "key", KEY_LIMIT)
        now = self._store.now()
        with self._store.write(durable=True) as conn:
            register.current(conn, ticket)
            if admit is not None and by_key(conn, ticket, filed) is None:
                admit(conn)
            done = append(conn, ticket, Entry(Kind.CUSTOMER_CLOSED, filed), at=now, actor="customer")
            if done.first:
                register.note_revision(conn, ticket, done.seq)
        return Received(ticket, filed, done.seq, done.first)

    def tick(self) -> tuple[str, ...]:
        """Files a deadline_passed event for each open review whose time is over by the store's clock; each
        deadline is told once. Returns the tickets."""
        now = self._store.now()
        table = reviews_table
        due = select(table.c.id, table.c.ticket_id, table.c.due_at).where(
            table.c.state == "open",
            table.c.due_at <= now,
            (table.c.told_due_at.is_(None)) | (table.c.told_due_at < table.c.due_at),
        )
        told = []
        with self._store.write(durable=True) as conn:
            for row in conn.execute(due.order_by(table.c.due_at)).all():
                head = {"review": row.id, "due_at": row.due_at.isoformat()}
                entry = Entry(Kind.DEADLINE_PASSED, own_key(f"deadline/{row.id}/{row.due_at.isoformat()}"), head)
                append(conn, row.ticket_id, entry, at=now, actor="clock")
                conn.execute(update(table).where(table.c.id == row.id).values(told_due_at=row.due_at))
                told.append(row.ticket_id)
        return tuple(told)

    def next_unhandled(self, ticket: str) -> Event | None:
        """The ticket's oldest event that waits; None where the worker has caught up."""
        with self._store.read() as conn:
            return next_waiting(conn, ticket)

    def tickets_with_work(self) -> tuple[str, ...]:
        """The tickets with a waiting event; whose has waited longest comes first."""
        with self._store.read() as conn:
            query = (
                select(inbox.c.ticket_id)
                .where(inbox.c.state == "waiting")
                .group_by(inbox.c.ticket_id)
                .order_by(func.min(inbox.c.seq))
            )
            return tuple(conn.execute(query).scalars())

    def take(self, ticket: str, holder: str, seconds: float) -> tuple[lease_room.Lease, Event] | None:
        """The ticket's lease and its oldest waiting event, in one write; None, and no lease, where nothing waits.
        LeaseHeld where another has it. ``release`` the lease when the work ends."""
        with self._store.write() as conn:
            event = next_waiting(conn, ticket)
            return None if event is None else (lease_room.take(conn, self._store, ticket, holder, seconds), event)

    def handled(self, seq: int, lease: lease_room.Lease, seconds: float) -> Event | None:
        """The worker is done with an event: in one write it is marked so, and the lease is renewed for the ticket's
        next waiting event, which is returned; or given up where none waits, so that none filed later is left lying.

        UnknownEvent. LeaseLost where another may run that next event by now; the mark stands.
        """
        with self._store.write() as conn:
            _mark_handled(conn, seq, self._store.now())
            following = next_waiting(conn, lease.ticket)
            held = lease.give_up(conn) if following is None else lease.prolong(conn, seconds)
        lease.ended = following is None
        if following is not None and not held:
            raise lease.lost()
        return following

    def mark_handled(self, seq: int) -> None:
        """The worker is done with an event; doing it twice is harmless. UnknownEvent."""
        with self._store.write() as conn:
            _mark_handled(conn, seq, self._store.now())

    def mark_failed(self, seq: int, error: BaseException | str) -> int:
        """Records that running an event failed, and returns how often it has now; it goes on waiting."""
        now = self._store.now()
        with self._store.write() as conn:
            event, failures = _waiting(conn, seq)
            failures += 1
            conn.execute(update(inbox).where(inbox.c.seq == seq).values(failures=failures))
            name = error if isinstance(error, str) else type(error).__name__
            entry = Entry(
                Kind.EVENT_FAILED,
                own_key(f"failed/{seq}/{failures}"),
                {"event": seq, "failures": failures, "error": keepable(name)[:100]},
                # An error may quote what was erased under the run.
                body=None if erased(conn, event.ticket) else str(error),
            )
            append(conn, event.ticket, entry, at=now, actor="worker")
        return failures

    def give_up(self, seq: int) -> None:
        """Stops trying an event, so that the ones behind it are not lost, and calls a person: the ticket's floor
        rises to lane 3 and a review is open. UnknownEvent."""
        now = self._store.now()
        with self._store.write(durable=True) as conn:
            event, failures = _waiting(conn, seq)
            if not _settle(conn, seq, "given_up", now):
                return
            head = {"event": seq, "failures": failures}
            entry = Entry(Kind.EVENT_GIVEN_UP, own_key(f"given_up/{seq}"), head)
            append(conn, event.ticket, entry, at=now, actor="worker")
            register.raise_floor(conn, event.ticket, Lane.HUMAN_OWNED, at=now, actor="ledger")
            reviews.call_a_person(
                conn, event.ticket, "event_given_up", review_id=self._store.new_id(), cause=seq, at=now
            )

    def is_settled(self, ticket: str, key: str) -> bool:
        """True where the worker needs no more of that event: it was handled or given up, or nobody knows it."""
        with self._store.read() as conn:
            event = by_key(conn, ticket, key)
            if event is None:
                return True
            state = conn.execute(select(inbox.c.state).where(inbox.c.seq == event.seq)).scalar_one_or_none()
            return state != "waiting"

    def failures(self, seq: int) -> int:
        """How often running an event has failed. UnknownEvent."""
        with self._store.read() as conn:
            return _waiting(conn, seq)[1]

    def lease(self, ticket: str, holder: str, seconds: float = 60.0) -> AbstractContextManager[lease_room.Lease]:
        """The sole right to run a ticket, for the length of a ``with`` block; LeaseHeld where another has it.

        It holds between processes and ends after ``seconds`` where its holder has crashed; ``renew`` it where the
        work takes longer.
        """
        return lease_room.lease(self._store, ticket, holder, seconds)


def _filed(name: str, what: str, limit: int) -> str:
    filed = filed_name(name, limit)
    if not filed or filed == HOUSE:
        raise BadMessage(f"a message needs a {what}; got {name!r}")
    # A stranger's message id may not pass for one of the ledger's own keys.
    return filed if not filed.startswith(OWN) else f"={filed}"


def _digest(words: dict[str, Any]) -> str:
    try:
        return digest_of(canonical(words))
    except (TypeError, ValueError, RecursionError) as error:
        raise BadMessage(f"a message's context must be plain JSON: {error}") from error


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def sender_of(message: IncomingMessage) -> dict[str, str | None]:
    """Who wrote, and where an answer may go, as the ledger keeps it."""
    return {
        "requester_email": keepable(message.requester_email),
        "requester_name": keepable(message.requester_name),
        "recipient": keepable(message.recipient).strip(),
        "account_id": keepable(message.account_id) if message.account_id is not None else None,
    }


def _same(ticket: str, key: str, kept: Body | None, text: str, digest: str) -> None:
    """Nothing where the message kept under the key is of that text; KeyReused where it is another."""
    # What was erased is known by the digest of the whole alone.
    same = kept is not None and (kept.digest == digest or (kept.json() or {}).get("text") == text)
    if not same:
        raise KeyReused(ticket, key, f"text {kept.digest if kept else 'none'}", f"text {digest}")


_KNOWN = select(tickets.c.account_id, tickets.c.requester_email).where(tickets.c.id == bindparam("ticket"))
_FILE = insert(tickets)
_FAILURES = select(inbox.c.failures).where(inbox.c.seq == bindparam("event"))
_SETTLE = (
    update(inbox)
    .where(inbox.c.seq == bindparam("event"), inbox.c.state == "waiting")
    .values(state=bindparam("to"), settled_at=bindparam("at"))
)


def _file_ticket(conn: Connection, ticket: str, message: IncomingMessage, seq: int, now: datetime) -> None:
    known = conn.execute(_KNOWN, {"ticket": ticket}).first()
    if known is None:
        conn.execute(
            _FILE,
            {
                "id": ticket,
                "channel": keepable(message.channel)[:100],
                "subject": keepable(message.subject),
                **sender_of(message),
                "verified": message.verified is True,
                "first_seen": now,
            },
        )
        register.create(conn, ticket, seq)
        return
    register.note_revision(conn, ticket, seq)
    # One unverified or differing sender in the thread, and nothing of the account may be told in it any more.
    # That includes another person of the same account: who may be told what is not ours to know.
    other = _address(message.requester_email) != _address(known.requester_email or "")
    if message.verified is not True or message.account_id != known.account_id or other:
        conn.execute(update(tickets).where(tickets.c.id == ticket).values(verified=False))


def _address(email: str) -> bytes:
    """An address to compare: only ASCII letters are the same in both cases, since other alphabets fold into them."""
    return keepable(email).strip().encode("utf-8").lower()


def _waiting(conn: Connection, seq: int) -> tuple[Event, int]:
    row = conn.execute(_FAILURES, {"event": seq}).first()
    event = event_at(conn, seq)
    if row is None or event is None:
        raise UnknownEvent(f"event {seq} is not one the worker acts on")
    return event, row.failures


def _mark_handled(conn: Connection, seq: int, now: datetime) -> None:
    if not _settle(conn, seq, "handled", now):
        _waiting(conn, seq)


def _settle(conn: Connection, seq: int, state: str, now: datetime) -> bool:
    return conn.execute(_SETTLE, {"event": seq, "to": state, "at": now}).rowcount == 1
