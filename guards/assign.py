"""Assigns a lane: the whole law as one commented table, read from top to bottom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from guards.assess import Assessment
from guards.lanes import Consequence, Lane, LaneDecision, Reason, Unit
from guards.policy import OwnerRule, Release
from guards.rollout import hold
from guards.triggers import Level, Matrix, Trigger


@dataclass(frozen=True, slots=True)
class Coverage:
    """The positive reasons that lane 1 needs; without them a low-risk ticket is not routine."""

    source: str = ""
    """The approved, current, public article or confirmed fact that answers; empty where none does."""
    account_confirmed: bool = True
    """Account facts are confirmed where they matter to this answer."""
    requester_verified: bool = True
    """The requester may be told account facts where the answer needs them."""


RiskRow: TypeAlias = tuple[str, Lane, Callable[[Matrix, int], bool], str]

_SECURITY, _POLICY = Trigger.SECURITY_IDENTITY, Trigger.POLICY_SENSITIVITY
_ACTION, _CONTEXT = Trigger.ACTION_IRREVERSIBILITY, Trigger.MISSING_CONTEXT

# Every row that applies is kept as a reason; the highest lane among them is the lane. The order is the article's.
RISK: tuple[RiskRow, ...] = (
    # Security-sensitive cases are human-owned: we do not improvise with access, however ordinary the words.
    (
        "security_high",
        Lane.HUMAN_OWNED,
        lambda m, n: m.level(_SECURITY) is Level.HIGH,
        "it touches access, identity or suspicious activity, and only a person may handle that",
    ),
    # Contract interpretation, severe dissatisfaction, major credits, incident-linked commerce, legal, executive.
    (
        "outright_boundary",
        Lane.HUMAN_OWNED,
        lambda m, n: bool(m.boundaries),
        "it crosses a line that we always give to a person",
    ),
    # No decisive context: we would have to guess.
    (
        "no_decisive_context",
        Lane.HUMAN_OWNED,
        lambda m, n: m.level(_CONTEXT) is Level.HIGH,
        "a fact that decides it could not be confirmed",
    ),
    # Several mediums together escalate ownership, not just wording (a high counts as at least a medium).
    (
        "several_mediums",
        Lane.HUMAN_OWNED,
        lambda m, n: len(m.at_least(Level.MEDIUM)) >= n,
        "several things about it need care at once, so one person should own the whole",
    ),
    # Any high on security, policy or irreversible action: a person at minimum.
    (
        "policy_high",
        Lane.ASSISTED,
        lambda m, n: m.level(_POLICY) is Level.HIGH,
        "it asks for a decision on money or terms that only a person may take",
    ),
    (
        "action_high",
        Lane.ASSISTED,
        lambda m, n: m.level(_ACTION) is Level.HIGH,
        "it asks for a step that is hard to undo, so a person decides on it",
    ),
    # Another high alone: reviewed.
    (
        "another_high",
        Lane.ASSISTED,
        lambda m, n: any(m.level(t) is Level.HIGH for t in Trigger if t not in (_SECURITY, _POLICY, _ACTION)),
        "one thing about it weighs heavily, so a person reads the answer first",
    ),
    # One medium and no high: assisted, a light review (more than one too, where a release calls for three to be several).
    (
        "one_medium",
        Lane.ASSISTED,
        lambda m, n: 1 <= len(m.at_least(Level.MEDIUM)) < n,
        "one thing about it needs a person's eye before we answer",
    ),
    # Mostly low: autonomous handling may be acceptable, if lane 1's own reasons are there too.
    ("mostly_low", Lane.AUTONOMOUS, lambda m, n: True, "nothing about it needs a person's judgement"),
)


def lane_by_risk(matrix: Matrix, release: Release) -> tuple[Lane, tuple[Reason, ...]]:
    """What the triggers alone demand, with every row that applied."""
    rows = [
        Reason(rule, words, lane) for rule, lane, applies, words in RISK if applies(matrix, release.several_mediums)
    ]
    lane = max(r.lane for r in rows)
    return lane, tuple(r for r in rows if lane is Lane.AUTONOMOUS or r.lane > Lane.AUTONOMOUS)


def coverage_reasons(assessment: Assessment, coverage: Coverage, release: Release) -> tuple[Reason, ...]:
    """Why a low-risk ticket is still not routine: unknown is not routine, and a request for a person is honoured."""
    two = Lane.ASSISTED
    rows = (
        ("asks_for_a_person", assessment.asks_human, "the customer asked for a person"),
        (
            "unknown_family",
            not assessment.families,
            "we do not know this kind of question, and unknown is not routine",
        ),
        ("no_source", not coverage.source, "no approved public source answers it"),
        (
            "unverified_requester",
            assessment.account_needed() and not coverage.requester_verified,
            "it concerns an account, and who is asking is not verified",
        ),
        (
            "account_not_confirmed",
            assessment.account_needed() and not coverage.account_confirmed,
            "it depends on an account fact that is not confirmed",
        ),
    )
    held = [Reason(rule, words, two) for rule, applies, words in rows if applies]
    if reason := hold(release, assessment.families):
        held.append(reason)
    return tuple(held)


def assign(
    assessment: Assessment,
    coverage: Coverage,
    release: Release,
    *,
    failures: tuple[str, ...] = (),
    floor: Lane = Lane.AUTONOMOUS,
    halted: bool = False,
) -> LaneDecision:
    """The lane, its units and its reasons.

    ``failures`` names assessors that were configured and did not answer: at least lane 2, and lane 3 where
    decisive context is missing too. ``floor`` is the conversation's floor in the ledger.
    """
    risk, reasons = lane_by_risk(assessment.matrix, release)
    more = list(coverage_reasons(assessment, coverage, release))
    if failures:
        blind = assessment.matrix.level(_CONTEXT) > Level.LOW
        lane = Lane.HUMAN_OWNED if blind else Lane.ASSISTED
        more.append(Reason("assessor_failed", "we could not finish reading it by machine", lane))
    if halted:
        more.append(Reason("halted", "automatic answers are switched off at the moment", Lane.ASSISTED))
    if floor > Lane.AUTONOMOUS:
        more.append(Reason("floor", "this conversation already belongs to a person", floor))
    lane = max((risk, *(r.lane for r in more)))
    if lane > Lane.AUTONOMOUS:
        reasons = tuple(r for r in (*reasons, *more) if r.lane > Lane.AUTONOMOUS)
    return LaneDecision(
        lane=lane,
        lane_by_risk=risk,
        units=_units(assessment.matrix, lane, release),
        consequence=_consequence(assessment.matrix, release),
        damage=_damage(assessment.matrix, release),
        reasons=reasons,
        families=assessment.families,
        policy_version=release.version,
    )


def _units(matrix: Matrix, lane: Lane, release: Release) -> tuple[Unit, ...]:
    if lane is Lane.AUTONOMOUS:
        return ()
    units = {release.units[t] for t in matrix.at_least(Level.MEDIUM)} or {Unit.ANSWER}
    if lane is Lane.HUMAN_OWNED:
        units.add(Unit.CONVERSATION)
    return tuple(u for u in Unit if u in units)


def _consequence(matrix: Matrix, release: Release) -> Consequence:
    order = list(Consequence)
    worst = Consequence.HIGH if matrix.boundaries else Consequence.LOW
    for trigger, row in release.consequence.items():
        level = matrix.level(trigger)
        found = row.high if level is Level.HIGH else row.medium if level is Level.MEDIUM else Consequence.LOW
        worst = max(worst, found, key=order.index)
    return worst


def _damage(matrix: Matrix, release: Release) -> tuple[str, ...]:
    kinds = [kind for t in matrix.at_least(Level.MEDIUM) for kind in release.damage[t]]
    return tuple(dict.fromkeys(kinds))


def owner_for(decision: LaneDecision, matrix: Matrix, release: Release) -> OwnerRule:
    """Who should own the escalation: the first rule that fits. The last rule always does."""
    fired = {s.id for s in matrix.signals}
    # The owner follows the strongest triggers; a weaker one beside them is for the packet to tell.
    top = max((matrix.level(t) for t in Trigger), default=Level.LOW)
    raised = set(matrix.at_least(max(top, Level.MEDIUM)))
    crossed = set(matrix.boundaries)

    def fits(rule: OwnerRule) -> bool:
        return (
            (not rule.families or bool(set(rule.families) & set(decision.families)))
            and (not rule.boundaries or bool(set(rule.boundaries) & crossed))
            and (not rule.triggers or bool(set(rule.triggers) & raised))
            and (not rule.signals or bool(set(rule.signals) & fired))
            and (rule.lane is None or rule.lane == decision.lane)
        )

    return next(rule for rule in release.owner_rule if fits(rule))
