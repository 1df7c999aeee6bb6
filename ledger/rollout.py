"""What the ledger holds issue families to, below what a release allows: a narrowing, or one family's roll-back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from guards.policy import Release
from guards.rollout import Ceiling, for_ticket, narrower
from ledger.decisions import Signature
from ledger.events import HOUSE, Entry, Event, Kind, append, latest, own_key, timeline
from ledger.store import Store
from ledger.words import keepable

_KINDS = (Kind.FAMILY_HELD, Kind.FAMILY_LIFTED)
MACHINE = "lanewise"
"""The actor of a narrowing that no person asked for. It never widens anything."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One family held below what the release allows."""

    seq: int
    family: str
    ceiling: Ceiling
    """``OPEN`` holds nothing back; what was decided before it is dead all the same."""
    why: str
    """A code: ``overrides``, ``recontact``, ``rolled_back``."""
    by: str
    at: datetime
    release: str
    """The older release of a roll-back; empty for a narrowing."""
    lifted: bool


class RolloutLedger:
    """Holding families, and a person's lifting of it."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        """Works on one store."""
        self._store = store

    def holds(self) -> tuple[Hold, ...]:
        """The holds in force, oldest first."""
        with self._store.read() as conn:
            return tuple(h for h in holds_of(conn) if not h.lifted)

    def ceilings(self) -> Mapping[str, Ceiling]:
        """What each held family is held to."""
        return ceilings_of(self.holds())

    def lifted(self, family: str) -> int:
        """The seq of the last time that a person ended the family's holds; 0 where nobody did."""
        with self._store.read() as conn:
            return _lifted(conn, family)

    def narrow(self, family: str, why: str, evidence: Mapping[str, object], lifted: int | None = None) -> Hold | None:
        """Holds a family to lane 2 without asking anybody; None where it is held already. ``evidence`` is counts.

        ``lifted`` is what the method of that name said before counting began: None too where a person has widened the
        family since, for their word is younger than the counts.
        """
        with self._store.write(durable=True) as conn:
            held = ceilings_of(h for h in holds_of(conn) if not h.lifted)
            if held.get(family, Ceiling.OPEN) is not Ceiling.OPEN:
                return None
            if lifted is not None and _lifted(conn, family) > lifted:
                return None
            head = {"family": family, "ceiling": Ceiling.LANE_2.value, "why": why, "release": "", "evidence": evidence}
            return self._tell(conn, head, MACHINE, f"{why} rose above what the family was promoted with")

    def roll_back(self, family: str, to: Ceiling, release: str, sign: Signature) -> Hold:
        """Holds a family to what an older release allowed in it. What was decided before it does not leave."""
        head = {"family": keepable(family), "ceiling": to.value, "why": "rolled_back", "release": release[:100]}
        with self._store.write(durable=True) as conn:
            return self._tell(conn, head, sign.by, sign.reason)

    def lift(self, family: str, sign: Signature) -> tuple[Hold, ...]:
        """Ends every hold of a family, by a person's word; returns those that ended. What died with them stays dead."""
        with self._store.write(durable=True) as conn:
            ended = tuple(h for h in holds_of(conn) if h.family == family and not h.lifted)
            if ended:
                entry = Entry(Kind.FAMILY_LIFTED, self._key(sign.key), {"family": family}, {"reason": sign.reason})
                append(conn, HOUSE, entry, at=self._store.now(), actor=sign.by)
            return ended

    def _tell(self, conn: Connection, head: Mapping[str, object], by: str, reason: str) -> Hold:
        entry = Entry(Kind.FAMILY_HELD, self._key("held"), head, {"reason": reason})
        now = self._store.now()
        seq = append(conn, HOUSE, entry, at=now, actor=by).seq
        return Hold(
            seq,
            str(head["family"]),
            Ceiling(str(head["ceiling"])),
            str(head["why"]),
            by,
            now,
            str(head["release"]),
            False,
        )

    def _key(self, name: str) -> str:
        return own_key(f"house/{name}/{self._store.new_id()}")


def holds_of(conn: Connection) -> tuple[Hold, ...]:
    """Every hold there ever was, oldest first: the record itself is what is asked, so no row can be put beside it."""
    found: list[Hold] = []
    lifted: dict[str, int] = {}
    told = timeline(conn, HOUSE, _KINDS)
    for event in told:
        if event.kind is Kind.FAMILY_LIFTED:
            lifted[str(event.head["family"])] = event.seq
    for event in told:
        if event.kind is Kind.FAMILY_HELD:
            found.append(_hold(event, lifted.get(str(event.head["family"]), 0) > event.seq))
    return tuple(found)


def _lifted(conn: Connection, family: str) -> int:
    mine = (e.seq for e in timeline(conn, HOUSE, [Kind.FAMILY_LIFTED]) if e.head["family"] == family)
    return max(mine, default=0)


def ceilings_of(holds: Iterable[Hold]) -> dict[str, Ceiling]:
    """The narrowest ceiling of each family among these holds."""
    found: dict[str, Ceiling] = {}
    for held in holds:
        found[held.family] = narrower(found.get(held.family, Ceiling.OPEN), held.ceiling)
    return found


def ceiling_at(conn: Connection, families: frozenset[str], since: int) -> Ceiling:
    """The most that holds leave to a ticket of these families whose lane was assigned at ``since``: those in force, and
    those that came after it, lifted or not. A hold that came after it takes lane 1 away, whatever it holds to."""
    found = Ceiling.OPEN
    for held in holds_of(conn):
        if held.family not in families:
            continue
        if held.seq > since:
            found = narrower(found, narrower(held.ceiling, Ceiling.LANE_2))
        elif not held.lifted:
            found = narrower(found, held.ceiling)
    return found


def narrowed(conn: Connection, ticket: str, release: Release) -> Release:
    """The release as it applies to a ticket now."""
    held = ceilings_of(h for h in holds_of(conn) if not h.lifted)
    if not held and not release.rollout.family_phase:
        return release
    assigned = latest(conn, ticket, Kind.LANE_ASSIGNED)
    families = tuple(str(f) for f in assigned.head.get("families", [])) if assigned else ()
    return for_ticket(release, families, held)


def _hold(event: Event, lifted: bool) -> Hold:
    head = event.head
    return Hold(
        event.seq,
        str(head["family"]),
        Ceiling(str(head["ceiling"])),
        str(head["why"]),
        event.actor,
        event.at,
        str(head.get("release", "")),
        lifted,
    )
