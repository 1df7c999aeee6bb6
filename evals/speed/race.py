"""Takes turns: every side runs a batch in each round, so that a slow moment of the machine slows them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

Turn: TypeAlias = Callable[[int], list[int]]
"""Makes that many calls and gives the nanoseconds of each."""

WARM_UP = 2
"""Rounds whose figures are dropped."""


@dataclass(frozen=True, slots=True)
class Side:
    """One that is timed."""

    turn: Turn
    calls: int
    """A round's calls: fewer where one call takes long."""


def race(sides: Mapping[str, Side], rounds: int, warm_up: int = WARM_UP) -> dict[str, list[list[int]]]:
    """Each side's nanoseconds, round by round. Who goes first changes with each round."""
    names = list(sides)
    found: dict[str, list[list[int]]] = {name: [] for name in names}
    for n in range(-warm_up, rounds):
        first = n % len(names)
        for name in names[first:] + names[:first]:
            batch = sides[name].turn(sides[name].calls)
            if n >= 0:
                found[name].append(batch)
    return found
