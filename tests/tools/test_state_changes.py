"""What can be ordered: exactly the declared changes, with exactly their arguments; and the sandbox that makes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guards.capabilities import Effect
from tools.actions import STATE_CHANGES
from tools.errors import BadChange, ChangeRejected
from tools.sandbox_changes import SandboxChanges
from tools.state_changes import PARAMETERS, read_arguments

REFUND: dict[str, Any] = {"account_id": "A-1001", "amount": 80.5, "currency": "EUR", "reason": "INC-2331"}


def test_what_a_person_may_order_is_what_the_assistant_is_refused_by_name() -> None:
    assert {t.name: dict(t.parameters) for t in STATE_CHANGES} == {n: dict(p) for n, p in PARAMETERS.items()}
    assert {t.effect for t in STATE_CHANGES} == {Effect.STATE_CHANGE}


def test_the_declared_arguments_are_read_as_they_are() -> None:
    assert read_arguments("approve_refund", json.dumps(REFUND)) == REFUND
    whole = read_arguments("approve_refund", json.dumps({**REFUND, "amount": 80}))
    assert type(whole["amount"]) is float


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"amount": "80"}, "amount is a str, not a float"),
        ({"amount": True}, "amount is a bool"),
        ({"amount": 0}, "not an amount above 0"),
        ({"amount": -5.0}, "not an amount above 0"),
        ({"amount": 1e999}, "not JSON that can be used"),
        ({"account_id": " "}, "account_id is not one plain line"),
        ({"reason": "two\nlines"}, "reason is not one plain line"),
        ({"reason": "x" * 301}, "reason is not one plain line"),
        ({"to": "me"}, "takes exactly"),
        ({"account_id": None}, "account_id is a NoneType"),
    ],
)
def test_anything_else_is_named_and_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(BadChange, match=words):
        read_arguments("approve_refund", json.dumps({**REFUND, **change}))


@pytest.mark.parametrize(
    "raw", ["", "[]", "3", "{", '{"account_id": "A", "account_id": "B"}', '{"amount": NaN}', "[" * 100_000]
)
def test_junk_is_no_order(raw: str) -> None:
    with pytest.raises(BadChange):
        read_arguments("approve_refund", raw)


@pytest.mark.parametrize("action", ["", "refund", "Approve_Refund", "send_answer"])
def test_a_change_that_was_never_declared_cannot_be_ordered(action: str) -> None:
    with pytest.raises(BadChange, match="Choose one of: approve_refund"):
        read_arguments(action, json.dumps(REFUND))


def test_a_limit_is_a_whole_number_not_below_zero() -> None:
    told = {"account_id": "A", "feature": "seats", "limit": 5}
    assert read_arguments("change_entitlement", json.dumps(told)) == told
    for odd in (5.0, -1, True):
        with pytest.raises(BadChange):
            read_arguments("change_entitlement", json.dumps({**told, "limit": odd}))


def test_the_sandbox_makes_one_change_a_key_and_says_where_it_stands(tmp_path: Path) -> None:
    system = SandboxChanges(tmp_path / "changes")
    first = system.apply("k", "approve_refund", REFUND, "Oona")
    assert system.apply("k", "approve_refund", REFUND, "Oona") == first
    assert system.apply("k2", "approve_refund", REFUND, "Oona") != first
    assert [(m["action"], m["arguments"], m["approved_by"]) for m in system.made()] == [
        ("approve_refund", REFUND, "Oona")
    ] * 2
    with pytest.raises(ChangeRejected, match="stands for another change"):
        system.apply("k", "approve_refund", {**REFUND, "amount": 81.0}, "Oona")


def test_the_sandbox_refuses_for_certain_what_it_cannot_make(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ChangeRejected, match="nothing can be written"):
        SandboxChanges(tmp_path / "file").apply("k", "approve_refund", REFUND, "Oona")
    with pytest.raises(ChangeRejected, match="not the declared ones"):
        SandboxChanges(tmp_path).apply("k", "approve_refund", {"amount": 5.0}, "Oona")
    assert SandboxChanges(tmp_path).made() == ()
