"""Alembic's entry: runs the revisions on the connection that ``open_store`` holds, inside its transaction."""

from __future__ import annotations

from alembic import context

from ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite cannot alter a column; alembic then copies the table.
    render_as_batch=True,
)
context.run_migrations()
