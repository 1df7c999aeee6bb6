"""The review calendar at the desk, without a browser: who may, opening with the material, closing with an owner."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from learning_desk import NO, PEOPLE, YES, LearningDesk
from unseen_tickets import answered

from desk.accounts.people import ALLOWED, May
from ledger.events import Kind

PAGES = ("/desk/reviews", "/desk/reviews/work", "/desk/reviews/due")
RISKY = "risky-not-escalated"
HOSTILE = "<script>window.hit=1</script><img src=x onerror='window.hit=2'>\u202egnp\u200b"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[LearningDesk]:
    made = LearningDesk(tmp_path)
    answered(made.store, "T-1", consequence="high")
    made.clock.move(days=9)
    yield made
    made.store.close()


def words(page: str) -> str:
    """What a page says, without its tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def opened(desk: LearningDesk, name: str = "Hazel Lead", topic: str = RISKY) -> str:
    """The number of a review that somebody opened."""
    answer = desk.post(name, "/desk/reviews/open", topic=topic)
    found = re.search(r'name="review" value="(\d+)"', answer.text)
    assert answer.status_code == 200 and found is not None
    return found[1]


# ── who may ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", PEOPLE)
def test_reviews_are_held_by_those_whom_the_table_names(desk: LearningDesk, name: str) -> None:
    may = PEOPLE[name] in ALLOWED[May.REVIEW][0]
    for path in PAGES:
        assert desk.get(name, path).status_code == (200 if may else 403), path
    assert desk.post(name, "/desk/reviews/open", topic=RISKY).status_code == (200 if may else 403)
    kept = desk.house(Kind.PERIODIC_REVIEW_OPENED)
    assert [e.actor for e in kept] == ([name] if may else []), "under the name of who is signed in"
    form = {"topic": RISKY, "review": str(kept[0].seq) if kept else "1", "decision": "Go on.", "owner": "Marek"}
    assert desk.post(name, "/desk/reviews/close", **form).status_code == (200 if may else 403)
    assert [e.actor for e in desk.house(Kind.PERIODIC_REVIEW_CLOSED)] == ([name] if may else [])
    assert ('href="/desk/reviews"' in desk.get(name, "/desk").text) is may


def test_nobody_sees_or_does_anything_without_a_session_or_by_a_strange_form(desk: LearningDesk) -> None:
    for path in PAGES:
        assert desk.get("", path).status_code == 303, path
    for path in ("/desk/reviews/open", "/desk/reviews/close"):
        assert desk.post("", path, topic=RISKY).status_code == 401, path
        refused = desk.post("Hazel Lead", path, csrf="of-another-page", topic=RISKY, decision="d", owner="o")
        assert refused.status_code == 403 and "Nothing was done" in refused.text, path
    assert desk.house(Kind.PERIODIC_REVIEW_OPENED) == []


# ── the calendar ────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_overdue_stands_first_and_is_counted_in_the_head(desk: LearningDesk) -> None:
    page = words(desk.get("Pia", "/desk/reviews").text)
    assert "Late escalations weekly overdue by 2 days Risky not escalated every two weeks due on" in page
    assert words(desk.get("Pia", "/desk/reviews/due").text) == "1 are due"
    desk.clock.move(days=5)
    assert words(desk.get("Pia", "/desk/reviews/due").text) == "2 are due"
    assert "Risky not escalated every two weeks due now" in words(desk.get("Pia", "/desk/reviews").text)


def test_an_empty_ledger_has_nothing_to_review_and_says_so(tmp_path: Path) -> None:
    fresh = LearningDesk(tmp_path / "fresh")
    assert "There is nothing to review yet." in words(fresh.get("Pia", "/desk/reviews").text)
    refused = fresh.post("Pia", "/desk/reviews/open", topic=RISKY)
    assert refused.status_code == 409 and "the ledger is empty" in refused.text
    fresh.store.close()


# ── opening and closing ─────────────────────────────────────────────────────────────────────────────────────


def test_a_review_opens_with_its_material_and_links_to_the_tickets(desk: LearningDesk) -> None:
    opened(desk)
    page = desk.get("Pia", f"/desk/reviews?topic={RISKY}").text
    assert "Consequence high 1 tickets without a person whose consequence was high" in words(page)
    assert '<a href="/desk?ticket=T-1">T-1</a>' in page and "opened 13 Mar 09:00 by Hazel Lead" in words(page)
    assert re.search(r'<option value="Marek">', page), "people of the desk are proposed as owners"
    opened(desk, "Pia")
    assert len(desk.house(Kind.PERIODIC_REVIEW_OPENED)) == 1, "opened twice is opened once"


def test_a_review_closes_with_a_decision_and_an_owner_and_stands_among_those_held(desk: LearningDesk) -> None:
    number = opened(desk)
    form = {"topic": RISKY, "review": number, "decision": "Draw twice\r\nas many.", "owner": "Marek"}
    answer = desk.post("Pia", "/desk/reviews/close", **form)
    assert answer.status_code == 200 and "Closed; Marek sees to it." in words(answer.text)
    page = words(desk.get("Yrsa", f"/desk/reviews?review={number}").text)
    assert "Marek sees to it. Closed 13 Mar 09:00 by Pia. Draw twice as many." in page
    assert "Held Risky not escalated Draw twice as many." in page
    desk.clock.move(days=14)
    opened(desk)
    assert "The time before Decided Draw twice as many. Owner Marek" in words(
        desk.get("Yrsa", f"/desk/reviews?topic={RISKY}").text
    )


