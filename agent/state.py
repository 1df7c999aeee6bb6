"""What one run carries from step to step: small plain JSON. Words, facts and findings live in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypedDict

from langgraph.channels import BinaryOperatorAggregate

from guards.lanes import Lane


class RaiseOnly(BinaryOperatorAggregate[int]):
    """A lane that no step can lower: writes are maxed, and anything that is not a lane counts as lane 3.

    The stock reducers are gone round by ``Overwrite`` and by its plain-dict forms; here those are simply not
    lanes. Raising in a channel would poison the thread, so nothing is raised.
    """

    def __init__(self, typ: type[int] = int, operator: Callable[[int, int], int] = max) -> None:
        super().__init__(int, max)

    def update(self, values: Sequence[Any]) -> bool:
        """Takes the highest of the writes and of what is held."""
        return super().update([int(Lane.read(v)) if type(v) is int else int(Lane.HUMAN_OWNED) for v in values])


class Run(TypedDict):
    """The state of one run: one event of one ticket."""

    ticket: str
    seq: int
    """The event's number in the ledger."""
    kind: str
    """``customer_wrote``, ``customer_closed``, ``person_decided`` or ``deadline_passed``."""
    lane: Annotated[int, RaiseOnly]
    """Mirrors the register for reading; rights are never taken from it."""
    calls: int
    """Model calls this message has caused so far."""
    opening: int
    result: dict[str, Any]
    """What the lane's work came to: its kind, digests and reasons; never a text."""
