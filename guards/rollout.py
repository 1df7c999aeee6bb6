"""How far a release may use what the table allows: per phase and issue family, only ever narrower (law 9)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from guards.capabilities import TABLE, Effect, Right
from guards.lanes import Lane, Reason
from guards.policy import Phase, Release

_NOTHING_LEAVES = frozenset({Effect.CUSTOMER_TEXT, Effect.CLOSE, Effect.DRAFT})


class Ceiling(StrEnum):
    """The most that roll-out lets the assistant do in one issue family."""

    NOTHING_LEAVES = "nothing_leaves"
    LANE_2 = "lane_2"
    """Drafts and packets; no answer without a person."""
    OPEN = "open"
    """The table's full row."""


_WIDTH = {ceiling: width for width, ceiling in enumerate(Ceiling)}
NO_HOLDS: Mapping[str, Ceiling] = {}


def narrower(one: Ceiling, other: Ceiling) -> Ceiling:
    """The narrower of two."""
    return min(one, other, key=_WIDTH.__getitem__)


def ceiling_of(release: Release, family: str) -> Ceiling:
    """What the release allows in a family; a family that it does not know has earned nothing."""
    plan = release.rollout
    watched = family not in plan.family_phase or plan.family_phase[family] is Phase.OBSERVE_ONLY
    if plan.phase is Phase.OBSERVE_ONLY or (plan.family_phase and watched):
        return Ceiling.NOTHING_LEAVES
    return Ceiling.OPEN if family in plan.autonomous_families else Ceiling.LANE_2


def for_ticket(release: Release, families: tuple[str, ...], holds: Mapping[str, Ceiling] = NO_HOLDS) -> Release:
    """The release as it applies to a ticket that touches these families: narrower by its own family phases, and by
    what the ledger holds families to. It never allows what the release does not."""
    plan = release.rollout
    if not plan.family_phase and not holds:
        return release
    ceilings = {f: narrower(ceiling_of(release, f), holds.get(f, Ceiling.OPEN)) for f in families}
    still_open = tuple(
        f for f in plan.autonomous_families if ceilings.get(f, holds.get(f, Ceiling.OPEN)) is Ceiling.OPEN
    )
    phase = Phase.OBSERVE_ONLY if Ceiling.NOTHING_LEAVES in ceilings.values() else plan.phase
    narrowed = plan.model_copy(update={"phase": phase, "autonomous_families": still_open})
    return release.model_copy(update={"rollout": narrowed})


def step_of(release: Release, family: str) -> Phase:
    """The step that a family must have earned before this release may open it: ``expansion`` where the release names the
    family so, ``narrow`` for any other way to lane 1. Drafts are a person's to send, and take none."""
    return Phase.EXPANSION if release.rollout.family_phase.get(family) is Phase.EXPANSION else Phase.NARROW


def steps_up(now: Release, release: Release) -> Mapping[str, Phase]:
    """The step that each family must have earned which the release opens, or names further, beside the one in force."""
    before = {family: step_of(now, family) for family in open_families(now)}
    steps = {family: step_of(release, family) for family in sorted(open_families(release))}
    return {f: step for f, step in steps.items() if before.get(f) not in (step, Phase.EXPANSION)}


def family_open(release: Release, families: tuple[str, ...]) -> bool:
    """True where every family touched has earned autonomy; an unknown family has not."""
    return bool(families) and all(ceiling_of(release, f) is Ceiling.OPEN for f in families)


def hold(release: Release, families: tuple[str, ...]) -> Reason | None:
    """The reason for holding a routine ticket to lane 2, or None. Observe-only holds rights, not the lane:
    the lane it recommends is what people agree or disagree with."""
    shut = [f for f in families if f not in release.rollout.autonomous_families]
    if release.rollout.phase is Phase.OBSERVE_ONLY or (families and not shut):
        return None
    where = ", ".join(shut) or "an unknown family"
    words = f"we answer by ourselves only where that has been earned, and not yet in {where}"
    return Reason("rollout", words, Lane.ASSISTED)


def withheld_by_phase(release: Release) -> frozenset[Right]:
    """The rights that the phase takes away in every lane."""
    if release.rollout.phase is not Phase.OBSERVE_ONLY:
        return frozenset()
    return frozenset(right for right, row in TABLE.items() if row.effect in _NOTHING_LEAVES)


def anything_leaves(release: Release) -> bool:
    """False in observe-only: not even a notice."""
    return release.rollout.phase is not Phase.OBSERVE_ONLY


def quiet_families(release: Release) -> frozenset[str]:
    """The families of the release in which nothing leaves."""
    return frozenset(f.id for f in release.family if ceiling_of(release, f.id) is Ceiling.NOTHING_LEAVES)


def open_families(release: Release) -> frozenset[str]:
    """The families to which roll-out gives lane 1."""
    return frozenset(f for f in release.rollout.autonomous_families if ceiling_of(release, f) is Ceiling.OPEN)
