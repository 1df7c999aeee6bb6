"""The conversation and the packet of one ticket, as a person works on them, and what happened since they looked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from desk import decisions
from desk.accounts.people import May, Person
from desk.operators.foreseeing import Follows, time_for, what_follows
from desk.operators.inbox import OperatorInbox, QueueOption, Row
from desk.queue_hours import TimeToTell
from desk.workplace import Workplace
from guards.facts import Standing
from guards.triggers import Level, Trigger
from ledger import merging
from ledger.accounts import Accounts
from ledger.calling import customer_facing
from ledger.decisions import DecisionKind
from ledger.errors import Busy
from ledger.events import Event, Kind
from ledger.history import Message, TicketRecord
from ledger.letters import Delivery, DeliveryState
from ledger.looks import Look, Note, notes
from ledger.packets.packet import AssistedPacket, CustomerFacing, EscalationPacket, Reference
from ledger.packets.pages import HEADINGS, STATES, said_words
from ledger.register import Register
from ledger.reviews import Review
from ledger.whereabouts import WhereaboutsLedger
from tools.state_changes import PARAMETERS
from tools.systems import Article

LOOKING = timedelta(seconds=75)
"""A colleague whose page asked for news within this time has the ticket open."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing of the conversation: a message, a note, or something that happened."""

    kind: str
    """customer, assistant, agent, note or event."""
    who: str
    at: datetime
    text: str
    message: Message | None = None
    erased: bool = False
    way: str = ""
    """How far a text of ours has come; empty where it arrived."""


@dataclass(frozen=True, slots=True)
class Merged:
    """Another ticket whose words belong here."""

    ticket: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class TicketPane:
    """Everything the middle and the right pane show."""

    record: TicketRecord
    register: Register
    review: Review | None
    """The open one."""
    row: Row | None
    """Reason, deadline and queue of the open review."""
    packet: EscalationPacket | None
    """The open review's, or the last one's; None where the person is to name the lane first."""
    rated: str
    latest: Review | None
    """The last review with a packet; it is the one that is rated."""
    blind: bool
    lines: tuple[Line, ...]
    merged: tuple[Merged, ...]
    merged_into: tuple[str, ...]
    seen_by_customer: CustomerFacing
    token: str
    mark: int
    """The seq of the last thing that happened when this was read."""
    channel_name: str
    """The name under which news of this ticket is told to the page."""
    draft: str | None
    draft_stale: bool
    follows: Follows
    time: TimeToTell | None
    """Which time the customer may be told, while a person is asked."""
    queues: tuple[QueueOption, ...]
    colleagues: tuple[str, ...]
    candidates: tuple[tuple[str, str], ...]
    """Tickets it could be merged into."""
    others: tuple[Look, ...]
    """Colleagues who have it open now."""
    account: str
    """The account that the requester was shown to belong to; empty where none was."""
    contact: str
    """An address that the customer left for being reached: anybody's claim."""
    may_work: bool
    may_take_over: bool
    may_order: bool
    changes_connected: bool


@dataclass(frozen=True, slots=True)
class Happened:
    """One thing that happened since the person looked."""

    words: str
    loud: bool
    """True where what they were about to do may be wrong now."""


