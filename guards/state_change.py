"""The gate of changes of state: may this refund, credit or access change, ordered by a person, be carried out now?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from guards.gate import Refusal


@dataclass(frozen=True, slots=True)
class ChangeApproval:
    """A person's order of exactly one change, with exactly these arguments, at one moment of the thread."""

    ticket: str
    opening: int
    """The open action that it answers."""
    action: str
    digest: str
    """SHA-256 of the canonical JSON of the arguments, hex."""
    epoch: int
    revision: int
    release: str
    by: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ChangeOrder:
    """One change of state that waits to be carried out."""

    ticket: str
    opening: int
    action: str
    digest: str
    """Of the arguments as they would be used now."""
    account: str
    """The account that the arguments name."""
    epoch: int
    revision: int
    release: str
    approval: ChangeApproval | None


@dataclass(frozen=True, slots=True)
class ChangeMoment:
    """What the ledger says now, read in the transaction that lets the change be carried out."""

    ticket: str
    open_actions: frozenset[int]
    """The ids of the actions that wait for a person's decision."""
    begun: frozenset[int]
    """The actions for which another change waits, runs, was done, or may have been."""
    account: str
    """The account to which the requester was shown to belong; empty where nobody could say."""
    epoch: int
    revision: int
    release: str
    claimed_by: str | None
    now: datetime


ChangeCheck: TypeAlias = Callable[[ChangeOrder, ChangeMoment], str | None]


def _ticket(order: ChangeOrder, moment: ChangeMoment) -> str | None:
    return None if order.ticket == moment.ticket else "the change belongs to another ticket"


def _opening(order: ChangeOrder, moment: ChangeMoment) -> str | None:
    return None if order.opening in moment.open_actions else "the action it answers is not open any more"


def _once(order: ChangeOrder, moment: ChangeMoment) -> str | None:
    if order.opening not in moment.begun:
        return None
    return "another change was ordered for this action, and it waits, runs, was done or may have been"


def _account(order: ChangeOrder, moment: ChangeMoment) -> str | None:
    if moment.account and order.account == moment.account:
        return None
    return "it names another account than the one to which the requester was shown to belong"


def _epoch(order: ChangeOrder, moment: ChangeMoment) -> str | None:
    return None if order.epoch == moment.epoch else "the lane has risen since it was ordered"


def _revision(order: ChangeOrder, moment: ChangeMoment) -> str | None:
    return None if order.revision == moment.revision else "the customer has written since"


def _release(order: ChangeOrder, moment: ChangeMoment) -> str | None:
    return None if order.release == moment.release else "the policy release has changed since"


def _claimed(order: ChangeOrder, moment: ChangeMoment) -> str | None:
    by = order.approval.by if order.approval else None
    return None if moment.claimed_by in (None, by) else "another person has claimed the thread"


def _approval(order: ChangeOrder, moment: ChangeMoment) -> str | None:
    yes = order.approval
    if yes is None:
        return "no person has ordered this change"
    bound = (yes.ticket, yes.opening, yes.action, yes.digest, yes.epoch, yes.revision, yes.release)
    if bound != (
        order.ticket,
        order.opening,
        order.action,
        order.digest,
        order.epoch,
        order.revision,
        order.release,
    ):
        return "the order was given for another change, or at another moment"
    return None if moment.now < yes.expires_at else "the order has expired"


CHANGE_CHECKS: tuple[tuple[str, ChangeCheck], ...] = (
    ("ticket", _ticket),
    ("opening", _opening),
    ("once", _once),
    ("account", _account),
    ("epoch", _epoch),
    ("revision", _revision),
    ("release", _release),
    ("claimed", _claimed),
    ("approval", _approval),
)
"""Every check a change passes, in order; remove any one and a proof must fail (I14).

A halt is not among them: it stops the assistant, and a change is a person's own deed.
"""


def may_run(order: ChangeOrder, moment: ChangeMoment) -> Refusal | None:
    """May this change be carried out now? None for yes; asked in one transaction with the record that it has begun."""
    for rule, check in CHANGE_CHECKS:
        if (reason := check(order, moment)) is not None:
            return Refusal(f"carry out {order.action}", rule, reason)
    return None
