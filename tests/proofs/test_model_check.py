"""The abstract boundary, walked breadth-first: no invariant breaks, and without any one check some invariant does."""

from __future__ import annotations

import multiprocessing
import re
import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import boundary_model
import pytest
from boundary_model import INVARIANTS, PERMIT, Act, Bounds, Cut, State, acts, broken, step

SCOPES = (
    Bounds(messages=2, epochs=3, halts=1, letters=2, policies=(0, 1, 2), box=True),
    Bounds(messages=3, epochs=2, halts=2, letters=3, refused=2, policies=(0, 2), box=False),
)
"""Two walks, one a core: the first with every release and an open executor, the second with more letters in flight."""
NARROW = Bounds(messages=1, epochs=1, halts=0, letters=2, policies=(0,), box=False)
TIGHT = {"begin_state": NARROW, "unique_key": NARROW, "notice_once": NARROW, "unknown_is_final": NARROW}
"""Where a counterexample lies deep, the walk is kept narrow; it is still the shortest within these bounds."""
MUTANTS = tuple(
    sorted(set(re.findall(r'"(\w+)" (?:not )?in cut\b', Path(boundary_model.__file__).read_text(encoding="utf-8"))))
)
"""Every check of the model that can be taken out, read from the model itself, so that none is forgotten."""


class Walk(NamedTuple):
    """What a walk came to."""

    states: int
    steps: int
    depth: int
    """Whole levels: every state at most so many acts away was reached."""
    prints: array[int]
    """One number a state, so that the states of two walks can be counted once."""
    found: tuple[str, str, tuple[Act, ...]] | None
    """Invariant, what happened, and the shortest way there."""
    met: frozenset[tuple[str, str]]
    """Every (act, answer) there was: what a walk never tries, it proves nothing about."""


def walk(bounds: Bounds, limit: int, cut: Cut = frozenset(), *, keep_ways: bool = False) -> Walk:
    """Walks breadth-first from a new ticket until ``limit`` states are known or an invariant breaks."""
    start = State()
    seen: dict[State, tuple[State, Act] | None] = {start: None}
    frontier, depth, steps = [start], 0, 0
    met: set[tuple[str, str]] = set()
    while frontier and len(seen) < limit:
        after: list[State] = []
        for s in frontier:
            for act in acts(s, bounds):
                t, said = step(s, act, cut)
                steps += 1
                met.add((act[0], said))
                if (wrong := broken(s, act, t, said)) is not None:
                    return Walk(len(seen), steps, depth, array("q"), (*wrong, _way(seen, s, act)), frozenset(met))
                if t is not s and t not in seen:
                    seen[t] = (s, act) if keep_ways else None
                    after.append(t)
            if len(seen) >= limit:
                break
        else:
            depth += 1
        frontier = after
    return Walk(len(seen), steps, depth, array("q", map(hash, seen)), None, frozenset(met))


def _way(seen: dict[State, tuple[State, Act] | None], s: State, last: Act) -> tuple[Act, ...]:
    way = [last]
    while (came := seen[s]) is not None:
        s, act = came
        way.append(act)
    return tuple(reversed(way))


def shown_way(way: tuple[Act, ...]) -> str:
    """A way as one line: ``open_answer(2) > close_answer(0)``."""
    return " > ".join(f"{name}({', '.join(map(str, rest))})" for name, *rest in way)


def _walk_scope(job: tuple[Bounds, int]) -> Walk:
    return walk(*job)


def test_no_invariant_breaks_in_any_state_that_can_be_reached(size: Callable[[int, int], int], shown: Any) -> None:
    # Forked, so that both processes number their states alike and a state that both reach is counted once.
    each = size(30_000, 750_000)
    jobs = [*((bounds, each) for bounds in SCOPES), (NARROW, each // 2)]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        walks = pool.map(_walk_scope, jobs, chunksize=1)
    assert [w.found for w in walks] == [None] * len(jobs)
    states = len(set().union(*(w.prints for w in walks)))
    steps = sum(w.steps for w in walks)
    assert states >= size(40_000, 1_000_000)
    met = frozenset().union(*(w.met for w in walks))
    # Utility: in the same walks, texts that may leave do leave.
    assert {("begin", PERMIT), ("hand", PERMIT), ("approve", PERMIT), ("call", PERMIT), ("record", PERMIT)} <= met
    refusals = {said for act, said in met if act == "begin"} - {PERMIT}
    assert refusals >= {"state", "lane", "epoch", "revision", "release", "halted", "approval"}
    # A claim withdraws what waits, so that only what is proposed after it meets the gate's own check; no letter does
    # that at the door, and none may.
    assert {("propose", "claimed"), ("call", "ungrounded")} <= met and "claimed" not in refusals
    what = f"breadth-first model check, {len(INVARIANTS)} invariants at every step"
    depths = sorted(w.depth for w in walks)
    beside = f"{len(met)} different (act, answer) pairs, sending among them; {len(MUTANTS)} mutants each break one"
    reach = f"every one within {depths[0]} acts ({depths[-1]} in the narrowest bounds) among them"
    for name in INVARIANTS:
        shown(name, what, f"0 broken in {states:,} states and {steps:,} steps, {reach}", beside)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_without_this_one_check_the_model_breaks_an_invariant(
    mutant: str, full: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    found = walk(TIGHT.get(mutant, SCOPES[0]), 400_000, frozenset({mutant}), keep_ways=True).found
    assert found is not None, f"without {mutant} every invariant still holds: either it is not needed or one is missing"
    invariant, what, way = found
    # With the check in its place the same acts break nothing.
    assert replay(way, frozenset({mutant})) == (invariant, what)
    assert replay(way, frozenset()) is None
    trace = f"\n  {mutant}: {invariant}, {what}\n    {shown_way(way)}\n"
    if full:
        with capsys.disabled():
            sys.stdout.write(trace)


def replay(way: tuple[Act, ...], cut: Cut) -> tuple[str, str] | None:
    """The first invariant that breaks along a way."""
    s = State()
    for act in way:
        if act[0] in ("begin", "hand", "restamp") and s.letter(act[1]) is None:
            return None
        t, said = step(s, act, cut)
        if (wrong := broken(s, act, t, said)) is not None:
            return wrong
        s = t
    return None


def test_enough_checks_can_be_taken_out() -> None:
    assert len(MUTANTS) >= 13
