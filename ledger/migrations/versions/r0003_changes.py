"""Changes of state that a person ordered: intent, running, then done, failed, unknown or refused."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = "r0002"
branch_labels = None
depends_on = None

# SQLite counts up only in a column of type INTEGER; Postgres would run out of its 32 bits one day.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Makes the table. What it is bound to stands in events and bodies, which the database keeps from change."""
    op.create_table(
        "changes",
        sa.Column("change_key", sa.String(length=400), nullable=False),
        sa.Column("ticket_id", sa.String(length=200), nullable=False),
        sa.Column("opening_id", NUMBER, nullable=False),
        sa.Column("action", sa.String(length=100), nullable=False),
        sa.Column("arguments_body", NUMBER, nullable=False),
        sa.Column("decided_by", NUMBER, nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.String(32), nullable=False),
        sa.ForeignKeyConstraint(["arguments_body"], ["bodies.id"], name=op.f("fk_changes_arguments_body_bodies")),
        sa.ForeignKeyConstraint(["decided_by"], ["events.seq"], name=op.f("fk_changes_decided_by_events")),
        sa.ForeignKeyConstraint(["opening_id"], ["openings.id"], name=op.f("fk_changes_opening_id_openings")),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_changes_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("change_key", name=op.f("pk_changes")),
    )
    op.create_index("ix_changes_state_decided_by", "changes", ["state", "decided_by"], unique=False)
    op.create_index("ix_changes_ticket_id", "changes", ["ticket_id"], unique=False)
