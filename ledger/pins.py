"""The text that each version of an article had when it was first relied on: an approval covers that and no other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from ledger.events import HOUSE, Entry, Kind, append, by_key, own_key
from ledger.store import Store
from ledger.words import filed_name

_ID_LIMIT = 200
"""Most characters of an article's id as it is filed; a longer one is its beginning and its digest."""


@dataclass(frozen=True, slots=True)
class Edition:
    """One version of one article, with the digest of its text."""

    article: str
    version: int
    digest: str

    @property
    def name(self) -> str:
        """Id and version: ``audit-log v7``."""
        return f"{self.article} v{self.version}"


def pin(store: Store, editions: Iterable[Edition], actor: str) -> tuple[Edition, ...]:
    """Pins the editions whose version has no pin yet, and returns those whose version is pinned to another text.

    Nothing is written where all are pinned already. Of two that pin one version at once, the first stands.
    """
    asked = tuple(editions)
    with store.read() as conn:
        held = {e: _held(conn, e) for e in asked}
    if missing := [e for e in asked if not held[e]]:
        with store.write(durable=True) as conn:
            for edition in missing:
                done = append(conn, HOUSE, _entry(edition), at=store.now(), actor=actor)
                held[edition] = str(done.head["digest"])
    return tuple(e for e in asked if held[e] != e.digest)


def changed(store: Store, editions: Iterable[Edition]) -> tuple[Edition, ...]:
    """Those whose version is pinned to another text; writes nothing."""
    with store.read() as conn:
        return tuple(e for e in editions if _held(conn, e) not in ("", e.digest))


def _key(edition: Edition) -> str:
    return own_key(f"article/{filed_name(edition.article, _ID_LIMIT)}/{edition.version}")


def _held(conn: Connection, edition: Edition) -> str:
    """The digest that the version is pinned to; empty where it has no pin."""
    found = by_key(conn, HOUSE, _key(edition))
    return str(found.head["digest"]) if found is not None else ""


def _entry(edition: Edition) -> Entry:
    head = {
        "article": filed_name(edition.article, _ID_LIMIT),
        "version": edition.version,
        "digest": edition.digest,
    }
    return Entry(Kind.ARTICLE_PINNED, _key(edition), head)
