"""Figures of a race: percentiles, ratios round by round, goals met or missed, and how they are written down."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table
from rich.text import Text


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that at least that share (above 0, at most 1) of the values does not exceed.

    ValueError without values, or where the share is none.
    """
    if not values or not 0 < share <= 1:
        raise ValueError(f"no percentile {share} of {len(values)} values; give values, and a share above 0")
    return sorted(values)[math.ceil(share * len(values)) - 1]


@dataclass(frozen=True, slots=True)
class Spread:
    """How long one call took, in microseconds, over all rounds."""

    calls: int
    p50: float
    p99: float
    least: float
    """The fastest call: near to what the work costs by itself where the machine has more to do."""

    @classmethod
    def of(cls, rounds: Sequence[Sequence[int]], per: float = 1.0) -> Spread:
        """From nanoseconds, round by round; ``per`` divides each (a text's kilobytes)."""
        all_of_them = [ns / 1000 / per for one in rounds for ns in one]
        return cls(len(all_of_them), percentile(all_of_them, 0.50), percentile(all_of_them, 0.99), min(all_of_them))


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as long another side took, by each round's own p50: a slow moment slows both."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, ours: Sequence[Sequence[int]], theirs: Sequence[Sequence[int]]) -> Ratio:
        """Both sides' nanoseconds, round by round. ValueError where they took other rounds."""
        each = [percentile(b, 0.50) / percentile(a, 0.50) for a, b in zip(ours, theirs, strict=True)]
        return cls(statistics.median(each), min(each), max(each))


@dataclass(frozen=True, slots=True)
class Goal:
    """What was asked for, and whether it was reached."""

    words: str
    met: bool


def at_most(what: str, figure: float, bound: float, unit: str) -> Goal:
    """A figure that may not be above a bound."""
    return Goal(f"{what} <= {bound:g} {unit}".rstrip(), figure <= bound)


def at_least(what: str, figure: float, bound: float, unit: str) -> Goal:
    """A figure that may not be under a bound."""
    return Goal(f"{what} >= {bound:g} {unit}".rstrip(), figure >= bound)


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was timed."""

    what: str
    spread: Spread
    ratio: Ratio | None = None
    """Beside the row that its section names; None for that row itself, and where a comparison would say nothing."""
    goals: tuple[Goal, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """Things that were timed in turns, in one sitting."""

    title: str
    unit: str
    """What the figures are microseconds of: ``a call``, ``a kB``."""
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    """What was not measured and why, and what a reader must know of the rest."""
    beside: str = "the first row"
    """What the ratios are beside."""


def micro(value: float) -> str:
    """Microseconds, three figures."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(section: Section) -> Table:
    """The section as a table: figures, how many times the first row, and goals beside them."""
    shown = Table(title=section.title, title_justify="left", header_style="bold")
    shown.add_column("", overflow="fold")
    for name in (f"p50, µs {section.unit}", "p99", "fastest", "calls", f"times {section.beside} (least to most)"):
        shown.add_column(name, justify="right")
    shown.add_column("goal", overflow="fold")
    for row in section.rows:
        ratio = row.ratio
        beside = "" if ratio is None else f"{ratio.median:.3g} ({ratio.least:.3g} to {ratio.greatest:.3g})"
        goals = Text()
        for n, goal in enumerate(row.goals):
            goals.append("\n" if n else "").append(f"{goal.words}: ")
            goals.append("met" if goal.met else "missed", style="green" if goal.met else "bold red")
        spread = row.spread
        times = (micro(time) for time in (spread.p50, spread.p99, spread.least))
        shown.add_row(Text(row.what), *times, f"{spread.calls:,}", beside, goals)
    return shown


def plain_json(sections: Sequence[Section]) -> list[dict[str, Any]]:
    """Plain JSON of the sections, every figure in full."""
    return [asdict(section) for section in sections]
