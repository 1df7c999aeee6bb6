"""Audits at the desk, without a browser: who may, what an auditor sees and does not see, and what no form brings about."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from learning_desk import NO, PEOPLE, YES, LearningDesk
from unseen_tickets import answered

from desk.accounts.people import ALLOWED, May
from desk.audits.proposing import FOLDER
from desk.pages.desk_routes import _newest, _touched
from ledger.audits.verdicts import BLIND_FOR
from ledger.decisions import Signature
from ledger.errors import UserExists
from ledger.events import Kind
from ledger.intake import IncomingMessage, Intake

PAGES = ("/desk/audits", "/desk/audits/work", "/desk/audits/waiting")
ACTS = ("/desk/audits/verdict", "/desk/audits/draw", "/desk/audits/propose")
HOSTILE = "<script>window.hit=1</script><img src=x onerror='window.hit=2'>\u202egnp\u200b"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[LearningDesk]:
    made = LearningDesk(tmp_path)
    yield made
    made.store.close()


def words(page: str) -> str:
    """What a page says, without its tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def waiting(desk: LearningDesk, name: str) -> list[str]:
    """The audits that wait for somebody, in their order."""
    page = desk.get(name, "/desk/audits/work").text
    return re.findall(r'data-row="([^"]+)"', page.partition("You have judged")[0])


def open_one(desk: LearningDesk, name: str) -> str:
    """The audit that their page shows."""
    found = re.search(r'data-audit="([^"]+)"', desk.get(name, "/desk/audits").text)
    return found[1] if found else ""


# ── who may ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", PEOPLE)
def test_audits_are_for_those_whom_the_table_names_and_figures_for_all(desk: LearningDesk, name: str) -> None:
    (audit,) = desk.drawn()
    may = PEOPLE[name] in ALLOWED[May.AUDIT][0]
    for path in PAGES:
        assert desk.get(name, path).status_code == (200 if may else 403), path
    assert desk.get(name, "/desk/audits/report").status_code == 200
    for path in ACTS:
        assert desk.post(name, path, audit=audit, week="2026-W10", **NO).status_code in ((200, 409) if may else (403,))
    assert desk.verdicts("T-1") == ([(name, False)] if may else [])
    linked = 'href="/desk/audits"' in desk.get(name, "/desk").text
    assert linked is may, "the desk's head leads there whoever may go, and nobody else"


def test_nobody_sees_or_does_anything_who_is_not_signed_in(desk: LearningDesk) -> None:
    (audit,) = desk.drawn()
    for path in (*PAGES, "/desk/audits/report"):
        assert desk.get("", path).status_code == 303, path
    for path in ACTS:
        assert desk.post("", path, audit=audit, **NO).status_code == 401, path
    assert desk.verdicts("T-1") == []


def test_a_form_without_the_sessions_own_word_does_nothing(desk: LearningDesk) -> None:
    (audit,) = desk.drawn()
    for path in ACTS:
        refused = desk.post("Yrsa", path, csrf="of-another-page", audit=audit, week="2026-W10", **NO)
        assert refused.status_code == 403 and "Nothing was done" in refused.text, path
    assert desk.verdicts("T-1") == [] and len(desk.house(Kind.AUDIT_DRAWN)) == 1


def test_the_name_is_the_signed_in_persons_whatever_the_form_says(desk: LearningDesk) -> None:
    (audit,) = desk.drawn()
    desk.post("Yrsa", "/desk/audits/verdict", audit=audit, by="Jonas", name="Jonas", actor="Jonas", **NO)
    assert desk.verdicts("T-1") == [("Yrsa", False)]
    assert [e.actor for e in desk.house(Kind.AUDIT_DRAWN)] == ["Hazel Lead"]


def test_no_two_users_have_names_that_an_audit_takes_for_one(desk: LearningDesk) -> None:
    for alike in ("yrsa", " YRSA ", "hazel  lead"):
        with pytest.raises(UserExists, match="already"):
            desk.counter.accounts.add(alike, "", None, ["auditor"])


