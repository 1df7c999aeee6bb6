"""The warnings' bound on false alarms, shown over calm years in which somebody looks every week."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ledger.scorecard import sequential
from ledger.scorecard.sequential import REFERENCE_WEEKS, TOLERANCE, WATCH_WEEKS, beside, rising, upper_bound, wealth
from ledger.scorecard.warnings import ALARM_RATE, COMPARED, OVERRIDES, SHARE

WEEKS = REFERENCE_WEEKS + WATCH_WEEKS
SENSITIVE = 4
"""Families of the packaged release whose domain is money, contract, law or security."""
VOLUME = np.array([400, 300, 200, 100, 80, 60, 40, 20, 10, 4])
"""Tickets a week of each of ten families: large ones and hardly any."""


def calm_board(rng: np.random.Generator, years: int) -> Any:
    """For each year, whether any of the board's tests alarmed in any week, though nothing ever changed.

    Families differ by as much as the tolerance allows, and whole weeks are better or worse than others: neither is a
    change that the tests may find.
    """
    families = rng.poisson(VOLUME[None, :, None], (years, len(VOLUME), WEEKS))
    alarmed = np.zeros(years, dtype=bool)

    def found(told: Any) -> None:
        alarmed[:] |= (told >= 1).reshape(years, -1).any(axis=-1)

    own = rng.uniform(0.05, 0.7, (years, len(VOLUME), 1))
    answered = rng.binomial(families, np.broadcast_to(own, families.shape))
    found(rising(answered[:, :SENSITIVE], families[:, :SENSITIVE], SHARE / SENSITIVE))
    found(rising(rng.binomial(families, own), families, SHARE / len(VOLUME)))
    for sharing in (len(COMPARED), len(OVERRIDES)):
        for _ in range(sharing):
            found(beside(uneven(rng, families), families, SHARE / sharing / len(VOLUME)))
    for groups in (8, 60):  # queues, articles
        tickets = rng.poisson(rng.uniform(1, 60, (years, groups, 1)), (years, groups, WEEKS))
        found(beside(uneven(rng, tickets), tickets, SHARE / groups))
    return alarmed


def uneven(rng: np.random.Generator, tickets: Any) -> Any:
    """Cases of groups of which one is as bad as the tolerance allows, in weeks that differ."""
    years, groups, weeks = tickets.shape
    odds = np.exp(rng.normal(-2.5, 0.3, (years, 1, weeks)))
    worse = np.where(np.arange(groups) == 1, TOLERANCE, 1.0)[None, :, None]
    return rng.binomial(tickets, odds * worse / (1 + odds * worse))


@pytest.mark.parametrize("seed", [20261123])
def test_a_calm_year_of_weekly_looks_alarms_no_more_often_than_is_stated(
    seed: int, size: Callable[[int, int], int]
) -> None:
    rng = np.random.default_rng(seed)
    years, at_once = size(100, 1000), 50
    alarms = np.concatenate([calm_board(rng, at_once) for _ in range(years // at_once)])
    assert len(alarms) == years
    assert alarms.mean() <= ALARM_RATE


def test_looking_every_week_at_a_raw_threshold_would_alarm_far_more_often() -> None:
    # What the bound is worth: the same calm years, judged by a two-sigma line as dashboards do.
    rng = np.random.default_rng(1)
    families = np.full((200, WATCH_WEEKS), 100)
    hits = rng.binomial(families, 0.1).cumsum(axis=-1)
    among = families.cumsum(axis=-1)
    line = 0.1 + 1.645 * np.sqrt(0.1 * 0.9 / among)
    assert ((hits / among) > line).any(axis=-1).mean() > 5 * ALARM_RATE


def test_wealth_is_never_expected_to_grow_while_the_null_holds() -> None:
    # Exactly, over every course that three weeks can take.
    null, tickets = 0.3, 4
    expected = np.zeros(3)
    for course in itertools.product(range(tickets + 1), repeat=3):
        chance = math.prod(math.comb(tickets, h) * null**h * (1 - null) ** (tickets - h) for h in course)
        expected += chance * wealth(np.array(course), np.full(3, tickets), np.array(null))
    assert expected == pytest.approx([1.0, 1.0, 1.0])


@pytest.mark.parametrize("odds", [0.5, 1.0, TOLERANCE])
def test_cases_that_are_drawn_without_putting_back_earn_no_more_than_the_bound_allows(odds: float) -> None:
    # Given how many cases a week had, where they fell follows Fisher's noncentral law, and not the coin that is bet on.
    for own, others in itertools.product(range(1, 9), range(1, 13)):
        for cases in range(own + others + 1):
            ways = {
                x: math.comb(own, x) * math.comb(others, cases - x) * odds**x
                for x in range(max(0, cases - others), min(own, cases) + 1)
            }
            null = TOLERANCE * own / (TOLERANCE * own + others)
            earned = sum(
                ways[x] / sum(ways.values()) * wealth(np.array([x]), np.array([cases]), np.array(null))[0] for x in ways
            )
            assert earned <= 1 + 1e-9, (own, others, cases)


def test_the_bound_on_a_share_is_missed_no_more_often_than_it_says() -> None:
    rng = np.random.default_rng(2)
    for share in (0.01, 0.2, 0.9):
        hits = rng.binomial(130, share, 4000)
        assert (upper_bound(hits, np.full(4000, 130), 0.05) < share).mean() <= 0.05
    assert upper_bound(np.array([0, 5]), np.array([0, 5]), 0.05).tolist() == [1.0, 1.0]


def test_a_share_that_doubles_is_found_and_the_week_is_named() -> None:
    rng = np.random.default_rng(3)
    share = np.where(np.arange(WEEKS) < 40, 0.2, 0.4)
    tickets = np.full((50, WEEKS), 60)
    told = rising(rng.binomial(tickets, share), tickets, SHARE / SENSITIVE)
    weeks = np.argmax(told >= 1, axis=-1)
    assert (told.max(axis=-1) >= 1).all()
    assert 40 < np.median(weeks) < 52
    assert (weeks >= 40).all()


def test_a_bad_family_is_found_behind_a_total_that_stays_as_it_was() -> None:
    rng = np.random.default_rng(4)
    tickets = np.broadcast_to(VOLUME[None, :, None], (30, len(VOLUME), WEEKS))
    share = np.full((len(VOLUME), WEEKS), 0.06)
    share[4, 30:] = 0.24
    share[0, 30:] -= 0.18 * VOLUME[4] / VOLUME[0]  # what the bad one gains the largest one loses
    told = beside(rng.binomial(tickets, share), tickets, SHARE / 2 / len(VOLUME))
    found = (told >= 1).any(axis=-1)
    assert found[:, 4].all()
    assert not found[:, 1:4].any()


def test_a_watch_that_is_longer_than_its_stakes_is_refused() -> None:
    weeks = WATCH_WEEKS + REFERENCE_WEEKS + 1
    with pytest.raises(ValueError, match="weeks in a watch"):
        sequential.wealth(np.zeros(weeks), np.ones(weeks), np.array(0.1))
