"""How far a release may use what the table allows: per phase and issue family, only ever narrower (law 9)."""

from __future__ import annotations

from guards.capabilities import TABLE, Effect, Right
from guards.lanes import Lane, Reason
from guards.policy import Phase, Release

_NOTHING_LEAVES = frozenset({Effect.CUSTOMER_TEXT, Effect.CLOSE, Effect.DRAFT})


def family_open(release: Release, families: tuple[str, ...]) -> bool:
    """True where every family touched has earned autonomy; an unknown family has not."""
    if release.rollout.phase is Phase.OBSERVE_ONLY:
        return False
    return bool(families) and set(families) <= set(release.rollout.autonomous_families)


def hold(release: Release, families: tuple[str, ...]) -> Reason | None:
    """The reason for holding a routine ticket to lane 2, or None. Observe-only holds rights, not the lane:
    the lane it recommends is what people agree or disagree with."""
    if release.rollout.phase is Phase.OBSERVE_ONLY or family_open(release, families):
        return None
    shut = [f for f in families if f not in release.rollout.autonomous_families] or ["an unknown family"]
    words = f"we answer by ourselves only where that has been earned, and not yet in {', '.join(shut)}"
    return Reason("rollout", words, Lane.ASSISTED)


def withheld_by_phase(release: Release) -> frozenset[Right]:
    """The rights that the phase takes away in every lane."""
    if release.rollout.phase is not Phase.OBSERVE_ONLY:
        return frozenset()
    return frozenset(right for right, row in TABLE.items() if row.effect in _NOTHING_LEAVES)


def anything_leaves(release: Release) -> bool:
    """False in observe-only: not even a notice."""
    return release.rollout.phase is not Phase.OBSERVE_ONLY
