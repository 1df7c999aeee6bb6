"""News at the desk, in a real browser: a deadline that passes while a person has the ticket open, and sources beside it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from browser_desk import REFUND, TALK, WRITER, ServedDesk, a_browser, open_desk, served_desk
from playwright.sync_api import Browser, expect
from sqlalchemy import update

from desk.operators import inbox as operator_inbox
from guards.lanes import Lane
from ledger.packets.packet import AssistedPacket
from ledger.tables import reviews

pytestmark = pytest.mark.browser
SLOW = 60_000
"""Milliseconds; a shared machine is slow at times."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all stories."""
    with a_browser() as opened:
        yield opened


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServedDesk]:
    """A desk on which nobody is asked for the lane first."""
    monkeypatch.setattr(operator_inbox, "BLIND_SHARE", 0.0)
    with served_desk(tmp_path) as served:
        yield served


def test_a_deadline_that_passes_re_routes_the_ticket_and_tells_whoever_has_it_open(
    desk: ServedDesk, browser: Browser
) -> None:
    review = desk.asked("T-1", REFUND, subject="Refund of 40 seats")
    to = desk.place.release.review.deadline_queue
    assert review.queue != to
    title = next(q.title for q in desk.place.systems.queues if q.queue_id == to)
    with browser.new_context() as context:
        page = desk.signed_in(context, "Marek")
        open_desk(page, desk, "T-1")
        page.keyboard.press("e")
        page.keyboard.type("I am typing this while the time runs out.")
        with desk.place.store.write() as conn:  # as if the time had gone by
            past = desk.place.store.now() - timedelta(minutes=1)
            conn.execute(update(reviews).where(reviews.c.id == review.id).values(due_at=past))
        # The worker's own sweep finds it: nobody rings.
        expect(page.locator("#since")).to_contain_text("The deadline passed, and nobody had decided", timeout=SLOW)
        expect(page.locator("#text")).to_have_value("I am typing this while the time runs out.")
        row = page.locator('.row-item[data-ticket="T-1"]')
        expect(row).to_contain_text("re-routed: time ran out", timeout=SLOW)
        expect(row).to_contain_text(title, timeout=SLOW)
        expect(page.locator("#house, .house").first).to_contain_text("1 re-routed", timeout=SLOW)
        page.locator("#since [data-refresh]").click()
        expect(page.locator(".conversation")).to_contain_text(
            "The deadline passed, and nobody had decided", timeout=SLOW
        )
        expect(page.locator("#text")).to_have_value("I am typing this while the time runs out.")
    moved = desk.place.reviews.get(review.id)
    assert moved.open and moved.queue == to
    assert moved.due_at is not None and moved.due_at > desk.place.store.now(), "it has a new deadline there"


def test_the_cited_sources_open_beside_the_draft_with_the_version_that_was_cited(
    desk: ServedDesk, browser: Browser
) -> None:
    review = desk.asked("T-2", TALK, **WRITER)
    assert isinstance(review.packet, AssistedPacket) and int(review.lane) == Lane.ASSISTED
    drafted = review.packet.draft.sources if review.packet.draft else ()
    held = {a.article_id: a for a in desk.place.rules.articles}
    cited = [r for r in {r.id: r for r in (*drafted, *review.packet.references)}.values() if r.id in held]
    assert cited, "the question was chosen for an article that it cites"
    with browser.new_context() as context:
        page = desk.signed_in(context, "Marek")
        open_desk(page, desk, "T-2")
        source = page.locator("#sources details.source").filter(has_text=cited[0].id).first
        expect(source).to_contain_text(f"v{cited[0].version.removeprefix('v')}")
        body = source.locator("pre")
        expect(body).to_be_hidden()
        source.locator("summary").click()
        expect(body).to_be_visible()
        expect(body).to_contain_text(held[cited[0].id].body.strip().splitlines()[0][:60])
        expect(page.locator("#text")).to_be_visible()
        beside, composer = source.bounding_box(), page.locator("#composer").bounding_box()
        assert beside is not None and composer is not None
        assert beside["x"] >= composer["x"] + composer["width"], "beside the draft, and not over it"
    assert desk.place.reviews.get(review.id).open, "reading decides nothing"
