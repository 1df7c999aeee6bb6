"""Who has had which draft before their eyes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0009"
down_revision = "r0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table. It is no part of the sealed record: what a look led to is told by a ``looked`` event."""
    op.create_table(
        "looks",
        sa.Column("ticket_id", sa.String(length=200), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.Column("review_id", sa.String(length=64), nullable=False),
        sa.Column("draft_digest", sa.String(length=64), nullable=False),
        sa.Column("opened_at", sa.String(32), nullable=False),
        sa.Column("last_at", sa.String(32), nullable=False),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"], name=op.f("fk_looks_ticket_id_tickets")),
        sa.PrimaryKeyConstraint("ticket_id", "person", "review_id", "draft_digest", name=op.f("pk_looks")),
    )
    op.create_index("ix_looks_ticket_id_last_at", "looks", ["ticket_id", "last_at"], unique=False)
