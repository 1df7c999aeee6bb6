"""The sample is drawn by a seed, gives every ticket a known chance, and weighs what costs more."""

from __future__ import annotations

import math
import random
from collections import Counter
from fractions import Fraction

import pytest
from audit_scene import unattended
from hypothesis import given
from hypothesis import strategies as st

from guards.lanes import Consequence
from ledger.audits.frame import Stratum, Unattended
from ledger.audits.sample import Cell, allocate, draw
from ledger.errors import CannotDraw

CELLS = st.builds(Cell, st.sampled_from(Stratum), st.sampled_from(Consequence))
FRAMES = st.dictionaries(CELLS, st.integers(1, 60), min_size=1)


def frame_of_cells(cells: dict[Cell, int]) -> list[Unattended]:
    return [
        unattended(f"{cell.stratum}-{cell.consequence}-{number}", cell.stratum, cell.consequence)
        for cell, count in cells.items()
        for number in range(count)
    ]


@given(FRAMES, st.integers(1, 200))
def test_every_cell_is_drawn_from_and_none_gives_more_than_it_has(cells: dict[Cell, int], size: int) -> None:
    if size < len(cells):
        with pytest.raises(CannotDraw, match=f"ask for {len(cells)} or more"):
            allocate(cells, size)
        return
    parts = allocate(cells, size)
    assert {p.cell: p.frame for p in parts} == cells
    assert all(1 <= p.drawn <= p.frame for p in parts)
    assert sum(p.drawn for p in parts) == min(size, sum(cells.values()))


@given(FRAMES, st.integers(0, 2**40), st.randoms(use_true_random=False))
def test_the_same_seed_gives_the_same_sample_in_whatever_order_the_frame_is_told(
    cells: dict[Cell, int], seed: int, chance: random.Random
) -> None:
    frame = frame_of_cells(cells)
    first = draw(frame, "2026-W45", seed)
    chance.shuffle(frame)
    assert draw(frame, "2026-W45", seed) == first
    assert len({one.ticket for one in first.chosen}) == len(first.chosen) == sum(p.drawn for p in first.parts)
    assert first.twice <= {one.ticket for one in first.chosen}
    assert len(first.twice) == math.ceil(Fraction(1, 5) * len(first.chosen))


@given(FRAMES, st.integers(0, 2**40))
def test_the_weights_of_a_sample_add_up_to_its_frame(cells: dict[Cell, int], seed: int) -> None:
    sample = draw(frame_of_cells(cells), "2026-W45", seed)
    drawn = Counter(Cell(one.stratum, one.consequence) for one in sample.chosen)
    assert drawn == {p.cell: p.drawn for p in sample.parts}
    assert sum(1 / p.inclusion * p.drawn for p in sample.parts) == sum(cells.values())


def test_another_seed_or_week_gives_another_sample() -> None:
    frame = [unattended(f"T{n}") for n in range(500)]
    chosen = [
        frozenset(one.ticket for one in draw(frame, week, seed, 50).chosen)
        for week, seed in (("2026-W45", 1), ("2026-W45", 2), ("2026-W46", 1))
    ]
    assert len(set(chosen)) == 3


def test_what_would_cost_more_is_likelier_to_be_looked_at() -> None:
    cells = {Cell(Stratum.DOCUMENTATION, c): 400 for c in Consequence}
    chance = {p.cell.consequence: p.inclusion for p in allocate(cells, 130)}
    assert chance[Consequence.LOW] == Fraction(10, 400)
    assert chance[Consequence.MEDIUM] == Fraction(30, 400)
    assert chance[Consequence.HIGH] == Fraction(90, 400)


SEEDS = 1500


def test_every_ticket_comes_into_the_sample_as_often_as_is_recorded() -> None:
    cells = {
        Cell(Stratum.DOCUMENTATION, Consequence.LOW): 30,
        Cell(Stratum.DOCUMENTATION, Consequence.HIGH): 6,
        Cell(Stratum.FEATURE_ACCESS, Consequence.MEDIUM): 12,
    }
    frame = frame_of_cells(cells)
    chance = {p.cell: float(p.inclusion) for p in allocate(cells, 15)}
    seen = Counter(one.ticket for seed in range(SEEDS) for one in draw(frame, "w", seed, 15).chosen)
    assert len(set(chance.values())) == 3
    for one in frame:
        expected = chance[Cell(one.stratum, one.consequence)]
        error = math.sqrt(expected * (1 - expected) / SEEDS)
        assert abs(seen[one.ticket] / SEEDS - expected) <= 4.5 * error, one.ticket


def test_who_is_judged_twice_and_in_which_place_a_ticket_stands_says_nothing_about_it() -> None:
    cells = {Cell(Stratum.DOCUMENTATION, Consequence.LOW): 30, Cell(Stratum.DOCUMENTATION, Consequence.HIGH): 10}
    frame = frame_of_cells(cells)
    twice: Counter[Consequence] = Counter()
    drawn: Counter[Consequence] = Counter()
    first: Counter[Consequence] = Counter()
    for seed in range(SEEDS):
        sample = draw(frame, "w", seed, 20)
        drawn.update(one.consequence for one in sample.chosen)
        twice.update(one.consequence for one in sample.chosen if one.ticket in sample.twice)
        first[sample.chosen[0].consequence] += 1
    for consequence in (Consequence.LOW, Consequence.HIGH):
        assert twice[consequence] / drawn[consequence] == pytest.approx(0.2, abs=0.02)
        assert first[consequence] / SEEDS == pytest.approx(drawn[consequence] / (20 * SEEDS), abs=0.06)
