"""The life of a policy release: proposed, proven, approved by its rules' owners, in force, rolled back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from guards.errors import ReleaseConflict
from guards.policy import OwnerGroup
from ledger.decisions import Signature
from ledger.errors import NotYetAllowed
from ledger.events import HOUSE, Entry, Event, Kind, append, by_key, latest, own_key, timeline
from ledger.store import Store

ACTIVATED, ROLLED_BACK, ADOPTED = "activated", "rolled_back", "adopted"
_BY_RELEASE = frozenset({ACTIVATED, ROLLED_BACK, ADOPTED})


@dataclass(frozen=True, slots=True)
class Pinned:
    """A release by its version and the digest of its text."""

    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class InForce(Pinned):
    """The release that a person put in force from the store of releases."""

    seq: int
    by: str
    at: datetime
    before: Pinned | None
    """What was in force until then."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A group's yes to a release."""

    group: OwnerGroup
    by: str
    at: datetime


class ReleaseLedger:
    """Everything that people do with releases. Each act is signed, and one house event."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        """Works on one store."""
        self._store = store

    def propose(self, release: Pinned, supersedes: str, sign: Signature) -> None:
        """Pins a version to a text for good. Told twice, the first stands; ReleaseConflict for another text."""
        head = {"release": release.version, "digest": release.digest, "supersedes": supersedes}
        entry = Entry(Kind.RELEASE_PROPOSED, _key(release.version), head, {"reason": sign.reason})
        with self._store.write(durable=True) as conn:
            self._same(conn, release)
            append(conn, HOUSE, entry, at=self._store.now(), actor=sign.by)

    def pinned(self, version: str) -> Pinned | None:
        """The text that a version stands for: as it was proposed, or as it was when another one took its place."""
        with self._store.read() as conn:
            return _pinned(conn, version)

    def was_in_force(self, release: Pinned) -> bool:
        """Whether this very text was ever put in force here, or was in force when another took its place."""
        with self._store.read() as conn:
            told = [e.head for e in timeline(conn, HOUSE, [Kind.RELEASE_ADOPTED])]
        asked = (release.version, release.digest)
        return any(asked in ((h["release"], h["digest"]), (h.get("before"), h.get("before_digest"))) for h in told)

    def prove(self, release: Pinned, passed: bool, found: Mapping[str, Any], *, against: Pinned | None = None) -> None:
        """Records what the proofs of a proposed release found, beside ``against``, the release in force that they
        compared it with. NotYetAllowed, ReleaseConflict."""
        head = {"release": release.version, "digest": release.digest, "passed": passed, "found": found}
        head |= _base(against)
        self._write(Kind.RELEASE_PROVEN, release, head, "lanewise", "")

    def proven(self, release: Pinned, *, against: Pinned | None = None) -> Event | None:
        """The last proof of this very text; None where it was never proven. With ``against``, the last that compared it
        with that text."""
        with self._store.read() as conn:
            told = [e for e in timeline(conn, HOUSE, [Kind.RELEASE_PROVEN]) if _is_of(e, release, against)]
        return told[-1] if told else None

    def approve(
        self,
        release: Pinned,
        group: OwnerGroup,
        sign: Signature,
        members: Collection[str] | None,
        *,
        against: Pinned | None = None,
    ) -> None:
        """A person's yes in the name of a group, to what the release changes of ``against``, the one in force. ``members``
        are the group's, where the settings name any.

        NotYetAllowed where they are no member, or where nobody is named and they have spoken for another group.
        """
        if members is not None and sign.by not in members:
            raise NotYetAllowed(
                f"{sign.by} is not a member of {group} (lanewise.toml, policy.groups); ask {', '.join(sorted(members)) or 'to name one'}"
            )
        other = next((a.group for a in self.approvals(release) if a.by == sign.by and a.group is not group), None)
        if members is None and other is not None:
            raise NotYetAllowed(
                f"{sign.by} has approved {release.version} for {other} already, and stands for one group only. Name the "
                "members of both in lanewise.toml (policy.groups), or ask somebody else"
            )
        head = {"release": release.version, "digest": release.digest, "group": group.value} | _base(against)
        self._write(Kind.RELEASE_APPROVED, release, head, sign.by, sign.reason)

    def approvals(self, release: Pinned, *, against: Pinned | None = None) -> tuple[Approval, ...]:
        """Who has approved this very text, and for whom; the first of each group. With ``against``, only those who
        approved what it changes of that text."""
        with self._store.read() as conn:
            told = [e for e in timeline(conn, HOUSE, [Kind.RELEASE_APPROVED]) if _is_of(e, release, against)]
        found: dict[OwnerGroup, Approval] = {}
        for event in told:
            group = OwnerGroup(str(event.head["group"]))
            found.setdefault(group, Approval(group, event.actor, event.at))
        return tuple(found.values())

    def put_in_force(self, release: Pinned, before: Pinned, how: str, sign: Signature) -> InForce:
        """Makes it the release in force, from this commit on. The rights of the one before are dead by it. NotYetAllowed
        where another than ``before`` is in force by now; a roll-back waits for nobody."""
        head = {
            "release": release.version,
            "digest": release.digest,
            "how": how,
            "before": before.version,
            "before_digest": before.digest,
        }
        entry = Entry(Kind.RELEASE_ADOPTED, self._fresh(sign.key), head, {"reason": sign.reason})
        with self._store.write(durable=True) as conn:
            now = in_force(conn)
            if now is not None and how != ROLLED_BACK and (now.version, now.digest) != (before.version, before.digest):
                raise NotYetAllowed(
                    f"release {now.version} was put in force by {now.by} meanwhile, and {release.version} was compared "
                    f"with {before.version}: prove and approve it again"
                )
            append(conn, HOUSE, entry, at=self._store.now(), actor=sign.by)
            found = in_force(conn)
        assert found is not None
        return found

    def in_force(self) -> InForce | None:
        """The release in force; None where none was activated, and the one that lanewise.toml names counts."""
        with self._store.read() as conn:
            return in_force(conn)

    def _write(self, kind: Kind, release: Pinned, head: Mapping[str, Any], by: str, reason: str) -> None:
        entry = Entry(kind, self._fresh(release.version), head, {"reason": reason} if reason else None)
        with self._store.write(durable=True) as conn:
            if self._same(conn, release) is None:
                raise NotYetAllowed(
                    f"release {release.version} was never proposed: run `lanewise policy propose` first"
                )
            append(conn, HOUSE, entry, at=self._store.now(), actor=by)

    def _same(self, conn: Connection, release: Pinned) -> Pinned | None:
        held = _pinned(conn, release.version)
        if held is not None and held.digest != release.digest:
            raise ReleaseConflict(
                f"release {release.version} stands in the record with another text (digest {held.digest[:12]}, this one is "
                f"{release.digest[:12]}). Give the changed text a version of its own"
            )
        return held

    def _fresh(self, name: str) -> str:
        return own_key(f"house/{name}/{self._store.new_id()}")


def in_force(conn: Connection) -> InForce | None:
    """As ``ReleaseLedger.in_force``: the moment of effect asks in its own transaction."""
    event = latest(conn, HOUSE, Kind.RELEASE_ADOPTED)
    if event is None or event.head.get("how") not in _BY_RELEASE:
        return None
    head = event.head
    before = Pinned(str(head["before"]), str(head["before_digest"])) if head.get("before") else None
    return InForce(str(head["release"]), str(head["digest"]), event.seq, event.actor, event.at, before)


def release_now(conn: Connection, version: str, digest: str, born: int | None) -> str:
    """The release in force, for one who holds ``version``; empty where that is not in force, or where one was put in
    force after ``born``, the seq of what asks: what is put in force again does not bring back what died before."""
    now = in_force(conn)
    if now is None:
        return version
    same = (now.version, now.digest) == (version, digest or now.digest)
    return version if same and (born is None or born > now.seq) else ""


def _pinned(conn: Connection, version: str) -> Pinned | None:
    proposed = by_key(conn, HOUSE, _key(version))
    if proposed is not None:
        return Pinned(version, str(proposed.head["digest"]))
    for event in reversed(timeline(conn, HOUSE, [Kind.RELEASE_ADOPTED])):
        if event.head.get("before") == version:
            return Pinned(version, str(event.head["before_digest"]))
    return None


def _is_of(event: Event, release: Pinned, against: Pinned | None) -> bool:
    head = event.head
    # What does not say with which release it compared covers none: it is asked for again.
    based = against is None or (head.get("against"), head.get("against_digest")) == (against.version, against.digest)
    return based and (head["release"], head["digest"]) == (release.version, release.digest)


def _base(against: Pinned | None) -> dict[str, str]:
    return {} if against is None else {"against": against.version, "against_digest": against.digest}


def _key(version: str) -> str:
    return own_key(f"release/{version}")
