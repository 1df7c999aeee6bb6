"""The law of one release written out: what it makes of every matrix of levels, with and without a boundary crossed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from guards.assess import Assessment, Need
from guards.assign import Coverage, assign
from guards.capabilities import TABLE, rights_of
from guards.lanes import Consequence, Lane, Unit
from guards.policy import ConsequenceRow, Phase, Release, Rollout
from guards.rollout import Ceiling, ceiling_of, for_ticket, withheld_by_phase
from guards.triggers import Boundary, Level, Matrix, Signal, Trigger, Witness

LEVELS: tuple[tuple[Level, ...], ...] = tuple(product(Level, repeat=len(Trigger)))
"""All 3^6 matrices, as levels in the triggers' order; ``place_of`` gives the index of one."""
UNITS = tuple(Unit)
_CONSEQUENCES = tuple(Consequence)
_NO_ROLLOUT = Rollout(phase=Phase.EXPANSION)


@dataclass(frozen=True, slots=True)
class LawTable:
    """What the release makes of each matrix; the index is ``2 * place + (a boundary is crossed)``."""

    risk: tuple[int, ...]
    """The lane that the triggers alone demand."""
    units: tuple[int, ...]
    """The units that escalate where the ticket is not in lane 1, a bit each in ``UNITS``' order."""
    consequence: tuple[int, ...]
    """0, 1 or 2 for low, medium, high."""

    def lane(self, index: int, ceiling: Ceiling) -> int:
        """The lane of a well-covered ticket whose families have this ceiling."""
        return max(self.risk[index], 2 if ceiling is Ceiling.LANE_2 else 1)


def place_of(levels: Sequence[int]) -> int:
    """Where these six levels stand in ``LEVELS``."""
    place = 0
    for level in levels:
        place = place * 3 + level
    return place


def law_table(release: Release) -> LawTable:
    """The release's law over all matrices, asked of the law itself cell by cell."""
    units, rows = tuple(release.units.items()), tuple(release.consequence.items())
    return _table(release.several_mediums, units, rows)


@lru_cache(maxsize=32)
def _table(
    several: int, units: tuple[tuple[Trigger, Unit], ...], rows: tuple[tuple[Trigger, ConsequenceRow], ...]
) -> LawTable:
    # Only what the law looks at: the rest of a release is read elsewhere, and this much can be kept.
    bare = Release.model_construct(
        version="law",
        several_mediums=several,
        units=dict(units),
        consequence=dict(rows),
        damage=dict.fromkeys(Trigger, ()),
        rollout=_NO_ROLLOUT,
        family=(),
    )
    decided = [
        assign(Assessment(matrix_of(levels, crossed), (), Need.NOTHING, False, "en"), Coverage("an article"), bare)
        for levels in LEVELS
        for crossed in (False, True)
    ]
    return LawTable(
        tuple(int(d.lane_by_risk) for d in decided),
        tuple(sum(1 << UNITS.index(u) for u in d.units) for d in decided),
        tuple(_CONSEQUENCES.index(d.consequence) for d in decided),
    )


def matrix_of(levels: Sequence[Level], crossed: bool = False) -> Matrix:
    """A matrix with these levels, in the triggers' order."""
    signals = [Signal("cell", t, level, Witness.LAW, "", "") for t, level in zip(Trigger, levels, strict=True) if level]
    if crossed:
        line = Boundary.SECURITY_SENSITIVE
        signals.append(Signal("line", next(iter(Trigger)), Level.LOW, Witness.LAW, "", "", boundary=line))
    return Matrix(tuple(signals))


@dataclass(frozen=True, slots=True)
class Ceilinged:
    """What the enumeration of a release against the ceiling table found."""

    cells: int
    wider: tuple[str, ...]
    """Each cell in which the release allows more than the table and the law do; empty where it holds."""


def within_the_table(release: Release, holds: Mapping[str, Ceiling] | None = None) -> Ceilinged:
    """Whether any matrix, any family, any lane gets more by this release than the table allows (law 9)."""
    cells, wider = 0, []
    table = law_table(release)
    laxest = law_table(release.model_copy(update={"several_mediums": 6}))
    families = [f.id for f in release.family]
    for family in families:
        narrowed = for_ticket(release, (family,), holds or {})
        ceiling = ceiling_of(narrowed, family)
        for lane in Lane:
            cells += 1
            given = rights_of(lane) - withheld_by_phase(narrowed)
            quiet = ceiling is Ceiling.NOTHING_LEAVES
            if quiet and any(_leaves(r) for r in given):
                wider.append(f"{family}: something leaves in lane {int(lane)}, though the family is only watched")
        for index, risk in enumerate(table.risk):
            cells += 1
            # The most that any release may make of several mediums; every other row is no release's to change.
            if risk < laxest.risk[index] or (risk > 1 and not table.units[index]):
                wider.append(f"{family}: matrix {index} falls to lane {risk}")
            if ceiling is Ceiling.LANE_2 and table.lane(index, ceiling) < 2:
                wider.append(f"{family}: matrix {index} is answered alone, though the family has not earned it")
    return Ceilinged(cells, tuple(wider))


def _leaves(right: object) -> bool:
    return any(r is right and row.effect.value in ("customer_text", "close", "draft") for r, row in TABLE.items())
