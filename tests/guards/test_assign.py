"""The lane table against an oracle written from the article alone, over every matrix there is."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guards.assess import Assessment, Need
from guards.assign import RISK, Coverage, assign, coverage_reasons, lane_by_risk, owner_for
from guards.lanes import UNIT_ORDER, Consequence, Lane, LaneDecision, Unit
from guards.policy import OwnerRule, Phase, Release
from guards.triggers import Boundary, Level, Matrix, Signal, Trigger, Witness

ALL = tuple(itertools.product(Level, repeat=len(Trigger)))
"""3^6 rows of levels, in the law's order of triggers."""
ROUTINE = Coverage(source="audit-logs@3")
FAMILY = ("feature_access",)


def matrix_of(levels: Iterable[Level], boundary: Boundary | None = None) -> Matrix:
    """A matrix with one signal for each level above low; a boundary rides on a medium signal of its own."""
    signals = [
        Signal(f"made_{t.value}", t, level, Witness.LAW, "made for a test", "made for a test")
        for t, level in zip(Trigger, levels, strict=True)
        if level > Level.LOW
    ]
    if boundary:
        signals.append(
            Signal("made_boundary", Trigger.CUSTOMER_PRESSURE, Level.MEDIUM, Witness.LAW, "", "", "", boundary)
        )
    return Matrix(tuple(signals))


def assessed(matrix: Matrix, families: tuple[str, ...] = FAMILY, **more: object) -> Assessment:
    kept: dict[str, object] = {"need": Need.PUBLIC, "asks_human": False, "language": "en", **more}
    return Assessment(matrix, families, **kept)  # type: ignore[arg-type]


def article_says(levels: tuple[Level, ...], several: int) -> int:
    """The article's interpretation guidance, in its own words and order; no code of the product is used."""
    policy, security, context, action, pressure, mixed = (level.word for level in levels)
    scored = [policy, security, context, action, pressure, mixed]
    mediums, highs = scored.count("medium"), scored.count("high")
    # Lane 3 "fits security-sensitive cases … or any thread where the system lacks decisive context".
    if security == "high" or context == "high":
        return 3
    # "Several medium factors together: escalate ownership, not just wording"; a high is more than a medium.
    if mediums + highs >= several:
        return 3
    # "Any high on security, policy, or irreversible action: human review at minimum"; another high alone: lane 2.
    if highs:
        return 2
    # "One medium and no high: assisted draft or light review"
    if mediums:
        return 2
    # "Mostly low: autonomous handling may be acceptable"
    return 1


# ── the table of risk ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("several", [2, 3, 4, 5, 6])
def test_every_matrix_gets_the_lane_that_the_article_gives_it(release: Release, several: int) -> None:
    changed = release.model_copy(update={"several_mediums": several})
    wrong = [
        levels for levels in ALL if int(lane_by_risk(matrix_of(levels), changed)[0]) != article_says(levels, several)
    ]
    assert len(ALL) == 729
    assert wrong == []


@pytest.mark.parametrize("several", [2, 3, 4, 5, 6])
def test_raising_any_one_factor_never_lowers_the_lane(release: Release, several: int) -> None:
    changed = release.model_copy(update={"several_mediums": several})
    lanes = {levels: lane_by_risk(matrix_of(levels), changed)[0] for levels in ALL}
    for levels, lane in lanes.items():
        for place, level in enumerate(levels):
            if level < Level.HIGH:
                raised = (*levels[:place], Level(level + 1), *levels[place + 1 :])
                assert lanes[raised] >= lane, f"{levels} -> {raised}"


def test_asking_for_more_mediums_never_makes_a_matrix_autonomous(release: Release) -> None:
    for levels in ALL:
        autonomous = {
            lane_by_risk(matrix_of(levels), release.model_copy(update={"several_mediums": n}))[0] is Lane.AUTONOMOUS
            for n in range(2, 7)
        }
        assert autonomous == {not any(levels)}


@pytest.mark.parametrize("boundary", Boundary)
def test_a_boundary_gives_every_matrix_to_a_person_outright(release: Release, boundary: Boundary) -> None:
    for levels in ALL:
        lane, reasons = lane_by_risk(matrix_of(levels, boundary), release)
        assert lane is Lane.HUMAN_OWNED
        assert "outright_boundary" in {r.rule for r in reasons}


def test_every_row_of_the_risk_table_applies_somewhere_and_only_the_last_everywhere(release: Release) -> None:
    cases = [matrix_of(levels, boundary) for levels in ALL for boundary in (None, Boundary.MAJOR_CREDIT)]
    met = {rule: sum(applies(m, release.several_mediums) for m in cases) for rule, _, applies, _ in RISK}
    assert all(0 < count < len(cases) for rule, count in met.items() if rule != "mostly_low"), met
    assert met["mostly_low"] == len(cases)


