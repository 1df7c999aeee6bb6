"""The pictures in the docs: taken of the desk as it is, so that they cannot show another one."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from browser_desk import REFUND, TALK, WRITER, a_browser, finished_draft, open_desk, served_desk, waits
from playwright.sync_api import expect
from unseen_tickets import answered

from desk.audits.auditing import draw, give_verdict, read_judgement
from desk.operators import inbox as operator_inbox
from desk.records import open_records
from desk.settings import load_settings

pytestmark = pytest.mark.browser
SLOW = 60_000
PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
LARGEST = 300_000
"""Bytes of one picture."""


def test_the_desks_pictures_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator_inbox, "BLIND_SHARE", 0.0)
    folder = PICTURES if os.environ.get("PICTURES_INTO") == "docs" else tmp_path
    folder.mkdir(exist_ok=True)
    with served_desk(tmp_path) as desk, a_browser() as browser:
        desk.asked("T-1041", REFUND, subject="Refund of 40 seats")
        desk.asked("T-1042", TALK, subject="A talk?", **WRITER)
        finished_draft(
            desk,
            "T-1042",
            "Hello Hazel,\n\nthank you for asking. Talks are decided by my colleagues in the field; I have asked them, and write again as soon as I know.\n\nMarek",
        )
        desk.asked(
            "T-1043",
            "I am locked out of my admin account since the roles were changed. Please restore my access.",
            subject="Locked out",
            requester_email="leda@brightwater.example",
            requester_name="Leda Nyman",
            recipient="leda@brightwater.example",
        )
        waits(lambda: not desk.counter.worker.busy, "rest")
        for scheme, ticket, name in (
            ("light", "T-1041", "desk.png"),
            ("light", "T-1042", "desk-draft.png"),
            ("dark", "T-1043", "desk-dark.png"),
        ):
            context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
            page = desk.signed_in(context, "Marek")
            open_desk(page, desk, ticket)
            if ticket == "T-1042":
                box = page.locator("#text")
                box.fill(box.input_value().replace("as soon as I know", "on Thursday"))
                expect(page.locator(".diff")).to_be_visible(timeout=SLOW)
            page.wait_for_timeout(500)
            page.screenshot(path=folder / name)
            context.close()
            size = (folder / name).stat().st_size
            assert 10_000 < size < LARGEST, f"{name} has {size} bytes"


def test_the_picture_of_audits_is_taken(tmp_path: Path) -> None:
    folder = PICTURES if os.environ.get("PICTURES_INTO") == "docs" else tmp_path
    records = open_records(load_settings(tmp_path, {}), lambda: datetime(2026, 2, 3, 9, tzinfo=UTC))
    for number, (subject, text, answer, family, consequence) in enumerate(UNSEEN, 1):
        more = {"subject": subject, "families": (family,), "consequence": consequence}
        answered(records.store, f"T-{number}", text, answer, **more)
    records.store.close()
    with served_desk(tmp_path, posts=False) as desk, a_browser() as browser:
        made = draw(desk.place, "2026-W06", "Hazel Lead", seed=4).draw
        assert made is not None and len(made.audits) == len(UNSEEN)
        for audit in made.audits:
            if audit.ticket in ("T-4", "T-5"):
                give_verdict(desk.place, audit.id, "Aud", read_judgement("no", [], "none", ""))
        shown = next(a.id for a in made.audits if a.ticket == "T-1")
        context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
        page = desk.signed_in(context, "Aud")
        page.goto(f"{desk.url}/desk/audits?audit={shown}")
        page.wait_for_selector("html[data-ready=yes]", state="attached")
        for key in ("2", "3", "m"):
            page.keyboard.press(key)
        expect(page.locator("#says")).to_contain_text("fault: missing signal", timeout=SLOW)
        expect(page.locator(".bar .count .badge").first).to_be_visible(timeout=SLOW)
        page.wait_for_timeout(500)
        page.screenshot(path=folder / "audits.png")
        context.close()
        assert 10_000 < (folder / "audits.png").stat().st_size < LARGEST


UNSEEN = (
    (
        "Guests and single sign-on",
        "Hi, can guests sign in through our own identity provider as well? We moved to another one on Monday, and our former admin set the guests up before she left.\n\nThanks, Leda",
        'This is quoted from our help article "Guests": guests sign in by a link that is sent to their address.',
        "feature_access",
        "high",
    ),
    (
        "Receipts of last year",
        "Where do we find the receipts of last year?",
        "Under Settings, then Billing.",
        "billing",
        "medium",
    ),
    (
        "A colleague's seat",
        "How do I give a seat to a colleague?",
        "Under Settings, then Members.",
        "seats_permissions",
        "low",
    ),
    ("File types", "What file types can I upload?", "Documents, pictures and tables.", "documentation", "low"),
    ("Export format", "Which format has the export?", "It is a table with commas.", "documentation", "low"),
)
"""Made up: subject, question, answer, family and consequence."""
