"""What an issue family must show before it may go further: exact bounds on counted outcomes, and what is still missing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from guards.policy import Phase, Promotion

_ENOUGH = 1_000_000
"""Beyond so many tickets nobody waits: the rate itself is too near to the bar, or on the wrong side of it."""


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    hits: int
    of: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.of:
            raise ValueError(f"{self.hits} of {self.of} is no share")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one issue family, since it entered the phase that it is in."""

    misses: Share
    """Of audited tickets that never escalated: those that should have gone to a person."""
    overrides: Share
    """The scorecard's ``override``: of tickets on which a person decided, those that they overrode."""
    recontacts: Share
    """The scorecard's ``recontact``: of answered tickets for which that is known by now, those whose customer came back."""
    useful: Share
    """The scorecard's ``packet_usefulness``: of tickets whose packet was rated, those where it saved time."""
    agreed: Share
    """Of the lanes that people named before seeing ours: the same lane, or a lower."""
    foreseen: Share = Share(0, 0)
    """Of tickets that roll-out alone kept from being answered without a person, and whose lane people named at the desk
    before seeing ours: those for which anybody named a higher lane than 1."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was asked of a family."""

    name: str
    share: Share
    bound: float
    """The exact bound on the bad side."""
    bar: float
    more: int | None
    """How many further tickets as good as can be would be enough; 0 where it holds, None where no number would be."""

    @property
    def holds(self) -> bool:
        """True where the bar is met."""
        return self.more == 0


def upper(share: Share, confidence: float) -> float:
    """Clopper and Pearson's upper bound on the rate, one-sided, exact. 1 where nothing was seen."""
    if share.hits == share.of:
        return 1.0
    return _root(lambda rate: _at_most(share.hits, share.of, rate) - (1 - confidence))


def lower(share: Share, confidence: float) -> float:
    """Clopper and Pearson's lower bound on the rate, one-sided, exact. 0 where nothing was seen."""
    if share.hits == 0:
        return 0.0
    return 1 - upper(Share(share.of - share.hits, share.of), confidence)


def judge(evidence: Evidence, bars: Promotion, to: Phase) -> tuple[Finding, ...]:
    """What the family shows for a phase. What lane 1 would miss is known before it opens by the lanes that people named
    blind, and afterwards by audits: the first step takes both, ``expansion`` audits alone."""
    tried = to is Phase.EXPANSION
    misses, foreseen = evidence.misses, Share(0, 0) if tried else evidence.foreseen
    looked = Share(misses.hits + foreseen.hits, misses.of + foreseen.of)
    where, counted = (
        ("in audits", "audited tickets") if tried else ("in audits and blind reviews", "tickets looked at so")
    )
    found = [
        _at_least("agreement of people who had not seen our lane", evidence.agreed, bars.agreed_at_least, bars),
        _at_least("packets that saved time", evidence.useful, bars.useful_at_least, bars),
        _at_most_bar(f"high-risk misses {where}", looked, bars.high_risk_miss_at_most, bars),
        _at_most_bar("overrides", evidence.overrides, bars.override_at_most, bars),
        _at_most_bar("recontacts within 7 days", evidence.recontacts, bars.recontact_at_most, bars),
        _counted(counted, looked.of, bars.audited_at_least),
    ]
    return tuple(found)


def _at_most_bar(name: str, share: Share, bar: float, bars: Promotion) -> Finding:
    def enough(more: int) -> bool:
        return upper(Share(share.hits, share.of + more), bars.confidence) <= bar

    return Finding(name, share, upper(share, bars.confidence) if share.of else 1.0, bar, _more(enough))


def _at_least(name: str, share: Share, bar: float, bars: Promotion) -> Finding:
    def enough(more: int) -> bool:
        return lower(Share(share.hits + more, share.of + more), bars.confidence) >= bar

    return Finding(name, share, lower(share, bars.confidence), bar, _more(enough))


def _counted(name: str, seen: int, wanted: int) -> Finding:
    return Finding(name, Share(seen, seen), float(seen), float(wanted), max(0, wanted - seen))


def _more(enough: Callable[[int], bool]) -> int | None:
    """The fewest further tickets that are enough; what is enough stays so with more."""
    if enough(0):
        return 0
    high = 1
    while not enough(high):
        high *= 2
        if high > _ENOUGH:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


# ── the binomial, exactly ───────────────────────────────────────────────────────────────────────────────────


def _at_most(hits: int, of: int, rate: float) -> float:
    """The probability of at most so many hits: the shorter tail, term by term."""
    if rate <= 0:
        return 1.0
    if rate >= 1:
        return float(hits >= of)
    if 2 * hits <= of:
        return min(1.0, _sum(range(hits + 1), of, rate))
    return max(0.0, 1 - _sum(range(hits + 1, of + 1), of, rate))


def _sum(counts: range, of: int, rate: float) -> float:
    hit, miss = math.log(rate), math.log1p(-rate)
    whole = math.lgamma(of + 1)
    return math.fsum(
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(of - k + 1) + k * hit + (of - k) * miss) for k in counts
    )


def _root(falling: Callable[[float], float]) -> float:
    """Where a falling function crosses zero between 0 and 1, from above: a bound is never told too small."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return high


# ── narrowing ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Recent:
    """The last weeks of one issue family."""

    overrides: Share
    recontacts: Share
    """Recontacts so far: those that have not come back yet count among them, since an alarm does not wait."""


def spiked(recent: Recent, bars: Promotion, sure: float = 0.999) -> str | None:
    """Which rate is by now surely above what the family was promoted with: ``overrides`` or ``recontact``; None where
    neither is. Looked at daily for years it is to stay quiet, so it wants to be ``sure``. It can only ask for less."""
    if lower(recent.overrides, sure) > bars.override_at_most:
        return "overrides"
    if lower(recent.recontacts, sure) > bars.recontact_at_most:
        return "recontact"
    return None
