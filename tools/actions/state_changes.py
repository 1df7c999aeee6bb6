"""Changes of money, access or accounts: declared, so that a wish for one is refused by name; no lane holds them."""

from __future__ import annotations

from typing import NoReturn

from guards.capabilities import Effect, Right
from tools.errors import ToolError
from tools.state_changes import PARAMETERS
from tools.toolbox import Tool


def _nobody(**arguments: object) -> NoReturn:
    # The executor refuses before this; a person's own order is carried out by the desk, under their name.
    raise ToolError(f"the assistant does not carry out state changes ({', '.join(arguments)})")


STATE_CHANGES: tuple[Tool, ...] = tuple(
    Tool(name, Effect.STATE_CHANGE, Right.CHANGE_STATE, parameters, _nobody) for name, parameters in PARAMETERS.items()
)
"""Every state change that a customer may ask for."""
