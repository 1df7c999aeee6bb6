"""A person decides from the command line: what they had before their eyes is shown, and what will follow is said."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from agent.handle import PersonDecided
from desk import decisions
from desk.accounts.people import May, Person
from desk.audits.proposing import forget_proposals
from desk.channels.console import visible
from desk.decisions import Look
from desk.errors import DecisionRefused
from desk.mailbox.attachments import Attachments
from desk.ordering import end_action, order_change, read_levels, will_run
from desk.records import Records
from desk.ways_out import COMMAND, shown_to, whom
from desk.workplace import Workplace
from guards.lanes import Lane
from ledger.accounts import Accounts
from ledger.decisions import ActionResult, Decision, PacketRating, Seen, Signature
from ledger.reaching import Reach
from ledger.reviews import Review

Tell = Callable[[str], None]


class Act(StrEnum):
    """What a person can do with a ticket by one command."""

    CLAIM = "claim"
    RELEASE = "release"
    APPROVE = "approve"
    ANSWER = "answer"
    REJECT = "reject"
    ROUTE = "route"
    HAND_BACK = "hand-back"
    RESOLVE = "resolve"
    APPROVE_CHANGE = "approve-change"
    DONE_ELSEWHERE = "done-elsewhere"
    REFUSE = "refuse"
    NOT_DONE = "not-done"
    CHANGE_LANE = "change-lane"
    CORRECT_TRIGGERS = "correct-triggers"
    RATE_SAVED_TIME = "rate-saved-time"
    RATE_REPEATED = "rate-repeated"
    RATE_MISLED = "rate-misled"


_RESULTS = {
    Act.DONE_ELSEWHERE: ActionResult.DONE_ELSEWHERE,
    Act.REFUSE: ActionResult.DECLINED,
    Act.NOT_DONE: ActionResult.NOT_DONE,
}
_TAKES: Mapping[str, frozenset[Act]] = {
    "text": frozenset({Act.APPROVE, Act.ANSWER}),
    "lane": frozenset({Act.HAND_BACK, Act.CHANGE_LANE}),
    "queue": frozenset({Act.ROUTE}),
    "action": frozenset({Act.APPROVE_CHANGE}),
    "arguments": frozenset({Act.APPROVE_CHANGE}),
    "opening": frozenset({Act.APPROVE_CHANGE, *_RESULTS}),
    "reference": frozenset({Act.DONE_ELSEWHERE}),
    "levels": frozenset({Act.CORRECT_TRIGGERS}),
}
_NEEDS: Mapping[Act, tuple[str, ...]] = {
    Act.ANSWER: ("text",),
    Act.HAND_BACK: ("lane",),
    Act.CHANGE_LANE: ("lane",),
    Act.ROUTE: ("queue",),
    Act.APPROVE_CHANGE: ("action", "arguments"),
    Act.DONE_ELSEWHERE: ("reference",),
    Act.CORRECT_TRIGGERS: ("levels",),
}
_RATINGS = {
    Act.RATE_SAVED_TIME: PacketRating.SAVED_TIME,
    Act.RATE_REPEATED: PacketRating.REPEATED_THE_TICKET,
    Act.RATE_MISLED: PacketRating.MISLED,
}


@dataclass(frozen=True, slots=True)
class Order:
    """A decision as it was typed."""

    ticket: str
    act: Act
    by: str
    reason: str
    text: str | None = None
    """The person's own words, for ``answer`` and for an edited ``approve``."""
    lane: int | None = None
    queue: str | None = None
    seen: str | None = None
    """What they had seen, as ``packet`` and ``decide`` tell it; None for what stands now."""
    action: str | None = None
    """Which change is ordered: ``approve_refund``."""
    arguments: str | None = None
    """Its arguments, as JSON."""
    opening: int | None = None
    """The open action that is decided; None where there is only one."""
    reference: str | None = None
    """Where a change that was done elsewhere stands."""
    levels: str | None = None
    """The levels that the triggers should have had: ``policy_sensitivity=high``."""

    def check(self, mark: str = "--") -> None:
        """DecisionRefused where an option is missing, or belongs to another act; ``mark`` stands before its name."""
        given = {name: getattr(self, name) for name in _TAKES}
        for option, acts in _TAKES.items():
            if given[option] is not None and self.act not in acts:
                raise DecisionRefused(f"{mark}{option} belongs to {' and '.join(sorted(acts))}, not to {self.act}")
        missing = [f"{mark}{option}" for option in _NEEDS.get(self.act, ()) if given[option] is None]
        if missing:
            raise DecisionRefused(f"{self.act} needs {' and '.join(missing)}. Nothing was decided.")
        if self.lane not in (None, *map(int, Lane)):
            raise DecisionRefused(f"{mark}lane {self.lane}: choose 1, 2 or 3. Nothing was decided.")


