"""The made-up company behind the same protocols as a real one, with systems that fail, hang or grow old on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from tools.directory import Directory, Shelves, open_directory
from tools.directory_documents import read_articles
from tools.directory_files import Table
from tools.errors import BadRecord, SystemUnavailable
from tools.knowledge import KnowledgeIndex, current_articles
from tools.systems import (
    AccountRecord,
    Article,
    Audience,
    ChangeLog,
    ChangeRecord,
    ContactLog,
    ContactRecord,
    ContractRecord,
    CreditLog,
    CreditRecord,
    EntitlementRecord,
    Hit,
    IncidentLog,
    IncidentRecord,
    PersonRecord,
    Rank,
    Systems,
)

SYSTEM_NAMES = frozenset(
    {"accounts", "contracts", "entitlements", "changes", "credits", "incidents", "contacts", "knowledge"}
)
"""The systems that can be made to fail."""

_AGES = timedelta(days=3650)
"""How much a stale system's records age: beyond any freshness a release may ask for."""
_FOREVER = 3600.0
"""Seconds that a slow system takes: longer than any timeout."""

SandboxRecord: TypeAlias = (
    AccountRecord
    | PersonRecord
    | ContractRecord
    | EntitlementRecord
    | ChangeRecord
    | CreditRecord
    | ContactRecord
    | IncidentRecord
    | Article
)
R = TypeVar("R", AccountRecord, PersonRecord, ContractRecord, EntitlementRecord, IncidentRecord)
L = TypeVar("L", ChangeLog, CreditLog, ContactLog, IncidentLog)
T = TypeVar("T")


def company_folder() -> Path:
    """The made-up company's folder of files, as it is packaged."""
    return Path(str(resources.files("tools") / "company"))


@dataclass(frozen=True, slots=True)
class SandboxCompany:
    """The made-up company. ``down`` systems raise, ``slow`` ones hang, ``stale`` ones answer from ten years ago.

    Every lookup reads the same records, so records may be added before and between lookups.
    """

    down: frozenset[str] = frozenset()
    slow: frozenset[str] = frozenset()
    stale: frozenset[str] = frozenset()
    rank: Rank | None = None
    folder: Path = field(default_factory=company_folder)
    directory: Directory = field(init=False)

    def __post_init__(self) -> None:
        """ValueError for the name of a system that does not exist: a fault nobody sees is no test."""
        if strange := sorted((self.down | self.slow | self.stale) - SYSTEM_NAMES):
            raise ValueError(f"no such system: {', '.join(strange)}; there are {', '.join(sorted(SYSTEM_NAMES))}")
        object.__setattr__(self, "directory", open_directory(self.folder, self.rank))

    @property
    def now(self) -> datetime:
        """The company's own clock: every date in its files is meant against it."""
        today = self.directory.shelves.company.today
        assert today is not None, "the made-up company states its own day"
        return today

    def problems(self) -> tuple[BadRecord, ...]:
        """What is wrong with the files."""
        return self.directory.problems()

    def put(self, *records: SandboxRecord) -> None:
        """Adds records. One that stands for the same thing (account, person, contract, feature, incident, article
        version) is replaced; changes, credits and contacts are added."""
        for record in records:
            _put(self.directory.shelves, record)

    def remove(self, kind: type[SandboxRecord], key: str) -> None:
        """Takes out all records of a kind under a key: an account id, a person's address, an incident or article id."""
        shelves = self.directory.shelves
        if kind is Article:
            shelves.articles[:] = [a for a in shelves.articles if a.article_id != key]
        else:
            table = _tables(shelves)[kind]
            table.rows.pop(table.key(key), None)

    def put_articles(self, folder: Path) -> None:
        """Adds the articles of another folder, sound or not."""
        self.directory.shelves.articles += read_articles(folder, self.directory.shelves.problems)

    def systems(self) -> Systems:
        """The systems of record, faults included. Articles added later need another call."""
        real = self.directory.systems()
        return replace(
            real,
            accounts=_Accounts(self),
            contracts=_Contracts(self),
            entitlements=_Entitlements(self),
            changes=_Changes(self),
            credits=_Credits(self),
            incidents=_Incidents(self),
            contacts=_Contacts(self),
            knowledge=_Knowledge(self),
        )

    async def reach(self, system: str) -> None:
        """The way to a system: raises where it is down, hangs where it is slow."""
        if system in self.down:
            raise SystemUnavailable("the sandbox has switched it off")
        if system in self.slow:
            await asyncio.sleep(_FOREVER)

    def aged(self, system: str, record: R) -> R:
        """The record, as old as its system is told to be."""
        return replace(record, as_of=record.as_of - _AGES) if system in self.stale else record

    def aged_log(self, system: str, log: L) -> L:
        """The log, reaching as far as its system is told to."""
        if system not in self.stale:
            return log
        return replace(log, as_of=(log.as_of or self.now) - _AGES)


