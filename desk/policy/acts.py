"""What a policy owner does at the desk: the commands' own acts, under the name of whoever is signed in, with a reason."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from desk.accounts.people import May, Person
from desk.errors import ChangedSince, DecisionRefused, NotAllowed
from desk.policy import releases as policy_releases
from desk.policy import rollout as policy_rollout
from desk.policy.standing import mark_of, speaks_for
from desk.records import Records
from guards.policy import OwnerGroup

_one_at_a_time = threading.Lock()
"""A form that is sent twice is looked at once: the second finds that something was done since its page was made."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One act as it was asked for."""

    records: Records
    person: Person
    form: Mapping[str, str]

    @property
    def reason(self) -> str:
        """Why. DecisionRefused where nothing is said."""
        said = self.form.get("reason", "").strip()
        if not said:
            raise DecisionRefused("a reason is needed: it is kept for good beside the act. Nothing was done.")
        return said

    def word(self, name: str) -> str:
        """A field that the act cannot do without. DecisionRefused."""
        said = self.form.get(name, "").strip()
        if not said:
            raise DecisionRefused(f"the form does not say which {name}. Load the page again. Nothing was done.")
        return said


Act: TypeAlias = Callable[[Asked, Callable[[str], None]], int]


def do(asked: Asked, name: str) -> str:
    """Does the act of that name, and tells what came of it. DecisionRefused, ChangedSince, NotAllowed; NotYetAllowed and
    the other errors of the commands, which name what is missing."""
    if name not in ACTS:
        raise DecisionRefused(f"there is no act {name[:40]!r}")
    asked.person.check(May.OWN_POLICY)
    told: list[str] = []
    with _one_at_a_time:
        if asked.form.get("mark", "") != str(mark_of(asked.records)):
            raise ChangedSince(["somebody has done something about policy since this page was made"])
        ACTS[name](asked, told.append)
    return " ".join(line.strip() for line in told if not line.startswith("Next:"))


def _approve(asked: Asked, tell: Callable[[str], None]) -> int:
    group = asked.word("group")
    if group not in set(OwnerGroup) or not speaks_for(asked.person, OwnerGroup(group)):
        raise NotAllowed(
            f"{asked.person.name} is not in the group {group[:60].replace('_', ' ')}: ask one of its policy owners"
        )
    by, reason = asked.person.name, asked.reason
    return policy_releases.approve(
        asked.records, asked.word("version"), by, group, reason, tell, signed_in=asked.person
    )


def _activate(asked: Asked, tell: Callable[[str], None]) -> int:
    return policy_releases.activate(asked.records, asked.word("version"), asked.person.name, asked.reason, tell)


def _roll_back(asked: Asked, tell: Callable[[str], None]) -> int:
    family = asked.form.get("family", "").strip() or None
    by, reason = asked.person.name, asked.reason
    return policy_releases.roll_back(asked.records, asked.word("version"), family, by, reason, tell)


def _promote(asked: Asked, tell: Callable[[str], None]) -> int:
    family, to = asked.word("family"), asked.word("to")
    return policy_rollout.promote(asked.records, family, to, asked.person.name, asked.reason, tell)


def _narrow(asked: Asked, tell: Callable[[str], None]) -> int:
    return policy_rollout.narrow(asked.records, policy_rollout.NARROWING_DAYS, tell)


def _widen(asked: Asked, tell: Callable[[str], None]) -> int:
    return policy_releases.widen(asked.records, asked.word("family"), asked.person.name, asked.reason, tell)


ACTS: Mapping[str, Act] = {
    "approve": _approve,
    "activate": _activate,
    "roll-back": _roll_back,
    "promote": _promote,
    "narrow": _narrow,
    "widen": _widen,
}
"""Each takes ``May.OWN_POLICY``; an approval takes the group as well."""
