"""In a real browser: from a count of the scorecard to its ticket; and a policy owner approves, activates and takes back."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_desk import REFUND, ServedDesk, a_browser, open_desk, served_desk, waits
from playwright.sync_api import Browser, Page, expect
from test_desk_hostile_words import HOSTILE, WATCH

from desk.accounts.people import Role
from desk.operators import inbox as operator_inbox
from desk.policy.releases import propose, prove
from desk.workspace import init
from guards.policy import OwnerGroup
from ledger.releases import ReleaseLedger

pytestmark = pytest.mark.browser
SLOW = 60_000
VERSION = "2026-04-01"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all stories."""
    with a_browser() as opened:
        yield opened


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServedDesk]:
    """A desk over a new workspace, with a policy owner of one group."""
    monkeypatch.setattr(operator_inbox, "BLIND_SHARE", 0.0)
    init(tmp_path / "ours")
    with served_desk(tmp_path / "ours") as served:
        served.counter.accounts.add(
            "Ada", "ada@desk.example", None, [Role.POLICY_OWNER], [OwnerGroup.SUPPORT_LEADERSHIP]
        )
        yield served


@pytest.fixture(params=["light", "dark"])
def page(desk: ServedDesk, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of the policy owner; what its policy forbids, or anything that is asked of another host, fails the test."""
    with browser.new_context(
        viewport={"width": 1280, "height": 900}, color_scheme=request.param, reduced_motion="reduce"
    ) as context:
        context.set_default_timeout(SLOW)
        context.add_init_script(WATCH)
        made = desk.signed_in(context, "Ada")
        asked: list[str] = []
        made.on("request", lambda request: asked.append(request.url))
        yield made
        assert made.evaluate("window.violations") == [] and made.evaluate("window.hit") is None
        assert [url for url in asked if not url.startswith((desk.url, "data:"))] == []


def seen(page: Page, name: str) -> None:
    """Nothing on it stands in the way of assistive technology; a picture of it is kept where one is asked for."""
    axe: Any = pytest.importorskip("axe_playwright_python.sync_playwright")
    if folder := os.environ.get("LOOK_INTO"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
    found = axe.Axe().run(page)
    assert found.response["violations"] == [], found.generate_report()


def propose_release(desk: ServedDesk, reason: str) -> None:
    """A release that lets agents have drafts, proposed and proven."""
    file = desk.place.settings.policy
    assert file is not None
    text = file.read_text(encoding="utf-8")
    edits = {"version": f'"{VERSION}"', "phase": '"assisted"', "autonomous_families": "[]"}
    for key, value in edits.items():
        text = re.sub(rf"^{key} = .*$", f"{key} = {value}", text, count=1, flags=re.MULTILINE)
    made = file.with_name(f"{VERSION}.toml")
    made.write_text(text, encoding="utf-8")
    propose(desk.place, made, "Ines", reason, lambda said: None)
    assert prove(desk.place, VERSION, lambda release: None, lambda said: None) == 0


def test_a_count_of_the_scorecard_leads_to_its_tickets_and_from_there_to_the_desk(desk: ServedDesk, page: Page) -> None:
    ticket = "T-<script>window.hit=8</script>'\"/?&#"
    desk.asked(ticket, f"{REFUND} {HOSTILE}", subject="Refund of 40 seats")
    desk.asked("T-2", "Does our amendment change the seat price in the contract?")
    open_desk(page, desk)
    page.get_by_role("link", name="Scorecard").click()
    page.select_option("select[name=by]", "consequence")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("by=consequence"))
    seen(page, "scorecard")
    figure = page.locator("h2#lane_3 + p a").first
    count = int(figure.inner_text())
    figure.click()
    expect(page.locator("#count")).to_have_text(str(count))
    assert page.locator("tbody tr").count() == count >= 1
    seen(page, "figure-tickets")
    page.get_by_role("link", name="T-<script>").click()
    expect(page.locator(".conversation h1")).to_have_text("Refund of 40 seats")


def test_a_policy_owner_approves_and_activates_a_release_and_takes_it_back(desk: ServedDesk, page: Page) -> None:
    before = desk.place.release.version
    propose_release(desk, f"agents want drafts {HOSTILE}"[:480])
    open_desk(page, desk)
    page.get_by_role("link", name="Policy").click()
    expect(page.locator("#in-force")).to_contain_text(before)
    seen(page, "policy")
    page.get_by_role("link", name=f"Release {VERSION}").click()
    expect(page.locator("#diff")).to_contain_text("widens")
    seen(page, "policy-release")
    approve = page.locator("form[action$='/approve']")
    approve.get_by_label("Why").fill("read, and talked through with the agents")
    approve.get_by_role("button").click()
    expect(page.locator("#done")).to_contain_text(f"approved release {VERSION} for support leadership")
    activate = page.locator("form[action$='/activate']")
    expect(activate).to_contain_text(f"is in force instead of {before}")
    activate.get_by_label("Why").fill("the drafts help")
    activate.get_by_role("button").click()
    expect(page.locator("#done")).to_contain_text(f"activated release {VERSION}")
    in_force = ReleaseLedger(desk.place.store).in_force()
    assert in_force is not None and (in_force.version, in_force.by) == (VERSION, "Ada")
    waits(lambda: desk.counter.worker.release == VERSION, "the worker's release")
    seen(page, "policy-activated")
    page.get_by_role("link", name="Policy", exact=True).click()
    back = page.locator("form[action$='/roll-back']")
    expect(back).to_contain_text("does not leave")
    back.get_by_label("Why").fill("odd drafts")
    back.get_by_role("button").click()
    expect(page.locator("#done")).to_contain_text(f"rolled back to release {before}")
    expect(page.locator("#in-force")).to_contain_text(before)
    in_force = ReleaseLedger(desk.place.store).in_force()
    assert in_force is not None and in_force.version == before
    page.get_by_role("link", name="billing").click()
    expect(page.locator("#gate")).to_be_visible()
    seen(page, "policy-family")
    page.get_by_role("link", name="Suggestions").click()
    expect(page.locator("h1")).to_contain_text("corrections")
    seen(page, "policy-suggestions")
