"""The port to the team's own system that changes money, access and accounts; and which changes there are."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

from tools.errors import BadChange

ARGUMENT_LIMIT = 300
"""Most characters of a text among the arguments."""

PARAMETERS: Mapping[str, Mapping[str, type]] = MappingProxyType(
    {
        "approve_refund": {"account_id": str, "amount": float, "currency": str, "reason": str},
        "issue_credit": {"account_id": str, "amount": float, "currency": str, "reason": str},
        "change_entitlement": {"account_id": str, "feature": str, "limit": int},
        "recover_access": {"account_id": str, "email": str},
        "close_account": {"account_id": str, "reason": str},
    }
)
"""Every change that a customer may ask for, with its exact arguments and their types; all of them are needed."""


class StateChanges(Protocol):
    """The team's own system. The desk's change room alone holds it; nothing that a model can reach does."""

    @property
    def name(self) -> str:
        """What the record calls it."""

    def apply(self, key: str, action: str, arguments: Mapping[str, Any], approved_by: str) -> str:
        """Makes exactly this change, under this person's name, and returns the system's own reference.

        ``key`` is the idempotency key: the same key never makes two changes. ChangeRejected where the change was
        certainly not made; any other exception means that nobody knows.
        """


def read_arguments(action: str, raw: bytes | str) -> dict[str, Any]:
    """The arguments of a change from a person's JSON. BadChange says what is not as declared.

    Names are exact and types are too, but that a whole number may stand where an amount is asked for.
    """
    declared = PARAMETERS.get(action)
    if declared is None:
        raise BadChange(f"there is no change {action[:40]!r}. Choose one of: {', '.join(PARAMETERS)}.")
    try:
        found = json.loads(raw, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadChange(f"the arguments are not JSON that can be used: {error}") from error
    if not isinstance(found, dict):
        raise BadChange(f"the arguments are not a JSON object with {', '.join(declared)}")
    if set(found) != set(declared):
        odd = [*(f"no {n!r}" for n in declared if n not in found), *(f"{n!r}" for n in found if n not in declared)]
        raise BadChange(f"{action} takes exactly {', '.join(declared)}; given: {', '.join(odd)[:200]}")
    return {name: _value(name, kind, found[name]) for name, kind in declared.items()}


def _value(name: str, kind: type, value: object) -> object:
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise BadChange(f"{name} is a {type(value).__name__}, not a {kind.__name__}")
    if isinstance(value, str) and not (value.strip() and value.isprintable() and len(value) <= ARGUMENT_LIMIT):
        raise BadChange(f"{name} is not one plain line of 1 to {ARGUMENT_LIMIT} characters")
    if isinstance(value, float) and not (math.isfinite(value) and value > 0):
        raise BadChange(f"{name} is not an amount above 0")
    if isinstance(value, int) and value < 0:
        raise BadChange(f"{name} is below 0")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is no amount")
