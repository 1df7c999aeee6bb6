"""How policy stands, for the desk's page: what is in force, what each family may do, what waits for whom, what happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from desk.accounts.people import May, Person
from desk.policy import files
from desk.policy.releases import missing
from desk.records import Records
from guards.policy import OwnerGroup, Phase, Release
from guards.policy_diff import Change, Width, diff, groups_needed, overall
from guards.rollout import Ceiling, ceiling_of, narrower, open_families
from guards.rollout_evidence import Finding, judge
from ledger.errors import NotYetAllowed
from ledger.events import HOUSE, Event, Kind, timeline
from ledger.evidence.rollout_counts import LedgerCounts
from ledger.evidence.rollout_gate import promoted_families
from ledger.moment import Halt
from ledger.releases import Approval, InForce, Pinned, ReleaseLedger
from ledger.rollout import Hold, RolloutLedger

SHOWN_DEEDS = 30
"""Acts on policy that the page lists, the latest first."""
PHASES = (Phase.ASSISTED, Phase.NARROW, Phase.EXPANSION)
"""What a family can be promoted to."""
_KINDS = (
    Kind.RELEASE_PROPOSED,
    Kind.RELEASE_PROVEN,
    Kind.RELEASE_APPROVED,
    Kind.RELEASE_ADOPTED,
    Kind.FAMILY_HELD,
    Kind.FAMILY_LIFTED,
    Kind.FAMILY_PROMOTED,
)
WIDTHS: Mapping[Width, str] = {
    Width.WIDENS: "widens",
    Width.BOTH: "widens and narrows",
    Width.NARROWS: "narrows",
    Width.SAME: "moves nothing",
}


@dataclass(frozen=True, slots=True)
class Deed:
    """One act on policy, as the record holds it."""

    seq: int
    at: datetime
    by: str
    words: str
    reason: str


@dataclass(frozen=True, slots=True)
class FamilyStanding:
    """What one issue family may do now, and why no more."""

    id: str
    title: str
    phase: str
    """Its own in the release, else the release's."""
    allowed: Ceiling
    """By the release alone."""
    now: Ceiling
    """With what the ledger holds it to."""
    holds: tuple[Hold, ...]
    halt: Halt | None
    earned: str
    """The phase that it has shown evidence for; empty for none."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """A release that was proposed."""

    version: str
    by: str
    at: datetime
    reason: str
    in_force: bool
    was_in_force: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything that the first page shows."""

    release: Release
    in_force: InForce | None
    """None where it is in force because lanewise.toml names it."""
    families: tuple[FamilyStanding, ...]
    candidates: tuple[Proposed, ...]
    """Proposed and never in force, the newest first."""
    past: tuple[Proposed, ...]
    """Proposed, and in force at some time before."""
    back_to: tuple[str, ...]
    """What one can go back to, the release before first."""
    deeds: tuple[Deed, ...]
    mark: int
    """The last act on policy: an act of this page is refused where another has been done since."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The release in force cannot be read, and nothing leaves: what is left is to go back."""

    version: str
    back_to: tuple[str, ...]
    mark: int


def unreadable(records: Records) -> Unreadable:
    """What the record alone knows of the release in force."""
    pinned, told = ReleaseLedger(records.store).in_force(), _told(records)
    now = pinned.version if pinned is not None else ""
    return Unreadable(now, _back_to(pinned, told, now), told[-1].seq if told else 0)


def _back_to(pinned: InForce | None, told: tuple[Event, ...], now: str) -> tuple[str, ...]:
    before = [pinned.before.version] if pinned is not None and pinned.before is not None else []
    older = [p.version for p in _proposed(told, now) if p.was_in_force]
    return tuple(v for v in dict.fromkeys([*before, *older, *_replaced(told)]) if v != now)


