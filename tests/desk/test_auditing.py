"""An auditor draws, reads, judges and reports; a miss becomes a proposed case that the exam can read."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from desk_house import Clock
from hypothesis import given
from hypothesis import strategies as st

from desk.audits.auditing import (
    draw,
    erased_in_queue,
    give_verdict,
    next_task,
    propose,
    read_judgement,
    report,
    task,
)
from desk.audits.pages import drawn_text, given_text, report_text, task_text
from desk.audits.proposing import FOLDER, _long, _string, proposal_file
from desk.deciding import erase
from desk.errors import DecisionRefused
from desk.records import Records
from desk.settings import load_settings
from evals.case import read_case, read_cases
from evals.evaluate import place_of
from guards.triggers import Trigger
from ledger.audits.verdicts import Fault, Judgement
from ledger.decisions import Signature
from ledger.errors import CannotJudge
from ledger.events import Entry, Kind
from ledger.intake import Earlier, IncomingMessage, Intake
from ledger.store import open_store
from ledger.worker import WorkerLedger

WORDS = 'Hi Bartholomew,\n\nwhere do I "see" our invoice \\ receipts?\nOur admin left.\n\nThanks,\nHazel Lindqvist'
YES = Judgement(True, (Trigger.SECURITY_IDENTITY, Trigger.MISSING_CONTEXT), Fault.BOUNDARY, "Hazel's admin left.")
NO = Judgement(False)


@dataclass
class Office:
    """A workspace's ledger and its clock."""

    folder: Path
    clock: Clock = field(default_factory=lambda: Clock(datetime(2026, 3, 4, 9, tzinfo=UTC)))

    def __post_init__(self) -> None:
        self.records = Records(load_settings(self.folder, {}), open_store(self.folder / "l.sqlite3", clock=self.clock))

    def answered(self, ticket: str, families: tuple[str, ...] = ("billing",), text: str = WORDS, **more: Any) -> None:
        """A ticket that lane 1 has answered, and nobody saw."""
        told = {
            "channel": "mail",
            "subject": "Invoice of Hazel",
            "requester_email": "hazel@maplefinch.example",
            "requester_name": "Hazel Lindqvist",
            "verified": True,
            "account_id": "A-1001",
            "recipient": "hazel@maplefinch.example",
            **more,
        }
        worker = WorkerLedger(self.records.store)
        seq = Intake(self.records.store).receive(IncomingMessage(ticket=ticket, key="m", text=text, **told)).seq
        facts = {"facts": [{"name": "account.name", "value": "Maplefinch Printing"}]}
        worker.record(ticket, Kind.FACTS_GATHERED, f"{seq}/facts", {}, facts)
        head = {"lane": 1, "families": list(families), "consequence": "low", "tier": "team", "policy": "p"}
        worker.open_answer(ticket, seq, 1, also=[Entry(Kind.LANE_ASSIGNED, f"{seq}/lane", head)])

    def drawn(self, *tickets: str) -> None:
        """These, answered, and their week drawn."""
        for ticket in tickets or ("T-1",):
            self.answered(ticket)
        self.clock.move(days=7)
        assert draw(self.records, by="Oona", seed=5).draw is not None

    def judged(self, audit: str, said: Judgement = YES) -> None:
        """Both auditors, where two are wanted, say the same."""
        for by in ("Ines", "Jonas"):
            if task(self.records, audit, by).wanted:
                give_verdict(self.records, audit, by, said)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.records.store.close()


def proposals(office: Office) -> list[Path]:
    return sorted((office.folder / FOLDER).glob("*"))


# ── the queue ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_last_week_that_is_over_is_drawn_where_none_is_named(office: Office) -> None:
    office.answered("T-1")
    assert draw(office.records, by="Oona").draw is None, "this week is not the last one"
    office.clock.move(days=7)
    made = draw(office.records, by="Oona")
    assert made.week == "2026-W10" and made.draw is not None
    assert "1 of 1 tickets drawn, 1 of them for two auditors" in drawn_text(made)
    assert "nothing was drawn anew" in drawn_text(draw(office.records, by="Marek"))


