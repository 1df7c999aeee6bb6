"""Audits and reviews in a real browser: judged by keys alone, blind, agreed upon, and a review opened and closed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from browser_desk import ServedDesk, a_browser
from playwright.sync_api import Browser, Page, expect
from unseen_tickets import answered

from desk.accounts.people import Role
from desk.records import open_records
from desk.settings import load_settings
from ledger.events import Kind

pytestmark = pytest.mark.browser
SLOW = 60_000
WEEK = "2026-W06"
THAT_WEEK = datetime(2026, 2, 3, 9, tzinfo=UTC)
LOADED = "performance.getEntriesByType('navigation').length + '/' + performance.timeOrigin"
TICKETS = {
    "T-1": ("Receipts of last year", "Where do we find the receipts of last year?"),
    "T-2": ("Tax on the invoice", "Can you confirm that we may deduct the tax on the last invoice?"),
    "T-3": ("A second admin", "How do I make Bartholomew an admin while Hazel is away?"),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all stories."""
    with a_browser() as opened:
        yield opened


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ServedDesk]:
    """A desk over tickets that lane 1 answered in February and nobody saw; two auditors work at it."""
    records = open_records(load_settings(tmp_path, {}), lambda: THAT_WEEK)
    for ticket, (subject, text) in TICKETS.items():
        answered(records.store, ticket, text, subject=subject, consequence="high")
    records.store.close()
    served = ServedDesk(tmp_path, posts=False)
    served.counter.accounts.add("Jonas", "jonas@desk.example", None, [Role.AUDITOR])
    served.start()
    yield served
    served.stop()
    served.place.store.close()


def opened(page: Page, desk: ServedDesk, path: str) -> Page:
    """A page, once its script is there."""
    page.goto(desk.url + path)
    page.wait_for_selector("html[data-ready=yes]", state="attached")
    return page


def judge(page: Page, *keys: str) -> str:
    """Judges the ticket that is open by these keys, and waits until the next one is there; its audit."""
    audit = page.locator("[data-audit]").get_attribute("data-audit") or ""
    for key in keys:
        page.keyboard.press(key)
    expect(page.locator("#told")).to_contain_text(f"{audit} is recorded", timeout=SLOW)
    return audit


def draw(page: Page, week: str) -> None:
    """Draws a week by keys, once the window of the last try is closed."""
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)
    page.keyboard.press("d")
    page.locator("dialog[open] [name=week]").fill(week)
    page.keyboard.press("Enter")


