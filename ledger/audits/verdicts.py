"""What auditors say of a ticket, each without knowing what the other said."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, select

from guards.triggers import Trigger
from ledger.audits.drawing import Audit, Draw, draws, find
from ledger.errors import CannotJudge, Unsigned
from ledger.events import Entry, Kind, append, not_before, own_key
from ledger.store import Store
from ledger.tables import bodies, events, tickets
from ledger.words import keepable

BLIND_FOR = timedelta(days=14)
"""How long the first of two verdicts waits, unseen, for the second. Then it counts alone: a miss must not wait for good."""
NOTE_LIMIT = 20_000
"""Most characters of a note."""


class Fault(StrEnum):
    """Where the fault lay."""

    WORDING = "wording"
    """The lane was right or nearly so; what was said was not."""
    BOUNDARY = "boundary"
    """The signals were there, and the rules drew the line in the wrong place."""
    MISSING_SIGNAL = "missing_signal"
    """Nothing that the house looks at could have told."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an auditor is about to say."""

    escalate: bool
    """Whether the ticket should have gone to a person."""
    triggers: tuple[Trigger, ...] = ()
    """Which triggers should have fired, or fired higher."""
    fault: Fault = Fault.NONE
    note: str = ""
    """Free words; they are erased with the ticket's own."""

    def check(self) -> None:
        """CannotJudge where the parts contradict each other."""
        if self.escalate and self.fault is Fault.NONE:
            raise CannotJudge(
                "a ticket that should have escalated has a fault: name wording, boundary or missing_signal. Nothing was recorded."
            )
        if not self.escalate and self.triggers:
            raise CannotJudge(
                "a ticket that need not have escalated has no trigger that should have fired. Nothing was recorded."
            )
        if len(self.note) > NOTE_LIMIT:
            raise CannotJudge(
                f"a note has at most {NOTE_LIMIT} characters, not {len(self.note)}. Nothing was recorded."
            )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one auditor said."""

    seq: int
    by: str
    at: datetime
    escalate: bool
    triggers: tuple[Trigger, ...]
    fault: Fault
    note: str | None
    """None where there was none, or where it was erased."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an audit has come. Whoever shows one to an auditor shows ``seen_by`` of it and nothing else."""

    audit: Audit
    draw: Draw
    verdicts: tuple[Verdict, ...]
    """In the order they were given. While ``open`` they are nobody's business but their givers'."""
    erased: bool
    """True where the ticket's words were erased: nobody can judge it any more."""
    settled_at: datetime | None
    """Since when its verdicts count; None while one is still to come, or none came before the erasure."""

    @property
    def open(self) -> bool:
        """True while a verdict is still to come. What is open counts in no figure."""
        return self.settled_at is None

    @property
    def judged(self) -> bool:
        """True where its verdicts count."""
        return bool(self.verdicts) and not self.open

    @property
    def miss(self) -> float:
        """1 for a ticket that should have escalated, 0 for one that should not, one half where two auditors disagree."""
        return sum(v.escalate for v in self.verdicts) / len(self.verdicts)

    def of(self, by: str) -> Verdict | None:
        """What this auditor said; None where they have not."""
        return next((v for v in self.verdicts if _name(v.by) == _name(by)), None)

    def wants(self, by: str) -> bool:
        """True where this auditor's verdict is still to come."""
        return self.open and not self.erased and self.of(by) is None

    def seen_by(self, by: str) -> tuple[Verdict, ...]:
        """The verdicts this person may see: all once nothing is to come, else their own."""
        return self.verdicts if not self.open else tuple(v for v in self.verdicts if _name(v.by) == _name(by))


def judge(store: Store, audit: str, by: str, said: Judgement) -> Standing:
    """Records a verdict. It is given once and never changed: CannotJudge for a second one of the same person that says
    something else, where no verdict is wanted any more, and where the words were erased. UnknownAudit, Unsigned."""
    said.check()
    who = keepable(by).strip()
    if not who or len(who) > 200:
        raise Unsigned("a verdict needs the name of who gives it, of at most 200 characters")
    head = {
        "audit": audit,
        "escalate": said.escalate,
        "triggers": [t.value for t in said.triggers],
        "fault": said.fault.value,
    }
    with store.write(durable=True) as conn:
        drawn, one = find(conn, audit)
        now = not_before(conn, store.now())
        held = _standing(conn, drawn, one, now)
        _may_judge(held, who, head)
        note = {"note": keepable(said.note)} if said.note.strip() else None
        entry = Entry(Kind.AUDIT_JUDGED, own_key(f"audit/{audit}/{_name(who)}"), head, note)
        append(conn, one.ticket, entry, at=now, actor=who)
        return _standing(conn, drawn, one, now)


def standing(conn: Connection, audit: str, now: datetime) -> Standing:
    """How far one audit has come. UnknownAudit."""
    drawn, one = find(conn, audit)
    return _standing(conn, drawn, one, now)


