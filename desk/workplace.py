"""Opens a workspace's rules, and with its ledger the way in and the way out."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from agent.handle import Handler
from agent.model import ModelSettings
from agent.release_in_force import release_in_force, release_view
from agent.wiring import open_handler, warm_search
from desk.changes import ChangeRoom, system_for
from desk.channels import MAIL, Channel
from desk.channels.chat import with_chat
from desk.pinning import pin_articles
from desk.policy.files import read_pinned, release_now
from desk.post import PostRoom
from desk.records import Clock, Records, clock_for, open_ledger, read_release
from desk.settings import Settings
from guards.policy import Release
from guards.rollout import Ceiling
from ledger.adoption import is_older, newest_release
from ledger.changing import ChangeLedger
from ledger.moment import ReleaseView
from ledger.outbox import PostLedger
from ledger.releases import InForce, ReleaseLedger
from ledger.rollout import RolloutLedger
from tools.directory import Directory, open_directory
from tools.errors import UnreadableFile
from tools.knowledge import current_articles
from tools.sandbox import company_folder
from tools.systems import Article, Systems

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())

Stamp = tuple[tuple[str, int, int], ...]
"""Files, when each was last written in nanoseconds, and its bytes: equal stamps mean that nobody wrote."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What judges a ticket, without a ledger: measuring and trying need no more."""

    release: Release
    systems: Systems
    model: ModelSettings | None
    clock: Clock
    notices: tuple[str, ...]
    """What the operator should know before the command goes on, one line each."""
    articles: tuple[Article, ...]
    """The current articles."""
    read: Stamp
    """The company's files as they were when they were read."""

    @property
    def mode(self) -> str:
        """Which mode answers, as every output says it."""
        return f"model {self.model.name}" if self.model else "embedded default (no model)"

    @property
    def systems_now(self) -> Systems:
        """The systems, where ``today`` is a fixed day with this moment's time of day: whoever opens a ledger of their
        own by ``company.today`` agrees with the workspace's clock."""
        if self.systems.company.today is None:
            return self.systems
        return replace(self.systems, company=replace(self.systems.company, today=self.clock()))


@dataclass(frozen=True, slots=True)
class Workplace(Records):
    """Everything a command works with. The channel is opened apart, by the one who may send."""

    rules: Rules

    @property
    def release(self) -> Release:
        """The release in force."""
        return self.rules.release

    @property
    def release_in_force(self) -> Release:
        """The same, held to drafts where the ledger has seen a newer one."""
        return release_in_force(self.store, self.release)

    @property
    def systems(self) -> Systems:
        """The systems of record."""
        return self.rules.systems

    @property
    def mode(self) -> str:
        """Which mode answers, as every output says it."""
        return self.rules.mode

    def renewed(self) -> Workplace:
        """The same under the release that is in force by now, over the company's files as they stand by now: an article that
        was withdrawn is quoted no more. Itself where nothing has changed. PolicyError where the release cannot be read."""
        release, read = release_now(self.settings, self.store), stamp_of(self.settings.company)
        same = release.digest == self.release.digest
        if same and read == self.rules.read:
            return self
        rules = self.rules if same else replace(self.rules, release=release)
        if read != rules.read:
            rules = _read_again(rules, self.settings.company, read)
            pin_articles(self.store, rules.articles)
        return replace(self, rules=rules)

    @asynccontextmanager
    async def handler(self) -> AsyncIterator[Handler]:
        """The one way in, over this workspace's ledger."""
        async with open_handler(self.store, self.systems, self.release, self._runs, self.rules.model) as handler:
            yield handler

    async def warm(self, stop: Callable[[], bool]) -> None:
        """Gets the search ready before the first customer asks; returns early where ``stop`` says so."""
        await warm_search(self._runs, self.systems, self.release, self.rules.articles, self.rules.clock().date(), stop)

    @property
    def _runs(self) -> Path:
        return self.settings.workspace / ".lanewise" / "runs.sqlite3"

    def post_room(self, channel: Channel) -> PostRoom:
        """The only way out, through one channel and, for its own conversations, the chat."""
        both, mails = with_chat(channel, self.store), channel.name in MAIL
        return PostRoom(PostLedger(self.store), self.history, both, self._view, mails=mails)

    def change_room(self) -> ChangeRoom | None:
        """What carries out the changes that people order; None where no system for them is connected."""
        system = system_for(self.settings)
        if system is None:
            return None
        return ChangeRoom(ChangeLedger(self.store), system, self._view)

    def _view(self) -> ReleaseView:
        """What the ledger must know of the release in force, which another process may have changed since we opened."""
        now = ReleaseLedger(self.store).in_force()
        if now is not None and now.digest != self.release.digest:
            return release_view(release_in_force(self.store, release_now(self.settings, self.store)))
        return release_view(self.release_in_force)


