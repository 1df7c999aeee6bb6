"""Opens a workspace as its settings say: ledger, company, policy, model, and the post room apart from them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import TextIO

from agent.handle import Handler
from agent.model import ModelSettings
from agent.outgoing import release_view
from agent.wiring import open_handler
from desk.errors import DeskError
from desk.post import PostRoom, channel_for
from desk.settings import Settings
from guards.policy import Release, parse_release
from ledger.history import History
from ledger.outbox import PostLedger
from ledger.people import PeopleLedger
from ledger.reviews import Reviews
from ledger.store import Store, open_store, utc_now
from tools.directory import Directory, open_directory
from tools.sandbox import company_folder
from tools.systems import Systems

PACKAGED_RELEASE = "2026-03-01.toml"


class CompanyUnusable(DeskError):
    """The company's files cannot be used: every problem, with its file, line and remedy."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """Everything a command works with. The post room is opened apart, by the one who may send."""

    settings: Settings
    store: Store
    release: Release
    systems: Systems
    model: ModelSettings | None

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

    @property
    def mode(self) -> str:
        """Which mode answers, as every output says it."""
        return f"model {self.model.name}" if self.model else "embedded default (no model)"

    @asynccontextmanager
    async def handler(self) -> AsyncIterator[Handler]:
        """The one way in, over this workspace's ledger."""
        runs = self.settings.workspace / ".lanewise" / "runs.sqlite3"
        async with open_handler(self.store, self.systems, self.release, runs, self.model) as handler:
            yield handler

    def post_room(self, env: MutableMapping[str, str], stream: TextIO) -> PostRoom:
        """The only way out. Takes the channel's secret out of ``env``."""
        channel = channel_for(self.settings, env, stream)
        return PostRoom(PostLedger(self.store), self.history, channel, lambda: release_view(self.release))


def read_release(path: Path | None) -> Release:
    """The release of a file, or the packaged one. PolicyError names what is wrong; OSError where it cannot be read."""
    if path is None:
        packaged = resources.files("guards") / "policies" / PACKAGED_RELEASE
        return parse_release(packaged.read_text(encoding="utf-8"), PACKAGED_RELEASE)
    return parse_release(path.read_text(encoding="utf-8"), path.name)


def read_company(path: Path | None) -> Directory:
    """The company's files, or the made-up company's. CompanyUnusable lists everything that keeps them from use."""
    directory = open_directory(path or company_folder())
    if problems := directory.problems():
        raise CompanyUnusable("the company's files need mending:\n  " + "\n  ".join(map(str, problems)))
    return directory


def open_workplace(
    settings: Settings, env: MutableMapping[str, str], clock: Callable[[], datetime] | None = None
) -> Workplace:
    """Opens all of it. The made-up company brings its own clock: its dates are meant against it."""
    release = read_release(settings.policy)
    systems = read_company(settings.company).systems()
    fixed = systems.company.today if settings.company is None else None
    ticking = clock or ((lambda: fixed) if fixed else utc_now)
    settings.make_ledger_folder()
    store = open_store(settings.ledger_url, clock=ticking)
    return Workplace(settings, store, release, systems, _model(settings, env))


def _model(settings: Settings, env: MutableMapping[str, str]) -> ModelSettings | None:
    said = dict(env)
    if settings.model.name:
        said.setdefault("LANEWISE_MODEL", settings.model.name)
    if settings.model.base_url:
        said.setdefault("OPENAI_BASE_URL", settings.model.base_url)
    return ModelSettings.from_environment(said)


def environment() -> MutableMapping[str, str]:
    """The process's own environment; whoever takes a secret from it takes it out."""
    return os.environ