def test_reasons_are_never_empty_and_the_highest_of_them_is_the_lane(release: Release) -> None:
    for levels in ALL:
        lane, reasons = lane_by_risk(matrix_of(levels), release)
        assert reasons
        assert max(r.lane for r in reasons) is lane
        assert all(r.words and r.rule for r in reasons)


# ── coverage: lane 1 needs positive reasons too ─────────────────────────────────────────────────────────────


def decide(
    release: Release, *, coverage: Coverage = ROUTINE, matrix: Matrix | None = None, **more: object
) -> LaneDecision:
    """A decision on a ticket that is routine in every way but the one a test changes."""
    families = more.pop("families", FAMILY)
    asked = {k: more.pop(k) for k in ("need", "asks_human") if k in more}
    return assign(assessed(matrix or Matrix(), families, **asked), coverage, release, **more)  # type: ignore[arg-type]


def test_a_routine_ticket_with_a_source_is_autonomous_and_says_why(release: Release) -> None:
    decision = decide(release)
    assert decision.lane is Lane.AUTONOMOUS
    assert [r.rule for r in decision.reasons] == ["mostly_low"]
    assert (decision.unit, decision.units, decision.consequence) == (Unit.NONE, (), Consequence.LOW)
    assert decision.policy_version == release.version


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"asks_human": True}, "asks_for_a_person"),
        ({"coverage": Coverage(source="")}, "no_source"),
        ({"coverage": Coverage("a@1", requester_verified=False), "need": Need.RECORD}, "unverified_requester"),
        ({"coverage": Coverage("a@1", account_confirmed=False), "need": Need.RECORD}, "account_not_confirmed"),
        ({"coverage": Coverage("a@1", account_confirmed=False), "need": Need.DECISION}, "account_not_confirmed"),
        ({"families": ("security",)}, "rollout"),
        ({"families": ("feature_access", "security")}, "rollout"),
        ({"halted": True}, "halted"),
        ({"failures": ("model",)}, "assessor_failed"),
        ({"floor": Lane.ASSISTED}, "floor"),
    ],
)
def test_each_missing_reason_for_lane_1_alone_holds_a_ticket_to_lane_2(
    release: Release, change: dict[str, object], rule: str
) -> None:
    decision = decide(release, **change)  # type: ignore[arg-type]
    assert [r.rule for r in decision.reasons] == [rule]
    assert decision.lane is Lane.ASSISTED
    assert decision.lane_by_risk is Lane.AUTONOMOUS
    assert decision.units == (Unit.ANSWER,)


def test_an_unknown_family_is_not_routine(release: Release) -> None:
    decision = decide(release, families=())
    assert decision.lane is Lane.ASSISTED
    assert "unknown_family" in {r.rule for r in decision.reasons}


def test_an_account_that_is_not_needed_is_not_asked_for(release: Release) -> None:
    unsure = Coverage("audit-logs@3", account_confirmed=False, requester_verified=False)
    for need in (Need.NOTHING, Need.PUBLIC):
        assert decide(release, coverage=unsure, need=need).lane is Lane.AUTONOMOUS


def test_in_observe_only_the_lane_is_still_recommended(release: Release) -> None:
    watching = release.model_copy(
        update={"rollout": release.rollout.model_copy(update={"phase": Phase.OBSERVE_ONLY, "autonomous_families": ()})}
    )
    assert decide(watching).lane is Lane.AUTONOMOUS


@pytest.mark.parametrize("phase", [Phase.NARROW, Phase.ASSISTED, Phase.EXPANSION])
def test_a_family_that_has_not_earned_autonomy_is_held_in_every_acting_phase(release: Release, phase: Phase) -> None:
    rollout = release.rollout.model_copy(update={"phase": phase, "autonomous_families": ("billing",)})
    narrowed = release.model_copy(update={"rollout": rollout})
    assert decide(narrowed).lane is Lane.ASSISTED
    assert decide(narrowed, families=("billing",)).lane is Lane.AUTONOMOUS


def test_coverage_roll_out_halt_and_failures_only_ever_raise_over_every_matrix(release: Release) -> None:
    narrow = {"coverage": Coverage(), "families": (), "asks_human": True, "halted": True, "failures": ("model",)}
    for levels in ALL:
        matrix = matrix_of(levels)
        risk = lane_by_risk(matrix, release)[0]
        best = decide(release, matrix=matrix)
        assert best.lane is best.lane_by_risk is risk
        for name, value in narrow.items():
            decision = decide(release, matrix=matrix, **{name: value})  # type: ignore[arg-type]
            assert decision.lane_by_risk is risk
            assert decision.lane is max(risk, Lane.ASSISTED) or name == "failures"
            assert decision.lane >= risk
            assert decision.reasons
            assert max(r.lane for r in decision.reasons) is decision.lane
            assert all(r.lane > Lane.AUTONOMOUS for r in decision.reasons)


