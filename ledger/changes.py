"""The rows of changes that people ordered: what is to be changed, by whose order, and how far it has come."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from guards.facts import Fact, Standing
from guards.gate import Refusal
from guards.state_change import ChangeApproval, ChangeMoment, ChangeOrder, may_run
from ledger import register
from ledger.errors import UnknownChange
from ledger.events import Body, Event, Kind, event_at, latest
from ledger.letters import note_refusal
from ledger.moment import ReleaseView
from ledger.releases import release_now
from ledger.tables import bodies, changes
from ledger.words import digest_of


class ChangeState(StrEnum):
    """How far a change has come."""

    INTENT = "intent"
    """It may be carried out; nothing has happened."""
    RUNNING = "running"
    """The room that carries changes out has it in its hands."""
    DONE = "done"
    FAILED = "failed"
    """The system said that it did not take it, or a person looked and found that it was not made."""
    UNKNOWN = "unknown"
    """Nobody knows. Never tried again by a machine."""
    REFUSED = "refused"
    """The order died before it was carried out."""


BEGUN = frozenset({ChangeState.INTENT, ChangeState.RUNNING, ChangeState.DONE, ChangeState.UNKNOWN})
"""While a change is in one of these, no other is begun for its action."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change that a person ordered."""

    key: str
    """The idempotency key under which the team's system is asked."""
    ticket: str
    opening: int
    action: str
    arguments: Body
    """Canonical JSON."""
    decided_by: int
    """The seq of the decision that ordered it: what the order is bound to stands there, and cannot be changed."""
    by: str
    """Who ordered it."""
    expires_at: datetime | None
    state: ChangeState
    reference: str
    """Where the team's system has it; empty until then."""
    changed_at: datetime


_SELECT = select(changes, bodies.c.text, bodies.c.digest).join(bodies, bodies.c.id == changes.c.arguments_body)


def find(conn: Connection, key: str) -> Change | None:
    """The change under a key."""
    row = conn.execute(_SELECT.where(changes.c.change_key == key)).first()
    return None if row is None else _change(conn, row)


def get(conn: Connection, key: str) -> Change:
    """As ``find``; UnknownChange where there is none."""
    found = find(conn, key)
    if found is None:
        raise UnknownChange(f"no change under {key!r}")
    return found


def changes_of(conn: Connection, ticket: str) -> tuple[Change, ...]:
    """The ticket's changes in the order they were ordered."""
    rows = conn.execute(_SELECT.where(changes.c.ticket_id == ticket).order_by(changes.c.decided_by)).all()
    return tuple(_change(conn, row) for row in rows)


def in_state(conn: Connection, state: ChangeState) -> tuple[Change, ...]:
    """All changes in a state, in the order they were ordered."""
    rows = conn.execute(_SELECT.where(changes.c.state == state.value).order_by(changes.c.decided_by)).all()
    return tuple(_change(conn, row) for row in rows)


def put(
    conn: Connection, ticket: str, key: str, opening: int, action: str, body: Body, decided_by: int, at: datetime
) -> None:
    """Adds a change as an intent. The key is unique over the whole store."""
    conn.execute(
        insert(changes).values(
            change_key=key,
            ticket_id=ticket,
            opening_id=opening,
            action=action,
            arguments_body=body.id,
            decided_by=decided_by,
            state=ChangeState.INTENT.value,
            changed_at=at,
        )
    )


def move(conn: Connection, key: str, to: ChangeState, at: datetime, *, reference: str | None = None) -> None:
    """Sets a change's state; whoever calls it has checked that the step is allowed."""
    values: dict[str, Any] = {"state": to.value, "changed_at": at}
    if reference is not None:
        values["reference"] = reference
    conn.execute(update(changes).where(changes.c.change_key == key).values(values))


def withdraw(conn: Connection, ticket: str, why: str, *, at: datetime, actor: str, only: int | None = None) -> None:
    """Refuses every change of a ticket, or of one action, that nobody has begun to carry out."""
    for one in changes_of(conn, ticket):
        if one.state is ChangeState.INTENT and only in (None, one.opening):
            refuse(conn, one, Refusal(f"carry out {one.action}", "opening", why), at=at, actor=actor)


