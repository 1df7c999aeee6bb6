"""The world that a case meets: a company's files with records put in, taken out, switched off or grown old."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tools.sandbox import SYSTEM_NAMES, SandboxCompany, SandboxRecord, company_folder
from tools.systems import (
    AccountRecord,
    Amendment,
    Article,
    ChangeRecord,
    ContactRecord,
    ContractRecord,
    CreditRecord,
    EntitlementRecord,
    IncidentRecord,
    NegotiatedTerm,
    PersonRecord,
)

KINDS: Mapping[str, type[SandboxRecord]] = {
    "account": AccountRecord,
    "person": PersonRecord,
    "contract": ContractRecord,
    "entitlement": EntitlementRecord,
    "change": ChangeRecord,
    "credit": CreditRecord,
    "incident": IncidentRecord,
    "contact": ContactRecord,
    "article": Article,
}
"""What a case may put into its world or take out, by the word it uses."""

_KEY = {"person": "email", "incident": "incident_id", "article": "article_id"}
"""The field under which a kind is filed; ``account_id`` for the others."""
_WITHIN: Mapping[str, type] = {"negotiated_terms": NegotiatedTerm, "amendments": Amendment}
WHAT = "what"
"""How a row of ``put`` names a record's own field ``kind``, for its ``kind`` says which record it is."""
_ADDED = frozenset({"change", "credit", "contact"})
"""Kinds of which an account has many: each row is one more."""


class WorldError(ValueError):
    """A world cannot be made: which row, what is wrong with it, and what to do."""


@dataclass(frozen=True, slots=True)
class Changes:
    """How a case's world differs from the company's files."""

    unavailable: frozenset[str] = frozenset()
    stale: frozenset[str] = frozenset()
    put: tuple[Mapping[str, Any], ...] = ()
    remove: tuple[tuple[str, str], ...] = ()
    """(kind, key) pairs; removal comes before what is put."""
    today: datetime | None = None


def faults_of(row: Mapping[str, Any]) -> list[str]:
    """What is wrong with a row of ``put`` by itself: its kind, and fields that the kind does not have."""
    kind = str(row.get("kind"))
    if kind not in KINDS:
        return [f"kind {kind!r} is not one of {', '.join(KINDS)}"]
    known = {_written(f.name) for f in fields(KINDS[kind])}
    strange = [name for name in row if name != "kind" and name not in known]
    found = [f"{kind} has no field {name!r}; it has {', '.join(sorted(known))}" for name in strange]
    for name, part in _WITHIN.items():
        inner = {f.name for f in fields(part)}
        rows = row.get(name) or ()
        found += [
            f"{name} has no field {k!r}" for one in rows if isinstance(one, Mapping) for k in one if k not in inner
        ]
    return found


def _written(field: str) -> str:
    """A record's field as a row of ``put`` calls it."""
    return WHAT if field == "kind" else field


def company_with(changes: Changes, folder: Path | None = None) -> SandboxCompany:
    """The company of a folder (default: the made-up one) as a case has it.

    A row of ``put`` that stands for something on file keeps the fields it does not name; ``as_of`` is the company's
    own moment where a new row names none. WorldError for a row that cannot be read, and where no day is stated.
    """
    if strange := sorted((changes.unavailable | changes.stale) - SYSTEM_NAMES):
        raise WorldError(f"no such system: {', '.join(strange)}; there are {', '.join(sorted(SYSTEM_NAMES))}")
    company = _company(folder or company_folder(), changes)
    shelves = company.directory.shelves
    if changes.today is not None:
        shelves.company = replace(shelves.company, today=_aware(changes.today))
    if shelves.company.today is None:
        raise WorldError(
            "company.toml names no `today`, and a case must mean the same tomorrow: give it [world] today = "
            "2026-03-10T09:00:00Z, the moment that its dates are meant against"
        )
    for kind, key in changes.remove:
        company.remove(KINDS[kind], key)
    for row in changes.put:
        company.put(_record(company, row))
    return company


def _company(folder: Path, changes: Changes) -> SandboxCompany:
    """The company as its files have it, a copy of its own for each case: read once, and again where a file changed."""
    files = tuple((str(f), f.stat().st_mtime_ns, f.stat().st_size) for f in sorted(folder.rglob("*")) if f.is_file())
    # Our own records, written by this process and kept in it: copying them so takes a tenth of reading the files.
    copied: SandboxCompany = pickle.loads(_read_once(folder, files, changes.unavailable, changes.stale))  # noqa: S301
    return copied


@lru_cache(maxsize=64)
def _read_once(folder: Path, files: tuple[object, ...], down: frozenset[str], stale: frozenset[str]) -> bytes:
    return pickle.dumps(SandboxCompany(down=down, stale=stale, folder=folder))


def _record(company: SandboxCompany, row: Mapping[str, Any]) -> SandboxRecord:
    kind, given = str(row["kind"]), {k: v for k, v in row.items() if k not in ("kind", WHAT)}
    if WHAT in row:
        given["kind"] = row[WHAT]
    shape = KINDS[kind]
    base = None if kind in _ADDED else _on_file(company, kind, given)
    whole = {f.name: getattr(base, f.name) for f in fields(base)} if base is not None else {}
    whole |= given
    names = {f.name for f in fields(shape)}
    if "as_of" in names and "as_of" not in given:
        whole["as_of"] = company.now
    if missing := [_written(f.name) for f in fields(shape) if f.default is MISSING and f.name not in whole]:
        new = "" if kind in _ADDED else f" (nothing is on file under {given.get(_KEY.get(kind, 'account_id'))!r})"
        raise WorldError(f"put {kind}: {', '.join(missing)} missing{new}; name {'it' if len(missing) == 1 else 'them'}")
    try:
        record = _reader(kind).validate_python(whole)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(_written(str(p)) for p in e['loc'])}: {e['msg']}" for e in error.errors())
        raise WorldError(f"put {kind}: {told}") from error
    return _zoned(record)


def _on_file(company: SandboxCompany, kind: str, given: Mapping[str, Any]) -> SandboxRecord | None:
    shelves, key = company.directory.shelves, str(given.get(_KEY.get(kind, "account_id"), ""))
    if kind == "article":
        same = [a for a in shelves.articles if a.article_id == key]
        exact = [a for a in same if a.version == given.get("version")]
        return (exact or sorted(same, key=lambda a: a.version))[-1] if same else None
    if kind == "entitlement":
        held = shelves.entitlements.rows.get(shelves.entitlements.key(key), [])
        return next((e for e in held if e.feature == given.get("feature")), None)
    by_kind = {
        "account": shelves.accounts,
        "person": shelves.people,
        "contract": shelves.contracts,
        "incident": shelves.incidents,
    }
    table: Any = by_kind[kind]
    rows: Sequence[SandboxRecord] = table.rows.get(table.key(key), [])
    return rows[-1] if rows else None


@cache
def _reader(kind: str) -> TypeAdapter[SandboxRecord]:
    return TypeAdapter(KINDS[kind])


def _zoned(record: SandboxRecord) -> SandboxRecord:
    """The record with every moment in UTC where it names no zone, as the company's files are read."""
    naive: dict[str, Any] = {
        f.name: _aware(value)
        for f in fields(record)
        if isinstance(value := getattr(record, f.name), datetime) and value.tzinfo is None
    }
    return replace(record, **naive) if naive else record


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