def standing(records: Records) -> Standing:
    """As it is now. PolicyError, PolicyFileError where the release in force cannot be read."""
    release = files.release_now(records.settings, records.store)
    pinned, told = ReleaseLedger(records.store).in_force(), _told(records)
    proposed = _proposed(told, release.version)
    return Standing(
        release=release,
        in_force=pinned,
        families=tuple(_families(records, release)),
        candidates=tuple(p for p in proposed if not p.in_force and not p.was_in_force),
        past=tuple(p for p in proposed if p.was_in_force),
        back_to=_back_to(pinned, told, release.version),
        deeds=tuple(_deed(e) for e in reversed(told[-SHOWN_DEEDS:])),
        mark=told[-1].seq if told else 0,
    )


def mark_of(records: Records) -> int:
    """The last act on policy."""
    told = _told(records)
    return told[-1].seq if told else 0


def _told(records: Records) -> tuple[Event, ...]:
    with records.store.read() as conn:
        return timeline(conn, HOUSE, _KINDS)


def _proposed(told: Iterable[Event], now: str) -> list[Proposed]:
    events = tuple(told)
    used = {str(e.head["release"]) for e in events if e.kind is Kind.RELEASE_ADOPTED}
    found = {
        str(e.head["release"]): Proposed(
            version=str(e.head["release"]),
            by=e.actor,
            at=e.at,
            reason=_reason(e),
            in_force=str(e.head["release"]) == now,
            was_in_force=str(e.head["release"]) in used and str(e.head["release"]) != now,
        )
        for e in events
        if e.kind is Kind.RELEASE_PROPOSED
    }
    return list(reversed(found.values()))


def _replaced(told: Iterable[Event]) -> list[str]:
    """What was in force before something else was put in its place, the latest first."""
    adopted = [e for e in told if e.kind is Kind.RELEASE_ADOPTED and e.head.get("before")]
    return [str(e.head["before"]) for e in reversed(adopted)]


def _families(records: Records, release: Release) -> Iterable[FamilyStanding]:
    holds = RolloutLedger(records.store).holds()
    halts, earned = records.history.halts(), promoted_families(records.store)
    for family in release.family:
        mine = tuple(h for h in holds if h.family == family.id)
        allowed = now = ceiling_of(release, family.id)
        for held in mine:
            now = narrower(now, held.ceiling)
        halt = next((h for h in halts if h.family in (None, family.id)), None)
        phase = release.rollout.family_phase.get(family.id, release.rollout.phase)
        if release.rollout.family_phase and family.id not in release.rollout.family_phase:
            phase = Phase.OBSERVE_ONLY
        yield FamilyStanding(family.id, family.title, phase.value, allowed, now, mine, halt, earned.get(family.id, ""))


# ── one candidate ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class GroupNeeded:
    """One group whose approval a candidate needs."""

    group: OwnerGroup
    rules: tuple[str, ...]
    approval: Approval | None
    may: bool
    """Whether the person who looks may approve for it."""
    members: tuple[str, ...] | None
    """Those whom lanewise.toml names; None where it names nobody."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One proposed release, beside the one in force."""

    release: Release
    now: str
    """What it is compared with: the release in force, or where it is that itself, the one before."""
    proposed: Proposed
    changes: tuple[Change, ...]
    width: str
    groups: tuple[GroupNeeded, ...]
    proofs: tuple[tuple[str, bool, str], ...]
    """(name, whether it holds, what was found), of the last proof of this very text."""
    proven_at: datetime | None
    missing: tuple[str, ...]
    """What stands between it and being in force."""
    opens: tuple[str, ...]
    """Families that would be answered without a person by it, and are not now."""
    shuts: tuple[str, ...]


def candidate(records: Records, version: str, person: Person) -> Candidate:
    """A proposed release as one person sees it. NotYetAllowed where there is none; PolicyFileError, PolicyError."""
    ledger = ReleaseLedger(records.store)
    now = files.release_now(records.settings, records.store)
    proposed = next((p for p in _proposed(_told(records), now.version) if p.version == version), None)
    pinned = ledger.pinned(version)
    if proposed is None or pinned is None:
        raise NotYetAllowed(f"release {version[:60]!r} was never proposed here")
    release = files.read_pinned(records.settings, pinned)
    in_force = ledger.in_force()
    if proposed.in_force and in_force is not None and in_force.before is not None:
        now = files.read_pinned(records.settings, in_force.before)
    changes, proof = diff(now, release), ledger.proven(pinned)
    found: Mapping[str, Any] = proof.head["found"] if proof is not None else {}
    return Candidate(
        release=release,
        now=now.version,
        proposed=proposed,
        changes=changes,
        width=WIDTHS[overall(changes)],
        groups=tuple(_needed(records, changes, pinned, person)),
        proofs=tuple((name, bool(one["passed"]), str(one["told"])) for name, one in found.items()),
        proven_at=proof.at if proof is not None else None,
        missing=tuple(missing(records, release)),
        opens=tuple(sorted(open_families(release) - open_families(now))),
        shuts=tuple(sorted(open_families(now) - open_families(release))),
    )


