"""Fixtures of this folder; what they are made of stands in ``desk_house.py``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from desk_house import Clock, House

from ledger.store import open_store


@pytest.fixture
def ledger_file(tmp_path: Path) -> Path:
    """Where the house's ledger stands."""
    return tmp_path / "ledger.sqlite3"


@pytest.fixture
def house(ledger_file: Path) -> Iterator[House]:
    """A house with one ticket, whose customer has written once."""
    clock = Clock()
    store = open_store(ledger_file, clock=clock)
    built = House(store, clock)
    built.customer_writes()
    yield built
    store.close()
