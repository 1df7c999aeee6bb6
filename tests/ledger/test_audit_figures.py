"""The figures of an audit say what is so in the whole frame, with intervals that hold, and how far auditors agree."""

from __future__ import annotations

import math
import random
from collections import Counter
from datetime import timedelta

import pytest
from audit_scene import NO, SINCE, UNTIL, WEEK, YES, answered, unattended, week_over
from hypothesis import given
from hypothesis import strategies as st
from ledger_scene import DAY, Scene

from guards.lanes import Consequence
from ledger.audits.drawing import Audit, Draw, draw_week
from ledger.audits.figures import (
    Audited,
    agreement,
    audit_misses,
    audited,
    families_of,
    kappa,
    row,
    rows,
    uncovered,
)
from ledger.audits.frame import Stratum, Unattended
from ledger.audits.sample import Cell, Sample, draw
from ledger.audits.verdicts import Fault, Standing, Verdict, judge, standings
from ledger.intervals import wilson


def made_draw(frame: int, sample: Sample) -> Draw:
    """A draw as the ledger would hold it."""
    audits = tuple(
        Audit(f"w-{n}", o.ticket, Cell(o.stratum, o.consequence), o.families, o.tier, o.segment, o.release, 1)
        for n, o in enumerate(sample.chosen)
    )
    return Draw(WEEK, SINCE, UNTIL, 0, len(audits), frame, "", sample.parts, audits, DAY, "Oona")


def judged(made: Draw, audit: Audit, *said: bool) -> Standing:
    verdicts = tuple(
        Verdict(n, f"auditor {n}", DAY, yes, (), Fault.BOUNDARY if yes else Fault.NONE, None)
        for n, yes in enumerate(said)
    )
    return Standing(audit, made, verdicts, False, DAY if verdicts else None)


def world(chance: random.Random) -> tuple[list[Unattended], frozenset[str]]:
    """A week in which what costs more goes wrong more often: a plain share of the sample would mislead."""
    frame = [
        *(unattended(f"d{n}", Stratum.DOCUMENTATION, Consequence.LOW) for n in range(300)),
        *(unattended(f"f{n}", Stratum.FEATURE_ACCESS, Consequence.MEDIUM, ("feature_access",)) for n in range(60)),
        *(unattended(f"b{n}", Stratum.BILLING_CLARIFICATION, Consequence.HIGH, ("billing",)) for n in range(20)),
    ]
    risk = {Consequence.LOW: 0.03, Consequence.MEDIUM: 0.15, Consequence.HIGH: 0.4}
    return frame, frozenset(one.ticket for one in frame if chance.random() < risk[one.consequence])


def audits_of(
    frame: list[Unattended], misses: frozenset[str], seed: int, size: int = 60, judges: float = 1.0
) -> list[Standing]:
    """A week's sample judged without error; some of it not at all, by chance alone."""
    made = made_draw(len(frame), draw(frame, WEEK, seed, size))
    chance = random.Random(seed)
    return [judged(made, a, *([a.ticket in misses] if chance.random() < judges else [])) for a in made.audits]


SEEDS = 600


def test_the_weighted_figure_is_unbiased_where_the_plain_share_is_not() -> None:
    frame, misses = world(random.Random(5))
    weighted, plain = [], []
    for seed in range(SEEDS):
        found = audited(audits_of(frame, misses, seed))
        figures = row("all", found)
        assert figures.estimated_tickets == pytest.approx(len(frame))
        weighted.append(figures.estimated_misses)
        plain.append(len(frame) * figures.misses / figures.audited)

    def off(values: list[float]) -> float:
        """How many standard errors the mean is from the truth."""
        mean = math.fsum(values) / SEEDS
        spread = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (SEEDS - 1))
        return abs(mean - len(misses)) / (spread / math.sqrt(SEEDS))

    assert off(weighted) < 3.5
    assert off(plain) > 20


def test_a_familys_figure_is_unbiased_too() -> None:
    frame, misses = world(random.Random(6))
    totals: Counter[str] = Counter()
    for seed in range(SEEDS):
        for figures in rows(audited(audits_of(frame, misses, seed)), families_of):
            totals[figures.name] += figures.estimated_misses
    truth = Counter(one.families[0] for one in frame if one.ticket in misses)
    assert {name: total / SEEDS for name, total in totals.items()} == pytest.approx(dict(truth), rel=0.1)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    held = 0
    for seed in range(SEEDS):
        frame, misses = world(random.Random(seed))
        figures = row("all", audited(audits_of(frame, misses, seed)))
        held += figures.low <= len(misses) / len(frame) <= figures.high
    assert held / SEEDS > 0.93


def test_tickets_that_nobody_judged_are_stood_for_by_those_of_their_kind() -> None:
    frame, misses = world(random.Random(7))
    means = []
    for seed in range(SEEDS):
        held = audits_of(frame, misses, seed, judges=0.7)
        figures = row("all", audited(held))
        assert figures.estimated_tickets == pytest.approx(len(frame) - uncovered(held))
        means.append(figures.estimated_misses)
    assert math.fsum(means) / SEEDS == pytest.approx(len(misses), rel=0.05)


def test_kinds_of_ticket_in_which_nothing_is_judged_are_counted_and_not_spoken_for() -> None:
    frame, misses = world(random.Random(8))
    held = [
        s if s.audit.cell.stratum is not Stratum.FEATURE_ACCESS else judged(s.draw, s.audit)
        for s in audits_of(frame, misses, 1)
    ]
    assert uncovered(held) == 60
    assert row("all", audited(held)).estimated_tickets == pytest.approx(320)


