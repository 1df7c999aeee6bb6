"""The executor with its ledger read and its audit row beside it, on a real SQLite file, and by the thread's length."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from functools import partial

from evals.speed.figures import Ratio, Row, Section, Spread, at_most
from evals.speed.house import House
from evals.speed.peer import timed
from evals.speed.race import Side, Turn, race
from guards.capabilities import TABLE, Right
from guards.gate import Refusal
from guards.lanes import Lane
from tools.toolbox import Done, Tool, Toolbox

LENGTHS = (1, 10, 100, 500)
"""Messages in a thread."""
FLAT = 1.25
"""How many times the shortest thread's p50 the longest one's may be and still be called flat."""

SHORTEST = "the shortest thread"

READS, DRAFTS = Right.READ_SOURCES, Right.DRAFT_REPLY
"""Held, and not held, in lane 1."""


def measure(house: House, rounds: int, calls: int) -> Section:
    """The executor's parts and the executor whole, on a ticket in lane 1."""
    ticket = house.ticket("executor", lane=Lane.AUTONOMOUS)
    box, record = toolbox(house, ticket)
    refusal = Refusal(TABLE[DRAFTS].does, "lane", TABLE[DRAFTS].reason)
    sides: dict[str, Turn] = {
        "a permitted call, whole (it writes no row; a tool's own deed does)": calling(box, READS, Done),
        "a refused call, whole, with the refusal's row": calling(box, DRAFTS, Refusal),
        "of it: the ledger's lane, epoch and halts read": partial(timed, lambda n: house.worker.standing(ticket)),
        "of it: the ledger read and the grant derived": partial(timed, lambda n: house.grant(ticket)),
        "of it: the audit row of a refusal": partial(timed, lambda n: record(refusal)),
    }
    found = race({what: Side(turn, calls) for what, turn in sides.items()}, rounds)
    first, *rest = found
    rows = [Row(first, Spread.of(found[first]))]
    rows += [Row(what, Spread.of(found[what]), Ratio.of(found[first], found[what])) for what in rest]
    notes = (
        "the lane is read from the ledger at every call, never kept",
        "rows are written without waiting for the disk",
    )
    return Section("The executor: Toolbox.call over SQLite on disk", "a call", tuple(rows), notes)


def measure_lengths(house: House, rounds: int, calls: int) -> Section:
    """A permitted and a refused call in threads of each length."""
    sides: dict[str, Turn] = {}
    for kind, right, wanted in (("permitted", READS, Done), ("refused", DRAFTS, Refusal)):
        for length in LENGTHS:
            box, _ = toolbox(house, house.ticket(f"{kind}-{length}", length))
            sides[f"a {kind} call, thread of {length}"] = calling(box, right, wanted)
    found = race({what: Side(turn, calls) for what, turn in sides.items()}, rounds)
    return Section("The executor by the thread's length in messages", "a call", by_length(found), beside=SHORTEST)


def by_length(found: dict[str, list[list[int]]]) -> tuple[Row, ...]:
    """Rows of the same kind under their shortest thread, whose figure the longest one is held to."""
    rows = []
    for n, what in enumerate(found):
        start = list(found)[n - n % len(LENGTHS)]
        ratio = None if what == start else Ratio.of(found[start], found[what])
        longest = n % len(LENGTHS) == len(LENGTHS) - 1
        goals = (at_most(f"times {SHORTEST}", ratio.median, FLAT, ""),) if ratio and longest else ()
        rows.append(Row(what, Spread.of(found[what]), ratio, goals))
    return tuple(rows)


def toolbox(house: House, ticket: str) -> tuple[Toolbox, Callable[[Refusal], object]]:
    """The executor over that ticket with two tools that do nothing, and what records its refusals."""
    count = itertools.count()
    worker = house.worker

    def record(refusal: Refusal) -> object:
        # A key of its own each time: under a key that came before, no row is written.
        return worker.refuse(ticket, f"bench/{next(count)}", refusal)

    tools = [
        Tool(right.value, TABLE[right].effect, right, {"words": str}, lambda words: None) for right in (READS, DRAFTS)
    ]
    return Toolbox(tools, lambda: house.grant(ticket), record), record


def calling(box: Toolbox, right: Right, wanted: type[Done] | type[Refusal]) -> Turn:
    """Calls the tool of that right so many times in turn. AssertionError where the answer is of another kind."""

    async def batch(calls: int) -> list[int]:
        now, found, answer = time.perf_counter_ns, [], None
        for _ in range(calls):
            began = now()
            answer = await box.call(right.value, {"words": "audit logs"})
            found.append(now() - began)
        assert answer is None or isinstance(answer, wanted), answer
        return found

    return lambda calls: asyncio.run(batch(calls))
