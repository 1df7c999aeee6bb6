"""The packaged policy release, read once for all tests of the law."""

from __future__ import annotations

from pathlib import Path

import pytest

import guards
from guards.policy import Release, parse_release

PACKAGED = Path(guards.__file__).parent / "policies" / "2026-03-01.toml"


@pytest.fixture(scope="session")
def release_text() -> str:
    return PACKAGED.read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def release(release_text: str) -> Release:
    return parse_release(release_text, PACKAGED.name)
