"""What a person is handed when a machine failed: the customer's side of the thread and a small packet, from the ledger alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from guards.capabilities import TABLE, Right
from guards.facts import Fact, Standing
from guards.gate import Refusal
from guards.lanes import Consequence, Unit
from guards.screening import NOBODY, PeopleOnIt, unproved
from guards.wording import screen
from ledger import history, register
from ledger.events import Kind, latest
from ledger.history import Message
from ledger.packets.packet import (
    CustomerFacing,
    CustomerState,
    DecisionWanted,
    EscalationPacket,
    HumanPacket,
    Missing,
    Owner,
    Quote,
    Said,
    confirmed_sentence,
    group_facts,
    not_done_from,
)

CALLED_WITHIN = timedelta(hours=4)
"""How long a person has who is called by a machine's failure; the release's own deadline counts from then on."""

A_PERSON = PeopleOnIt(review_open=True, claimed=True, decided=True)
"""What holds of a text that an agent wrote."""
UNROUTED = "unrouted"
"""The queue of a review that a failure opened: whoever looks after the desk takes it."""


@dataclass(frozen=True, slots=True)
class Why:
    """One way in which a machine failed, or was not wanted, in the packet's words."""

    happened: str
    decide: str
    open_question: str
    whose: str = "a machine failed"
    """Why it is nobody's in particular yet."""


WHY: Mapping[str, Why] = {
    "event_given_up": Why(
        "A message was not worked on: the assistant failed at it, tried again, and stopped.",
        "Read what was written, and decide who answers it.",
        "what the systems of record say of this: the run broke off",
    ),
    "delivery_unknown": Why(
        "Nobody knows whether a text of ours arrived; no machine sends it again.",
        "Find out from the channel whether the text arrived, and decide whether somebody sends it anew.",
        "whether the text quoted below reached its reader",
    ),
    "delivery_cleared": Why(
        "A text of ours of which nobody knew has arrived after all.",
        "Decide how the thread goes on.",
        "whether somebody sent the text anew meanwhile",
    ),
    "delivery_failed": Why(
        "The channel did not take a text of ours: it has not arrived.",
        "Decide how the text reaches its reader, or whether another way is needed.",
        "why the channel did not take it, beyond what the record holds",
    ),
    "reply_refused": Why(
        "A text of ours was stopped before it left: its right had died by then.",
        "Decide whether somebody answers in its place.",
        "whether the stopped text would still fit",
    ),
    "letter_came_back": Why(
        "A text of ours came back: a mail system says that it did not reach its address.",
        "Find out which address reaches the customer, and decide whether somebody writes anew.",
        "whether the address is still the customer's",
    ),
    "automatic_mail": Why(
        "A mail that a machine wrote came in on this thread; it is recorded, and nothing answers it.",
        "Read it in the timeline, and decide whether it changes anything.",
        "whether a person stands behind that mail",
    ),
    "too_much_mail": Why(
        "More mail came from this sender than a person writes; it is recorded, and nothing answers it.",
        "Find out whether two machines answer each other, and decide who writes to the sender.",
        "whether a person stands behind that mail",
    ),
    "record_taken_over": Why(
        "The record was taken over from a copy: what waited in it was stopped, because it may have been done already.",
        "Find out whether it was done after the copy was made, and do it anew where it was not.",
        "whether what was stopped had been done before",
    ),
    "change_unknown": Why(
        "Nobody knows whether a change that a person ordered was carried out; no machine tries it again.",
        "Look it up in the system that makes the change, and say here whether it was done.",
        "whether the change stands in that system",
    ),
    "change_cleared": Why(
        "A change of which nobody knew was carried out after all.",
        "Decide how the thread goes on.",
        "whether somebody made the change anew meanwhile",
    ),
    "change_failed": Why(
        "The system did not take a change that a person ordered: nothing was changed by it.",
        "Decide whether it is ordered anew, done elsewhere, or refused.",
        "why the system did not take it, beyond what the record holds",
    ),
    "change_refused": Why(
        "A change that a person ordered was stopped before it ran: the order had died by then.",
        "Decide whether it is ordered anew, done elsewhere, or refused.",
        "whether the order would still fit",
    ),
    "person_asked_for": Why(
        "The customer asked for a person, and the assistant says nothing more.",
        "Read the thread, and answer the customer yourself.",
        "what the customer wants to tell a person and has not written yet",
        "the customer asked for a person",
    ),
    "merged": Why(
        "Another ticket of this customer was merged into this one; the assistant has not read it here.",
        "Read the words of both tickets, and decide how both are answered.",
        "what the systems of record say of the other ticket's matter",
        "a colleague merged two tickets",
    ),
}
"""Each reason for which a person is called, or told who was called before."""

