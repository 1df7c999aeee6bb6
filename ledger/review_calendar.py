"""The review calendar: what people look at again and again, when it is due, and what they decided about it."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from ledger.errors import CannotReview, Unsigned
from ledger.events import HOUSE, Entry, Event, Kind, append, not_before, own_key, timeline
from ledger.review_material import Section, Topic, material
from ledger.spans import began
from ledger.store import Store
from ledger.words import keepable

GRACE = timedelta(days=1)
"""How long after it is due a review counts as overdue."""
DECISION_LIMIT = 20_000
"""Most characters of a decision."""


def _after(**by: float) -> Callable[[datetime], datetime]:
    return lambda moment: moment + timedelta(**by)


def _months(count: int) -> Callable[[datetime], datetime]:
    """The same day so many months later; the month's last where it is shorter."""

    def later(moment: datetime) -> datetime:
        year, month = divmod(moment.year * 12 + moment.month - 1 + count, 12)
        day = min(moment.day, calendar.monthrange(year, month + 1)[1])
        return moment.replace(year=year, month=month + 1, day=day)

    return later


RHYTHM: Mapping[Topic, tuple[str, Callable[[datetime], datetime]]] = {
    Topic.LATE_ESCALATIONS: ("weekly", _after(weeks=1)),
    Topic.RISKY_NOT_ESCALATED: ("every two weeks", _after(weeks=2)),
    Topic.LANE_DISTRIBUTION: ("monthly", _months(1)),
    Topic.TRIGGER_DEFINITIONS: ("quarterly", _months(3)),
}
"""How often each is held, in words and as a step from one to the next."""


@dataclass(frozen=True, slots=True)
class Held:
    """One review that was opened."""

    seq: int
    topic: Topic
    since: datetime
    until: datetime
    """The stretch of time its material is about."""
    opened_at: datetime
    opened_by: str
    sections: tuple[Section, ...]
    """What they had before them, as it was then."""
    closed_at: datetime | None = None
    closed_by: str = ""
    decision: str = ""
    owner: str = ""
    """Who sees to it that the decision is carried out."""

    @property
    def open(self) -> bool:
        """True until somebody closes it with a decision."""
        return self.closed_at is None


@dataclass(frozen=True, slots=True)
class Due:
    """Where one topic stands in the calendar."""

    topic: Topic
    rhythm: str
    due_at: datetime | None
    """When the next one is to be held; None in an empty ledger."""
    open: Held | None
    """The one that is being held now."""
    last: Held | None
    """The last that was closed."""
    now: datetime

    @property
    def due(self) -> bool:
        """True where it is time."""
        return self.due_at is not None and self.now >= self.due_at

    @property
    def overdue(self) -> timedelta | None:
        """How long it has been due and not been closed, once that is more than ``GRACE``; also while it is open."""
        if self.due_at is None or self.now - self.due_at <= GRACE:
            return None
        return self.now - self.due_at


def due(conn: Connection, now: datetime) -> tuple[Due, ...]:
    """The whole calendar, by the store's clock; the longest overdue first."""
    moment, start, every = not_before(conn, now), began(conn), held(conn)
    found = (_due(topic, every, start, moment) for topic in Topic)
    return tuple(sorted(found, key=lambda d: (d.due_at is None, d.due_at or moment, d.topic)))


def held(conn: Connection, topic: Topic | None = None) -> tuple[Held, ...]:
    """Every review that was opened, or those of one topic, oldest first."""
    told = timeline(conn, HOUSE, [Kind.PERIODIC_REVIEW_OPENED, Kind.PERIODIC_REVIEW_CLOSED])
    closings = {int(e.head["opened"]): e for e in told if e.kind is Kind.PERIODIC_REVIEW_CLOSED}
    opened = (e for e in told if e.kind is Kind.PERIODIC_REVIEW_OPENED)
    found = (_held(e, closings.get(e.seq)) for e in opened)
    return tuple(h for h in found if topic is None or h.topic is topic)


