"""Whatever a stranger writes, and wherever it is shown: no script of theirs runs, and nothing is fetched for them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from browser_desk import TALK, a_browser, open_desk, served_desk, waits
from playwright.sync_api import Page, expect
from unseen_tickets import answered

from desk.accounts.people import Role
from desk.audits.auditing import draw
from desk.operators import inbox as operator_inbox
from desk.records import open_records
from desk.settings import load_settings

pytestmark = pytest.mark.browser
SLOW = 60_000

HOSTILE = (
    "<script>window.hit=1</script><img src=x onerror='window.hit=2'><img src=https://evil.example/p.png>"
    "<svg onload=window.hit=3><a href='javascript:window.hit=4'>x</a>\"><body onload=window.hit=5>"
    "' onfocus='window.hit=6' autofocus='{{7*7}}${7*7}</textarea><script>window.hit=7</script>"
    "<div hx-get='https://evil.example/hx' hx-trigger='load'></div><iframe src=https://evil.example></iframe>"
    "<meta http-equiv=refresh content='0;url=https://evil.example'><link rel=stylesheet href=//evil.example/c.css>"
    "<style>@import 'https://evil.example/s.css'</style>\u202egnp.exe\u200b\u2066 </details></article></dialog>"
)
WATCH = """
window.violations = [];
document.addEventListener('securitypolicyviolation', (e) => window.violations.push(e.violatedDirective + ' ' + e.blockedURI));
for (const name of ['alert', 'confirm', 'prompt']) window[name] = () => { window.hit = name; };
"""


def _shows_nothing_of_theirs(page: Page, asked: list[str], where: str) -> None:
    assert page.evaluate("window.hit") is None, f"a stranger's script ran on {where}"
    assert page.evaluate("window.violations") == [], where
    assert [u for u in asked if "127.0.0.1" not in u and not u.startswith("data:")] == [], where
    hidden = page.evaluate("/[\\u202a-\\u202e\\u2066-\\u2069\\u200b]/.test(document.body.innerText)")
    assert hidden is False, f"a character that cannot be seen is left as it is on {where}"


def test_hostile_words_in_every_field_run_nothing_and_fetch_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator_inbox, "BLIND_SHARE", 0.0)
    ticket = "T-<script>window.hit=8</script>'\"/?&#"
    with served_desk(tmp_path) as desk, a_browser() as browser, browser.new_context() as context:
        field = HOSTILE.replace("\n", " ")
        for key, text in (("m-1", f"{TALK} {HOSTILE}"), ("m-2", HOSTILE)):
            desk.asked(
                ticket,
                text,
                f"{key}{field[:80]}",
                subject=field[:900],
                requester_name=field[:190],
                requester_email="hazel@maplefinch.example",
                attachments=(field[:200], "a.png'onerror=window.hit=9"),
            )
        desk.receive("T-2", HOSTILE, subject=field[:500])
        waits(lambda: not desk.counter.worker.busy, "rest")
        context.add_init_script(WATCH)
        page = desk.signed_in(context, "Hazel Lead")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: dialog.dismiss())
        open_desk(page, desk)
        for tab in ("w", "m", "l", "r"):
            page.keyboard.press("g")
            page.keyboard.press(tab)
            page.wait_for_timeout(400)
            _shows_nothing_of_theirs(page, asked, f"the list {tab}")
        page.keyboard.press("g")
        page.keyboard.press("w")
        page.keyboard.press("j")
        page.wait_for_timeout(400)
        page.keyboard.press("n")
        expect(page.locator(".conversation h1")).to_contain_text("<script>", timeout=SLOW)
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        page.wait_for_timeout(600)
        _shows_nothing_of_theirs(page, asked, "the ticket")
        page.locator("#text").fill(HOSTILE)
        expect(page.locator(".marks")).to_contain_text("U+202E", timeout=SLOW)
        assert page.evaluate("window.hit") is None and page.evaluate("window.violations") == []
        page.locator("#text").press("Escape")
        page.keyboard.press("i")
        page.locator("dialog[open] textarea").fill(HOSTILE)
        page.keyboard.press("Control+Enter")
        expect(page.locator(".message.note")).to_be_visible(timeout=SLOW)
        for name in ("route", "lane", "triggers", "hand-back", "merge", "transfer"):
            page.evaluate(f"document.getElementById('dialog-{name}').showModal()")
            page.wait_for_selector(f"#dialog-{name}[open]")
            page.evaluate(f"document.getElementById('dialog-{name}').close()")
        _shows_nothing_of_theirs(page, asked, "the notes")
        page.goto(f"{desk.url}/desk?ticket=%3Cscript%3Ewindow.hit%3D10%3C/script%3E&tab=%22%3E%3Cimg&queue=%27%3E")
        page.wait_for_timeout(400)
        _shows_nothing_of_theirs(page, asked, "a page whose address is theirs")


def test_hostile_words_on_the_pages_of_audits_and_reviews_run_nothing_and_fetch_nothing(tmp_path: Path) -> None:
    field, ticket = HOSTILE.replace("\n", " "), "T-<script>window.hit=8</script>'\"/?&#"
    records = open_records(load_settings(tmp_path, {}), lambda: datetime(2026, 2, 3, 9, tzinfo=UTC))
    told = {"subject": field[:900], "requester_name": field[:190], "attachments": (field[:200],)}
    answered(records.store, ticket, HOSTILE, HOSTILE, families=("billing",), consequence="high", **told)
    records.store.close()
    with served_desk(tmp_path, posts=False) as desk, a_browser() as browser, browser.new_context() as context:
        desk.counter.accounts.add("Jonas <img src=x onerror=window.hit=11>", "", None, [Role.AUDITOR])
        audit = draw(desk.place, "2026-W06", "Hazel Lead").draw.audits[0].id  # type: ignore[union-attr]
        context.add_init_script(WATCH)
        asked: list[str] = []

        def walked(page: Page, path: str, where: str) -> None:
            page.goto(desk.url + path)
            page.wait_for_selector("html[data-ready=yes]", state="attached")
            page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
            page.wait_for_timeout(300)
            _shows_nothing_of_theirs(page, asked, where)

        for name in ("Aud", "Jonas <img src=x onerror=window.hit=11>"):
            page = desk.signed_in(context, name)
            page.on("request", lambda request: asked.append(request.url))
            walked(page, "/desk/audits", "a ticket to judge")
            expect(page.locator("#work h1")).to_contain_text("<script>")
            page.locator("#note").fill(HOSTILE)
            page.locator("#note").press("Escape")
            for key in ("2", "b", "Enter"):
                page.keyboard.press(key)
            expect(page.locator("#told")).to_contain_text(f"{audit} is recorded", timeout=SLOW)
            _shows_nothing_of_theirs(page, asked, "a verdict")
        walked(page, f"/desk/audits?audit={audit}", "both verdicts")
        expect(page.locator(".note-said").first).to_contain_text("<script>")
        walked(page, "/desk/audits/report", "the report")
        expect(page.locator(".case")).to_contain_text("<script>")
        page.goto(f"{desk.url}/desk/audits?audit=%3Cscript%3Ewindow.hit%3D10%3C/script%3E")
        _shows_nothing_of_theirs(page, asked, "an address of theirs")
        walked(page, "/desk/reviews?topic=risky-not-escalated", "a review to open")
        page.keyboard.press("o")
        expect(page.locator(".material")).to_contain_text("T-<script>", timeout=SLOW)
        page.locator("#decision").fill(HOSTILE)
        page.locator("#owner").fill(field[:150])
        page.locator("#owner").press("Control+Enter")
        expect(page.locator("#told")).to_contain_text("sees to it", timeout=SLOW)
        _shows_nothing_of_theirs(page, asked, "a closed review")
        page.reload()
        _shows_nothing_of_theirs(page, asked, "the list of those held")
        page.locator(".material a").first.click()
        expect(page.locator(".conversation h1")).to_contain_text("<script>", timeout=SLOW)
        _shows_nothing_of_theirs(page, asked, "the ticket that a review names")
