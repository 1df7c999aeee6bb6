"""The company's files while it is served: what is withdrawn is quoted no more, and what is lost sends everything to a person."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from agent.wiring import build_assessors
from desk.pinning import changed_articles
from desk.settings import load_settings
from desk.worker import Worker
from desk.workplace import Workplace, open_workplace
from desk.workspace import init

ASKED = "Where is the status page?"
TODAY = date(2026, 3, 10)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    init(tmp_path / "team")
    made = open_workplace(load_settings(tmp_path / "team", {}), {})
    yield made
    made.store.close()


def article(place: Workplace) -> Path:
    assert place.settings.company is not None
    return place.settings.company / "knowledge" / "status-page.md"


async def answer(place: Workplace) -> str | None:
    _, finder = build_assessors(place.systems, place.release)
    found = (await finder.find(ASKED, TODAY)).answer
    return found.id if found else None


async def test_an_article_that_was_deleted_answers_no_more(place: Workplace) -> None:
    assert await answer(place) == "status-page"
    assert place.renewed() is place
    article(place).unlink()
    assert await answer(place.renewed()) is None


async def test_an_article_that_is_internal_by_now_answers_no_more(place: Workplace) -> None:
    file = article(place)
    file.write_text(file.read_text(encoding="utf-8").replace('audience = "public"', 'audience = "internal"'), "utf-8")
    assert await answer(place.renewed()) is None


def test_a_text_that_changed_under_its_version_is_told_of(place: Workplace) -> None:
    file = article(place)
    file.write_text(file.read_text(encoding="utf-8") + "\nEverything is always free.\n", encoding="utf-8")
    (told,) = changed_articles(place.store, place.renewed().rules.articles)
    assert "status-page" in str(told)


async def test_facts_are_read_again(place: Workplace) -> None:
    assert place.settings.company is not None
    file = place.settings.company / "accounts.csv"
    first, *rest = file.read_text(encoding="utf-8").splitlines()
    account = rest[0].split(",")[0]
    assert await place.systems.accounts.account(account) is not None
    file.write_text("\n".join([first, *rest[1:]]) + "\n", encoding="utf-8")
    assert await place.renewed().systems.accounts.account(account) is None


async def test_a_folder_that_is_gone_answers_nothing_and_comes_back(place: Workplace, tmp_path: Path) -> None:
    assert place.settings.company is not None
    shutil.move(place.settings.company, tmp_path / "away")
    lost = place.renewed()
    assert await answer(lost) is None
    assert lost.rules.articles == ()
    assert lost.systems.company.name == place.systems.company.name
    assert lost.renewed() is lost
    shutil.move(tmp_path / "away", place.settings.company)
    assert await answer(lost.renewed()) == "status-page"


def test_the_worker_sees_that_files_were_changed(place: Workplace) -> None:
    worker = Worker(place, lambda: None)
    assert not worker._renewed()
    article(place).unlink()
    assert worker._renewed()
    assert not worker._renewed()
