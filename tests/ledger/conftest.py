"""Fixtures of the ledger: stores on disk with a clock and ids that tests hold in their hands."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_scene import Scene

from ledger.store import open_store


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrated once: a copy of a file costs less than a run of alembic."""
    path = tmp_path_factory.mktemp("empty") / "ledger.db"
    open_store(path).close()
    return path


@pytest.fixture
def scene(tmp_path: Path, empty_store: Path) -> Iterator[Scene]:
    path = tmp_path / "ledger.db"
    shutil.copy(empty_store, path)
    made = Scene(path)
    yield made
    made.store.close()
