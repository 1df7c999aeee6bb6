"""The scorecard's metrics again, slow and obvious: each reads whole timelines, and shares no line with the product."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from ledger import events
from ledger.events import HOUSE, Event, Kind
from ledger.store import Store
from ledger.tables import bodies
from ledger.tables import events as events_table

WEEK = timedelta(days=7)
WORK = {
    "approved",
    "edited_and_approved",
    "rejected",
    "answered",
    "lane_changed",
    "triggers_corrected",
    "routed",
    "action_decided",
    "change_approved",
    "handed_back",
    "resolved",
}


class Told:
    """One ticket's timeline, and the questions that metrics ask of it."""

    def __init__(self, ticket: str, timeline: Sequence[Event], conn: Connection) -> None:
        self.ticket, self.timeline, self.conn = ticket, timeline, conn

    def of(self, kind: Kind) -> list[Event]:
        return [e for e in self.timeline if e.kind is kind]

    def decisions(self, *which: str) -> list[Event]:
        return [e for e in self.of(Kind.PERSON_DECIDED) if e.head["decision"] in which]

    @property
    def opened(self) -> datetime:
        return self.of(Kind.CUSTOMER_WROTE)[0].at

    @property
    def assigned(self) -> bool:
        return bool(self.of(Kind.LANE_ASSIGNED))

    @property
    def family(self) -> str:
        first = self.of(Kind.LANE_ASSIGNED)[:1]
        return next((e.head["families"][0] for e in first if e.head["families"]), "")

    @property
    def answers(self) -> list[Event]:
        return [e for e in self.of(Kind.DELIVERED) if e.head["piece"] in ("answer", "approved")]

    @property
    def customer(self) -> str | None:
        found = None
        for event in self.timeline:
            if event.kind is Kind.WORDS_ERASED:
                found = None
            if event.kind is Kind.CUSTOMER_WROTE and found is None and event.body and event.body.text:
                found = json.loads(event.body.text)["sender"]["requester_email"].lower()
        return found

    def lanes(self) -> list[int]:
        found = [e.head["lane"] for e in self.of(Kind.LANE_ASSIGNED)]
        return found + [e.head["lane"][1] for e in self.of(Kind.LANE_RAISED)]

    # drafts

    @property
    def drafts(self) -> set[str]:
        done = {"approved": "as_is", "edited_and_approved": "edited", "rejected": "rejected"}
        found = {done[e.head["decision"]] for e in self.decisions(*done)}
        for event in self.decisions("answered"):
            if self.draft_before(event) is not None:
                found.add("instead")
        return found

    def draft_before(self, decision: Event) -> Event | None:
        """The event that put the draft there which waits when that decision is made."""
        waiting: Event | None = None
        for event in self.timeline:
            if event.seq >= decision.seq:
                break
            if event.kind in (Kind.REVIEW_OPENED, Kind.REVIEW_REVISED):
                body = event.head.get("draft_body")
                if body is None:
                    waiting = None
                elif waiting is None or waiting.head["draft_body"] != body:
                    waiting = event
            elif event in self.decisions("approved", "edited_and_approved", "rejected", "answered"):
                waiting = None
        return waiting

    @property
    def turned_down(self) -> bool:
        return bool(self.drafts & {"instead", "rejected"})

    @property
    def changed(self) -> float | None:
        """The share of words changed in the last edit of which both texts are there."""
        found = None
        for event in self.decisions("edited_and_approved"):
            draft, sent = self.text(event.head["draft_digest"]), self.text(event.head["digest"])
            if draft is not None and sent is not None:
                found = (
                    1
                    - difflib.SequenceMatcher(
                        None, re.findall(r"\w+", draft), re.findall(r"\w+", sent), autojunk=False
                    ).ratio()
                )
        return found

    def text(self, digest: str) -> str | None:
        query = select(bodies.c.text).where(bodies.c.ticket_id == self.ticket, bodies.c.digest == digest)
        return next((t for t in self.conn.execute(query).scalars() if t is not None), None)

    @property
    def edited_heavily(self) -> bool:
        return self.changed is not None and round(self.changed * 1000) >= 300

    @property
    def quickest(self) -> float | None:
        times = []
        approved = self.decisions("approved")
        for event, following in zip(approved, [*approved, None][1:], strict=True):
            draft = self.draft_before(event)
            if draft is None:
                continue
            measured = [
                look.head["seconds"]
                for look in self.of(Kind.LOOKED)
                if look.seq > event.seq and (following is None or look.seq < following.seq)
                if (look.actor, look.head["draft"]) == (event.actor, event.head["digest"])
                if look.head["seconds"] is not None
            ]
            times.append(measured[0] if measured else (event.at - draft.at).total_seconds())
        return min(times, default=None)

    # people

    @property
    def lane_changed(self) -> bool:
        return any(e.head["to"] != e.head["from"] for e in self.decisions("lane_changed"))

    @property
    def moved(self) -> bool:
        return any(e.head["to"] != e.head["from"] for e in self.decisions("routed"))

    @property
    def path(self) -> bool:
        corrected = [
            True
            for e in self.decisions("triggers_corrected")
            for trigger, level in e.head["levels"].items()
            if e.head["proposed"].get(trigger) != level
        ]
        return self.moved or bool(corrected)

    @property
    def draft_overridden(self) -> bool:
        return self.turned_down or self.edited_heavily

    @property
    def decided(self) -> bool:
        return bool(self.decisions(*WORK))

    @property
    def rating(self) -> str:
        return next((e.head["rating"] for e in reversed(self.decisions("packet_rated"))), "")

    @property
    def to_specialist(self) -> bool:
        routed = any(e.head.get("routing") == "specialist" for e in self.of(Kind.DRAFT_PREPARED))
        asked = [
            e for e in self.timeline if e.kind in (Kind.REVIEW_OPENED, Kind.REVIEW_REVISED) and "why" not in e.head
        ]
        return routed or any(e.head["lane"] == 3 for e in asked)

    # the customer

    def late_in(self, since: int = 0, before: int = 10**9) -> bool:
        """Whether it rose out of lane 1 behind an answer of the assistant's, for the first time between two numbers."""
        own = [e.seq for e in self.answers if e.head["piece"] == "answer"]
        rose = [e.seq for e in self.of(Kind.LANE_RAISED) if e.head["lane"][0] == 1 and e.head["lane"][1] > 1]
        behind = [seq for seq in rose if own and own[0] < seq]
        return bool(behind) and since <= behind[0] < before

    @property
    def wrote_again(self) -> bool:
        known: set[str] = set()
        answered: datetime | None = None
        pending: Event | None = None
        found: Event | None = None
        for event in self.timeline:
            if event.kind is Kind.DELIVERED and event in self.answers:
                answered = event.at
            elif event.kind is Kind.CUSTOMER_WROTE:
                pending = event if answered is not None and event.at - answered <= WEEK else None
            elif event.kind is Kind.LANE_ASSIGNED:
                touched = set(event.head["families"])
                if pending is not None and found is None and (touched & known or not known):
                    found = pending
                pending, known = None, known | touched
            elif event.kind is Kind.REPLY_PROPOSED and event.head["piece"] == "closing" and found is not None:
                found = None if event.head["revision"] == found.seq else found
        return found is not None

    def came_back(self, others: Sequence[Told]) -> bool:
        if not self.answers or self.customer is None or not self.family:
            return False
        last = self.answers[-1].at
        return any(
            other.ticket != self.ticket
            and other.customer == self.customer
            and other.family == self.family
            and last < other.opened <= last + WEEK
            for other in others
        )


