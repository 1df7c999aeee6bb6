"""Every act of the desk: the right it takes, what it does with a form, and what follows in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from desk import decisions
from desk.accounts.people import May, Person
from desk.channels.console import visible
from desk.decisions import Look
from desk.errors import DecisionRefused
from desk.operators import inbox as operator_inbox
from desk.operators.wording_shown import lines, same_text, word_diff
from desk.ordering import end_action, order_change
from desk.ways_out import HERE, shown_to, whom
from desk.workplace import Workplace
from guards.lanes import Lane
from guards.triggers import Level, Trigger
from ledger.accounts import Accounts
from ledger.decisions import ActionResult, DecisionKind, PacketRating, Seen, Signature
from ledger.events import Kind
from ledger.looks import Looks
from ledger.reviews import Review
from tools.state_changes import PARAMETERS


@dataclass(frozen=True, slots=True)
class Asked:
    """One act as it was asked for."""

    place: Workplace
    person: Person
    ticket: str
    form: Mapping[str, str]
    leaves: str = HERE
    """When what is approved leaves, in words."""
    look: Look = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "look", decisions.look(self.place.history, self.place.reviews, self.ticket))

    @property
    def seen(self) -> Seen:
        """What the page had shown. DecisionRefused."""
        return decisions.read_token(self.form.get("seen", ""))

    @property
    def text(self) -> str:
        """What stands in the composer."""
        return lines(self.form.get("text", ""))

    def sign(self, default: str = "") -> Signature:
        """The person's signature; ``default`` is the reason where the act itself says it."""
        reason = self.form.get("reason", "").strip() or default
        if not reason:
            raise DecisionRefused(
                "a reason is needed: it is read by those who live with the decision. Nothing was done."
            )
        return decisions.signed(self.person.name, reason, self.form.get("key", ""))

    def review(self) -> Review:
        """The review that the page shows, open or decided by now; always this ticket's own. DecisionRefused."""
        shown, held = self.form.get("review", ""), self.look.review
        if held is not None and held.id == shown:
            return held
        if shown:
            found = self.place.reviews.get(shown)
            if found.ticket != self.ticket:
                raise DecisionRefused("that review belongs to another ticket: look at it there. Nothing was done.")
            return found
        raise DecisionRefused("nobody is asked about this ticket just now: there is no open review. Nothing was done.")

    def lane(self) -> Lane:
        """The lane that was chosen. DecisionRefused."""
        try:
            return Lane(int(self.form.get("lane", "")))
        except ValueError:
            raise DecisionRefused("choose lane 1, 2 or 3. Nothing was done.") from None


Act: TypeAlias = Callable[[Asked], str]


def do(asked: Asked, name: str) -> str:
    """Does the act of that name, and says what follows. DecisionRefused, ChangedSince, NotAllowed."""
    if name not in ACTS:
        raise DecisionRefused(f"there is no act {visible(name[:40])!r}")
    right, act = ACTS[name]
    asked.person.check(right)
    return act(asked)


# ── whose thread it is ──────────────────────────────────────────────────────────────────────────────────────


def _claim(asked: Asked) -> str:
    done = decisions.claim(asked.place.people, asked.ticket, asked.sign("took it at the desk"))
    return f"The thread is yours: nothing of the assistant's leaves in it.{decisions.also_stopped(done)}"


def _release(asked: Asked) -> str:
    over = asked.person.may(May.TAKE_OVER)
    decisions.release(asked.place.people, asked.ticket, asked.sign("released at the desk"), over=over)
    return "The thread is free for somebody else."


def _transfer(asked: Asked) -> str:
    to = asked.form.get("to", "").strip()
    known = {u.name for u in Accounts(asked.place.store).all() if not u.disabled and Person.of(u).may(May.WORK)}
    if to not in known:
        raise DecisionRefused(f"nobody called {visible(to[:60])!r} works here. Nothing was done.")
    over = asked.person.may(May.TAKE_OVER)
    done = decisions.transfer(asked.place.people, asked.ticket, to, asked.sign(), over=over)
    return f"{to} has the thread now.{decisions.also_stopped(done)}"


def _take_over(asked: Asked) -> str:
    sign = asked.sign()
    done = decisions.transfer(asked.place.people, asked.ticket, asked.person.name, sign, over=True)
    return f"The thread is yours now; who had it is told.{decisions.also_stopped(done)}"


# ── texts ───────────────────────────────────────────────────────────────────────────────────────────────────


def _approve(asked: Asked) -> str:
    review, place, seen = asked.review(), asked.place, asked.seen
    draft = (review.draft.text if review.draft is not None else None) or ""
    whole = same_text(draft, asked.text)
    sign = asked.sign("approved as it stood" if whole else "edited and approved")
    if whole:
        body = draft.encode("utf-8")
        done = decisions.approve(place.people, place.release_in_force, review.id, body, seen, sign)
    else:
        done = decisions.edit_and_approve(place.people, place.release_in_force, review.id, asked.text, seen, sign)
    if done.first:
        _write_back(asked, review, draft, draft if whole else asked.text, seen, sign)
    how = "as it stood" if whole else "with your changes"
    return f"Approved {how}. It leaves for {_whom(asked)}, {asked.leaves}."


