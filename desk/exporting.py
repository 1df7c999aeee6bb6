"""Writes the ledger's tables into a folder for a team's own tools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

from desk.errors import DeskError
from desk.records import Records
from ledger.scorecard.export import Format, NoParquet
from ledger.scorecard.export import export as write_tables
from ledger.scorecard.projecting import catch_up


def export(records: Records, folder: Path, format: str, words: bool, tell: Callable[[str], None]) -> int:
    """Writes them, and tells how many rows each has. DeskError for another format, or where Parquet cannot be written."""
    known: Format | None = next((f for f in get_args(Format) if f == format), None)
    if known is None:
        raise DeskError(f"there is no format {format[:40]!r}. Choose csv or parquet.")
    catch_up(records.store)
    try:
        with records.store.read() as conn:
            written = write_tables(conn, folder, known, words=words, now=records.store.now())
    except NoParquet as error:
        raise DeskError(str(error)) from error
    for name, rows in written.items():
        tell(f"wrote {folder / f'{name}.{known}'}: {rows} rows")
    return 0
