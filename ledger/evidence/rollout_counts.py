"""What the tickets of an issue family show, for the roll-out gate and for narrowing: the scorecard's own figures of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection

from guards.rollout_evidence import Evidence, Recent, Share
from ledger.audits.figures import audited, families_of
from ledger.audits.verdicts import standings
from ledger.decisions import DecisionKind
from ledger.events import HOUSE, Kind, timeline
from ledger.named_lanes import foreseen_misses
from ledger.rollout import MACHINE
from ledger.scorecard.metrics import BY_ID
from ledger.scorecard.projecting import catch_up
from ledger.scorecard.reading import count, touching
from ledger.spans import in_span, span_of
from ledger.store import Store

_BEGINNING, _END = datetime(1970, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_OVERRIDE, _RECONTACT, _USEFUL = BY_ID["override"], BY_ID["recontact"], BY_ID["packet_usefulness"]

Audited = Callable[[str, datetime], Share]
"""Of the audited tickets of a family since a moment: those that should have gone to a person."""


class FamilyCounts(Protocol):
    """Where the gate's counts come from."""

    def evidence(self, family: str) -> Evidence:
        """All that counts for the family's promotion."""

    def recent(self, family: str, days: int) -> Recent:
        """The last days alone, and nothing from before a person widened the family last."""


@dataclass(frozen=True, slots=True)
class _Named:
    """A lane that a person named before they saw ours."""

    agrees: bool
    raised: tuple[str, ...]
    """The triggers that we had above low."""


class LedgerCounts:
    """Counts of one ledger. A ticket counts in each family that it ever touched, and, as in the scorecard, from the moment
    on at which its customer first wrote."""

    def __init__(self, store: Store, audited: Audited | None = None) -> None:
        """Without ``audited`` the ledger's own audits count, a disputed one as a whole miss."""
        self._store = store
        self._audited = audited or self._by_audits

    def evidence(self, family: str) -> Evidence:
        """Since the family was narrowed last, or from the beginning: what was earned before that counts no more."""
        catch_up(self._store)
        with self._store.read() as conn:
            since = _narrowed(conn, family)
            told = touching(conn, family, since, self._store.now())
            named = _named(conn, family, since)
        return Evidence(
            foreseen=foreseen_misses(self._store, family, since),
            misses=self._audited(family, since),
            overrides=Share(*count(told, _OVERRIDE)),
            recontacts=Share(*count(told, _RECONTACT)),
            useful=Share(*count(told, _USEFUL)),
            agreed=Share(sum(n.agrees for n in named), len(named)),
        )

    def recent(self, family: str, days: int) -> Recent:
        """As the protocol says."""
        catch_up(self._store)
        now = self._store.now()
        with self._store.read() as conn:
            told = touching(conn, family, max(now - timedelta(days=days), _lifted(conn, family)), now)
        return Recent(Share(*count(told, _OVERRIDE)), Share(*count(told, _RECONTACT, so_far=True)))

    def _by_audits(self, family: str, since: datetime) -> Share:
        now = self._store.now()
        with self._store.read() as conn:
            held = [a for a in audited(standings(conn, now, since, now)) if family in families_of(a.audit)]
        return Share(sum(a.miss > 0 for a in held), len(held))


def agreement_by_triggers(store: Store, family: str) -> Mapping[tuple[str, ...], Share]:
    """``Evidence.agreed`` of a family, by the triggers that were raised together."""
    with store.read() as conn:
        named = _named(conn, family, _narrowed(conn, family))
    found: dict[tuple[str, ...], list[bool]] = {}
    for one in named:
        found.setdefault(one.raised, []).append(one.agrees)
    return {raised: Share(sum(held), len(held)) for raised, held in sorted(found.items())}


def _named(conn: Connection, family: str, since: datetime) -> list[_Named]:
    """The lanes that people named of the family's tickets since a moment."""
    decided = (e.head for e in in_span(conn, span_of(conn, since, _END), [Kind.PERSON_DECIDED]))
    heads = (h for h in decided if h.get("decision") == DecisionKind.LANE_NAMED and family in h["families"])
    return [_Named(int(h["to"]) <= int(h["ours"]), tuple(sorted(h["raised"]))) for h in heads]


def _narrowed(conn: Connection, family: str) -> datetime:
    """When a machine narrowed the family last."""
    held = (e for e in timeline(conn, HOUSE, [Kind.FAMILY_HELD]) if e.actor == MACHINE)
    return max((e.at for e in held if e.head["family"] == family), default=_BEGINNING)


def _lifted(conn: Connection, family: str) -> datetime:
    """When a person widened the family last."""
    ended = timeline(conn, HOUSE, [Kind.FAMILY_LIFTED])
    return max((e.at for e in ended if e.head["family"] == family), default=_BEGINNING)