def refuse(conn: Connection, held: Change, refusal: Refusal, *, at: datetime, actor: str) -> Refusal:
    """Ends a change before it was begun, and records why."""
    move(conn, held.key, ChangeState.REFUSED, at)
    more = {"change": held.key, "action": held.action}
    return note_refusal(conn, held.ticket, f"change/{held.key}", refusal, at=at, actor=actor, more=more)


# ── may it be carried out now? ──────────────────────────────────────────────────────────────────────────────


def judge(conn: Connection, held: Change, view: ReleaseView, now: datetime) -> Mapping[str, Any] | Refusal:
    """The arguments of a change that may be carried out now, or why it may not. Asked in a write transaction.

    The arguments are read from the very bytes whose digest the person's decision holds.
    """
    what = f"carry out {held.action}"
    if held.arguments.text is None:
        return Refusal(what, "erased", "its arguments have been erased")
    arguments = _read(held.arguments.text)
    standing = register.current(conn, held.ticket)
    decided = event_at(conn, held.decided_by)
    order = ChangeOrder(
        ticket=held.ticket,
        opening=held.opening,
        action=held.action,
        digest=digest_of(held.arguments.text),
        account=str(arguments.get("account_id", "")),
        epoch=_told(decided, "epoch"),
        revision=_told(decided, "revision"),
        release=str(decided.head.get("release", "")) if decided else "",
        approval=_approval(decided, held),
    )
    return may_run(order, moment_of(conn, standing, view, now, held.key, held.decided_by)) or arguments


def moment_of(
    conn: Connection, held: register.Register, view: ReleaseView, now: datetime, key: str = "", born: int | None = None
) -> ChangeMoment:
    """What the gate asks about, as it stands in this transaction; ``key``'s own row not counted."""
    begun = {c.opening for c in changes_of(conn, held.ticket) if c.state in BEGUN and c.key != key}
    return ChangeMoment(
        ticket=held.ticket,
        open_actions=frozenset(a.id for a in held.actions),
        begun=frozenset(begun),
        account=account_of(conn, held.ticket),
        epoch=held.epoch,
        revision=held.revision,
        release=release_now(conn, view.version, view.digest, born),
        claimed_by=held.claimed_by,
        now=now,
    )


def account_of(conn: Connection, ticket: str) -> str:
    """The account to which the requester was shown to belong when facts were gathered last; empty where nobody could
    say, or where the words are erased. What the ticket merely claims counts for nothing."""
    gathered = latest(conn, ticket, Kind.FACTS_GATHERED)
    if gathered is None or gathered.body is None or gathered.body.text is None:
        return ""
    if digest_of(gathered.body.text) != gathered.body.digest:
        return ""
    for raw in gathered.body.json().get("facts", ()):
        fact = Fact.from_json(raw)
        if fact.name == "account.id" and fact.standing is Standing.CONFIRMED:
            return str(fact.value)
    return ""


def _approval(decided: Event | None, held: Change) -> ChangeApproval | None:
    """The order as the decision's own event holds it; None where that is no such decision of this change."""
    if decided is None or decided.kind is not Kind.PERSON_DECIDED or decided.head.get("change") != held.key:
        return None
    return ChangeApproval(
        ticket=decided.ticket,
        opening=_told(decided, "opening"),
        action=str(decided.head.get("action", "")),
        digest=str(decided.head.get("digest", "")),
        epoch=_told(decided, "epoch"),
        revision=_told(decided, "revision"),
        release=str(decided.head.get("release", "")),
        by=decided.actor,
        expires_at=datetime.fromisoformat(str(decided.head["expires_at"])),
    )


def _read(text: str) -> Mapping[str, Any]:
    """The arguments; none where somebody changed the text into something else, which the gate then refuses."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _told(event: Event | None, name: str) -> int:
    value = event.head.get(name) if event is not None else None
    return value if type(value) is int else -1


def _change(conn: Connection, row: Row[Any]) -> Change:
    decided = event_at(conn, row.decided_by)
    expires = decided.head.get("expires_at") if decided else None
    return Change(
        key=row.change_key,
        ticket=row.ticket_id,
        opening=row.opening_id,
        action=row.action,
        arguments=Body(row.arguments_body, row.text, row.digest),
        decided_by=row.decided_by,
        by=decided.actor if decided else "",
        expires_at=datetime.fromisoformat(expires) if expires else None,
        state=ChangeState(row.state),
        reference=row.reference or "",
        changed_at=row.changed_at,
    )
