"""Roll-out by issue family from the command line: what a family has shown, what it lacks, and what speaks against a rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from desk import decisions
from desk.channels.console import visible
from desk.policy import files
from desk.policy.releases import sign
from desk.records import Records
from guards.lanes import Lane
from guards.policy import Phase, Release
from guards.rollout import open_families
from guards.rollout_evidence import Evidence, Finding, Share, judge, spiked
from ledger.errors import NotYetAllowed
from ledger.evidence.backtest_rows import StoredDecisions
from ledger.evidence.rollout_counts import FamilyCounts, LedgerCounts, agreement_by_triggers
from ledger.evidence.rollout_gate import record_promotion
from ledger.evidence.suggestions import Suggestion, suggestions
from ledger.rollout import RolloutLedger

Tell = Callable[[str], None]
NARROWING_DAYS = 28
"""How far back overrides and recontacts count where nobody says otherwise."""


def promote(
    records: Records, family: str, to: str, by: str, reason: str, tell: Tell, counts: FamilyCounts | None = None
) -> int:
    """Holds a family's own evidence to the release's bars. 0 where it holds, and with ``by`` it is recorded, so that a
    release may open the family; 1 where something is missing, and how much. NotYetAllowed for an unknown name."""
    release = files.release_now(records.settings, records.store)
    phase = _phase(to)
    _known(release, family)
    evidence = (counts or LedgerCounts(records.store)).evidence(family)
    found = judge(evidence, release.promotion, phase)
    for finding in found:
        tell(_told(finding))
    for raised, share in agreement_by_triggers(records.store, family).items():
        together = " and ".join(t.replace("_", " ") for t in raised) or "no trigger"
        tell(f"    agreement where {together} was raised: {share.hits} of {share.of}")
    if lacking := [f for f in found if not f.holds]:
        tell(
            f"{family} has not earned {phase.value} yet: {len(lacking)} of {len(found)} are missing. Nothing was changed."
        )
        return 1
    if not by:
        tell(f"{family} has earned {phase.value}. Record it with --by and --reason; a release opens it then.")
        return 0
    record_promotion(records.store, family, phase.value, _plain(evidence), sign(by, reason))
    tell(f"recorded: {family} has earned {phase.value}, by {by}. It opens with the next release that names it.")
    return 0


def _phase(to: str) -> Phase:
    wanted = to.replace("-", "_")
    if wanted not in (Phase.NARROW, Phase.EXPANSION):
        drafts = (
            "; drafts need no evidence, and in phase assisted lane 1 is as in narrow" if wanted == "assisted" else ""
        )
        raise NotYetAllowed(f"--to {to[:40]}: choose narrow or expansion{drafts}")
    return Phase(wanted)


def _known(release: Release, family: str) -> None:
    if release.family_of(family) is None:
        known = ", ".join(f.id for f in release.family)
        raise NotYetAllowed(f"release {release.version} has no family {family[:60]!r}; it has {known}")


def _told(finding: Finding) -> str:
    share = finding.share
    if finding.more == 0:
        said = "holds"
    elif finding.more is None:
        said = "MISSING: no number of further good tickets would be enough; mend what they show"
    else:
        said = f"MISSING: {finding.more} more, each of them good"
    if finding.bar >= 1:
        return f"  {finding.name}: {share.of}, wanted {finding.bar:.0f}: {said}"
    return f"  {finding.name}: {share.hits} of {share.of}; exact bound {finding.bound:.3f}, bar {finding.bar:g}: {said}"


def _plain(evidence: Evidence) -> Mapping[str, list[int]]:
    shares: Mapping[str, Share] = {name: getattr(evidence, name) for name in Evidence.__slots__}
    return {name: [share.hits, share.of] for name, share in shares.items()}


def narrow(records: Records, days: int, tell: Tell, counts: FamilyCounts | None = None) -> int:
    """Holds each open family to lane 2 that has spiked, and says so. 1 where any was narrowed: somebody has to look."""
    release, seen = files.release_now(records.settings, records.store), counts or LedgerCounts(records.store)
    rollout, narrowed = RolloutLedger(records.store), 0
    for family in sorted(open_families(release)):
        lifted, recent = rollout.lifted(family), seen.recent(family, days)
        why = spiked(recent, release.promotion)
        if why is None:
            continue
        told = {"days": days, "overrides": [recent.overrides.hits, recent.overrides.of]}
        told["recontacts"] = [recent.recontacts.hits, recent.recontacts.of]
        if rollout.narrow(family, why, told, lifted) is None:
            continue
        narrowed += 1
        share = recent.overrides if why == "overrides" else recent.recontacts
        tell(
            f"NOTICE: {family} is held to lane 2 from now on: {why} in {share.hits} of {share.of} tickets in {days} days."
        )
        tell(
            f"  Its answers on their way do not leave. A person ends it: lanewise policy widen {family} --by NAME --reason WHY"
        )
    if not narrowed:
        tell("no family was narrowed")
    return 1 if narrowed else 0


def name_lane(records: Records, ticket: str, lane: int, by: str, tell: Tell) -> int:
    """Records a person's own lane, and only then tells ours. DecisionRefused."""
    done = decisions.name_lane(records.people, ticket, Lane.read(lane), sign(by, "named before ours was seen"))
    ours = int(done.head["ours"])
    tell(visible(f"Recorded: {by} would put ticket {ticket} in lane {lane}. Ours was {ours}. Nothing changes by it."))
    return 0


def suggested(records: Records) -> tuple[Suggestion, ...]:
    """Every change that people's corrections speak for, by what is stored by now."""
    release = files.release_now(records.settings, records.store)
    StoredDecisions(records.store).bring_up_to_date()
    return suggestions(records.store, release)


def suggest(records: Records, tell: Tell) -> int:
    """Tells every change that people's corrections speak for. Nothing is changed: somebody writes the release."""
    found = suggested(records)
    for one in found:
        for line in _suggested(one):
            tell(visible(line))
    tell(
        f"{len(found)} suggestion(s). A person decides: write a release, and `lanewise policy propose` it."
        if found
        else "no rule is spoken against surely enough"
    )
    return 0


def _suggested(one: Suggestion) -> list[str]:
    tested = one.tested
    return [
        f"{one.change} ({'WIDENS' if one.widens else 'narrows'})",
        f"  people corrected it in {one.share.hits} of {one.share.of} tickets they judged (surely above {one.bound:.2f}): "
        + ", ".join(one.tickets),
        f"  back-test over {tested.decisions} decisions: {tested.changed} change lane, {tested.newly_autonomous.count} newly "
        f"autonomous, {tested.contradicted.count} against what people decided, {tested.caught.count} known misses caught",
    ]
