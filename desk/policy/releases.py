"""A release's way from a file to being in force, and back: compared, proposed, proven, approved, activated, rolled back."""

from __future__ import annotations

import getpass
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from desk.accounts.people import Person
from desk.decisions import signed
from desk.errors import PolicyFileError
from desk.policy import files
from desk.records import Records, read_release
from guards.errors import PolicyError, ReleaseConflict
from guards.policy import OwnerGroup, Phase, Release, parse_release
from guards.policy_diff import Change, Width, diff, groups_needed, overall
from guards.policy_law import within_the_table
from guards.rollout import Ceiling, ceiling_of, steps_up
from ledger.decisions import Signature
from ledger.errors import NotYetAllowed
from ledger.evidence.rollout_gate import promoted_families
from ledger.releases import ACTIVATED, ADOPTED, ROLLED_BACK, Pinned, ReleaseLedger
from ledger.rollout import RolloutLedger

Tell = Callable[[str], None]
Exam = Callable[[Release], int | None]
"""Holds the workspace's exam under a release; its exit code, None where there are no cases."""


def sign(by: str, reason: str) -> Signature:
    """A person's signature on an act of the command line. DecisionRefused where a name or a reason is missing."""
    return signed(by or getpass.getuser(), reason, f"cli-{uuid.uuid4().hex}")


def pinned_of(release: Release) -> Pinned:
    """Version and digest."""
    return Pinned(release.version, release.digest)


# ── comparing ───────────────────────────────────────────────────────────────────────────────────────────────

_SIGN = {
    Width.WIDENS: "WIDENS",
    Width.BOTH: "WIDENS and narrows",
    Width.NARROWS: "narrows",
    Width.SAME: "moves nothing",
}


def show_diff(records: Records, one: str, other: str, tell: Tell) -> int:
    """Tells every rule that differs; 1 where anything widens, so that a build server can ask a person."""
    old, new = (files.find(records.settings, records.store, name) for name in (one, other))
    changes = diff(old, new)
    tell(f"release {old.version} -> {new.version}: {len(changes)} rule(s) differ")
    for change in changes:
        tell(told(change))
    for group, rules in groups_needed(changes).items():
        tell(f"approval of {group} is needed, for {len(rules)} rule(s)")
    tell(f"as a whole: {_SIGN[overall(changes)]}")
    return 1 if any(c.width in (Width.WIDENS, Width.BOTH) for c in changes) else 0


def told(change: Change) -> str:
    """A changed rule in one line, and what it was and is in two more."""
    tally = change.tally
    where = f" ({tally.wider} cells wider, {tally.narrower} narrower of {tally.cells})" if tally.cells > 1 else ""
    lines = [f"  {_SIGN[change.width]:<20} {change.rule} [{', '.join(sorted(change.groups))}]{where}"]
    lines += [f"      was: {_short(change.before)}", f"      is:  {_short(change.after)}"]
    return "\n".join(lines)


def _short(value: str | None) -> str:
    if value is None:
        return "not there"
    return value if len(value) <= 300 else f"{value[:297]}..."


# ── proposing, proving, approving ───────────────────────────────────────────────────────────────────────────


def propose(records: Records, file: Path, by: str, reason: str, tell: Tell) -> int:
    """Takes a release into the store and pins its text. ReleaseConflict, PolicyFileError, PolicyError."""
    text = file.read_text(encoding="utf-8")
    release = parse_release(text, file.name)
    store, ledger = records.store, ReleaseLedger(records.store)
    now = files.release_now(records.settings, store)
    if release.version == now.version:
        raise PolicyFileError(f"release {release.version} is in force already; give the change a version of its own")
    if release.supersedes not in (None, now.version):
        tell(f"note: it says that it supersedes {release.supersedes}; in force is {now.version}")
    ledger.propose(pinned_of(release), now.version, sign(by, reason))
    kept = files.keep(records.settings, release, text)
    changes = diff(now, release)
    tell(f"proposed: release {release.version} (digest {release.digest[:12]}), kept as {kept}")
    tell(f"{len(changes)} rule(s) differ from {now.version}; as a whole it {_SIGN[overall(changes)]}")
    for group, rules in groups_needed(changes).items():
        tell(f"  {group} has to approve {len(rules)} rule(s): {', '.join(rules[:4])}{' ...' if len(rules) > 4 else ''}")
    tell(f"Next: lanewise policy prove {release.version}")
    return 0


