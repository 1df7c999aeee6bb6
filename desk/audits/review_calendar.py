"""The review calendar at the desk: what is due, what it is opened with, and what was decided."""

from __future__ import annotations

from desk.errors import DecisionRefused
from desk.records import Records
from ledger.accounts import Accounts
from ledger.review_calendar import Due, Held, close_review, due, held, open_review
from ledger.review_material import Topic


def calendar(records: Records) -> tuple[Due, ...]:
    """Where every topic stands, by the store's clock; the longest overdue first."""
    with records.store.read() as conn:
        return due(conn, records.store.now())


def past(records: Records, topic: Topic | None = None) -> tuple[Held, ...]:
    """Every review that was opened, oldest first."""
    with records.store.read() as conn:
        return held(conn, topic)


def possible_owners(accounts: Accounts) -> tuple[str, ...]:
    """Who works here and may be named as an owner; the ledger takes any other name as well."""
    return tuple(user.name for user in accounts.all() if not user.disabled)


def open_topic(records: Records, topic: Topic, by: str) -> Held:
    """Opens a topic's review with its material, or returns the one that is open. CannotReview, Unsigned."""
    return open_review(records.store, topic, by)


def close_topic(records: Records, topic: Topic, by: str, decision: str, owner: str, opened: int | None = None) -> Held:
    """Closes a topic's open review, where one is named that very one. CannotReview, Unsigned."""
    return close_review(records.store, topic, by, decision, owner, opened)


def topic_named(name: str) -> Topic:
    """The topic of that name, written with hyphens or underscores. DecisionRefused for any other."""
    wanted = name.strip().lower().replace("_", "-")
    for topic in Topic:
        if topic.value == wanted:
            return topic
    raise DecisionRefused(f"there is no review {name[:60]!r}. Choose one of: {', '.join(t.value for t in Topic)}.")
