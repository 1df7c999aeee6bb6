"""Time and memory a ticket without the model call, beside an empty LangGraph graph of as many steps: `make bench`."""

from __future__ import annotations

import asyncio
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypedDict

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph

from agent.wiring import open_handler, text_head
from evals.case import Case, read_cases
from evals.run import message_of
from evals.show import console
from guards.policy import Release, parse_release
from ledger.store import open_store
from tools.sandbox import SandboxCompany

PAIRS = 30
STEPS = {1: 6, 2: 8, 3: 8}
"""Steps that a customer's message runs through, by lane."""
EXAMPLES = {1: "add-seats-how", 2: "temporary-seats", 3: "downgrade-refund-incident"}


class Counter(TypedDict):
    """The empty graph's state."""

    n: int


async def main() -> None:
    """Prints medians and the ratio, pair by pair in one run, so that a noisy machine spoils neither side."""
    from importlib import resources

    out = console()
    name = "2026-03-01.toml"
    release = parse_release((resources.files("guards") / "policies" / name).read_text(encoding="utf-8"), name)
    cases = {c.id: c for c in read_cases()}
    out.print("Time a ticket, SQLite on disk, no model; beside an empty LangGraph graph of as many steps")
    out.print(f"({PAIRS} pairs, each side in turn; milliseconds)\n")
    out.print(f"{'':<24}{'ours p50':>10}{'empty p50':>11}{'ratio p50':>11}{'of it the text head':>21}")
    for lane, case_id in EXAMPLES.items():
        ours, empty, head = await _pairs(cases[case_id], release, STEPS[lane])
        ratios = [a / b for a, b in zip(ours, empty, strict=True)]
        row = [statistics.median(x) for x in (ours, empty, ratios)]
        out.print(f"lane {lane}, {STEPS[lane]} steps{'':<9}{row[0]:>10.1f}{row[1]:>11.1f}{row[2]:>11.2f}{head:>21.1f}")
    out.print(f"\npeak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    for code, what in (("import lanewise", "the command"), ("import agent.wiring", "the whole machine")):
        out.print(f"import of {what}: {_import_seconds(code) * 1000:.0f} ms (median of 5)")


async def _pairs(case: Case, release: Release, steps: int) -> tuple[list[float], list[float], float]:
    company = SandboxCompany()
    with tempfile.TemporaryDirectory(prefix="lanewise-bench-") as scratch:
        folder = Path(scratch)
        store = open_store(folder / "ledger.sqlite3", clock=lambda: company.now)
        message = message_of(case)
        async with (
            open_handler(store, company.systems(), release, folder / "runs.sqlite3") as handler,
            AsyncSqliteSaver.from_conn_string(str(folder / "empty.sqlite3")) as saver,
        ):
            await saver.conn.execute("PRAGMA journal_mode=WAL")
            graph = _empty(steps, saver)
            ours, empty = [], []
            for n in range(-3, PAIRS):  # three warm-up pairs
                from dataclasses import replace

                letter = replace(message, ticket=f"bench-{n}")
                mine = await _timed(lambda letter=letter: handler.handle(letter))  # type: ignore[misc]
                config: Any = {"configurable": {"thread_id": f"bench-{n}"}}
                theirs = await _timed(lambda config=config: graph.ainvoke({"n": 0}, config, durability="sync"))  # type: ignore[misc]
                if n >= 0:
                    ours.append(mine)
                    empty.append(theirs)
    head = []
    for _ in range(10):
        started = time.perf_counter()
        text_head().judge(message.text)
        head.append((time.perf_counter() - started) * 1000)
    return ours, empty, statistics.median(head)


def _empty(steps: int, saver: AsyncSqliteSaver) -> Any:
    graph = StateGraph(Counter)

    async def step(state: Counter) -> Counter:
        return {"n": state["n"] + 1}

    names = [f"step{i}" for i in range(steps)]
    for name in names:
        graph.add_node(name, step)
    for left, right in zip([START, *names], [*names, END], strict=True):
        graph.add_edge(left, right)
    return graph.compile(checkpointer=saver)


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await work()
    return (time.perf_counter() - started) * 1000


def _import_seconds(code: str) -> float:
    found = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        found.append(time.perf_counter() - started)
    return statistics.median(found)


if __name__ == "__main__":
    asyncio.run(main())
