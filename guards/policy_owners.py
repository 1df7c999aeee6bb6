"""Which group answers for which rule of a policy release, and each rule by a name of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from guards.policy import SECTIONS, CostlyPair, Family, Notice, OwnerGroup, OwnerRule, Release, SignalRule
from guards.triggers import Boundary, Trigger

_LEADERSHIP, _OPERATIONS = OwnerGroup.SUPPORT_LEADERSHIP, OwnerGroup.OPERATIONS
_ENGINEERING, _SECURITY, _LEGAL = OwnerGroup.ENGINEERING, OwnerGroup.SECURITY, OwnerGroup.LEGAL

DEFAULT: Mapping[str, OwnerGroup] = {
    **dict.fromkeys(SECTIONS, _LEADERSHIP),
    **dict.fromkeys(("review", "family", "owner_rule"), _OPERATIONS),
    **dict.fromkeys(("freshness", "assessors"), _ENGINEERING),
    Trigger.SECURITY_IDENTITY: _SECURITY,
    Boundary.SECURITY_SENSITIVE: _SECURITY,
    Boundary.CONTRACT_INTERPRETATION: _LEGAL,
    Boundary.LEGAL_OR_EXECUTIVE: _LEGAL,
}
"""Who answers for what a release gives to nobody: an older file loads, and has owners all the same."""

_Listed = SignalRule | Family | CostlyPair | OwnerRule | Notice


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a release: what an approval is given for."""

    section: str
    name: str
    """Its own name in the section; the same in another release where it is the same rule."""
    group: OwnerGroup
    value: str
    """Its whole content as JSON: two rules are the same where this is."""

    @property
    def title(self) -> str:
        """Section and name: ``signal renewal_near``."""
        return f"{self.section} {self.name}".rstrip()


def rules_of(release: Release) -> tuple[Rule, ...]:
    """Every rule of the release, in its order."""
    return tuple(_rules(release))


def group_of(release: Release, *names: str) -> OwnerGroup:
    """The group of the first of these names (a boundary, a trigger, a section) that the release gives to anybody, else
    of the first that the law does. KeyError where none is a section, a trigger or a boundary."""
    for table in (release.owned_by, DEFAULT):
        for name in names:
            if name in table:
                return table[name]
    raise KeyError(names)


def _rules(release: Release) -> Iterator[Rule]:
    for section in SECTIONS:
        value = getattr(release, section)
        if section == "rollout":
            yield from _rollout(release)
        elif isinstance(value, tuple):
            yield from _listed(release, section, value)
        elif isinstance(value, BaseModel):
            for name, inner in value.model_dump(mode="json").items():
                yield Rule(section, name, group_of(release, section), _json(inner))
        elif isinstance(value, dict):
            for name, inner in value.items():
                plain = inner.model_dump(mode="json") if isinstance(inner, BaseModel) else inner
                group = group_of(release, section) if section == "owned_by" else group_of(release, str(name), section)
                yield Rule(section, str(name), group, _json(plain))
        else:
            yield Rule(section, "", group_of(release, section), _json(value))


def _rollout(release: Release) -> Iterator[Rule]:
    group, plan = group_of(release, "rollout"), release.rollout
    yield Rule("rollout", "phase", group, _json(plan.phase))
    yield Rule("rollout", "family_phase", group, _json(bool(plan.family_phase)))
    for family in sorted({*plan.autonomous_families, *plan.family_phase}):
        told = [family in plan.autonomous_families, plan.family_phase.get(family)]
        yield Rule("rollout", family, group, _json(told))


def _listed(release: Release, section: str, items: tuple[_Listed, ...]) -> Iterator[Rule]:
    names = _names(section, items)
    for name, item in zip(names, items, strict=True):
        asked = [section]
        if isinstance(item, SignalRule):
            asked.insert(0, item.trigger.value)
        if isinstance(item, SignalRule | CostlyPair) and item.boundary:
            asked.insert(0, item.boundary.value)
        yield Rule(section, name, item.owned_by or group_of(release, *asked), _json(item.model_dump(mode="json")))
    if section in ("owner_rule", "notice"):
        # The first that fits is taken, so their order is a rule too.
        yield Rule(section, "order", group_of(release, section), _json(names))


def _names(section: str, items: tuple[_Listed, ...]) -> list[str]:
    """One name an item: its id, else what it is about; the second of one name is ``name (2)``."""
    found: list[str] = []
    for item in items:
        if isinstance(item, CostlyPair):
            name = " with ".join(item.domains)
        elif isinstance(item, OwnerRule):
            about = (*item.families, *item.boundaries, *item.triggers, *item.signals)
            name = f"{item.queue} for {', '.join(about) or 'the rest'}" + (f" in lane {item.lane}" if item.lane else "")
        else:
            name = item.id
        same = sum(f == name or f.startswith(f"{name} (") for f in found)
        found.append(f"{name} ({same + 1})" if same else name)
    return found


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
