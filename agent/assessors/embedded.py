"""The embedded assessor: the packaged text head's reading of the customer's words, as an opinion."""

from __future__ import annotations

from dataclasses import dataclass

from agent.assessors.text_head import TextHead
from guards.assess import Need, Opinion
from guards.triggers import Level, Trigger, Witness

@dataclass(frozen=True, slots=True)
class EmbeddedAssessor:
    """Deterministic and local: the same words give the same opinion, with no key and no network."""

    head: TextHead

    def opinion(self, words: str) -> Opinion:
        """What the head reads in the customer's own words. It never sees the account record: shown one, such a
        head learns that "standard plan" means routine, and keeps risky tickets."""
        read = self.head.judge(words)
        levels = {Trigger(name): Level.of(level) for name, level in read.levels.items()}
        # The need follows the calibrated level; a bare guess at "record" would hold back what anybody may be told.
        need = {Level.LOW: Need.PUBLIC, Level.MEDIUM: Need.RECORD, Level.HIGH: Need.DECISION}[
            levels[Trigger.MISSING_CONTEXT]
        ]
        if read.needs == "decision" and any(level > Level.LOW for level in levels.values()):
            need = Need.DECISION
        if read.truncated:
            need = max(need, Need.RECORD)  # what was not read may be what decides
        return Opinion(
            by=Witness.HEAD,
            levels=levels,
            quotes={Trigger(name): quote for name, quote in read.windows.items()},
            need=need,
            asks_human=read.asks_human,
            severe=levels[Trigger.CUSTOMER_PRESSURE] is Level.HIGH,
            fingerprint=read.fingerprint,
        )