def _answer(asked: Asked) -> str:
    place, sign = asked.place, asked.sign("answered at the desk")
    review = asked.look.review
    done = decisions.answer_myself(place.people, place.release_in_force, asked.ticket, asked.text, asked.seen, sign)
    if done.first and review is not None:
        draft = (review.draft.text if review.draft is not None else None) or ""
        _write_back(asked, review, draft, asked.text, asked.seen, sign)
    return f"Your answer leaves for {_whom(asked)}, {asked.leaves}."


def _whom(asked: Asked) -> str:
    recipient = asked.place.history.ticket(asked.ticket).recipient
    return whom(asked.place.settings, recipient, shown_to(asked.look.besides, asked.seen))


def _reject(asked: Asked) -> str:
    review, sign = asked.review(), asked.sign()
    draft = (review.draft.text if review.draft is not None else None) or ""
    done = decisions.reject(asked.place.people, review.id, asked.seen, sign)
    if done.first:
        _write_back(asked, review, draft, "", asked.seen, sign)
    return "The draft will not leave. The review stays open: the customer still waits for an answer."


def _write_back(asked: Asked, review: Review, draft: str, sent: str, seen: Seen, sign: Signature) -> None:
    """Records how the decision came about, by the act of working: nobody fills in a form for it."""
    looks = Looks(asked.place.store)
    found = looks.of(asked.ticket, asked.person.name, review.id, seen.draft or "")
    open_for = asked.place.store.now() - found.opened_at if found else None
    change = word_diff(draft, sent)
    head: dict[str, object] = {
        "review": review.id,
        "draft": seen.draft,
        **({} if open_for is None else {"seconds": int(open_for.total_seconds())}),
        "words_added": change.added,
        "words_removed": change.removed,
        **_was_right(asked, review),
    }
    looks.record(asked.ticket, sign, head)


def _was_right(asked: Asked, review: Review) -> dict[str, bool]:
    """Whether owner, lane and triggers were left as they were proposed."""
    done = {
        str(e.head.get("decision"))
        for e in asked.place.history.timeline(asked.ticket)
        if e.kind is Kind.PERSON_DECIDED and e.at >= review.opened_at
    }
    return {
        "owner_right": DecisionKind.ROUTED not in done,
        "lane_right": DecisionKind.LANE_CHANGED not in done,
        "triggers_right": DecisionKind.TRIGGERS_CORRECTED not in done,
    }


# ── where it belongs ────────────────────────────────────────────────────────────────────────────────────────


def _route(asked: Asked) -> str:
    queues = {q.queue_id: q.title for q in asked.place.systems.queues}
    queue = asked.form.get("queue", "")
    decisions.route(asked.place.people, queues, asked.review().id, queue, asked.sign("routed at the desk"))
    return f"It is with {queues[queue]} now."


def _lane(asked: Asked) -> str:
    to = asked.lane()
    decisions.change_lane(asked.place.people, asked.ticket, to, asked.seen, asked.sign())
    return f"The conversation is in lane {int(to)} now."


def _name_lane(asked: Asked) -> str:
    named, review = asked.lane(), asked.review()
    # Who has seen ours names nothing blindly; a second naming of one's own is the ledger's to judge.
    if not (review.open and operator_inbox.asked_blind(review.id)):
        raise DecisionRefused(
            "our lane was shown for this review: what is named after it is no evidence. Nothing was done."
        )
    sign = asked.sign("named before ours was shown")
    decisions.name_lane(asked.place.people, review.ticket, named, sign, review.id)
    same = "the same" if named is review.lane else f"lane {int(review.lane)}"
    return f"You named lane {int(named)}; ours was {same}."


def _triggers(asked: Asked) -> str:
    levels: dict[Trigger, Level] = {}
    for trigger in Trigger:
        word = asked.form.get(f"level_{trigger.value}", "")
        if word:
            found = next((level for level in Level if level.word == word), None)
            if found is None:
                raise DecisionRefused(f"there is no level {word[:20]!r}. Nothing was done.")
            levels[trigger] = found
    if not levels:
        raise DecisionRefused("no trigger was corrected: choose a level. Nothing was done.")
    decisions.correct_triggers(asked.place.people, asked.ticket, levels, asked.sign())
    return "The correction stands beside what was proposed; the lane stays as it is."


def _hand_back(asked: Asked) -> str:
    to = asked.lane()
    done = decisions.hand_back(asked.place.people, asked.ticket, to, asked.seen, asked.sign())
    said = f"The assistant works on the customer's next message, from lane {int(done.register.lane)}."
    return said + decisions.also_stopped(done)


def _resolve(asked: Asked) -> str:
    done = decisions.resolve(asked.place.people, asked.ticket, asked.seen, asked.sign("resolved at the desk"))
    return f"Resolved. Nothing was sent by this.{decisions.also_stopped(done)}"


