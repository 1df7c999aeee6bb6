"""The scorecard as text, as JSON and as CSV; each figure with its definition, its counts and its interval."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from ledger.scorecard.metrics import METRICS
from ledger.scorecard.reading import SMALL, Dimension, Figure, Scorecard
from ledger.scorecard.warnings import ALARM_RATE, Warn

NO_GROUP = "(none)"
"""What a group without a name is called."""


class Misses(Protocol):
    """High-risk misses of one group, as audits found them: weighted, for the tickets that nobody else looked at."""

    @property
    def name(self) -> str:
        """Which family."""

    @property
    def audited(self) -> int:
        """Judged tickets."""

    @property
    def misses(self) -> float:
        """Among them; a half for each on which two auditors disagree."""

    @property
    def rate(self) -> float:
        """Weighted."""

    @property
    def low(self) -> float:
        """The interval's."""

    @property
    def high(self) -> float:
        """The interval's."""

    @property
    def tickets(self) -> tuple[str, ...]:
        """Those that were missed."""


MISSES_DEFINITION = (
    "High-risk misses: of the tickets that were answered without a person, the share that auditors say should have had one, "
    "weighted by how likely each was to be drawn."
)


def told(figure: Figure) -> str:
    """``12.4% (9.8 to 15.5%), 61 of 492``; marked where it rests on small numbers."""
    if figure.rate is None:
        return "none yet"
    mark = "  small numbers" if figure.small else ""
    return f"{rate_words(figure)}, {figure.hits} of {figure.among}{mark}"


def rate_words(figure: Figure) -> str:
    """``12.4% (9.8 to 15.5%)``; ``none yet`` among none."""
    if figure.rate is None:
        return "none yet"
    low, high = figure.interval
    return f"{figure.rate:6.1%} ({low:.1%} to {high:.1%})"


def text(card: Scorecard, warned: Sequence[Warn], misses: Sequence[Misses] = (), by: Dimension | None = None) -> str:
    """The scorecard for a terminal: warnings first, then the total with its worst losses, then one dimension."""
    return "\n".join(
        [*_head(card), *_warnings(warned), *_totals(card), *_misses(misses), *_groups(card, by), *_definitions()]
    )


def period_words(card: Scorecard) -> str:
    """Which tickets the figures are about."""
    since, until = card.period.since, card.period.until
    between = " ".join(p for p in (f"from {since}" if since else "", f"to {until}" if until else "") if p)
    return f"{card.tickets} tickets opened {between or 'at any time'}, as of {card.period.as_of:%Y-%m-%d %H:%M} UTC"


def _head(card: Scorecard) -> Iterator[str]:
    yield period_words(card)
    if not card.progress.complete:
        yield f"summarised up to event {card.progress.seq} of {card.progress.last}: read it again for the rest"
    yield ""


def _warnings(warned: Sequence[Warn]) -> Iterator[str]:
    if not warned:
        yield f"no warnings (in a calm year, a false one comes with a chance of at most {ALARM_RATE:.0%})"
    for one in warned:
        yield f"WARNING {one.kind.replace('_', ' ')}: {one.group}: {one.words}"
        yield f"  {evidence(one)}; owner: {one.owner}"
        yield f"  tickets: {', '.join(one.tickets[:5]) or 'none'}"
    yield ""


def evidence(one: Warn) -> str:
    """The numbers behind a warning."""
    if not one.strength:
        return f"since {one.since}"
    beside = f"against {one.rest_rate:.1%} ({one.rest_hits} of {one.rest_among})"
    return f"{one.rate:.1%} ({one.hits} of {one.among}) {beside}, since the week of {one.since}"


def _totals(card: Scorecard) -> Iterator[str]:
    for figure in card.totals:
        yield f"{figure.metric.title:<38} {told(figure)}"
        losses = card.losses[figure.metric.id]
        if losses and figure.hits:
            worst = "; ".join(
                f"{loss.ticket} ({loss.consequence or 'unknown'}, {loss.family or NO_GROUP}, {loss.alike} alike)"
                for loss in losses[:3]
            )
            yield f"    worst: {worst}"


