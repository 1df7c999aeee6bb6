"""The tables, as SQLite and Postgres both take them. ``migrations`` holds how they came to be."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

from ledger.words import canonical

HEAD_REVISION = "r0010"
"""The schema these tables describe; a test holds it to the newest file in ``migrations/versions``."""


def instant_text(moment: datetime) -> str:
    """A moment as it is stored; ValueError without a time zone."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


class Instant(TypeDecorator[datetime]):
    """An aware moment, kept as ISO 8601 text in UTC with six decimals: it sorts as text, in every database."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """To text; ValueError for a moment without a time zone."""
        return None if value is None else instant_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """From text."""
        return None if value is None else datetime.fromisoformat(value)


class PlainJson(TypeDecorator[Any]):
    """Plain JSON as canonical text: its digest is the same wherever it is stored."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        """To canonical text."""
        return canonical(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """From text."""
        return None if value is None else json.loads(value)


# SQLite counts up only in a column of type INTEGER; Postgres would run out of its 32 bits one day.
Number = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

tickets = Table(
    "tickets",
    metadata,
    Column("id", String(200), primary_key=True),
    Column("channel", String(100), nullable=False),
    Column("subject", Text),
    Column("requester_email", Text),
    Column("requester_name", Text),
    Column("recipient", Text),
    Column("account_id", Text),
    Column("verified", Boolean(create_constraint=False), nullable=False),
    Column("first_seen", Instant, nullable=False),
    Column("erased_at", Instant),
)
"""What the ticket says of itself. The five nullable columns are personal: erasure empties them."""

bodies = Table(
    "bodies",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("ticket_id", String(200), nullable=False, index=True),
    Column("text", Text),
    Column("digest", String(64), nullable=False),
    Column("erased_at", Instant),
    sqlite_autoincrement=True,
)
"""All text that people or models wrote. Text can be erased, and nothing else about a body can change."""

events = Table(
    "events",
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=True),
    Column("ticket_id", String(200), nullable=False),
    Column("key", String(600), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("head", PlainJson, nullable=False),
    Column("body_id", Number, ForeignKey("bodies.id")),
    Column("seal", String(120)),
    UniqueConstraint("ticket_id", "key"),
    Index("ix_events_ticket_id_kind_seq", "ticket_id", "kind", "seq"),
    # A number is never given twice, so that "what the customer wrote last" cannot come to mean another text.
    sqlite_autoincrement=True,
)
"""All that happened, in order. Append-only: the database itself refuses updates and deletes.

``seal`` binds the record, keyed, to its number and to all before it; only a halt may come without one.
"""

chain_head = Table(
    "chain_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("chain", String(32), nullable=False),
    Column("key_id", String(16)),
    Column("number", Number, nullable=False),
    Column("seq", Number, nullable=False),
    Column("link", String(32)),
)
"""One row: the chain's random id, which key seals it, and the number, seq and link of the last sealed record."""

inbox = Table(
    "inbox",
    metadata,
    Column("seq", Number, ForeignKey("events.seq"), primary_key=True, autoincrement=False),
    Column("ticket_id", String(200), nullable=False),
    Column("state", String(10), nullable=False),
    Column("failures", Integer, nullable=False, default=0),
    Column("settled_at", Instant),
    Index("ix_inbox_state_ticket_id_seq", "state", "ticket_id", "seq"),
)
"""Which events the worker has still to act on: waiting, handled or given_up."""

leases = Table(
    "leases",
    metadata,
    Column("ticket_id", String(200), primary_key=True),
    Column("holder", String(200), nullable=False),
    Column("token", String(64), nullable=False),
    Column("expires_at", Instant, nullable=False),
)
"""Who runs a ticket now. One row a ticket."""

