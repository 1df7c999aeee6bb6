"""Fixtures of this folder; what they are made of stands in ``desk_house.py``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from desk_house import Clock, House
from typer.testing import CliRunner, Result

from lanewise import app
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


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command, standing in an empty folder and without a model."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "LANEWISE_MODEL", "LANEWISE_MODEL_TIMEOUT"):
        monkeypatch.delenv(name, raising=False)

    def invoke(*args: str, given: str | None = None) -> Result:
        return CliRunner().invoke(app, list(args), input=given)

    return invoke
