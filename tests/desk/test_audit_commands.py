"""The commands of audits and reviews say what came of them, and end with 2 where nothing was done."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from desk_house import Clock

from desk.records import open_records
from desk.settings import load_settings
from evals.case import read_cases
from ledger.events import Entry, Kind
from ledger.intake import IncomingMessage, Intake
from ledger.worker import WorkerLedger


@pytest.fixture
def filed(tmp_path: Path) -> None:
    """Four tickets that lane 1 answered in the first week of February."""
    records = open_records(load_settings(tmp_path, {}), Clock(datetime(2026, 2, 3, 9, tzinfo=UTC)))
    worker = WorkerLedger(records.store)
    for number in range(1, 5):
        received = Intake(records.store).receive(
            IncomingMessage(
                ticket=f"T-{number}",
                key="m",
                channel="mail",
                subject="Receipts",
                requester_email="hazel@maplefinch.example",
                requester_name="Hazel Lindqvist",
                verified=True,
                account_id=None,
                recipient="hazel@maplefinch.example",
                text=f"Where are our receipts? \x1b[2J ({number})",
            )
        )
        head = {"lane": 1, "families": ["billing"], "consequence": "low"}
        also = [Entry(Kind.LANE_ASSIGNED, f"{received.seq}/lane", head)]
        worker.open_answer(received.ticket, received.seq, 1, also=also)
    records.store.close()


@pytest.mark.usefixtures("filed")
def test_a_week_is_drawn_judged_by_two_and_reported(run: Any, tmp_path: Path) -> None:
    drawn = run("audit", "draw", "--week", "2026-W06", "--seed", "4", "--size", "3", "--by", "Oona")
    assert drawn.exit_code == 0, drawn.output
    assert "Week 2026-W06: 3 of 4 tickets drawn, 1 of them for two auditors. Seed 4." in drawn.stdout
    assert re.search(r"billing_clarification +low +4 +3 +0\.750", drawn.stdout)
    judged = 0
    for _ in range(4):
        for by in ("Ines", "Jonas"):
            shown = run("audit", "next", "--by", by)
            assert shown.exit_code == 0, shown.output
            if "Nothing waits" in shown.stdout:
                continue
            assert "Where are our receipts?" in shown.stdout and "\x1b" not in shown.stdout
            audit = re.search(r"audit (2026-W06-\d+)", shown.stdout)
            assert audit is not None
            said = ("--escalate", "yes", "--trigger", "missing_context", "--fault", "missing_signal", "--note", "no")
            done = run("audit", "verdict", audit[1], "--by", by, *said)
            assert done.exit_code == 0, done.output
            assert "Recorded" in done.stdout
            judged += 1
    assert judged == 4
    told = run("audit", "report")
    assert told.exit_code == 0
    assert "3 drawn, 3 judged, 0 waiting" in told.stdout
    assert "all: 100.0% missed" in told.stdout
    cases = read_cases(tmp_path / "evals" / "proposals")
    assert len(cases) == 3 and {c.requester.name for c in cases} == {"Robin Dale"}
    timeline = run("ticket", "T-1").stdout + run("ticket", "T-2").stdout
    assert "audit_judged" in timeline and "missing_signal" not in timeline


@pytest.mark.usefixtures("filed")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("audit", "draw", "--week", "2026-47"), "is no week: write it as 2026-W47"),
        (("audit", "draw", "--week", "2099-W10"), "is over on 2099-03-09"),
        (("audit", "show", "2026-W06-001", "--by", "Ines"), "no audit '2026-W06-001'"),
        (("audit", "verdict", "x", "--by", "Ines", "--escalate", "maybe"), "say yes or no"),
        (("audit", "verdict", "x", "--by", "Ines", "--escalate", "no"), "no audit 'x'"),
        (("audit", "propose", "x"), "no audit 'x'"),
        (("audit", "next", "--by", " "), "an auditor has a name"),
        (("audit", "report", "--since", "May"), "is no week"),
        (("review", "open", "yearly"), "Choose one of: late-escalations, risky-not-escalated, lane-distribution"),
        (
            ("review", "close", "lane-distribution", "--by", "O", "--decision", "d", "--owner", "M"),
            "no review of lane-distribution is open",
        ),
    ],
)
def test_what_cannot_be_done_is_told_and_nothing_is_recorded(run: Any, words: tuple[str, ...], told: str) -> None:
    before = run("verify").stdout
    done = run(*words)
    assert done.exit_code == 2
    assert told in done.stderr and "Traceback" not in done.output
    assert run("verify").stdout == before


@pytest.mark.usefixtures("filed")
def test_a_week_without_such_tickets_is_told_and_no_error(run: Any) -> None:
    done = run("audit", "draw", "--week", "2026-W05")
    assert done.exit_code == 0
    assert done.stdout == "No ticket of week 2026-W05 ended in lane 1 without a person: nothing to audit.\n"
    assert "Nothing was drawn yet" in run("audit", "report").stdout
    assert run("audit", "next", "--by", "Ines").stdout == "Nothing waits for a verdict of Ines.\n"


@pytest.mark.usefixtures("filed")
def test_a_review_is_named_when_late_opened_with_its_material_and_closed(run: Any) -> None:
    due = run("review", "due")
    assert due.exit_code == 0
    assert re.search(r"late-escalations \(weekly\): OVERDUE by \d+ days, was due on 2026-02-10", due.stdout)
    assert re.search(r"trigger-definitions \(quarterly\): due on 2026-05-03", due.stdout)
    opened = run("review", "open", "risky_not_escalated", "--by", "Oona")
    assert opened.exit_code == 0, opened.output
    assert "opened by Oona" in opened.stdout and "Found by audit: 0 (audited 0, without_a_person 4)" in opened.stdout
    assert "open since" in run("review", "due").stdout
    closed = run(
        *(
            "review",
            "close",
            "risky-not-escalated",
            "--by",
            "Marek",
            "--decision",
            "Draw twice as many.",
            "--owner",
            "Ines",
        )
    )
    assert closed.exit_code == 0
    assert "Closed by Marek, owner Ines: Draw twice as many." in closed.stdout
    assert "owner Ines" in run("review", "due").stdout


@pytest.mark.parametrize("words", [("audit", "report"), ("review", "due"), ("audit", "draw")])
def test_a_look_where_there_is_no_ledger_creates_none(run: Any, tmp_path: Path, words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.exit_code == 2 and "there is no ledger" in done.stderr
    assert list(tmp_path.iterdir()) == []