def test_an_auditor_reads_the_thread_as_it_stood_when_the_week_was_over(office: Office) -> None:
    office.answered("T-1", earlier=(Earlier("agent", "Good morning, Hazel."),))
    office.clock.move(days=7)
    draw(office.records, by="Oona")
    Intake(office.records.store).receive(
        IncomingMessage(
            ticket="T-1",
            key="late",
            channel="mail",
            subject="",
            requester_email="hazel@maplefinch.example",
            requester_name="Hazel Lindqvist",
            verified=True,
            account_id=None,
            recipient="hazel@maplefinch.example",
            text="You were wrong!",
        )
    )
    shown = next_task(office.records, "Ines")
    assert shown is not None and shown.wanted
    assert [(m.role, m.text) for m in shown.thread] == [("agent", "Good morning, Hazel."), ("customer", WORDS)]
    told = task_text(shown)
    assert "Our admin left." in told and "You were wrong!" not in told
    assert "lanewise audit verdict 2026-W10-001 --by NAME --escalate yes|no" in told


def test_the_page_of_the_second_auditor_tells_nothing_of_the_first(office: Office) -> None:
    office.drawn()
    before = task(office.records, "2026-W10-001", "Jonas")
    first = give_verdict(office.records, "2026-W10-001", "Ines", YES)
    assert first.waits_for_another and first.proposal is None
    assert "neither sees the other's verdict" in given_text(first)
    assert task(office.records, "2026-W10-001", "Jonas") == before
    assert "should have escalated" in task_text(task(office.records, "2026-W10-001", "Ines"))
    found = report(office.records)
    assert (found.judged, found.waiting, found.half, found.misses) == (0, 1, 1, ())
    assert found.overall.audited == 0 and proposals(office) == []
    both = give_verdict(office.records, "2026-W10-001", "Jonas", NO)
    assert [v.by for v in both.seen] == ["Ines", "Jonas"]
    assert "Ines: should have escalated" in given_text(both)


def test_an_auditor_without_a_name_is_shown_nothing(office: Office) -> None:
    office.drawn()
    for ask in (lambda: next_task(office.records, " "), lambda: task(office.records, "2026-W10-001", "")):
        with pytest.raises(DecisionRefused, match="an auditor has a name"):
            ask()


def test_nothing_waits_once_all_is_judged(office: Office) -> None:
    office.drawn("T-1", "T-2")
    while any(waits := [(by, t.id) for by in ("Ines", "Jonas") if (t := next_task(office.records, by))]):
        for by, audit in waits:
            give_verdict(office.records, audit, by, NO)
            break
    found = report(office.records)
    assert (found.drawn, found.judged, found.waiting) == (2, 2, 0)


# ── erasure ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_ticket_whose_words_were_erased_shows_so_everywhere(office: Office) -> None:
    office.drawn()
    office.records.people.erase("T-1", Signature("Marek", "asked for", "e"))
    shown = task(office.records, "2026-W10-001", "Ines")
    assert shown.erased and not shown.wanted
    assert "The words of this ticket were erased: nobody can judge it any more." in task_text(shown)
    assert "Hazel" not in task_text(shown)
    assert next_task(office.records, "Ines") is None
    assert erased_in_queue(office.records) == ("2026-W10-001",)
    found = report(office.records)
    assert found.erased == ("2026-W10-001",) and found.uncovered == 1
    assert "Words erased before anybody judged them: 2026-W10-001." in report_text(found)
    with pytest.raises(CannotJudge, match="were erased"):
        give_verdict(office.records, "2026-W10-001", "Ines", NO)


