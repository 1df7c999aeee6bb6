"""Each count of the scorecard is the length of the list that it leads to: figures, months and warnings."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from ledger_scene import Scene
from random_history import Desk
from sqlalchemy import Connection, insert

from ledger.scorecard.listing import PAGE, page_among, page_where
from ledger.scorecard.metrics import METRICS
from ledger.scorecard.projecting import catch_up
from ledger.scorecard.reading import Dimension, Part, Period, counted, read_cells, read_scorecard, tickets_of, worst
from ledger.scorecard.summary import COLUMNS, Summary
from ledger.scorecard.warnings import Beside, Kind, People, Reviewed, Warn, read_warnings
from ledger.tables import ticket_summaries


def periods(scene: Scene) -> Iterator[Period]:
    """All of it, ripe; all of it, of which a part is not ripe; and a few days of it."""
    now = scene.clock()
    yield Period(now + timedelta(days=30))
    yield Period(now)
    yield Period(now, (now - timedelta(days=40)).date(), (now - timedelta(days=5)).date())


@pytest.mark.parametrize("seed", [0, 3])
def test_every_figure_of_every_group_counts_as_many_tickets_as_its_list_has(scene: Scene, seed: int) -> None:
    Desk(scene, seed).live(260)
    catch_up(scene.store)
    compared = 0
    for period in periods(scene):
        with scene.store.read() as conn:
            card = read_scorecard(conn, period)
            for figure in (*card.totals, *(f for figures in card.by.values() for f in figures)):
                of = {figure.dimension: figure.group} if figure.dimension else {}
                for part, count in ((Part.HITS, figure.hits), (Part.AMONG, figure.among)):
                    where = counted(figure.metric, period, part, of)
                    assert page_where(conn, where).count == count, (figure.metric.id, of, part)
                    compared += count > 0
    assert compared > 300


@pytest.mark.parametrize("seed", [1, 4])
def test_every_loss_and_every_month_counts_as_many_tickets_as_its_list_has(scene: Scene, seed: int) -> None:
    Desk(scene, seed).live(260)
    catch_up(scene.store)
    compared = 0
    for period in periods(scene):
        with scene.store.read() as conn:
            card, cells = read_scorecard(conn, period), read_cells(conn, period)
            for metric in METRICS:
                for loss in worst(cells, metric, 1000):
                    of = {
                        Dimension.CONSEQUENCE: loss.consequence,
                        Dimension.FAMILY: loss.family,
                        Dimension.TIER: loss.tier,
                    }
                    listed = page_where(conn, counted(metric, period, Part.LOSSES, of))
                    assert listed.count == loss.alike
                    assert listed.tickets[0].ticket == loss.ticket
                    compared += 1
                for month, row in card.months.items():
                    for part in (Part.HITS, Part.AMONG):
                        listed = page_where(conn, counted(metric, period, part, month=month))
                        assert listed.count == row[metric.id][part.value], (metric.id, month)
                        compared += listed.count > 0
    assert compared > 60


def test_a_month_counts_by_the_day_they_came_as_its_picture_does_and_a_total_by_their_last_answer(scene: Scene) -> None:
    rows = [_row(n, random.Random(n)) for n in range(1, 60)]
    for row in rows:
        row["settled_on"] = "2026-02-10"  # answered again, long after they came
    with scene.store.write() as conn:
        conn.execute(insert(ticket_summaries), rows)
    period = Period(datetime(2026, 2, 12, tzinfo=UTC))
    metric = next(m for m in METRICS if m.id == "recontact")
    with scene.store.read() as conn:
        card = read_scorecard(conn, period)
        month = page_where(conn, counted(metric, period, Part.AMONG, month="2026-01"))
        assert month.count == card.months["2026-01"]["recontact"]["among"] > 0
        total = next(f for f in card.totals if f.metric is metric)
        assert page_where(conn, counted(metric, period, Part.AMONG)).count == total.among == 0


def test_a_long_list_is_told_page_by_page_and_no_ticket_is_left_out_or_told_twice(scene: Scene) -> None:
    with scene.store.write() as conn:
        numbers = [n for n in range(200) if n % 17][: 2 * PAGE + 7]
        conn.execute(insert(ticket_summaries), [_row(n, random.Random(n)) for n in numbers])
    period = Period(datetime(2027, 1, 1, tzinfo=UTC))
    with scene.store.read() as conn:
        where = counted(METRICS[-3], period, Part.AMONG)
        pages = [page_where(conn, where, n) for n in (1, 2, 3)]
        told = [t.ticket for page in pages for t in page.tickets]
        assert told == list(tickets_of(conn, METRICS[-3], period, Part.AMONG))
        assert {(page.count, page.pages) for page in pages} == {(2 * PAGE + 7, 3)}
        assert page_where(conn, where, 99).number == 3, "past the end is the last page"
        assert page_where(conn, [*where, ticket_summaries.c.family == "none"]).pages == 1
        named = page_among(conn, ["T0003", "erased elsewhere", "T0001"])
    assert [(t.ticket, t.family) for t in named.tickets][1] == ("erased elsewhere", "")
    assert [t.ticket for t in named.tickets] == ["T0003", "erased elsewhere", "T0001"]


MONDAY = datetime(2026, 1, 5, 9, tzinfo=UTC)


def _row(n: int, chance: random.Random) -> dict[str, object]:
    """A ticket of a year in which much goes wrong from week 20 on."""
    week = n // 60
    bad = week > 20
    family = chance.choices(["billing", "documentation", "security", ""], [3, 5, 2, 1])[0]
    one = Summary(f"T{n:04d}", family=family, tier=chance.choice(["team", "free"]), segment="smb", policy="2026-03-01")
    one.opened_at = MONDAY + timedelta(weeks=week, hours=n % 60)
    one.opened_on = one.settled_on = one.opened_at.date().isoformat()
    one.first_lane = one.lane = chance.choices([1, 2, 3], [8 if bad and family == "billing" else 1, 1, 1])[0]
    one.by_assistant, one.source = one.lane == 1, chance.choice(["seats v3", "audit v7"]) if one.lane == 1 else ""
    one.wrote_again = int(chance.random() < (0.5 if bad and one.source == "seats v3" else 0.03))
    one.decided = one.lane > 1
    one.lane_override = "up" if one.decided and chance.random() < (0.6 if family == "security" else 0.05) else ""
    one.specialist, one.queue = (
        one.lane == 3,
        chance.choice(["security_team", "contract_desk"]) if one.lane == 3 else "",
    )
    if one.queue and chance.random() < (0.6 if one.queue == "security_team" else 0.05):
        one.path_override, one.routed_from, one.routed_to = True, one.queue, "access_specialist"
    one.uncovered = chance.random() < (0.5 if bad and family == "documentation" else 0.05)
    if n % 17 == 0:
        one.first_lane = 0  # answered, and never given a lane: such a ticket counts in no family
    one.mark()
    return {name: getattr(one, name) for name in COLUMNS}


def test_every_number_of_a_warning_counts_as_many_tickets_as_its_list_has(scene: Scene) -> None:
    with scene.store.write() as conn:
        conn.execute(insert(ticket_summaries), [_row(n, random.Random(n)) for n in range(45 * 60)])
    people = People(articles=[Reviewed("audit v7", "Marek", date(2026, 6, 1))])
    with scene.store.read() as conn:
        found = read_warnings(conn, MONDAY + timedelta(weeks=46), people)
        for one in found:
            counts = {False: (one.hits, one.among), True: (one.rest_hits, one.rest_among)}
            for rest, expected in counts.items():
                assert _listed(conn, one, rest) == expected, (one.kind, one.group, one.about, rest)
    assert {w.kind for w in found} >= {
        Kind.AUTONOMY_RISING,
        Kind.UNANSWERED_QUESTIONS,
        Kind.REPEATED_OVERRIDES,
        Kind.WRONG_QUEUE,
        Kind.STALE_ARTICLE,
    }
    assert {w.counted.beside for w in found if w.counted} == {Beside.BEFORE, Beside.OTHERS, None}
    assert len({(w.kind, w.group, w.about) for w in found}) == len(found), "each can be asked for by itself"


def _listed(conn: Connection, one: Warn, rest: bool) -> tuple[int, int]:
    assert one.counted is not None
    if rest and one.counted.beside is None:
        return 0, 0
    wheres = [one.counted.sql(hits=hits, rest=rest) for hits in (True, False)]
    hits, among = (page_where(conn, where).count for where in wheres)
    return hits, among
