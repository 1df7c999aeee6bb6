"""A customer sends a file in the widget, and comes back to a conversation that was answered by mail, in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from served_house import Served

from ledger.history import History
from ledger.store import open_store

pytestmark = pytest.mark.browser


@pytest.fixture
def chat(browser_page: Any, served: Served) -> Any:
    """The page for trying, as a visitor whom nobody knows."""
    browser_page.goto(f"{served.url}/try")
    browser_page.get_by_role("textbox", name="Your message").wait_for()
    return browser_page


def says(page: Any, text: str) -> None:
    """The customer types and sends."""
    field = page.get_by_role("textbox", name="Your message")
    field.fill(text)
    field.press("Enter")


def test_a_file_is_attached_shown_and_kept_and_one_of_another_kind_is_refused_in_words(
    chat: Any, served: Served, tmp_path: Path
) -> None:
    attach = chat.get_by_role("button", name="Attach a file")
    assert attach.count() == 0 or not attach.is_visible(), "there is no conversation yet that it could belong to"
    says(chat, "The seats look like this:")
    attach.wait_for()
    picture, program = tmp_path / "seats.png", tmp_path / "seats.exe"
    picture.write_bytes(b"\x89PNG" + b"x" * 300_000)
    program.write_bytes(b"MZ")
    with chat.expect_file_chooser() as choosing:
        attach.focus()
        chat.keyboard.press("Enter")
    choosing.value.set_files(picture)
    chat.locator(".line.customer .text", has_text="seats.png").wait_for()
    with chat.expect_file_chooser() as choosing:
        attach.click()
    choosing.value.set_files(program)
    chat.get_by_role("status").get_by_text("files of this kind cannot be sent here").wait_for()
    chat.reload()
    chat.locator(".line.customer .text", has_text="seats.png").wait_for()
    found = chat.evaluate("Object.entries(localStorage).find(([k]) => k.startsWith('lanewise-chat:'))[1]")
    ticket = re.search(r'"id":"(chat-[0-9a-f]{32})"', found)
    assert ticket is not None
    store = open_store(served.ledger)
    try:
        kept = [a for m in History(store).thread(ticket[1]) for a in m.attachments]
    finally:
        store.close()
    assert len(kept) == 1 and kept[0].startswith("seats.png (kept as ")


def test_what_was_answered_by_mail_is_said_so_to_who_comes_back(chat: Any) -> None:
    line = {"number": 1, "role": "agent", "text": "", "at": "2026-03-10T09:00:00+00:00", "key": "", "piece": "approved"}
    told = json.dumps({**line, "asks_person": False, "erased": False, "mailed": True})
    chat.route(
        "**/events",
        lambda route: route.fulfill(
            status=200, content_type="text/event-stream", body=f"id: 1\nevent: line\ndata: {told}\n\n"
        ),
    )
    says(chat, "Hello again.")
    chat.locator(".line.agent .text").get_by_text("This was answered by e-mail, since you had left.").wait_for()