def act_named(name: str) -> Act:
    """The act of that name. DecisionRefused names those there are."""
    try:
        return Act(name)
    except ValueError:
        raise DecisionRefused(f"there is no act {name[:40]!r}. Choose one of: {', '.join(Act)}.") from None


def written(file: str | None, given: BinaryIO) -> str | None:
    """A person's own words from a file, or from ``given`` for ``-``; None where no file is named. DecisionRefused
    where they are not text: what a customer reads is never guessed."""
    if file is None:
        return None
    raw = given.read() if file == "-" else Path(file).read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DecisionRefused(f"{file} is not UTF-8 text. Save it as UTF-8; nothing was decided.") from error


def decide(place: Workplace, order: Order, tell: Tell) -> int:
    """Shows what was seen, decides, says in one sentence what will follow, and runs the ticket.

    DecisionRefused in words the person can act on; ChangedSince where the ticket is not as ``seen`` says.
    """
    order.check()
    sign = decisions.signed(order.by, order.reason, f"cli-{uuid.uuid4().hex}")
    look = decisions.look(place.history, place.reviews, order.ticket)
    tell(shown(look))
    seen = look.seen if order.seen is None else decisions.read_token(order.seen)
    done = carry_out(place, order, look, seen, sign, over=_may_take_over(place, order.by))
    tell(what_follows(place, order, look, done, seen))
    asyncio.run(_run(place, order.ticket))
    return 0


def erase(records: Records, ticket: str, by: str, reason: str, tell: Tell) -> int:
    """Erases a ticket's words for good; the rest of the workspace need not be usable for it."""
    sign = decisions.signed(by, reason, f"cli-{uuid.uuid4().hex}")
    decisions.erase(records.people, ticket, sign)
    gone, taken = forget_proposals(records, ticket)
    for file in gone:
        tell(f"Deleted: {file}, a case that was proposed from this ticket.")
    for file in taken:
        tell(f"Yours to delete: {file}, a case that was made from this ticket.")
    Attachments(records.settings.workspace, 0).forget(ticket)
    tell(
        visible(
            f"Erased: every word and address of ticket {ticket}, by {by}. What happened to it stays in the ledger; "
        )
        + "what had not left does not leave. Copies elsewhere (mail files, reports, backups) are yours to delete."
    )
    return 0


def shown(look: Look) -> str:
    """What a person has before their eyes, in one line, with the word that says so later."""
    register, review = look.register, look.review
    parts = [f"lane {int(register.lane)}", f"revision {register.revision}"]
    if register.claimed_by:
        parts.append(f"claimed by {register.claimed_by}")
    parts.extend(f"action {a.id} ({a.name}) waits" for a in register.actions)
    parts.append("no open review" if review is None else f"review {review.id} in {review.queue}")
    parts.append("no draft" if look.seen.draft is None else f"draft {look.seen.draft[:12]}")
    if look.besides.address:
        parts.append(f"reached at {look.besides.address} once they have left the chat")
    return visible(
        f"Seen: ticket {register.ticket}, {', '.join(parts)} ({decisions.token(look.seen)})".replace("\n", " ")
    )


def carry_out(
    place: Workplace, order: Order, look: Look, seen: Seen, sign: Signature, *, over: bool = False
) -> Decision:
    """Puts the decision into the ledger; the ticket is to be run afterwards. ``over`` where who signs may take a
    colleague's thread. DecisionRefused, ChangedSince."""
    people, release, ticket = place.people, place.release, order.ticket
    match order.act:
        case Act.CLAIM:
            return decisions.claim(people, ticket, sign)
        case Act.RELEASE:
            return decisions.release(people, ticket, sign, over=over)
        case Act.APPROVE if order.text is None:
            review = _open(look)
            return decisions.approve(people, release, review.id, _draft(review), seen, sign)
        case Act.APPROVE:
            return decisions.edit_and_approve(people, release, _open(look).id, order.text or "", seen, sign)
        case Act.ANSWER:
            return decisions.answer_myself(people, release, ticket, order.text or "", seen, sign)
        case Act.REJECT:
            return decisions.reject(people, _open(look).id, seen, sign)
        case Act.ROUTE:
            queues = {q.queue_id for q in place.systems.queues}
            return decisions.route(people, queues, _open(look).id, order.queue or "", sign)
        case Act.HAND_BACK:
            return decisions.hand_back(people, ticket, Lane.read(order.lane), seen, sign)
        case Act.RESOLVE:
            return decisions.resolve(people, ticket, seen, sign)
        case Act.APPROVE_CHANGE:
            return order_change(place, look, order.opening, order.action or "", order.arguments or "", seen, sign)
        case Act.DONE_ELSEWHERE | Act.REFUSE | Act.NOT_DONE:
            return end_action(place, look, order.opening, _RESULTS[order.act], order.reference, sign)
        case Act.CHANGE_LANE:
            return decisions.change_lane(people, ticket, Lane.read(order.lane), seen, sign)
        case Act.CORRECT_TRIGGERS:
            return decisions.correct_triggers(people, ticket, read_levels(order.levels or ""), sign)
        case Act.RATE_SAVED_TIME | Act.RATE_REPEATED | Act.RATE_MISLED:
            return decisions.rate(people, _latest(place, ticket).id, _RATINGS[order.act], sign)