@dataclass(frozen=True, slots=True)
class Proof:
    """One thing that was proven of a release, or was not."""

    name: str
    passed: bool
    told: str


BackTested = Callable[[Release, Release], Proof]


def prove(records: Records, version: str, exam: Exam, tell: Tell, backtested: BackTested | None = None) -> int:
    """Holds a proposed release against the ceiling table, the stored tickets and the workspace's exam, and records what
    was found. 1 where it does not hold."""
    release, now = _proposed(records, version), files.release_now(records.settings, records.store)
    table = within_the_table(release)
    proofs = [Proof("ceiling", not table.wider, f"{table.cells} cells, {len(table.wider)} wider than the table")]
    if backtested is not None:
        proofs.append(backtested(now, release))
    code = exam(release)
    held = "no cases" if code is None else "passed" if code == 0 else f"not passed (exit {code})"
    proofs.append(Proof("exam", code in (None, 0), held))
    for proof in proofs:
        tell(f"{'holds' if proof.passed else 'DOES NOT HOLD'}: {proof.name}: {proof.told}")
    passed = all(p.passed for p in proofs)
    said = {p.name: {"passed": p.passed, "told": p.told[:280]} for p in proofs}
    ReleaseLedger(records.store).prove(pinned_of(release), passed, said, against=pinned_of(now))
    tell(f"Next: lanewise policy approve {version} --by NAME --group GROUP" if passed else "It cannot be activated so.")
    return 0 if passed else 1


def approve(
    records: Records,
    version: str,
    by: str,
    group: str,
    reason: str,
    tell: Tell,
    *,
    signed_in: Person | None = None,
    beside: str | None = None,
) -> int:
    """Records a person's yes for a group, to what the release changes of the one in force. Whoever is ``signed_in`` speaks
    for the groups of their account; a name that is only typed is held to lanewise.toml alone. ``beside`` is the digest of
    the release that a page had compared it with.

    NotYetAllowed says who may, or that another release came in force since they looked; PolicyFileError where the text was changed.
    """
    try:
        asked = OwnerGroup(group.replace("-", "_").replace(" ", "_"))
    except ValueError:
        raise PolicyFileError(f"there is no group {group[:60]!r}; choose one of {', '.join(OwnerGroup)}") from None
    release = _proposed(records, version)
    now, signature = files.release_now(records.settings, records.store), sign(by, reason or f"approved for {asked}")
    if beside not in (None, now.digest):
        raise NotYetAllowed(
            f"release {now.version} came in force since you looked: see what {version} changes of it first"
        )
    members = _members(records, asked, signature.by, signed_in)
    ReleaseLedger(records.store).approve(pinned_of(release), asked, signature, members, against=pinned_of(now))
    left = missing(records, release)
    tell(f"approved: release {version} beside {now.version}, by {signature.by} for {asked}")
    if signed_in is None:
        tell("  the name was typed, and nobody signed in: no account's groups were asked")
    for line in left:
        tell(f"  still missing: {line}")
    if not left:
        tell(f"Next: lanewise policy activate {version}")
    return 0


def _members(records: Records, group: OwnerGroup, by: str, signed_in: Person | None) -> tuple[str, ...] | None:
    """Who may speak for a group, None for anybody; where somebody is signed in, their account has to say so too."""
    members = records.settings.groups.get(group)
    if signed_in is None:
        return members
    if by != signed_in.name or group not in signed_in.groups:
        raise NotYetAllowed(
            f"{by} does not speak for {group}: `lanewise user change NAME --group {group}` gives an account that group"
        )
    return (by,) if members is None else members