def standings(
    conn: Connection, now: datetime | None = None, since: datetime | None = None, until: datetime | None = None
) -> tuple[Standing, ...]:
    """How far every audit of the weeks that begin in a stretch of time has come; ``now`` is the moment of the ledger's
    last event where none is named."""
    held = draws(conn, since, until)
    moment = now or not_before(conn, datetime.min.replace(tzinfo=UTC))
    asked = sorted({a.ticket for d in held for a in d.audits})
    told = _given(conn, asked)
    gone = _erased(conn, asked)
    return tuple(_made(d, a, told.get(a.id, ()), gone.get(a.ticket), moment) for d in held for a in d.audits)


def next_for(conn: Connection, by: str, now: datetime) -> Standing | None:
    """The audit that this auditor should judge next; None where nothing waits for them."""
    return next(iter(waiting_for(standings(conn, now), by)), None)


def waiting_for(held: Iterable[Standing], by: str) -> tuple[Standing, ...]:
    """Those that wait for this auditor's verdict, of the oldest week first.

    Within a week each auditor goes through it in an order of their own, so that two seldom read the same ticket at once,
    and the order tells nothing of what somebody else has judged.
    """

    def place(one: Standing) -> tuple[datetime, str]:
        return one.draw.since, hashlib.sha256(f"{_name(by)}/{one.audit.id}".encode()).hexdigest()

    return tuple(sorted((s for s in held if s.wants(by)), key=place))


_GONE = select(tickets.c.id, tickets.c.erased_at).where(
    tickets.c.id.in_(bindparam("tickets", expanding=True)), tickets.c.erased_at.is_not(None)
)
_AT_ONCE = 400


def _erased(conn: Connection, asked: Sequence[str]) -> dict[str, datetime]:
    """When each ticket that was erased was."""
    found: dict[str, datetime] = {}
    for start in range(0, len(asked), _AT_ONCE):
        rows = conn.execute(_GONE, {"tickets": asked[start : start + _AT_ONCE]})
        found.update((row.id, row.erased_at) for row in rows)
    return found


_TOLD = (
    select(events.c.seq, events.c.ticket_id, events.c.actor, events.c.at, events.c.head, bodies.c.text)
    .outerjoin(bodies, bodies.c.id == events.c.body_id)
    .where(events.c.ticket_id.in_(bindparam("tickets", expanding=True)), events.c.kind == Kind.AUDIT_JUDGED.value)
    .order_by(events.c.seq)
)


def _given(conn: Connection, asked: Sequence[str]) -> dict[str, list[Verdict]]:
    """The verdicts on some tickets, in order, by audit."""
    found: dict[str, list[Verdict]] = {}
    for start in range(0, len(asked), _AT_ONCE):
        for row in conn.execute(_TOLD, {"tickets": asked[start : start + _AT_ONCE]}):
            said = _verdict(row.seq, row.actor, row.at, row.head, row.text)
            found.setdefault(str(row.head["audit"]), []).append(said)
    return found


def _standing(conn: Connection, drawn: Draw, one: Audit, now: datetime) -> Standing:
    told = _given(conn, [one.ticket]).get(one.id, ())
    return _made(drawn, one, told, _erased(conn, [one.ticket]).get(one.ticket), now)


def _made(drawn: Draw, one: Audit, told: Sequence[Verdict], erased: datetime | None, now: datetime) -> Standing:
    given = tuple(told)
    return Standing(one, drawn, given, erased is not None, _settled_at(one.wanted, given, erased, now))


def _settled_at(wanted: int, given: Sequence[Verdict], erased: datetime | None, now: datetime) -> datetime | None:
    if len(given) >= wanted:
        return given[-1].at
    if not given:
        return None
    # Nobody can give a second verdict on words that are gone, and a first one does not wait for it for ever.
    alone_from = given[0].at + BLIND_FOR
    if erased is not None:
        alone_from = min(alone_from, max(erased, given[0].at))
    return alone_from if now >= alone_from else None


def _verdict(seq: int, by: str, at: datetime, head: Mapping[str, Any], words: str | None) -> Verdict:
    return Verdict(
        seq=seq,
        by=by,
        at=at,
        escalate=head["escalate"] is True,
        triggers=tuple(Trigger(t) for t in head["triggers"]),
        fault=Fault(head["fault"]),
        note=None if words is None else str(json.loads(words)["note"]),
    )


def _may_judge(held: Standing, by: str, head: dict[str, Any]) -> None:
    mine = held.of(by)
    if mine is not None:
        same = {
            "audit": held.audit.id,
            "escalate": mine.escalate,
            "triggers": _values(mine.triggers),
            "fault": mine.fault,
        }
        if same != head:
            raise CannotJudge(f"{by} has judged audit {held.audit.id} already; a verdict is not changed afterwards")
    elif held.erased:
        raise CannotJudge(
            f"the words of ticket {held.audit.ticket!r} were erased: nobody can judge audit {held.audit.id}"
        )
    elif not held.open:
        raise CannotJudge(f"audit {held.audit.id} has all its verdicts; `lanewise audit next` names one that waits")


def _values(triggers: Collection[Trigger]) -> list[str]:
    return [t.value for t in triggers]


def _name(by: str) -> str:
    """One person, however they write their name."""
    return " ".join(keepable(by).split()).casefold()
