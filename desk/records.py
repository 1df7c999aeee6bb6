"""Opens a workspace's ledger alone, by the one clock rule; a halt needs no more, and must not wait for more to load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from agent.packaged import packaged_release
from desk.errors import NothingFiled
from desk.settings import Settings
from guards.policy import Release, parse_release
from ledger.history import History
from ledger.people import PeopleLedger
from ledger.reviews import Reviews
from ledger.store import Store, open_store, utc_now
from tools.directory_documents import read_company
from tools.sandbox import company_folder

Clock: TypeAlias = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Records:
    """A workspace's ledger and nothing else: what a halt and a look back need, whatever state the rest is in."""

    settings: Settings
    store: Store

    @property
    def history(self) -> History:
        """All reads of tickets."""
        return History(self.store)

    @property
    def reviews(self) -> Reviews:
        """All reads of open questions."""
        return Reviews(self.store)

    @property
    def people(self) -> PeopleLedger:
        """What a named person decides."""
        return PeopleLedger(self.store)


def open_records(settings: Settings, clock: Clock | None = None, *, new: bool = True) -> Records:
    """Opens the ledger alone. Of the company's files only the day is read, and where that fails the machine's clock
    counts. NothingFiled where there is no ledger and ``new`` is False: a look back creates none."""
    if new:
        settings.make_ledger_folder()
    elif (file := settings.ledger_file) is not None and not file.is_file():
        raise NothingFiled(
            f"there is no ledger at {file}, so nothing was ever filed here. Name the workspace with --workspace"
        )
    ticking = clock or clock_of(settings.company)
    return Records(settings, open_ledger(settings, ticking))


def open_ledger(settings: Settings, clock: Clock) -> Store:
    """The workspace's ledger, with the key and the anchor that belong to it."""
    return open_store(settings.ledger_url, clock=clock, key_file=settings.key_file, anchor_file=settings.anchor_file)


def read_release(path: Path | None) -> Release:
    """The release of a file, or the packaged one. PolicyError names what is wrong; OSError where it cannot be read."""
    if path is None:
        return packaged_release()
    return parse_release(path.read_text(encoding="utf-8"), path.name)


# ── the clock ───────────────────────────────────────────────────────────────────────────────────────────────


def clock_for(today: datetime | None) -> Clock:
    """The one clock rule: where company.toml names ``today``, that day with the machine's time of day, so that leases
    run out; else the machine's clock."""
    if today is None:
        return utc_now
    day = today.astimezone(UTC).date()
    return lambda: datetime.combine(day, utc_now().timetz())


def clock_of(company: Path | None) -> Clock:
    """The clock of a company's folder; the machine's where its company.toml cannot be read."""
    try:
        return clock_for(read_company(company or company_folder(), []).today)
    except OSError:
        return utc_now
