"""The made-up year: the bulk path tells what the driven path tells, and the drifts that were planted are found."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from desk.made_up.bulk import Specimen, specimens, tell_again
from desk.made_up.history import MadeUpClock, drive
from desk.made_up.lives import ACCOUNTS, DRIFT_AFTER, DRIFTS, SUBJECTS, Life, Story, plan
from desk.policy.rollout import NARROWING_DAYS
from guards.policy import Release
from guards.rollout_evidence import spiked
from ledger.evidence.rollout_counts import LedgerCounts
from ledger.scorecard.projecting import catch_up
from ledger.scorecard.warnings import Warn, read_warnings
from ledger.store import Store, open_store
from ledger.tables import bodies, events
from ledger.verifying.verification import verify

START = datetime(2025, 3, 10, 9, tzinfo=UTC)


def opened(folder: Path, name: str) -> tuple[Store, MadeUpClock]:
    clock = MadeUpClock(START)
    return open_store(folder / f"{name}.sqlite3", clock=clock), clock


async def driven(folder: Path, stories: list[Story], release: Release) -> Store:
    store, clock = opened(folder, "driven")
    await drive(store, clock, stories, [(START, release)], folder / "runs.sqlite3")
    return store


KEPT: dict[Life, Specimen] = {}
"""Lives that were driven before: driving one takes longer than telling it a hundred times."""


async def told_again(folder: Path, stories: list[Story], release: Release) -> Store:
    store, clock = opened(folder, "bulk")
    missing = {s.life for s in stories} - KEPT.keys()
    KEPT.update(await specimens(sorted(missing, key=repr), release, START))
    tell_again(store, stories, [(START, KEPT)], batch=150)
    clock.moment = stories[-1].at + timedelta(days=12)
    return store


def record(store: Store) -> list[tuple[Any, ...]]:
    """Every event with its words, without its seal; numbers and random ids by the order in which they first stand."""
    seen: dict[str, str] = {}

    def by_order(said: str) -> str:
        return re.sub(
            r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])", lambda m: seen.setdefault(m[0], f"id-{len(seen)}"), said
        )

    def without_print(head: dict[str, Any]) -> str:
        # It is a digest over the random id of a review.
        return by_order(json.dumps({k: v for k, v in head.items() if k != "print"}, sort_keys=True))

    query = select(events, bodies.c.text, bodies.c.digest).outerjoin(bodies, bodies.c.id == events.c.body_id)
    with store.read() as conn:
        rows = conn.execute(query.order_by(events.c.seq)).all()
        drafts = {row.id: row.digest for row in conn.execute(select(bodies.c.id, bodies.c.digest))}
    found = []
    for r in rows:
        head = {k: drafts[v] if k == "draft_body" and v is not None else v for k, v in r.head.items()}
        found.append((r.seq, r.ticket_id, r.key, r.kind, r.at, r.actor, without_print(head), by_order(r.text or "")))
    return found


async def test_the_bulk_path_writes_the_events_that_the_machine_writes(
    tmp_path: Path, rules: Release, size: Callable[[int, int], int]
) -> None:
    stories = plan(size(12, 300), START, seed=7, days=30)
    one, other = await driven(tmp_path, stories, rules), await told_again(tmp_path, stories, rules)
    expected, found = record(one), record(other)
    assert len(expected) > 9 * len(stories)
    for n, (theirs, ours) in enumerate(zip(expected, found, strict=False)):
        assert ours == theirs, n
    assert len(found) == len(expected)
    for store in (one, other):
        verdict = verify(store)
        assert (verdict.finding, verdict.records) == (None, len(expected))
        store.close()


async def test_the_same_seed_plans_the_same_year_and_another_seed_another() -> None:
    assert plan(200, START, seed=1) == plan(200, START, seed=1)
    assert plan(200, START, seed=1) != plan(200, START, seed=2)


async def warned(folder: Path, stories: list[Story], release: Release) -> tuple[Warn, ...]:
    store = await told_again(folder, stories, release)
    catch_up(store)
    with store.read() as conn:
        found = read_warnings(conn, stories[-1].at + timedelta(days=15))
    store.close()
    return found


FEW = frozenset({"seats", "audit", "invoices", "charge"})
"""Subjects whose lives are quickly driven; two of the planted drifts show among them."""


async def test_every_planted_drift_is_found_and_not_before_it_began(
    tmp_path: Path, rules: Release, size: Callable[[int, int], int]
) -> None:
    everything = size(0, 1) == 1
    subjects = [s for s in SUBJECTS if everything or s.id in FEW]
    planted = [d for d in DRIFTS if everything or d.endswith((" billing", " add-seats"))]
    stories = plan(size(2500, 6000), START, seed=5, subjects=subjects, accounts=ACCOUNTS[1:2])
    found = {f"{w.kind.value} {w.group.partition(' ')[0]}": w for w in await warned(tmp_path, stories, rules)}
    assert set(planted) <= set(found)
    began = (START + timedelta(days=364 * DRIFT_AFTER)).date()
    assert {d: str(found[d].since) for d in planted if found[d].since < began - timedelta(days=7)} == {}
    assert all(found[drift].tickets and found[drift].owner for drift in planted)


async def test_a_year_without_a_drift_is_not_warned_of_change(
    tmp_path: Path, rules: Release, size: Callable[[int, int], int]
) -> None:
    subjects = [s for s in SUBJECTS if size(0, 1) or s.id in FEW]
    stories = plan(size(1500, 3000), START, seed=6, subjects=subjects, accounts=ACCOUNTS[1:2], drift=False)
    found = await warned(tmp_path, stories, rules)
    assert [w for w in found if w.kind in ("autonomy_rising", "unanswered_questions", "stale_article")] == []


async def test_hourly_narrowing_would_hold_back_only_what_drifts(
    tmp_path: Path, rules: Release, size: Callable[[int, int], int]
) -> None:
    subjects = [s for s in SUBJECTS if size(0, 1) or s.id in FEW]
    held = {}
    for drift in (False, True):
        stories = plan(size(1500, 6000), START, seed=7, subjects=subjects, accounts=ACCOUNTS[1:2], drift=drift)
        folder = tmp_path / str(drift)
        folder.mkdir()
        store = await told_again(folder, stories, rules)
        counts = LedgerCounts(store)
        told = {f.id: spiked(counts.recent(f.id, NARROWING_DAYS), rules.promotion) for f in rules.family}
        held[drift] = {family for family, why in told.items() if why}
        store.close()
    assert held[False] == set()
    assert held[True] <= DRIFTING
    assert size(0, 1) == 0 or held[True], "a year that drifts holds something back"


DRIFTING = frozenset({"outage", "security", "seats_permissions"})
"""The families of which people take questions away, move lock-outs on, and to which customers come back."""