def test_a_failed_assessor_is_lane_2_and_with_missing_context_lane_3(release: Release) -> None:
    context = tuple(Trigger).index(Trigger.MISSING_CONTEXT)
    for levels in ALL:
        decision = decide(release, matrix=matrix_of(levels), failures=("model", "text_head"))
        assert decision.lane >= (Lane.HUMAN_OWNED if levels[context] > Level.LOW else Lane.ASSISTED)
        assert decision.lane >= decision.lane_by_risk


def test_the_conversations_floor_is_never_undercut(release: Release) -> None:
    for floor in Lane:
        for levels in ALL:
            decision = decide(release, matrix=matrix_of(levels), floor=floor)
            assert decision.lane is max(floor, decision.lane_by_risk)
            assert ("floor" in {r.rule for r in decision.reasons}) is (floor > Lane.AUTONOMOUS)


def test_coverage_reasons_are_empty_for_a_routine_ticket_only(release: Release) -> None:
    assert coverage_reasons(assessed(Matrix()), ROUTINE, release) == ()
    held = coverage_reasons(
        assessed(Matrix(), (), need=Need.DECISION, asks_human=True), Coverage("", False, False), release
    )
    assert [r.rule for r in held] == [
        "asks_for_a_person",
        "unknown_family",
        "no_source",
        "unverified_requester",
        "account_not_confirmed",
        "rollout",
    ]


# ── units, consequence, damage ──────────────────────────────────────────────────────────────────────────────


def test_units_come_from_the_releases_table_and_the_broadest_names_the_decision(release: Release) -> None:
    breadth = {"none": 0, "answer": 1, "action": 2, "conversation": 3}
    assert [u.value for u in UNIT_ORDER] == sorted(breadth, key=lambda word: breadth[word])
    for levels in ALL:
        decision = decide(release, matrix=matrix_of(levels))
        expected = {release.units[t].value for t, level in zip(Trigger, levels, strict=True) if level}
        if decision.lane is Lane.HUMAN_OWNED:
            expected.add("conversation")
        assert {u.value for u in decision.units} == expected
        assert len(decision.units) == len(set(decision.units))
        assert breadth[decision.unit.value] == max((breadth[w] for w in expected), default=0)


def test_each_trigger_alone_escalates_the_unit_that_its_row_names(release: Release) -> None:
    for place, trigger in enumerate(Trigger):
        levels = tuple(Level.MEDIUM if i == place else Level.LOW for i in range(6))
        decision = decide(release, matrix=matrix_of(levels))
        assert decision.lane is Lane.ASSISTED
        assert decision.units == (release.units[trigger],)


def test_a_release_may_name_other_units_and_they_are_taken(release: Release) -> None:
    other = release.model_copy(update={"units": dict.fromkeys(Trigger, Unit.ACTION)})
    assert decide(other, matrix=matrix_of((Level.HIGH, *[Level.LOW] * 5))).units == (Unit.ACTION,)


def test_consequence_and_damage_rise_with_every_factor(release: Release) -> None:
    order = list(Consequence)
    found = {levels: decide(release, matrix=matrix_of(levels)) for levels in ALL}
    for levels, decision in found.items():
        for place, level in enumerate(levels):
            if level < Level.HIGH:
                more = found[(*levels[:place], Level(level + 1), *levels[place + 1 :])]
                assert order.index(more.consequence) >= order.index(decision.consequence)
                assert set(more.damage) >= set(decision.damage)


def test_consequence_is_the_worst_row_of_the_releases_table_and_a_boundary_is_high(release: Release) -> None:
    order = ["low", "medium", "high"]
    for levels in ALL:
        rows = [
            getattr(release.consequence[t], level.word).value for t, level in zip(Trigger, levels, strict=True) if level
        ]
        decision = decide(release, matrix=matrix_of(levels))
        assert decision.consequence.value == max(rows, key=order.index, default="low")
        assert decide(release, matrix=matrix_of(levels, Boundary.MAJOR_CREDIT)).consequence is Consequence.HIGH


# ── owners and records ──────────────────────────────────────────────────────────────────────────────────────


