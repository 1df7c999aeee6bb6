"""Holds the company's approved articles against the text that each version had when it was first relied on."""

from __future__ import annotations

from collections.abc import Iterable

from guards.gate import Permit
from ledger.errors import LedgerError
from ledger.pins import Edition, changed, pin
from ledger.store import Store
from tools.errors import BadRecord
from tools.knowledge import edition_of, may_ground
from tools.systems import Article

ACTOR = "workspace"
"""Who pins what a workspace holds when it is opened."""


def pin_articles(store: Store, articles: Iterable[Article]) -> tuple[Edition, ...]:
    """Pins each article that may ground today and has no pin, and returns those whose text has changed since theirs.

    A ledger that cannot be written now pins nothing: an article is pinned at the latest when a text first rests on it.
    """
    today = store.now().date()
    editions = [edition_of(a) for a in articles if isinstance(may_ground(a, today), Permit)]
    try:
        return pin(store, editions, ACTOR)
    except LedgerError:
        return ()


def changed_articles(store: Store, articles: Iterable[Article]) -> tuple[BadRecord, ...]:
    """The articles whose text is another than their version was pinned to, each with what to do; writes nothing."""
    editions = {edition_of(a): a for a in articles}
    return tuple(
        BadRecord(
            editions[e].file or e.article,
            f"{e.name} has another text than when it was first relied on, so no answer rests on it",
            "Let it be approved anew and raise its version, or put the text back",
        )
        for e in changed(store, editions)
    )
