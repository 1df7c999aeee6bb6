"""Fixtures of the browser's tests: a served Lanewise, and pages of Debian's chromium."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from served_house import Served, serve_in

# `make test` installs no browser's driver. `make browser` does, and finding no test there is an error of its own.
collect_ignore_glob = [] if importlib.util.find_spec("playwright") else ["test_*.py"]

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") or ""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATIENCE = 60_000
"""Milliseconds until a page's wait is given up: a shared machine is slow at times."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder needs a browser."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first served workspace leaves what it worked out of the articles, for the others."""
    return tmp_path_factory.mktemp("vectors") / "vectors.npz"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, vectors: Path) -> Iterator[Served]:
    """Lanewise over a fresh workspace, one a module; it may be stopped and started again."""
    house = serve_in(tmp_path_factory.mktemp("served"), vectors=vectors)
    shutil.copy(house.workspace / ".lanewise" / vectors.name, vectors)
    yield house
    house.stop()


@pytest.fixture(scope="session", autouse=True)
def _one_playwright() -> Iterator[None]:
    """Ends Playwright with the last test, where one has started it."""
    yield
    if "one_playwright" in sys.modules:
        sys.modules["one_playwright"].stop()


@pytest.fixture(scope="session")
def chromium(_one_playwright: None) -> Iterator[Any]:
    """The browser, headless."""
    from one_playwright import playwright

    assert CHROMIUM, "no chromium: apt-get install chromium, or name one by CHROMIUM=/path/to/it"
    browser = playwright().chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture
def browser_page(chromium: Any) -> Iterator[Any]:
    """A page of a browser that nobody has used; what its scripts throw fails the test."""
    context = chromium.new_context(reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    thrown: list[str] = []
    page.on("pageerror", lambda error: thrown.append(str(error)))
    yield page
    context.close()
    assert thrown == []
