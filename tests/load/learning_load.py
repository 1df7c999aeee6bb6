"""How long a scorecard and a back-test take over a million tickets, and whether their memory grows with the number.

A made-up year is driven once; its folded tickets and stored decisions are then repeated under other names until there are
as many as asked for. What is timed reads all of them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

from sqlalchemy import ColumnElement, Connection, Table, func, insert, literal, select

from agent.packaged import packaged_release
from desk.made_up.year import LEDGER, write_year
from desk.scoring import misses_of, people_of
from ledger.evidence.backtest_report import backtest
from ledger.evidence.backtest_rows import StoredDecisions
from ledger.scorecard.projecting import catch_up, progress
from ledger.scorecard.reading import Period, read_scorecard
from ledger.scorecard.warnings import read_warnings
from ledger.store import Store, open_store
from ledger.tables import stored_decisions, ticket_summaries
from tools.sandbox import SandboxCompany, company_folder

TICKETS = 1_000_000
YEAR = 2_500
"""Made-up tickets that are driven and told; the others repeat them."""
TIMES = 3
"""Runs of each; the fastest counts, since the others waited for something else."""
_AGAIN = "/again-"


def main() -> int:
    """Makes the ledger and prints the figures."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--tickets", type=int, default=TICKETS)
    asked.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    told = asked.parse_args()
    if told.measure is not None:
        return measure(told.measure)
    tickets = told.tickets
    with tempfile.TemporaryDirectory(prefix="lanewise-learning-") as scratch:
        folder = Path(scratch)
        write_year(folder, YEAR, seed=7, bulk=True, tell=lambda said: None)
        store = open_store(folder / LEDGER)
        try:
            started = time.perf_counter()
            folded = catch_up(store)
            StoredDecisions(store).bring_up_to_date()
            taken = time.perf_counter() - started
            say(f"{YEAR} tickets of {folded.last} events folded and their decisions stored in {taken:.1f} s")
            tenth = _grown(store, tickets // 10)
            few = _in_a_process(folder, tenth)
            many = _in_a_process(folder, _grown(store, tickets))
        finally:
            store.close()
    say(
        f"memory of a process that asks for both: {few:.0f} MiB over {tenth:,} tickets, {many:.0f} MiB over {tickets:,}"
    )
    return 0


def measure(ledger: Path) -> int:
    """In a process of its own: both, over that ledger. Prints them; its last line is its peak memory in MiB."""
    store = open_store(ledger)
    scorecard = min(_scorecard(store) for _ in range(TIMES))
    decided, seconds = min((_backtest(store) for _ in range(TIMES)), key=lambda found: found[1])
    with store.read() as conn:
        count = conn.execute(select(func.count()).select_from(ticket_summaries)).scalar_one()
    store.close()
    say(
        f"{count:,} tickets: scorecard with its warnings {scorecard:.2f} s; back-test of {decided:,} decisions "
        f"{seconds:.2f} s, {decided / seconds:,.0f} a second, each under two releases"
    )
    say(str(_peak()))
    return 0


def _peak() -> float:
    """MiB that this very process held at most; ``getrusage`` would tell its parent's peak where that was higher."""
    told = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in told if line.startswith("VmHWM")) / 1024


def say(line: str) -> None:
    """A line, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _in_a_process(folder: Path, tickets: int) -> float:
    done = subprocess.run(
        [sys.executable, __file__, "--measure", str(folder / LEDGER)], check=True, capture_output=True, text=True
    )
    *said, memory = done.stdout.splitlines()
    say("\n".join(said))
    if not any(f"{tickets:,} tickets" in line for line in said):
        raise SystemExit(f"the ledger does not hold {tickets:,} tickets: {said}")
    return float(memory)


def _scorecard(store: Store) -> float:
    started = time.perf_counter()
    now = SandboxCompany().now
    people = people_of(company_folder())
    catch_up(store)
    with store.read() as conn:
        period = Period(now)
        card = read_scorecard(conn, period)
        read_warnings(conn, now, people)
        misses_of(conn, period)
        count = conn.execute(select(func.count()).select_from(ticket_summaries)).scalar_one()
        assert progress(conn).complete and card.tickets == count
    return time.perf_counter() - started


def _backtest(store: Store) -> tuple[int, float]:
    now = packaged_release()
    candidate = now.model_copy(update={"version": "candidate", "several_mediums": 3, "signal": now.signal[3:]})
    started = time.perf_counter()
    found = backtest(StoredDecisions(store), now, candidate)
    return found.decisions, time.perf_counter() - started


def _grown(store: Store, tickets: int) -> int:
    """Repeats the year under other names until there are so many tickets, each with one decision."""
    with store.read() as conn:
        there = conn.execute(select(func.count()).select_from(ticket_summaries)).scalar_one()
        apart = (
            1
            + conn.execute(select(func.max(stored_decisions.c.seq)).where(_of_the_year(stored_decisions))).scalar_one()
        )
    for times in range(there // YEAR, -(-tickets // YEAR)):
        end = literal(f"{_AGAIN}{times}")
        with store.write() as conn:
            _repeat(conn, ticket_summaries, {"ticket_id": end, "customer": end})
            _repeat(conn, stored_decisions, {"ticket_id": end, "seq": literal(times * apart)})
    return -(-tickets // YEAR) * YEAR


def _of_the_year(table: Table) -> ColumnElement[bool]:
    return table.c.ticket_id.not_like(f"%{_AGAIN}%")


def _repeat(conn: Connection, table: Table, more: Mapping[str, ColumnElement[Any]]) -> None:
    columns = [c + more[c.name] if c.name in more else c for c in table.c]
    rows = select(*columns).where(_of_the_year(table))
    conn.execute(insert(table).from_select([c.name for c in table.c], rows))


if __name__ == "__main__":
    raise SystemExit(main())
