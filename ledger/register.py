"""The lane register: a floor for the conversation and a lane for each open answer and action. It only rises here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, and_, bindparam, case, func, insert, select, update

from guards.lanes import Lane
from ledger.errors import OnlyAPersonLowers, UnknownOpening, UnknownTicket
from ledger.events import Entry, Kind, append, own_key
from ledger.tables import halts, openings, registers


class OpeningKind(StrEnum):
    """What can be open on a ticket."""

    ANSWER = "answer"
    ACTION = "action"


@dataclass(frozen=True, slots=True)
class Opening:
    """One answer that is owed, or one action that is asked for."""

    id: int
    kind: OpeningKind
    name: str
    """Which action (``refund``); empty for an answer."""
    lane: Lane
    opened_by: int
    """The seq of the event that opened it."""


@dataclass(frozen=True, slots=True)
class Register:
    """What the ledger holds of a ticket's lane, at one moment."""

    ticket: str
    floor: Lane
    epoch: int
    """Counts raises. A right of an older epoch is dead."""
    revision: int
    """The seq of what the customer wrote last."""
    claimed_by: str | None
    settled_by: int
    """The seq of the last decision by which a person answered, resolved or handed back; 0 for none."""
    openings: tuple[Opening, ...]
    """Those still open, oldest first."""

    @property
    def lane(self) -> Lane:
        """What text may leave by: the highest of the floor and the open answers."""
        return max([self.floor, *(o.lane for o in self.answers)])

    @property
    def answers(self) -> tuple[Opening, ...]:
        """The open answers, oldest first."""
        return tuple(o for o in self.openings if o.kind is OpeningKind.ANSWER)

    @property
    def actions(self) -> tuple[Opening, ...]:
        """The open actions. They do not silence an answer: the policy may be explained while one waits."""
        return tuple(o for o in self.openings if o.kind is OpeningKind.ACTION)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a right is derived from, without the openings one by one: as quick to read however long the thread is."""

    ticket: str
    lane: Lane
    """As ``Register.lane``."""
    epoch: int
    revision: int
    claimed_by: str | None
    settled_by: int
    halts: int
    """How many halts are in force anywhere; ``moment`` asks which only where there is one."""


# One statement for both, and each statement built once: the register is read at every call of every tool.
_READ = (
    select(
        registers,
        openings.c.id.label("opening"),
        openings.c.kind,
        openings.c.name,
        openings.c.lane,
        openings.c.opened_by,
    )
    .outerjoin(openings, and_(openings.c.ticket_id == registers.c.ticket_id, openings.c.state == "open"))
    .where(registers.c.ticket_id == bindparam("ticket"))
    .order_by(openings.c.id)
)
# Compiles to the same on SQLite, whose write transactions already exclude each other.
_HELD = _READ.with_for_update(of=registers)
# What is no lane counts as lane 3, here too.
_READ_LANE = case(
    (openings.c.lane.between(int(min(Lane)), int(max(Lane))), openings.c.lane), else_=int(Lane.HUMAN_OWNED)
)
_HIGHEST = (
    select(func.max(_READ_LANE))
    .where(
        openings.c.ticket_id == registers.c.ticket_id,
        openings.c.state == "open",
        openings.c.kind == OpeningKind.ANSWER.value,
    )
    .scalar_subquery()
)
_IN_FORCE = select(func.count()).select_from(halts).where(halts.c.resumed_by.is_(None)).scalar_subquery()
_STANDING = select(registers, _HIGHEST.label("highest"), _IN_FORCE.label("in_force")).where(
    registers.c.ticket_id == bindparam("ticket")
)
_STANDING_HELD = _STANDING.with_for_update(of=registers)
_OPENED = select(openings.c.id, openings.c.state).where(
    openings.c.ticket_id == bindparam("ticket"),
    openings.c.kind == bindparam("of"),
    openings.c.opened_by == bindparam("by"),
    openings.c.name == bindparam("called"),
)
_OPEN = insert(openings)
# The conditions make each a raise, whatever the caller computed.
_RAISE_OPENING = (
    update(openings)
    .where(openings.c.id == bindparam("opening"), openings.c.lane < bindparam("to"))
    .values(lane=bindparam("to"))
)
_RAISE = (
    update(registers)
    .where(
        registers.c.ticket_id == bindparam("ticket"),
        registers.c.floor <= bindparam("to"),
        registers.c.epoch < bindparam("next"),
    )
    .values(floor=bindparam("to"), epoch=bindparam("next"))
)
_NOTE_REVISION = (
    update(registers)
    .where(registers.c.ticket_id == bindparam("ticket"), registers.c.revision < bindparam("seq"))
    .values(revision=bindparam("seq"))
)
_CREATE = insert(registers)


def create(conn: Connection, ticket: str, revision: int) -> None:
    """The register of a ticket seen for the first time: floor lane 1, epoch 0."""
    first = {"floor": int(Lane.AUTONOMOUS), "epoch": 0, "revision": revision, "settled_by": 0}
    conn.execute(_CREATE, {"ticket_id": ticket, **first})


def current(conn: Connection, ticket: str) -> Register:
    """The register as it stands. In a write transaction it cannot change before the commit. UnknownTicket."""
    writes = conn.get_execution_options().get("lanewise_write")
    rows = conn.execute(_HELD if writes else _READ, {"ticket": ticket}).all()
    if not rows:
        raise UnknownTicket(f"no ticket {ticket!r}")
    one = rows[0]
    return Register(
        ticket=ticket,
        floor=Lane.read(one.floor),
        epoch=one.epoch,
        revision=one.revision,
        claimed_by=one.claimed_by,
        settled_by=one.settled_by,
        openings=tuple(
            Opening(row.opening, OpeningKind(row.kind), row.name, Lane.read(row.lane), row.opened_by)
            for row in rows
            if row.opening is not None
        ),
    )


def standing(conn: Connection, ticket: str) -> Standing:
    """As ``current``, without the openings. UnknownTicket."""
    writes = conn.get_execution_options().get("lanewise_write")
    row = conn.execute(_STANDING_HELD if writes else _STANDING, {"ticket": ticket}).first()
    if row is None:
        raise UnknownTicket(f"no ticket {ticket!r}")
    floor = Lane.read(row.floor)
    lane = floor if row.highest is None else max(floor, Lane.read(row.highest))
    return Standing(ticket, lane, row.epoch, row.revision, row.claimed_by, row.settled_by, row.in_force)


def note_revision(conn: Connection, ticket: str, seq: int) -> None:
    """The customer wrote: ``seq`` is the thread's revision from here on."""
    conn.execute(_NOTE_REVISION, {"ticket": ticket, "seq": seq})