def channel_name(ticket: str) -> str:
    """A name for a ticket that can stand in an attribute, whatever its id holds."""
    return "t" + hashlib.sha256(ticket.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def ticket_pane(inbox: OperatorInbox, person: Person, ticket: str, *, again: bool = False) -> TicketPane:
    """One ticket for one person; that they had it before their eyes is kept. DecisionRefused for an unknown ticket."""
    place = inbox.place
    mark = last_seq(place, ticket)
    look = decisions.look(place.history, place.reviews, ticket)
    record, review = place.history.ticket(ticket), look.review
    blind = review is not None and inbox.blind(review, person)
    past = place.reviews.all_of_ticket(ticket)
    latest = next((r for r in reversed(past) if r.packet), None)
    draft = None if blind or review is None or review.draft is None else review.draft.text
    shown = (look.seen.draft or "") if draft else ""
    with suppress(Busy):  # a busy ledger keeps nobody from reading; what was not kept cannot be approved among others
        inbox.looks.opened(ticket, person.name, review.id if review else "", shown, again=again)
    timeline = place.history.timeline(ticket)
    with place.store.read() as conn:
        into, joined, written = (
            merging.merged_into(conn, ticket),
            merging.merged_from(conn, ticket),
            notes(conn, ticket),
        )
    return TicketPane(
        record=record,
        register=look.register,
        review=review,
        row=inbox.row(review, person, False) if review else None,
        packet=None if blind else (latest.packet if latest else None),
        rated=_rated(timeline, latest, person),
        latest=latest,
        blind=blind,
        lines=_lines(look.thread, place.history.deliveries(ticket), written, timeline, blind),
        merged=tuple(Merged(t, _lines(place.history.thread(t), place.history.deliveries(t), (), ())) for t in joined),
        merged_into=into,
        seen_by_customer=customer_facing(look.thread),
        # The digest of a draft tells that there is one, and so that the lane is not 3.
        token=decisions.token(replace(look.seen, draft=None) if blind else look.seen),
        mark=mark,
        channel_name=channel_name(ticket),
        draft=draft,
        draft_stale=review is not None and review.stale,
        follows=what_follows(place, ticket, draft or "", person.name, draft=True),
        time=time_for(place, ticket) if review is not None else None,
        queues=inbox.queues(place.reviews.open()),
        colleagues=colleagues(inbox, person),
        candidates=WhereaboutsLedger(place.store).of_address(ticket) if record.recipient else (),
        others=inbox.looks.others(ticket, person.name, LOOKING),
        account=record.account_id or _account(latest),
        contact=place.history.contact(ticket),
        may_work=person.may(May.WORK),
        may_take_over=person.may(May.TAKE_OVER),
        may_order=person.may(May.ORDER_CHANGE),
        changes_connected=place.change_room() is not None,
    )


def colleagues(inbox: OperatorInbox, person: Person) -> tuple[str, ...]:
    """Whom a thread can be given to."""
    everybody = Accounts(inbox.place.store).all()
    return tuple(u.name for u in everybody if not u.disabled and u.name != person.name and Person.of(u).may(May.WORK))


def last_seq(place: Workplace, ticket: str) -> int:
    """The seq of the last thing that happened to the ticket; 0 for none."""
    found = place.history.timeline(ticket)
    return found[-1].seq if found else 0


def happened_since(
    place: Workplace, ticket: str, mark: int, person: str, *, blind: bool = False
) -> tuple[Happened, ...]:
    """What happened after ``mark``, by others than this person, in the order it did; without any lane for whoever is to
    name one first (``blind``)."""
    told = (_told(e, person, blind) for e in place.history.timeline(ticket) if e.seq > mark)
    return tuple(dict.fromkeys(one for one in told if one is not None))


def cited(pane: TicketPane, articles: Sequence[Article]) -> tuple[tuple[Reference, Article | None], ...]:
    """What the packet and its draft rest on, each with the article as it stands now."""
    if pane.packet is None:
        return ()
    packet = pane.packet
    drafted = packet.draft.sources if isinstance(packet, AssistedPacket) and packet.draft else ()
    found = {r.id: r for r in (*drafted, *packet.references)}
    held = {a.article_id: a for a in articles}
    return tuple((r, held.get(r.id)) for r in found.values())


WORDS: Mapping[str, object] = {
    "headings": HEADINGS,
    "states": STATES,
    "said": said_words,
    "changes": PARAMETERS,
    "triggers": tuple(Trigger),
    "levels": tuple(Level),
}
"""What the pages are given besides a pane: the law's words, and the packet's."""

# ── within ──────────────────────────────────────────────────────────────────────────────────────────────────

_WAY = {
    DeliveryState.INTENT: "waits for the post room",
    DeliveryState.SENDING: "is being sent",
    DeliveryState.FAILED: "did not arrive",
    DeliveryState.UNKNOWN: "nobody knows whether it arrived",
}


def _lines(
    thread: Sequence[Message],
    deliveries: Sequence[Delivery],
    written: Sequence[Note],
    timeline: Sequence[Event],
    blind: bool = False,
) -> tuple[Line, ...]:
    by_key = {f"~letter/{d.reply_key}": d for d in deliveries}
    found: list[tuple[int, Line]] = []
    for message in thread:
        letter = by_key.get(message.key)
        by = letter.letter.approval.by if letter and letter.letter.approval else ""
        who = {"customer": "Customer", "assistant": "Assistant", "agent": by or "Colleague"}[message.role]
        way = "" if message.certain else "nobody knows whether it arrived"
        found.append((message.seq, Line(message.role, who, message.at, message.text, message, message.erased, way)))
    for held in deliveries:
        if held.state in (DeliveryState.INTENT, DeliveryState.SENDING, DeliveryState.FAILED):
            yes = held.letter.approval
            kind, who = ("agent", yes.by) if yes else ("assistant", "Assistant")
            gone = held.body.text is None
            line = Line(kind, who, held.changed_at, held.body.text or "", None, gone, _WAY[held.state])
            found.append((held.proposed_by, line))
    found += [(n.seq, Line("note", n.by, n.at, n.text, erased=n.erased)) for n in written]
    for event in timeline:
        if (words := _shown_event(event, blind)) is not None:
            found.append((event.seq, Line("event", "", event.at, words)))
    return tuple(line for _, line in sorted(found, key=lambda pair: pair[0]))


_DECIDED = {
    DecisionKind.CLAIMED: "claimed the thread",
    DecisionKind.RELEASED: "released the thread",
    DecisionKind.APPROVED: "approved the draft as it stood",
    DecisionKind.EDITED_AND_APPROVED: "edited and approved the draft",
    DecisionKind.REJECTED: "rejected the draft",
    DecisionKind.ANSWERED: "answered",
    DecisionKind.LANE_CHANGED: "set the lane to {to}",
    DecisionKind.TRIGGERS_CORRECTED: "corrected the triggers",
    DecisionKind.ROUTED: "routed it to {to}",
    DecisionKind.ACTION_DECIDED: "decided an action: {result}",
    DecisionKind.CHANGE_APPROVED: "ordered {action}",
    DecisionKind.HANDED_BACK: "handed it back to the assistant at lane {to}",
    DecisionKind.RESOLVED: "resolved it",
    DecisionKind.ERASED: "erased its words",
    DecisionKind.TRANSFERRED: "gave the thread to {to}",
    DecisionKind.MERGED: "merged it into {into}",
    DecisionKind.LANE_NAMED: "named lane {to} before seeing ours",
}


_TELLS_A_LANE = {
    DecisionKind.LANE_CHANGED: "set the lane",
    DecisionKind.HANDED_BACK: "handed it back to the assistant",
    DecisionKind.LANE_NAMED: "named a lane",
    DecisionKind.REJECTED: "decided on what was proposed",
}
"""What a colleague decided, for whoever is to name the lane first. A draft would tell it too: lane 3 has none."""


def _decided(event: Event, blind: bool) -> str | None:
    try:
        kind = DecisionKind(str(event.head.get("decision")))
        words = (_TELLS_A_LANE if blind and kind in _TELLS_A_LANE else _DECIDED)[kind]
    except (KeyError, ValueError):
        return None
    return f"{event.actor} " + words.format_map({k: str(v).replace("_", " ") for k, v in event.head.items()})


def _shown_event(event: Event, blind: bool) -> str | None:
    match event.kind:
        case Kind.PERSON_DECIDED:
            return _decided(event, blind)
        case Kind.LANE_RAISED if not blind:
            before, after = event.head.get("lane", [0, 0])
            return None if before == after else f"The lane rose from {before} to {after}"
        case Kind.DEADLINE_PASSED:
            return "The deadline passed, and nobody had decided"
        case Kind.QUEUE_TOLD if event.head.get("state") == "sent":
            return f"{str(event.head.get('queue', '')).replace('_', ' ').capitalize()} was told of it by mail"
        case Kind.QUEUE_TOLD:
            return (
                f"No mail told {str(event.head.get('queue', '')).replace('_', ' ')} of it ({event.head.get('state')})"
            )
        case Kind.CUSTOMER_CLOSED:
            return "The customer says it is resolved"
        case Kind.MERGED if "from" in event.head:
            return f"Ticket {event.head['from']} was merged into this one"
        case Kind.CHANGE_DONE:
            return "The ordered change was made"
        case Kind.CHANGE_FAILED:
            return "The ordered change was not made"
        case Kind.CHANGE_UNKNOWN:
            return "Nobody knows whether the ordered change was made"
        case _:
            return None


def _told(event: Event, person: str, blind: bool) -> Happened | None:
    """The event as news for somebody who had looked before; None where it is none."""
    match event.kind:
        case Kind.CUSTOMER_WROTE:
            return Happened("The customer has written again", True)
        case Kind.LANE_RAISED:
            before, after = event.head.get("lane", [0, 0])
            how = f"The lane rose from {before} to {after}" if before != after else "The conversation's lane was raised"
            return None if blind else Happened(f"{how}: a draft from before cannot be approved", True)
        case Kind.WORDS_ERASED:
            return Happened("The ticket's words were erased", True)
        case Kind.PERSON_DECIDED if event.actor != person:
            said = _decided(event, blind)
            return None if said is None else Happened(said, True)
        case Kind.CONTACT_GIVEN:
            return Happened("The customer left an address to be reached at", False)
        case Kind.NOTE_WRITTEN if event.actor != person:
            return Happened(f"{event.actor} wrote a note", False)
        case Kind.REVIEW_OPENED:
            return Happened("A packet was made", False)
        case Kind.REVIEW_REVISED:
            return Happened("The packet was revised", False)
        case Kind.DELIVERED:
            return Happened("A text has left", False)
        case Kind.DELIVERY_FAILED | Kind.DELIVERY_UNKNOWN:
            return Happened("A text may not have arrived", True)
        case Kind.THREAD_CLAIMED | Kind.THREAD_RELEASED | Kind.PERSON_DECIDED | Kind.NOTE_WRITTEN:
            return None  # told by its decision, or the person's own
        case _:
            said = _shown_event(event, blind=True)
            return None if said is None else Happened(said, False)


def _account(review: Review | None) -> str:
    groups = review.packet.known if review is not None and review.packet is not None else ()
    sure = (f for g in groups if g.standing is Standing.CONFIRMED for f in g.facts if f.name == "account.id")
    return next((str(fact.value) for fact in sure), "")


def _rated(timeline: Sequence[Event], latest: Review | None, person: Person) -> str:
    """This person's rating of the packet; empty for none."""
    mine = [
        str(e.head["rating"])
        for e in timeline
        if e.kind is Kind.PERSON_DECIDED and e.actor == person.name and latest and e.head.get("review") == latest.id
        if "rating" in e.head
    ]
    return mine[-1] if mine else ""
