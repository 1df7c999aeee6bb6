"""A person who works at the desk, with roles and groups; the table that says which role may do what, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from desk.errors import NotAllowed
from guards.policy import OwnerGroup
from ledger.accounts import User


class Role(StrEnum):
    """What somebody does here."""

    AGENT = "agent"
    SPECIALIST = "specialist"
    LEAD = "lead"
    POLICY_OWNER = "policy_owner"
    AUDITOR = "auditor"


class May(StrEnum):
    """What can be asked for at the desk."""

    READ = "read"
    WORK = "work"
    ORDER_CHANGE = "order_change"
    TAKE_OVER = "take_over"
    HALT = "halt"
    RESUME = "resume"
    AUDIT = "audit"
    REVIEW = "review"
    MEASURE = "measure"
    OWN_POLICY = "own_policy"


_EVERYBODY = frozenset(Role)
_WORKERS = frozenset({Role.AGENT, Role.SPECIALIST, Role.LEAD})

ALLOWED: dict[May, tuple[frozenset[Role], str]] = {
    May.READ: (_EVERYBODY, "whoever judges or measures has to see the ticket and its packet"),
    May.WORK: (_WORKERS, "claim, answer, approve, reject, route, lane, triggers, notes, rating: the work itself"),
    May.ORDER_CHANGE: (
        frozenset({Role.SPECIALIST, Role.LEAD}),
        "a refund, a credit or an access is not decided by whoever answers the mail",
    ),
    May.TAKE_OVER: (frozenset({Role.LEAD}), "a thread is taken from a colleague by who leads both"),
    May.HALT: (_EVERYBODY, "stopping is safe; who sees harm stops it first and asks afterwards"),
    May.RESUME: (frozenset({Role.LEAD, Role.POLICY_OWNER}), "starting again is a decision somebody answers for"),
    May.AUDIT: (frozenset({Role.AUDITOR, Role.LEAD}), "who audits did not decide"),
    May.REVIEW: (
        frozenset({Role.LEAD, Role.POLICY_OWNER, Role.AUDITOR}),
        "a review ends in a decision: it is held by who leads, owns the rules or looked at what nobody saw",
    ),
    May.MEASURE: (_EVERYBODY, "figures hidden from those who make them are not believed"),
    May.OWN_POLICY: (frozenset({Role.POLICY_OWNER}), "a rule has an owner"),
}
"""Each right at the desk: which roles have it, and why. What stands in no row nobody may do."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in, or whom the command line names."""

    name: str
    """As their decisions are signed."""
    roles: frozenset[Role]
    groups: frozenset[OwnerGroup]
    """Those for which they may approve a policy release where they are signed in."""

    @classmethod
    def of(cls, user: User) -> Person:
        """A user as a person. A role or group that is not known gives nothing."""
        roles = frozenset(role for role in Role if role in user.roles)
        return cls(user.name, roles, frozenset(group for group in OwnerGroup if group in user.groups))

    def may(self, what: May) -> bool:
        """True where one of their roles has that right."""
        roles, _ = ALLOWED.get(what, (frozenset(), ""))
        return bool(roles & self.roles)

    def check(self, what: May) -> None:
        """NotAllowed names the right and the roles that have it."""
        if not self.may(what):
            roles, why = ALLOWED[what]
            named = ", ".join(sorted(roles))
            raise NotAllowed(f"{self.name} may not {what.replace('_', ' ')}: it takes one of {named} ({why})")
