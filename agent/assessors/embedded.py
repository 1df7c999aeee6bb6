"""The embedded assessor: the packaged text model's reading of the customer's words, as an opinion."""

from __future__ import annotations

from dataclasses import dataclass

from agent.assessors.text_head import TextHead
from guards.assess import Need, Opinion
from guards.policy import Assessors as Bars
from guards.triggers import Level, Trigger, Witness


@dataclass(frozen=True, slots=True)
class EmbeddedAssessor:
    """Deterministic and local: the same words give the same opinion, with no key and no network."""

    head: TextHead
    bars: Bars
    """How probable a level has to be; the policy release says."""

    def opinion(self, words: str) -> Opinion:
        """What the model reads in the customer's own words. It never sees the account record: shown one, such a
        model learns that "standard plan" means routine, and keeps risky tickets."""
        read = self.head.judge(words)
        levels = {Trigger(name): self._level(*scores) for name, scores in read.scores.items()}
        record, decision = read.scores[Trigger.MISSING_CONTEXT.value]
        need = Need.RECORD if record >= self.bars.head_record or read.truncated else Need.PUBLIC
        if decision >= self.bars.head_medium:
            need = Need.DECISION
        # A decision is wanted where the model says so and something else about the words is raised with it.
        risky = any(level > Level.LOW for t, level in levels.items() if t is not Trigger.MISSING_CONTEXT)
        if risky and read.needs == "decision":
            need = Need.DECISION
        return Opinion(
            by=Witness.HEAD,
            levels=levels,
            quotes={Trigger(name): quote for name, quote in read.windows.items()},
            need=need,
            asks_human=read.asks_human_score >= self.bars.head_asks_human,
            severe=levels[Trigger.CUSTOMER_PRESSURE] is Level.HIGH,
            fingerprint=read.fingerprint,
        )

    def _level(self, medium: float, high: float) -> Level:
        if medium < self.bars.head_medium:
            return Level.LOW
        return Level.HIGH if high >= self.bars.head_high else Level.MEDIUM
