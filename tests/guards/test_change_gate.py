"""The gate of changes: an order holds for exactly one change at exactly one moment, and each check is needed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from guards import state_change
from guards.state_change import CHANGE_CHECKS, ChangeApproval, ChangeMoment, ChangeOrder, may_run

NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
DIGEST = "d" * 64
YES = ChangeApproval("T-1", 4, "approve_refund", DIGEST, 2, 7, "2026-03-01", "Oona", NOW + timedelta(hours=1))
ORDER = ChangeOrder("T-1", 4, "approve_refund", DIGEST, "A-1001", 2, 7, "2026-03-01", YES)
MOMENT = ChangeMoment("T-1", frozenset({4}), frozenset(), "A-1001", 2, 7, "2026-03-01", None, NOW)

ALONE: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "ticket": ({}, {"ticket": "T-2"}),
    "opening": ({}, {"open_actions": frozenset()}),
    "once": ({}, {"begun": frozenset({4})}),
    "account": ({"account": "A-2002"}, {}),
    "epoch": ({}, {"epoch": 3}),
    "revision": ({}, {"revision": 8}),
    "release": ({}, {"release": "2026-04-01"}),
    "claimed": ({}, {"claimed_by": "Marek"}),
    "approval": ({"approval": None}, {}),
}
"""For each check, what it alone refuses: changes of the order, and of the moment."""


def test_an_order_that_fits_may_be_carried_out_and_its_own_claim_does_not_stop_it() -> None:
    assert may_run(ORDER, MOMENT) is None
    assert may_run(ORDER, replace(MOMENT, claimed_by="Oona")) is None


def test_every_check_has_a_case_of_its_own() -> None:
    assert list(ALONE) == [rule for rule, _ in CHANGE_CHECKS]


@pytest.mark.parametrize("rule", ALONE)
def test_a_change_is_refused_by_that_check_and_by_no_other(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    of_order, of_moment = ALONE[rule]
    order, moment = replace(ORDER, **of_order), replace(MOMENT, **of_moment)
    refused = may_run(order, moment)
    assert refused is not None
    assert (refused.rule, refused.what) == (rule, "carry out approve_refund")
    monkeypatch.setattr(state_change, "CHANGE_CHECKS", tuple(c for c in CHANGE_CHECKS if c[0] != rule))
    assert may_run(order, moment) is None, "another check hides this one: the case does not show that it is needed"


@pytest.mark.parametrize(
    "change",
    [
        {"ticket": "T-2"},
        {"opening": 5},
        {"action": "issue_credit"},
        {"digest": "e" * 64},
        {"epoch": 1},
        {"revision": 6},
        {"release": "2026-02-01"},
        {"expires_at": NOW},
    ],
    ids=lambda c: next(iter(c)),
)
def test_an_order_is_bound_to_each_of_its_fields(change: dict[str, Any]) -> None:
    refused = may_run(replace(ORDER, approval=replace(YES, **change)), MOMENT)
    assert refused is not None
    assert refused.rule == "approval"


def test_an_order_for_an_account_that_nobody_was_shown_to_have_is_refused() -> None:
    refused = may_run(replace(ORDER, account=""), replace(MOMENT, account=""))
    assert refused is not None
    assert refused.rule == "account"
