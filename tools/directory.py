"""A team's own folder of files behind the systems' protocols: what ``lanewise init`` writes and a team fills in.

    company.toml  accounts.csv  people.csv  contracts.json  entitlements.csv  changes.csv  credits.csv
    incidents.json  contacts.csv  macros/*.md  queues.toml  knowledge/*.md

Every file but company.toml may be absent: what it would have told is then missing. Times without a zone are UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from tools import directory_rows as rows
from tools.directory_documents import read_articles, read_company, read_macros, read_queues
from tools.directory_files import (
    Found,
    Place,
    Table,
    csv_rows,
    fill,
    json_items,
    read_text,
)
from tools.errors import BadRecord, UnreadableFile
from tools.knowledge import KnowledgeIndex, article_problems, current_articles
from tools.systems import (
    AccountRecord,
    Article,
    ChangeLog,
    ChangeRecord,
    Company,
    ContactLog,
    ContactRecord,
    ContractRecord,
    CreditLog,
    CreditRecord,
    EntitlementRecord,
    IncidentLog,
    IncidentRecord,
    Macro,
    PersonRecord,
    Queue,
    Rank,
    Systems,
)
from tools.ticket_text import folded_address

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

_SHARED = (
    "gmail.com googlemail.com outlook.com hotmail.com live.com yahoo.com icloud.com me.com aol.com gmx.com gmx.de "
    "gmx.net web.de proton.me protonmail.com mail.com zoho.com yandex.com qq.com 163.com"
)
SHARED_MAIL_DOMAINS = frozenset(_SHARED.split())
"""Mail domains at which anybody can have an address: verifying one proves nothing about a company."""


@dataclass(slots=True)
class Shelves:
    """Everything a folder holds, read once. The sandbox adds to it; nothing else changes it."""

    company: Company
    accounts: Table[AccountRecord]
    people: Table[PersonRecord]
    contracts: Table[ContractRecord]
    entitlements: Table[EntitlementRecord]
    changes: Table[ChangeRecord]
    credits: Table[CreditRecord]
    contacts: Table[ContactRecord]
    incidents: Table[IncidentRecord]
    written: dict[str, datetime]
    """When each log was written: up to then its silence means that nothing happened."""
    articles: list[Article] = field(default_factory=list)
    macros: list[Macro] = field(default_factory=list)
    queues: list[Queue] = field(default_factory=list)
    problems: list[BadRecord] = field(default_factory=list)
    """Problems of company.toml, macros, queues and articles; each table keeps its own."""

    def tables(self) -> tuple[Table[Any], ...]:
        """All tables, in the order of the format."""
        return (
            self.accounts,
            self.people,
            self.contracts,
            self.entitlements,
            self.changes,
            self.credits,
            self.incidents,
            self.contacts,
        )


@dataclass(frozen=True, slots=True)
class Directory:
    """The folder's records behind the protocol of every system; made by ``open_directory``."""

    shelves: Shelves
    rank: Rank | None = None

    def systems(self) -> Systems:
        """The systems of record over these files."""
        kept = self.shelves
        return Systems(
            company=kept.company,
            accounts=self,
            contracts=self,
            entitlements=self,
            changes=self,
            credits=self,
            incidents=self,
            contacts=self,
            knowledge=KnowledgeIndex(current_articles(kept.articles), self.rank),
            macros=tuple(kept.macros),
            queues=tuple(kept.queues),
        )

    def problems(self) -> tuple[BadRecord, ...]:
        """All that is wrong with the folder, at once and in the order of the format."""
        kept = self.shelves
        by_file = [*kept.problems, *(p for table in kept.tables() for p in table.problems)]
        return (*by_file, *_loose_ends(kept), *article_problems(kept.articles))

    async def account(self, account_id: str) -> AccountRecord | None:
        """The account of that id."""
        return _one(self.shelves.accounts.of(account_id))

    async def account_of_domain(self, domain: str) -> AccountRecord | None:
        """The one account that verified this mail domain; None where none did, or several, or anybody can."""
        wanted = folded_address(domain.strip())
        if not wanted or wanted in SHARED_MAIL_DOMAINS:
            return None
        found = [account for account in self.shelves.accounts.all() if account.domain == wanted]
        return found[0] if len(found) == 1 else None

    async def person(self, email: str) -> PersonRecord | None:
        """The person with that address."""
        return _one(self.shelves.people.of(email))

    async def contract(self, account_id: str) -> ContractRecord | None:
        """The account's contract."""
        return _one(self.shelves.contracts.of(account_id))

    async def entitlements(self, account_id: str) -> tuple[EntitlementRecord, ...]:
        """One record a feature."""
        return self.shelves.entitlements.of(account_id)

    async def changes(self, account_id: str) -> ChangeLog:
        """The account's changes."""
        table = self.shelves.changes
        return ChangeLog(table.of(account_id), self.shelves.written.get(table.file))

    async def credits(self, account_id: str) -> CreditLog:
        """The account's credits and refunds."""
        table = self.shelves.credits
        return CreditLog(table.of(account_id), self.shelves.written.get(table.file))

    async def contacts(self, account_id: str) -> ContactLog:
        """The account's earlier contacts."""
        table = self.shelves.contacts
        return ContactLog(table.of(account_id), self.shelves.written.get(table.file))

    async def incidents(self) -> IncidentLog:
        """All incidents. They carry dates of their own; the latest tells how far the list reaches."""
        table = self.shelves.incidents
        records = table.all()
        dates = [record.as_of for record in records]
        return IncidentLog(records, max(dates) if dates else self.shelves.written.get(table.file))


