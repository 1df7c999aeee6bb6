"""What a person decides at the desk, each an act that is signed, and that says no in words the person can act on.

These are the acts behind the command line and the pages. After each one the caller runs ``agent.handle`` on the
ticket: the decision is in the ledger then, and waits there for the worker.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from agent.release_in_force import release_view
from desk.errors import ChangedSince, DecisionRefused
from guards.lanes import Lane
from guards.policy import Release
from guards.triggers import Level, Trigger
from ledger.decisions import ActionResult, Decision, PacketRating, Seen, Signature
from ledger.errors import (
    AlreadyClaimed,
    AlreadyDecided,
    Busy,
    CannotBeDone,
    CannotLeave,
    NothingToApprove,
    StaleDecision,
    Unknown,
    Unsigned,
)
from ledger.history import History, Message
from ledger.people import PeopleLedger
from ledger.reaching import Reach
from ledger.register import Register
from ledger.reviews import Review, Reviews
from ledger.words import OPEN_PLACE

# ── what a person had before their eyes ─────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Look:
    """A ticket as it is shown to a person who may decide on it."""

    register: Register
    review: Review | None
    """The open review."""
    thread: tuple[Message, ...]
    seen: Seen
    """To be given back with the decision; ``token`` makes it fit into a form or a command."""
    besides: Reach
    """How the customer is reached once they have left the chat."""


def look(history: History, reviews: Reviews, ticket: str) -> Look:
    """What to show, and what was seen by it. DecisionRefused for an unknown ticket."""
    with _in_words():
        # The register first: whatever comes in while we read on is shown perhaps, but never counts as seen.
        register = history.register(ticket)
        review = reviews.of_ticket(ticket)
        thread = history.thread(ticket)
        besides = history.reach(ticket)
    draft = review.draft.digest if review is not None and review.draft is not None else None
    return Look(register, review, thread, Seen.of(register, draft, besides.mark), besides)


def token(seen: Seen) -> str:
    """What was seen, as one short word: ``e2-r17-s12-a0123456789abcdef-9f86d081…``, or without a draft, an address and a
    settling ``e2-r17``."""
    settled = f"-s{seen.settled_by}" if seen.settled_by else ""
    shown = f"-a{seen.address}" if seen.address else ""
    return f"e{seen.epoch}-r{seen.revision}{settled}{shown}" + (f"-{seen.draft}" if seen.draft else "")


_TOKEN = re.compile(r"e(\d{1,18})-r(\d{1,18})(?:-s(\d{1,18}))?(?:-a([0-9a-f]{16}))?(?:-([0-9a-f]{64}))?", re.ASCII)


def read_token(text: str) -> Seen:
    """Reads what ``token`` wrote. DecisionRefused for anything else."""
    found = _TOKEN.fullmatch(text.strip())
    if found is None:
        raise DecisionRefused(f"{text[:80]!r} does not say what you had seen. Look at the ticket again.")
    return Seen(int(found[1]), int(found[2]), found[5], int(found[3] or 0), found[4] or "")


def signed(by: str, reason: str, key: str) -> Signature:
    """A signature for an act: who, why, and the act's own key, so that the same click, sent twice, decides once.
    DecisionRefused where one of them is empty."""
    with _in_words():
        return Signature(by, reason, key)


# ── whose thread it is ──────────────────────────────────────────────────────────────────────────────────────


def claim(people: PeopleLedger, ticket: str, sign: Signature) -> Decision:
    """Takes the thread for the person who signs; nothing of the assistant's leaves from here on."""
    with _in_words():
        return people.claim(ticket, sign)


def release(people: PeopleLedger, ticket: str, sign: Signature, *, over: bool = False) -> Decision:
    """Gives the thread free for somebody else; ``over`` also where another has it, for those who may."""
    with _in_words():
        return people.release(ticket, sign, over=over)


def transfer(people: PeopleLedger, ticket: str, to: str, sign: Signature, *, over: bool = False) -> Decision:
    """Gives the thread to a colleague; ``over`` takes it from whoever has it, for those who may."""
    with _in_words():
        return people.transfer(ticket, to, sign, over=over)


def also_stopped(done: Decision) -> str:
    """One more sentence for a decision that took a colleague's approved text off the way; empty for any other."""
    names = [str(name) for name in done.head.get("stopped", [])]
    return f" What {' and '.join(names)} had approved had not left yet, and does not leave." if names else ""


# ── texts ───────────────────────────────────────────────────────────────────────────────────────────────────


def approve(people: PeopleLedger, in_force: Release, review: str, body: bytes, seen: Seen, sign: Signature) -> Decision:
    """Says yes to exactly these bytes of the draft that was shown. They wait for the post room then, no longer than
    the release allows an approval to last. A draft with places left for the agent is refused: a customer would read
    them."""
    _finished(body.decode("utf-8", "replace"))
    with _in_words():
        return people.approve(review, body, seen, sign, release_view(in_force), lasts=_lasts(in_force))


def edit_and_approve(
    people: PeopleLedger, in_force: Release, review: str, text: str, seen: Seen, sign: Signature
) -> Decision:
    """As ``approve``, for the text that the person made of the draft."""
    with _in_words():
        return people.edit_and_approve(
            review, _written(text), seen, sign, release_view(in_force), lasts=_lasts(in_force)
        )


def reject(people: PeopleLedger, review: str, seen: Seen, sign: Signature) -> Decision:
    """Says no to the draft; the review stays open, since the customer still waits."""
    with _in_words():
        return people.reject(review, seen, sign)


