"""Tickets in, results out, decisions taken elsewhere."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.concurrency import run_in_threadpool

from desk import decisions
from desk.api.callers import Caller, Scope, caller
from desk.api.reading import decisions_of, message_json, review_json, ticket_json
from desk.api.shapes import DecisionIn, DecisionOut, Filed, MessageIn, TicketIn
from desk.channels.console import visible
from desk.counter import Counter
from desk.deciding import Act, Order, act_named, carry_out, what_follows
from desk.errors import DecisionRefused
from desk.security import TheCounter
from ledger.intake import Intake
from ledger.packets.packet import to_json
from ledger.pages import latest_packet
from ledger.words import filed_name

router = APIRouter()

Writer = Annotated[Caller, Depends(caller(Scope.TICKETS_WRITE))]
Reader = Annotated[Caller, Depends(caller(Scope.TICKETS_READ))]
Decider = Annotated[Caller, Depends(caller(Scope.DECISIONS_WRITE))]
MOST_WAIT = 30
"""Seconds that one look may wait for the ticket to be worked on."""
_ORDERS = frozenset({Act.APPROVE_CHANGE, Act.DONE_ELSEWHERE, Act.REFUSE, Act.NOT_DONE})


@router.post("/tickets", status_code=202)
def file_ticket(ticket: TicketIn, counter: TheCounter, who: Writer) -> Filed:
    """File a message; a ticket that is not known yet begins with it. Once this answers, it cannot be lost."""
    return _file(counter, who, ticket.id, ticket)


@router.post("/tickets/{ticket_id}/messages", status_code=202)
def file_message(ticket_id: str, message: MessageIn, counter: TheCounter, who: Writer) -> Filed:
    """File a further message of a ticket that is known."""
    counter.place.history.ticket(ticket_id)
    return _file(counter, who, ticket_id, message)


@router.post("/tickets/{ticket_id}/closed", status_code=202)
def close_ticket(ticket_id: str, counter: TheCounter, _: Writer, key: Annotated[str, Query(max_length=200)]) -> Filed:
    """File that the customer said, by a button of yours, that the matter is resolved."""
    done = counter.close_for_customer(ticket_id, key)
    return Filed(ticket=done.ticket, key=done.key, first=done.first)


@router.get("/tickets/{ticket_id}")
async def ticket(
    ticket_id: str, counter: TheCounter, _: Reader, wait: Annotated[float, Query(ge=0, le=MOST_WAIT)] = 0
) -> dict[str, Any]:
    """A ticket's result as it stands: lane, triggers with their evidence, reasons, replies, draft, packet, what was not
    done. With ``wait`` the answer comes once nothing of the ticket waits for the worker, or that many seconds later."""
    async with counter.watch.on(ticket_id) as happened:
        deadline = asyncio.get_running_loop().time() + wait
        while True:
            happened.clear()
            working = await run_in_threadpool(_working, counter, ticket_id)
            left = deadline - asyncio.get_running_loop().time()
            if not working or left <= 0 or counter.watch.over:
                return await run_in_threadpool(ticket_json, counter, ticket_id, working)
            try:
                await asyncio.wait_for(happened.wait(), min(left, 1.0))
            except TimeoutError:
                continue


@router.get("/tickets/{ticket_id}/thread")
def thread(ticket_id: str, counter: TheCounter, _: Reader) -> list[dict[str, Any]]:
    """The conversation in order, with what a decision has settled."""
    return [message_json(m) for m in counter.place.history.thread(ticket_id)]


@router.get("/tickets/{ticket_id}/packet")
def packet(ticket_id: str, counter: TheCounter, _: Reader) -> dict[str, Any] | None:
    """The newest packet, also where its review is decided by now; null where there was never one."""
    counter.place.history.ticket(ticket_id)
    found = latest_packet(counter.place.reviews, ticket_id)
    return to_json(found) if found else None


@router.get("/tickets/{ticket_id}/outcomes")
def outcomes(ticket_id: str, counter: TheCounter, _: Reader) -> list[dict[str, Any]]:
    """What people decided, each beside what had been proposed."""
    counter.place.history.ticket(ticket_id)
    return decisions_of(counter.place.history.timeline(ticket_id))


@router.get("/reviews")
def reviews(
    counter: TheCounter, _: Reader, queue: Annotated[str | None, Query(max_length=200)] = None
) -> list[dict[str, Any]]:
    """The open reviews, of all queues or of one; the soonest due first."""
    return [review_json(r) for r in counter.place.reviews.open(queue)]


@router.post("/tickets/{ticket_id}/decisions")
def decide(ticket_id: str, given: DecisionIn, counter: TheCounter, who: Decider) -> DecisionOut:
    """Take a person's decision. It passes the same rules as at the desk: what they had seen must still be so, and a
    text goes out as exactly these bytes or not at all."""
    act = act_named(given.act)
    if act in _ORDERS:
        who.check(Scope.CHANGES_ORDER)
    order = Order(
        ticket=ticket_id,
        act=act,
        by=f"{given.by} (by {who.key.name})",
        reason=given.reason,
        text=given.text,
        lane=given.lane,
        queue=given.queue,
        seen=given.seen,
        action=given.action,
        arguments=None if given.arguments is None else json.dumps(given.arguments),
        opening=given.opening,
        reference=given.reference,
        levels=None if given.levels is None else " ".join(f"{k}={v}" for k, v in given.levels.items()),
    )
    order.check("")
    return decided(counter, order, decision_key(who, given.key))


def decision_key(who: Caller, key: str) -> str:
    """A decision's key in the ledger: two keys of a caller's are two, however late they differ."""
    return filed_name(f"api-{who.key.id}-{key}", 200)


def decided(counter: Counter, order: Order, key: str) -> DecisionOut:
    """Puts an order into the ledger and wakes the worker. Sent again under its key, it decides nothing and is told what
    stands. DecisionRefused, ChangedSince, UnknownTicket."""
    place = counter.place
    place.history.ticket(order.ticket)
    if order.seen is None:
        raise DecisionRefused("say what was seen. Nothing was decided.")
    sign = decisions.signed(order.by, order.reason, key)
    look = decisions.look(place.history, place.reviews, order.ticket)
    before = place.history.decided_under(order.ticket, sign.key)
    if before is not None and before.head.get("review"):
        # The review that it was about is closed by now, perhaps by this very decision.
        look = replace(look, review=place.reviews.get(str(before.head["review"])))
    seen = decisions.read_token(order.seen)
    done = carry_out(place, order, look, seen, sign)
    counter.decided(order.ticket)
    after = decisions.look(place.history, place.reviews, order.ticket)
    follows = what_follows(place, order, look, done, seen, counter.leaves) if done.first else _what_stands(after)
    return DecisionOut(
        ticket=done.ticket,
        decision=done.kind.value,
        by=done.by,
        first=done.first,
        follows=follows,
        seen=decisions.token(after.seen),
    )


def _what_stands(look: decisions.Look) -> str:
    register = look.register
    holder = f"{register.claimed_by} has the thread" if register.claimed_by else "nobody has the thread"
    asked = "a review is open" if look.review else "no review is open"
    return visible(
        "This was decided before, under the same key, and nothing was done again. The conversation is in lane "
        f"{int(register.lane)} now, {holder}, and {asked}."
    )


def _file(counter: Counter, who: Caller, ticket: str, message: MessageIn) -> Filed:
    if message.requester.verified:
        who.check(Scope.TICKETS_VOUCH)
    done = counter.receive(message.incoming(ticket, f"api:{who.key.name}"[:100]))
    return Filed(ticket=done.ticket, key=done.key, first=done.first)


def _working(counter: Counter, ticket: str) -> bool:
    counter.place.history.ticket(ticket)
    return Intake(counter.place.store).next_unhandled(ticket) is not None
