"""Tests that may be looked at every week: the chance that one ever alarms in a calm year is bounded beforehand.

Each is an e-process: a wealth that, while nothing is wrong, is not expected to grow, so that it reaches 1/alpha at any
time whatever with a chance of at most alpha (Ville 1939). Wealth is a mixture of likelihood ratios over what could have
changed (Robbins 1970; Johari, Pekelis and Walsh, "Always valid inference", 2017) and over when it began (as in Shin,
Ramdas and Rinaldo, "E-detectors", 2023, but with weights that sum to one, so that the whole year is bounded).
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"

REFERENCE_WEEKS = 13
"""The first weeks of a watch, from which a family's own share is taken; they raise no alarm."""
WATCH_WEEKS = 52
"""The weeks that are watched then, under one bound."""
MULTIPLES = (1.25, 1.6, 2.5, 5.0)
"""By how much the odds may have grown: what the wealth is spread over."""
TOLERANCE = 1.5
"""A group whose odds are up to so many times those of all others together is no warning: groups differ."""
_MOST = 1e200


def wealth(hits: Array, among: Array, null: Array, horizon: int = WATCH_WEEKS + REFERENCE_WEEKS) -> Array:
    """The wealth after each week, of betting that the share is above ``null``.

    ``hits`` and ``among`` are counts a week along the last axis, other axes are separate tests; ``null`` (in (0, 1))
    fits them. While each hit comes with a chance of at most ``null`` the wealth starts at 1 and is a supermartingale, for
    ``horizon`` weeks at most: each week a like part of it is put on a change that begins then.
    """
    hits, among, null = np.broadcast_arrays(hits.astype(float), among.astype(float), null)
    weeks = hits.shape[-1]
    if weeks > horizon:
        raise ValueError(f"{weeks} weeks in a watch of {horizon}")
    null = np.clip(null, 1e-9, 1 - 1e-9)
    stake = 1.0 / (horizon * len(MULTIPLES))
    found = np.empty(hits.shape)
    total = np.zeros(hits.shape)
    for multiple in MULTIPLES:
        grown = null * multiple / (1 - null + null * multiple)
        gain = hits * np.log(grown / null) + (among - hits) * np.log((1 - grown) / (1 - null))
        running = np.zeros(hits.shape[:-1])
        for week in range(weeks):
            with np.errstate(over="ignore"):  # what grows past every number is cut to the most in the same line
                running = np.minimum((running + stake) * np.exp(np.clip(gain[..., week], -600, 600)), _MOST)
            found[..., week] = running
        total += found
    unspent: Array = 1.0 - (np.arange(weeks) + 1) / horizon
    kept: Array = total + unspent
    return kept


def upper_bound(hits: Array, among: Array, alpha: float) -> Array:
    """The largest share that counts as small as these still fit, with confidence 1 - alpha: Chernoff's bound, which is
    exact about its confidence for every count; 1 among none."""
    share = hits / np.maximum(among, 1)
    low, high = share.astype(float), np.ones(np.shape(share))
    budget = -np.log(alpha) / np.maximum(among, 1e-9)
    for _ in range(60):
        middle = (low + high) / 2
        fits = _divergence(share, middle) <= budget
        low, high = np.where(fits, middle, low), np.where(fits, high, middle)
    return np.where(among > 0, high, 1.0)


def _divergence(share: Array, other: Array) -> Array:
    """How unlikely a share is under another one: Kullback and Leibler's divergence of two coins, in nats."""
    with np.errstate(divide="ignore", invalid="ignore"):
        one = np.where(share > 0, share * np.log(share / other), 0.0)
        two = np.where(share < 1, (1 - share) * np.log((1 - share) / (1 - other)), 0.0)
    told: Array = np.nan_to_num(one + two, nan=np.inf, posinf=np.inf)
    return told


def rising(hits: Array, among: Array, alpha: float) -> Array:
    """Wealth over 1/alpha, week by week: at 1 and above, the share has risen above what it was in the reference weeks.

    Half of alpha pays for not knowing that share exactly. The reference weeks come back as 0. Without a single ticket
    in them nothing can be said, and all weeks do.
    """
    reference, watched = slice(None, REFERENCE_WEEKS), slice(REFERENCE_WEEKS, None)
    before = among[..., reference].sum(axis=-1)
    bound = upper_bound(hits[..., reference].sum(axis=-1), before, alpha / 2)
    told = np.zeros(np.shape(hits), dtype=float)
    grown = wealth(hits[..., watched], among[..., watched], bound[..., None], WATCH_WEEKS)
    told[..., watched] = np.where(before[..., None] > 0, grown, 0.0) * (alpha / 2)
    return told


def beside(hits: Array, among: Array, alpha: float) -> Array:
    """Wealth over 1/alpha, of each group along the last axis but one: at 1 and above, its odds are more than ``TOLERANCE``
    times those of all other groups together.

    It bets on one thing only: in which group the bad cases of a week fall, given how many there were. So a bad week of the
    whole house moves nothing. Where rates are high the cases of a week are no independent draws but draws without
    putting back, which spread less: the bound then holds with room to spare (Hoeffding 1963).
    """
    others = among.sum(axis=-2, keepdims=True) - among
    weight = TOLERANCE * among
    null = np.divide(weight, weight + others, out=np.full(np.shape(among), 0.5), where=(among > 0) & (others > 0))
    cases = hits.sum(axis=-2, keepdims=True)
    # Where one side had no tickets, the week says nothing about the two.
    counted = np.where((among > 0) & (others > 0), 1, 0)
    return wealth(hits * counted, cases * counted, null) * alpha
