"""Seals: each event gets a place for its seal, and one row says where the chain has come to."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_COLUMNS = ("seq", "ticket_id", "key", "kind", "at", "actor", "head", "body_id")


def upgrade() -> None:
    """Adds them. Sealing what is there already is the store's work: it has the key."""
    op.add_column("events", sa.Column("seal", sa.String(length=120), nullable=True))
    head = op.create_table(
        "chain_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("chain", sa.String(length=32), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=True),
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("seq", NUMBER, nullable=False),
        sa.Column("link", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chain_head")),
    )
    first = {"id": 1, "chain": secrets.token_hex(16), "key_id": None, "number": 0, "seq": 0, "link": None}
    op.bulk_insert(head, [first])
    _let_seals_be_set()


def _let_seals_be_set() -> None:
    """The seal alone may change: an old record is sealed, or a whole record anew. Without the key no seal fits."""
    if op.get_bind().dialect.name == "sqlite":
        same = " AND ".join(f"OLD.{c} IS NEW.{c}" for c in _COLUMNS)
        op.execute("DROP TRIGGER events_refuse_update")
        op.execute(
            f"CREATE TRIGGER events_refuse_update BEFORE UPDATE ON events WHEN NOT ({same}) "
            "BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
        )
        return
    same = " AND ".join(f"OLD.{c} IS NOT DISTINCT FROM NEW.{c}" for c in _COLUMNS)
    op.execute("DROP TRIGGER events_refuse_update ON events")
    op.execute(
        "CREATE TRIGGER events_refuse_delete BEFORE DELETE ON events FOR EACH ROW EXECUTE FUNCTION ledger_refuse()"
    )
    op.execute(
        f"CREATE TRIGGER events_refuse_update BEFORE UPDATE ON events FOR EACH ROW WHEN (NOT ({same})) "
        "EXECUTE FUNCTION ledger_refuse()"
    )
