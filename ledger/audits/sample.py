"""Which tickets of a frame are audited: so many of each cell, more where more is at stake, by a seed that repeats it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from guards.lanes import Consequence
from ledger.audits.frame import Stratum, Unattended
from ledger.errors import CannotDraw

WEIGHTS: Mapping[Consequence, int] = {Consequence.LOW: 1, Consequence.MEDIUM: 3, Consequence.HIGH: 9}
"""How many times likelier a ticket is to be looked at, by what a wrong answer would have cost."""
SIZE = 60
"""Tickets a week, where nobody says another number."""
SHARE = Fraction(1, 5)
"""The share of a sample that two auditors judge."""


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """What is sampled apart: one kind of ticket at one consequence."""

    stratum: Stratum
    consequence: Consequence


@dataclass(frozen=True, slots=True)
class Part:
    """How much of a cell was drawn."""

    cell: Cell
    frame: int
    """Tickets in it."""
    drawn: int

    @property
    def inclusion(self) -> Fraction:
        """The probability with which each of its tickets came into the sample, known exactly."""
        return Fraction(self.drawn, self.frame)


@dataclass(frozen=True, slots=True)
class Sample:
    """What a seed chose."""

    parts: tuple[Part, ...]
    chosen: tuple[Unattended, ...]
    """In an order that says nothing about them."""
    twice: frozenset[str]
    """The tickets that two auditors judge."""


def draw(frame: Sequence[Unattended], label: str, seed: int, size: int = SIZE, share: Fraction = SHARE) -> Sample:
    """A stratified random sample without replacement: in each cell every set of its size is equally likely.

    The same frame, label and seed give the same sample on every machine, in whatever order the frame is told: each
    ticket has a number drawn from seed and name, and the lowest of each cell are taken. CannotDraw where ``size`` has
    no place for one of each cell: what can never be drawn would be missing from every figure.
    """
    cells: dict[Cell, list[Unattended]] = {}
    for one in frame:
        cells.setdefault(Cell(one.stratum, one.consequence), []).append(one)
    parts = allocate({cell: len(held) for cell, held in cells.items()}, size)

    def number(one: Unattended, what: str = "drawn") -> str:
        return hashlib.sha256(f"{what}/{label}/{seed}/{one.ticket}".encode()).hexdigest()

    chosen = [one for part in parts for one in sorted(cells[part.cell], key=number)[: part.drawn]]
    two = sorted(chosen, key=lambda one: number(one, "twice"))[: math.ceil(share * len(chosen))]
    # Shown in the order of yet another number: the first number would put the rare cells' tickets at the end.
    shown = sorted(chosen, key=lambda one: number(one, "shown"))
    return Sample(parts, tuple(shown), frozenset(one.ticket for one in two))


def allocate(frame: Mapping[Cell, int], size: int) -> tuple[Part, ...]:
    """How many tickets of each cell: two of each where there is room, then by number times weight (Sainte-Laguë), never
    more than it has. CannotDraw as ``draw``."""
    cells = sorted(cell for cell, held in frame.items() if held)
    if size < len(cells):
        raise CannotDraw(
            f"a sample of {size} has no place for one of each of the {len(cells)} kinds of ticket there were: ask for "
            f"{len(cells)} or more"
        )
    least = 2 if size >= 2 * len(cells) else 1
    drawn = {cell: min(least, frame[cell]) for cell in cells}
    for _ in range(min(size, sum(frame.values())) - sum(drawn.values())):
        open_ = [cell for cell in cells if drawn[cell] < frame[cell]]
        wants = max(open_, key=lambda c: Fraction(frame[c] * WEIGHTS[c.consequence], 2 * drawn[c] + 1))
        drawn[wants] += 1
    return tuple(Part(cell, frame[cell], drawn[cell]) for cell in cells)
