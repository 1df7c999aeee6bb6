"""What was drawn for audit, week by week: the frame, the weights and the chosen tickets, kept as one event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection

from guards.lanes import Consequence
from ledger.audits.frame import Stratum, Unattended, frame_of, week_of
from ledger.audits.sample import SHARE, SIZE, WEIGHTS, Cell, Part, Sample, draw
from ledger.errors import CannotDraw, UnknownAudit, Unsigned
from ledger.events import HOUSE, Entry, Event, Kind, append, by_key, own_key, timeline
from ledger.store import Store
from ledger.words import canonical, digest_of, keepable


@dataclass(frozen=True, slots=True)
class Audit:
    """One ticket of a week's sample."""

    id: str
    """``2026-W47-007``."""
    ticket: str
    cell: Cell
    families: tuple[str, ...]
    tier: str
    segment: str
    release: str
    wanted: int
    """How many auditors judge it: 1 or 2."""


@dataclass(frozen=True, slots=True)
class Draw:
    """One week's sample as it stands in the ledger."""

    week: str
    since: datetime
    until: datetime
    seed: int
    size: int
    """How many tickets were asked for; fewer were drawn where there were no more."""
    frame: int
    """Tickets that ended in lane 1 without a person."""
    frame_digest: str
    """SHA-256 of the frame: drawn anew from the same ledger it is the same."""
    parts: tuple[Part, ...]
    audits: tuple[Audit, ...]
    at: datetime
    by: str
    first: bool = True
    """False where the week had been drawn before."""

    def part(self, audit: Audit) -> Part:
        """The cell that an audit stands for."""
        return next(p for p in self.parts if p.cell == audit.cell)


def draw_week(
    store: Store, week: str, by: str, seed: int | None = None, size: int | None = None, share: Fraction = SHARE
) -> Draw | None:
    """Draws a week's sample and records it, or returns the one that was drawn; None where the week had no such ticket.

    Without a ``seed`` one is taken that nobody could know before. CannotDraw where the week is not over, was drawn with
    another seed or size, or ``size`` is too small; Unsigned without a name.
    """
    who = keepable(by).strip()
    if not who or len(who) > 200:
        raise Unsigned("a sample needs the name of who draws it, of at most 200 characters")
    since, until = week_of(week)
    if store.now() < until:
        raise CannotDraw(f"week {week} is over on {until:%Y-%m-%d}, midnight UTC: draw it then, or name an earlier one")
    with store.read() as conn:
        frame = frame_of(conn, since, until)
    taken = int(digest_of(store.new_id())[:12], 16) if seed is None else seed
    chosen = draw(frame, week, taken, size or SIZE, share) if frame else None
    with store.write(durable=True) as conn:
        held = by_key(conn, HOUSE, _key(week))
        if held is not None:
            return _same(_draw(held, first=False), seed, size)
        if chosen is None:
            return None
        entry = _entry(week, since, until, taken, size or SIZE, frame, chosen)
        append(conn, HOUSE, entry, at=store.now(), actor=who)
        drawn = by_key(conn, HOUSE, _key(week))
        assert drawn is not None
        return _draw(drawn, first=True)


def draws(conn: Connection, since: datetime | None = None, until: datetime | None = None) -> tuple[Draw, ...]:
    """What was drawn for the weeks that begin in a stretch of time, in order of the weeks."""
    found = (_draw(e, first=False) for e in timeline(conn, HOUSE, [Kind.AUDIT_DRAWN]))
    held = (d for d in found if (since is None or d.since >= since) and (until is None or d.since < until))
    return tuple(sorted(held, key=lambda d: d.since))


def find(conn: Connection, audit: str) -> tuple[Draw, Audit]:
    """The audit of that id and the draw it belongs to. UnknownAudit."""
    event = by_key(conn, HOUSE, _key(audit.rpartition("-")[0]))
    if event is not None:
        drawn = _draw(event, first=False)
        for one in drawn.audits:
            if one.id == audit:
                return drawn, one
    raise UnknownAudit(f"no audit {audit[:60]!r}: `lanewise audit next` names the one that waits")


def _key(week: str) -> str:
    return own_key(f"audit/{week}")


def _same(held: Draw, seed: int | None, size: int | None) -> Draw:
    """A second sample of one week would let somebody choose between two."""
    if seed not in (None, held.seed) or size not in (None, held.size):
        raise CannotDraw(
            f"week {held.week} was drawn already by {held.by}, with seed {held.seed} and size {held.size}; that sample stands"
        )
    return held


def _entry(
    week: str, since: datetime, until: datetime, seed: int, size: int, frame: tuple[Unattended, ...], sample: Sample
) -> Entry:
    told = [[one.ticket, one.stratum.value, one.consequence.value] for one in frame]
    head = {
        "week": week,
        "since": since.isoformat(),
        "until": until.isoformat(),
        "seed": seed,
        "size": size,
        "frame": len(frame),
        "frame_digest": digest_of(canonical(told)),
        "weights": {c.value: weight for c, weight in WEIGHTS.items()},
        # Stratum, consequence, how many there were, how many were drawn: the last by the one before is the probability.
        "cells": [[p.cell.stratum.value, p.cell.consequence.value, p.frame, p.drawn] for p in sample.parts],
    }
    chosen = [
        {
            "id": f"{week}-{number:03d}",
            "ticket": one.ticket,
            "stratum": one.stratum.value,
            "consequence": one.consequence.value,
            "families": list(one.families),
            "tier": one.tier,
            "segment": one.segment,
            "release": one.release,
            "wanted": 2 if one.ticket in sample.twice else 1,
        }
        for number, one in enumerate(sample.chosen, 1)
    ]
    return Entry(Kind.AUDIT_DRAWN, _key(week), head, {"sample": chosen})


def _draw(event: Event, *, first: bool) -> Draw:
    head = event.head
    kept = event.body.json() if event.body else None
    return Draw(
        week=str(head["week"]),
        since=datetime.fromisoformat(head["since"]),
        until=datetime.fromisoformat(head["until"]),
        seed=int(head["seed"]),
        size=int(head["size"]),
        frame=int(head["frame"]),
        frame_digest=str(head["frame_digest"]),
        parts=tuple(Part(_cell(s, c), frame, drawn) for s, c, frame, drawn in head["cells"]),
        audits=tuple(_audit(raw) for raw in (kept or {"sample": []})["sample"]),
        at=event.at,
        by=event.actor,
        first=first,
    )


def _audit(raw: Mapping[str, Any]) -> Audit:
    return Audit(
        id=str(raw["id"]),
        ticket=str(raw["ticket"]),
        cell=_cell(raw["stratum"], raw["consequence"]),
        families=tuple(str(f) for f in raw["families"]),
        tier=str(raw["tier"]),
        segment=str(raw["segment"]),
        release=str(raw["release"]),
        wanted=int(raw["wanted"]),
    )


def _cell(stratum: str, consequence: str) -> Cell:
    return Cell(Stratum(stratum), Consequence(consequence))
