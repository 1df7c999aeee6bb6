"""Each metric equals a slow, obvious recomputation over the events, and the summaries equal their rebuild."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ledger_scene import VIEW, Scene
from random_history import Desk
from slow_scorecard import SLOWLY, Told, told
from sqlalchemy import select

from ledger.events import Kind
from ledger.looks import Looks
from ledger.moment import ReleaseView
from ledger.scorecard.metrics import METRICS
from ledger.scorecard.projecting import catch_up, rebuild
from ledger.scorecard.reading import Dimension, Part, Period, read_scorecard, tickets_of
from ledger.store import Store
from ledger.tables import ticket_summaries

SEEDS = range(6)
STEPS = 260


def lived(scene: Scene, seed: int, steps: int = STEPS) -> Desk:
    desk = Desk(scene, seed)
    desk.live(steps)
    return desk


def rows(store: Store) -> list[tuple[Any, ...]]:
    with store.read() as conn:
        return [tuple(r) for r in conn.execute(select(ticket_summaries).order_by(ticket_summaries.c.ticket_id))]


def in_a_month(scene: Scene) -> Period:
    """Everything, and all of it ripe."""
    return Period(as_of=scene.clock() + timedelta(days=30))


def slowly(scene: Scene, use: Callable[[Sequence[Told]], Any]) -> Any:
    """What is made of the timelines while a connection for reading is open."""
    with scene.store.read() as conn:
        return use([_with(t, conn) for t in told(scene.store)])


def _with(one: Told, conn: Any) -> Told:
    return Told(one.ticket, one.timeline, conn)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_metric_equals_a_slow_recomputation_over_the_events(scene: Scene, seed: int) -> None:
    lived(scene, seed)
    catch_up(scene.store)

    def by_hand(all_: Sequence[Told]) -> dict[str, tuple[set[str], set[str]]]:
        return {
            id: ({t.ticket for t in all_ if m(t, all_)}, {t.ticket for t in all_ if m(t, all_) and c(t, all_)})
            for id, (m, c) in SLOWLY.items()
        }

    expected = slowly(scene, by_hand)
    period = in_a_month(scene)
    with scene.store.read() as conn:
        card = read_scorecard(conn, period)
        for metric in METRICS:
            among, hits = expected[metric.id]
            assert set(tickets_of(conn, metric, period, Part.AMONG)) == among, metric.id
            assert set(tickets_of(conn, metric, period, Part.HITS)) == hits, metric.id
    shown = {f.metric.id: (f.among, f.hits) for f in card.totals}
    assert shown == {id: (len(among), len(hits)) for id, (among, hits) in expected.items()}


def test_the_random_histories_reach_every_metric_on_both_sides(tmp_path: Path) -> None:
    hits: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for seed in SEEDS:
        scene = Scene(tmp_path / f"{seed}.sqlite3")
        lived(scene, seed)
        catch_up(scene.store)
        with scene.store.read() as conn:
            for figure in read_scorecard(conn, in_a_month(scene)).totals:
                hits[figure.metric.id] += figure.hits
                missed[figure.metric.id] += figure.among - figure.hits
        scene.store.close()
    assert {m.id: (hits[m.id], missed[m.id]) for m in METRICS if not hits[m.id] or not missed[m.id]} == {}


@pytest.mark.parametrize("seed", SEEDS)
def test_summaries_kept_up_bit_by_bit_equal_those_made_anew(
    scene: Scene, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.scorecard.projecting.BATCH", 7 + seed)
    desk = Desk(scene, seed)
    for _ in range(16):
        desk.live(STEPS // 16)
        catch_up(scene.store, batches=desk.chance.randrange(4))
    assert catch_up(scene.store).complete
    kept = rows(scene.store)
    assert len(kept) == len(scene.history.tickets()) > 5
    monkeypatch.setattr("ledger.scorecard.projecting.BATCH", 100_000)
    rebuild(scene.store)
    assert rows(scene.store) == kept


@pytest.mark.parametrize("dimension", list(Dimension))
def test_the_groups_of_a_dimension_add_up_to_the_total(scene: Scene, dimension: Dimension) -> None:
    lived(scene, 3)
    catch_up(scene.store)
    period = in_a_month(scene)
    with scene.store.read() as conn:
        card = read_scorecard(conn, period)
        for total in card.totals:
            groups = [f for f in card.by[dimension] if f.metric is total.metric]
            assert (sum(g.hits for g in groups), sum(g.among for g in groups)) == (total.hits, total.among)
            for group in groups:
                of = {dimension: group.group}
                assert len(tickets_of(conn, group.metric, period, Part.HITS, of)) == group.hits


def test_an_erased_ticket_leaves_nothing_in_its_summary_that_tells_whose_it_was(scene: Scene) -> None:
    scene.receive("T1", requester_email="ada@example.com")
    catch_up(scene.store)
    assert [row.customer is None for row in summaries(scene)] == [False]
    scene.people.erase("T1", scene.sign())
    # At once, not only when somebody asks for a scorecard.
    assert [row.customer for row in summaries(scene)] == [None]
    catch_up(scene.store)
    assert [(row.customer, row.erased) for row in summaries(scene)] == [(None, True)]


def test_a_recontact_that_is_not_over_yet_is_not_counted(scene: Scene) -> None:
    scene.receive()
    scene.assigned(1)
    scene.propose()
    for key in scene.post.waiting():
        scene.post.begin(key, view())
        scene.post.sent(key)
    catch_up(scene.store)
    with scene.store.read() as conn:
        young = read_scorecard(conn, Period(as_of=scene.clock() + timedelta(days=6)))
        old = read_scorecard(conn, Period(as_of=scene.clock() + timedelta(days=9)))
    counted = [next(f for f in card.totals if f.metric.id == "recontact").among for card in (young, old)]
    assert counted == [0, 1]


def test_a_period_holds_the_tickets_that_were_opened_in_it(scene: Scene) -> None:
    for day in range(4):
        scene.receive(f"T{day}")
        scene.assigned(1, f"T{day}")
        scene.clock.forward(days=1)
    catch_up(scene.store)
    first = scene.clock().date() - timedelta(days=4)
    period = Period(scene.clock(), first + timedelta(days=1), first + timedelta(days=2))
    with scene.store.read() as conn:
        assert read_scorecard(conn, period).tickets == 2


def test_the_time_that_the_desk_measured_takes_the_place_of_the_bound(scene: Scene) -> None:
    scene.receive()
    review = scene.under_review()
    scene.clock.forward(hours=2)
    draft = review.draft
    assert draft is not None and draft.text is not None
    sign = scene.sign(by="maria")
    scene.people.approve(review.id, draft.text.encode(), scene.seen(), sign, view())
    catch_up(scene.store)
    assert [(row.read_seconds, row.read_how) for row in summaries(scene)] == [(7200, "bound")]
    desk = Looks(scene.store)
    # Of another draft, by a colleague, or not measured: none of it says how long maria had this one before her eyes.
    for who, which, seconds in (("maria", "another", 1), ("maria", draft.digest, None), ("omar", draft.digest, 2)):
        desk.record("T1", scene.sign(by=who), {"review": review.id, "draft": which, "seconds": seconds})
    desk.record("T1", sign, {"review": review.id, "draft": draft.digest, "seconds": 4})
    catch_up(scene.store)
    assert [(row.read_seconds, row.read_how) for row in summaries(scene)] == [(4, "looked")]


def view() -> ReleaseView:
    return replace(VIEW, open_families=frozenset({"documentation", "billing"}))


def summaries(scene: Scene) -> list[Any]:
    with scene.store.read() as conn:
        return list(conn.execute(select(ticket_summaries)))


def test_nothing_of_the_send_path_writes_a_summary(scene: Scene) -> None:
    scene.receive()
    scene.assigned(1)
    scene.propose()
    assert scene.history.timeline("T1")[-1].kind is Kind.REPLY_PROPOSED
    assert summaries(scene) == []