def _proposed(records: Records, version: str) -> Release:
    pinned = ReleaseLedger(records.store).pinned(version)
    if pinned is None:
        raise NotYetAllowed(f"release {version[:100]} was never proposed: run `lanewise policy propose FILE` first")
    return files.read_pinned(records.settings, pinned)


# ── putting in force ────────────────────────────────────────────────────────────────────────────────────────


def missing(records: Records, release: Release) -> list[str]:
    """What stands between a proposed release and being in force, one line each."""
    ledger, now = ReleaseLedger(records.store), files.release_now(records.settings, records.store)
    found, mine, base = [], pinned_of(release), pinned_of(now)
    proof = ledger.proven(mine, against=base)
    if proof is None or proof.head.get("passed") is not True:
        stale = "" if proof or not ledger.proven(mine) else f" (the one there is was not beside {now.version})"
        found.append(f"a proof that holds: lanewise policy prove {release.version}{stale}")
    given, ever = ({a.group for a in ledger.approvals(mine, against=b)} for b in (base, None))
    for group, rules in groups_needed(diff(now, release)).items():
        if group not in given:
            stale = f" (the one there is was not beside {now.version})" if group in ever else ""
            found.append(f"approval of {group}, for {', '.join(rules[:3])}{' ...' if len(rules) > 3 else ''}{stale}")
    earned = promoted_families(records.store)
    for family, step in steps_up(now, release).items():
        # What was once recorded for `assisted` rests on drafts alone, and opens nothing.
        if earned.get(family) not in (step, Phase.EXPANSION):
            found.append(f"evidence for the family {family}: lanewise policy promote {family} --to {step}")
    return found


def activate(records: Records, version: str, by: str, reason: str, tell: Tell) -> int:
    """Puts a proposed, proven and approved release in force at once. NotYetAllowed names everything that is missing."""
    release, now = _proposed(records, version), files.release_now(records.settings, records.store)
    if left := missing(records, release):
        raise NotYetAllowed(f"release {version} cannot be activated yet. Missing: " + "; ".join(left))
    signature = sign(by, reason or "activated from the command line")
    return _switch(records, release, ACTIVATED, signature, tell, beside=pinned_of(now))


def adopt_named(records: Records, named: Release, signature: Signature, tell: Tell) -> int:
    """Puts the release that lanewise.toml names in force where another was put in force from the store. NotYetAllowed
    where it does anything but narrow and lacks what an activation asks for; ReleaseConflict, PolicyFileError."""
    ledger, now = ReleaseLedger(records.store), files.release_now(records.settings, records.store)
    held = ledger.pinned(named.version)
    if held is not None and held.digest != named.digest:
        raise ReleaseConflict(f"release {named.version} stands in the record with another text; give this one its own")
    narrows = all(change.width is Width.NARROWS for change in diff(now, named))
    if not narrows and (left := missing(records, named)):
        raise NotYetAllowed(
            f"release {named.version} does more than narrow {now.version}, which is in force. Nothing was changed. "
            f"Propose it first (`lanewise policy propose FILE`). Missing: {'; '.join(left)}"
        )
    files.keep(records.settings, named, files.text_of(records.settings.policy))
    return _switch(records, named, ADOPTED, signature, tell, beside=pinned_of(now))


def _switch(
    records: Records, release: Release, how: str, signature: Signature, tell: Tell, beside: Pinned | None = None
) -> int:
    settings, store = records.settings, records.store
    before = _outgoing(records)
    if beside is not None and (before.version, before.digest) != (beside.version, beside.digest):
        raise NotYetAllowed(
            f"release {before.version} was put in force meanwhile: prove and approve {release.version} again"
        )
    ReleaseLedger(store).put_in_force(pinned_of(release), before, how, signature)
    tell(f"In force at once: release {release.version}, by {signature.by}. Before it: {before.version}.")
    tell("What was proposed or approved under another release, and has not left, does not leave.")
    for hold in RolloutLedger(store).holds():
        tell(
            f"  {hold.family} stays held to {hold.ceiling.value.replace('_', ' ')} ({hold.why}), until a person widens it"
        )
    with suppress(PolicyError, OSError):  # in force it is already; what else is wrong there is for the next command
        if read_release(settings.policy).version != release.version:
            tell("  lanewise.toml names another release, which is not in force")
    return 0


