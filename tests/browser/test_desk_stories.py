"""Stories at the desk, in a real browser: from a customer's mail to a reply, whatever happens in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_desk import REFUND, TALK, WRITER, ServedDesk, a_browser, finished_draft, open_desk, served_desk, waits
from playwright.sync_api import Browser, expect

from desk.accounts.signing_in import start_session
from desk.channels.eml import words_of
from desk.operators import inbox as operator_inbox
from desk.security import COOKIE
from guards.lanes import Lane
from ledger.decisions import Signature
from ledger.events import Kind

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


def sent(desk: ServedDesk) -> list[str]:
    """The words of what has left."""
    return [words_of(letter.read_bytes()) for letter in desk.letters]


def test_the_refund_case_goes_from_the_customers_mail_to_the_desk_to_a_reply(
    desk: ServedDesk, browser: Browser
) -> None:
    desk.asked("T-1", REFUND, subject="Refund of 40 seats")
    with browser.new_context() as context:
        page = desk.signed_in(context, "Marek")
        open_desk(page, desk)
        page.get_by_text("Refund of 40 seats").click()
        expect(page.locator(".conversation h1")).to_have_text("Refund of 40 seats", timeout=SLOW)
        expect(page.locator(".packet")).to_contain_text("did not", ignore_case=True)
        expect(page.locator(".seen")).to_contain_text("Only a notice")
        page.keyboard.press("c")
        expect(page.locator(".standing")).to_contain_text("yours", timeout=SLOW)
        page.keyboard.press("e")
        page.keyboard.type("Hello Ingrid,\nI am looking into the order and write again today.\nMarek")
        expect(page.locator("#follows")).to_contain_text("leaves for ingrid@harrowpell.example", timeout=SLOW)
        page.keyboard.press("Control+Enter")
        expect(page.locator("#told")).to_contain_text("Your answer leaves", timeout=SLOW)
        waits(lambda: any("write again today" in words for words in sent(desk)), "the letter")
        expect(page.locator(".message.agent")).to_contain_text("Marek", timeout=SLOW)
    answered = [e for e in desk.place.history.timeline("T-1") if e.kind is Kind.LOOKED]
    assert len(answered) == 1 and answered[0].actor == "Marek" and answered[0].head["seconds"] >= 0


def test_a_lane_that_rises_while_an_agent_edits_is_told_at_once_and_the_text_is_kept(
    desk: ServedDesk, browser: Browser
) -> None:
    desk.asked("T-2", TALK, subject="A talk?", **WRITER)
    with browser.new_context() as context:
        page = desk.signed_in(context, "Marek")
        open_desk(page, desk, "T-2")
        page.locator("#text").fill("Hello Hazel, my colleague decides on talks.\nMy own last line.")
        desk.receive(
            "T-2", "Also, my lawyer will sue you over this, and we want a refund of everything.", "m-2", **WRITER
        )
        expect(page.locator("#since")).to_contain_text("The customer has written again", timeout=SLOW)
        waits(lambda: desk.place.history.register("T-2").lane is Lane.HUMAN_OWNED, "lane 3")
        expect(page.locator("#since")).to_contain_text("The lane rose from 2 to 3", timeout=SLOW)
        assert page.locator("#text").input_value().endswith("My own last line.")
        page.locator("#text").press("Control+Enter")
        expect(page.locator("#told")).to_contain_text("This changed since you looked", timeout=SLOW)
        assert page.locator("#text").input_value().endswith("My own last line.")
        page.locator("#told [data-refresh]").click()
        expect(page.locator(".standing .lane")).to_have_text("3", timeout=SLOW)
        assert page.locator("#text").input_value().endswith("My own last line."), "the text outlives the fresh look"
    assert not any("My own last line" in words for words in sent(desk))


def test_what_was_typed_is_gone_from_the_browser_with_the_sign_out_and_is_shown_to_nobody_else(
    desk: ServedDesk, browser: Browser
) -> None:
    desk.asked("T-9", TALK, subject="A talk?", **WRITER)
    with browser.new_context() as context:
        page = desk.signed_in(context, "Marek")
        open_desk(page, desk, "T-9")
        page.locator("#text").fill("Only Marek reads this.")
        open_desk(page, desk, "T-9")
        assert page.locator("#text").input_value() == "Only Marek reads this.", "a reload keeps it"
        mine = context.cookies()
        context.add_cookies([{"name": COOKIE, "value": start_session(desk.counter.accounts, "Oona"), "url": desk.url}])
        open_desk(page, desk, "T-9")
        assert "Only Marek" not in page.locator("#text").input_value()
        context.add_cookies([{"name": c["name"], "value": c["value"], "url": desk.url} for c in mine])
        open_desk(page, desk, "T-9")
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in")
        assert "Only Marek" not in page.evaluate("JSON.stringify(sessionStorage)")


def test_two_agents_on_one_ticket_know_of_each_other_and_one_answers(desk: ServedDesk, browser: Browser) -> None:
    desk.asked("T-3", TALK, subject="A talk?", **WRITER)
    finished_draft(desk, "T-3", "Hello Hazel, I will ask and write again.")
    with browser.new_context() as one, browser.new_context() as two:
        first, second = desk.signed_in(one, "Marek"), desk.signed_in(two, "Oona")
        open_desk(first, desk, "T-3")
        open_desk(second, desk, "T-3")
        expect(second.locator("#since")).to_contain_text("Marek has this ticket open too", timeout=SLOW)
        second.locator("#text").fill("Hello Hazel, something else entirely.")
        first.keyboard.press("a")
        expect(first.locator("#told")).to_contain_text("Approved as it stood", timeout=SLOW)
        expect(second.locator("#since")).to_contain_text("Marek approved the draft", timeout=SLOW)
        second.locator("#approve").click()
        expect(second.locator("#told")).to_contain_text("decided already: approved by Marek", timeout=SLOW)
        assert second.locator("#text").input_value() == "Hello Hazel, something else entirely."
        waits(lambda: any("I will ask and write again" in words for words in sent(desk)), "the letter")
    assert not any("something else entirely" in words for words in sent(desk))


def test_a_server_that_is_restarted_in_the_middle_loses_no_text_and_sends_once(
    tmp_path: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator_inbox, "BLIND_SHARE", 0.0)
    desk = ServedDesk(tmp_path)
    desk.start()
    desk.asked("T-4", REFUND)
    with browser.new_context() as context:
        page = desk.signed_in(context, "Marek")
        open_desk(page, desk, "T-4")
        page.locator("#text").fill("I am looking into it. Marek")
        desk.stop()
        page.locator("#text").press("Control+Enter")
        expect(page.locator("#told")).to_contain_text("The server did not answer", timeout=SLOW)
        assert page.locator("#text").input_value() == "I am looking into it. Marek"
        desk.place.store.close()
        again = ServedDesk(tmp_path, port=desk.port)
        again.start()
        try:
            page.locator("#text").press("Control+Enter")
            expect(page.locator("#told")).to_contain_text("Your answer leaves", timeout=SLOW)
            waits(lambda: sum("I am looking into it" in words for words in sent(again)) == 1, "the letter")
            again.receive("T-5", "Please cancel our contract today.")
            expect(page.locator("#queue")).to_contain_text("A question", timeout=SLOW)
        finally:
            again.stop()
            again.place.store.close()


def test_a_note_stands_in_the_thread_for_colleagues_and_a_stale_claim_is_taken_over(
    desk: ServedDesk, browser: Browser
) -> None:
    desk.asked("T-6", REFUND)
    desk.place.people.claim("T-6", Signature("Oona", "mine", "c-1"))
    with browser.new_context() as context:
        page = desk.signed_in(context, "Hazel Lead")
        open_desk(page, desk, "T-6")
        expect(page.locator(".standing")).to_contain_text("Oona has it")
        page.keyboard.press("i")
        page.keyboard.type("Ask finance about order 88 first.")
        page.keyboard.press("Control+Enter")
        expect(page.locator(".message.note")).to_contain_text("Ask finance", timeout=SLOW)
        page.keyboard.press("t")
        page.keyboard.type("Oona is away")
        page.keyboard.press("Enter")
        expect(page.locator(".standing")).to_contain_text("yours", timeout=SLOW)
    assert desk.place.history.register("T-6").claimed_by == "Hazel Lead"


def test_a_sampled_reviewer_names_the_lane_before_ours_is_shown(
    tmp_path: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator_inbox, "BLIND_SHARE", 1.0)
    with served_desk(tmp_path) as desk, browser.new_context() as context:
        desk.asked("T-7", REFUND)
        page = desk.signed_in(context, "Marek")
        open_desk(page, desk, "T-7")
        expect(page.locator(".packet")).to_contain_text("The packet is hidden")
        assert page.locator(".lane").count() == 0, "no lane is shown anywhere"
        assert page.locator("#text").count() == 0, "and no draft"
        page.keyboard.press("2")
        expect(page.locator("#told")).to_contain_text("You named lane 2; ours was lane 3", timeout=SLOW)
        expect(page.locator(".packet")).to_contain_text("Decision wanted", ignore_case=True)
        named = [e for e in desk.place.history.timeline("T-7") if e.head.get("decision") == "lane_named"]
        assert [(e.actor, e.head["to"], e.head["ours"]) for e in named] == [("Marek", 2, 3)]
