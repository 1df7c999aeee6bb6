"""The gate's bounds are Clopper and Pearson's, exactly, and it says how many more tickets a family needs."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guards.policy import Phase, Promotion
from guards.rollout_evidence import Evidence, Recent, Share, judge, lower, spiked, upper

BARS = Promotion()
GOOD = Evidence(Share(0, 100), Share(5, 200), Share(20, 200), Share(60, 80), Share(95, 100))


@pytest.mark.parametrize(
    ("hits", "of", "expected"),
    # One-sided 97.5 %, as the textbooks' two-sided tables at 95 % have them.
    [(0, 10, 0.3085), (1, 10, 0.4450), (5, 10, 0.8129), (0, 20, 0.1684), (2, 50, 0.1371), (10, 100, 0.1762)],
)
def test_the_upper_bound_is_the_one_in_the_tables(hits: int, of: int, expected: float) -> None:
    assert upper(Share(hits, of), 0.975) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(("hits", "of", "expected"), [(1, 10, 0.0025), (5, 10, 0.1871), (10, 100, 0.0490)])
def test_the_lower_bound_is_the_one_in_the_tables(hits: int, of: int, expected: float) -> None:
    assert lower(Share(hits, of), 0.975) == pytest.approx(expected, abs=5e-5)


def test_without_a_single_hit_the_bound_is_the_rule_of_three_in_its_exact_form() -> None:
    for of in (1, 10, 59, 300, 5000):
        assert upper(Share(0, of), 0.95) == pytest.approx(1 - 0.05 ** (1 / of), rel=1e-9)
    assert upper(Share(0, 59), 0.95) <= 0.05 < upper(Share(0, 58), 0.95)


@settings(max_examples=60)
@given(st.integers(1, 60), st.data(), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_a_bound_covers_as_often_as_it_promises_by_exact_fractions(of: int, data: st.DataObject, sure: float) -> None:
    hits = data.draw(st.integers(0, of - 1))
    bound = Fraction(upper(Share(hits, of), sure))

    def tail(rate: Fraction) -> Fraction:
        terms = (math.comb(of, k) * rate**k * (1 - rate) ** (of - k) for k in range(hits + 1))
        return sum(terms, Fraction(0))

    assert tail(bound) <= Fraction(1 - sure) + Fraction(1, 10**9)
    assert tail(bound - Fraction(1, 10**6)) > Fraction(1 - sure) - Fraction(1, 10**9)


def test_nothing_seen_bounds_nothing() -> None:
    assert (lower(Share(0, 0), 0.95), upper(Share(0, 0), 0.95)) == (0.0, 1.0)
    with pytest.raises(ValueError, match="no share"):
        Share(2, 1)


def test_good_evidence_holds_and_each_lack_is_named_with_how_many_more() -> None:
    assert all(f.holds for f in judge(GOOD, BARS, Phase.NARROW))
    none = Evidence(*(Share(0, 0) for _ in range(5)))
    asked = {f.name: f.more for f in judge(none, BARS, Phase.NARROW)}
    assert len(asked) == 6 and all(more and more > 0 for more in asked.values())
    assert asked["high-risk misses in audits and blind reviews"] == 59
    assert asked["tickets looked at so"] == BARS.audited_at_least
    assert judge(none, BARS, Phase.ASSISTED) == judge(none, BARS, Phase.NARROW), "law 9: lane 1 there is as in narrow"


def test_the_first_step_counts_lanes_named_blind_beside_audits_and_expansion_counts_audits_alone() -> None:
    blind = replace(GOOD, misses=Share(0, 10), foreseen=Share(1, 90))
    asked = {f.name: f for f in judge(blind, BARS, Phase.NARROW)}
    assert asked["high-risk misses in audits and blind reviews"].share == Share(1, 100)
    assert asked["tickets looked at so"].holds
    further = {f.name: f for f in judge(blind, BARS, Phase.EXPANSION)}
    assert further["high-risk misses in audits"].share == Share(0, 10)
    assert further["audited tickets"].more == 50


@settings(max_examples=40)
@given(st.integers(0, 6), st.integers(0, 120))
def test_how_many_more_is_the_fewest_that_are_enough(misses: int, of: int) -> None:
    share = Share(misses, max(of, misses))
    evidence = Evidence(share, GOOD.overrides, GOOD.recontacts, GOOD.useful, GOOD.agreed)
    more = next(f.more for f in judge(evidence, BARS, Phase.EXPANSION) if f.name == "high-risk misses in audits")
    assert more is not None
    assert upper(Share(misses, share.of + more), BARS.confidence) <= BARS.high_risk_miss_at_most
    if more:
        assert upper(Share(misses, share.of + more - 1), BARS.confidence) > BARS.high_risk_miss_at_most


def test_a_family_is_narrowed_by_a_sure_spike_and_not_by_bad_luck() -> None:
    quiet = Share(0, 0)
    assert spiked(Recent(Share(3, 4), quiet), BARS) is None, "three of four may be chance"
    assert spiked(Recent(Share(30, 60), quiet), BARS) == "overrides"
    assert spiked(Recent(quiet, Share(60, 90)), BARS) == "recontact"
    assert spiked(Recent(Share(9, 60), Share(15, 60)), BARS) is None
    assert spiked(Recent(quiet, quiet), BARS) is None