# ── drawing ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_week_is_drawn_once_and_the_second_form_is_told_of_the_first(desk: LearningDesk) -> None:
    for number in range(4):
        answered(desk.store, f"T-{number}")
    desk.clock.move(days=7)
    first = desk.post("Yrsa", "/desk/audits/draw", week="2026-W10", size="3")
    assert "Week 2026-W10: 3 of 4 tickets drawn, 1 of them for two auditors." in words(first.text)
    again = desk.post("Jonas", "/desk/audits/draw", week="2026-W10")
    assert again.status_code == 200 and "by Yrsa; that sample stands" in words(again.text)
    other = desk.post("Jonas", "/desk/audits/draw", week="2026-W10", size="4")
    assert other.status_code == 409 and "was drawn already by Yrsa" in html.unescape(other.text)
    assert len(desk.house(Kind.AUDIT_DRAWN)) == 1


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"week": "2026-47"}, "is no week: write it as 2026-W47"),
        ({"week": "2099-W10"}, "is over on 2099-03-09"),
        ({"week": "2026-W10", "size": "none"}, "a sample has 1 to 10,000 tickets"),
        ({"week": "2026-W10", "size": "0"}, "a sample has 1 to 10,000 tickets"),
        ({"week": "2026-W10", "size": "9" * 5000}, "a sample has 1 to 10,000 tickets"),
        ({"week": "2026-W10", "size": "٣"}, "a sample has 1 to 10,000 tickets"),
    ],
)
def test_a_week_that_cannot_be_drawn_is_told_in_a_sentence(desk: LearningDesk, form: dict[str, str], told: str) -> None:
    answered(desk.store, "T-1")
    desk.clock.move(days=7)
    refused = desk.post("Yrsa", "/desk/audits/draw", **form)
    assert refused.status_code == 409 and told in html.unescape(refused.text)
    assert desk.house(Kind.AUDIT_DRAWN) == []


def test_a_week_without_such_tickets_is_no_error(desk: LearningDesk) -> None:
    answered(desk.store, "T-1")
    desk.clock.move(days=7)
    told = desk.post("Yrsa", "/desk/audits/draw", week="2026-W09")
    assert told.status_code == 200 and "there is nothing to audit" in told.text


# ── judging ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_verdict_is_recorded_and_the_next_ticket_comes_with_the_answer(desk: LearningDesk) -> None:
    desk.drawn("T-1", "T-2", "T-3")
    order = waiting(desk, "Yrsa")
    assert open_one(desk, "Yrsa") == order[0] and len(order) == 3
    for at, audit in enumerate(order):
        answer = desk.post("Yrsa", "/desk/audits/verdict", audit=audit, note="no\r\nnumber", **YES)
        assert answer.status_code == 200 and f"{audit} is recorded" in words(answer.text)
        following = re.search(r'data-audit="([^"]+)"', answer.text)
        assert (following[1] if following else None) == (order[at + 1] if at < 2 else None)
    assert "Nothing waits for you" in answer.text and waiting(desk, "Yrsa") == []
    assert sum(len(desk.verdicts(f"T-{n}")) for n in (1, 2, 3)) == 3


def test_triggers_faults_and_note_of_a_form_stand_in_the_record(desk: LearningDesk) -> None:
    (audit,) = desk.drawn()
    desk.post(
        "Yrsa",
        "/desk/audits/verdict",
        audit=audit,
        escalate="yes",
        trigger=["missing_context", "security_identity"],
        fault="missing_signal",
        note="no\r\nnumber",
    )
    (told,) = [e for e in desk.place.history.timeline("T-1") if e.kind is Kind.AUDIT_JUDGED]
    assert told.head["triggers"] == ["missing_context", "security_identity"] and told.head["fault"] == "missing_signal"
    assert told.body is not None and told.body.json() == {"note": "no\nnumber"}


def test_a_form_that_is_sent_twice_judges_once(desk: LearningDesk) -> None:
    (audit,) = desk.drawn()
    for _ in range(3):
        assert desk.post("Yrsa", "/desk/audits/verdict", audit=audit, **YES).status_code == 200
    changed = desk.post("Yrsa", "/desk/audits/verdict", audit=audit, **NO)
    assert changed.status_code == 409 and "a verdict is not changed afterwards" in changed.text
    assert desk.verdicts("T-1") == [("Yrsa", True)]


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({}, "say yes or no"),
        ({"escalate": "perhaps"}, "say yes or no"),
        ({"escalate": "yes", "fault": "none"}, "name wording, boundary or missing_signal"),
        ({"escalate": "no", "trigger": "missing_context"}, "has no trigger that should have fired"),
        ({"escalate": "yes", "trigger": "pressure", "fault": "wording"}, "there is no trigger"),
        ({"escalate": "yes", "fault": "luck"}, "there is no fault"),
        ({"escalate": "no", "note": "x" * 20_001}, "a note has at most 20000 characters"),
    ],
)
def test_a_verdict_that_contradicts_itself_is_refused_in_a_sentence(
    desk: LearningDesk, form: dict[str, str], told: str
) -> None:
    (audit,) = desk.drawn()
    refused = desk.post("Yrsa", "/desk/audits/verdict", audit=audit, **form)
    assert refused.status_code == 409 and told in html.unescape(refused.text)
    assert desk.verdicts("T-1") == []