def open_rules(settings: Settings, env: Mapping[str, str], clock: Clock | None = None) -> Rules:
    """Opens release, company and model; creates nothing. PolicyError where the release cannot be used.

    The company's files are used as far as they can be: a row that is wrong is a missing fact, an article that nobody
    approved grounds nothing, and ``notices`` says that there are some.
    """
    release, read = read_release(settings.policy), stamp_of(settings.company)
    directory = read_company(settings.company)
    systems = directory.systems()
    model, notices = _model(settings, env)
    if problems := len(directory.problems()):
        counted = f"{problems} problem{'s' if problems > 1 else ''}"
        notices = (f"{counted} in the company's files; run `lanewise policy check`", *notices)
    articles = current_articles(directory.shelves.articles)
    return Rules(release, systems, model, clock or clock_for(systems.company.today), notices, articles, read)


def open_workplace(settings: Settings, env: Mapping[str, str], clock: Clock | None = None) -> Workplace:
    """Opens all of it: rules first, so that a release that cannot be used leaves no empty ledger behind."""
    rules = open_rules(settings, env, clock)
    settings.make_ledger_folder()
    store = open_ledger(settings, rules.clock)
    if (pinned := ReleaseLedger(store).in_force()) is not None:
        rules = _with_release(rules, settings, pinned)
    newest = newest_release(store)
    if newest is not None and is_older(rules.release.version, newest):
        told = (
            f"release {rules.release.version} is older than {newest}, which was used before: nothing is answered without a "
            "person. Put the newer one back, or run `lanewise policy adopt`"
        )
        rules = replace(rules, notices=(told, *rules.notices))
    held = [h for h in RolloutLedger(store).holds() if h.ceiling is not Ceiling.OPEN]
    if held:
        named = ", ".join(f"{h.family} ({h.why}, {h.at:%Y-%m-%d})" for h in held)
        told = (
            f"held below what the release allows: {named}. `lanewise policy widen FAMILY` ends it, by a person's word"
        )
        rules = replace(rules, notices=(told, *rules.notices))
    if changed := pin_articles(store, rules.articles):
        told = f"{len(changed)} approved text(s) changed under the same version; run `lanewise policy check`"
        rules = replace(rules, notices=(told, *rules.notices))
    return Workplace(settings, store, rules)


def _with_release(rules: Rules, settings: Settings, pinned: InForce) -> Rules:
    """The rules with the release that was activated, whatever lanewise.toml names."""
    named, release = rules.release, read_pinned(settings, pinned)
    if named.digest == release.digest:
        return rules
    told = (
        f"release {release.version} is in force since {pinned.at:%Y-%m-%d}, by {pinned.by}; lanewise.toml names "
        f"{named.version}, which is not. `lanewise policy adopt` puts that one in force where it only narrows"
    )
    return replace(rules, release=release, notices=(told, *rules.notices))


def stamp_of(company: Path | None) -> Stamp:
    """Each of the company's files with when it was written and how long it is; empty for the made-up company, which does not
    change."""
    if company is None:
        return ()
    found = []
    for file in sorted(company.rglob("*")):
        with suppress(OSError):  # it went away this moment: the next look tells
            now = file.stat()
            found.append((str(file), now.st_mtime_ns, now.st_size))
    return tuple(found)


def _read_again(rules: Rules, company: Path | None, read: Stamp) -> Rules:
    """The rules over the files as they stand. Where the folder itself is gone every lookup fails and nothing can be quoted, so
    that everything goes to a person until it is back."""
    try:
        directory = read_company(company)
    except UnreadableFile:
        _log.exception("the company's files are gone; what comes goes to a person until they are back")
        with TemporaryDirectory() as empty:
            directory = open_directory(Path(empty))
        directory.shelves.company = rules.systems.company
        directory.shelves.queues[:] = rules.systems.queues
    articles = current_articles(directory.shelves.articles)
    return replace(rules, systems=directory.systems(), articles=articles, read=read)


def read_company(path: Path | None) -> Directory:
    """The company's files, or the made-up company's; what is wrong with them is in ``problems()``."""
    return open_directory(path or company_folder())


# ── the model ───────────────────────────────────────────────────────────────────────────────────────────────


def _model(settings: Settings, env: Mapping[str, str]) -> tuple[ModelSettings | None, tuple[str, ...]]:
    """The model to ask, and what to say of it. A model that only the file names is not asked without a key: the file is
    shared, the key is not. ModelMisconfigured where the environment itself is half set."""
    said, wanted = dict(env), settings.model
    if not said.get("OPENAI_API_KEY", "").strip():
        named = [k for k in ("LANEWISE_MODEL", "OPENAI_BASE_URL") if said.get(k, "").strip()]
        if not named and (wanted.base_url or wanted.name not in (None, "embedded")):
            told = "no OPENAI_API_KEY in the environment: the embedded default is used, not the model in lanewise.toml"
            return None, (told,)
        return ModelSettings.from_environment(said), ()
    for key, value in (("LANEWISE_MODEL", wanted.name), ("OPENAI_BASE_URL", wanted.base_url)):
        if value and not said.get(key, "").strip():
            said[key] = value
    model = ModelSettings.from_environment(said)
    if model is not None and not said.get("LANEWISE_MODEL_TIMEOUT", "").strip():
        model = replace(model, timeout_seconds=wanted.timeout_seconds)
    return model, ()
