"""Wrong passwords, counted for all processes that serve; and until when a customer of the chat is there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0010"
down_revision = "r0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table and the column. Neither is part of the sealed record: both are of this moment only."""
    op.create_table(
        "sign_in_tries",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("mark", sa.String(length=64), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_tries")),
    )
    op.create_index("ix_sign_in_tries_mark_at", "sign_in_tries", ["mark", "at"], unique=False)
    op.create_index(op.f("ix_sign_in_tries_at"), "sign_in_tries", ["at"], unique=False)
    op.add_column("chats", sa.Column("here_until", sa.String(32), nullable=True))
