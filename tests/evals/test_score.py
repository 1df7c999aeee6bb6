"""Scores: counted right, none left out, and never a share without its count and interval."""

from __future__ import annotations

from typing import Any

import pytest

from evals.score import Share, score


def judged(lane: int, **levels: str) -> dict[str, Any]:
    names = ("policy_sensitivity", "security_identity", "missing_context", "action_irreversibility")
    names += ("customer_pressure", "multi_domain_complexity")
    return {"lane_by_risk": lane, "triggers": {n: {"level": levels.get(n, "low")} for n in names}}


def expected(name: str, low: int, high: int, **must: str) -> dict[str, Any]:
    return {"id": name, "expected_min_lane": low, "expected_max_lane": high, "must_fire": must}


def test_each_rate_is_counted_over_its_own_rows() -> None:
    rows = [
        expected("kept", 2, 3, policy="high"),
        expected("caught", 3, 3, security="high"),
        expected("too low", 3, 3),
        expected("quiet", 1, 1),
        expected("disturbed", 1, 1),
        expected("either", 1, 2, context="medium"),
        {**expected("not scored", 2, 2), "scored": False},
    ]
    found = {
        s.name: (s.hits, s.of)
        for s in score(
            rows,
            {
                "kept": judged(1, policy_sensitivity="medium"),
                "caught": judged(3, security_identity="high"),
                "too low": judged(2),
                "quiet": judged(1),
                "disturbed": judged(2),
                "either": judged(2, missing_context="high"),
            },
        )
    }
    assert found["miss"] == (1, 3)
    assert found["over-escalation"] == (1, 2)
    assert found["lane-3 miss"] == (1, 2)
    assert found["recall policy_sensitivity high"] == (0, 1)
    assert found["recall security_identity high"] == (1, 1)
    assert found["recall missing_context medium"] == (1, 1)


def test_a_row_that_was_not_judged_is_an_error() -> None:
    with pytest.raises(KeyError):
        score([expected("gone", 1, 1)], {})


def test_wilsons_interval_is_the_textbooks() -> None:
    low, high = Share("x", 8, 10).interval()
    assert (round(low, 3), round(high, 3)) == (0.490, 0.943)
    assert Share("x", 0, 0).interval() == (0.0, 1.0)
