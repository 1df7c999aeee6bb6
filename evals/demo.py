"""The demo: the made-up company's tickets through the real machine, shown for people and written as one page."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from agent.model import ModelSettings
from evals.case import Case, read_cases
from evals.report import Row, page
from evals.run import CaseRun, run_cases, scratch_folder
from evals.show import console, progress, section, table, tally
from guards.policy import Release
from ledger.history import History
from ledger.packets.pages import to_text
from ledger.result import read_result
from ledger.reviews import Reviews
from ledger.store import Store

Deliver = Callable[[Store, Path], object]
"""Hands what may leave to a post room whose letters land in a folder."""


def run_demo(
    folder: Path | None, report: Path, release: Release, deliver: Deliver, model: ModelSettings | None = None
) -> int:
    """Runs all cases of a folder (default: the packaged ones); 0 where each got what it expects, else 1."""
    out, cases = console(), tuple(case for case in read_cases(folder) if case.demo)
    mode = f"model {model.name}" if model else "embedded default: no key, no model, no network"
    out.print(f"[bold]Lanewise[/bold]: {len(cases)} tickets of a made-up company through the real machine ({mode})\n")
    started = time.monotonic()
    with scratch_folder() as scratch:
        runs = asyncio.run(_run(cases, release, Path(scratch), deliver, model))
        sent = sorted((Path(scratch) / "outbox").glob("*.eml"))
    rows = [_row(run) for run in runs]
    out.print()
    out.print(table(rows))
    _in_full(out, rows)
    out.print()
    out.rule(align="left")
    out.print(tally(rows))
    out.print(f"{len(sent)} letters left through the post room, as .eml files; everything else waits for a person.")
    note = f"Policy release {release.version}, {mode}. Every company, person and account in it is made up."
    report.write_text(page("Lanewise demo", note, rows), encoding="utf-8")
    out.print(f"The same as a page: {report}   ({time.monotonic() - started:.0f} s)")
    out.print(
        "Next: [bold]lanewise serve --demo[/bold] shows a made-up year of it at the agents' desk, and a chat to write in."
    )
    failed = [run for run in runs if run.unmet]
    if failed:
        out.print(f"[bold red]{len(failed)} tickets did not get what they expect.[/bold red]")
    return 1 if failed else 0


async def _run(
    cases: tuple[Case, ...], release: Release, scratch: Path, deliver: Deliver, model: ModelSettings | None
) -> list[CaseRun]:
    out, runs = console(), []
    async for run, store in run_cases(cases, release, scratch, model):
        deliver(store, scratch / "outbox")
        after = CaseRun(run.case, read_result(History(store), Reviews(store), run.case.id), run.unmet)
        runs.append(after)
        progress(out, len(runs), len(cases), _row(after))
    return runs


def _row(run: CaseRun) -> Row:
    return Row(run.case.title, run.result, run.unmet)


def _in_full(out: object, rows: list[Row]) -> None:
    """One lane-1 reply with its sources, one lane-2 draft, one lane-3 packet."""
    from rich.console import Console

    assert isinstance(out, Console)
    answered = next((r for r in rows if r.did.startswith("answered")), None)
    if answered:
        text = next(d.body.text or "" for d in answered.result.replies if d.letter.piece.value == "answer")
        section(out, f"Lane 1, a reply that left: {answered.title}", text)
    drafted = next((r for r in rows if r.result.draft), None)
    if drafted:
        section(out, f"Lane 2, a draft that waits for an agent: {drafted.title}", drafted.result.draft or "")
    # The article's own packet example, where it is among the cases.
    owned = [r for r in rows if r.result.lane == 3 and r.result.packet]
    example = next((r for r in owned if r.result.ticket.id == "downgrade-refund-incident"), owned[0] if owned else None)
    if example and example.result.packet:
        section(out, f"Lane 3, a packet in full: {example.title}", to_text(example.result.packet))
