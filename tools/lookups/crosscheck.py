"""Compares what different systems say: where two disagree, neither is believed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from guards.facts import Fact, Facts, FactValue, Standing

_CYCLE_WORDS = {
    "monthly": "monthly",
    "quarterly": "quarterly",
    "annual": "annual",
    "annually": "annual",
    "yearly": "annual",
}
_AMENDED: dict[str, tuple[str, ...]] = {
    "plan": ("account.plan", "account.tier", "account.standard_plan"),
    "tier": ("account.plan", "account.tier", "account.standard_plan"),
    "seats": ("account.seats",),
    "status": ("account.status",),
}
"""What an amendment on a topic changes in the account record. Signed and not entered, it contradicts that record."""


def crosscheck(facts: Facts) -> Facts:
    """The facts, with those conflicting on which two systems disagree, and what only two systems together tell."""
    doubts: dict[str, str] = {}
    for name, note in _doubts(facts):
        doubts.setdefault(name, note)
    items = [
        replace(fact, standing=Standing.CONFLICTING, note=doubts[fact.name]) if fact.name in doubts else fact
        for fact in facts
    ]
    return Facts((*items, _overlap(facts)))


def _doubts(facts: Facts) -> Iterator[tuple[str, str]]:
    for name in ("tier", "plan", "status"):
        ours, theirs = facts.get(f"account.{name}"), facts.get(f"contract.{name}")
        if ours.known and theirs.known and ours.value != theirs.value:
            yield from _both(ours, theirs)
    plan, cycle = facts.get("account.plan"), facts.get("contract.billing_cycle")
    if plan.known and cycle.known:
        named = {_CYCLE_WORDS[word] for word in str(plan.value).replace(",", " ").split() if word in _CYCLE_WORDS}
        if named and cycle.value not in named:
            yield from _both(plan, cycle)
    seats, allowed = facts.get("account.seats"), facts.get("entitlements.seats")
    if seats.known and allowed.known and _more(seats.value, allowed.value):
        # Fewer seats than a plan allows is ordinary; more than it allows, somebody is wrong.
        yield from _both(seats, allowed)
    standard, special = facts.get("account.standard_plan"), facts.get("contract.exception_terms")
    if standard.known and special.known and standard.value is True and special.value is True:
        yield standard.name, "accounts says a standard plan, contracts says exception terms are present"
    amended = facts.value("contract.unreflected_topics")
    for topic in amended if isinstance(amended, tuple) else ():
        for name in _AMENDED.get(topic, ()):
            if (fact := facts.get(name)).known:
                told = f"accounts says {_said(fact.value)}, contracts says an amendment on {topic} is not entered yet"
                yield name, told


def _both(one: Fact, other: Fact) -> Iterator[tuple[str, str]]:
    label = "" if one.name.partition(".")[2] == other.name.partition(".")[2] else f" for {other.name}"
    note = f"{one.source} says {_said(one.value)}, {other.source} says {_said(other.value)}{label}"
    yield one.name, note
    yield other.name, note


def _more(one: FactValue, other: FactValue) -> bool:
    return isinstance(one, int) and isinstance(other, int) and one > other


def _said(value: FactValue) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


_OVERLAP = "contract.cycle_overlaps_credit"


def _overlap(facts: Facts) -> Fact:
    """Whether a service credit falls into the current billing cycle: contracts knows the cycle, credits the rest."""
    periods = facts.get("credits.service_periods")
    cycle = facts.get("contract.reference")
    source = "contracts and credits"
    for fact in (periods, cycle):
        if fact.standing is Standing.MISSING:
            return Fact(_OVERLAP, None, Standing.MISSING, source, note=fact.note)
    dates: list[datetime] = [fact.as_of for fact in (periods, cycle) if fact.as_of is not None]
    as_of = min(dates) if dates else None
    stale = next((fact for fact in (periods, cycle) if fact.standing is Standing.STALE), None)
    standing, note = (Standing.STALE, stale.note) if stale else (Standing.CONFIRMED, "")
    start, end = facts.get("contract.cycle_start"), facts.get("contract.cycle_end")
    if start.value is None or end.value is None:
        note = note or "there is no billing cycle"
        return Fact(_OVERLAP, False, standing, source, as_of, note)
    held = periods.value if isinstance(periods.value, tuple) else ()
    spans = (period.split(" to ") for period in held)
    # ISO dates compare as text.
    found = any(first <= str(end.value) and last >= str(start.value) for first, last in spans)
    return Fact(_OVERLAP, found, standing, source, as_of, note)
