"""One person clears twenty mixed tickets with nothing but the keyboard, by every decision there is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from browser_desk import REFUND, TALK, WRITER, ServedDesk, a_browser, finished_draft, open_desk, served_desk, waits
from playwright.sync_api import Page, expect

from desk.operators import inbox as operator_inbox
from ledger.decisions import DecisionKind
from ledger.events import Kind
from ledger.reviews import Review
from ledger.worker import WorkerLedger

pytestmark = pytest.mark.browser
SLOW = 60_000
LOADED = "performance.getEntriesByType('navigation').length + '/' + performance.timeOrigin"


@dataclass
class Keyboard:
    """Keys, counted: commands, and the characters of what a person has to say."""

    page: Page
    commands: int = 0
    written: int = 0

    def press(self, *keys: str) -> None:
        """Commands, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)
            self.commands += 1

    def write(self, words: str) -> None:
        """What somebody reads."""
        self.page.keyboard.type(words)
        self.written += len(words)

    def told(self, words: str) -> None:
        """Waits until the desk says that it was done."""
        expect(self.page.locator("#told")).to_contain_text(words, timeout=SLOW)

    def dialog(self, key: str) -> None:
        """Opens a window, and waits until it is there."""
        self.press(key)
        self.page.wait_for_selector("dialog[open]")


def _answer(keys: Keyboard, end: str = "Control+Enter") -> None:
    keys.press("e")
    keys.write("I look into it and write again.")
    keys.press(end)
    keys.told("Your answer leaves")


def _resolve(keys: Keyboard) -> None:
    keys.press("z")
    keys.told("Resolved")


def _approve(keys: Keyboard) -> None:
    keys.press("a")
    keys.told("Approved as it stood")


def _edit(keys: Keyboard) -> None:
    keys.press("e")
    keys.write(" Yours, Hazel")
    keys.press("Control+Enter")
    keys.told("Approved with your changes")


def _reject_and_answer(keys: Keyboard) -> None:
    keys.dialog("x")
    keys.write("wrong")
    keys.press("Enter")
    keys.told("The draft will not leave")
    _answer(keys)


def _claim_and_approve(keys: Keyboard) -> None:
    keys.press("c")
    keys.told("The thread is yours")
    _approve(keys)


def _rate_and_approve(keys: Keyboard) -> None:
    keys.press("+")
    keys.told("saved time")
    _approve(keys)


def _own_words(keys: Keyboard) -> None:
    keys.press("e", "Control+a")
    keys.write("My own words.")
    keys.press("Escape", "w")
    keys.told("Your answer leaves")


def _mark(keys: Keyboard) -> None:
    keys.page.wait_for_selector("#queue .row-item.at .pick")
    keys.press("v")
    expect(keys.page.locator("#queue .row-item.at .pick")).to_be_checked()


def _mark_and_approve_all(keys: Keyboard) -> None:
    _mark(keys)
    keys.press("V")
    keys.told("Approved as it stood")


def _route(keys: Keyboard) -> None:
    keys.dialog("r")
    keys.press("ArrowDown", "Enter")
    keys.told("It is with")
    _resolve(keys)


def _lane(keys: Keyboard) -> None:
    keys.dialog("l")
    keys.press("2", "Tab")
    keys.write("milder")
    keys.press("Enter")
    keys.told("in lane 2 now")
    _resolve(keys)


def _triggers(keys: Keyboard) -> None:
    keys.dialog("y")
    keys.press("l", *["Tab"] * 6)
    keys.write("no rule")
    keys.press("Enter")
    keys.told("correction stands")
    _resolve(keys)


def _hand_back(keys: Keyboard) -> None:
    keys.dialog("h")
    keys.press("Tab")
    keys.write("simple")
    keys.press("Enter")
    keys.told("The assistant works on")


def _merge(keys: Keyboard) -> None:
    keys.dialog("m")
    keys.press("Enter")
    keys.told("Merged into")


def _note(keys: Keyboard) -> None:
    keys.dialog("i")
    keys.write("see order 88")
    keys.press("Control+Enter")
    keys.told("kept for your colleagues")
    _resolve(keys)


def _order(keys: Keyboard) -> None:
    keys.dialog("o")
    keys.press("Tab", "Tab", "Tab")
    for words in ("40", "USD", "not used", "agreed"):
        keys.write(words)
        keys.press("Tab")
    keys.press("Space", "Enter")
    keys.told("Ordered under your name")
    _answer(keys)


def _decide(keys: Keyboard) -> None:
    keys.dialog("d")
    keys.press("Tab", "Tab", "Tab")
    keys.write("late")
    keys.press("Enter")
    keys.told("The action is decided")
    _answer(keys)


def _transfer(keys: Keyboard) -> None:
    keys.dialog("t")
    keys.press("Tab")
    keys.write("yours")
    keys.press("Enter")
    keys.told("Marek has the thread now")


def _claim_and_release(keys: Keyboard) -> None:
    keys.press("c")
    keys.told("The thread is yours")
    keys.press("u")
    keys.told("free for somebody else")
    keys.press("-")
    keys.told("repeated")
    _resolve(keys)


