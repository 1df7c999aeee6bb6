"""What may be done on one opening: lane, phase and halt only ever take away."""

from __future__ import annotations

import itertools

import pytest

from guards.capabilities import TABLE, Effect, Right, rights_of
from guards.grant import grant
from guards.lanes import Lane
from guards.policy import Phase, Release
from guards.rollout import anything_leaves, family_open, hold, withheld_by_phase

SPEAKS = {Right.SEND_ANSWER, Right.ASK_QUESTION, Right.CLOSE_TICKET, Right.RELEASE_NOTICE}


def in_phase(release: Release, phase: Phase, families: tuple[str, ...] | None = None) -> Release:
    kept = release.rollout.autonomous_families if families is None else families
    rollout = release.rollout.model_copy(update={"phase": phase, "autonomous_families": kept})
    return release.model_copy(update={"rollout": rollout})


@pytest.mark.parametrize(("lane", "phase", "halted"), list(itertools.product(Lane, Phase, [True, False])))
def test_a_grant_never_holds_more_than_its_lane_and_accounts_for_every_right(
    release: Release, lane: Lane, phase: Phase, halted: bool
) -> None:
    given = grant(lane, 5, in_phase(release, phase), halted=halted)
    assert given.rights <= rights_of(lane)
    assert (given.lane, given.epoch, given.release) == (lane, 5, release.version)
    withheld = {right for right, row in TABLE.items() if row.does in {w.what for w in given.withheld}}
    assert withheld == set(Right) - given.rights
    assert all(w.reason and w.rule in ("lane", "phase", "halted") for w in given.withheld)


@pytest.mark.parametrize("lane", Lane)
def test_each_further_phase_may_give_back_but_never_past_the_table(release: Release, lane: Lane) -> None:
    rights = {phase: grant(lane, 1, in_phase(release, phase), halted=False).rights for phase in Phase}
    assert rights[Phase.OBSERVE_ONLY] < rights_of(lane)
    assert rights[Phase.NARROW] == rights[Phase.ASSISTED] == rights[Phase.EXPANSION] == rights_of(lane)


@pytest.mark.parametrize("lane", Lane)
def test_in_observe_only_nothing_leaves_not_even_a_notice_or_a_draft(release: Release, lane: Lane) -> None:
    watching = in_phase(release, Phase.OBSERVE_ONLY)
    held = grant(lane, 1, watching, halted=False).rights
    assert {TABLE[r].effect for r in held} <= {Effect.READ, Effect.LOCAL_NOTE}
    assert Right.SUMMARISE in held
    assert not anything_leaves(watching)
    assert SPEAKS | {Right.DRAFT_REPLY} <= withheld_by_phase(watching)


@pytest.mark.parametrize(("lane", "phase"), list(itertools.product(Lane, Phase)))
def test_a_halt_takes_every_right_to_speak_and_no_other(release: Release, lane: Lane, phase: Phase) -> None:
    there = in_phase(release, phase)
    free, halted = (grant(lane, 1, there, halted=h) for h in (False, True))
    assert halted.rights == free.rights - SPEAKS
    lost = {TABLE[r].does for r in free.rights & SPEAKS}
    assert lost <= {w.what for w in halted.withheld if w.rule == "halted"}


@pytest.mark.parametrize("junk", ["2", "1", True, 0, 4, None, 2.0, [1]])
def test_an_unknown_lane_is_granted_what_lane_3_is(release: Release, junk: object) -> None:
    assert grant(junk, 1, release, halted=False) == grant(Lane.HUMAN_OWNED, 1, release, halted=False)


def test_the_commitments_no_lane_may_make_are_named_as_not_done_in_every_lane(release: Release) -> None:
    for lane in Lane:
        done_not = {w.what for w in grant(lane, 1, release, halted=False).withheld}
        assert {TABLE[Right.COMMIT].does, TABLE[Right.CHANGE_STATE].does} <= done_not


# ── roll-out by issue family ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("phase", Phase)
def test_a_family_is_open_only_where_the_release_names_it_and_the_phase_acts(release: Release, phase: Phase) -> None:
    there = in_phase(release, phase, ("billing", "outage"))
    acts = phase is not Phase.OBSERVE_ONLY
    assert family_open(there, ("billing",)) is acts
    assert family_open(there, ("billing", "outage")) is acts
    assert not family_open(there, ("billing", "security"))
    assert not family_open(there, ("security",))
    assert not family_open(there, ())
    assert not family_open(there, ("a family of another release",))


@pytest.mark.parametrize("phase", Phase)
def test_holding_a_family_names_those_that_are_shut(release: Release, phase: Phase) -> None:
    there = in_phase(release, phase, ("billing",))
    held = hold(there, ("billing", "security"))
    if phase is Phase.OBSERVE_ONLY:
        assert held is None
    else:
        assert held is not None
        assert held.lane is Lane.ASSISTED
        assert "security" in held.words
        assert "billing" not in held.words
    assert hold(there, ("billing",)) is None


def test_narrowing_a_release_never_opens_a_family(release: Release) -> None:
    families = tuple(f.id for f in release.family)
    for phase in Phase:
        opened = [
            {f for f in families if family_open(in_phase(release, phase, families[:n]), (f,))}
            for n in range(len(families) + 1)
        ]
        assert all(fewer <= more for fewer, more in itertools.pairwise(opened))