registers = Table(
    "registers",
    metadata,
    Column("ticket_id", String(200), ForeignKey("tickets.id"), primary_key=True),
    Column("floor", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("revision", Number, nullable=False),
    Column("claimed_by", String(200)),
    Column("settled_by", Number, nullable=False, default=0),
)
"""The conversation's floor lane, its epoch, and the seq of what the customer wrote last.

``settled_by`` is the seq of the last decision by which a person answered, resolved or handed back: an escalation
lasts from there on, and its one notice is counted from there.
"""

openings = Table(
    "openings",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("ticket_id", String(200), ForeignKey("tickets.id"), nullable=False),
    Column("kind", String(10), nullable=False),
    Column("name", String(100), nullable=False),
    Column("lane", Integer, nullable=False),
    Column("state", String(10), nullable=False),
    Column("opened_by", Number, ForeignKey("events.seq"), nullable=False),
    UniqueConstraint("ticket_id", "kind", "opened_by", "name"),
    Index("ix_openings_ticket_id_state", "ticket_id", "state"),
    sqlite_autoincrement=True,
)
"""Each answer that is owed and each action that is asked for, with a lane of its own."""

reviews = Table(
    "reviews",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("ticket_id", String(200), ForeignKey("tickets.id"), nullable=False),
    Column("state", String(10), nullable=False),
    Column("why", String(100), nullable=False),
    Column("lane", Integer, nullable=False),
    Column("queue", String(200), nullable=False),
    Column("routed_to", String(200)),
    Column("revision", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("thread_revision", Number, nullable=False),
    Column("packet_body", Number, ForeignKey("bodies.id")),
    Column("draft_body", Number, ForeignKey("bodies.id")),
    Column("lint", PlainJson, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("revised_at", Instant, nullable=False),
    Column("due_at", Instant),
    Column("told_due_at", Instant),
    Column("closed_at", Instant),
    Column("closed_by", Number, ForeignKey("events.seq")),
    Index(
        "uq_reviews_one_open",
        "ticket_id",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    Index("ix_reviews_state_due_at", "state", "due_at"),
)
"""Each time a person is asked; ``routed_to`` is the queue a person chose. At most one review of a ticket is open: later messages join it."""

approvals = Table(
    "approvals",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("ticket_id", String(200), ForeignKey("tickets.id"), nullable=False),
    Column("decided_by", Number, ForeignKey("events.seq"), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("recipient", Text),
    Column("epoch", Integer, nullable=False),
    Column("revision", Number, nullable=False),
    Column("release", String(100), nullable=False),
    Column("by", String(200), nullable=False),
    Column("expires_at", Instant, nullable=False),
)
"""A person's yes to one text. Written by ``people``, read by ``outbox``; nobody else has a hand in it."""

outbox = Table(
    "outbox",
    metadata,
    Column("reply_key", String(400), primary_key=True),
    Column("ticket_id", String(200), ForeignKey("tickets.id"), nullable=False),
    Column("piece", String(10), nullable=False),
    Column("body_id", Number, ForeignKey("bodies.id"), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("recipient", Text),
    Column("epoch", Integer, nullable=False),
    Column("revision", Number, nullable=False),
    Column("release", String(100), nullable=False),
    Column("approval_id", String(64), ForeignKey("approvals.id")),
    Column("state", String(10), nullable=False),
    Column("proposed_by", Number, ForeignKey("events.seq"), nullable=False),
    Column("provider_ref", Text),
    Column("changed_at", Instant, nullable=False),
    Index("ix_outbox_state_proposed_by", "state", "proposed_by"),
    Index("ix_outbox_ticket_id", "ticket_id"),
)
"""Each text that may leave: intent, sending, then sent, failed, unknown or refused. One row a reply key."""

halts = Table(
    "halts",
    metadata,
    Column("seq", Number, ForeignKey("events.seq"), primary_key=True, autoincrement=False),
    Column("family", String(100)),
    Column("by", String(200), nullable=False),
    Column("at", Instant, nullable=False),
    Column("resumed_by", Number, ForeignKey("events.seq")),
)
"""Each time autonomy was stopped: for one family, or for all where the family is NULL."""

changes = Table(
    "changes",
    metadata,
    Column("change_key", String(400), primary_key=True),
    Column("ticket_id", String(200), ForeignKey("tickets.id"), nullable=False),
    Column("opening_id", Number, ForeignKey("openings.id"), nullable=False),
    Column("action", String(100), nullable=False),
    Column("arguments_body", Number, ForeignKey("bodies.id"), nullable=False),
    Column("decided_by", Number, ForeignKey("events.seq"), nullable=False),
    Column("state", String(10), nullable=False),
    Column("reference", Text),
    Column("changed_at", Instant, nullable=False),
    Index("ix_changes_state_decided_by", "state", "decided_by"),
    Index("ix_changes_ticket_id", "ticket_id"),
)
"""Each change of state that a person ordered. What was ordered, by whom and until when stands in the decision's event."""

users = Table(
    "users",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("email", Text),
    Column("secret", Text),
    Column("roles", PlainJson, nullable=False),
    Column("groups", PlainJson, nullable=False),
    Column("disabled", Boolean(create_constraint=False), nullable=False, default=False),
    Column("created_at", Instant, nullable=False),
)
"""Who may work at the desk. ``secret`` is a password's hash; NULL where somebody signs in elsewhere alone."""

sessions = Table(
    "sessions",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("user_name", String(200), ForeignKey("users.name"), nullable=False),
    Column("csrf", String(64), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Index("ix_sessions_user_name", "user_name"),
)
"""Who is signed in. ``digest`` is SHA-256 of what the browser holds, so that a read of this table signs nobody in."""

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("scopes", PlainJson, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
)
"""Which systems may call the interface. ``digest`` is SHA-256 of the key's secret half, which nobody here keeps."""

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("url", Text, nullable=False),
    Column("key_id", String(16), ForeignKey("api_keys.id"), nullable=False),
    Column("told_up_to", Number, nullable=False),
    Column("failures", Integer, nullable=False, default=0),
    Column("next_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
)
"""Who is told of results. ``told_up_to`` is the seq of the last event that its receiver has confirmed."""

decision_codes = Table(
    "decision_codes",
    metadata,
    Column("code", Integer, primary_key=True, autoincrement=False),
    Column("word", Text, nullable=False),
)
"""What the numbers in ``stored_decisions`` stand for: signals, sets of families, segments. No customer's words."""

stored_decisions = Table(
    "stored_decisions",
    metadata,
    Column("seq", Number, primary_key=True, autoincrement=False),
    Column("ticket_id", String(200), nullable=False, index=True),
    Column("signals", LargeBinary, nullable=False),
    Column("families", Integer, nullable=False),
    Column("segment", Integer, nullable=False),
    Column("flags", Integer, nullable=False),
    Column("lane", Integer, nullable=False),
    Column("said", Integer, nullable=False),
)
"""Each lane that was assigned, as a back-test reads it. Made from the events, so that it may be thrown away.

``seq`` is that of the lane_assigned event; ``said`` is the lane that people gave the ticket afterwards, 0 where none did.
"""

ticket_summaries = Table(
    "ticket_summaries",
    metadata,
    Column("ticket_id", String(200), primary_key=True),
    Column("opened_at", Instant),
    Column("opened_on", String(10), nullable=False),
    Column("settled_on", String(10), nullable=False),
    Column("family", String(100), nullable=False),
    Column("families", Text, nullable=False),
    Column("tier", String(300), nullable=False),
    Column("segment", String(300), nullable=False),
    Column("consequence", String(10), nullable=False),
    Column("policy", String(100), nullable=False),
    Column("first_lane", Integer, nullable=False),
    Column("lane", Integer, nullable=False),
    Column("answered_at", Instant),
    Column("answered_until", Instant),
    Column("by_assistant", Boolean(create_constraint=False), nullable=False),
    Column("by_person", Boolean(create_constraint=False), nullable=False),
    Column("late", Boolean(create_constraint=False), nullable=False),
    Column("decided", Boolean(create_constraint=False), nullable=False),
    Column("lane_override", String(10), nullable=False),
    Column("moved_up", Boolean(create_constraint=False), nullable=False),
    Column("path_override", Boolean(create_constraint=False), nullable=False),
    Column("queue", String(200), nullable=False),
    Column("routed_from", String(200), nullable=False),
    Column("routed_to", String(200), nullable=False),
    Column("specialist", Boolean(create_constraint=False), nullable=False),
    Column("draft", String(10), nullable=False),
    Column("draft_body", Number),
    Column("draft_at", Instant),
    Column("edited", Integer),
    Column("looked", Text, nullable=False),
    Column("read_seconds", Integer),
    Column("read_how", String(10), nullable=False),
    Column("rating", String(30), nullable=False),
    Column("uncovered", Boolean(create_constraint=False), nullable=False),
    Column("source", String(300), nullable=False),
    Column("asked_again", Number, nullable=False),
    Column("wrote_again", Number, nullable=False),
    Column("customer", String(32)),
    Column("erased", Boolean(create_constraint=False), nullable=False),
    Column("recontacted_by", String(200)),
    Column("marks", Number, nullable=False),
    # The scorecard is one walk along this index, and the figures over time one along the next: neither sorts.
    Index(
        "ix_ticket_summaries_cells",
        "family",
        "tier",
        "segment",
        "consequence",
        "policy",
        "marks",
        "opened_on",
        "settled_on",
        "ticket_id",
    ),
    Index("ix_ticket_summaries_days", "opened_on", "family", "marks"),
    Index("ix_ticket_summaries_customer", "customer", "family"),
)
"""What the scorecard knows of each ticket: a fold of its events (``scorecard.summary`` says what each column means),
made anew from them at any time."""

summary_progress = Table(
    "summary_progress",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", Number, nullable=False),
    Column("version", Integer, nullable=False),
)
"""One row: up to which event the summaries are folded, and by which version of the fold."""

chats = Table(
    "chats",
    metadata,
    Column("ticket_id", String(200), primary_key=True),
    Column("secret_digest", String(64)),
    Column("account_id", Text),
    Column("email", Text),
    Column("name", Text),
    Column("address", String(64)),
    Column("started_at", Instant, nullable=False),
    Column("here_until", Instant),
    Index("ix_chats_address_started_at", "address", "started_at"),
)
"""Each conversation of the chat; its ticket comes to be with its first message. ``secret_digest`` is SHA-256 of what
one browser holds, ``email`` is set where a host page vouched for somebody, and ``address`` is the digest of where it was
started from, kept for an hour. ``here_until`` is how long the customer counts as there, if nothing more is heard of
their page. Erasure empties all six."""

sign_in_tries = Table(
    "sign_in_tries",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("mark", String(64), nullable=False),
    Column("at", Instant, nullable=False, index=True),
    Index("ix_sign_in_tries_mark_at", "mark", "at"),
)
"""Passwords that were tried and were not right, for a few minutes. ``mark`` is a digest of name and address."""

looks = Table(
    "looks",
    metadata,
    Column("ticket_id", String(200), ForeignKey("tickets.id"), primary_key=True),
    Column("person", String(200), primary_key=True),
    Column("review_id", String(64), primary_key=True),
    Column("draft_digest", String(64), primary_key=True),
    Column("opened_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Index("ix_looks_ticket_id_last_at", "ticket_id", "last_at"),
)
"""Who has had which draft before their eyes. ``review_id`` and ``draft_digest`` are empty where there was none.

``opened_at`` is when it was opened last, ``last_at`` when its page last asked for news: so long it was open.
"""
