"""Conversations of the chat: who holds one, and for whom."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0008"
down_revision = "r0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table. What is said in a conversation stands in the sealed record, as with every ticket."""
    op.create_table(
        "chats",
        sa.Column("ticket_id", sa.String(length=200), nullable=False),
        sa.Column("secret_digest", sa.String(length=64), nullable=True),
        sa.Column("account_id", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.Column("started_at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_chats")),
    )
    op.create_index("ix_chats_address_started_at", "chats", ["address", "started_at"], unique=False)