def raise_floor(
    conn: Connection, ticket: str, to: object, *, at: datetime, actor: str, held: Register | None = None
) -> Register:
    """Raises the conversation's floor to a lane; a lower lane changes nothing, an unknown one is lane 3.

    ``held`` is the register as this very transaction has it, where the caller has just read or changed it.
    """
    before = held or current(conn, ticket)
    after = replace(before, floor=max(before.floor, Lane.read(to)))
    return _told(conn, before, after, what="floor", at=at, actor=actor)


def open_one(
    conn: Connection,
    ticket: str,
    kind: OpeningKind,
    opened_by: int,
    lane: object,
    *,
    at: datetime,
    actor: str,
    name: str = "",
    held: Register | None = None,
) -> Register:
    """Opens an answer or action at max(floor, lane). Opened before by the same event, it is raised instead;
    one that was closed meanwhile stays closed. ``held`` as in ``raise_floor``."""
    before = held or current(conn, ticket)
    wanted = max(before.floor, Lane.read(lane))
    asked = {"ticket": ticket, "of": kind.value, "by": opened_by, "called": name}
    row = conn.execute(_OPENED, asked).first()
    after = before
    if row is None:
        values = {"ticket_id": ticket, "kind": kind.value, "name": name, "lane": int(wanted), "state": "open"}
        key = conn.execute(_OPEN, {**values, "opened_by": opened_by}).inserted_primary_key
        assert key is not None
        after = replace(before, openings=(*before.openings, Opening(int(key[0]), kind, name, wanted, opened_by)))
    elif row.state == "open":
        after = _raised(conn, before, row.id, wanted)
    return _told(conn, before, after, what=kind.value, at=at, actor=actor)


def raise_opening(conn: Connection, ticket: str, opening: int, to: object, *, at: datetime, actor: str) -> Register:
    """Raises one open answer or action; a lower lane changes nothing. UnknownOpening where it is not open."""
    before = current(conn, ticket)
    found = _find(before, opening)
    after = _raised(conn, before, opening, Lane.read(to))
    return _told(conn, before, after, what=found.kind.value, at=at, actor=actor)


def close_answer(conn: Connection, ticket: str, opening: int) -> Register:
    """Closes an answer that no longer holds the lane up. OnlyAPersonLowers where the lane would fall by it."""
    before = current(conn, ticket)
    found = _find(before, opening)
    after = replace(before, openings=tuple(o for o in before.openings if o.id != found.id))
    if after.lane < before.lane or found.kind is OpeningKind.ACTION:
        raise OnlyAPersonLowers(
            f"ticket {ticket!r}: closing {found.kind.value} {opening} in lane {int(found.lane)} takes a person's "
            "decision"
        )
    conn.execute(update(openings).where(openings.c.id == found.id).values(state="closed"))
    return after


def _find(register: Register, opening: int) -> Opening:
    for one in register.openings:
        if one.id == opening:
            return one
    raise UnknownOpening(f"ticket {register.ticket!r} has no open answer or action {opening}")


def _raised(conn: Connection, before: Register, opening: int, to: Lane) -> Register:
    conn.execute(_RAISE_OPENING, {"opening": opening, "to": int(to)})
    raised = tuple(replace(o, lane=max(o.lane, to)) if o.id == opening else o for o in before.openings)
    return replace(before, openings=raised)


def _told(conn: Connection, before: Register, after: Register, *, what: str, at: datetime, actor: str) -> Register:
    """The register after a change; where lane or floor rose, one epoch later and with an event that says so."""
    if after.lane <= before.lane and after.floor <= before.floor:
        return after
    epoch = before.epoch + 1
    conn.execute(_RAISE, {"ticket": before.ticket, "to": int(after.floor), "next": epoch})
    head = {
        "what": what,
        "lane": [int(before.lane), int(after.lane)],
        "floor": [int(before.floor), int(after.floor)],
        "epoch": epoch,
    }
    append(conn, before.ticket, Entry(Kind.LANE_RAISED, own_key(f"raised/{epoch}"), head), at=at, actor=actor)
    return replace(after, epoch=epoch)
