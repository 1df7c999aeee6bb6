"""A change of a release is judged by the law itself, over every matrix, and names who has to approve it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from guards.assess import Assessment, Need
from guards.assign import Coverage, assign
from guards.lanes import UNIT_ORDER
from guards.policy import OwnerGroup, Phase, Release
from guards.policy_diff import Change, Width, diff, groups_needed, overall
from guards.policy_law import LEVELS, law_table, matrix_of, place_of, within_the_table
from guards.rollout import Ceiling
from guards.triggers import Boundary, Trigger


def with_signal(release: Release, signal_id: str, **changed: Any) -> Release:
    signals = tuple(s.model_copy(update=changed) if s.id == signal_id else s for s in release.signal)
    return release.model_copy(update={"signal": signals})


def with_plan(release: Release, **changed: Any) -> Release:
    return release.model_copy(update={"rollout": release.rollout.model_copy(update=changed)})


def only(changes: tuple[Change, ...]) -> Change:
    assert len(changes) == 1, [c.rule for c in changes]
    return changes[0]


def text_rule(release: Release) -> str:
    return next(s.id for s in release.signal if len(s.text) > 1 and not s.families and not s.personal)


def test_a_release_does_not_differ_from_itself(release: Release) -> None:
    assert diff(release, release) == ()
    assert overall(()) is Width.SAME


def test_the_written_out_law_is_what_assign_says_of_each_of_the_729_matrices(release: Release) -> None:
    table = law_table(release)
    family = release.rollout.autonomous_families[0]
    for levels in LEVELS:
        for crossed in (False, True):
            seen = Assessment(matrix_of(levels, crossed), (family,), Need.NOTHING, False, "en")
            said = assign(seen, Coverage("an article"), release)
            index = 2 * place_of(levels) + crossed
            assert table.lane(index, Ceiling.OPEN) == int(said.lane)
            if said.units:
                assert {u for i, u in enumerate(UNIT_ORDER) if table.units[index] >> i & 1} == set(said.units)


def test_taking_any_rule_away_never_narrows_and_adding_it_back_never_widens(release: Release) -> None:
    moved = 0
    for rule in release.signal:
        bare = release.model_copy(update={"signal": tuple(s for s in release.signal if s.id != rule.id)})
        assert only(diff(release, bare)).width is Width.WIDENS, rule.id
        back = only(diff(bare, release))
        assert back.width is Width.NARROWS and back.before is None, rule.id
        moved += 1
    assert moved > 20


def test_a_higher_bar_for_several_mediums_widens_in_as_many_cells_as_a_slow_count_finds(release: Release) -> None:
    other = release.model_copy(update={"several_mediums": 3})
    found = only(diff(release, other))
    assert found.width is Width.WIDENS
    slow = 0
    for levels in LEVELS:
        for crossed in (False, True):
            for family in ((), *((f.id,) for f in release.family)):
                seen = Assessment(matrix_of(levels, crossed), family, Need.NOTHING, False, "en")
                a, b = (assign(seen, Coverage("an article"), r) for r in (release, other))
                slow += b.lane < a.lane
    assert found.tally.wider == slow > 0
    assert only(diff(other, release)).width is Width.NARROWS


@pytest.mark.parametrize(("days", "width"), [(45, Width.NARROWS), (7, Width.WIDENS)])
def test_a_threshold_is_judged_at_the_values_where_it_parts(release: Release, days: int, width: Width) -> None:
    assert only(diff(release, with_signal(release, "renewal_near", at_most=days))).width is width


def test_a_lower_level_widens_and_a_boundary_narrows(release: Release) -> None:
    strong = [s for s in release.signal if s.level == "high" and s.boundary is None]
    high = next(s for s in strong if s.trigger is Trigger.POLICY_SENSITIVITY)
    access = next(s for s in strong if s.trigger is Trigger.SECURITY_IDENTITY)
    assert only(diff(release, with_signal(release, access.id, level="medium"))).width is Width.WIDENS
    # For money alone, high and medium are both a person's look before it leaves: the law says so, and so does this.
    assert only(diff(release, with_signal(release, high.id, level="medium"))).width is Width.SAME
    crossed = only(diff(release, with_signal(release, high.id, boundary=Boundary.LEGAL_OR_EXECUTIVE)))
    assert crossed.width is Width.NARROWS
    assert OwnerGroup.LEGAL in crossed.groups, "who gets the rule has to approve it too"


def test_one_expression_more_narrows_one_less_widens_and_another_one_does_both(release: Release) -> None:
    name = text_rule(release)
    text = next(s.text for s in release.signal if s.id == name)
    assert only(diff(release, with_signal(release, name, text=(*text, "zebra")))).width is Width.NARROWS
    assert only(diff(release, with_signal(release, name, text=text[1:]))).width is Width.WIDENS
    assert only(diff(release, with_signal(release, name, text=(*text[1:], "zebra")))).width is Width.BOTH
    assert only(diff(release, with_signal(release, name, unless=("zebra",)))).width is Width.WIDENS
    assert only(diff(release, with_signal(release, name, personal=True))).width is Width.WIDENS


def test_words_for_people_move_no_boundary(release: Release) -> None:
    found = only(diff(release, with_signal(release, "renewal_near", why="other words")))
    assert found.width is Width.SAME and found.tally.cells > 0


def test_each_phase_is_wider_than_the_one_before_or_the_same(release: Release) -> None:
    for one, other in pairwise(Phase):
        changes = diff(with_plan(release, phase=one), with_plan(release, phase=other))
        assert overall(changes) in (Width.WIDENS, Width.SAME)
    assert overall(diff(with_plan(release, phase=Phase.OBSERVE_ONLY), release)) is Width.WIDENS


def test_a_family_that_loses_its_autonomy_narrows_in_that_family_alone(release: Release) -> None:
    found = only(diff(release, with_plan(release, autonomous_families=release.rollout.autonomous_families[1:])))
    assert found.rule == f"rollout {release.rollout.autonomous_families[0]}"
    assert (found.width, found.tally.cells) == (Width.NARROWS, 2 * 3**6)


def test_a_family_that_needs_fewer_facts_or_may_tell_more_widens(release: Release) -> None:
    family = next(f for f in release.family if f.needs)
    for changed in ({"needs": ()}, {"tells": (*family.tells, "contract.")}):
        families = tuple(f.model_copy(update=changed) if f.id == family.id else f for f in release.family)
        found = only(diff(release, release.model_copy(update={"family": families})))
        assert found.width is Width.WIDENS, changed


def test_a_new_notice_is_a_text_that_may_leave(release: Release) -> None:
    texts = tuple(n.model_copy(update={"text": f"{n.text} Bye."}) for n in release.notice)
    found = diff(release, release.model_copy(update={"notice": texts}))
    assert len(found) == len(texts)
    assert {c.width for c in found} == {Width.BOTH}


def test_nobody_can_give_themselves_a_rule_by_changing_who_owns_it(release: Release) -> None:
    taken = release.model_copy(update={"owned_by": {**release.owned_by, "security_identity": OwnerGroup.OPERATIONS}})
    needed = groups_needed(diff(release, taken))
    assert {OwnerGroup.SECURITY, OwnerGroup.OPERATIONS} <= set(needed)
    assert any(rule.startswith("signal ") for rule in needed[OwnerGroup.SECURITY])


def test_no_packaged_rule_is_wider_than_the_ceiling_table_in_any_cell(release: Release) -> None:
    for phase in Phase:
        found = within_the_table(with_plan(release, phase=phase))
        assert found.wider == ()
        assert found.cells > 10_000


def test_a_family_that_is_opened_together_with_the_phase_widens_and_one_that_is_shut_narrows(release: Release) -> None:
    watched = with_plan(release, phase=Phase.OBSERVE_ONLY, autonomous_families=("billing",))
    opened = with_plan(release, phase=Phase.NARROW, autonomous_families=("outage",))
    found = {c.rule: c.width for c in diff(watched, opened)}
    assert found == {
        "rollout phase": Width.WIDENS,
        "rollout outage": Width.WIDENS,
        "rollout billing": Width.NARROWS,
    }


def test_a_phase_for_each_family_narrows_those_that_it_does_not_name(release: Release) -> None:
    staged = with_plan(release, family_phase={"billing": Phase.NARROW})
    found = {c.rule: c.width for c in diff(release, staged)}
    assert found["rollout family_phase"] is Width.NARROWS
    assert overall(diff(staged, release)) is Width.WIDENS
