"""What every proof shares: how large it is to be, and where it writes the figure that it shows."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

FULL = os.environ.get("LANEWISE_PROOFS") == "full"
"""True in `make prove`; `make test` runs the same proofs over fewer cases."""
OUT = os.environ.get("LANEWISE_PROOFS_OUT")
"""Read at once: within a test run the house's own variables are taken out of the environment."""


class Shown(Protocol):
    """Writes one figure of a proof into the table of ``docs/boundary.md``."""

    def __call__(self, invariant: str, what: str, figure: str, beside: str = "") -> None:
        """``invariant`` as ``I8``; ``what`` was done; the ``figure`` that came out; the utility ``beside`` a zero."""


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether this run is to be as large as the figures in the docs."""
    return FULL


@pytest.fixture(scope="session")
def size() -> Callable[[int, int], int]:
    """``size(reduced, whole)``: how many cases to run here."""
    return lambda reduced, whole: whole if FULL else reduced


@pytest.fixture
def shown(request: pytest.FixtureRequest) -> Shown:
    """Keeps a figure for the table; without ``LANEWISE_PROOFS_OUT`` it is dropped."""

    def write(invariant: str, what: str, figure: str, beside: str = "") -> None:
        if OUT:
            row = {"invariant": invariant, "what": what, "figure": figure, "beside": beside, "by": request.node.nodeid}
            with Path(OUT).open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")

    return write
