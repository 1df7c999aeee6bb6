"""Writes a workspace with a year of made-up history in it, and says there that it is made up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from desk.errors import DeskError
from desk.made_up_bulk import specimens, tell_again
from desk.made_up_history import MadeUpClock, drive
from desk.made_up_lives import plan
from desk.made_up_marks import MARK, NOTE
from desk.records import read_release
from guards.policy import Release
from ledger.store import open_store
from tools.sandbox import SandboxCompany

_ROOM = timedelta(days=374)
"""How long before the company's day the year begins, so that what happens in it is over by then."""


def write_year(folder: Path, tickets: int, seed: int, bulk: bool, tell: Callable[[str], None]) -> int:
    """A year that ends on the made-up company's own day, under two releases. With ``bulk`` each kind of ticket is driven
    once and told again of others, which a hundred thousand of them need. DeskError where a ledger is there already."""
    ledger = folder / ".lanewise" / "ledger.sqlite3"
    if ledger.exists():
        raise DeskError(
            f"there is a ledger at {ledger} already. Name an empty folder: made-up tickets are never mixed with real ones."
        )
    ledger.parent.mkdir(parents=True, exist_ok=True)
    start = (SandboxCompany().now - _ROOM).replace(microsecond=0)
    stories = plan(tickets, start, seed)
    clock = MadeUpClock(start)
    store = open_store(ledger, clock=clock)
    try:
        (folder / MARK).write_text(f"{NOTE}\n", encoding="utf-8")
        releases = _releases(start)
        if bulk:
            told = [(since, asyncio.run(specimens({s.life for s in stories}, r, start))) for since, r in releases]
            tell_again(store, stories, told)
        else:
            asyncio.run(drive(store, clock, stories, releases, folder / ".lanewise" / "runs.sqlite3"))
    finally:
        store.close()
    tell(f"wrote {tickets} made-up tickets of a year to {ledger}. {NOTE}")
    tell(f"Next: lanewise scorecard --workspace {folder}")
    return 0


def _releases(start: datetime) -> list[tuple[datetime, Release]]:
    newest = read_release(None)
    before = newest.model_copy(update={"version": f"{start:%Y-%m-%d}"})
    return [(start, before), (start + timedelta(days=180), newest)]