def test_a_closing_that_is_sent_twice_closes_once_and_another_word_is_refused(desk: LearningDesk) -> None:
    form = {"topic": RISKY, "review": opened(desk), "decision": "Go on.", "owner": "Marek"}
    for _ in range(2):
        assert desk.post("Pia", "/desk/reviews/close", **form).status_code == 200
    for name, change in (("Pia", {"decision": "Stop."}), ("Yrsa", {})):
        refused = desk.post(name, "/desk/reviews/close", **{**form, **change})
        assert refused.status_code == 409 and "Pia closed this review" in refused.text
    assert len(desk.house(Kind.PERIODIC_REVIEW_CLOSED)) == 1


def test_a_page_from_before_does_not_close_the_review_that_was_opened_since(desk: LearningDesk) -> None:
    old = {"topic": RISKY, "review": opened(desk), "decision": "Go on.", "owner": "Marek"}
    desk.post("Pia", "/desk/reviews/close", **old)
    desk.clock.move(days=14)
    newer = opened(desk)
    refused = desk.post("Hazel Lead", "/desk/reviews/close", **{**old, "decision": "Stop all of it."})
    assert refused.status_code == 409 and "Nothing was recorded" in refused.text
    assert f'name="review" value="{newer}"' in desk.get("Pia", f"/desk/reviews?topic={RISKY}").text, "it is open still"


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"topic": "yearly"}, "there is no review 'yearly'"),
        ({"topic": RISKY, "review": "NUMBER", "decision": " ", "owner": "Marek"}, "closed with a decision"),
        ({"topic": RISKY, "review": "NUMBER", "decision": "d", "owner": ""}, "closed with an owner"),
        ({"topic": RISKY, "review": "NUMBER", "decision": "d", "owner": "o" * 201}, "closed with an owner"),
        ({"topic": RISKY, "review": "", "decision": "d", "owner": "o"}, "there is no such review"),
        ({"topic": RISKY, "review": "9" * 30, "decision": "d", "owner": "o"}, "there is no such review"),
        ({"topic": "lane-distribution", "review": "NUMBER", "decision": "d", "owner": "o"}, "there is no such review"),
    ],
)
def test_a_review_that_cannot_be_closed_so_is_told_in_a_sentence(
    desk: LearningDesk, form: dict[str, str], told: str
) -> None:
    number = opened(desk)
    filled = {k: number if v == "NUMBER" else v for k, v in form.items()}
    refused = desk.post("Pia", "/desk/reviews/close", **filled)
    assert refused.status_code == 409 and told in html.unescape(refused.text)
    assert desk.house(Kind.PERIODIC_REVIEW_CLOSED) == []


@pytest.mark.parametrize("address", ["?topic=yearly", "?review=1", "?review=x", f"?topic={HOSTILE}"])
def test_an_address_that_names_no_review_is_told(desk: LearningDesk, address: str) -> None:
    page = desk.get("Pia", f"/desk/reviews{address}")
    assert page.status_code == 409 and "there is no" in words(page.text) and "window.hit=1</script>" not in page.text


def test_a_review_of_what_audits_found_waits_for_the_second_auditor(desk: LearningDesk) -> None:
    desk.post("Hazel Lead", "/desk/audits/draw", week="2026-W10")
    desk.post("Yrsa", "/desk/audits/verdict", audit="2026-W10-001", **YES)
    opened(desk)
    page = words(desk.get("Jonas", f"/desk/reviews?topic={RISKY}").text)
    assert "Found By Audit 0" in page.title() and "Yrsa" not in page.replace("Yrsa</option>", "")
    desk.post("Jonas", "/desk/audits/verdict", audit="2026-W10-001", **NO)
    desk.clock.move(days=1)
    opened(desk, topic="trigger-definitions")
    page = words(desk.get("Jonas", "/desk/reviews?topic=trigger-definitions").text)
    assert "missed by audit 1" in page


def test_a_strangers_words_are_escaped_on_every_page_of_reviews(desk: LearningDesk) -> None:
    answered(desk.store, f"T-{HOSTILE}", subject=HOSTILE, consequence="high")
    desk.clock.move(days=1)
    number = opened(desk)
    pages = [desk.get("Pia", f"/desk/reviews?topic={RISKY}").text]
    form = {"topic": RISKY, "review": number, "decision": HOSTILE, "owner": f"Marek {HOSTILE}"}
    pages.append(desk.post("Pia", "/desk/reviews/close", **form).text)
    pages.append(desk.get("Pia", f"/desk/reviews?review={number}").text)
    for page in pages:
        assert "window.hit=1</script>" not in page and "<img" not in page
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b]", page)
        assert " style=" not in page and not re.search(r"<script(?! src=)|<[^>]*\son\w+=", page)
    assert all("&lt;script&gt;window.hit=1" in page for page in pages)