def _tables(shelves: Shelves) -> dict[type, Table[Any]]:
    return {
        AccountRecord: shelves.accounts,
        PersonRecord: shelves.people,
        ContractRecord: shelves.contracts,
        EntitlementRecord: shelves.entitlements,
        ChangeRecord: shelves.changes,
        CreditRecord: shelves.credits,
        ContactRecord: shelves.contacts,
        IncidentRecord: shelves.incidents,
    }


def _put(shelves: Shelves, record: SandboxRecord) -> None:
    if isinstance(record, Article):
        same = (record.article_id, record.version)
        shelves.articles[:] = [a for a in shelves.articles if (a.article_id, a.version) != same]
        shelves.articles.append(record)
        return
    table = _tables(shelves)[type(record)]
    key = table.key(_key(record))
    table.present = True
    table.bad.pop(key, None)
    kept = table.rows.setdefault(key, [])
    if isinstance(record, EntitlementRecord):
        kept[:] = [r for r in kept if isinstance(r, EntitlementRecord) and r.feature != record.feature]
    elif not isinstance(record, ChangeRecord | CreditRecord | ContactRecord):
        kept.clear()
    kept.append(record)


def _key(record: SandboxRecord) -> str:
    if isinstance(record, PersonRecord):
        return record.email
    if isinstance(record, IncidentRecord):
        return record.incident_id
    return record.article_id if isinstance(record, Article) else record.account_id


@dataclass(frozen=True, slots=True)
class _Accounts:
    sandbox: SandboxCompany

    async def account(self, account_id: str) -> AccountRecord | None:
        await self.sandbox.reach("accounts")
        found = await self.sandbox.directory.account(account_id)
        return found and self.sandbox.aged("accounts", found)

    async def account_of_domain(self, domain: str) -> AccountRecord | None:
        await self.sandbox.reach("accounts")
        found = await self.sandbox.directory.account_of_domain(domain)
        return found and self.sandbox.aged("accounts", found)

    async def person(self, email: str) -> PersonRecord | None:
        await self.sandbox.reach("accounts")
        found = await self.sandbox.directory.person(email)
        return found and self.sandbox.aged("accounts", found)


@dataclass(frozen=True, slots=True)
class _Contracts:
    sandbox: SandboxCompany

    async def contract(self, account_id: str) -> ContractRecord | None:
        await self.sandbox.reach("contracts")
        found = await self.sandbox.directory.contract(account_id)
        return found and self.sandbox.aged("contracts", found)


@dataclass(frozen=True, slots=True)
class _Entitlements:
    sandbox: SandboxCompany

    async def entitlements(self, account_id: str) -> tuple[EntitlementRecord, ...]:
        await self.sandbox.reach("entitlements")
        found = await self.sandbox.directory.entitlements(account_id)
        return _aged_all(self.sandbox, "entitlements", found)


@dataclass(frozen=True, slots=True)
class _Changes:
    sandbox: SandboxCompany

    async def changes(self, account_id: str) -> ChangeLog:
        await self.sandbox.reach("changes")
        return self.sandbox.aged_log("changes", await self.sandbox.directory.changes(account_id))


@dataclass(frozen=True, slots=True)
class _Credits:
    sandbox: SandboxCompany

    async def credits(self, account_id: str) -> CreditLog:
        await self.sandbox.reach("credits")
        return self.sandbox.aged_log("credits", await self.sandbox.directory.credits(account_id))


@dataclass(frozen=True, slots=True)
class _Contacts:
    sandbox: SandboxCompany

    async def contacts(self, account_id: str) -> ContactLog:
        await self.sandbox.reach("contacts")
        return self.sandbox.aged_log("contacts", await self.sandbox.directory.contacts(account_id))


@dataclass(frozen=True, slots=True)
class _Incidents:
    sandbox: SandboxCompany

    async def incidents(self) -> IncidentLog:
        await self.sandbox.reach("incidents")
        log = await self.sandbox.directory.incidents()
        aged = replace(log, records=_aged_all(self.sandbox, "incidents", log.records))
        return self.sandbox.aged_log("incidents", aged)


@dataclass(frozen=True, slots=True)
class _Knowledge:
    sandbox: SandboxCompany
    index: KnowledgeIndex = field(init=False)

    def __post_init__(self) -> None:
        articles = current_articles(self.sandbox.directory.shelves.articles)
        object.__setattr__(self, "index", KnowledgeIndex(articles, self.sandbox.rank))

    async def search(self, words: str, audiences: Collection[Audience], limit: int) -> tuple[Hit, ...]:
        await self.sandbox.reach("knowledge")
        return await self.index.search(words, audiences, limit)

    async def articles(self, audiences: Collection[Audience]) -> tuple[Article, ...]:
        await self.sandbox.reach("knowledge")
        return await self.index.articles(audiences)

    async def article(self, article_id: str) -> Article | None:
        await self.sandbox.reach("knowledge")
        return await self.index.article(article_id)


def _aged_all(sandbox: SandboxCompany, system: str, records: Iterable[R]) -> tuple[R, ...]:
    return tuple(sandbox.aged(system, record) for record in records)
