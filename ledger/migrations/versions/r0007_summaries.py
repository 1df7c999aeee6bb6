"""Summaries: one row a ticket for the scorecard, and how far they are folded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0007"
down_revision = "r0006"
branch_labels = None
depends_on = None

# Postgres would run out of its 32 bits one day.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Makes them, empty: the first scorecard that is asked for fills them from the events."""
    op.create_table(
        "ticket_summaries",
        sa.Column("ticket_id", sa.String(200), nullable=False),
        sa.Column("opened_at", sa.String(32), nullable=True),
        sa.Column("opened_on", sa.String(10), nullable=False),
        sa.Column("settled_on", sa.String(10), nullable=False),
        sa.Column("family", sa.String(100), nullable=False),
        sa.Column("families", sa.Text(), nullable=False),
        sa.Column("tier", sa.String(300), nullable=False),
        sa.Column("segment", sa.String(300), nullable=False),
        sa.Column("consequence", sa.String(10), nullable=False),
        sa.Column("policy", sa.String(100), nullable=False),
        sa.Column("first_lane", sa.Integer(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("answered_at", sa.String(32), nullable=True),
        sa.Column("answered_until", sa.String(32), nullable=True),
        sa.Column("by_assistant", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("by_person", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("late", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("decided", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("lane_override", sa.String(10), nullable=False),
        sa.Column("moved_up", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("path_override", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("queue", sa.String(200), nullable=False),
        sa.Column("routed_from", sa.String(200), nullable=False),
        sa.Column("routed_to", sa.String(200), nullable=False),
        sa.Column("specialist", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("draft", sa.String(10), nullable=False),
        sa.Column("draft_body", NUMBER, nullable=True),
        sa.Column("draft_at", sa.String(32), nullable=True),
        sa.Column("edited", sa.Integer(), nullable=True),
        sa.Column("looked", sa.Text(), nullable=False),
        sa.Column("read_seconds", sa.Integer(), nullable=True),
        sa.Column("read_how", sa.String(10), nullable=False),
        sa.Column("rating", sa.String(30), nullable=False),
        sa.Column("uncovered", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("source", sa.String(300), nullable=False),
        sa.Column("asked_again", NUMBER, nullable=False),
        sa.Column("wrote_again", NUMBER, nullable=False),
        sa.Column("customer", sa.String(32), nullable=True),
        sa.Column("erased", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("recontacted_by", sa.String(200), nullable=True),
        sa.Column("marks", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_ticket_summaries")),
    )
    cells = ["family", "tier", "segment", "consequence", "policy", "marks", "opened_on", "settled_on", "ticket_id"]
    op.create_index("ix_ticket_summaries_cells", "ticket_summaries", cells, unique=False)
    op.create_index("ix_ticket_summaries_days", "ticket_summaries", ["opened_on", "family", "marks"], unique=False)
    op.create_index("ix_ticket_summaries_customer", "ticket_summaries", ["customer", "family"], unique=False)
    op.create_table(
        "summary_progress",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", NUMBER, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_summary_progress")),
    )
