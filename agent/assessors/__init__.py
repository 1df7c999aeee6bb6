"""Opinions beside the rules: the packaged text head and, where one is configured, a model. Both may only raise."""

from __future__ import annotations

from dataclasses import dataclass

from agent.assessors.embedded import EmbeddedAssessor
from agent.assessors.model_assessor import assess_with_model
from agent.errors import ModelFailure
from agent.model import CallBudget, ModelDoor
from guards.assess import Opinion
from guards.policy import Release


@dataclass(frozen=True, slots=True)
class Assessors:
    """Whoever reads the message besides the rules."""

    embedded: EmbeddedAssessor
    door: ModelDoor | None
    """None: the embedded default alone."""
    release: Release

    async def opinions(self, messages: list[str], budget: CallBudget) -> tuple[tuple[Opinion, ...], tuple[str, ...]]:
        """The opinions on the customer's messages, oldest first, and the names of assessors that failed.

        A failure is not an opinion: it is reported, and the law makes of it at least lane 2.
        """
        # A line each, and no blank one between: within a message nothing drowns what stands above it; between
        # messages a later one explains an earlier one, and it is the ledger that lets no lane fall.
        words = "\n".join(messages)
        found: list[Opinion] = []
        failures: list[str] = []
        if self.release.assessors.text_head:
            found.append(self.embedded.opinion(words))
        if self.door is not None:
            try:
                found.append(await assess_with_model(self.door, messages, budget))
            except ModelFailure as failure:
                failures.append(f"model: {failure.kind}")
        return tuple(found), tuple(failures)
