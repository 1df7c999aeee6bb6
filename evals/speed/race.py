"""Takes turns: every side runs a batch in each round, so that a slow moment of the machine slows them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

Turn: TypeAlias = Callable[[int], list[int]]
"""Makes that many calls and gives the nanoseconds of each."""

WARM_UP = 2
"""Rounds whose figures are dropped."""


class SideLost(Exception):
    """A side cannot run, or broke; the message is what the reader is told in place of its figures."""


@dataclass(frozen=True, slots=True)
class Side:
    """One that is timed."""

    turn: Turn
    calls: int
    """A round's calls: fewer where one call takes long."""


def race(
    sides: Mapping[str, Side], rounds: int, notes: list[str] | None = None, warm_up: int = WARM_UP
) -> dict[str, list[list[int]]]:
    """Each side's nanoseconds, round by round. Who goes first changes with each round.

    A side that is lost on the way (SideLost) has no figures at all; ``notes`` are told why.
    """
    running = dict(sides)
    found: dict[str, list[list[int]]] = {name: [] for name in sides}
    for n in range(-warm_up, rounds):
        names = list(running)
        first = n % len(names)
        for name in names[first:] + names[:first]:
            try:
                batch = running[name].turn(running[name].calls)
            except SideLost as error:
                del running[name], found[name]
                (notes if notes is not None else []).append(f"not measured: {error}")
                continue
            if n >= 0:
                found[name].append(batch)
    return found