def _needed(records: Records, changes: tuple[Change, ...], pinned: Pinned, person: Person) -> Iterable[GroupNeeded]:
    given = {a.group: a for a in ReleaseLedger(records.store).approvals(pinned)}
    for group, rules in groups_needed(changes).items():
        members = records.settings.groups.get(group)
        may = speaks_for(person, group) and (members is None or person.name in members)
        yield GroupNeeded(group, rules, given.get(group), may, members)


def speaks_for(person: Person, group: OwnerGroup) -> bool:
    """True where somebody at the desk may say yes for an owner group: a policy owner who is in it."""
    return person.may(May.OWN_POLICY) and group in person.groups


# ── one family ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class FamilyEvidence:
    """What one family has shown, held to the bars of each phase."""

    standing: FamilyStanding
    gate: tuple[tuple[tuple[Phase, ...], tuple[Finding, ...]], ...]
    """Phases that ask for the same, and what was found."""
    back_to: tuple[str, ...]
    mark: int


def family_evidence(records: Records, family: str) -> FamilyEvidence:
    """The promotion gate of one family. NotYetAllowed where the release has none of that name."""
    found = standing(records)
    mine = next((f for f in found.families if f.id == family), None)
    if mine is None:
        raise NotYetAllowed(f"release {found.release.version} has no family {family[:60]!r}")
    shown = LedgerCounts(records.store).evidence(family)
    asked: dict[tuple[Finding, ...], list[Phase]] = {}
    for phase in PHASES:
        asked.setdefault(judge(shown, found.release.promotion, phase), []).append(phase)
    gate = tuple((tuple(phases), findings) for findings, phases in asked.items())
    return FamilyEvidence(mine, gate, found.back_to, found.mark)


# ── what happened ───────────────────────────────────────────────────────────────────────────────────────────


def _deed(event: Event) -> Deed:
    return Deed(event.seq, event.at, event.actor, _words(event), _reason(event))


def _words(event: Event) -> str:
    head = event.head
    release, family = str(head.get("release", "")), str(head.get("family", "")).replace("_", " ")
    match event.kind:
        case Kind.RELEASE_PROPOSED:
            return f"proposed release {release}"
        case Kind.RELEASE_PROVEN:
            return f"held release {release} against its proofs: {'all hold' if head.get('passed') else 'not all hold'}"
        case Kind.RELEASE_APPROVED:
            return f"approved release {release} for {str(head['group']).replace('_', ' ')}"
        case Kind.RELEASE_ADOPTED:
            how = {"activated": "activated", "rolled_back": "rolled back to"}.get(str(head.get("how")), "adopted")
            return f"{how} release {release}" + (f", in place of {head['before']}" if head.get("before") else "")
        case Kind.FAMILY_HELD:
            to = str(head["ceiling"]).replace("_", " ")
            back = f", as release {release} had it" if release else ""
            return f"held {family} to {to} ({str(head['why']).replace('_', ' ')}){back}"
        case Kind.FAMILY_LIFTED:
            return f"ended the holds of {family}"
        case Kind.FAMILY_PROMOTED:
            return f"recorded that {family} has earned {str(head['to']).replace('_', ' ')}"
        case _:
            return event.kind.value.replace("_", " ")


def _reason(event: Event) -> str:
    told = event.body.json() if event.body else None
    return str(told.get("reason", "")) if isinstance(told, dict) else ""