def answer_myself(
    people: PeopleLedger, in_force: Release, ticket: str, text: str, seen: Seen, sign: Signature
) -> Decision:
    """Sends the person's own words, in any lane."""
    with _in_words():
        return people.answer_myself(ticket, _written(text), seen, sign, release_view(in_force), lasts=_lasts(in_force))


# ── where it belongs ────────────────────────────────────────────────────────────────────────────────────────


def change_lane(people: PeopleLedger, ticket: str, to: Lane, seen: Seen, sign: Signature) -> Decision:
    """Sets the conversation's lane, up or down."""
    with _in_words():
        return people.change_lane(ticket, to, seen, sign)


def name_lane(people: PeopleLedger, ticket: str, to: Lane, sign: Signature, hidden_in: str | None = None) -> Decision:
    """Records which lane a person would choose who has not seen ours; nothing changes by it."""
    with _in_words():
        return people.name_lane(ticket, to, sign, hidden_in=hidden_in)


def route(people: PeopleLedger, queues: Collection[str], review: str, queue: str, sign: Signature) -> Decision:
    """Sends an open review to one of the company's queues; DecisionRefused for any other name."""
    if queue not in queues:
        raise DecisionRefused(f"there is no queue {queue[:80]!r}. Choose one of: {', '.join(sorted(queues))}.")
    with _in_words():
        return people.route(review, queue, sign)


def correct_triggers(people: PeopleLedger, ticket: str, levels: Mapping[Trigger, Level], sign: Signature) -> Decision:
    """Records which levels the triggers should have had; the lane stays as it is."""
    with _in_words():
        return people.correct_triggers(ticket, levels, sign)


# ── actions ─────────────────────────────────────────────────────────────────────────────────────────────────


def approve_change(
    people: PeopleLedger,
    in_force: Release,
    ticket: str,
    opening: int,
    action: str,
    arguments: Mapping[str, Any],
    seen: Seen,
    sign: Signature,
) -> Decision:
    """Orders exactly this change for an open action. It waits for the change room then, no longer than the release
    allows an approval to last, and is carried out once, under the name of the person who signs."""
    with _in_words():
        return people.approve_change(
            ticket, opening, action, arguments, seen, sign, release_view(in_force), lasts=_lasts(in_force)
        )


def decide_action(
    people: PeopleLedger, ticket: str, opening: int, result: ActionResult, sign: Signature, reference: str = ""
) -> Decision:
    """Ends an action that was asked for without us: it was done elsewhere (``reference`` says where it stands), or it
    is declined; or says that a change in doubt was not made."""
    with _in_words():
        return people.decide_action(ticket, opening, result, sign, reference)


def hand_back(people: PeopleLedger, ticket: str, to: Lane, seen: Seen, sign: Signature) -> Decision:
    """Gives the conversation back to the assistant, at a lane."""
    with _in_words():
        return people.hand_back(ticket, to, seen, sign)


def resolve(people: PeopleLedger, ticket: str, seen: Seen, sign: Signature, outcome: str = "resolved") -> Decision:
    """Ends the work on the ticket."""
    with _in_words():
        return people.resolve(ticket, seen, sign, outcome)


def merge(people: PeopleLedger, ticket: str, into: str, seen: Seen, sign: Signature) -> Decision:
    """Ends the work on a ticket because another holds the same matter."""
    with _in_words():
        return people.merge(ticket, into, seen, sign)


def rate(people: PeopleLedger, review: str, rating: PacketRating, sign: Signature) -> Decision:
    """Says whether the packet saved time, repeated the ticket, or misled."""
    with _in_words():
        return people.rate_packet(review, rating, sign)


def erase(people: PeopleLedger, ticket: str, sign: Signature) -> Decision:
    """Erases every word and address of the ticket for good; what happened stays."""
    with _in_words():
        return people.erase(ticket, sign)


# ── within ──────────────────────────────────────────────────────────────────────────────────────────────────


def _lasts(in_force: Release) -> timedelta:
    return timedelta(hours=in_force.review.approval_expires_hours)


def _written(text: str) -> str:
    if not text.strip():
        raise DecisionRefused("the answer is empty. Write what the customer is to read.")
    _finished(text)
    return text


def open_places(text: str) -> list[str]:
    """The places in a text that a person has to fill in, each once."""
    return list(dict.fromkeys(OPEN_PLACE.findall(text)))


def _finished(text: str) -> None:
    """DecisionRefused where the text still holds places that a person has to fill in."""
    if places := open_places(text):
        raise DecisionRefused(
            f"the text still has places for you to fill in: {', '.join(places)}. Fill them in, and approve the text "
            "that comes of it. Nothing was decided."
        )


@contextmanager
def _in_words() -> Iterator[None]:
    """The ledger's refusals as the desk's. A broken store is no refusal and comes through as it is."""
    try:
        yield
    except StaleDecision as error:
        raise ChangedSince(error.changes) from error
    except Busy as error:
        raise DecisionRefused("the ledger is busy just now; nothing was decided. Try again.") from error
    except CannotLeave as error:
        raise DecisionRefused(f"this text cannot leave: {error}. Nothing was decided.") from error
    except CannotBeDone as error:
        raise DecisionRefused(f"this cannot be done: {error}. Nothing was decided.") from error
    except (AlreadyClaimed, AlreadyDecided, NothingToApprove, Unknown, Unsigned) as error:
        raise DecisionRefused(f"{error}. Nothing was decided.") from error