DRAFTS: list[Callable[[Keyboard], None]] = [
    _approve,
    _edit,
    _reject_and_answer,
    _claim_and_approve,
    _rate_and_approve,
    _own_words,
    _mark,
    _mark_and_approve_all,
]
OWNED: list[Callable[[Keyboard], None]] = [
    _answer,
    _route,
    _lane,
    _triggers,
    _hand_back,
    _merge,
    _note,
    _order,
    _decide,
    _transfer,
    _claim_and_release,
    _resolve,
]
DONE_BY_KEYS = {
    *(DecisionKind.CLAIMED, DecisionKind.RELEASED, DecisionKind.APPROVED, DecisionKind.EDITED_AND_APPROVED),
    *(DecisionKind.REJECTED, DecisionKind.ANSWERED, DecisionKind.LANE_CHANGED, DecisionKind.TRIGGERS_CORRECTED),
    *(DecisionKind.ROUTED, DecisionKind.ACTION_DECIDED, DecisionKind.CHANGE_APPROVED, DecisionKind.HANDED_BACK),
    *(DecisionKind.RESOLVED, DecisionKind.PACKET_RATED, DecisionKind.TRANSFERRED, DecisionKind.MERGED),
    DecisionKind.LANE_NAMED,
}


def _twenty(desk: ServedDesk) -> list[Review]:
    tickets = [f"T-{n:02}" for n in range(1, 21)]
    for n, ticket in enumerate(tickets):
        drafted = n % 5 in (0, 2) and n < 20
        text, more = (TALK, WRITER) if drafted else (REFUND, {})
        desk.receive(ticket, text, subject=f"Question {n + 1}", **more)
    waits(lambda: len(desk.place.reviews.open()) == 20, "twenty reviews", seconds=400)
    waits(lambda: not desk.counter.worker.busy, "rest")
    for review in desk.place.reviews.open():
        if review.draft is not None:
            finished_draft(desk, review.ticket, "Hello Hazel, I ask my colleagues and write again.")
        else:
            asked = WorkerLedger(desk.place.store)
            asked.open_action(review.ticket, asked.register(review.ticket).revision, 3, "state_change")
    return list(desk.place.reviews.open())


def test_one_person_clears_twenty_mixed_tickets_by_the_keyboard_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set(DecisionKind) - {DecisionKind.ERASED} == DONE_BY_KEYS, "erasure alone is not done from here"
    blind: list[str] = []
    monkeypatch.setattr(operator_inbox, "asked_blind", lambda review, share=None: review in blind)
    with served_desk(tmp_path) as desk, a_browser() as browser, browser.new_context() as context:
        reviews = _twenty(desk)
        blind.append(reviews[4].id)
        drafts, owned = list(DRAFTS), list(OWNED)
        page = desk.signed_in(context, "Hazel Lead")
        open_desk(page, desk)
        loaded = page.evaluate(LOADED)
        keys, cleared = Keyboard(page), 0
        per_ticket: list[int] = []
        open_before = ""
        while cleared < 20:
            before = keys.commands + keys.written
            keys.press("n")
            pane = page.locator(f".conversation[data-ticket]:not([data-ticket='{open_before}'])")
            pane.wait_for(timeout=SLOW)
            open_before = pane.get_attribute("data-ticket") or ""
            if pane.get_attribute("data-blind") is not None:
                keys.press("3")
                keys.told("You named lane 3")
            is_draft = page.locator("#approve").count() == 1
            (drafts if is_draft else owned).pop(0)(keys)
            cleared += 1
            per_ticket.append(keys.commands + keys.written - before)
        assert not drafts and not owned, "every decision was used"
        keys.dialog("H")
        keys.press("Tab", "Enter")
        expect(page.locator("#house")).to_contain_text("Halted", timeout=SLOW)
        keys.dialog("R")
        keys.press("Tab")
        keys.write("over")
        keys.press("Enter")
        expect(page.locator("#house")).not_to_contain_text("Halted", timeout=SLOW)
        assert page.evaluate(LOADED) == loaded, "the page was never loaded again"
        left = [r.ticket for r in desk.place.reviews.open() if r.claimed_by != "Marek"]
        assert left == [], "nothing is left"
        _none_lost(desk)
    with capsys.disabled():
        sys.stdout.write(
            f"\nkeyboard: 20 tickets, {keys.commands} command keys ({keys.commands / 20:.1f} a ticket) and "
            f"{keys.written} characters of text ({keys.written / 20:.1f} a ticket); fewest {min(per_ticket)}, most "
            f"{max(per_ticket)} on one ticket\n"
        )
    assert min(per_ticket) <= 3, "a plain approval takes two keys"


def _none_lost(desk: ServedDesk) -> None:
    """Each ticket was decided by name, and all kinds of decision stand in the ledger."""
    kinds: set[str] = set()
    for ticket in desk.place.history.tickets():
        decided = [e for e in desk.place.history.timeline(ticket) if e.kind is Kind.PERSON_DECIDED]
        assert decided and {e.actor for e in decided} == {"Hazel Lead"}, ticket
        kinds |= {str(e.head["decision"]) for e in decided}
    assert kinds == {k.value for k in DONE_BY_KEYS}
