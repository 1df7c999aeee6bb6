"""Where a text that a person approved reaches a customer of the chat: in the chat, or by mail once they have left it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, bindparam, select

from guards.gate import Piece
from ledger import events
from ledger.events import Event, Kind, own_key
from ledger.letters import Delivery
from ledger.tables import chats, tickets
from ledger.words import digest_of

CHAT = "chat:"
"""What a conversation's recipient begins with. No mail address can: a colon never stands in a plain one."""
MAIL_TO = "mail_to"
"""Under which name a decision's words hold the address that the person was shown: sealed, and erased with the ticket."""
AWAY_FOR = timedelta(seconds=60)
"""How long nobody may have been there before they count as gone: a reload, a lost line or a restart of ours is shorter."""


class Presence(StrEnum):
    """Whether the customer's page is open."""

    HERE = "here"
    PERHAPS = "perhaps"
    """Their page was there a moment ago, and may come back."""
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Reach:
    """How the customer of a ticket can be reached besides the ticket's own address."""

    chat: bool
    """False for a ticket that is no conversation of the chat: then there is nothing besides."""
    address: str = ""
    """Where mail would go; empty where no address was left, or a letter to it did not arrive."""
    vouched: bool = False
    """True where the host page signed for the address; else it is anybody's claim."""

    @property
    def mark(self) -> str:
        """What says later which address was shown; empty for none."""
        return mark_of(self.address)


class Way(StrEnum):
    """Where a letter goes at this moment."""

    OWN = "own"
    """To the ticket's own address: mail, or the chat."""
    MAIL = "mail"
    """By mail, in place of the chat."""
    WAIT = "wait"
    """Nobody can tell yet whether the customer has left."""


def mark_of(address: str) -> str:
    """A short word for an address, which does not show it; empty for none."""
    return digest_of(address)[:16] if address else ""


def reach(conn: Connection, ticket: str) -> Reach:
    """How the ticket's customer can be reached as things stand; of an unknown ticket, not besides. What a host page vouched
    for goes before what was typed, so that an account's facts reach nobody else; both are read from the sealed record, and
    not from a row that could be changed."""
    recipient = conn.execute(_RECIPIENT, {"ticket": ticket}).scalar()
    if not (recipient or "").startswith(CHAT):
        return Reach(chat=False)
    found, vouched, since = _address(conn, ticket)
    return Reach(True, "" if _did_not_arrive(conn, ticket, since) else found, vouched)


def way_of(conn: Connection, held: Delivery, now: datetime) -> tuple[Way, str]:
    """Where a letter goes at this moment, where mail can leave: by mail only what a person approved with that very
    address before their eyes, while it is still the customer's, and once they have left. The address comes along."""
    if held.letter.piece is not Piece.APPROVED or not held.letter.recipient.startswith(CHAT):
        return Way.OWN, ""
    bound = _bound(conn, held)
    if not bound or bound != reach(conn, held.letter.ticket).address:
        return Way.OWN, ""
    match presence(conn, held.letter.ticket, now):
        case Presence.HERE:
            return Way.OWN, ""
        case Presence.PERHAPS:
            return Way.WAIT, ""
        case Presence.GONE:
            return Way.MAIL, bound


def presence(conn: Connection, ticket: str, now: datetime) -> Presence:
    """Whether the customer's page is open. In a conversation that is closed, nobody is waited for."""
    until = conn.execute(_HERE, {"ticket": ticket}).scalar()
    if until is not None and until > now:
        return Presence.HERE
    gone = until is None or until <= now - AWAY_FOR or is_closed(events.timeline(conn, ticket, CLOSING))
    return Presence.GONE if gone else Presence.PERHAPS


def mailed_to(conn: Connection, delivery: Delivery) -> str:
    """The address that a letter of the chat went to by mail; empty where it did not, or once erased."""
    return _bound(conn, delivery) if was_mailed(conn, delivery) else ""


def was_mailed(conn: Connection, delivery: Delivery) -> bool:
    """True where the letter was begun as mail in place of the chat."""
    if not delivery.letter.recipient.startswith(CHAT):
        return False
    begun = events.by_key(conn, delivery.letter.ticket, own_key(f"post/{delivery.reply_key}/started"))
    return begun is not None and is_by_mail(begun)


def is_by_mail(event: Event) -> bool:
    """True for what happened to a letter that left by mail in place of the chat."""
    return event.head.get("way") == Way.MAIL.value


CLOSING = (Kind.CUSTOMER_WROTE, Kind.CUSTOMER_CLOSED, Kind.DELIVERED, Kind.PERSON_DECIDED)
"""What says whether a conversation is closed."""


def is_closed(happened: tuple[Event, ...]) -> bool:
    """True where the customer said that it is settled, or a person resolved it, and nothing was written since."""
    wrote = max((e.seq for e in happened if e.kind is Kind.CUSTOMER_WROTE), default=0)
    return any(e.seq > wrote and _closes(e) for e in happened)


def _closes(event: Event) -> bool:
    match event.kind:
        case Kind.CUSTOMER_CLOSED:
            return True
        case Kind.DELIVERED:
            return event.head.get("piece") == "closing"
        case Kind.PERSON_DECIDED:
            return event.head.get("decision") == "resolved"
        case _:
            return False


_RECIPIENT = select(tickets.c.recipient).where(tickets.c.id == bindparam("ticket"))
_HERE = select(chats.c.here_until).where(chats.c.ticket_id == bindparam("ticket"))


def _address(conn: Connection, ticket: str) -> tuple[str, bool, int]:
    """The address, whether it is vouched for, and the seq of the event that holds it."""
    wrote = events.first(conn, ticket, Kind.CUSTOMER_WROTE)
    sender = ((wrote.body.json() if wrote and wrote.body else None) or {}).get("sender") or {}
    if wrote is not None and wrote.head.get("verified") is True and sender.get("requester_email"):
        return str(sender["requester_email"]), True, wrote.seq
    given = events.latest(conn, ticket, Kind.CONTACT_GIVEN)
    return ((given.body.text or "") if given and given.body else "", False, given.seq if given else 0)


def _did_not_arrive(conn: Connection, ticket: str, since: int) -> bool:
    """True where the last letter that went there by mail failed or came back: a person is not led into it again."""
    ends = (Kind.DELIVERED, Kind.DELIVERY_FAILED, Kind.DELIVERY_UNKNOWN)
    mailed = [e for e in events.timeline(conn, ticket, ends) if e.seq > since and is_by_mail(e)]
    return bool(mailed) and mailed[-1].kind is not Kind.DELIVERED


def _bound(conn: Connection, held: Delivery) -> str:
    """The address that the person was shown who approved it; empty for none. Of the decision's sealed words."""
    decided = events.event_at(conn, held.decided_by or 0)
    words = (decided.body.json() if decided and decided.body else None) or {}
    return str(words.get(MAIL_TO, "")) if isinstance(words, dict) else ""