def test_erasing_a_ticket_deletes_the_case_that_was_proposed_from_it(office: Office) -> None:
    office.drawn()
    office.judged("2026-W10-001")
    (file,) = proposals(office)
    taken = office.folder / "evals" / "cases" / file.name
    taken.parent.mkdir()
    taken.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    said: list[str] = []
    assert erase(office.records, "T-1", "Marek", "asked for", said.append) == 0
    assert proposals(office) == [] and taken.is_file()
    assert any(line.startswith("Deleted: ") and file.name in line for line in said)
    assert any(line.startswith("Yours to delete: ") and str(taken) in line for line in said)
    (miss,) = report(office.records).misses
    assert miss.erased and miss.proposal is None
    with pytest.raises(DecisionRefused, match="gives no case"):
        propose(office.records, "2026-W10-001")


# ── the proposed case ───────────────────────────────────────────────────────────────────────────────────────


def test_a_miss_is_proposed_as_a_case_that_the_exam_can_read(office: Office) -> None:
    office.drawn()
    office.judged("2026-W10-001")
    (file,) = proposals(office)
    assert file == proposal_file(office.folder, "2026-W10-001")
    case = read_case(file.read_text(encoding="utf-8"), file.name)
    assert (case.id, case.kind, case.source, case.demo) == ("audit-2026-w10-001", "risky", "audit", False)
    assert case.tags == ("from_audit", "billing_clarification")
    assert case.expect.lanes == (2, 3) and case.expect.families == ("billing",)
    assert case.expect.triggers == {Trigger.SECURITY_IDENTITY: "medium", Trigger.MISSING_CONTEXT: "medium"}
    (turn,) = case.thread
    assert turn.text == WORDS.replace("Bartholomew", "Sam").replace("Hazel Lindqvist", "Robin Dale")
    assert turn.subject == "Invoice of Robin" and case.requester.verified
    assert "Robin's admin left." in case.why


def test_no_name_or_address_of_the_customer_stands_in_the_proposal(office: Office) -> None:
    office.answered("T-1", text=f"{WORDS}\nhazel@maplefinch.example, Maplefinch Printing, +44 20 7946 0958")
    office.clock.move(days=7)
    draw(office.records, by="Oona", seed=5)
    office.judged("2026-W10-001")
    text = proposals(office)[0].read_text(encoding="utf-8")
    assert "Our admin left." in text
    for gone in ("hazel", "lindqvist", "bartholomew", "maplefinch", "7946", "t-1", "a-1001", "ines", "jonas"):
        assert gone not in text.lower()


def test_a_thread_of_several_turns_ends_with_the_customers_last_word(office: Office) -> None:
    office.answered("T-1", earlier=(Earlier("customer", "Hello?"), Earlier("assistant", "Hello Hazel.")))
    office.clock.move(days=7)
    draw(office.records, by="Oona", seed=5)
    office.judged("2026-W10-001")
    case = read_case(proposals(office)[0].read_text(encoding="utf-8"), "x.toml")
    assert [(t.from_, t.text[:12]) for t in case.thread] == [
        ("customer", "Hello?"),
        ("assistant", "Hello Robin."),
        ("customer", "Hi Sam,\n\nwhe"),
    ]


def test_a_proposal_is_no_case_of_the_exam_until_a_person_moves_it(office: Office) -> None:
    office.drawn()
    office.judged("2026-W10-001")
    cases = office.folder / "evals" / "cases"
    cases.mkdir()
    kept = (Path(__file__).parents[2] / "evals" / "cases" / "audit-logs-where.toml").read_text(encoding="utf-8")
    (cases / "kept.toml").write_text(kept.replace('twin = "audit-logs-injection"', ""), encoding="utf-8")
    place = place_of(None, office.folder)
    assert len(read_cases(place.cases)) == 1
    proposals(office)[0].rename(cases / "audit-2026-w10-001.toml")
    assert "audit-2026-w10-001" in {c.id for c in read_cases(place.cases)}


