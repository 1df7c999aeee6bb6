"""The file of the runs under way: LangGraph's own SQLite saver, called where the run is and not in a thread beside it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.sqlite import SqliteSaver

BUSY_SECONDS = 5.0
"""How long SQLite waits where another process writes to the same file."""


class Checkpoints(SqliteSaver):
    """The stock saver, usable by an asynchronous run. Its writes are small and take a fraction of what a thread's turn
    costs; the ledger, too, is written where the run is."""

    async def aget_tuple(self, config: Any) -> CheckpointTuple | None:
        """As ``get_tuple``."""
        return self.get_tuple(config)

    async def alist(
        self,
        config: Any,
        *,
        filter: dict[str, Any] | None = None,
        before: Any = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """As ``list``, read whole first: whoever walks it may write meanwhile."""
        for found in list(self.list(config, filter=filter, before=before, limit=limit)):
            yield found

    async def aput(
        self,
        config: Any,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> Any:
        """As ``put``."""
        return self.put(config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: Any, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """As ``put_writes``."""
        self.put_writes(config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        """As ``delete_thread``."""
        self.delete_thread(thread_id)


@contextmanager
def open_checkpoints(file: Path) -> Iterator[Checkpoints]:
    """The saver over that file, which is made where it is not there."""
    with closing(sqlite3.connect(file, timeout=BUSY_SECONDS, check_same_thread=False)) as conn:
        conn.execute("PRAGMA journal_mode=WAL")
        # A crash of ours loses nothing. A power cut may lose the last moments of this file, or of what steps recorded: a run
        # then goes on from an earlier step, or begins anew. What came in and what may leave is in the ledger, synced.
        conn.execute("PRAGMA synchronous=NORMAL")
        # What a finished run held is overwritten with it: nothing of an erased ticket stays in free pages.
        conn.execute("PRAGMA secure_delete=ON")
        yield Checkpoints(conn)
