"""A customer's stories in the widget, in a real browser: answered, by keyboard, after a reload, a cut line and a restart."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from served_house import HOST_PORT, Served, free_port

from ledger.chats import recipient_of
from ledger.history import History
from ledger.store import open_store

ROUTINE = "What file types can I upload?"
DECISION = "Please refund last month, we hardly used it."


@pytest.fixture
def chat(browser_page: Any, served: Served) -> Any:
    """The page for trying, with its widget, as a visitor whom nobody knows."""
    browser_page.goto(f"{served.url}/try")
    browser_page.get_by_role("textbox", name="Your message").wait_for()
    return browser_page


def says(page: Any, text: str) -> None:
    """The customer types and sends."""
    field = page.get_by_role("textbox", name="Your message")
    field.fill(text)
    field.press("Enter")


def texts(page: Any) -> list[str]:
    """Every bubble but the widget's own greeting."""
    return list(page.locator(".line .text").all_inner_texts())[1:]


def held(page: Any) -> str:
    """The conversation that this browser holds."""
    found = page.evaluate("Object.entries(localStorage).find(([k]) => k.startsWith('lanewise-chat:'))[1]")
    return re.search(r'"id":"(chat-[0-9a-f]{32})"', found)[1]  # type: ignore[index]


def filed(served: Served, ticket: str) -> list[str]:
    """What the record holds of the customer's words."""
    store = open_store(served.ledger)
    try:
        history = History(store)
        assert history.ticket(ticket).recipient == recipient_of(ticket)
        return [m.text for m in history.thread(ticket) if m.role == "customer"]
    finally:
        store.close()


def test_a_routine_question_is_answered_by_the_assistant_which_says_what_it_is(chat: Any) -> None:
    assert "automated assistant (AI)" in chat.locator("header").inner_text()
    assert "not a person" in chat.locator(".line").first.inner_text()
    says(chat, ROUTINE)
    answer = chat.locator(".line.assistant").nth(1)
    answer.wait_for()
    assert "This is quoted from our help article" in answer.inner_text()
    assert "Automated assistant" in answer.inner_text()
    chat.get_by_role("button", name="That settles it").click()
    chat.get_by_text("This conversation is closed").wait_for()


def test_what_needs_a_decision_is_said_to_wait_for_a_colleague_and_an_address_can_be_left(chat: Any) -> None:
    says(chat, DECISION)
    chat.locator(".line.assistant").nth(1).wait_for()
    chat.get_by_role("status").get_by_text("A colleague will read this.").wait_for()
    assert "taken this over" not in chat.locator(".panel").inner_text()
    chat.get_by_role("textbox", name=re.compile("Leave an address")).fill("ines@fernhollow.example")
    chat.get_by_role("button", name="Leave address").click()
    chat.get_by_text("the address is kept").wait_for()
    assert chat.get_by_role("button", name="Leave address").is_hidden()


def test_a_person_can_be_asked_for_and_the_assistant_says_nothing_more_but_a_notice(chat: Any) -> None:
    chat.get_by_role("button", name="Talk to a person").click()
    chat.locator(".line.assistant").nth(1).wait_for()
    assert chat.get_by_role("button", name="Talk to a person").is_hidden()
    says(chat, ROUTINE)
    chat.get_by_role("status").get_by_text("A colleague will read this.").wait_for()
    chat.wait_for_timeout(3000)
    assert chat.locator(".line.assistant").count() == 2, "the greeting and one notice"


def test_all_of_it_works_by_keyboard_alone(chat: Any) -> None:
    chat.evaluate("document.querySelector('lanewise-chat').removeAttribute('inline')")
    chat.reload()
    chat.evaluate("document.querySelector('lanewise-chat').removeAttribute('inline')")
    chat.get_by_role("button", name="Close chat").focus()
    chat.keyboard.press("Escape")
    launch = chat.get_by_role("button", name="Open support chat")
    assert launch.get_attribute("aria-expanded") == "false" and chat.locator(".panel").is_hidden()
    chat.keyboard.press("Enter")
    assert focused(chat) == "Your message", "opening leads to where one writes"
    chat.keyboard.type(ROUTINE)
    chat.keyboard.press("Enter")
    chat.locator(".line.assistant").nth(1).wait_for()
    chat.get_by_role("button", name="That settles it").wait_for()
    back = []
    for _ in range(6):
        chat.keyboard.press("Shift+Tab")
        back.append(focused(chat))
    assert back == [
        "That settles it",
        "Talk to a person",
        "Attach a file",
        "Conversation",
        "Close chat",
        "New conversation",
    ]
    for _ in range(5):
        chat.keyboard.press("Tab")
    chat.keyboard.press("Enter")
    chat.get_by_text("This conversation is closed").wait_for()


def focused(page: Any) -> str:
    """The name of what has the focus."""
    said: str = page.evaluate(
        "(() => { const f = document.querySelector('lanewise-chat').shadowRoot.activeElement;"
        " return f && (f.getAttribute('aria-label') || f.textContent); })()"
    )
    return said


def test_a_reload_shows_the_whole_thread_again(chat: Any) -> None:
    says(chat, ROUTINE)
    chat.locator(".line.assistant").nth(1).wait_for()
    before = texts(chat)
    chat.reload()
    chat.locator(".line.assistant").nth(1).wait_for()
    assert texts(chat) == before and len(before) == 2


def test_what_is_written_without_a_connection_is_sent_once_when_it_is_back(chat: Any, served: Served) -> None:
    says(chat, "First, with a connection.")
    chat.locator(".line.customer:not(.wait)").wait_for()
    chat.context.set_offline(True)
    says(chat, "Second, without one.")
    chat.get_by_role("status").get_by_text("No connection").wait_for()
    assert chat.locator(".line.wait").count() == 1
    chat.context.set_offline(False)
    chat.locator(".line.wait").wait_for(state="detached")
    assert filed(served, held(chat)) == ["First, with a connection.", "Second, without one."]


