"""Writes a workspace with a year of made-up history in it, and says there that it is made up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from desk.errors import DeskError
from desk.made_up.bulk import Specimen, specimens, tell_again
from desk.made_up.history import MadeUpClock, drive
from desk.made_up.lives import Life, Story, plan
from desk.made_up_marks import MARK, NOTE
from desk.records import read_release
from guards.policy import Release
from ledger.store import open_store
from tools.sandbox import SandboxCompany

LEDGER = Path(".lanewise") / "ledger.sqlite3"
"""Where it stands in the workspace."""
_ROOM = timedelta(days=374)
"""How long before the company's day the year begins, so that what happens in it is over by then."""


def year_begins() -> datetime:
    """Its first moment."""
    return (SandboxCompany().now - _ROOM).replace(microsecond=0)


def second_release() -> datetime:
    """From when on the newer of the year's two releases decides."""
    return year_begins() + timedelta(days=180)


def write_year(folder: Path, tickets: int, seed: int, bulk: bool, tell: Callable[[str], None]) -> int:
    """A year that ends on the made-up company's own day, under two releases. With ``bulk`` each kind of ticket is driven
    once and told again of others, which a hundred thousand of them need. DeskError where a ledger is there already."""
    fill_year(folder, plan(tickets, year_begins(), seed), bulk)
    tell(f"wrote {tickets} made-up tickets of a year to {folder / LEDGER}. {NOTE}")
    tell(f"Next: lanewise scorecard --workspace {folder}")
    return 0


def fill_year(
    folder: Path, stories: Sequence[Story], bulk: bool, tell: Callable[[str], None] = lambda said: None
) -> None:
    """Writes the ledger of a folder's made-up year; ``tell`` is told how far it has come. DeskError as ``write_year``."""
    ledger = folder / LEDGER
    if ledger.exists():
        raise DeskError(
            f"there is a ledger at {ledger} already. Name an empty folder: made-up tickets are never mixed with real ones."
        )
    ledger.parent.mkdir(parents=True, exist_ok=True)
    start = year_begins()
    clock = MadeUpClock(start)
    store = open_store(ledger, clock=clock)
    try:
        (folder / MARK).write_text(f"{NOTE}\n", encoding="utf-8")
        if bulk:
            told = _driven_once(stories, tell)
            tell_again(store, stories, told, reached=_Counted(tell, "tickets of the year told", len(stories)).reached)
        else:
            asyncio.run(drive(store, clock, stories, _releases(start), folder / ".lanewise" / "runs.sqlite3"))
    finally:
        store.close()


def _driven_once(
    stories: Sequence[Story], tell: Callable[[str], None]
) -> list[tuple[datetime, Mapping[Life, Specimen]]]:
    """The specimens of each release: of the lives that are told under it, and no others."""
    start = year_begins()
    (_, older), (since, newer) = _releases(start)
    before = dict.fromkeys(s.life for s in stories if s.at < since)
    after = dict.fromkeys(s.life for s in stories if s.at >= since)
    counted = _Counted(tell, "kinds of ticket driven through the machine", len(before) + len(after))
    return [
        (start, asyncio.run(specimens(before, older, start, counted.one_more))),
        (since, asyncio.run(specimens(after, newer, start, counted.one_more))),
    ]


@dataclass(slots=True)
class _Counted:
    """Tells at each tenth of the way how far something has come."""

    tell: Callable[[str], None]
    what: str
    all: int
    done: int = 0

    def one_more(self) -> None:
        """One more is done."""
        self.reached(self.done + 1)

    def reached(self, done: int) -> None:
        """So many are done."""
        if 10 * done // max(self.all, 1) > 10 * self.done // max(self.all, 1):
            self.tell(f"  {done} of {self.all} {self.what}")
        self.done = done


def _releases(start: datetime) -> list[tuple[datetime, Release]]:
    newest = read_release(None)
    before = newest.model_copy(update={"version": f"{start:%Y-%m-%d}"})
    return [(start, before), (second_release(), newest)]
