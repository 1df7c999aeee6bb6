"""What back-tests read: each lane that was assigned, with its signals as numbers; made from the events, and makeable anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0006"
down_revision = "r0005"
branch_labels = None
depends_on = None

# SQLite counts up only in a column of type INTEGER; Postgres would run out of its 32 bits one day.
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Makes the two tables, empty: the next back-test fills them."""
    op.create_table(
        "decision_codes",
        sa.Column("code", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("word", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_decision_codes")),
    )
    op.create_table(
        "stored_decisions",
        sa.Column("seq", NUMBER, autoincrement=False, nullable=False),
        sa.Column("ticket_id", sa.String(length=200), nullable=False),
        sa.Column("signals", sa.LargeBinary(), nullable=False),
        sa.Column("families", sa.Integer(), nullable=False),
        sa.Column("segment", sa.Integer(), nullable=False),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("said", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_stored_decisions")),
    )
    op.create_index("ix_stored_decisions_ticket_id", "stored_decisions", ["ticket_id"], unique=False)
