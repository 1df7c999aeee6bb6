"""grant_capabilities: writes down which rights follow from the lane, and which are withheld and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

from guards.gate import Grant
from guards.grant import grant
from guards.policy import Release
from ledger.events import Kind
from ledger.worker import WorkerLedger


class Seen(TypedDict):
    """What this step reads of the run."""

    ticket: str
    seq: int


@dataclass(frozen=True, slots=True)
class GrantCapabilities:
    """The grant is recorded for people to read; nobody acts on the record. Each call derives it afresh."""

    ledger: WorkerLedger
    release: Release

    async def __call__(self, state: Seen) -> dict[str, Any]:
        """Adds nothing: a grant that were carried in state could be carried past a raise."""
        register, halted = self.ledger.standing(state["ticket"])
        release = self.ledger.narrowed(state["ticket"], self.release)
        given = grant(register.lane, register.epoch, release, halted=halted)
        self.ledger.record(
            state["ticket"],
            Kind.RIGHTS_GRANTED,
            f"{state['seq']}/rights",
            head_of(given),
        )
        return {"lane": int(given.lane)}


def head_of(given: Grant) -> dict[str, Any]:
    """A grant as it is recorded."""
    return {
        "lane": int(given.lane),
        "epoch": given.epoch,
        "rights": sorted(r.value for r in given.rights),
        "withheld": [r.to_json() for r in given.withheld],
        "policy": given.release,
    }