def _merge(asked: Asked) -> str:
    into = asked.form.get("into", "").strip()
    if not into:
        raise DecisionRefused("say which ticket holds the same matter. Nothing was done.")
    done = decisions.merge(asked.place.people, asked.ticket, into, asked.seen, asked.sign("the same matter"))
    said = f"Merged into ticket {into}: a person is asked about both there, and nothing was sent by this."
    return said + decisions.also_stopped(done)


# ── the packet, notes and changes ───────────────────────────────────────────────────────────────────────────


def _rate(asked: Asked) -> str:
    try:
        rating = PacketRating(asked.form.get("rating", ""))
    except ValueError:
        raise DecisionRefused("say saved_time, repeated_the_ticket or misled. Nothing was done.") from None
    past = asked.place.reviews.all_of_ticket(asked.ticket)
    latest = next((r for r in reversed(past) if r.packet), None)
    if latest is None:
        raise DecisionRefused("this ticket has no packet to rate. Nothing was done.")
    decisions.rate(asked.place.people, latest.id, rating, asked.sign("rated at the desk"))
    return f"Noted: the packet {rating.value.replace('_', ' ')}."


def _note(asked: Asked) -> str:
    words = lines(asked.form.get("note", ""))
    if not words.strip():
        raise DecisionRefused("the note is empty. Nothing was done.")
    Looks(asked.place.store).note(asked.ticket, words, asked.sign("a note"))
    return "The note is kept for your colleagues. No customer and no model reads it."


def _order(asked: Asked) -> str:
    action, form = asked.form.get("action", ""), asked.form
    declared = PARAMETERS.get(action)
    if declared is None:
        raise DecisionRefused(f"there is no change {visible(action[:40])!r}. Nothing was decided.")
    if form.get("confirmed") != "yes":
        raise DecisionRefused("say that this exact change is meant: tick the sentence. Nothing was decided.")
    given = {name: _argument(kind, form.get(f"arg_{name}", "")) for name, kind in declared.items()}
    raw = json.dumps(given)
    opening = _opening(asked)
    done = order_change(asked.place, asked.look, opening, action, raw, asked.seen, asked.sign())
    said = f"Ordered under your name: {action.replace('_', ' ')}, once. It is carried out {asked.leaves}, and the action is done"
    return f"{said} when the system says so." + ("" if done.first else " (It was ordered before.)")


def _argument(kind: type, written: str) -> object:
    """What was typed, as the kind that is declared; left as it is where it is not one, and refused by its reader."""
    try:
        return kind(written.strip()) if kind is not str else written.strip()
    except ValueError:
        return written


def _decide_action(asked: Asked) -> str:
    try:
        result = ActionResult(asked.form.get("result", ""))
    except ValueError:
        raise DecisionRefused("say done_elsewhere, declined or not_done. Nothing was decided.") from None
    end_action(asked.place, asked.look, _opening(asked), result, asked.form.get("reference"), asked.sign())
    return f"The action is decided: {result.value.replace('_', ' ')}. The customer is not told by this."


_DIGITS = 19
"""Fewer digits than this fit into a number of the ledger."""


def _opening(asked: Asked) -> int | None:
    said = asked.form.get("opening", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < _DIGITS else None


ACTS: Mapping[str, tuple[May, Act]] = {
    "claim": (May.WORK, _claim),
    "release": (May.WORK, _release),
    "transfer": (May.WORK, _transfer),
    "take-over": (May.TAKE_OVER, _take_over),
    "approve": (May.WORK, _approve),
    "answer": (May.WORK, _answer),
    "reject": (May.WORK, _reject),
    "route": (May.WORK, _route),
    "lane": (May.WORK, _lane),
    "name-lane": (May.WORK, _name_lane),
    "triggers": (May.WORK, _triggers),
    "hand-back": (May.WORK, _hand_back),
    "resolve": (May.WORK, _resolve),
    "merge": (May.WORK, _merge),
    "rate": (May.WORK, _rate),
    "note": (May.WORK, _note),
    "order": (May.ORDER_CHANGE, _order),
    "decide-action": (May.ORDER_CHANGE, _decide_action),
}
"""Each act of the desk on one ticket, with the right it takes."""


def approve_opened(place: Workplace, person: Person, ticket: str, seen: str, key: str, leaves: str = HERE) -> str:
    """Approves one of several drafts, as it stands, where this person has opened exactly it. DecisionRefused."""
    review = place.reviews.of_ticket(ticket)
    if review is None or review.draft is None or review.draft.text is None:
        raise DecisionRefused("no draft waits there any more. Nothing was decided.")
    if Looks(place.store).of(ticket, person.name, review.id, review.draft.digest) is None:
        raise DecisionRefused("you have not opened this draft: open it before you approve it among others.")
    form = {"review": review.id, "seen": seen, "key": key, "text": review.draft.text, "reason": "approved among others"}
    return do(Asked(place, person, ticket, form, leaves), "approve")
