"""How the store's schema came to be: one file a revision in ``versions``, applied in order by ``open_store``.

A revision that has been released is never edited: add the next one, and set ``tables.HEAD_REVISION`` to it.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError
from alembic.util.exc import CommandError
from sqlalchemy import Connection


class UnknownRevision(Exception):
    """The store carries a revision that is not among ours."""


def config(conn: Connection | None = None) -> Config:
    """Alembic's settings, without a file: these folders, and the connection to work on."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    made.attributes["connection"] = conn
    return made


def upgrade(conn: Connection, to: str = "head") -> None:
    """Brings the store to a revision, in the caller's transaction. UnknownRevision where it is not one of ours."""
    try:
        command.upgrade(config(conn), to)
    except (CommandError, ResolutionError) as error:
        raise UnknownRevision(str(error)) from error


def revisions() -> tuple[str, ...]:
    """All revisions, oldest first."""
    scripts = ScriptDirectory.from_config(config())
    return tuple(reversed([script.revision for script in scripts.walk_revisions()]))
