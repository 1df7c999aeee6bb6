"""The scorecard as one self-contained page with pictures: no script, nothing fetched, every stranger's word escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection

from ledger.scorecard.metrics import METRICS, Metric
from ledger.scorecard.reading import SMALL, Dimension, Figure, Loss, Part, Period, Scorecard, tickets_of
from ledger.scorecard.showing import (
    MISSES_DEFINITION,
    NO_GROUP,
    Misses,
    evidence,
    period_words,
    rate_words,
    told,
    worse_words,
)
from ledger.scorecard.warnings import ALARM_RATE, Warn

LISTED = 20
"""Ticket ids that open under a figure."""
WIDTH, HEIGHT = 640, 150
"""Of a picture, in its own units."""


@dataclass(frozen=True, slots=True)
class Links:
    """Where a page that is served leads to. A page that is kept as a file leads nowhere and has none."""

    page: str
    """The page itself, for another period or another split."""
    tickets: str
    """The list of the tickets behind a figure."""
    ticket: str
    """One ticket, by ``?ticket=ID``."""

    def to(self, ticket: str) -> str:
        """One ticket's address."""
        return f"{self.ticket}?{urlencode({'ticket': ticket})}"

    def other(self, kind: str, period: Period) -> str:
        """The same figures of that period as another kind of file."""
        days = {"since": period.since, "until": period.until}
        asked = urlencode({name: day for name, day in days.items() if day})
        return f"{self.page}.{kind}" + (f"?{asked}" if asked else "")

    def behind(self, period: Period, **asked: object) -> str:
        """The address of the tickets behind a count of that period."""
        days = {"since": period.since, "until": period.until}
        told = {name: value for name, value in {**asked, **days}.items() if value}
        return f"{self.tickets}?{urlencode(told, doseq=True)}"


def page(
    conn: Connection,
    card: Scorecard,
    warned: Sequence[Warn],
    misses: Sequence[Misses] = (),
    note: str = "",
    by: Sequence[Dimension] = tuple(Dimension),
    links: Links | None = None,
) -> str:
    """The page. ``note`` says what its tickets are (made up, say); with ``links`` each count leads to its tickets."""
    from jinja2 import Environment

    source = (resources.files("ledger.scorecard") / "scorecard.html.j2").read_text(encoding="utf-8")
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(source)
    return template.render(
        period=period_words(card),
        asked=card.period,
        links=links,
        by=by,
        dimensions=tuple(Dimension),
        note=note,
        warned=[(w, evidence(w), _behind_warning(links, w)) for w in warned],
        alarm_rate=ALARM_RATE,
        lanes=lane_picture(card, links),
        sections=[_section(conn, card, metric, by, links) for metric in METRICS],
        misses=misses,
        misses_definition=MISSES_DEFINITION,
        small=SMALL,
        width=WIDTH,
        height=HEIGHT,
    )


def _section(
    conn: Connection, card: Scorecard, metric: Metric, by: Sequence[Dimension], links: Links | None
) -> dict[str, Any]:
    total = next(f for f in card.totals if f.metric is metric)
    lost = card.losses[metric.id]
    return {
        "metric": metric,
        "total": _counts(card.period, total, links),
        "worse": worse_words(metric.worse),
        "line": line_picture(card, metric, links),
        "losses": [(loss, _alike(card.period, metric, loss, links)) for loss in lost],
        "lost_at": links.behind(card.period, tickets=metric.id, part=Part.LOSSES.value) if links and lost else "",
        "newest": tickets_of(conn, metric, card.period, Part.HITS, limit=LISTED),
        "groups": [
            (d.value, [_bar(card.period, f, links) for f in card.by[d] if f.metric is metric and f.among]) for d in by
        ],
    }


def _counts(period: Period, figure: Figure, links: Links | None) -> dict[str, Any]:
    """A figure in words and, where it leads anywhere, where each of its two counts does."""
    ways = {"hits_at": "", "among_at": ""}
    if links is not None:
        of = [f"{figure.dimension.value}={figure.group}"] if figure.dimension else []
        for part in (Part.HITS, Part.AMONG):
            ways[f"{part.value}_at"] = links.behind(period, tickets=figure.metric.id, part=part.value, of=of)
    return {"told": told(figure), "rate": rate_words(figure), "figure": figure, **ways}


def _alike(period: Period, metric: Metric, loss: Loss, links: Links | None) -> str:
    if links is None:
        return ""
    of = [f"consequence={loss.consequence}", f"family={loss.family}", f"tier={loss.tier}"]
    return links.behind(period, tickets=metric.id, part=Part.LOSSES.value, of=of)


def _behind_warning(links: Links | None, warn: Warn) -> dict[str, str]:
    """Where each number of a warning leads; empty where it leads nowhere."""
    if links is None or warn.counted is None:
        return {}
    asked = {"warning": warn.kind.value, "group": warn.group, "about": warn.about}
    parts = ("hits", "among", *(("rest_hits", "rest_among") if warn.counted.beside else ()))
    return {part: f"{links.tickets}?{urlencode({**asked, 'part': part})}" for part in parts}


def _bar(period: Period, figure: Figure, links: Links | None) -> dict[str, Any]:
    low, high = figure.interval
    return {
        "group": figure.group or NO_GROUP,
        "counts": _counts(period, figure, links),
        "rate": round(100 * (figure.rate or 0), 2),
        "low": round(100 * low, 2),
        "width": round(100 * (high - low), 2),
    }


def lane_picture(card: Scorecard, links: Links | None = None) -> dict[str, Any]:
    """Lane distribution over time: a stacked bar a month, in the picture's units."""
    months = card.months
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
                    "at": links.behind(card.period, tickets=f"lane_{lane}", month=month) if links else "",
                }
            )
    return {"bars": bars, "labels": [(round(n * step, 1), month) for n, month in enumerate(months)]}


def line_picture(card: Scorecard, metric: Metric, links: Links | None = None) -> dict[str, Any]:
    """A metric month by month: points, a line through them, and the highest value as the picture's top."""
    months = card.months
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
            "at": links.behind(card.period, tickets=metric.id, month=month) if links else "",
        }
        for n, month, hits, among in rates
    ]
    return {"points": points, "line": " ".join(f"{p['x']},{p['y']}" for p in points), "top": f"{top:.1%}"}
