"""The article's practical next step: a team's own nervous tickets, judged in a ledger that is thrown away."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agent.incoming import incoming
from agent.model import ModelSettings
from agent.wiring import open_handler
from evals.report import Row, markdown, page
from evals.run import scratch_folder
from evals.show import console, plainly, progress, table, tally
from guards.policy import Release
from ledger.history import History
from ledger.result import read_result
from ledger.reviews import Reviews
from ledger.store import open_store
from tools.systems import Systems
from tools.ticket import Ticket
from tools.ticket_files import read_tickets


def run_trial(file: Path, out_path: Path, release: Release, systems: Systems, model: ModelSettings | None) -> int:
    """Judges every ticket of a file and writes the reports; nothing is sent, and the workspace's ledger is not
    touched. 0 where at least one ticket was judged and no row was bad, else 1."""
    out, read = console(), read_tickets(file)
    mode = f"model {model.name}" if model else "embedded default (no model)"
    for problem in read.problems:
        out.print(f"  left out: {plainly(str(problem))}", style="red", markup=False)
    if read.ignored:
        out.print(f"  fields not used: {plainly(', '.join(read.ignored))}", style="dim", markup=False)
    rows = asyncio.run(_judge(read.tickets, release, systems, model))
    out.print()
    out.print(table(rows))
    out.print()
    out.print(tally(rows))
    title = f"{len(rows)} tickets of {file.name}"
    note = f"Policy release {release.version} ({release.rollout.phase.value}), {mode}. Nothing was sent."
    problems = [str(p) for p in read.problems]
    for ending, text in ((".md", markdown(title, note, rows, problems)), (".html", page(title, note, rows, problems))):
        path = out_path.with_name(out_path.name + ending)
        path.write_text(text, encoding="utf-8", errors="replace")
        out.print(f"report: {path}", markup=False)
    return 0 if rows and not read.problems else 1


async def _judge(
    tickets: tuple[Ticket, ...], release: Release, systems: Systems, model: ModelSettings | None
) -> list[Row]:
    out, rows = console(), []
    with scratch_folder() as scratch:
        today = systems.company.today
        store = (
            open_store(Path(scratch) / "ledger.sqlite3", clock=lambda: today)
            if today
            else open_store(Path(scratch) / "ledger.sqlite3")
        )
        async with open_handler(store, systems, release, Path(scratch) / "runs.sqlite3", model) as handler:
            for number, ticket in enumerate(tickets, 1):
                await handler.handle(incoming(ticket, "trial"))
                title = ticket.subject or " ".join(ticket.messages[0].text.split())[:70]
                rows.append(Row(title, read_result(History(store), Reviews(store), ticket.id)))
                progress(out, number, len(tickets), rows[-1])
    return rows
