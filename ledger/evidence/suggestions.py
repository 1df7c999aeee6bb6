"""Which rules of a release people's corrections speak against, in numbers: evidence for a change, never the change itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select

from guards.policy import Release
from guards.rollout_evidence import Share, lower
from guards.triggers import Level, Trigger
from ledger.events import Kind
from ledger.evidence.backtest_report import BackTest, backtest
from ledger.evidence.backtest_rows import StoredDecisions
from ledger.store import Store
from ledger.tables import events

SURE = 0.95
AT_LEAST = 5
"""Fewest tickets that make a suggestion."""
_TOLD = 5
_DEALT_WITH = frozenset(
    {"approved", "edited_and_approved", "rejected", "answered", "resolved", "lane_changed", "triggers_corrected"}
)
"""The decisions of a person who had the ticket before their eyes."""


@dataclass(slots=True)
class Against:
    """What people said of one rule, or of one trigger in one family."""

    corrected: list[str] = field(default_factory=list)
    """The tickets in which they set the trigger to another level."""
    judged: int = 0
    """The tickets that they dealt with, corrected or not."""

    @property
    def share(self) -> Share:
        """So many of so many."""
        return Share(len(self.corrected), self.judged)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One change that the outcomes speak for."""

    change: str
    """In words."""
    widens: bool
    share: Share
    bound: float
    """The least that the true share of corrections is, surely."""
    tickets: tuple[str, ...]
    """Some of them."""
    candidate: Release
    tested: BackTest


def suggestions(store: Store, release: Release) -> tuple[Suggestion, ...]:
    """Each rule that more than half of the people's corrections speak against, surely, and each family in which a trigger
    was surely missed more often than not; with the change's back-test. Bring the stored decisions up to date first."""
    rules, missed = _counted(store, release)
    rows, found = StoredDecisions(store), []
    for name, against in rules.items():
        if _speaks(against):
            candidate = _weaker(release, name)
            rule = next(s for s in release.signal if s.id == name)
            less = "medium instead of high" if rule.level == "high" else "gone"
            found.append(_suggestion(f"signal {name}: {less}", True, against, candidate, rows, release))
    for (trigger, family), against in missed.items():
        if _speaks(against) and family in release.rollout.autonomous_families:
            change = f"family {family}: held to lane 2 until a rule sees its {trigger.replace('_', ' ')}"
            found.append(_suggestion(change, False, against, _shut(release, family), rows, release))
    return tuple(sorted(found, key=lambda s: (s.widens, -s.bound)))


def _speaks(against: Against) -> bool:
    return len(against.corrected) >= AT_LEAST and lower(against.share, SURE) > 0.5


def _suggestion(
    change: str, widens: bool, against: Against, candidate: Release, rows: StoredDecisions, now: Release
) -> Suggestion:
    tested, told = backtest(rows, now, candidate), tuple(against.corrected[:_TOLD])
    return Suggestion(change, widens, against.share, lower(against.share, SURE), told, candidate, tested)


def _counted(store: Store, release: Release) -> tuple[Mapping[str, Against], Mapping[tuple[str, str], Against]]:
    """(by rule: set too high, by trigger and family: not seen), over the tickets that people dealt with."""
    triggers = {s.id: s.trigger.value for s in release.signal}
    rules: dict[str, Against] = {}
    missed: dict[tuple[str, str], Against] = {}
    for ticket, (assessed, corrected) in _corrections(store).items():
        fired = {triggers[name] for name in assessed["signals"] if name in triggers}
        for name in assessed["signals"]:
            if name in triggers:
                against = rules.setdefault(name, Against())
                against.judged += 1
                if _below(corrected, assessed["levels"], triggers[name]):
                    against.corrected.append(ticket)
        for trigger in map(str, Trigger):
            for family in assessed["families"]:
                against = missed.setdefault((trigger, family), Against())
                against.judged += 1
                if trigger not in fired and _below(assessed["levels"], corrected, trigger):
                    against.corrected.append(ticket)
    return rules, missed


def _below(one: Mapping[str, str], other: Mapping[str, str], trigger: str) -> bool:
    """True where the first gives the trigger a lower level than the second; a correction names only what it changes."""
    if trigger not in one or trigger not in other:
        return False
    return Level.of(one[trigger]) < Level.of(other[trigger])


def _corrections(store: Store) -> Mapping[str, tuple[Mapping[str, Any], Mapping[str, str]]]:
    """Each ticket that a person dealt with: how it was assessed last before, and the levels that they set, none where
    they found nothing to correct."""
    query = (
        select(events.c.ticket_id, events.c.kind, events.c.head)
        .where(events.c.kind.in_([Kind.TRIGGERS_ASSESSED.value, Kind.PERSON_DECIDED.value]))
        .order_by(events.c.ticket_id, events.c.seq)
    )
    found: dict[str, tuple[Mapping[str, Any], Mapping[str, str]]] = {}
    last: tuple[str, Mapping[str, Any]] = ("", {})
    with store.read() as conn:
        for ticket, kind, head in conn.execute(query):
            if kind == Kind.TRIGGERS_ASSESSED.value:
                last = (ticket, head)
            elif last[0] == ticket and head.get("decision") in _DEALT_WITH:
                corrected = head["levels"] if head["decision"] == "triggers_corrected" else {}
                found[ticket] = (last[1], corrected or found.get(ticket, ({}, {}))[1])
    return found


def _weaker(release: Release, name: str) -> Release:
    kept = []
    for rule in release.signal:
        if rule.id != name:
            kept.append(rule)
        elif rule.level == "high":
            kept.append(rule.model_copy(update={"level": "medium"}))
    return release.model_copy(update={"signal": tuple(kept), "version": f"{release.version}-suggested"})


def _shut(release: Release, family: str) -> Release:
    left = tuple(f for f in release.rollout.autonomous_families if f != family)
    plan = release.rollout.model_copy(update={"autonomous_families": left})
    return release.model_copy(update={"rollout": plan, "version": f"{release.version}-suggested"})