def _outgoing(records: Records) -> Pinned:
    """The release that is in force until now, kept in the store so that a roll-back finds it; only its name where it
    cannot be read, for a roll-back must not wait for that."""
    settings, store = records.settings, records.store
    pinned = ReleaseLedger(store).in_force()
    if pinned is not None:
        return Pinned(pinned.version, pinned.digest)
    release = read_release(settings.policy)
    files.keep(settings, release, files.text_of(settings.policy))
    return pinned_of(release)


def roll_back(records: Records, version: str | None, family: str | None, by: str, reason: str, tell: Tell) -> int:
    """Goes back at once, the whole or one family. Without a version, to what was in force before. NotYetAllowed where
    there is nothing to go back to."""
    ledger, signature = ReleaseLedger(records.store), sign(by, reason or "rolled back from the command line")
    now = ledger.in_force()
    if version is None and (now is None or now.before is None):
        raise NotYetAllowed("no release was activated here, so there is none to go back to; name a VERSION")
    target = ledger.pinned(version) if version else now.before if now else None
    if target is None:
        raise NotYetAllowed(f"release {version} was never proposed and never in force here")
    if not ledger.was_in_force(target):
        raise NotYetAllowed(
            f"release {target.version} was never in force here, so there is no way back to it: `lanewise policy activate "
            f"{target.version}` says what it lacks"
        )
    release = files.read_pinned(records.settings, target)
    if family is None:
        return _switch(records, release, ROLLED_BACK, signature, tell)
    return _roll_back_family(records, release, family, signature, tell)


def _roll_back_family(records: Records, older: Release, family: str, signature: Signature, tell: Tell) -> int:
    now = files.release_now(records.settings, records.store)
    if now.family_of(family) is None:
        raise NotYetAllowed(
            f"release {now.version} has no family {family[:60]!r}; it has {', '.join(f.id for f in now.family)}"
        )
    ceiling = ceiling_of(older, family)
    RolloutLedger(records.store).roll_back(family, ceiling, older.version, signature)
    meant = {
        Ceiling.NOTHING_LEAVES: "nothing leaves in it",
        Ceiling.LANE_2: "it is held to lane 2",
        Ceiling.OPEN: "both releases open it, so new tickets are as before",
    }[ceiling]
    tell(f"At once: {family} is held to what release {older.version} allows ({meant}), by {signature.by}.")
    tell("Its answers that are on their way do not leave.")
    return 0


def widen(records: Records, family: str, by: str, reason: str, tell: Tell) -> int:
    """Ends every hold of a family; only a person can."""
    ended = RolloutLedger(records.store).lift(family, sign(by, reason))
    for hold in ended:
        tell(
            f"lifted: {hold.family} was held to {hold.ceiling.value.replace('_', ' ')} since {hold.at:%Y-%m-%d} ({hold.why})"
        )
    tell(f"{family} is as the release in force says" if ended else f"{family} was not held; nothing was changed")
    return 0


def status(records: Records, tell: Tell) -> int:
    """What is in force, since when and by whom; what every family may do, and which are held."""
    now, store = files.release_now(records.settings, records.store), records.store
    pinned = ReleaseLedger(store).in_force()
    since = f"since {pinned.at:%Y-%m-%d %H:%M} UTC, by {pinned.by}" if pinned else "as lanewise.toml names it"
    tell(f"release {now.version} ({now.rollout.phase.value}), {since}")
    held = RolloutLedger(store).ceilings()
    for family in now.family:
        said = ceiling_of(now, family.id).value.replace("_", " ")
        more = f", held to {held[family.id].value.replace('_', ' ')}" if family.id in held else ""
        tell(f"  {family.id:<20} {said}{more}")
    return 0