def test_without_a_single_miss_the_interval_still_has_an_upper_end() -> None:
    frame, _ = world(random.Random(9))
    figures = row("all", audited(audits_of(frame, frozenset(), 1)))
    assert (figures.rate, figures.low) == (0, 0)
    assert 0.05 < figures.high < 0.4
    assert (row("none", []).low, row("none", []).high) == (0, 1)


@given(st.floats(0, 1), st.floats(0.5, 1000))
def test_wilsons_interval_holds_its_rate_and_narrows_with_what_was_seen(rate: float, count: float) -> None:
    low, high = wilson(rate * count, count)
    assert 0 <= low <= rate + 1e-12 and rate - 1e-12 <= high <= 1
    closer = wilson(rate * 2 * count, 2 * count)
    assert closer[1] - closer[0] <= high - low + 1e-12


def test_wilsons_interval_is_the_published_one() -> None:
    # Newcombe 1998, table I: 81 of 263, and 0 of 20.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)


# ── two auditors ────────────────────────────────────────────────────────────────────────────────────────────


def test_kappa_is_the_textbooks() -> None:
    # Two raters of 50 proposals: 20 both yes, 15 both no, 5 and 10 apart. Agreement 0.7, by chance 0.5.
    assert kappa((20, 5, 10, 15)) == pytest.approx(0.4)
    assert kappa((10, 0, 0, 10)) == 1
    assert kappa((0, 10, 10, 0)) == -1
    assert kappa((0, 0, 0, 30)) is None, "who always says no agrees by chance alone"
    assert kappa((0, 0, 0, 0)) is None


def paired(*table: int) -> list[Standing]:
    frame = [unattended(f"T{n}") for n in range(sum(table))]
    made = made_draw(len(frame), draw(frame, WEEK, 1, max(len(frame), 1))) if frame else None
    answers = [(True, True)] * table[0] + [(True, False)] * table[1] + [(False, True)] * table[2]
    answers += [(False, False)] * table[3]
    return [judged(made, a, *pair) for a, pair in zip(made.audits, answers, strict=True)] if made else []


def test_agreement_is_raw_and_beyond_chance_with_an_interval() -> None:
    found = agreement(paired(20, 5, 10, 15))
    assert (found.pairs, found.agreed, found.raw) == (50, 35, 0.7)
    assert found.kappa == pytest.approx(0.4)
    assert found.low is not None and found.high is not None
    # Cohen's large-sample interval (1960): the error is the root of 0.7 · 0.3 / (50 · 0.5²), 0.1296.
    assert (found.low, found.high) == pytest.approx((0.146, 0.654), abs=0.04)
    assert agreement(paired(20, 5, 10, 15)) == found, "the same verdicts give the same interval"


def test_a_handful_of_pairs_that_agree_throughout_prove_little() -> None:
    found = agreement(paired(2, 0, 0, 3))
    assert found.kappa == 1 and found.high == 1
    assert found.low is not None and found.low < 0.6


def test_no_pairs_are_no_agreement() -> None:
    assert agreement([]) == agreement(paired(0, 0, 0, 0))
    assert agreement([]).raw is None and agreement([]).kappa is None and agreement([]).low is None


def test_a_ticket_on_which_two_disagree_is_half_a_miss_and_stands_among_them() -> None:
    (held,) = paired(0, 1, 0, 0)
    figures = row("all", audited([held]))
    assert (figures.misses, figures.rate, figures.tickets) == (0.5, 0.5, (held.audit.ticket,))


# ── over the ledger ─────────────────────────────────────────────────────────────────────────────────────────


def test_misses_are_told_by_family_the_worst_first_and_only_for_the_weeks_that_were_asked(scene: Scene) -> None:
    for number in range(8):
        answered(scene, f"B{number}", ("billing", "contract_tier"), "high")
        answered(scene, f"D{number}", ())
    week_over(scene)
    made = draw_week(scene.store, WEEK, "Oona", seed=1, size=8)
    assert made is not None
    for audit in made.audits:
        for by in ("Ines", "Jonas")[: audit.wanted]:
            judge(scene.store, audit.id, by, YES if audit.families else NO)
    with scene.store.read() as conn:
        found = audit_misses(conn, SINCE, UNTIL)
        assert audit_misses(conn, UNTIL, UNTIL + timedelta(weeks=1)) == ()
        assert audit_misses(conn, SINCE - timedelta(weeks=9), SINCE) == ()
        assert uncovered(standings(conn)) == 0
    assert [(r.name, r.rate) for r in found] == [("billing", 1.0), ("contract_tier", 1.0), ("unknown", 0.0)]
    assert found[0].estimated_tickets == pytest.approx(8)
    assert set(found[0].tickets) == {a.ticket for a in made.audits if a.families}
    assert found[-1].tickets == ()


def test_a_weight_is_the_inverse_of_the_recorded_probability_once_all_is_judged(scene: Scene) -> None:
    for number in range(10):
        answered(scene, f"T{number}", (), "high" if number < 3 else "low")
    week_over(scene)
    made = draw_week(scene.store, WEEK, "Oona", seed=3, size=5)
    assert made is not None
    for audit in made.audits:
        for by in ("Ines", "Jonas")[: audit.wanted]:
            judge(scene.store, audit.id, by, NO)
    with scene.store.read() as conn:
        found: tuple[Audited, ...] = audited(standings(conn))
    assert [a.weight for a in found] == [float(1 / made.part(a.audit).inclusion) for a in found]
