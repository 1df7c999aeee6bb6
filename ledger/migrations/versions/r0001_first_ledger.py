"""The first ledger: tickets, events with erasable bodies, the lane register, reviews, approvals, the outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite counts up only in a column of type INTEGER; Postgres would run out of its 32 bits one day.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Makes the tables, and lets the database itself refuse what nobody may do to the record."""
    op.create_table(
        "bodies",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("ticket_id", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("erased_at", sa.String(32), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bodies")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_bodies_ticket_id"), "bodies", ["ticket_id"], unique=False)
    op.create_table(
        "leases",
        sa.Column("ticket_id", sa.String(length=200), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_leases")),
    )
    op.create_table(
        "tickets",
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("channel", sa.String(length=100), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("requester_email", sa.Text(), nullable=True),
        sa.Column("requester_name", sa.Text(), nullable=True),
        sa.Column("recipient", sa.Text(), nullable=True),
        sa.Column("account_id", sa.Text(), nullable=True),
        sa.Column("verified", sa.Boolean(), nullable=False),
        sa.Column("first_seen", sa.String(32), nullable=False),
        sa.Column("erased_at", sa.String(32), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tickets")),
    )
    op.create_table(
        "events",
        sa.Column("seq", NUMBER, autoincrement=True, nullable=False),
        sa.Column("ticket_id", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=600), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("head", sa.Text(), nullable=False),
        sa.Column("body_id", NUMBER, nullable=True),
        sa.ForeignKeyConstraint(["body_id"], ["bodies.id"], name=op.f("fk_events_body_id_bodies")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_events")),
        sa.UniqueConstraint("ticket_id", "key", name=op.f("uq_events_ticket_id_key")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_ticket_id_kind_seq", "events", ["ticket_id", "kind", "seq"], unique=False)
    op.create_table(
        "registers",
        sa.Column("ticket_id", sa.String(length=200), nullable=False),
        sa.Column("floor", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("revision", NUMBER, nullable=False),
        sa.Column("claimed_by", sa.String(length=200), nullable=True),
        sa.Column("settled_by", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_registers_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_registers")),
    )
    op.create_table(
        "approvals",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("ticket_id", sa.String(length=200), nullable=False),
        sa.Column("decided_by", NUMBER, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("revision", NUMBER, nullable=False),
        sa.Column("release", sa.String(length=100), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("expires_at", sa.String(32), nullable=False),
        sa.ForeignKeyConstraint(["decided_by"], ["events.seq"], name=op.f("fk_approvals_decided_by_events")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_approvals_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
    )
    op.create_table(
        "halts",
        sa.Column("seq", NUMBER, autoincrement=False, nullable=False),
        sa.Column("family", sa.String(length=100), nullable=True),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("resumed_by", NUMBER, nullable=True),
        sa.ForeignKeyConstraint(["resumed_by"], ["events.seq"], name=op.f("fk_halts_resumed_by_events")),
        sa.ForeignKeyConstraint(["seq"], ["events.seq"], name=op.f("fk_halts_seq_events")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_halts")),
    )
    op.create_table(
        "inbox",
        sa.Column("seq", NUMBER, autoincrement=False, nullable=False),
        sa.Column("ticket_id", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("settled_at", sa.String(32), nullable=True),
        sa.ForeignKeyConstraint(["seq"], ["events.seq"], name=op.f("fk_inbox_seq_events")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_inbox")),
    )
    op.create_index("ix_inbox_state_ticket_id_seq", "inbox", ["state", "ticket_id", "seq"], unique=False)
    op.create_table(
        "openings",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("ticket_id", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("opened_by", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(["opened_by"], ["events.seq"], name=op.f("fk_openings_opened_by_events")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_openings_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_openings")),
        sa.UniqueConstraint(
            "ticket_id", "kind", "opened_by", "name", name=op.f("uq_openings_ticket_id_kind_opened_by_name")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_openings_ticket_id_state", "openings", ["ticket_id", "state"], unique=False)
    op.create_table(
        "reviews",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("ticket_id", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("why", sa.String(length=100), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("queue", sa.String(length=200), nullable=False),
        sa.Column("routed_to", sa.String(length=200), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("thread_revision", NUMBER, nullable=False),
        sa.Column("packet_body", NUMBER, nullable=True),
        sa.Column("draft_body", NUMBER, nullable=True),
        sa.Column("lint", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.String(32), nullable=False),
        sa.Column("revised_at", sa.String(32), nullable=False),
        sa.Column("due_at", sa.String(32), nullable=True),
        sa.Column("told_due_at", sa.String(32), nullable=True),
        sa.Column("closed_at", sa.String(32), nullable=True),
        sa.Column("closed_by", NUMBER, nullable=True),
        sa.ForeignKeyConstraint(["closed_by"], ["events.seq"], name=op.f("fk_reviews_closed_by_events")),
        sa.ForeignKeyConstraint(["draft_body"], ["bodies.id"], name=op.f("fk_reviews_draft_body_bodies")),
        sa.ForeignKeyConstraint(["packet_body"], ["bodies.id"], name=op.f("fk_reviews_packet_body_bodies")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_reviews_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
    )
    op.create_index("ix_reviews_state_due_at", "reviews", ["state", "due_at"], unique=False)
    op.create_index(
        "uq_reviews_one_open",
        "reviews",
        ["ticket_id"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "outbox",
        sa.Column("reply_key", sa.String(length=400), nullable=False),
        sa.Column("ticket_id", sa.String(length=200), nullable=False),
        sa.Column("piece", sa.String(length=10), nullable=False),
        sa.Column("body_id", NUMBER, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("revision", NUMBER, nullable=False),
        sa.Column("release", sa.String(length=100), nullable=False),
        sa.Column("approval_id", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("proposed_by", NUMBER, nullable=False),
        sa.Column("provider_ref", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.String(32), nullable=False),
        sa.ForeignKeyConstraint(["approval_id"], ["approvals.id"], name=op.f("fk_outbox_approval_id_approvals")),
        sa.ForeignKeyConstraint(["body_id"], ["bodies.id"], name=op.f("fk_outbox_body_id_bodies")),
        sa.ForeignKeyConstraint(["proposed_by"], ["events.seq"], name=op.f("fk_outbox_proposed_by_events")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_outbox_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("reply_key", name=op.f("pk_outbox")),
    )
    op.create_index("ix_outbox_state_proposed_by", "outbox", ["state", "proposed_by"], unique=False)
    op.create_index("ix_outbox_ticket_id", "outbox", ["ticket_id"], unique=False)
    if op.get_bind().dialect.name == "sqlite":
        _guard_on_sqlite()
    else:
        _guard_on_postgres()


# Events are never changed and never removed. A body's text may be emptied, once, and nothing else of it may change.
_KEPT = "OLD.id = NEW.id AND OLD.ticket_id = NEW.ticket_id AND OLD.digest = NEW.digest"
_ERASURE = f"NEW.text IS NULL AND NEW.erased_at IS NOT NULL AND {_KEPT}"


def _guard_on_sqlite() -> None:
    for table, deed, unless in (
        ("events", "UPDATE", ""),
        ("events", "DELETE", ""),
        ("bodies", "UPDATE", f"WHEN NOT ({_ERASURE})"),
        ("bodies", "DELETE", ""),
    ):
        op.execute(
            f"CREATE TRIGGER {table}_refuse_{deed.lower()} BEFORE {deed} ON {table} {unless} "
            f"BEGIN SELECT RAISE(ABORT, '{table} are append-only'); END"
        )
    # INSERT OR REPLACE deletes without asking the triggers on deletion.
    op.execute(
        "CREATE TRIGGER events_refuse_replace BEFORE INSERT ON events WHEN EXISTS (SELECT 1 FROM events "
        "WHERE seq = NEW.seq OR (ticket_id = NEW.ticket_id AND key = NEW.key)) "
        "BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER bodies_refuse_replace BEFORE INSERT ON bodies "
        "WHEN EXISTS (SELECT 1 FROM bodies WHERE id = NEW.id) "
        "BEGIN SELECT RAISE(ABORT, 'bodies are append-only'); END"
    )


def _guard_on_postgres() -> None:
    op.execute(
        "CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% are append-only', TG_TABLE_NAME USING ERRCODE = 'check_violation'; END $$"
    )
    for table, deed, unless in (
        ("events", "UPDATE OR DELETE", ""),
        ("bodies", "UPDATE", f"WHEN (NOT ({_ERASURE}))"),
        ("bodies", "DELETE", ""),
    ):
        name = f"{table}_refuse_{deed.split()[0].lower()}"
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {deed} ON {table} FOR EACH ROW {unless} EXECUTE FUNCTION ledger_refuse()"
        )