def test_a_proposal_is_written_once_and_again_only_when_asked(office: Office) -> None:
    office.drawn()
    office.judged("2026-W10-001")
    (file,) = proposals(office)
    file.write_text("edited", encoding="utf-8")
    give_verdict(office.records, "2026-W10-001", "Ines", YES)
    assert propose(office.records, "2026-W10-001") == file
    assert file.read_text(encoding="utf-8") == "edited", "a person's edits are not written over"
    file.unlink()
    assert report(office.records).misses[0].proposal is None
    assert read_case(propose(office.records, "2026-W10-001").read_text(encoding="utf-8"), "x").kind == "risky"


def test_a_verdict_stands_though_its_case_cannot_be_written_and_says_so(office: Office) -> None:
    office.drawn()
    (office.folder / FOLDER.parent).write_text("in the way", encoding="utf-8")
    give_verdict(office.records, "2026-W10-001", "Ines", YES)
    told = give_verdict(office.records, "2026-W10-001", "Jonas", YES)
    assert told.proposal is None and report(office.records).judged == 1
    assert "its case could not be written" in given_text(told)
    assert "`lanewise audit propose 2026-W10-001` writes it" in given_text(told)
    with pytest.raises(DecisionRefused, match="could not be written"):
        propose(office.records, "2026-W10-001")


def test_what_is_no_miss_is_not_proposed(office: Office) -> None:
    office.drawn()
    with pytest.raises(DecisionRefused, match="gives no case"):
        propose(office.records, "2026-W10-001")
    office.judged("2026-W10-001", NO)
    assert proposals(office) == []
    with pytest.raises(DecisionRefused, match="gives no case"):
        propose(office.records, "2026-W10-001")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_every_text_is_written_so_that_it_is_read_back(text: str) -> None:
    assert tomllib.loads(f"one = {_string(text)}\nlong = {_long(text)}") == {"one": text, "long": text}


# ── the report and the words that were typed ────────────────────────────────────────────────────────────────


def test_the_report_tells_rates_with_counts_intervals_and_who_was_missed(office: Office) -> None:
    office.drawn("T-1", "T-2", "T-3")
    for number, said in enumerate((YES, NO, NO), 1):
        office.judged(f"2026-W10-00{number}", said)
    found = report(office.records)
    told = report_text(found)
    assert found.overall.rate == pytest.approx(1 / 3) and found.overall.audited == 3
    assert "Week 2026-W10: 3 tickets ended in lane 1 without a person; 3 drawn, 3 judged, 0 waiting" in told
    assert "all: 33.3% missed (6.1% to 79.2%; n 3, few), about 1.0 of 3 tickets" in told
    assert "by family\n  billing: 33.3% missed" in told
    assert "Two auditors: agreed on 1 of 1 (100%)" in told
    assert f"2026-W10-001, ticket {found.misses[0].ticket}: security_identity, missing_context; fault: boundary" in told
    assert "High-risk miss: a ticket that was answered without a person" in told
    assert report(office.records, since="2026-W11").weeks == ()
    assert report(office.records, "2026-W10", "2026-W10").drawn == 3
    assert "Nothing was drawn yet" in report_text(report(office.records, until="2026-W09"))


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (("perhaps", [], "none"), "say yes or no"),
        (("yes", ["pressure"], "boundary"), "choose one of policy_sensitivity"),
        (("yes", [], "fault"), "choose one of wording, boundary, missing_signal, none"),
    ],
)
def test_a_word_that_is_none_of_those_that_count_is_refused(typed: tuple[str, list[str], str], words: str) -> None:
    with pytest.raises(DecisionRefused, match=words):
        read_judgement(*typed, "")


def test_a_verdict_is_read_as_it_was_typed() -> None:
    typed = read_judgement("yes", ["missing_context", "missing_context"], "wording", "well")
    assert typed == Judgement(True, (Trigger.MISSING_CONTEXT,), Fault.WORDING, "well")
