"""Which systems may call the interface, and which of them are told of results: reads and writes of both."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Row, func, insert, select, update

from ledger.errors import UnknownKey, UnknownWebhook
from ledger.events import HOUSE, Kind
from ledger.store import Store
from ledger.tables import api_keys, events, webhooks
from ledger.words import keepable

GIVE_UP_AFTER = 20
"""Failures in a row before a webhook is told no more; at the longest pause that is about two days."""
LONGEST_PAUSE = timedelta(hours=3)
TOLD_OF = (
    Kind.OUTCOME_RECORDED,
    Kind.DELIVERED,
    Kind.DELIVERY_FAILED,
    Kind.DELIVERY_UNKNOWN,
    Kind.EVENT_GIVEN_UP,
    Kind.DEADLINE_PASSED,
)
"""What a receiver is told of: each is something that a look at the ticket shows."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A system that may call."""

    id: str
    name: str
    """As its decisions are signed: ``Ana (by helpdesk)``."""
    scopes: frozenset[str]
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver of results."""

    id: str
    url: str
    key_id: str
    told_up_to: int
    failures: int
    next_at: datetime | None
    """None where it may be told at once."""
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class News:
    """Something a receiver is told of."""

    seq: int
    ticket: str
    kind: Kind
    at: datetime


class Interface:
    """The keys and the webhooks."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        """Keeps them in one store."""
        self._store = store

    def add_key(self, name: str, scopes: Collection[str]) -> tuple[ApiKey, str]:
        """Makes a key. Its text is returned this once, and kept nowhere."""
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        row = {
            "id": key_id,
            "name": keepable(name).strip(),
            "digest": _digest(secret),
            "scopes": sorted(scopes),
            "created_at": self._store.now(),
            "revoked_at": None,
        }
        with self._store.write() as conn:
            conn.execute(insert(api_keys), row)
        return self.key(key_id), f"lw_{key_id}_{secret}"

    def key(self, key_id: str) -> ApiKey:
        """The key of that id, revoked or not. UnknownKey."""
        with self._store.read() as conn:
            row = conn.execute(select(api_keys).where(api_keys.c.id == key_id)).first()
        if row is None:
            raise UnknownKey(f"there is no key {key_id[:40]!r}")
        return _key(row)

    def keys(self) -> tuple[ApiKey, ...]:
        """All keys, the oldest first."""
        with self._store.read() as conn:
            return tuple(_key(r) for r in conn.execute(select(api_keys).order_by(api_keys.c.created_at)))

    def holder(self, text: str) -> ApiKey | None:
        """The key that somebody shows; None for anything else, and for a revoked one."""
        mark, _, rest = text.partition("_")
        key_id, _, secret = rest.partition("_")
        if mark != "lw" or not secret:
            return None
        with self._store.read() as conn:
            row = conn.execute(select(api_keys).where(api_keys.c.id == key_id)).first()
        if row is None or row.revoked_at is not None or not secrets.compare_digest(row.digest, _digest(secret)):
            return None
        return _key(row)

    def revoke(self, key_id: str) -> ApiKey:
        """Ends a key, and the webhooks that were made by it. UnknownKey."""
        self.key(key_id)
        now = self._store.now()
        with self._store.write() as conn:
            mine = webhooks.c.key_id == key_id
            conn.execute(
                update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None)).values(revoked_at=now)
            )
            conn.execute(update(webhooks).where(mine, webhooks.c.ended_at.is_(None)).values(ended_at=now))
        return self.key(key_id)

    def add_webhook(self, url: str, key_id: str) -> Webhook:
        """Makes a receiver, which is told of what happens from now on."""
        webhook_id = self._store.new_id()
        with self._store.write() as conn:
            last = conn.execute(select(func.coalesce(func.max(events.c.seq), 0))).scalar_one()
            row = {
                "id": webhook_id,
                "url": url,
                "key_id": key_id,
                "told_up_to": last,
                "failures": 0,
                "next_at": None,
                "created_at": self._store.now(),
                "ended_at": None,
            }
            conn.execute(insert(webhooks), row)
        return self.webhook(webhook_id)

    def webhook(self, webhook_id: str) -> Webhook:
        """The webhook of that id. UnknownWebhook."""
        with self._store.read() as conn:
            row = conn.execute(select(webhooks).where(webhooks.c.id == webhook_id)).first()
        if row is None:
            raise UnknownWebhook(f"there is no webhook {webhook_id[:80]!r}")
        return _webhook(row)

    def webhooks(self, key_id: str | None = None) -> tuple[Webhook, ...]:
        """The webhooks that are told, of all keys or of one; the oldest first."""
        query = select(webhooks).where(webhooks.c.ended_at.is_(None)).order_by(webhooks.c.created_at)
        if key_id is not None:
            query = query.where(webhooks.c.key_id == key_id)
        with self._store.read() as conn:
            return tuple(_webhook(row) for row in conn.execute(query))

    def end_webhook(self, webhook_id: str) -> None:
        """It is told no more. UnknownWebhook."""
        self.webhook(webhook_id)
        with self._store.write() as conn:
            query = update(webhooks).where(webhooks.c.id == webhook_id, webhooks.c.ended_at.is_(None))
            conn.execute(query.values(ended_at=self._store.now()))

    def news(self, webhook: Webhook, most: int = 50) -> tuple[News, ...]:
        """What a receiver has not confirmed yet, in order; nothing while it is to be left in peace."""
        if webhook.next_at is not None and webhook.next_at > self._store.now():
            return ()
        query = (
            select(events.c.seq, events.c.ticket_id, events.c.kind, events.c.at)
            .where(events.c.seq > webhook.told_up_to, events.c.kind.in_([k.value for k in TOLD_OF]))
            .where(events.c.ticket_id != HOUSE)
            .order_by(events.c.seq)
            .limit(most)
        )
        with self._store.read() as conn:
            return tuple(News(r.seq, r.ticket_id, Kind(r.kind), r.at) for r in conn.execute(query))

    def confirmed(self, webhook_id: str, seq: int) -> None:
        """The receiver has taken everything up to that event."""
        with self._store.write() as conn:
            query = update(webhooks).where(webhooks.c.id == webhook_id, webhooks.c.told_up_to < seq)
            conn.execute(query.values(told_up_to=seq, failures=0, next_at=None))

    def failed(self, webhook_id: str) -> Webhook:
        """The receiver did not take it: a pause that doubles, and after ``GIVE_UP_AFTER`` an end."""
        failures = self.webhook(webhook_id).failures + 1
        now = self._store.now()
        pause = min(LONGEST_PAUSE, timedelta(seconds=2 ** min(failures, 20)))
        ended = now if failures >= GIVE_UP_AFTER else None
        with self._store.write() as conn:
            query = update(webhooks).where(webhooks.c.id == webhook_id)
            conn.execute(query.values(failures=failures, next_at=now + pause, ended_at=ended))
        return self.webhook(webhook_id)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _key(row: Row[tuple[object, ...]]) -> ApiKey:
    return ApiKey(row.id, row.name, frozenset(row.scopes), row.created_at, row.revoked_at)


def _webhook(row: Row[tuple[object, ...]]) -> Webhook:
    return Webhook(row.id, row.url, row.key_id, row.told_up_to, row.failures, row.next_at, row.ended_at)
