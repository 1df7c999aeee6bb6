"""What the roll-out gate counts is what the scorecard counts, of one family's tickets, and equals a slow recomputation."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

from audit_scene import NO, WEEK, YES, answered, week_over
from ledger_scene import VIEW, Scene
from random_history import FAMILIES, Desk
from slow_scorecard import SLOWLY, Told, told

from guards.lanes import Lane
from guards.rollout_evidence import Evidence, Recent, Share
from ledger.audits.drawing import draw_week
from ledger.audits.verdicts import judge
from ledger.events import HOUSE, Kind, timeline
from ledger.evidence.rollout_counts import LedgerCounts, agreement_by_triggers
from ledger.rollout import RolloutLedger
from ledger.scorecard.metrics import BY_ID
from ledger.scorecard.reading import Part, Period, tickets_of

SEEDS = range(4)
EVER = datetime(1970, 1, 1, tzinfo=UTC)
DAYS = 100
"""A made-up desk lives slowly: in four weeks too little happens to it."""
NONE = Share(0, 0)


def counts(scene: Scene) -> LedgerCounts:
    """The ledger's own, but for audits, which these histories have none of."""
    return LedgerCounts(scene.store, lambda family, since: NONE)


class Slowly:
    """The same questions asked of whole timelines."""

    def __init__(self, scene: Scene, family: str) -> None:
        self.now, self.family, self.all = scene.store.now(), family, told(scene.store)
        with scene.store.read() as conn:
            house = timeline(conn, HOUSE, [Kind.FAMILY_HELD, Kind.FAMILY_LIFTED])
        mine = [e for e in house if e.head["family"] == family]
        self.narrowed = max((e.at for e in mine if e.actor == "lanewise"), default=EVER)
        self.lifted = max((e.at for e in mine if e.kind is Kind.FAMILY_LIFTED), default=EVER)

    def share(self, metric: str, since: datetime, *, ripe: bool = False) -> Share:
        among, hit = SLOWLY[metric]
        mine = [t for t in self.all if t.opened >= since and self.touches(t) and among(t, self.all)]
        mine = [t for t in mine if not ripe or self.ripe(t)]
        return Share(sum(hit(t, self.all) for t in mine), len(mine))

    def touches(self, one: Told) -> bool:
        return any(self.family in e.head["families"] for e in one.of(Kind.LANE_ASSIGNED))

    def ripe(self, one: Told) -> bool:
        return one.answers[-1].at.date() < (self.now - timedelta(days=7)).date()

    def agreed(self, since: datetime) -> Share:
        named = [e.head for t in self.all for e in t.decisions("lane_named") if e.at >= since]
        mine = [h for h in named if self.family in h["families"]]
        return Share(len([h for h in mine if h["to"] <= h["ours"]]), len(mine))


def compare(scene: Scene, seen: Callable[[Evidence, Recent], None]) -> None:
    """Holds both counts of each family to the slow ones, while timelines can still be read."""
    found = {family: (counts(scene).evidence(family), counts(scene).recent(family, DAYS)) for family in FAMILIES}
    with scene.store.read() as conn:
        for family, (evidence, recent) in found.items():
            slow = Slowly(scene, family)
            slow.all = [Told(t.ticket, t.timeline, conn) for t in slow.all]
            since = slow.narrowed
            overrides, useful = slow.share("override", since), slow.share("packet_usefulness", since)
            recontacts = slow.share("recontact", since, ripe=True)
            assert evidence == Evidence(NONE, overrides, recontacts, useful, slow.agreed(since)), family
            lately = max(slow.now - timedelta(days=DAYS), slow.lifted)
            assert recent == Recent(slow.share("override", lately), slow.share("recontact", lately)), family
            seen(evidence, recent)


def test_what_the_gate_counts_equals_a_slow_recomputation_over_the_events(tmp_path: Path, empty_store: Path) -> None:
    reached: list[Sequence[int]] = []

    def seen(evidence: Evidence, recent: Recent) -> None:
        parts = (evidence.overrides, evidence.recontacts, evidence.useful, evidence.agreed, recent.recontacts)
        reached.append([share.hits for share in parts])

    for seed in SEEDS:
        scene = Scene(Path(shutil.copy(empty_store, tmp_path / f"{seed}.db")))
        desk, rollout = Desk(scene, seed), RolloutLedger(scene.store)
        desk.live(200)
        compare(scene, seen)
        rollout.narrow("billing", "overrides", {})
        desk.live(60)
        compare(scene, seen)
        rollout.lift("billing", scene.sign())
        desk.live(60)
        compare(scene, seen)
        scene.store.close()
    assert all(map(any, zip(*reached, strict=True))), "each figure counted some ticket somewhere"


def test_the_gates_figures_are_the_scorecards_where_every_ticket_touches_one_family(scene: Scene) -> None:
    for number, decide in enumerate((None, "lane", "route", "resolve")):
        ticket = f"T{number}"
        scene.receive(ticket)
        review = scene.under_review(ticket=ticket)
        if decide == "lane":
            scene.people.change_lane(ticket, Lane(3), scene.seen(ticket), scene.sign())
        elif decide == "route":
            scene.people.route(review.id, "security_team", scene.sign())
        elif decide == "resolve":
            scene.people.resolve(ticket, scene.seen(ticket), scene.sign())
    found = counts(scene).evidence("billing").overrides
    assert found == Share(2, 3), "a move to another queue is an override, and nobody has decided on one"
    period = Period(scene.store.now())
    with scene.store.read() as conn:
        of = {part: tickets_of(conn, BY_ID["override"], period, part) for part in (Part.HITS, Part.AMONG)}
    assert (len(of[Part.HITS]), len(of[Part.AMONG])) == (found.hits, found.of)


def test_promotion_waits_until_it_is_known_who_came_back_and_an_alarm_does_not(scene: Scene) -> None:
    scene.receive()
    scene.assigned(1, families=("documentation",))
    scene.propose()
    scene.post.begin("T1/answer", VIEW)
    scene.post.sent("T1/answer", "ref")
    assert counts(scene).evidence("documentation").recontacts == NONE
    assert counts(scene).recent("documentation", 28).recontacts == Share(0, 1)
    scene.clock.forward(days=8)
    assert counts(scene).evidence("documentation").recontacts == Share(0, 1)


def test_each_disputed_audit_is_a_whole_miss_to_the_gate(scene: Scene) -> None:
    for number in range(10):
        answered(scene, f"T{number}", ("billing",))
    week_over(scene)
    made = draw_week(scene.store, WEEK, "Oona", seed=7, size=10, share=Fraction(1))
    assert made is not None
    for audit in made.audits[:2]:
        judge(scene.store, audit.id, "Ines", YES)
        judge(scene.store, audit.id, "Jonas", NO)
    assert LedgerCounts(scene.store).evidence("billing").misses == Share(2, 2)


def test_agreement_is_told_by_the_triggers_that_were_raised_together(scene: Scene) -> None:
    for ticket, levels, to in (
        ("T1", {"customer_pressure": "high", "policy_sensitivity": "medium"}, 3),
        ("T2", {"customer_pressure": "medium", "policy_sensitivity": "high"}, 1),
        ("T3", {"customer_pressure": "low"}, 2),
    ):
        answered(scene, ticket, ("billing",), lane=2, levels=levels)
        scene.people.name_lane(ticket, Lane(to), scene.sign())
    answered(scene, "other", ("outage",), lane=2)
    assert agreement_by_triggers(scene.store, "billing") == {
        (): Share(1, 1),
        ("customer_pressure", "policy_sensitivity"): Share(1, 2),
    }