@pytest.mark.parametrize("kill", [False, True], ids=["restarted", "killed"])
def test_a_restart_in_the_middle_loses_and_doubles_nothing(chat: Any, served: Served, kill: bool) -> None:
    says(chat, DECISION)
    chat.locator(".line.customer:not(.wait)").wait_for()
    served.stop(kill=kill)
    says(chat, "I wrote this while you were away.")
    chat.get_by_role("status").get_by_text("No connection").wait_for()
    served.start()
    chat.locator(".line.wait").wait_for(state="detached")
    # A run that was killed is begun anew once its lease is over, which takes less than half a minute.
    chat.locator(".line.assistant").nth(1).wait_for(timeout=120_000)
    assert filed(served, held(chat)) == [DECISION, "I wrote this while you were away."]
    assert [t for t in texts(chat) if "colleague" not in t] == [DECISION, "I wrote this while you were away."]


HOSTILE = (
    '<img src=x onerror="window.hit=1"><script>window.hit=1</script>',
    "</div><style>*{display:none}</style>{{7*7}}",
    "ok \u202egnp.exe\u202c and \u2066hidden\u2069 zero\u200bwi\ufeffdth",
    "javascript:window.hit=1",
)


def test_hostile_words_are_shown_as_words(chat: Any, served: Served) -> None:
    wrong: list[str] = []
    chat.on("request", lambda r: wrong.append(r.url) if not r.url.startswith((served.url, "data:")) else None)
    chat.on("console", lambda m: wrong.append(m.text) if "Content Security Policy" in m.text else None)
    for text in HOSTILE:
        says(chat, text)
    chat.locator(".line.customer:not(.wait)").nth(len(HOSTILE) - 1).wait_for()
    chat.reload()
    chat.locator(".line.customer").nth(len(HOSTILE) - 1).wait_for()
    shown = chat.locator(".line.customer .text").all_inner_texts()
    assert shown[0] == HOSTILE[0] and shown[1] == HOSTILE[1] and shown[3] == HOSTILE[3]
    assert shown[2] == "ok �gnp.exe� and �hidden� zero�wi�dth"
    assert chat.evaluate("window.hit") is None and wrong == []
    assert filed(served, held(chat))[2] == HOSTILE[2], "the record keeps what was written"


def test_another_customer_of_the_same_browser_sees_nothing_of_the_thread(chat: Any, served: Served) -> None:
    chat.goto(f"{served.url}/try?as=hazel")
    says(chat, "How many seats do we have?")
    chat.locator(".line.assistant").nth(1).wait_for()
    assert "12" in chat.locator(".line.assistant").nth(1).inner_text()
    # The same widget, now for somebody else: what this browser holds is not shown to them.
    chat.evaluate(
        "() => { const c = document.querySelector('lanewise-chat'); c.identity = () => fetch('/try/identity/nadia')"
        ".then(a => a.text()); c.remove(); document.querySelector('main').append(c); }"
    )
    chat.locator(".line.assistant").nth(1).wait_for(state="detached")
    assert texts(chat) == []


@pytest.mark.parametrize("language", ["en", "ar"])
def test_nothing_stands_in_the_way_of_assistive_technology(chat: Any, language: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    chat.evaluate("lang => document.querySelector('lanewise-chat').setAttribute('lang', lang)", language)
    if language == "ar":
        chat.get_by_role("textbox", name="رسالتك").wait_for()
        assert chat.locator(".panel").get_attribute("dir") == "rtl"
        chat.get_by_role("textbox", name="رسالتك").fill(DECISION)
        chat.keyboard.press("Enter")
    else:
        says(chat, DECISION)
    chat.locator(".contact").wait_for()
    found = axe.Axe().run(chat)
    assert found.response["violations"] == [], found.generate_report()


@contextmanager
def host_page(port: int, served: Served) -> Iterator[str]:
    """Somebody else's page with the widget, under a policy that lets nothing else in."""
    policy = f"default-src 'none'; script-src {served.url}; connect-src {served.url}; img-src data:"
    body = (
        f'<!doctype html><title>A shop</title><link rel="icon" href="data:,"><lanewise-chat open></lanewise-chat>'
        f'<script src="{served.url}/static/lanewise/chat.js" defer></script>'
    ).encode()

    class Shop(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Security-Policy", f"{policy}; require-trusted-types-for 'script'")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", port), Shop) as shop:
        threading.Thread(target=shop.serve_forever, daemon=True).start()
        yield f"http://localhost:{port}"
        shop.shutdown()


def test_a_page_of_another_origin_shows_it_under_a_strict_policy(browser_page: Any, served: Served) -> None:
    complaints: list[str] = []
    browser_page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
    with host_page(HOST_PORT, served) as page:
        browser_page.goto(page)
        says(browser_page, ROUTINE)
        browser_page.locator(".line.assistant").nth(1).wait_for()
        looks = browser_page.locator(".panel").evaluate("p => getComputedStyle(p).position")
        assert looks == "fixed", "its styles are let in"
        assert complaints == []


def test_a_page_that_is_not_named_shows_the_widget_and_reaches_nothing(browser_page: Any, served: Served) -> None:
    with host_page(free_port(), served) as page:
        browser_page.goto(page)
        says(browser_page, ROUTINE)
        browser_page.get_by_role("status").get_by_text("No connection").wait_for()
        assert browser_page.locator(".line.assistant").count() == 1, "its own greeting"
