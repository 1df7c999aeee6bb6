"""What will happen if a person approves a text, in one sentence, from the same judge that will run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from agent.release_in_force import release_view
from desk.decisions import open_places
from desk.queue_hours import TimeToTell, time_to_tell
from desk.ways_out import whom
from desk.workplace import Workplace
from guards.gate import Letter, Refusal
from guards.rollout import anything_leaves
from guards.wording import screen
from ledger.foreseen import foresee
from ledger.words import digest_of, keepable


@dataclass(frozen=True, slots=True)
class Follows:
    """What an approval would come to."""

    leaves: bool
    words: str
    digest: str
    """Of the exact text."""


def what_follows(place: Workplace, ticket: str, text: str, by: str, *, draft: bool) -> Follows:
    """The sentence for this text at this moment; ``draft`` where it is the draft as it stands. UnknownTicket."""
    digest = digest_of(keepable(text))
    if not text.strip():
        return Follows(False, "Nothing is written yet: nothing can leave.", digest)
    if places := open_places(text):
        return Follows(False, f"This cannot leave yet. Fill in: {', '.join(places)}.", digest)
    lasts = timedelta(hours=place.release.review.approval_expires_hours)
    seen = foresee(place.store, ticket, text, release_view(place.release_in_force), by=by, lasts=lasts)
    if seen.claimed_by not in (None, by):
        return Follows(False, f"{seen.claimed_by} has the thread: nothing of yours can leave in it.", digest)
    if isinstance(seen.answer, Refusal):
        return Follows(False, f"If you approve, nothing leaves: {seen.answer.reason}.", digest)
    what = "exactly this draft" if draft else "exactly this text of yours"
    until = f"{seen.approval.expires_at:%d %b %H:%M} UTC"
    said = (
        f"If you approve, {what} (SHA-256 {digest[:12]}…) leaves for {_whom(place, seen.letter)}, once. "
        f"The yes lasts until {until}, and dies at once if the customer writes first, the lane rises, or a colleague takes "
        "the thread."
    )
    if not anything_leaves(place.release):
        said += (
            " The release is in observe-only: the assistant sends nothing, and what you approve is yours and leaves."
        )
    elif place.history.halts():
        said += " Autonomy is halted: the assistant sends nothing, and what you approve is yours and leaves."
    return Follows(True, said + _timing(place, ticket, text), digest)


def _whom(place: Workplace, letter: Letter) -> str:
    return whom(place.settings, letter.recipient, place.history.reach(letter.ticket))


def _timing(place: Workplace, ticket: str, text: str) -> str:
    """What is said beside a text that names a time: which one the queue's own hours and capacity stand behind."""
    named = next((f.quote for f in screen(text) if f.kind == "timing"), None)
    return "" if named is None else f" It names a time (“{named[:80]}”): {time_for(place, ticket).words}."


def time_for(place: Workplace, ticket: str) -> TimeToTell:
    """Which time the ticket's customer may be told for an answer, as its queue stands now."""
    review = place.reviews.of_ticket(ticket)
    if review is None:
        return TimeToTell(None, "tell no time: it waits in no queue")
    waiting = [r for r in place.reviews.open(review.queue) if r.id != review.id and r.opened_at <= review.opened_at]
    queue = place.systems.queue(review.queue)
    return time_to_tell(queue, len(waiting), review.opened_at, review.due_at, place.store.now())