def open_review(store: Store, topic: Topic, by: str) -> Held:
    """Opens a review with its material: all since the last one was opened, at first since the ledger began. The one that
    is open already is returned as it is. CannotReview in an empty ledger; Unsigned without a name."""
    who = _named(by, "who opens it")
    with store.read() as conn:
        now = not_before(conn, store.now())
        standing = _due(topic, held(conn, topic), began(conn), now)
        since = standing.last.until if standing.last else began(conn)
        if since is None:
            raise CannotReview("the ledger is empty: there is nothing to review yet")
        sections = standing.open.sections if standing.open else material(conn, topic, since, now)
    with store.write(durable=True) as conn:
        running = _open_one(conn, topic)
        if running is not None:
            return running
        head = {
            "topic": topic.value,
            "since": since.isoformat(),
            "until": now.isoformat(),
            # The families of a release are not bounded; the first twenty sections give the head its picture.
            "counts": [[s.title[:60], s.count] for s in sections[:20]],
        }
        key = own_key(f"review/{topic.value}/{now.isoformat()}/{store.new_id()}")
        words = {"sections": [s.to_json() for s in sections]}
        append(conn, HOUSE, Entry(Kind.PERIODIC_REVIEW_OPENED, key, head, words), at=now, actor=who)
        opened = _open_one(conn, topic)
        assert opened is not None
        return opened


def close_review(store: Store, topic: Topic, by: str, decision: str, owner: str, opened: int | None = None) -> Held:
    """Closes the open review of a topic with what was decided and who owns it. ``opened`` is the seq of the review that
    they had before them, where that is known: no other one is closed, and closing it twice with the same words is closing
    it once. CannotReview where none is open, or decision or owner are missing; Unsigned without a name."""
    who = _named(by, "who closes it")
    kept, answers = keepable(decision).strip(), keepable(owner).strip()
    if not kept or len(kept) > DECISION_LIMIT:
        raise CannotReview(
            f"a review is closed with a decision of at most {DECISION_LIMIT} characters, if only that all stays as it is"
        )
    if not answers or len(answers) > 200:
        raise CannotReview("a review is closed with an owner: one name of at most 200 characters")
    with store.write(durable=True) as conn:
        running = _open_one(conn, topic)
        if opened is not None and (running is None or running.seq != opened):
            return _closed_before(conn, topic, opened, (who, kept, answers))
        if running is None:
            raise CannotReview(f"no review of {topic.value} is open: `lanewise review open {topic.value}` opens one")
        now = not_before(conn, store.now())
        head = {"topic": topic.value, "opened": running.seq, "owner": answers}
        entry = Entry(Kind.PERIODIC_REVIEW_CLOSED, own_key(f"review/{running.seq}/closed"), head, {"decision": kept})
        append(conn, HOUSE, entry, at=now, actor=who)
        return next(h for h in held(conn, topic) if h.seq == running.seq)


def _due(topic: Topic, every: tuple[Held, ...], start: datetime | None, now: datetime) -> Due:
    rhythm, later = RHYTHM[topic]
    mine = [h for h in every if h.topic is topic]
    closed = [h for h in mine if not h.open]
    last = closed[-1] if closed else None
    counted_from = last.until if last else start
    running = next((h for h in mine if h.open), None)
    return Due(topic, rhythm, later(counted_from) if counted_from else None, running, last, now)


def _closed_before(conn: Connection, topic: Topic, opened: int, said: tuple[str, str, str]) -> Held:
    """The review as it was closed with these very words. CannotReview where it was closed with others, or is none."""
    seen = next((h for h in held(conn, topic) if h.seq == opened), None)
    if seen is None:
        raise CannotReview(f"there is no such review of {topic.value}: look at what is open. Nothing was recorded.")
    if (seen.closed_by, seen.decision, seen.owner) != said:
        raise CannotReview(
            f"{seen.closed_by} closed this review of {topic.value} already, and what was decided is not changed "
            "afterwards. Nothing was recorded."
        )
    return seen


def _open_one(conn: Connection, topic: Topic) -> Held | None:
    return next((h for h in held(conn, topic) if h.open), None)


def _held(opened: Event, closed: Event | None) -> Held:
    head, words = opened.head, opened.body.json() if opened.body else None
    said = closed.body.json() if closed and closed.body else None
    return Held(
        seq=opened.seq,
        topic=Topic(head["topic"]),
        since=datetime.fromisoformat(head["since"]),
        until=datetime.fromisoformat(head["until"]),
        opened_at=opened.at,
        opened_by=opened.actor,
        sections=tuple(Section.from_json(raw) for raw in (words or {"sections": []})["sections"]),
        closed_at=closed.at if closed else None,
        closed_by=closed.actor if closed else "",
        decision=str(said["decision"]) if said else "",
        owner=str(closed.head["owner"]) if closed else "",
    )


def _named(by: str, what: str) -> str:
    kept = keepable(by).strip()
    if not kept or len(kept) > 200:
        raise Unsigned(f"a review needs the name of {what}, of at most 200 characters")
    return kept
