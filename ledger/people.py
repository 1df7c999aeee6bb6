"""What a named person decides. The only room from which a lane falls or a text of a person's goes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, update

from guards.gate import Refusal
from guards.lanes import Lane
from guards.triggers import Level, Trigger
from ledger import events, letters, merging, register, reviews
from ledger.deciding import Act, who_closed
from ledger.decisions import (
    ActionResult,
    Decision,
    DecisionKind,
    PacketRating,
    Seen,
    Signature,
    check_seen,
)
from ledger.erasure import erase_words
from ledger.errors import (
    AlreadyDecided,
    StaleDecision,
    Unsigned,
)
from ledger.events import HOUSE, Entry, Kind, own_key
from ledger.moment import Halt, ReleaseView, halts_now
from ledger.named_lanes import kept_by_rollout
from ledger.register import Register
from ledger.reviews import Review
from ledger.store import Store
from ledger.tables import halts
from ledger.words import canonical, digest_of, keepable

APPROVAL_LASTS = timedelta(hours=1)
"""How long an approved text may wait for the post room."""


class PeopleLedger:
    """A person's hand in the ledger.

    Each decision is signed (``Signature``: by, reason, key), is written as a person_decided event that waits for
    the worker, and is idempotent by its key. Those that answer, lower or close say what the person had ``Seen``, and
    raise StaleDecision where that has changed. AlreadyDecided where the key has decided something else, or where
    the review is closed. UnknownTicket and UnknownReview throughout.
    """

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        """Works on one store."""
        self._store = store

    # --- whose thread it is ---

    def claim(self, ticket: str, sign: Signature) -> Decision:
        """Takes the thread: no notice, no answer of the assistant's and no text that another person approved leaves from
        here on. What waits is withdrawn, so that none of it leaves when the thread is free again, and a person is asked
        about a text that another had approved. AlreadyClaimed."""
        with self._deciding(ticket, sign, DecisionKind.CLAIMED) as act:
            if act.earlier is None:
                act.only_the_holder()
                act.write(act.take_off_the_way("claimed", "a person has claimed the thread"))
                act.set_register(claimed_by=sign.by)
                act.call_for_the_stopped()
                act.tell(Kind.THREAD_CLAIMED, "claimed")
        return act.decision()

    def release(self, ticket: str, sign: Signature, *, over: bool = False) -> Decision:
        """Gives the thread free for another person; with ``over`` also another's (the caller knows who may).
        AlreadyClaimed where another has it."""
        with self._deciding(ticket, sign, DecisionKind.RELEASED) as act:
            if act.earlier is None:
                act.only_the_holder(over=over)
                act.write({"held_by": act.held.claimed_by})
                act.set_register(claimed_by=None)
                act.tell(Kind.THREAD_RELEASED, "released")
        return act.decision()

    def transfer(self, ticket: str, to: str, sign: Signature, *, over: bool = False) -> Decision:
        """Gives the thread to a colleague, or with ``over`` takes it from whoever has it (the caller knows who may). What
        waits is withdrawn as by ``claim``, but for what the new holder approved. AlreadyClaimed where another has it and
        it is not taken over."""
        chosen = keepable(to).strip()[:200]
        with self._deciding(ticket, sign, DecisionKind.TRANSFERRED, {"to": chosen}) as act:
            if act.earlier is None:
                act.only_the_holder(over=over)
                stopped = act.take_off_the_way("claimed", "a person has claimed the thread", chosen)
                act.write({"held_by": act.held.claimed_by, **stopped})
                act.set_register(claimed_by=chosen)
                act.call_for_the_stopped()
                act.tell(Kind.THREAD_CLAIMED, "transferred", {"for": chosen})
        return act.decision()

    # --- texts ---

    def approve(
        self,
        review: str,
        body: bytes,
        seen: Seen,
        sign: Signature,
        view: ReleaseView,
        *,
        lasts: timedelta = APPROVAL_LASTS,
    ) -> Decision:
        """Says yes to the review's draft, byte for byte, and puts it in the outbox.

        The approval is bound to ticket, digest, the ticket's own recipient, epoch, thread revision and release, and
        runs out after ``lasts``. StaleDecision, saying what changed; NothingToApprove without a draft; AlreadyClaimed
        by another; CannotLeave where the gate refuses (no address). Ends the review and the open answers.
        """
        digest = digest_of(body)
        args = {"review": review, "digest": digest}
        with self._deciding_review(review, sign, DecisionKind.APPROVED, args) as act:
            if act.earlier is None:
                draft = act.draft_seen(seen)
                if draft.digest != digest:
                    raise StaleDecision(["the text is not the draft that was shown; edit and approve it instead"])
                act.answer(body.decode("utf-8"), view, lasts, seen, {})
        return act.decision()

    def edit_and_approve(
        self,
        review: str,
        text: str,
        seen: Seen,
        sign: Signature,
        view: ReleaseView,
        *,
        lasts: timedelta = APPROVAL_LASTS,
    ) -> Decision:
        """As ``approve``, for a text that the person made of the draft they were shown."""
        kept = keepable(text)
        args = {"review": review, "digest": digest_of(kept)}
        with self._deciding_review(review, sign, DecisionKind.EDITED_AND_APPROVED, args) as act:
            if act.earlier is None:
                draft = act.draft_seen(seen)
                act.answer(kept, view, lasts, seen, {"draft_digest": draft.digest})
        return act.decision()

    def answer_myself(
        self,
        ticket: str,
        text: str,
        seen: Seen,
        sign: Signature,
        view: ReleaseView,
        *,
        lasts: timedelta = APPROVAL_LASTS,
    ) -> Decision:
        """Sends the person's own words; an open review ends with it. The way to answer in lane 3. Errors as
        ``approve``, but no draft is needed."""
        kept = keepable(text)
        with self._deciding(ticket, sign, DecisionKind.ANSWERED, {"digest": digest_of(kept)}) as act:
            if act.earlier is None:
                check_seen(act.held, seen)
                act.answer(kept, view, lasts, seen, {})
        return act.decision()

    def reject(self, review: str, seen: Seen, sign: Signature) -> Decision:
        """Says no to the draft. The review stays open without it: the customer still waits for an answer.
        AlreadyClaimed by another."""
        with self._deciding_review(review, sign, DecisionKind.REJECTED, {"review": review}) as act:
            if act.earlier is None:
                act.only_the_holder()
                draft = act.draft_seen(seen)
                act.write({"draft_digest": draft.digest})
                act.set_review(draft_body=None, revision=act.open_review.revision + 1, revised_at=act.now)
        return act.decision()

    # --- where it belongs ---

    def change_lane(self, ticket: str, to: Lane, seen: Seen, sign: Signature) -> Decision:
        """Sets the conversation's lane: up, or down. Down also lowers every open answer that stands higher.

        StaleDecision where the person did not see what the lane stands on now; AlreadyClaimed where it would fall in a
        thread that another has (whoever sees why may raise it).
        """
        to = Lane.read(to)
        with self._deciding(ticket, sign, DecisionKind.LANE_CHANGED, {"to": int(to)}) as act:
            if act.earlier is None:
                check_seen(act.held, seen)
                if to < act.held.lane:
                    act.only_the_holder()
                act.write({"from": int(act.held.lane)})
                if to > act.held.floor:
                    register.raise_floor(act.conn, ticket, to, at=act.now, actor=sign.by)
                act.lower_to(to)
        return act.decision()

    def name_lane(self, ticket: str, to: Lane, sign: Signature, *, hidden_in: str | None = None) -> Decision:
        """Records the lane that a person would choose, before they see ours: whether people agree is measured by it, and
        it changes nothing. ``hidden_in`` is the review in which the desk keeps our lane from their sight.

        AlreadyDecided where they have had to do with the ticket, and so may have seen its lane, or have named one for
        that review, or where that review is closed; StaleDecision where it has no lane yet.
        """
        to = Lane.read(to)
        args = {"to": int(to)} | ({"review": hidden_in} if hidden_in else {})
        with self._deciding(ticket, sign, DecisionKind.LANE_NAMED, args) as act:
            if act.earlier is None:
                mine = [e for e in events.timeline(act.conn, ticket, [Kind.PERSON_DECIDED]) if e.actor == sign.by]
                if hidden_in:
                    asked = reviews.get(act.conn, hidden_in)
                    if not asked.open or asked.ticket != ticket:
                        raise AlreadyDecided(f"review {hidden_in!r} of ticket {ticket!r} hides no lane any more")
                    named = DecisionKind.LANE_NAMED.value
                    mine = [e for e in mine if e.head["decision"] == named and e.head.get("review") == hidden_in]
                if mine:
                    raise AlreadyDecided(
                        f"{sign.by} has decided on ticket {ticket!r} before, and may have seen its lane"
                    )
                assigned = events.latest(act.conn, ticket, Kind.LANE_ASSIGNED)
                assessed = events.latest(act.conn, ticket, Kind.TRIGGERS_ASSESSED)
                head = dict(assigned.head) if assigned else {}
                if "lane" not in head and hidden_in:
                    head["lane"] = int(act.held.lane)  # a person was called though no lane could be assigned
                if "lane" not in head:
                    raise StaleDecision(["the ticket has no lane yet"])
                levels = assessed.head.get("levels", {}) if assessed else {}
                raised = [trigger for trigger, level in levels.items() if level != Level.LOW.word]
                ours = {"ours": int(head["lane"]), "families": list(head.get("families", []))}
                blind = act.review is not None and act.review.id == hidden_in
                ours["alone"] = blind and kept_by_rollout(head, act.held.lane)
                act.write({**ours, "raised": raised}, inbox=False)
        return act.decision()

    def correct_triggers(self, ticket: str, levels: Mapping[Trigger, Level], sign: Signature) -> Decision:
        """Records which levels the triggers should have had, beside those that were proposed; evidence for the next
        policy, no change to this lane (``change_lane`` is)."""
        corrected = {trigger.value: level.word for trigger, level in levels.items()}
        with self._deciding(ticket, sign, DecisionKind.TRIGGERS_CORRECTED, {"levels": corrected}) as act:
            if act.earlier is None:
                assessed = events.latest(act.conn, ticket, Kind.TRIGGERS_ASSESSED)
                act.write({"proposed": dict(assessed.head["levels"]) if assessed else {}, "lane": int(act.held.lane)})
        return act.decision()

    def route(self, review: str, queue: str, sign: Signature) -> Decision:
        """Sends an open review to a queue; later packets do not change it back."""
        chosen = keepable(queue).strip()[:200]
        args = {"review": review, "to": chosen}
        with self._deciding_review(review, sign, DecisionKind.ROUTED, args) as act:
            if act.earlier is None:
                act.write({"from": act.open_review.queue})
                act.set_review(routed_to=chosen)
        return act.decision()

    # --- actions ---

    def approve_change(
        self,
        ticket: str,
        opening: int,
        action: str,
        arguments: Mapping[str, Any],
        seen: Seen,
        sign: Signature,
        view: ReleaseView,
        *,
        lasts: timedelta = APPROVAL_LASTS,
    ) -> Decision:
        """Orders a change for an open action: it will be carried out once, under this person's name.

        The order is bound to ticket, action, the exact arguments (the digest of their canonical JSON), epoch, thread
        revision and release, and runs out after ``lasts``. StaleDecision; UnknownOpening; AlreadyClaimed by another;
        CannotBeDone where the gate refuses (another account, another change of this action). The action stays open
        until the change is done, and the review until the customer is answered.
        """
        args = {"opening": opening, "action": action, "digest": digest_of(canonical(arguments))}
        with self._deciding(ticket, sign, DecisionKind.CHANGE_APPROVED, args) as act:
            if act.earlier is None:
                check_seen(act.held, seen)
                act.only_the_holder()
                act.order(opening, action, arguments, view, lasts)
        return act.decision()

    def decide_action(
        self, ticket: str, opening: int, result: ActionResult, sign: Signature, reference: str = ""
    ) -> Decision:
        """Ends an open action without us: it was done elsewhere, or it is declined; or says of a change that nobody
        knows of that it was not made, which leaves the action open.

        What was done elsewhere needs a ``reference`` to where it stands (Unsigned). UnknownOpening; CannotBeDone
        where a change of this action is being carried out, or is in doubt.
        """
        args = {"opening": opening, "result": result.value}
        kept = keepable(reference).strip()[:300]
        if result is ActionResult.DONE_ELSEWHERE and not kept:
            raise Unsigned("what was done elsewhere needs a reference: the number or link under which it stands there")
        with self._deciding(ticket, sign, DecisionKind.ACTION_DECIDED, args) as act:
            if act.earlier is None:
                found = act.action(opening)
                act.end_change(opening, result, kept)
                act.write({"action": found.name}, words={"reference": kept} if kept else None)
                if result is not ActionResult.NOT_DONE:
                    act.close_openings(only=opening)
        return act.decision()

    def hand_back(self, ticket: str, to: Lane, seen: Seen, sign: Signature) -> Decision:
        """Gives the conversation back to the assistant at a lane: that is the floor from here on, lower or higher. All
        answers and actions are closed, the open review ends, and the words so far are settled; what waits to leave is
        withdrawn, but for what this person approved. StaleDecision; AlreadyClaimed by another."""
        to = Lane.read(to)
        with self._deciding(ticket, sign, DecisionKind.HANDED_BACK, {"to": int(to)}) as act:
            if act.earlier is None:
                check_seen(act.held, seen)
                act.only_the_holder()
                stopped = act.take_off_the_way("handed_back", "a person has handed the conversation back")
                act.write({"settles": act.held.revision, "from": int(act.held.lane), **stopped})
                if to > act.held.floor:
                    register.raise_floor(act.conn, ticket, to, at=act.now, actor=sign.by)
                act.close_openings()
                act.lower_to(to)
                act.set_register(claimed_by=None, settled_by=act.seq)
                act.close_review()
                act.tell(Kind.HANDED_BACK, "handed_back", {"to": int(to)})
        return act.decision()

    def resolve(self, ticket: str, seen: Seen, sign: Signature, outcome: str = "resolved") -> Decision:
        """Ends the work on the ticket: openings and review are closed, what waits to leave is withdrawn (but for what this
        person approved) and the words so far are settled; the floor stays where it is. ``outcome`` is a code (at most
        100 characters), not prose. StaleDecision; AlreadyClaimed by another."""
        args = {"outcome": keepable(outcome)[:100]}
        with self._deciding(ticket, sign, DecisionKind.RESOLVED, args) as act:
            if act.earlier is None:
                check_seen(act.held, seen)
                act.only_the_holder()
                stopped = act.take_off_the_way("resolved", "a person has resolved the ticket")
                act.write({"settles": act.held.revision, **stopped})
                act.close_openings()
                act.set_register(claimed_by=None, settled_by=act.seq)
                act.close_review()
        return act.decision()

    def merge(self, ticket: str, into: str, seen: Seen, sign: Signature) -> Decision:
        """Ends the work on a ticket because another holds the same matter: both say so, nothing is moved, and its
        words stay where they were written. The other's floor rises to this one's lane, a person is asked about both
        there, and a draft from before cannot be approved.

        CannotBeDone where the two are one, were merged the other way round, or belong to different addresses: whoever
        is answered in the other ticket has to be who wrote in this one. StaleDecision and AlreadyClaimed as ``resolve``.
        """
        with self._deciding(ticket, sign, DecisionKind.MERGED, {"into": into[:200]}) as act:
            if act.earlier is None:
                check_seen(act.held, seen)
                act.only_the_holder()
                merging.check(act.conn, ticket, into)
                stopped = act.take_off_the_way("merged", "a person has merged the ticket into another")
                act.write({"settles": act.held.revision, **stopped})
                act.close_openings()
                act.set_register(claimed_by=None, settled_by=act.seq)
                act.close_review()
                act.tell(Kind.MERGED, "merged", {"into": into})
                told = Entry(Kind.MERGED, own_key(f"merged/{act.seq}"), {"from": ticket, "decision": act.seq})
                done = events.append(act.conn, into, told, at=act.now, actor=sign.by)
                new = self._store.new_id()
                merging.carry_over(act.conn, act.held, into, cause=done.seq, review_id=new, at=act.now, actor=sign.by)
        return act.decision()

    def rate_packet(self, review: str, rating: PacketRating, sign: Signature) -> Decision:
        """Says whether a review's packet helped; also after the review was closed."""
        args = {"review": review, "rating": rating.value}
        with self._deciding_review(review, sign, DecisionKind.PACKET_RATED, args, also_closed=True) as act:
            if act.earlier is None:
                act.write()
        return act.decision()

    # --- the whole house ---

    def halt(self, family: str | None, sign: Signature) -> Halt:
        """Stops autonomy at once, for one issue family or, with None, for all: no assistant's text begins to leave
        from here on, whatever was proposed before. Halted already, the earlier halt is returned."""
        now = self._store.now()
        # An empty family would name nothing and stop nothing: whoever says it wants everything stopped.
        stopped = keepable(family).strip() or None if family is not None else None
        with self._store.write(durable=True) as conn:
            for held in halts_now(conn):
                if held.family == stopped:
                    return held
            done = self._tell_house(conn, Kind.HALTED, stopped, sign, now)
            conn.execute(insert(halts).values(seq=done.seq, family=stopped, by=sign.by, at=now))
            return Halt(done.seq, stopped, sign.by, now)

    def resume(self, family: str | None, sign: Signature) -> tuple[Halt, ...]:
        """Ends the halt of one family, or with None the halt of all (families halted by name stay halted). Returns
        the halts that remain."""
        now = self._store.now()
        with self._store.write(durable=True) as conn:
            ended = [h for h in halts_now(conn) if h.family == family]
            if ended:
                done = self._tell_house(conn, Kind.RESUMED, family, sign, now)
                for halt in ended:
                    conn.execute(update(halts).where(halts.c.seq == halt.seq).values(resumed_by=done.seq))
            return halts_now(conn)

    def erase(self, ticket: str, sign: Signature) -> Decision:
        """Erases every word and address of the ticket; events, digests and decisions stay. What had not begun to
        leave does not leave; what waits in the inbox is dropped; an open review ends. It cannot be undone."""
        with self._deciding(ticket, sign, DecisionKind.ERASED) as act:
            if act.earlier is None:
                refusal = Refusal("send the letter", "erased", "the ticket's words have been erased")
                letters.withdraw(act.conn, ticket, refusal, at=act.now, actor=sign.by, approved_too=True)
                act.close_openings()
                erase_words(act.conn, ticket, act.now)
                act.write(inbox=False)
                act.close_review()
                act.tell(Kind.WORDS_ERASED, "erased")
        self._store.forget_erased()
        return act.decision()

    # --- within ---

    def _tell_house(
        self, conn: Connection, kind: Kind, family: str | None, sign: Signature, now: datetime
    ) -> events.Record:
        # The key is fresh each time: a halt told twice must halt again where somebody resumed in between.
        key = own_key(f"house/{sign.key}/{self._store.new_id()}")
        entry = Entry(kind, key, {"family": family}, {"reason": sign.reason})
        return events.append(conn, HOUSE, entry, at=now, actor=sign.by)

    @contextmanager
    def _deciding(
        self, ticket: str, sign: Signature, kind: DecisionKind, args: Mapping[str, Any] | None = None
    ) -> Iterator[Act]:
        with self._store.write(durable=True) as conn:
            held = register.current(conn, ticket)
            review = reviews.open_review_of(conn, ticket)
            act = self._act(conn, held, review, sign, kind, args or {})
            yield act
            act.finish()

    @contextmanager
    def _deciding_review(
        self,
        review: str,
        sign: Signature,
        kind: DecisionKind,
        args: Mapping[str, Any],
        *,
        also_closed: bool = False,
    ) -> Iterator[Act]:
        with self._store.write(durable=True) as conn:
            found = reviews.get(conn, review)
            act = self._act(conn, register.current(conn, found.ticket), found, sign, kind, args)
            if act.earlier is None and not found.open and not also_closed:
                raise AlreadyDecided(who_closed(conn, found))
            yield act
            act.finish()

    def _act(
        self,
        conn: Connection,
        held: Register,
        review: Review | None,
        sign: Signature,
        kind: DecisionKind,
        args: Mapping[str, Any],
    ) -> Act:
        act = Act(conn, self._store, held, review, sign, kind, args, self._store.now())
        act.look_back()
        return act