@pytest.mark.parametrize("audit", ["2026-W10-099", "", "../../etc", HOSTILE])
def test_an_audit_that_is_none_is_told_and_shown_as_words(desk: LearningDesk, audit: str) -> None:
    desk.drawn()
    refused = desk.post("Yrsa", "/desk/audits/verdict", audit=audit, **NO)
    assert refused.status_code == 404 and "<script" not in refused.text
    if audit:
        page = desk.client.get("/desk/audits", params={"audit": audit})
        assert page.status_code == 404 and "<script>" not in page.text


def test_a_ticket_that_was_erased_waits_for_nobody_and_shows_no_words(desk: LearningDesk) -> None:
    (audit,) = desk.drawn()
    desk.place.people.erase("T-1", Signature("Marek", "asked for", "e"))
    page = words(desk.get("Yrsa", f"/desk/audits?audit={audit}").text)
    assert "The words of this ticket were erased: nobody can judge it any more." in page
    assert "receipts" not in page and waiting(desk, "Yrsa") == []
    assert f"Words erased before anybody judged them: {audit}" in page
    refused = desk.post("Yrsa", "/desk/audits/verdict", audit=audit, **NO)
    assert refused.status_code == 409 and "were erased" in refused.text


def test_what_came_after_the_week_is_not_shown_nor_linked_before_the_verdict(desk: LearningDesk) -> None:
    (audit,) = desk.drawn()
    late = {"channel": "mail", "subject": "", "requester_email": "hazel@maplefinch.example", "requester_name": "H"}
    Intake(desk.store).receive(
        IncomingMessage(
            ticket="T-1",
            key="late",
            text="You were wrong!",
            verified=True,
            account_id=None,
            recipient="hazel@maplefinch.example",
            **late,  # type: ignore[arg-type]
        )
    )
    page = desk.get("Yrsa", "/desk/audits").text
    assert "receipts of last year" in page and "You were wrong!" not in page and "/desk?ticket=" not in page
    desk.post("Yrsa", "/desk/audits/verdict", audit=audit, **NO)
    assert "/desk?ticket=T-1" in desk.get("Yrsa", f"/desk/audits?audit={audit}").text


# ── blindness ───────────────────────────────────────────────────────────────────────────────────────────────

MARKER = "zebra crossing"
SAID = {"escalate": "yes", "trigger": "security_identity", "fault": "wording", "note": MARKER}


def test_no_page_or_piece_tells_the_second_auditor_of_the_first(desk: LearningDesk) -> None:
    (audit,) = desk.drawn()
    same = [*PAGES, f"/desk/audits?audit={audit}", f"/desk/audits/work?audit={audit}"]
    more = ["/desk/audits/report", "/desk?ticket=T-1", "/desk/ticket?ticket=T-1", "/desk/changes?ticket=T-1&mark=0"]
    more += ["/desk/reviews", "/desk/reviews?topic=risky-not-escalated", "/desk/scorecard", "/desk/scorecard.json"]
    before = [_same(desk.get("Jonas", path).text) for path in same]
    assert desk.post("Yrsa", "/desk/audits/verdict", audit=audit, **SAID).status_code == 200
    assert [_same(desk.get("Jonas", path).text) for path in same] == before, "not even that there is a verdict"
    desk.post("Hazel Lead", "/desk/reviews/open", topic="trigger-definitions")
    for path in [*same, *more, "/desk/reviews?topic=trigger-definitions"]:
        page = desk.get("Jonas", path)
        assert page.status_code == 200, path
        assert MARKER not in page.text and "Yrsa" not in words(page.text), path
        assert "should have escalated" not in words(page.text), path
    report = words(desk.get("Jonas", "/desk/audits/report").text)
    assert "0 judged, 1 waiting (1 of them for a second auditor)" in report and "no ticket has two verdicts" in report
    assert not (desk.folder / FOLDER).exists(), "and no case lies about"


def test_a_verdict_is_no_news_to_whoever_has_the_desk_open(desk: LearningDesk) -> None:
    (audit,) = desk.drawn()
    mark = _newest(desk.counter)
    desk.post("Yrsa", "/desk/audits/verdict", audit=audit, **SAID)
    assert _newest(desk.counter) > mark and _touched(desk.counter, mark)[0] == []


def test_both_verdicts_are_shown_once_both_are_given_with_their_agreement(desk: LearningDesk) -> None:
    (audit,) = desk.drawn()
    first = desk.post("Yrsa", "/desk/audits/verdict", audit=audit, **SAID)
    assert "A second auditor judges it too" in words(first.text) and "proposed" not in words(first.text)
    second = desk.post("Jonas", "/desk/audits/verdict", audit=audit, **NO)
    told = words(second.text)
    assert "Yrsa: should have escalated (security identity); fault: wording; Jonas: rightly without a person." in told
    assert f"proposed as the case audit-{audit.lower()}.toml" in told
    for name in ("Yrsa", "Jonas"):
        page = words(desk.get(name, f"/desk/audits?audit={audit}").text)
        assert MARKER in page and "Jonas" in page and "Yrsa" in page
    report = words(desk.get("Marek", "/desk/audits/report").text)
    assert "agreed on 0 of 1 (0%); Cohen's kappa 0.00" in report and "disputed" in report
    assert "50.0%" in report and "few" in report and "Yrsa" not in report.partition("What was drawn")[0]


