"""The scorecard as one self-contained page with pictures: no script, nothing fetched, every stranger's word escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from sqlalchemy import Connection

from ledger.scorecard.metrics import METRICS, Metric
from ledger.scorecard.reading import SMALL, Dimension, Figure, Part, Scorecard, tickets_of
from ledger.scorecard.showing import MISSES_DEFINITION, NO_GROUP, Misses, evidence, period_words, told, worse_words
from ledger.scorecard.warnings import ALARM_RATE, Warn

LISTED = 20
"""Ticket ids that open under a figure."""
WIDTH, HEIGHT = 640, 150
"""Of a picture, in its own units."""


def page(
    conn: Connection,
    card: Scorecard,
    warned: Sequence[Warn],
    misses: Sequence[Misses] = (),
    note: str = "",
    by: Sequence[Dimension] = tuple(Dimension),
) -> str:
    """The page. ``note`` says what its tickets are (made up, say)."""
    from jinja2 import Environment

    source = (resources.files("ledger.scorecard") / "scorecard.html.j2").read_text(encoding="utf-8")
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(source)
    return template.render(
        period=period_words(card),
        note=note,
        warned=[(w, evidence(w)) for w in warned],
        alarm_rate=ALARM_RATE,
        lanes=lane_picture(card.months),
        sections=[_section(conn, card, metric, by) for metric in METRICS],
        misses=misses,
        misses_definition=MISSES_DEFINITION,
        small=SMALL,
        width=WIDTH,
        height=HEIGHT,
    )


def _section(conn: Connection, card: Scorecard, metric: Metric, by: Sequence[Dimension]) -> dict[str, Any]:
    total = next(f for f in card.totals if f.metric is metric)
    return {
        "metric": metric,
        "total": total,
        "told": told(total),
        "worse": worse_words(metric.worse),
        "line": line_picture(card.months, metric),
        "losses": card.losses[metric.id],
        "newest": tickets_of(conn, metric, card.period, Part.HITS, limit=LISTED),
        "groups": [(d.value, [_bar(f) for f in card.by[d] if f.metric is metric and f.among]) for d in by],
    }


def _bar(figure: Figure) -> dict[str, Any]:
    low, high = figure.interval
    return {
        "group": figure.group or NO_GROUP,
        "told": told(figure),
        "small": figure.small,
        "rate": round(100 * (figure.rate or 0), 2),
        "low": round(100 * low, 2),
        "width": round(100 * (high - low), 2),
    }


def lane_picture(months: Mapping[str, Mapping[str, Mapping[str, int]]]) -> dict[str, Any]:
    """Lane distribution over time: a stacked bar a month, in the picture's units."""
    step = WIDTH / max(len(months), 1)
    bars = []
    for n, (month, row) in enumerate(months.items()):
        whole, top = row["lane_1"]["among"] or 1, float(HEIGHT)
        for lane in (1, 2, 3):
            tall = HEIGHT * row[f"lane_{lane}"]["hits"] / whole
            top -= tall
            bars.append(
                {
                    "lane": lane,
                    "x": round(n * step, 1),
                    "y": round(top, 1),
                    "wide": round(step * 0.86, 1),
                    "tall": round(tall, 1),
                    "told": f"{month}: {row[f'lane_{lane}']['hits']} of {whole} in lane {lane}",
                }
            )
    return {"bars": bars, "labels": [(round(n * step, 1), month) for n, month in enumerate(months)]}


def line_picture(months: Mapping[str, Mapping[str, Mapping[str, int]]], metric: Metric) -> dict[str, Any]:
    """A metric month by month: points, a line through them, and the highest value as the picture's top."""
    rates = [
        (n, month, row[metric.id]["hits"], row[metric.id]["among"])
        for n, (month, row) in enumerate(months.items())
        if row[metric.id]["among"]
    ]
    top = max((hits / among for _, _, hits, among in rates), default=0.0) or 1.0
    step = WIDTH / max(len(months), 1)
    points = [
        {
            "x": round((n + 0.43) * step, 1),
            "y": round(HEIGHT * (1 - hits / among / top), 1),
            "told": f"{month}: {hits / among:.1%}, {hits} of {among}",
        }
        for n, month, hits, among in rates
    ]
    return {"points": points, "line": " ".join(f"{p['x']},{p['y']}" for p in points), "top": f"{top:.1%}"}
