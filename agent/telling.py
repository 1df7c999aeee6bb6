"""Which confirmed facts of their own account answer a verified requester's question."""

from __future__ import annotations

import re

from guards.assess import Assessment, Need
from guards.facts import Fact, Facts, Standing
from guards.grounding import plain_value
from guards.policy import Release
from guards.wording import plain
from tools.account_context import SOURCE as HANDED_OVER

MOST = 3
"""More facts than this are a list, not an answer."""

_NO_MATTER = frozenset(
    ["account", "entitlement", "entitlements", "per", "day", "month", "year", "my", "our", "the", "of", "and", "for"]
)


def tellable(question: str, assessment: Assessment, facts: Facts, release: Release) -> tuple[Fact, ...]:
    """Confirmed facts that the question names, of the kinds that its families' rows in the release may tell.

    Only for a verified requester, only where the question needs the record and no decision, and only from our own
    systems: what a helpdesk handed over is a copy. Empty where nothing fits.
    """
    if assessment.need is not Need.RECORD or facts.value("requester.verified") is not True:
        return ()
    families = [f for name in assessment.families if (f := release.family_of(name))]
    kinds = tuple(kind for family in families for kind in family.tells)
    asked = {_stem(word) for word in re.findall(r"[a-z]+", plain(question))}
    found = [
        fact
        for fact in facts
        if kinds
        and fact.name.startswith(kinds)
        and fact.standing is Standing.CONFIRMED
        and fact.source != HANDED_OVER
        and isinstance(fact.value, str | int)
        and not isinstance(fact.value, bool)
        and plain_value(fact.value) is not None
        and plain_value(label(fact)) is not None
        and _matter(fact) & asked
    ]
    return tuple(found[:MOST])


def label(fact: Fact) -> str:
    """The fact's name as a customer would read it: ``documents per month``."""
    return fact.name.partition(".")[2].replace("_", " ")


def _matter(fact: Fact) -> set[str]:
    return {_stem(w) for w in re.split(r"[._]", fact.name) if w not in _NO_MATTER}


def _stem(word: str) -> str:
    return word[:-1] if word.endswith("s") and len(word) > 3 else word
