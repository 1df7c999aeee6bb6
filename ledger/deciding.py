"""One decision while it is carried out, inside its transaction. For ``people`` alone: here lanes fall."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, insert, update

from guards.gate import Approval, Letter, Refusal
from guards.lanes import Lane
from ledger import changes, events, foreseen, letters, moment, reaching, register, reviews
from ledger.changes import ChangeState
from ledger.decisions import ActionResult, Decision, DecisionKind, Seen, Signature, check_seen
from ledger.errors import (
    AlreadyClaimed,
    AlreadyDecided,
    CannotBeDone,
    CannotLeave,
    NothingToApprove,
    StaleDecision,
    UnknownOpening,
)
from ledger.events import Entry, Kind, own_key
from ledger.letters import Delivery
from ledger.moment import ReleaseView
from ledger.register import Opening, OpeningKind, Register
from ledger.reviews import Review
from ledger.store import Store
from ledger.tables import approvals, openings, registers
from ledger.tables import reviews as reviews_table
from ledger.words import canonical, digest_of


@dataclass(slots=True)
class Act:
    """One decision while it is carried out, inside its transaction."""

    conn: Connection
    store: Store
    held: Register
    """The register before the decision."""
    review: Review | None
    sign: Signature
    kind: DecisionKind
    args: Mapping[str, Any]
    now: datetime
    earlier: events.Event | None = None
    """The same decision, made before under this key: then nothing is done again."""
    seq: int = 0
    head: dict[str, Any] = field(default_factory=dict)
    result: Decision | None = None
    stopped: tuple[Delivery, ...] = ()
    """Texts that others had approved, and that this decision has taken off the way."""

    @property
    def key(self) -> str:
        """The decision's key, where no customer's key can meet it."""
        return own_key(letters.key_of("person", self.sign.key))

    @property
    def open_review(self) -> Review:
        """The review that is decided on; only where there is one."""
        assert self.review is not None
        return self.review

    def look_back(self) -> None:
        """Finds the decision made before under this key; AlreadyDecided where that one was another."""
        found = events.by_key(self.conn, self.held.ticket, self.key)
        if found is None:
            return
        if found.head.get("print") != self._print():
            raise AlreadyDecided(
                f"key {self.sign.key!r} has decided something else: {found.head.get('decision')} by {found.actor}"
            )
        self.earlier, self.seq, self.head = found, found.seq, dict(found.head)

    def write(
        self,
        more: Mapping[str, Any] | None = None,
        *,
        inbox: bool = True,
        words: Mapping[str, str] | None = None,
    ) -> None:
        """Writes the person_decided event: what was decided in the head, why (and other ``words``) in the body."""
        self.head = {
            "decision": self.kind.value,
            **self.args,
            "print": self._print(),
            "review": self.review.id if self.review else None,
            "epoch": self.held.epoch,
            "revision": self.held.revision,
            **(more or {}),
        }
        entry = Entry(Kind.PERSON_DECIDED, self.key, self.head, {"reason": self.sign.reason, **(words or {})})
        done = events.append(self.conn, self.held.ticket, entry, at=self.now, actor=self.sign.by)
        self.seq = done.seq
        if not inbox:
            events.take_from_inbox(self.conn, done.seq, self.now)

    def tell(self, kind: Kind, step: str, head: Mapping[str, Any] | None = None) -> None:
        """Writes what followed from the decision as an event of its own."""
        entry = Entry(
            kind, own_key(letters.key_of("person", self.sign.key, step)), {"decision": self.seq, **(head or {})}
        )
        events.append(self.conn, self.held.ticket, entry, at=self.now, actor=self.sign.by)

    def only_the_holder(self, *, over: bool = False) -> None:
        """AlreadyClaimed where another has the thread and it is not taken from them (``over``)."""
        holder = self.held.claimed_by
        if holder not in (None, self.sign.by) and not over:
            raise AlreadyClaimed(
                f"{holder} has the thread of ticket {self.held.ticket!r}: it is theirs until they release it, or a lead "
                "takes it over"
            )

    def take_off_the_way(self, rule: str, why: str, holder: str | None = None) -> dict[str, list[str]]:
        """Withdraws what waits to leave, the assistant's and what was approved by others than ``holder`` (by default, who
        decides); returns ``{"stopped": who had approved it}`` for the decision's head, empty where nobody had."""
        gone = letters.withdraw(
            self.conn,
            self.held.ticket,
            Refusal("send the reply", rule, why),
            at=self.now,
            actor=self.sign.by,
            approved_too=True,
            but_of=holder or self.sign.by,
        )
        self.stopped = tuple(d for d in gone if d.letter.approval is not None)
        named = dict.fromkeys(d.letter.approval.by for d in self.stopped if d.letter.approval)
        return {"stopped": list(named)} if named else {}

    def call_for_the_stopped(self) -> None:
        """Asks a person about each approved text that was taken off the way: whoever approved it believes that it left."""
        for one in self.stopped:
            reviews.call_a_person(
                self.conn,
                self.held.ticket,
                "reply_refused",
                review_id=self.store.new_id(),
                cause=one.proposed_by,
                at=self.now,
            )

    def draft_seen(self, seen: Seen) -> events.Body:
        """The review's draft, where the person saw it as it is now. NothingToApprove, StaleDecision."""
        review = self.open_review
        if review.draft is None:
            check_seen(self.held, seen)
            raise NothingToApprove(f"review {review.id!r} (lane {int(review.lane)}) holds no draft; answer yourself")
        check_seen(self.held, seen, review.draft.digest, of_draft=True)
        if review.stale or self.held.lane is Lane.HUMAN_OWNED:
            raise StaleDecision(["the draft was prepared before the customer wrote last, or before the lane rose"])
        return review.draft

    def answer(self, text: str, view: ReleaseView, lasts: timedelta, seen: Seen, more: Mapping[str, Any]) -> None:
        """Approves a text and puts it in the outbox; ends the review and the open answers. The mail address that the
        person saw beside the chat is bound to it: no other is ever written to."""
        held, ticket = self.held, self.held.ticket
        self.only_the_holder()
        reply_key = letters.key_of(ticket, "approved", self.sign.key)
        digest = digest_of(text)
        letter, approval = foreseen.approved_letter(
            self.conn, held, digest, view, by=self.sign.by, expires_at=self.now + lasts
        )
        answer = moment.judge(self.conn, letter, text, view, self.now, reply_key)
        if isinstance(answer, Refusal):
            raise CannotLeave(f"{answer.reason} ({answer.rule})")
        superseded = Refusal("send the reply", "answered", "a person has answered instead")
        letters.withdraw(self.conn, ticket, superseded, at=self.now, actor=self.sign.by)
        besides = reaching.reach(self.conn, ticket)
        shown = {reaching.MAIL_TO: besides.address} if besides.mark and besides.mark == seen.address else None
        self.write({"reply_key": reply_key, "digest": digest, "settles": held.revision, **more}, words=shown)
        self._put(letter, approval, text, reply_key)
        self.close_openings(kind=OpeningKind.ANSWER)
        self.set_register(settled_by=self.seq)
        self.close_review()

    def _put(self, letter: Letter, approval: Approval, text: str, reply_key: str) -> None:
        body = events.keep_body(self.conn, letter.ticket, text)
        approval_id = self.store.new_id()
        self.conn.execute(
            insert(approvals).values(
                id=approval_id,
                ticket_id=approval.ticket,
                decided_by=self.seq,
                digest=approval.digest,
                recipient=approval.recipient,
                epoch=approval.epoch,
                revision=approval.revision,
                release=approval.release,
                by=approval.by,
                expires_at=approval.expires_at,
            )
        )
        head = {"reply_key": reply_key, "piece": letter.piece.value, "digest": letter.digest, "approval": approval_id}
        entry = Entry(Kind.REPLY_PROPOSED, own_key(f"proposed/{reply_key}"), head)
        done = events.append(self.conn, letter.ticket, entry, at=self.now, actor=self.sign.by, body=body)
        letters.put(
            self.conn,
            letter,
            body,
            reply_key=reply_key,
            proposed_by=done.seq,
            approval_id=approval_id,
            at=self.now,
        )

    def order(
        self, opening: int, action: str, arguments: Mapping[str, Any], view: ReleaseView, lasts: timedelta
    ) -> None:
        """Orders a change for an open action: bound to its exact arguments, and put where the change room finds it.
        UnknownOpening, CannotBeDone."""
        ticket = self.held.ticket
        self.action(opening)
        key = letters.key_of(ticket, "change", self.sign.key)
        body = events.keep_body(self.conn, ticket, arguments)
        expires = self.now + lasts
        bound = {
            "change": key,
            "action": action,
            "opening": opening,
            "digest": body.digest,
            "release": view.version,
            "expires_at": expires.isoformat(),
        }
        self.write(bound)
        changes.put(self.conn, ticket, key, opening, action, body, self.seq, self.now)
        answer = changes.judge(self.conn, changes.get(self.conn, key), view, self.now)
        if isinstance(answer, Refusal):
            raise CannotBeDone(f"{answer.reason} ({answer.rule})")

    def action(self, opening: int) -> Opening:
        """The open action of that number. UnknownOpening."""
        found = next((o for o in self.held.actions if o.id == opening), None)
        if found is None:
            raise UnknownOpening(f"ticket {self.held.ticket!r} has no open action {opening}")
        return found

    def end_change(self, opening: int, result: ActionResult, reference: str) -> None:
        """Brings the action's last change into line with what a person says of it. CannotBeDone where it is just
        being carried out, or where nobody knows and the person does not say either."""
        told = [c for c in changes.changes_of(self.conn, self.held.ticket) if c.opening == opening]
        last = told[-1] if told else None
        if last is not None and last.state is ChangeState.RUNNING:
            raise CannotBeDone("it is being carried out at this moment; look again in a minute")
        unknown = last is not None and last.state is ChangeState.UNKNOWN
        if result is ActionResult.NOT_DONE and not unknown:
            raise CannotBeDone("no change of this action is in doubt")
        if result is ActionResult.DECLINED and unknown:
            raise CannotBeDone("nobody knows whether it was done: say done-elsewhere or not-done first")
        if last is not None and unknown:
            to = ChangeState.FAILED if result is ActionResult.NOT_DONE else ChangeState.DONE
            changes.move(self.conn, last.key, to, self.now, reference=reference or None)

    def lower_to(self, to: Lane) -> None:
        """Lowers the floor, and every open answer that stands higher, to a lane. No epoch is needed for it: a right
        that was dead stays dead, because its epoch does."""
        self.conn.execute(
            update(registers)
            .where(registers.c.ticket_id == self.held.ticket, registers.c.floor > int(to))
            .values(floor=int(to))
        )
        self.conn.execute(
            update(openings)
            .where(
                openings.c.ticket_id == self.held.ticket,
                openings.c.state == "open",
                openings.c.kind == OpeningKind.ANSWER.value,
                openings.c.lane > int(to),
            )
            .values(lane=int(to))
        )

    def close_openings(self, *, kind: OpeningKind | None = None, only: int | None = None) -> None:
        """Closes all open answers and actions, those of one kind, or one."""
        query = update(openings).where(openings.c.ticket_id == self.held.ticket, openings.c.state == "open")
        if kind is not None:
            query = query.where(openings.c.kind == kind.value)
        if only is not None:
            query = query.where(openings.c.id == only)
        self.conn.execute(query.values(state="closed"))
        if kind is not OpeningKind.ANSWER:
            why = "a person has ended the action without it"
            changes.withdraw(self.conn, self.held.ticket, why, at=self.now, actor=self.sign.by, only=only)

    def set_register(self, **values: Any) -> None:
        """Sets columns of the ticket's register: who has claimed it, and which decision settled it last."""
        self.conn.execute(update(registers).where(registers.c.ticket_id == self.held.ticket).values(values))

    def set_review(self, **values: Any) -> None:
        """Sets columns of the review that is decided on."""
        self.conn.execute(update(reviews_table).where(reviews_table.c.id == self.open_review.id).values(values))

    def close_review(self) -> None:
        """Closes the open review, where there is one."""
        if self.review is not None and self.review.open:
            reviews.close(self.conn, self.review.id, closed_by=self.seq, at=self.now)

    def _print(self) -> str:
        return digest_of(canonical({"by": self.sign.by, "kind": self.kind.value, "args": self.args}))

    def finish(self) -> None:
        """Ends the act: where the lane has fallen by it, an event says so."""
        after = register.current(self.conn, self.held.ticket)
        if self.earlier is None and (after.lane < self.held.lane or after.floor < self.held.floor):
            lane, floor = [int(self.held.lane), int(after.lane)], [int(self.held.floor), int(after.floor)]
            self.tell(Kind.LANE_LOWERED, "lowered", {"lane": lane, "floor": floor})
        self.result = Decision(
            seq=self.seq,
            ticket=self.held.ticket,
            key=self.sign.key,
            kind=self.kind,
            by=self.sign.by,
            at=self.earlier.at if self.earlier else self.now,
            first=self.earlier is None,
            head=self.head,
            reply_key=self.head.get("reply_key"),
            register=after,
        )

    def decision(self) -> Decision:
        """What stands in the ledger now."""
        assert self.result is not None
        return self.result


def who_closed(conn: Connection, review: Review) -> str:
    decided = None if review.closed_by is None else events.event_at(conn, review.closed_by)
    how = f"{decided.head.get('decision')} by {decided.actor}" if decided else "closed"
    return f"review {review.id!r} is decided already: {how}"