def test_a_second_verdict_that_does_not_come_is_not_waited_for_for_ever(desk: LearningDesk) -> None:
    (audit,) = desk.drawn()
    desk.post("Yrsa", "/desk/audits/verdict", audit=audit, **SAID)
    desk.clock.move(days=BLIND_FOR / timedelta(days=1))
    refused = desk.post("Jonas", "/desk/audits/verdict", audit=audit, **NO)
    assert refused.status_code == 409 and "has all its verdicts" in refused.text
    assert waiting(desk, "Jonas") == [] and desk.verdicts("T-1") == [("Yrsa", True)]


def _same(page: str) -> str:
    """A page without what differs from look to look whatever happened."""
    return re.sub(r"(X-CSRF-Token&#34;: &#34;|X-CSRF-Token\": \"|name=\"csrf\" value=\")[^\"&]+", r"\1", page)


# ── the report and its cases ────────────────────────────────────────────────────────────────────────────────


def test_a_case_that_was_thrown_away_is_written_again_from_the_report(desk: LearningDesk) -> None:
    (audit,) = desk.drawn()
    for name in ("Yrsa", "Jonas"):
        desk.post(name, "/desk/audits/verdict", audit=audit, **YES)
    (file,) = (desk.folder / FOLDER).iterdir()
    report = desk.get("Yrsa", "/desk/audits/report").text
    assert file.name in report and "[[thread]]" in report and str(desk.folder) not in report
    assert "[[thread]]" not in desk.get("Marek", "/desk/audits/report").text, "cases are for those who audit"
    file.unlink()
    assert "Write it again" in desk.get("Yrsa", "/desk/audits/report").text
    answer = desk.post("Yrsa", "/desk/audits/propose", audit=audit)
    assert answer.status_code == 200 and file.is_file() and f"The case {file.name} is there" in words(answer.text)
    assert desk.post("Yrsa", "/desk/audits/propose", audit="2026-W10-099").status_code == 404


def test_a_verdict_stands_though_its_case_cannot_be_written(desk: LearningDesk) -> None:
    (audit,) = desk.drawn()
    (desk.folder / FOLDER).parent.write_text("a file in the way", encoding="utf-8")
    desk.post("Yrsa", "/desk/audits/verdict", audit=audit, **YES)
    told = desk.post("Jonas", "/desk/audits/verdict", audit=audit, **YES)
    assert told.status_code == 200 and "Its case could not be written" in words(told.text)
    assert len(desk.verdicts("T-1")) == 2
    refused = desk.post("Yrsa", "/desk/audits/propose", audit=audit)
    assert refused.status_code == 409 and "could not be written" in refused.text


def test_the_report_names_weeks_that_are_none_and_weeks_without_a_sample(desk: LearningDesk) -> None:
    desk.drawn()
    wrong = desk.get("Yrsa", "/desk/audits/report?since=May")
    assert wrong.status_code == 422 and "is no week" in html.unescape(wrong.text)
    assert "Nothing was drawn in these weeks" in words(desk.get("Yrsa", "/desk/audits/report?since=2026-W11").text)
    assert "Week 2026-W10: 1 tickets" in words(
        desk.get("Yrsa", "/desk/audits/report?since=2026-W10&until=2026-W10").text
    )


def test_a_strangers_words_are_escaped_on_every_page_of_audits(desk: LearningDesk) -> None:
    ticket = f"T-{HOSTILE}"
    (audit,) = desk.drawn(ticket, subject=HOSTILE, text=HOSTILE, answer=HOSTILE, attachments=(HOSTILE,))
    pages = [desk.get("Yrsa", "/desk/audits").text]
    for name in ("Yrsa", "Jonas"):
        answer = desk.post(name, "/desk/audits/verdict", audit=audit, note=HOSTILE, **YES)
        assert answer.status_code == 200
        pages.append(answer.text)
    pages += [desk.get("Yrsa", path).text for path in (f"/desk/audits?audit={audit}", "/desk/audits/report")]
    for page in pages:
        assert "window.hit=1</script>" not in page and "<img" not in page
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b]", page)
        assert " style=" not in page and not re.search(r"<script(?! src=)|<[^>]*\son\w+=", page)
    assert "&lt;script&gt;window.hit=1" in pages[0]