def told(store: Store) -> list[Told]:
    """Every ticket of a ledger; read while the store's connection is open, so nothing is lazy."""
    with store.read() as conn:
        tickets = sorted(set(conn.execute(select(events_table.c.ticket_id)).scalars()) - {HOUSE})
        return [Told(t, events.timeline(conn, t), conn) for t in tickets]


Asked = Callable[[Told, Sequence[Told]], bool]


def recontacted(t: Told, all_: Sequence[Told]) -> bool:
    return t.wrote_again or t.came_back(all_)


def lane(number: int) -> tuple[Asked, Asked]:
    return (lambda t, _: t.assigned, lambda t, _: max(t.lanes()) == number)


def alone(t: Told) -> bool:
    return any(e.head["piece"] == "answer" for e in t.answers) and max(t.lanes()) == 1 and not t.decided


SLOWLY: Mapping[str, tuple[Asked, Asked]] = {
    "autonomous_resolution": (lambda t, _: t.assigned, lambda t, a: alone(t) and not recontacted(t, a)),
    "draft_approved_as_is": (lambda t, _: bool(t.drafts), lambda t, _: t.drafts == {"as_is"}),
    "draft_edited": (lambda t, _: bool(t.drafts), lambda t, _: "edited" in t.drafts and not t.turned_down),
    "draft_edited_heavily": (lambda t, _: t.changed is not None, lambda t, _: t.edited_heavily),
    "draft_turned_down": (lambda t, _: bool(t.drafts), lambda t, _: t.turned_down),
    "rubber_stamped": (lambda t, _: t.quickest is not None, lambda t, _: int(t.quickest or 0) < 15),
    "override": (lambda t, _: t.decided, lambda t, _: t.lane_changed or t.draft_overridden or t.path),
    "override_lane": (lambda t, _: t.decided, lambda t, _: t.lane_changed),
    "override_draft": (lambda t, _: t.decided, lambda t, _: t.draft_overridden),
    "override_path": (lambda t, _: t.decided, lambda t, _: t.path),
    "late_escalation": (lambda t, _: max(t.lanes(), default=0) > 1, lambda t, _: t.late_in()),
    "recontact": (lambda t, _: bool(t.answers), recontacted),
    "packet_usefulness": (lambda t, _: t.rating != "", lambda t, _: t.rating == "saved_time"),
    "specialist_bounce": (lambda t, _: t.to_specialist, lambda t, _: t.moved),
    "uncovered": (lambda t, _: t.assigned, lambda t, _: "no_source" in t.of(Kind.LANE_ASSIGNED)[0].head["rules"]),
    "lane_1": lane(1),
    "lane_2": lane(2),
    "lane_3": lane(3),
}
"""Metric id: whether a ticket is among, and whether it is counted."""
