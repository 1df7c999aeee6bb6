"""Warnings: which is raised for what, who is asked, and which weeks are looked at."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from ledger_scene import Scene
from sqlalchemy import insert

from ledger.scorecard.reading import Period, read_scorecard
from ledger.scorecard.sequential import REFERENCE_WEEKS, WATCH_WEEKS
from ledger.scorecard.summary import COLUMNS, Summary
from ledger.scorecard.warnings import OWNERS, Kind, People, Reviewed, Warn, read_warnings
from ledger.scorecard.weekly import watch_of
from ledger.tables import ticket_summaries

MONDAY = datetime(2026, 1, 5, 9, tzinfo=UTC)
DOMAINS = {"billing": "commerce", "refunds": "commerce", "feature_access": "product", "documentation": "documentation"}
PEOPLE = People({"billing": "Oona"}, {"security_team": "Petra"}, [Reviewed("seats v3", "Marek", None)], DOMAINS)


def week_of(scene: Scene, weeks: int, each: Callable[[int, random.Random], Summary], a_week: int = 60) -> datetime:
    """Fills so many weeks with tickets, and returns a moment at which all of them are over and ripe."""
    chance = random.Random(11)
    rows = []
    for week in range(weeks):
        for n in range(a_week):
            one = each(week, chance)
            one.ticket_id, one.opened_at = f"T{week:03d}-{n:03d}", MONDAY + timedelta(weeks=week, hours=n)
            one.opened_on = one.settled_on = one.opened_at.date().isoformat()
            one.first_lane = one.first_lane or 1
            one.lane = max(one.lane, one.first_lane)
            one.mark()
            rows.append({name: getattr(one, name) for name in COLUMNS})
    with scene.store.write() as conn:
        conn.execute(insert(ticket_summaries), rows)
    return MONDAY + timedelta(weeks=weeks, days=8)


def warned(scene: Scene, as_of: datetime, people: People = PEOPLE) -> dict[tuple[Kind, str], Warn]:
    with scene.store.read() as conn:
        return {(w.kind, w.group): w for w in read_warnings(conn, as_of, people)}


def answered(family: str, came_back: float, chance: random.Random, source: str = "") -> Summary:
    one = Summary("", family=family, by_assistant=True, source=source)
    one.wrote_again = int(chance.random() < came_back)
    return one


def test_a_bad_family_is_named_though_the_total_looks_healthy(scene: Scene) -> None:
    def each(week: int, chance: random.Random) -> Summary:
        family = chance.choices(["billing", "documentation"], [1, 9])[0]
        return answered(family, 0.35 if family == "billing" and week > 20 else 0.05, chance)

    as_of = week_of(scene, 45, each)
    found = warned(scene, as_of)[Kind.BAD_FAMILY, "billing"]
    assert found.owner == "Oona"
    assert found.since > date(2026, 5, 20)
    assert found.rate > 2 * found.rest_rate
    assert found.tickets
    with scene.store.read() as conn:
        total = next(f for f in read_scorecard(conn, Period(as_of)).totals if f.metric.id == "recontact")
    assert total.rate is not None
    assert total.rate < 0.1


def bounced(to: Callable[[random.Random], str]) -> Callable[[int, random.Random], Summary]:
    def each(week: int, chance: random.Random) -> Summary:
        queue = chance.choice(["security_team", "billing_specialist", "contract_desk"])
        one = Summary("", family="billing", first_lane=3, queue=queue, specialist=True, decided=True)
        if chance.random() < (0.5 if queue == "security_team" else 0.05):
            one.path_override, one.routed_from, one.routed_to = True, queue, to(chance)
        return one

    return each


def test_tickets_that_are_sent_on_to_one_other_queue_show_that_the_queues_are_cut_wrongly(scene: Scene) -> None:
    found = warned(scene, week_of(scene, 20, bounced(lambda _: "access_specialist")))
    wrong = found[Kind.WRONG_QUEUE, "security_team"]
    assert wrong.owner == "Petra"
    assert "access_specialist" in wrong.words
    assert (Kind.VAGUE_PACKETS, "security_team") not in found


def test_tickets_that_are_sent_on_to_many_places_show_that_packets_are_vague(scene: Scene) -> None:
    queues = ["access_specialist", "support_lead", "frontline_support", "legal"]
    found = warned(scene, week_of(scene, 20, bounced(lambda chance: chance.choice(queues))))
    assert found[Kind.VAGUE_PACKETS, "security_team"].owner == "Petra"
    assert (Kind.WRONG_QUEUE, "security_team") not in found


def test_an_article_after_which_customers_come_back_may_have_gone_stale(scene: Scene) -> None:
    def each(week: int, chance: random.Random) -> Summary:
        source = chance.choice(["seats v3", "audit v7", "invoices v2"])
        return answered("documentation", 0.4 if source == "seats v3" else 0.05, chance, source)

    found = warned(scene, week_of(scene, 20, each))
    assert found[Kind.STALE_ARTICLE, "seats v3"].owner == "Marek"
    assert (Kind.STALE_ARTICLE, "audit v7") not in found


def test_an_article_past_its_own_day_for_a_review_is_named_without_any_test(scene: Scene) -> None:
    def each(week: int, chance: random.Random) -> Summary:
        return answered("documentation", 0.05, chance, "seats v3")

    as_of = week_of(scene, 2, each)
    people = People(
        articles=[Reviewed("seats v3", "", date(2026, 1, 10)), Reviewed("new v1", "Ines", date(2030, 1, 1))]
    )
    found = warned(scene, as_of, people)
    assert list(found) == [(Kind.STALE_ARTICLE, "seats v3")]
    past = found[Kind.STALE_ARTICLE, "seats v3"]
    assert (past.owner, past.strength) == (OWNERS[Kind.STALE_ARTICLE], 0.0)
    assert past.hits == 60


def test_autonomy_that_rises_where_money_is_at_stake_is_warned_of_and_elsewhere_not(scene: Scene) -> None:
    def each(week: int, chance: random.Random) -> Summary:
        family = chance.choice(["billing", "documentation"])
        alone = chance.random() < (0.3 if week < 20 else 0.7)
        return Summary("", family=family, by_assistant=alone, first_lane=1 if alone else 2)

    found = warned(scene, week_of(scene, 40, each))
    assert (Kind.AUTONOMY_RISING, "billing") in found
    assert (Kind.AUTONOMY_RISING, "documentation") not in found
    assert found[Kind.AUTONOMY_RISING, "billing"].since >= (MONDAY + timedelta(weeks=20)).date()


def test_a_family_of_a_teams_own_is_watched_by_its_domain_and_without_one_too(scene: Scene) -> None:
    def each(week: int, chance: random.Random) -> Summary:
        family = chance.choice(["refunds", "loyalty", "feature_access", ""])
        alone = chance.random() < (0.2 if week < 20 else 0.8)
        return Summary("", family=family, by_assistant=alone, first_lane=1 if alone else 2)

    found = {group for kind, group in warned(scene, week_of(scene, 40, each, 90)) if kind is Kind.AUTONOMY_RISING}
    assert found == {"refunds", "loyalty"}, "what the release does not know is watched, what it calls product is not"


def test_watches_lie_end_to_end_whoever_looks_and_whenever(scene: Scene) -> None:
    week_of(scene, 1, lambda week, chance: Summary(""))
    whole = REFERENCE_WEEKS + WATCH_WEEKS

    def at(weeks: int) -> tuple[date, int] | None:
        with scene.store.read() as conn:
            watch = watch_of(conn, MONDAY + timedelta(weeks=weeks, days=8))
        return None if watch is None else (watch.first, watch.weeks)

    first = MONDAY.date()
    assert at(0) is None
    assert at(1) == (first, 1)
    assert at(whole) == (first, whole)
    # The last weeks of one watch are the reference of the next.
    assert at(whole + 1) == (first + timedelta(weeks=WATCH_WEEKS), REFERENCE_WEEKS + 1)
    assert at(whole + WATCH_WEEKS) == (first + timedelta(weeks=WATCH_WEEKS), whole)


def test_nothing_is_warned_of_in_an_empty_ledger(scene: Scene) -> None:
    assert warned(scene, MONDAY) == {}
