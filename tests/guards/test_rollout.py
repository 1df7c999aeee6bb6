"""What roll-out leaves to a family: by the phase, by the family's own phase, and by what the ledger holds it to."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest

from guards.policy import Phase, Release
from guards.rollout import (
    Ceiling,
    ceiling_of,
    family_open,
    for_ticket,
    narrower,
    open_families,
    quiet_families,
    step_of,
    steps_up,
)

SEATS, BILLING = "seats_permissions", "billing"


def made(release: Release, phase: Phase, families: tuple[str, ...], own: Mapping[str, Phase] | None = None) -> Release:
    plan = {"phase": phase, "autonomous_families": families, "family_phase": dict(own or {})}
    return release.model_copy(update={"rollout": release.rollout.model_copy(update=plan)})


def test_of_two_ceilings_the_narrower_counts_whichever_comes_first() -> None:
    widths = (Ceiling.NOTHING_LEAVES, Ceiling.LANE_2, Ceiling.OPEN)
    for (a, one), (b, other) in itertools.product(enumerate(widths), repeat=2):
        assert narrower(one, other) is widths[min(a, b)]


@pytest.mark.parametrize(
    ("phase", "families", "own", "ceiling"),
    [
        (Phase.OBSERVE_ONLY, (SEATS,), {}, Ceiling.NOTHING_LEAVES),
        (Phase.OBSERVE_ONLY, (SEATS,), {SEATS: Phase.NARROW}, Ceiling.NOTHING_LEAVES),
        (Phase.NARROW, (SEATS,), {}, Ceiling.OPEN),
        (Phase.NARROW, (BILLING,), {}, Ceiling.LANE_2),
        (Phase.ASSISTED, (), {}, Ceiling.LANE_2),
        (Phase.NARROW, (SEATS,), {SEATS: Phase.NARROW}, Ceiling.OPEN),
        (Phase.NARROW, (SEATS,), {SEATS: Phase.OBSERVE_ONLY}, Ceiling.NOTHING_LEAVES),
        (Phase.NARROW, (SEATS,), {BILLING: Phase.NARROW}, Ceiling.NOTHING_LEAVES),
        (Phase.NARROW, (BILLING,), {SEATS: Phase.ASSISTED}, Ceiling.LANE_2),
    ],
)
def test_a_family_has_what_phase_and_its_own_phase_leave_it(
    release: Release, phase: Phase, families: tuple[str, ...], own: dict[str, Phase], ceiling: Ceiling
) -> None:
    one = made(release, phase, families, own)
    assert ceiling_of(one, SEATS) is ceiling
    assert (SEATS in open_families(one)) == (ceiling is Ceiling.OPEN)
    assert (SEATS in quiet_families(one)) == (ceiling is Ceiling.NOTHING_LEAVES)
    assert family_open(one, (SEATS,)) == (ceiling is Ceiling.OPEN)
    assert not family_open(one, ()) and not family_open(one, (SEATS, "unheard_of"))


def test_a_release_without_family_phases_or_holds_applies_as_it_is(release: Release) -> None:
    one = made(release, Phase.NARROW, (SEATS, BILLING))
    assert for_ticket(one, (SEATS,)) is one


def test_a_hold_narrows_its_family_alone_and_never_widens(release: Release) -> None:
    one = made(release, Phase.NARROW, (SEATS, BILLING))
    held = for_ticket(one, (SEATS, BILLING), {SEATS: Ceiling.LANE_2})
    assert held.rollout.autonomous_families == (BILLING,) and held.rollout.phase is Phase.NARROW
    assert not family_open(held, (SEATS,)) and family_open(held, (BILLING,))
    other = for_ticket(one, (BILLING,), {SEATS: Ceiling.LANE_2})
    assert other.rollout.autonomous_families == (BILLING,), "a family of another ticket is held too"
    shut = made(release, Phase.NARROW, (BILLING,))
    assert for_ticket(shut, (SEATS,), {SEATS: Ceiling.OPEN}).rollout.autonomous_families == (BILLING,)


def test_where_nothing_may_leave_in_one_family_of_a_ticket_nothing_leaves_in_it(release: Release) -> None:
    one = made(release, Phase.NARROW, (SEATS, BILLING))
    assert for_ticket(one, (SEATS, BILLING), {SEATS: Ceiling.NOTHING_LEAVES}).rollout.phase is Phase.OBSERVE_ONLY
    assert for_ticket(one, (BILLING,), {SEATS: Ceiling.NOTHING_LEAVES}).rollout.phase is Phase.NARROW
    watched = made(release, Phase.NARROW, (SEATS, BILLING), {BILLING: Phase.NARROW})
    silent = for_ticket(watched, (SEATS,)).rollout
    assert silent.phase is Phase.OBSERVE_ONLY and silent.autonomous_families == (BILLING,)
    open_still = for_ticket(watched, (BILLING,))
    assert open_still.rollout.phase is Phase.NARROW and BILLING in open_still.rollout.autonomous_families


def test_opening_a_family_takes_narrow_and_naming_it_expansion_takes_that(release: Release) -> None:
    quiet = made(release, Phase.ASSISTED, ())
    narrow = made(release, Phase.NARROW, (SEATS,))
    far = made(release, Phase.EXPANSION, (SEATS, BILLING), {SEATS: Phase.EXPANSION, BILLING: Phase.NARROW})
    assert (step_of(narrow, SEATS), step_of(far, SEATS), step_of(far, BILLING)) == (
        Phase.NARROW,
        Phase.EXPANSION,
        Phase.NARROW,
    )
    assert steps_up(quiet, narrow) == {SEATS: Phase.NARROW}
    assert steps_up(narrow, narrow) == steps_up(far, far) == {}
    assert steps_up(narrow, far) == {SEATS: Phase.EXPANSION, BILLING: Phase.NARROW}
    assert steps_up(far, narrow) == {}, "who has gone further needs no evidence for less"
    assert steps_up(far, quiet) == {}
