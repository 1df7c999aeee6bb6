"""Changes of money, access or accounts: declared, so that a wish for one is refused by name; no lane holds them."""

from __future__ import annotations

from typing import NoReturn

from guards.capabilities import Effect, Right
from tools.errors import ToolError
from tools.toolbox import Tool


def _nobody(**arguments: object) -> NoReturn:
    # The executor refuses before this; a person's own decision is carried out elsewhere, under their name.
    raise ToolError(f"the assistant does not carry out state changes ({', '.join(arguments)})")


def _declared(name: str, **parameters: type) -> Tool:
    return Tool(name, Effect.STATE_CHANGE, Right.CHANGE_STATE, parameters, _nobody)


STATE_CHANGES: tuple[Tool, ...] = (
    _declared("approve_refund", account_id=str, amount=float, currency=str, reason=str),
    _declared("issue_credit", account_id=str, amount=float, currency=str, reason=str),
    _declared("change_entitlement", account_id=str, feature=str, limit=int),
    _declared("recover_access", account_id=str, email=str),
    _declared("close_account", account_id=str, reason=str),
)
"""Every state change that a customer may ask for."""