def _misses(misses: Sequence[Misses]) -> Iterator[str]:
    yield ""
    if not misses:
        yield "High-risk misses: nothing has been audited in this time"
    for row in misses:
        told_of = f"{row.rate:6.1%} ({row.low:.1%} to {row.high:.1%}), {row.misses:g} of {row.audited} audited"
        yield f"High-risk misses, {row.name:<19} {told_of}: {', '.join(row.tickets[:5])}"


def _groups(card: Scorecard, by: Dimension | None) -> Iterator[str]:
    if by is None:
        return
    for metric in METRICS:
        groups = [f for f in card.by[by] if f.metric is metric and f.among]
        if groups:
            yield ""
            yield f"{metric.title}, by {by.value}"
            yield from (f"    {f.group or NO_GROUP:<34} {told(f)}" for f in groups)


def _definitions() -> Iterator[str]:
    yield ""
    yield f"Rates are shares of tickets, with their 95% interval (Wilson); below {SMALL} tickets: small numbers."
    for metric in METRICS:
        yield f"{metric.title}: {metric.definition} {worse_words(metric.worse)}"
    yield MISSES_DEFINITION


def worse_words(worse: str) -> str:
    """Which way is worse, in words."""
    return "Neither way is better by itself." if worse == "neither" else f"{worse.capitalize()} is worse."


# ── for machines ────────────────────────────────────────────────────────────────────────────────────────────


def to_json(card: Scorecard, warned: Sequence[Warn], misses: Sequence[Misses] = ()) -> dict[str, Any]:
    """Plain JSON: all figures, with definitions, intervals and the worst losses."""
    return {
        "as_of": card.period.as_of.isoformat(),
        "since": card.period.since.isoformat() if card.period.since else None,
        "until": card.period.until.isoformat() if card.period.until else None,
        "tickets": card.tickets,
        "complete": card.progress.complete,
        "definitions": {m.id: {"title": m.title, "definition": m.definition, "worse": m.worse.value} for m in METRICS},
        "total": [_figure_json(f) for f in card.totals],
        "by": {d.value: [_figure_json(f) for f in figures] for d, figures in card.by.items()},
        "worst": {
            id: [
                {"ticket": x.ticket, "consequence": x.consequence, "family": x.family, "tier": x.tier, "alike": x.alike}
                for x in losses
            ]
            for id, losses in card.losses.items()
        },
        "months": {month: {id: dict(n) for id, n in row.items()} for month, row in card.months.items()},
        "high_risk_misses": [
            {n: getattr(row, n) for n in ("name", "audited", "misses", "rate", "low", "high")}
            | {"tickets": list(row.tickets)}
            for row in misses
        ],
        "warnings": [_warning_json(w) for w in warned],
    }


def _figure_json(figure: Figure) -> dict[str, Any]:
    low, high = figure.interval
    return {
        "metric": figure.metric.id,
        "group": figure.group,
        "hits": figure.hits,
        "among": figure.among,
        "rate": figure.rate,
        "low": low,
        "high": high,
        "small": figure.small,
    }


def _warning_json(one: Warn) -> dict[str, Any]:
    return {
        "kind": one.kind.value,
        "group": one.group,
        "words": one.words,
        "owner": one.owner,
        "since": one.since.isoformat(),
        "hits": one.hits,
        "among": one.among,
        "compared_hits": one.rest_hits,
        "compared_among": one.rest_among,
        "strength": one.strength,
        "tickets": list(one.tickets),
    }


COLUMNS = ("dimension", "group", "metric", "hits", "among", "rate", "low", "high", "small", "worse", "definition")


def to_csv(card: Scorecard) -> str:
    """Every figure, one a row."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for figure in (*card.totals, *(f for figures in card.by.values() for f in figures)):
        low, high = figure.interval
        writer.writerow(
            [
                figure.dimension.value if figure.dimension else "total",
                harmless(figure.group),
                figure.metric.id,
                figure.hits,
                figure.among,
                "" if figure.rate is None else f"{figure.rate:.6f}",
                f"{low:.6f}",
                f"{high:.6f}",
                int(figure.small),
                figure.metric.worse.value,
                figure.metric.definition,
            ]
        )
    return out.getvalue()


def harmless(value: str) -> str:
    """A stranger's word in a cell: a spreadsheet would run what looks like a formula."""
    return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
