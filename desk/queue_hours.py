"""When a queue's people are at work, and which time a customer may be told, from what its own record gives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tools.systems import Queue

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOURS = re.compile(r"(every day|[A-Z][a-z]{2}(?:-[A-Z][a-z]{2})?) (\d{2}):(\d{2})-(\d{2}):(\d{2})")


@dataclass(frozen=True, slots=True)
class QueueNow:
    """A queue at one moment."""

    open: bool | None
    """None where nobody can tell: the hours are written in a way that is not understood."""
    words: str
    """``open until 17:00 UTC``, ``closed, opens Mon 08:00 UTC``, or the hours as they were written."""


@dataclass(frozen=True, slots=True)
class TimeToTell:
    """Which time a customer may be told for a first answer, by hours and capacity of the queue."""

    at: datetime | None
    """None where none may be told."""
    words: str


def queue_now(queue: Queue, now: datetime) -> QueueNow:
    """Whether its people are at work. Hours that cannot be read promise nothing."""
    kept = _hours(queue)
    if kept is None:
        return QueueNow(None, f"{queue.hours} {queue.timezone}".strip())
    here = now.astimezone(kept.zone)
    minute = here.hour * 60 + here.minute
    if here.weekday() in kept.days and kept.starts <= minute < kept.ends:
        whole = (kept.starts, kept.ends) == (0, _DAY)
        return QueueNow(True, "open all day" if whole else f"open until {_clock(kept.ends)} {queue.timezone}")
    for ahead in range(8):
        day = here + timedelta(days=ahead)
        opens = datetime.combine(day.date(), time(kept.starts // 60 % 24, kept.starts % 60), here.tzinfo)
        if day.weekday() in kept.days and opens > here:
            when = "" if ahead == 0 else f"{DAYS[day.weekday()]} "
            return QueueNow(False, f"closed, opens {when}{_clock(kept.starts)} {queue.timezone}")
    return QueueNow(False, "closed")


def time_to_tell(queue: Queue | None, ahead: int, opened: datetime, due: datetime | None, now: datetime) -> TimeToTell:
    """Which time may be told for a ticket that its queue has since ``opened``, with ``ahead`` others before it, and that
    goes elsewhere at ``due``. Fails toward telling none: a queue without a record, without hours that can be read or without
    a capacity has promised nothing, and one that will not come to it in time cannot keep what it promised."""
    if queue is None or queue.first_reply_hours is None:
        return TimeToTell(None, "tell no time: this queue keeps none")
    if queue.replies_an_hour is None:
        return TimeToTell(None, "tell no time: nobody has said how much this queue answers in an hour")
    kept = _after(queue, opened, queue.first_reply_hours * 60)
    reached = _after(queue, now, -(-(ahead + 1) * 60 // queue.replies_an_hour))
    if kept is None or reached is None:
        return TimeToTell(None, "tell no time: the hours of this queue cannot be read")
    work = f"{ahead} wait before it, at {queue.replies_an_hour} an hour"
    limit = kept if due is None else min(kept, due)
    if reached > limit:
        said = f"{_moment(reached)}, and {_moment(limit)} is the latest that would do"
        return TimeToTell(None, f"tell no time: {work}, so that this queue comes to it by {said}")
    return TimeToTell(kept, f"{_moment(kept)} at the latest: {queue.first_reply_hours} working hours are kept; {work}")


_DAY = 24 * 60
_MOST_DAYS = 366


@dataclass(frozen=True, slots=True)
class _Hours:
    """When people are at work: minutes of the day, in their own zone."""

    days: frozenset[int]
    starts: int
    ends: int
    zone: ZoneInfo


def _hours(queue: Queue) -> _Hours | None:
    found = _HOURS.fullmatch(queue.hours.strip())
    days = _days(found[1]) if found else None
    try:
        zone = ZoneInfo(queue.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return None
    if found is None or not days:
        return None
    starts, ends = int(found[2]) * 60 + int(found[3]), int(found[4]) * 60 + int(found[5])
    return _Hours(days, starts, ends, zone) if starts < ends <= _DAY else None


def _after(queue: Queue, since: datetime, minutes: int) -> datetime | None:
    """The moment by which people have worked so many minutes; None where their hours cannot be read."""
    kept = _hours(queue)
    if kept is None:
        return None
    here, left = since.astimezone(kept.zone), minutes
    for ahead in range(_MOST_DAYS):
        day = here.date() + timedelta(days=ahead)
        begins = max(kept.starts, here.hour * 60 + here.minute) if ahead == 0 else kept.starts
        worked = max(0, kept.ends - begins) if day.weekday() in kept.days else 0
        if left <= worked:
            midnight = datetime.combine(day, time(), kept.zone)
            return (midnight + timedelta(minutes=begins + left)).astimezone(UTC)
        left -= worked
    return None


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _moment(at: datetime) -> str:
    return f"{DAYS[at.weekday()]} {at:%d %b %H:%M} UTC"


def _days(said: str) -> frozenset[int]:
    """Weekdays from 0 for Monday; empty for words that name none."""
    if said == "every day":
        return frozenset(range(7))
    first, _, last = said.partition("-")
    if first not in DAYS or (last and last not in DAYS):
        return frozenset()
    start, end = DAYS.index(first), DAYS.index(last or first)
    return frozenset(range(start, end + 1)) if start <= end else frozenset({*range(start, 7), *range(end + 1)})
