"""What happened to the tickets of an issue family, counted from the events for the roll-out gate and for narrowing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from math import ceil
from typing import Any, Protocol

from sqlalchemy import select

from guards.rollout_evidence import Evidence, Recent, Share
from ledger.audits.figures import audit_misses
from ledger.events import HOUSE, Kind
from ledger.rollout import MACHINE
from ledger.store import Store
from ledger.tables import events

RECONTACT = timedelta(days=7)
_KINDS = (Kind.CUSTOMER_WROTE, Kind.LANE_ASSIGNED, Kind.DELIVERED, Kind.PERSON_DECIDED)
_ANSWERS = frozenset({"answer", "approved"})
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

Audited = Callable[[str, datetime], Share]
"""Of the audited tickets of a family since a moment: those that should have gone to a person."""


class FamilyCounts(Protocol):
    """Where the gate's counts come from."""

    def evidence(self, family: str) -> Evidence:
        """All that counts for the family's promotion."""

    def recent(self, family: str, days: int) -> Recent:
        """The last days alone, and nothing from before a person widened the family last."""


@dataclass(frozen=True, slots=True)
class _Told:
    """One ticket's outcomes."""

    override: bool
    answered: bool
    recontact: bool
    useful: int
    rated: int
    agreed: int
    named: int


class LedgerCounts:
    """Counts straight from the events, a ticket at a time. A recontact is the customer's writing again in the same ticket
    within 7 days of an answer; a miss is what auditors found."""

    def __init__(self, store: Store, audited: Audited | None = None) -> None:
        """Without ``audited`` the ledger's own audits count, a disputed one as a whole miss."""
        self._store = store
        self._audited = audited or self._by_audits

    def _by_audits(self, family: str, since: datetime) -> Share:
        with self._store.read() as conn:
            found = [row for row in audit_misses(conn, since, self._store.now()) if row.name == family]
        return Share(sum(ceil(row.misses) for row in found), sum(row.audited for row in found))

    def evidence(self, family: str) -> Evidence:
        """Since the family was narrowed last, or from the beginning: what was earned before that counts no more."""
        since = self._since(family, Kind.FAMILY_HELD, MACHINE)
        told = list(self._tickets(family, since))
        return Evidence(
            misses=self._audited(family, since),
            overrides=Share(sum(t.override for t in told), len(told)),
            recontacts=Share(sum(t.recontact for t in told), sum(t.answered for t in told)),
            useful=Share(sum(t.useful for t in told), sum(t.rated for t in told)),
            agreed=Share(sum(t.agreed for t in told), sum(t.named for t in told)),
        )

    def recent(self, family: str, days: int) -> Recent:
        """As the protocol says."""
        start = self._store.now() - timedelta(days=days)
        told = list(self._tickets(family, max(start, self._since(family, Kind.FAMILY_LIFTED, None))))
        return Recent(
            Share(sum(t.override for t in told), len(told)),
            Share(sum(t.recontact for t in told), sum(t.answered for t in told)),
        )

    def _since(self, family: str, kind: Kind, actor: str | None) -> datetime:
        query = select(events).where(events.c.ticket_id == HOUSE, events.c.kind == kind.value)
        with self._store.read() as conn:
            rows = conn.execute(query.order_by(events.c.seq.desc())).all()
        mine = (r.at for r in rows if r.head["family"] == family and actor in (None, r.actor))
        return next(mine, _BEGINNING)

    def _tickets(self, family: str, since: datetime) -> Iterator[_Told]:
        query = (
            select(events.c.ticket_id, events.c.kind, events.c.at, events.c.head)
            .where(events.c.kind.in_([k.value for k in _KINDS]), events.c.at >= since)
            .order_by(events.c.ticket_id, events.c.seq)
        )
        with self._store.read() as conn:
            for _, rows in groupby(conn.execute(query), key=lambda row: row.ticket_id):
                told = list(rows)
                if any(r.kind == Kind.LANE_ASSIGNED and family in r.head.get("families", ()) for r in told):
                    yield _ticket(told)


def _ticket(rows: Sequence[Any]) -> _Told:
    decided = [r.head for r in rows if r.kind == Kind.PERSON_DECIDED]
    wrote = [r.at for r in rows if r.kind == Kind.CUSTOMER_WROTE]
    left = [r.at for r in rows if r.kind == Kind.DELIVERED and r.head.get("piece") in _ANSWERS]
    ratings = [h["rating"] for h in decided if h["decision"] == "packet_rated"]
    named = [h for h in decided if h["decision"] == "lane_named"]
    return _Told(
        override=any(h["decision"] in ("lane_changed", "rejected") for h in decided),
        answered=bool(left),
        recontact=any(at < again <= at + RECONTACT for at in left for again in wrote),
        useful=ratings.count("saved_time"),
        rated=len(ratings),
        agreed=sum(int(h["to"]) <= int(h["ours"]) for h in named),
        named=len(named),
    )


def agreement_by_triggers(store: Store) -> dict[tuple[str, ...], Share]:
    """How often people who had not seen our lane agreed with it, by the triggers that were raised together."""
    query = select(events.c.head).where(events.c.kind == Kind.PERSON_DECIDED.value)
    found: dict[tuple[str, ...], Share] = {}
    with store.read() as conn:
        for (head,) in conn.execute(query):
            if head.get("decision") == "lane_named":
                raised = tuple(sorted(head.get("raised", ())))
                held = found.get(raised, Share(0, 0))
                found[raised] = Share(held.hits + (head["to"] == head["ours"]), held.of + 1)
    return found