def _one(found: tuple[T, ...]) -> T | None:
    return found[0] if found else None


def open_directory(path: Path, rank: Rank | None = None) -> Directory:
    """Reads a folder. UnreadableFile where there is none; everything else that is wrong is in ``problems()``.

    What cannot be read is left out and its lookups say so: a bad row never passes for an absent one.
    """
    if not path.is_dir():
        raise UnreadableFile(f"{path} is not a folder. Make one with `lanewise init {path}`")
    problems: list[BadRecord] = []
    company = read_company(path, problems)
    written: dict[str, datetime] = {}

    def read(file: str, key: str, kind: tuple[type[M], Callable[[M], T]], *one_each: str) -> Table[T]:
        table: Table[T] = Table(file, folds=key == "email")
        if (path / file).is_file():
            modified = datetime.fromtimestamp((path / file).stat().st_mtime, UTC)
            written[file] = company.exported_at or company.today or modified
            model, record_of = kind
            try:
                text = read_text(path / file, file)
            except BadRecord as problem:
                table.present = True
                table.spoil(problem, "")
                return table
            fill(table, _found(text, file, model), model, record_of, key=key, one_each=one_each)
        return table

    shelves = Shelves(
        company=company,
        accounts=read("accounts.csv", "account_id", (rows.AccountRow, rows.AccountRow.record), "account_id"),
        people=read("people.csv", "email", (rows.PersonRow, rows.PersonRow.record), "email"),
        contracts=read("contracts.json", "account_id", (rows.ContractRow, rows.ContractRow.record), "account_id"),
        entitlements=read(
            "entitlements.csv",
            "account_id",
            (rows.EntitlementRow, rows.EntitlementRow.record),
            "account_id",
            "feature",
        ),
        changes=read("changes.csv", "account_id", (rows.ChangeRow, rows.ChangeRow.record)),
        credits=read("credits.csv", "account_id", (rows.CreditRow, rows.CreditRow.record)),
        contacts=read("contacts.csv", "account_id", (rows.ContactRow, rows.ContactRow.record)),
        incidents=read("incidents.json", "id", (rows.IncidentRow, rows.IncidentRow.record), "id"),
        written=written,
        problems=problems,
    )
    shelves.queues += read_queues(path, problems)
    shelves.macros += read_macros(path / "macros", problems)
    shelves.articles += read_articles(path / "knowledge", problems)
    return Directory(shelves, rank)


def _found(text: str, file: str, model: type[BaseModel]) -> Iterator[Found]:
    return json_items(text, file) if file.endswith(".json") else csv_rows(text, file, model.model_fields)


def _loose_ends(kept: Shelves) -> Iterator[BadRecord]:
    """Names that nothing has: they do no harm to a ticket, but somebody meant something else."""
    accounts = set(kept.accounts.rows)
    tables: tuple[Table[Any], ...] = tuple(
        t for t in kept.tables() if t.file not in ("accounts.csv", "people.csv", "incidents.json")
    )
    if kept.accounts.present:
        for table in tables:
            for key, place in table.places.items():
                if key not in accounts:
                    yield place.bad(f"accounts.csv has no account {key}", "Correct the id", "account_id")
        for found in kept.people.rows.values():
            for person in found:
                if person.account_id not in accounts:
                    place = kept.people.places[kept.people.key(person.email)]
                    yield place.bad(f"accounts.csv has no account {person.account_id}", "Correct it", "account_id")
    for key, place in kept.accounts.places.items():
        for account in kept.accounts.rows[key]:
            if kept.company.tiers and account.tier not in kept.company.tiers:
                yield place.bad(f"company.toml has no tier {account.tier}", "Correct it, or add the tier", "tier")
            if account.domain in SHARED_MAIL_DOMAINS:
                yield place.bad(f"anybody can have an address at {account.domain}", "Leave it empty", "domain")
    names = {queue.queue_id for queue in kept.queues}
    for queue in kept.queues:
        for other in set(queue.visibility) - names:
            yield Place("queues.toml").bad(f"{queue.queue_id} is visible to {other}, which is no queue", "Correct it")
