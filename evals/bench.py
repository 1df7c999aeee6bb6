"""Time and memory a ticket without a model, beside an empty LangGraph graph of as many steps: `make bench`."""

from __future__ import annotations

import asyncio
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypedDict, TypeVar

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph

from agent.checkpoints import open_checkpoints
from agent.packaged import packaged_release
from agent.wiring import open_handler, text_head
from evals.case import Case, read_cases
from evals.run import message_of
from evals.show import console
from guards.policy import Release
from ledger.events import Kind
from ledger.history import History
from ledger.store import open_store
from tools.sandbox import SandboxCompany

PAIRS = 30
STEPS = {1: 6, 2: 8, 3: 8}
"""Steps that a customer's message runs through, by lane."""
EXAMPLES = {1: "add-seats-how", 2: "nonstandard-overage", 3: "downgrade-refund-incident"}

T = TypeVar("T")


class Counter(TypedDict):
    """The empty graph's state."""

    n: int


@dataclass(slots=True)
class Reading:
    """Milliseconds that the packaged text model takes, summed up where it is called, in the very runs measured."""

    head: float = 0.0
    """Reading the message for triggers."""
    search: float = 0.0
    """Vectors of the question, for the search."""

    def clocked(self, name: str, work: Callable[..., T]) -> Callable[..., T]:
        """The same function, whose time is added to the field of that name."""

        def run(*args: Any) -> T:
            started = time.perf_counter()
            try:
                return work(*args)
            finally:
                setattr(self, name, getattr(self, name) + (time.perf_counter() - started) * 1000)

        return run


@dataclass(slots=True)
class Pairs:
    """One lane's measurements, milliseconds, pair by pair."""

    ours: list[float] = field(default_factory=list)
    """The whole ticket, from the message handed in to its last step."""
    head: list[float] = field(default_factory=list)
    search: list[float] = field(default_factory=list)
    empty: list[float] = field(default_factory=list)
    """An empty graph over LangGraph's asynchronous saver, as it comes."""
    bare: list[float] = field(default_factory=list)
    """The same over our saver and its settings."""

    @property
    def without(self) -> list[float]:
        """Ours without any model's reading."""
        return [a - b - c for a, b, c in zip(self.ours, self.head, self.search, strict=True)]


async def main() -> None:
    """Prints medians and ratios, pair by pair in one run, so that a noisy machine spoils neither side."""
    out = console()
    release = packaged_release()
    cases = {c.id: c for c in read_cases()}
    out.print(
        "Time a ticket, SQLite on disk; beside an empty LangGraph graph of as many steps, durability=sync as ours"
    )
    out.print(
        f"({PAIRS} rounds, each side in turn; p50 and p99 in milliseconds, ratios round by round; the text model's time"
    )
    out.print("is taken in the same runs)\n")
    heads = (
        "no model",
        "p99",
        "empty",
        "p99",
        "ratio",
        "bare",
        "ratio",
        "text head",
        "search",
        "all of it",
        "p99",
        "ratio",
    )
    out.print(" " * 16 + "".join(f"{h:>10}" for h in heads))
    for lane, case_id in EXAMPLES.items():
        out.print(_row(lane, await _pairs(cases[case_id], release, lane)))
    out.print(
        "\nempty: over LangGraph's asynchronous saver as it comes (synced at every step); bare: over our saver (not synced)."
    )
    out.print(
        "no model: our time without the text head's and the encoder's; all of it: with both. None calls a provider."
    )
    out.print(f"\npeak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")
    for code, what in (("import lanewise", "the command"), ("import agent.wiring", "the whole machine")):
        out.print(f"import of {what}: {_import_seconds(code) * 1000:.0f} ms (median of 5)")


def _row(lane: int, found: Pairs) -> str:
    def ratio(side: Sequence[float], beside: Sequence[float] = found.empty) -> float:
        return statistics.median(a / b for a, b in zip(side, beside, strict=True))

    def both(side: Sequence[float]) -> str:
        return f"{statistics.median(side):>10.1f}{_p99(side):>10.1f}"

    bare = f"{statistics.median(found.bare):>10.1f}{ratio(found.without, found.bare):>10.2f}"
    model = f"{statistics.median(found.head):>10.1f}{statistics.median(found.search):>10.1f}"
    return (
        f"lane {lane}, {STEPS[lane]} steps {both(found.without)}{both(found.empty)}{ratio(found.without):>10.2f}"
        f"{bare}{model}{both(found.ours)}{ratio(found.ours):>10.2f}"
    )


def _p99(side: Sequence[float]) -> float:
    return statistics.quantiles(side, n=100, method="inclusive")[98]


async def _pairs(case: Case, release: Release, lane: int) -> Pairs:
    company, found, reading = SandboxCompany(), Pairs(), Reading()
    head = text_head()
    judge, embed = head.judge, head.encoder.embed
    with tempfile.TemporaryDirectory(prefix="lanewise-bench-") as scratch:
        folder = Path(scratch)
        store = open_store(folder / "ledger.sqlite3", clock=lambda: company.now)
        message = message_of(case)
        async with (
            AsyncExitStack() as opened,
            open_handler(store, company.systems(), release, folder / "runs.sqlite3") as handler,
            AsyncSqliteSaver.from_conn_string(str(folder / "empty.sqlite3")) as saver,
        ):
            bare_file = opened.enter_context(open_checkpoints(folder / "bare.sqlite3"))
            await saver.conn.execute("PRAGMA journal_mode=WAL")
            graph, bare = _empty(STEPS[lane], saver), _empty(STEPS[lane], bare_file)
            # On the instances: what calls them is not changed.
            setattr(head, "judge", reading.clocked("head", judge))  # noqa: B010
            setattr(head.encoder, "embed", reading.clocked("search", embed))  # noqa: B010
            try:
                for n in range(-3, PAIRS):  # three warm-up pairs
                    letter, config = (
                        replace(message, ticket=f"bench-{n}"),
                        {"configurable": {"thread_id": f"bench-{n}"}},
                    )
                    reading.head = reading.search = 0.0
                    mine = await _timed(handler.handle(letter))
                    theirs = await _timed(graph.ainvoke({"n": 0}, config, durability="sync"))
                    least = await _timed(bare.ainvoke({"n": 0}, config, durability="sync"))
                    if n >= 0:
                        found.ours.append(mine)
                        found.head.append(reading.head)
                        found.search.append(reading.search)
                        found.empty.append(theirs)
                        found.bare.append(least)
            finally:
                del head.judge, head.encoder.embed
        _in_lane(History(store), "bench-0", lane)
    return found


def _in_lane(history: History, ticket: str, lane: int) -> None:
    """Fails where the example has come to another lane, and another number of steps, than the row says."""
    came_to = [e.head["lane"] for e in history.timeline(ticket) if e.kind is Kind.LANE_ASSIGNED]
    if came_to != [lane] or int(history.register(ticket).lane) != lane:
        raise SystemExit(f"the example {EXAMPLES[lane]!r} came to lane {came_to}, not {lane}: choose another one")


def _empty(steps: int, saver: BaseCheckpointSaver[str]) -> Any:
    graph = StateGraph(Counter)

    async def step(state: Counter) -> Counter:
        return {"n": state["n"] + 1}

    names = [f"step{i}" for i in range(steps)]
    for name in names:
        graph.add_node(name, step)
    for left, right in zip([START, *names], [*names, END], strict=True):
        graph.add_edge(left, right)
    return graph.compile(checkpointer=saver)


async def _timed(work: Awaitable[object]) -> float:
    started = time.perf_counter()
    await work
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
