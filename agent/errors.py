"""What can go wrong in the worker.

AgentError
├── ModelMisconfigured   the settings of the model door contradict each other: which, and what to set
└── ModelFailure         a model call that gave nothing usable; ``kind`` says why
"""

from __future__ import annotations

from typing import Literal, get_args

FailureKind = Literal[
    "timeout",
    "rate_limited",
    "refused",
    "empty",
    "truncated",
    "malformed",
    "unavailable",
    "unauthorised",
    "budget",
]
FAILURE_KINDS: tuple[FailureKind, ...] = get_args(FailureKind)


class AgentError(Exception):
    """Something the worker cannot go on with; the ticket goes to a person."""


class ModelMisconfigured(AgentError):
    """The model door is half configured: say which settings, and what to set or unset."""


class ModelFailure(AgentError):
    """A model call came to nothing: the ticket is at least lane 2, and nothing is sent for it.

    Its words are ours alone: neither the key, nor the customer's text, nor what the model or the provider wrote
    stands in them, and no cause is chained to it, for the client's own exceptions carry the whole request.
    """

    def __init__(self, kind: FailureKind, detail: str, is_retryable: bool = False) -> None:
        super().__init__(kind, detail, is_retryable)
        self.kind: FailureKind = kind
        self.detail = detail
        self.is_retryable = is_retryable
        """True where the very same call may succeed when made once more at once."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"
