"""What differs between two policy releases, rule by rule, and whether each change widens or narrows the assistant's room."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from guards.policy import OwnerGroup, Release
from guards.policy_cells import Tally, family_tally, law_tally, pair_tally, signal_tally
from guards.policy_owners import Rule, rules_of


class Width(StrEnum):
    """What a change does to the room the assistant has."""

    SAME = "same"
    """No ticket is treated otherwise; words, owners or limits of people's work."""
    NARROWS = "narrows"
    WIDENS = "widens"
    BOTH = "widens and narrows"


@dataclass(frozen=True, slots=True)
class Change:
    """One rule that is new, gone or other."""

    rule: str
    """Section and name."""
    section: str
    groups: frozenset[OwnerGroup]
    """Who has to approve it: who answers for the rule before, and who does after."""
    before: str | None
    """Its content as JSON; None where it is new."""
    after: str | None
    """None where it is gone."""
    width: Width
    tally: Tally
    """How many cells of the law it widens and narrows."""

    def to_json(self) -> dict[str, object]:
        """Plain JSON."""
        return {
            "rule": self.rule,
            "groups": sorted(self.groups),
            "before": self.before,
            "after": self.after,
            "width": self.width.value,
            "wider_cells": self.tally.wider,
            "narrower_cells": self.tally.narrower,
            "cells": self.tally.cells,
        }


def diff(old: Release, new: Release) -> tuple[Change, ...]:
    """Every rule that differs, what widens first. A text rule's expressions are told apart by their letters, not by what
    they match: a changed expression counts as one taken away and one added, which widens and narrows."""
    before, after = ({rule.title: rule for rule in rules_of(r)} for r in (old, new))
    pairs = [(before.get(title), after.get(title)) for title in dict.fromkeys((*before, *after))]
    differ = [(one, other) for one, other in pairs if _differs(one, other)]
    found = [_change(old, new, one, other, alone=len(differ) == 1) for one, other in differ]
    order = (Width.WIDENS, Width.BOTH, Width.NARROWS, Width.SAME)
    return tuple(sorted(found, key=lambda change: order.index(change.width)))


def overall(changes: Iterable[Change]) -> Width:
    """All changes taken together."""
    return _width(sum((c.tally for c in changes), Tally()))


def groups_needed(changes: Iterable[Change]) -> Mapping[OwnerGroup, tuple[str, ...]]:
    """Whose approval the changes need, each with the rules that it is for."""
    told = tuple(changes)
    return {g: rules for g in OwnerGroup if (rules := tuple(c.rule for c in told if g in c.groups))}


def _differs(one: Rule | None, other: Rule | None) -> bool:
    return one is None or other is None or one.value != other.value or one.group is not other.group


def _change(old: Release, new: Release, one: Rule | None, other: Rule | None, *, alone: bool) -> Change:
    known = one or other
    assert known is not None
    groups = frozenset(rule.group for rule in (one, other) if rule is not None)
    same = one is not None and other is not None and one.value == other.value
    tally, judge = Tally(), _JUDGES.get(known.section, _words)
    if not same:
        tally = judge(old, new, known.name)
        if not alone:
            # Among the new release's other rules too: a family that is opened matters only beside a phase that acts.
            back = judge(new, old, known.name)
            tally += Tally(back.narrower, back.wider, back.cells)
    before, after = (rule.value if rule else None for rule in (one, other))
    return Change(known.title, known.section, groups, before, after, _width(tally), tally)


def _width(tally: Tally) -> Width:
    match tally.wider > 0, tally.narrower > 0:
        case True, True:
            return Width.BOTH
        case True, False:
            return Width.WIDENS
        case False, True:
            return Width.NARROWS
        case _:
            return Width.SAME


# ── how each section is judged ──────────────────────────────────────────────────────────────────────────────

_Judge = Callable[[Release, Release, str], Tally]


def _words(old: Release, new: Release, name: str) -> Tally:
    return Tally(cells=1)


def _law(section: str) -> _Judge:
    """By the whole law, with this section alone exchanged."""

    def judge(old: Release, new: Release, name: str) -> Tally:
        return law_tally(old, old.model_copy(update={section: getattr(new, section)}))

    return judge


def _rollout(old: Release, new: Release, name: str) -> Tally:
    mine, theirs = old.rollout, new.rollout
    if name in ("phase", "family_phase"):
        changed = mine.model_copy(update={name: getattr(theirs, name)})
        return law_tally(old, old.model_copy(update={"rollout": changed}))
    phases = {family: phase for family, phase in mine.family_phase.items() if family != name}
    if phases and name in theirs.family_phase:
        phases[name] = theirs.family_phase[name]
    named = [f for f in mine.autonomous_families if f != name] + [f for f in theirs.autonomous_families if f == name]
    changed = mine.model_copy(update={"family_phase": phases, "autonomous_families": tuple(named)})
    return law_tally(old, old.model_copy(update={"rollout": changed}), name)


_MORE_WIDENS = {
    *(("freshness", name) for name in ("accounts", "contracts", "entitlements", "changes", "credits")),
    *(("freshness", name) for name in ("incidents", "contacts")),
    *(("assessors", name) for name in ("head_medium", "head_high", "head_record", "head_asks_human")),
    *(("promotion", name) for name in ("high_risk_miss_at_most", "override_at_most", "recontact_at_most")),
    ("review", "approval_expires_hours"),
}
_LESS_WIDENS = {
    *(("promotion", name) for name in ("confidence", "audited_at_least", "useful_at_least", "agreed_at_least")),
    ("assessors", "text_head"),
}


def _number(section: str) -> _Judge:
    """A limit of which more, or less, lets more through."""

    def judge(old: Release, new: Release, name: str) -> Tally:
        one, other = (getattr(getattr(release, section), name) for release in (old, new))
        if (section, name) in _LESS_WIDENS:
            one, other = other, one
        elif (section, name) not in _MORE_WIDENS:
            return Tally(cells=1)
        return Tally(int(other > one), int(other < one), 1)

    return judge


def _notice(old: Release, new: Release, name: str) -> Tally:
    one, other = ({n.id: n.text for n in release.notice}.get(name) for release in (old, new))
    if one == other:
        return Tally(cells=1)
    # A text that may leave by itself and did not before; a text that may leave no more.
    return Tally(int(other is not None), int(one is not None), 1)


def _texts(old: Release, new: Release, name: str) -> Tally:
    return Tally(1, 1, 1) if name != "approved_by" else Tally(cells=1)


_JUDGES: Mapping[str, _Judge] = {
    "several_mediums": _law("several_mediums"),
    "units": _law("units"),
    "rollout": _rollout,
    "signal": signal_tally,
    "family": family_tally,
    "costly_pair": pair_tally,
    "notice": _notice,
    "texts": _texts,
    **{section: _number(section) for section in ("freshness", "assessors", "promotion", "review")},
}
