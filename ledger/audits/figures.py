"""What the audited tickets say of all that nobody looked at: weighted rates with intervals, and how far auditors agree."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from ledger.audits.drawing import Audit
from ledger.audits.verdicts import Standing, standings
from ledger.intervals import wilson


@dataclass(frozen=True, slots=True)
class Audited:
    """One judged ticket and how many it stands for."""

    audit: Audit
    weight: float
    """Tickets of its cell over judged tickets of its cell: the inverse of its probability to be drawn and judged."""
    miss: float
    """1, 0, or one half where two auditors disagree."""


@dataclass(frozen=True, slots=True)
class MissRow:
    """High-risk misses: tickets that were answered without a person and that, by their auditors, should have had one."""

    name: str
    """Which family (or stratum, consequence …)."""
    audited: int
    """Judged tickets behind the figures. Small numbers give wide intervals, and are shown."""
    misses: float
    """Among them; one half for each on which two auditors disagree."""
    estimated_tickets: float
    """How many tickets they stand for."""
    estimated_misses: float
    """How many of those should have had a person (Horvitz-Thompson)."""
    rate: float
    low: float
    high: float
    """The rate's 95% interval."""
    tickets: tuple[str, ...]
    """Those with a miss, also a disputed one."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two auditors who judged the same tickets, blind, said the same."""

    pairs: int
    agreed: int
    kappa: float | None
    """Cohen's kappa: agreement beyond chance. None where chance alone would agree always, or nothing was judged twice."""
    low: float | None
    high: float | None
    """Kappa's 95% interval."""

    @property
    def raw(self) -> float | None:
        """The share on which they agreed."""
        return self.agreed / self.pairs if self.pairs else None


def audit_misses(
    conn: Connection, since: datetime, until: datetime, now: datetime | None = None
) -> tuple[MissRow, ...]:
    """High-risk misses by issue family over the weeks that begin in [since, until), weighted; the worst rate first.

    A ticket counts in each family it touches; one without is in ``unknown``. Only audits with all their verdicts count.
    """
    return rows(audited(standings(conn, now, since, until)), families_of)


def audited_tickets(
    conn: Connection, since: datetime, until: datetime, now: datetime | None, name: str
) -> tuple[str, ...]:
    """The tickets that ``audit_misses`` counts as audited in a family, one for each audit, the newest week first."""
    judged = audited(standings(conn, now, since, until))
    return tuple(a.audit.ticket for a in reversed(judged) if name in families_of(a.audit))


def families_of(audit: Audit) -> tuple[str, ...]:
    """What a ticket counts under by family."""
    return audit.families or ("unknown",)


def audited(held: Iterable[Standing]) -> tuple[Audited, ...]:
    """The judged tickets with their weights.

    In a cell where some were never judged (still waiting, or erased) the others stand for them too: right where being
    judged has nothing to do with being a miss.
    """
    every = tuple(held)
    judged = Counter((s.draw.week, s.audit.cell) for s in every if s.judged)
    return tuple(
        Audited(
            s.audit,
            s.draw.part(s.audit).frame / judged[s.draw.week, s.audit.cell],
            s.miss,
        )
        for s in every
        if s.judged
    )


def uncovered(held: Iterable[Standing]) -> int:
    """Tickets of cells in which nothing is judged yet: no figure speaks for them."""
    every = tuple(held)
    judged = {(s.draw.week, s.audit.cell) for s in every if s.judged}
    draws = {s.draw.week: s.draw for s in every}
    return sum(p.frame for d in draws.values() for p in d.parts if (d.week, p.cell) not in judged)


def rows(found: Iterable[Audited], of: Callable[[Audit], Sequence[str]]) -> tuple[MissRow, ...]:
    """One row a name that ``of`` gives; the worst rate first."""
    groups: dict[str, list[Audited]] = {}
    for one in found:
        for name in of(one.audit):
            groups.setdefault(name, []).append(one)
    made = (row(name, held) for name, held in groups.items())
    return tuple(sorted(made, key=lambda r: (-r.rate, -r.estimated_misses, r.name)))


def row(name: str, found: Sequence[Audited]) -> MissRow:
    """The figures of some judged tickets; all zero, with an interval from 0 to 1, for none.

    The rate is the ratio of two Horvitz-Thompson totals (Hájek). Its interval is Wilson's at the effective number of
    tickets, (sum of weights) squared over the sum of squared weights (Kish 1965): unequal weights tell less, and a sample
    without a single miss still has an upper end.
    """
    total = math.fsum(a.weight for a in found)
    missed = math.fsum(a.weight * a.miss for a in found)
    rate = missed / total if total else 0.0
    effective = total**2 / math.fsum(a.weight**2 for a in found) if total else 0.0
    low, high = wilson(rate * effective, effective)
    return MissRow(
        name=name,
        audited=len(found),
        misses=sum(a.miss for a in found),
        estimated_tickets=total,
        estimated_misses=missed,
        rate=rate,
        low=low,
        high=high,
        tickets=tuple(dict.fromkeys(a.audit.ticket for a in found if a.miss)),
    )


def agreement(held: Iterable[Standing]) -> Agreement:
    """Over the audits that two people have judged."""
    pairs = [(s.verdicts[0].escalate, s.verdicts[1].escalate) for s in held if s.judged and len(s.verdicts) == 2]
    both, neither = pairs.count((True, True)), pairs.count((False, False))
    table = (both, pairs.count((True, False)), pairs.count((False, True)), neither)
    low, high = _kappa_interval(table) if pairs else (None, None)
    return Agreement(len(pairs), both + neither, kappa(table), low, high)


def kappa(table: Sequence[float]) -> float | None:
    """Cohen's kappa of (both yes, only the first, only the second, both no); None where chance explains everything."""
    total = math.fsum(table)
    if not total:
        return None
    both, first, second, neither = (n / total for n in table)
    chance = (both + first) * (both + second) + (second + neither) * (first + neither)
    return (both + neither - chance) / (1 - chance) if 1 - chance > 1e-12 else None


_DRAWS = 4000


def _kappa_interval(table: Sequence[int]) -> tuple[float, float]:
    """Between which kappa lies with 95% by the four counts and Jeffreys' prior (a half for each): unlike the textbook
    error it does not shrink to nothing where a handful of pairs agree throughout. The same counts give the same ends."""
    chance = random.Random(f"kappa {table}")
    seen = sorted(
        value
        for _ in range(_DRAWS)
        if (value := kappa([chance.gammavariate(count + 0.5, 1.0) for count in table])) is not None
    )
    low, high = seen[int(0.025 * len(seen))], seen[int(0.975 * len(seen))]
    point = kappa(table)
    return (low, high) if point is None else (min(low, point), max(high, point))
