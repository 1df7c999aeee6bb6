"""When a queue's people are at work, from the hours that its own record gives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
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


def queue_now(queue: Queue, now: datetime) -> QueueNow:
    """Whether its people are at work. Hours that cannot be read promise nothing."""
    found = _HOURS.fullmatch(queue.hours.strip())
    try:
        here = now.astimezone(ZoneInfo(queue.timezone))
    except (ZoneInfoNotFoundError, ValueError):
        found = None
    days = _days(found[1]) if found else None
    if found is None or not days:
        return QueueNow(None, f"{queue.hours} {queue.timezone}".strip())
    starts, ends = int(found[2]) * 60 + int(found[3]), int(found[4]) * 60 + int(found[5])
    minute = here.hour * 60 + here.minute
    if here.weekday() in days and starts <= minute < ends:
        until = "" if (starts, ends) == (0, 24 * 60) else f" until {found[4]}:{found[5]} {queue.timezone}"
        return QueueNow(True, f"open{until}" if until else "open all day")
    for ahead in range(8):
        day = here + timedelta(days=ahead)
        opens = datetime.combine(day.date(), time(starts // 60 % 24, starts % 60), here.tzinfo)
        if day.weekday() in days and opens > here:
            when = "" if ahead == 0 else f"{DAYS[day.weekday()]} "
            return QueueNow(False, f"closed, opens {when}{found[2]}:{found[3]} {queue.timezone}")
    return QueueNow(False, "closed")


def _days(said: str) -> frozenset[int]:
    """Weekdays from 0 for Monday; empty for words that name none."""
    if said == "every day":
        return frozenset(range(7))
    first, _, last = said.partition("-")
    if first not in DAYS or (last and last not in DAYS):
        return frozenset()
    start, end = DAYS.index(first), DAYS.index(last or first)
    return frozenset(range(start, end + 1)) if start <= end else frozenset({*range(start, 7), *range(end + 1)})
