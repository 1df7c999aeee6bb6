"""The pictures in the docs: taken of the desk as it is, so that they cannot show another one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from browser_desk import DISCOUNT, REFUND, WRITER, a_browser, finished_draft, open_desk, served_desk, waits
from playwright.sync_api import expect

from desk import operator_inbox

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
        desk.asked("T-1042", DISCOUNT, subject="A discount?", **WRITER)
        finished_draft(
            desk,
            "T-1042",
            "Hello Hazel,\n\nthank you for asking. Discounts are decided by my colleagues in sales; I have asked them, and write again as soon as I know.\n\nMarek",
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
