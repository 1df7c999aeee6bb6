"""Every rule of a release has a name and a group that answers for it, also in a release that says nothing of groups."""

from __future__ import annotations

import pytest

from guards.errors import PolicyError
from guards.policy import SECTIONS, OwnerGroup, Phase, Release, parse_release
from guards.policy_owners import DEFAULT, rules_of
from guards.rollout import Ceiling, ceiling_of, family_open, for_ticket, narrower, quiet_families, withheld_by_phase
from guards.triggers import Boundary


def without(text: str, heading: str) -> str:
    """The release without one of its tables."""
    start = text.index(heading)
    return text[:start] + text[text.index("\n[", start) + 1 :]


def staged(release: Release, **phases: Phase) -> Release:
    plan = release.rollout.model_copy(update={"family_phase": phases})
    return release.model_copy(update={"rollout": plan})


def test_a_release_written_before_there_were_owner_groups_still_loads_and_has_them(release_text: str) -> None:
    old = without(without(release_text, "[owned_by]"), "[promotion]")
    old = "\n".join(line for line in old.splitlines() if not line.startswith("reason = "))
    found = rules_of(parse_release(old, "old.toml"))
    assert {rule.section for rule in found} >= {"signal", "rollout", "family", "notice", "review"}
    assert {rule.group for rule in found} == set(OwnerGroup)
    assert set(SECTIONS) <= set(DEFAULT)


def test_each_rule_of_the_packaged_release_has_a_name_of_its_own(release: Release) -> None:
    titles = [rule.title for rule in rules_of(release)]
    assert len(titles) > 100
    assert len(set(titles)) == len(titles)


def test_security_answers_for_security_rules_and_legal_for_contract_lines(release: Release) -> None:
    group = {rule.title: rule.group for rule in rules_of(release)}
    for rule in release.signal:
        if rule.boundary is Boundary.CONTRACT_INTERPRETATION:
            assert group[f"signal {rule.id}"] is OwnerGroup.LEGAL
    assert group["units security_identity"] is OwnerGroup.SECURITY
    assert group["freshness contracts"] is OwnerGroup.ENGINEERING
    assert group["rollout billing"] is OwnerGroup.SUPPORT_LEADERSHIP


def test_one_rule_may_name_its_own_group(release: Release) -> None:
    signals = tuple(s.model_copy(update={"owned_by": OwnerGroup.LEGAL}) for s in release.signal)
    other = release.model_copy(update={"signal": signals})
    assert {r.group for r in rules_of(other) if r.section == "signal"} == {OwnerGroup.LEGAL}


def test_a_group_for_something_that_is_no_rule_is_refused(release_text: str) -> None:
    with pytest.raises(PolicyError, match="names no section, trigger or boundary: weather"):
        parse_release(release_text.replace("[owned_by]", '[owned_by]\nweather = "legal"'), "odd.toml")


def test_where_families_have_phases_a_family_that_is_not_named_is_observe_only(release: Release) -> None:
    plan = staged(release, billing=Phase.NARROW, outage=Phase.ASSISTED)
    assert ceiling_of(plan, "billing") is Ceiling.OPEN
    assert ceiling_of(plan, "seats_permissions") is Ceiling.NOTHING_LEAVES, "listed as autonomous, and never promoted"
    assert ceiling_of(plan, "brand_new") is Ceiling.NOTHING_LEAVES
    assert ceiling_of(release, "brand_new") is Ceiling.LANE_2
    assert "seats_permissions" in quiet_families(plan)
    assert not family_open(plan, ("billing", "seats_permissions"))
    assert withheld_by_phase(for_ticket(plan, ("billing", "seats_permissions")))
    assert not withheld_by_phase(for_ticket(plan, ("billing",)))


@pytest.mark.parametrize("held", list(Ceiling))
def test_a_hold_never_widens_what_the_release_allows(release: Release, held: Ceiling) -> None:
    for family in release.family:
        narrowed = for_ticket(release, (family.id,), {family.id: held})
        got = ceiling_of(narrowed, family.id)
        assert got is narrower(ceiling_of(release, family.id), held)