_OTHER = Why(
    "A machine failed at this.", "Read the timeline, and decide how it goes on.", "what else the failure left undone"
)


def packet_for(conn: Connection, ticket: str, why: str, at: datetime) -> HumanPacket:
    """The packet of a review that no run made one for: what failed, what was said, what was not done. UnknownTicket.

    It holds nothing that is not in the ledger, and no draft: until a person has looked, lane 3 is right.
    """
    told = WHY.get(why, _OTHER)
    messages = history.thread(conn, ticket)
    held = register.current(conn, ticket)
    assigned = latest(conn, ticket, Kind.LANE_ASSIGNED)
    head = assigned.head if assigned else {}
    failure = Fact("what.happened", told.happened.rstrip("."), Standing.CONFIRMED, "ledger", at)
    kept_back = Refusal(TABLE[Right.COMMIT].does, "lane", TABLE[Right.COMMIT].reason)
    return HumanPacket(
        ticket=ticket,
        summary=(confirmed_sentence(failure),),
        triggers=(),
        families=tuple(str(f) for f in head.get("families", ())),
        consequence=Consequence.HIGH,
        damage=(),
        known=group_facts([failure]),
        missing=(Missing(told.open_question),),
        references=(),
        owner=Owner(UNROUTED, (), f"{told.whose}, and whoever looks after the desk takes it first"),
        decision_wanted=DecisionWanted(told.decide, Unit.CONVERSATION),
        not_done=not_done_from([*history.refusals(conn, ticket), kept_back]),
        customer=customer_facing(messages),
        words=tuple(Quote(m.text, m.seq, m.at) for m in messages if m.role == "customer" and not m.erased),
        policy_version=str(head.get("policy") or "unknown"),
        created_at=at,
        thread_revision=held.revision,
        degraded=(told.happened,),
        read_by="nobody (made from the ledger alone)",
    )


def also_told(conn: Connection, packet: EscalationPacket, why: str) -> EscalationPacket:
    """A packet that a person has already, with what failed since, and the customer's side as it is now."""
    told = WHY.get(why, _OTHER).happened
    notes = packet.degraded if told in packet.degraded else (*packet.degraded, told)
    refused = not_done_from(history.refusals(conn, packet.ticket))
    have = {n.words for n in packet.not_done}
    return replace(
        packet,
        degraded=notes,
        not_done=packet.not_done + tuple(n for n in refused if n.words not in have),
        customer=customer_facing(history.thread(conn, packet.ticket)),
    )


# ── what the customer has seen ──────────────────────────────────────────────────────────────────────────────


def customer_facing(messages: tuple[Message, ...], people: PeopleOnIt = NOBODY) -> CustomerFacing:
    """The state in which a person inherits the thread, with everything that was said quoted. Whether a claim about
    people has to be corrected is judged by ``people``: what the ledger holds of them."""
    ours = [m for m in messages if m.role != "customer"]
    said = tuple(_said(m, people) for m in ours)
    if not said:
        state = CustomerState.NOTHING_SENT
    elif any(s.correct_first for s in said):
        state = CustomerState.EXPECTATIONS_RAISED
    elif all(m.piece == "notice" for m in ours):
        state = CustomerState.NOTICE_ONLY
    elif all(m.piece in ("question", "notice") for m in ours):
        state = CustomerState.ONLY_A_CLARIFYING_QUESTION
    else:
        state = CustomerState.TENTATIVE_EXPLANATION
    return CustomerFacing(state, said)


def _said(message: Message, people: PeopleOnIt) -> Said:
    # Approved texts were judged when they were approved; what was said before us, and agents' words, were not.
    judged = message.piece in ("answer", "question", "closing", "notice")
    try:
        found = () if judged else screen(message.text)
    except Exception:  # a person is owed the packet, whatever breaks in the reading of what was said
        return Said(message.text, message.role, message.at, True, "nobody was able to screen it", message.certain)
    # An agent who writes that somebody looked is that somebody.
    found = unproved(found, A_PERSON if message.role == "agent" else people)
    why = f"it reads as a {' and a '.join(dict.fromkeys(f.kind for f in found))}" if found else ""
    return Said(message.text, message.role, message.at, bool(found), why.replace("_", " "), message.certain)