def test_every_escalation_finds_an_owner_in_every_family(release: Release) -> None:
    queues = {rule.queue for rule in release.owner_rule}
    for levels in ALL[::5]:
        for families in [(), *((f.id,) for f in release.family)]:
            matrix = matrix_of(levels)
            decision = decide(release, matrix=matrix, families=families)
            assert owner_for(decision, matrix, release).queue in queues


@pytest.mark.parametrize(
    ("trigger", "families", "queue"),
    [
        (Trigger.SECURITY_IDENTITY, ("billing",), "access_specialist"),
        (Trigger.POLICY_SENSITIVITY, ("billing",), "billing_specialist"),
        (Trigger.POLICY_SENSITIVITY, ("contract_tier",), "contract_desk"),
        (Trigger.MISSING_CONTEXT, ("outage",), "incident_liaison"),
        (Trigger.MULTI_DOMAIN_COMPLEXITY, ("privacy_legal",), "privacy_legal"),
        (Trigger.MISSING_CONTEXT, ("feature_access",), "frontline_support"),
    ],
)
def test_the_owner_fits_what_is_at_stake(
    release: Release, trigger: Trigger, families: tuple[str, ...], queue: str
) -> None:
    matrix = matrix_of(tuple(Level.HIGH if t is trigger else Level.LOW for t in Trigger))
    assert owner_for(decide(release, matrix=matrix, families=families), matrix, release).queue == queue


def test_money_after_an_incident_goes_to_billing_with_the_account_and_the_incident_in_view(release: Release) -> None:
    matrix = matrix_of([Level.LOW] * 6, Boundary.INCIDENT_COMMERCE)
    owner = owner_for(decide(release, matrix=matrix, families=("outage",)), matrix, release)
    assert owner.queue == "billing_specialist"
    assert set(owner.visible_to) == {"customer_success", "incident_liaison"}


@given(
    levels=st.sampled_from(ALL),
    boundary=st.none() | st.sampled_from(Boundary),
    floor=st.sampled_from(Lane),
    failures=st.sampled_from([(), ("model",)]),
    families=st.sampled_from([(), FAMILY, ("billing", "outage"), ("security",)]),
)
def test_a_decision_survives_being_written_and_read(
    release: Release,
    levels: tuple[Level, ...],
    boundary: Boundary | None,
    floor: Lane,
    failures: tuple[str, ...],
    families: tuple[str, ...],
) -> None:
    decision = decide(release, matrix=matrix_of(levels, boundary), floor=floor, failures=failures, families=families)
    assert LaneDecision.from_json(decision.to_json()) == decision


@pytest.mark.parametrize("junk", ["2", True, 0, 4, None, 2.0, [], {"lane": 1}])
def test_an_unreadable_lane_in_a_record_is_read_as_lane_3(release: Release, junk: object) -> None:
    raw = decide(release).to_json() | {"lane": junk}
    assert LaneDecision.from_json(raw).lane is Lane.HUMAN_OWNED


def test_a_decision_as_json_names_its_broadest_unit_beside_all_of_them(release: Release) -> None:
    raw = decide(release, matrix=matrix_of((Level.HIGH,) * 6)).to_json()
    assert raw["unit"] == "conversation"
    assert set(raw["units"]) >= {"conversation"}  # type: ignore[call-overload]
    assert LaneDecision.from_json(raw).to_json() == raw


def test_what_makes_a_ticket_routine_is_no_reason_for_a_higher_lane(release: Release) -> None:
    for levels in ALL:
        lane, reasons = lane_by_risk(matrix_of(levels), release)
        assert ("mostly_low" in {r.rule for r in reasons}) is (lane is Lane.AUTONOMOUS)


def test_the_owner_follows_the_strongest_trigger_the_signal_and_the_lane_that_its_rule_names(release: Release) -> None:
    def chosen(levels: tuple[Level, ...], **rule: object) -> str:
        rules = tuple(
            OwnerRule.model_validate({"why": "w", **r}) for r in ({"queue": "first", **rule}, {"queue": "rest"})
        )
        changed, matrix = release.model_copy(update={"owner_rule": rules}), matrix_of(levels)
        return owner_for(decide(changed, matrix=matrix), matrix, changed).queue

    low, medium, high = Level
    mixed = (high, medium, *[low] * 4)
    assert chosen(mixed, triggers=[Trigger.POLICY_SENSITIVITY]) == "first"
    assert chosen(mixed, triggers=[Trigger.SECURITY_IDENTITY]) == "rest"
    assert chosen(mixed, signals=["made_security_identity"]) == "first"
    assert chosen(mixed, signals=["made_missing_context"]) == "rest"
    assert chosen((high, *[low] * 5), lane=2) == "first"
    assert chosen((high, *[low] * 5), lane=3) == "rest"