def _may_take_over(place: Workplace, by: str) -> bool:
    """True for the name of a user who may take a colleague's thread."""
    named = (u for u in Accounts(place.store).all() if u.name == by and not u.disabled)
    return any(Person.of(user).may(May.TAKE_OVER) for user in named)


def _open(look: Look) -> Review:
    if look.review is None:
        raise DecisionRefused(
            f"no review of ticket {look.register.ticket} is open: it waits for nobody. Nothing was decided."
        )
    return look.review


def _latest(place: Workplace, ticket: str) -> Review:
    """The newest review with a packet: one may be rated after it was decided."""
    found = next((r for r in reversed(place.reviews.all_of_ticket(ticket)) if r.packet), None)
    if found is None:
        raise DecisionRefused(f"ticket {ticket} has no packet to rate. Nothing was decided.")
    return found


def _draft(review: Review) -> bytes:
    """The draft's own bytes. Nothing where there is none: the ledger then says whether it went since, or never was."""
    text = review.draft.text if review.draft is not None else None
    return (text or "").encode("utf-8")


def what_follows(place: Workplace, order: Order, look: Look, done: Decision, seen: Seen, leaves: str = COMMAND) -> str:
    """What will happen by the decision, in one sentence; below it the text, where one will leave. ``leaves`` says when
    it does, by who posts."""
    now = done.register
    match order.act:
        case Act.APPROVE | Act.ANSWER:
            return _leaves(place, done, shown_to(look.besides, seen), leaves)
        case Act.APPROVE_CHANGE:
            return will_run(place, done, leaves)
        case Act.CLAIM:
            said = f"{done.by} has the thread now: nothing of the assistant's leaves in it"
        case Act.RELEASE:
            said = "The thread is free for somebody else to claim"
        case Act.REJECT:
            said = "The draft will not leave, and the review stays open: the customer still waits for an answer"
        case Act.ROUTE:
            said = f"The review is with {order.queue} now, and later messages join it there"
        case Act.HAND_BACK:
            said = (
                f"The assistant works on the customer's next message, from lane {int(now.lane)}; what was written so "
                "far is settled"
            )
        case Act.RESOLVE:
            said = "The ticket is resolved: nothing of the assistant's leaves for what was written so far"
        case Act.DONE_ELSEWHERE:
            said = f"The action is closed: done elsewhere, under {order.reference}"
        case Act.REFUSE:
            said = "The action is closed: it is refused, and nothing is changed. The customer is not told by this"
        case Act.NOT_DONE:
            said = "The change was not made, by your word; the action waits on, and may be ordered anew"
        case Act.CHANGE_LANE:
            rose = now.epoch > look.register.epoch
            said = f"The conversation is in lane {int(now.lane)} now"
            said += "; what was on its way by the lower lane does not leave" if rose else ""
        case Act.CORRECT_TRIGGERS:
            said = "The correction is recorded beside what was proposed; the lane stays as it is"
        case Act.RATE_SAVED_TIME | Act.RATE_REPEATED | Act.RATE_MISLED:
            said = f"The packet's rating is recorded: {_RATINGS[order.act].value.replace('_', ' ')}"
    return visible(f"{said}.{decisions.also_stopped(done)}")


def _leaves(place: Workplace, done: Decision, besides: Reach, leaves: str) -> str:
    held = next(d for d in place.history.deliveries(done.ticket) if d.reply_key == done.reply_key)
    until = ""
    if held.letter.approval is not None:
        until = f" (until {held.letter.approval.expires_at:%Y-%m-%d %H:%M} UTC, if the customer does not write before)"
    return visible(
        f"This exact text will leave {leaves}, for {whom(place.settings, held.letter.recipient, besides)}{until}:\n\n"
        f"{held.body.text}"
    )


async def _run(place: Workplace, ticket: str) -> None:
    async with place.handler() as handler:
        await handler.handle(PersonDecided(ticket))