def no_barrier(page: Page, where: str) -> None:
    """Nothing that an assistive technology stumbles over."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page)
    assert found.response["violations"] == [], f"{where}: {found.generate_report()}"


def picture(page: Page, name: str) -> None:
    """Kept where somebody asks for pictures to look at."""
    if folder := os.environ.get("PICTURES_OF_AUDITS"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_three_tickets_are_judged_by_keys_alone_and_two_auditors_agree_blind(
    desk: ServedDesk, browser: Browser
) -> None:
    with browser.new_context(reduced_motion="reduce") as one, browser.new_context(reduced_motion="reduce") as two:
        page = opened(desk.signed_in(one, "Aud"), desk, "/desk")
        expect(page.get_by_role("link", name="Audits")).to_be_visible()
        page.get_by_role("link", name="Audits").press("Enter")
        page.wait_for_selector("html[data-ready=yes]", state="attached")
        page.keyboard.press("d")
        page.locator("dialog[open] [name=week]").wait_for()
        no_barrier(page, "the window of a draw")
        page.keyboard.press("Control+a")
        page.keyboard.type(WEEK)
        page.keyboard.press("Enter")
        expect(page.locator("#told")).to_contain_text("3 of 3 tickets drawn, 1 of them for two", timeout=SLOW)
        loaded = page.evaluate(LOADED)
        expect(page.locator(".rows.waiting .row-item")).to_have_count(3)
        expect(page.locator(".message.assistant")).to_contain_text("under Settings, then Billing")
        no_barrier(page, "a ticket to judge")
        page.keyboard.press("3")
        page.keyboard.press("b")
        expect(page.locator("#says")).to_have_text(
            "should have escalated (missing context); fault: boundary. It is given once, and not changed."
        )
        picture(page, "audit")
        said = {judge(page, "Enter"): "yes"}
        said[judge(page, "n", "Enter")] = "no"
        page.keyboard.press("i")
        page.keyboard.type("Answered as it should be.")
        page.keyboard.press("Escape")
        said[judge(page, "n", "Enter")] = "no"
        expect(page.locator("#work h1")).to_have_text("Nothing waits for you", timeout=SLOW)
        assert page.evaluate(LOADED) == loaded, "three tickets, one page"
        no_barrier(page, "an empty queue")
        picture(page, "audit-done")

        other = opened(desk.signed_in(two, "Jonas"), desk, "/desk/audits")
        expect(other.locator(".rows.waiting .row-item")).to_have_count(1)
        assert "Aud" not in other.locator("#work").inner_text().replace("audit", "")
        audit = other.locator("[data-audit]").get_attribute("data-audit") or ""
        judge(other, *(("n",) if said[audit] == "no" else ("3", "b")), "Enter")
        expect(other.locator("#told")).to_contain_text("Aud: ", timeout=SLOW)
        other.keyboard.press("?")
        other.locator("dialog[open].help").wait_for()
        no_barrier(other, "the keys")
        other.keyboard.press("Escape")
        other.keyboard.press("r")
        expect(other.locator("#agreement")).to_contain_text("agreed on 1 of 1 (100%)", timeout=SLOW)
        expect(other.locator("#misses")).to_contain_text("missing context; fault: boundary")
        other.get_by_text(re.compile("Proposed as the case")).press("Enter")
        expect(other.locator(".case")).to_contain_text("[[thread]]")
        no_barrier(other, "the report")
        picture(other, "report")
    judged = [e for t in TICKETS for e in desk.place.history.timeline(t) if e.kind is Kind.AUDIT_JUDGED]
    assert sorted(e.actor for e in judged) == ["Aud", "Aud", "Aud", "Jonas"]


def test_enter_alone_judges_nothing_and_a_refusal_keeps_what_was_typed(desk: ServedDesk, browser: Browser) -> None:
    with browser.new_context(reduced_motion="reduce") as context:
        page = opened(desk.signed_in(context, "Aud"), desk, "/desk/audits")
        draw(page, "2099-W10")
        expect(page.locator("#told")).to_contain_text("is over on 2099-03-09", timeout=SLOW)
        draw(page, WEEK)
        audit = page.locator("[data-audit]")
        expect(audit).to_be_visible(timeout=SLOW)
        first = audit.get_attribute("data-audit")
        page.keyboard.press("Enter")
        page.keyboard.press("i")
        page.keyboard.type("not sure")
        page.keyboard.press("Escape")
        page.keyboard.press("y")
        page.keyboard.press("Enter")
        expect(page.locator("#told")).to_contain_text("has a fault: name wording, boundary", timeout=SLOW)
        assert audit.get_attribute("data-audit") == first
        assert page.locator("#note").input_value() == "not sure"
        page.keyboard.press("1")
        page.keyboard.press("n")
        assert page.locator("#verdict [name=trigger]:checked").count() == 0, "no takes the triggers back"
        page.keyboard.press("j")
        expect(page.locator(f"[data-audit]:not([data-audit='{first}'])")).to_be_visible(timeout=SLOW)
        page.reload()
        expect(page.locator(f"[data-audit]:not([data-audit='{first}'])")).to_be_visible(timeout=SLOW)
    assert not [e for t in TICKETS for e in desk.place.history.timeline(t) if e.kind is Kind.AUDIT_JUDGED]


def test_a_lead_opens_a_review_by_keys_reads_its_material_and_closes_it(desk: ServedDesk, browser: Browser) -> None:
    with browser.new_context(reduced_motion="reduce") as context:
        page = opened(desk.signed_in(context, "Hazel Lead"), desk, "/desk")
        expect(page.locator(".bar .count", has_text="are due")).to_be_visible(timeout=SLOW)
        page.get_by_role("link", name="Reviews").press("Enter")
        page.wait_for_selector("html[data-ready=yes]", state="attached")
        expect(page.locator(".rows.calendar")).to_contain_text("overdue by")
        no_barrier(page, "the calendar")
        page.keyboard.press("j")
        expect(page.locator("#work h1")).to_have_text("Risky not escalated", timeout=SLOW)
        page.keyboard.press("o")
        expect(page.locator("#told")).to_contain_text("Opened by Hazel Lead", timeout=SLOW)
        expect(page.locator(".material")).to_contain_text("whose consequence was high")
        expect(page.locator(".material").get_by_role("link", name="T-1").first).to_be_visible()
        no_barrier(page, "a review")
        page.keyboard.press("c")
        page.keyboard.type("Billing clarifications stay in lane 1; look again in two weeks.")
        page.keyboard.press("Tab")
        page.keyboard.type("Marek")
        picture(page, "review")
        page.keyboard.press("Control+Enter")
        expect(page.locator("#told")).to_contain_text("Closed; Marek sees to it", timeout=SLOW)
        expect(page.locator(".rows.past")).to_contain_text("Billing clarifications stay in lane 1")
        no_barrier(page, "a closed review")
        picture(page, "review-closed")
        page.locator(".material").get_by_role("link", name="T-1").first.press("Enter")
        expect(page.locator(".conversation h1")).to_have_text("Receipts of last year", timeout=SLOW)
    (closed,) = [e for e in desk.place.history.house_timeline() if e.kind is Kind.PERIODIC_REVIEW_CLOSED]
    assert (closed.actor, closed.head["owner"]) == ("Hazel Lead", "Marek")
