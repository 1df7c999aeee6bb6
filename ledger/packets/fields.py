"""What stands in each field of each packet: words of ours, which are linted, or something else, and why it is not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from guards.facts import Fact
from ledger.packets.packet import (
    AssistedPacket,
    Briefing,
    CustomerFacing,
    Damage,
    DecisionWanted,
    Draft,
    FactGroup,
    FiredTrigger,
    HumanPacket,
    Missing,
    NotDone,
    ObservedPacket,
    Owner,
    Quote,
    Reference,
    Routing,
    Said,
    Sentence,
    Suggestion,
)

OURS = "ours"
"""Words that we compose: each is linted."""
PARTS = "parts"
"""Its parts are judged by their own rows."""
_TYPED = "exempt: a kind, number, moment or id; nothing can be asserted in it"
_NAMED = "exempt: the name of a document, queue or assessor, not interpreted"
_QUOTED = "exempt: somebody's own words, quoted under that label"
_RECORD = "exempt: what a system of record holds, with its standing and source beside it"
_LAW = "exempt: the law's own row or the executor's words; a stranger's word in it stands in quotes"
_APPROVED = "exempt: goes nowhere without a person's approval of exactly these bytes; the screen marks it"

_BRIEFING: Mapping[str, str] = {
    "ticket": _TYPED,
    "summary": PARTS,
    "triggers": PARTS,
    "families": _TYPED,
    "consequence": _TYPED,
    "damage": PARTS,
    "known": PARTS,
    "missing": PARTS,
    "references": PARTS,
    "owner": PARTS,
    "decision_wanted": PARTS,
    "not_done": PARTS,
    "customer": PARTS,
    "words": PARTS,
    "policy_version": _TYPED,
    "created_at": _TYPED,
    "thread_revision": _TYPED,
    "revision": _TYPED,
    "degraded": OURS,
    "read_by": _NAMED,
}

FIELDS: Mapping[type[Any], Mapping[str, str]] = {
    Briefing: _BRIEFING,
    HumanPacket: _BRIEFING,
    ObservedPacket: _BRIEFING,
    AssistedPacket: {**_BRIEFING, "draft": PARTS, "suggestions": PARTS, "routing": PARTS},
    Sentence: {"words": OURS, "standing": _TYPED, "fact": _TYPED},
    FiredTrigger: {"trigger": _TYPED, "level": _TYPED, "evidence": _QUOTED, "why": OURS},
    Damage: {"kind": _TYPED, "words": OURS},
    FactGroup: {"standing": _TYPED, "facts": PARTS},
    Fact: {
        "name": _TYPED,
        "value": _RECORD,
        "standing": _TYPED,
        "source": _NAMED,
        "as_of": _TYPED,
        "note": _RECORD,
    },
    Missing: {"words": OURS, "why": OURS},
    Reference: {"id": _NAMED, "title": _NAMED, "version": _TYPED, "kind": _TYPED},
    Owner: {"queue": _NAMED, "visibility": _NAMED, "why": OURS},
    DecisionWanted: {"words": OURS, "unit": _TYPED},
    NotDone: {"words": OURS, "rule": _TYPED, "reason": _LAW},
    CustomerFacing: {"state": _TYPED, "said": PARTS},
    Said: {
        "quote": _QUOTED,
        "by": _TYPED,
        "at": _TYPED,
        "correct_first": _TYPED,
        "why": OURS,
        "certain": _TYPED,
    },
    Quote: {"text": _QUOTED, "seq": _TYPED, "at": _TYPED},
    Suggestion: {"kind": _TYPED, "words": _NAMED, "source": _NAMED},
    Routing: {"to": _NAMED, "why": OURS},
    Draft: {"text": _APPROVED, "sources": PARTS, "marks": _QUOTED},
}
"""Every field of every kind of packet, and of all that it is made of. A field that is not here counts as ours."""


def words_of(packet: Briefing, how: str) -> Iterator[tuple[str, str]]:
    """(part of the packet, words) for each string in a field of that row: ``("summary[0]", "…")``."""
    for field in fields(packet):
        value, row = getattr(packet, field.name), _row(packet, field.name)
        if not isinstance(value, tuple):
            yield from ((field.name, words) for words in _strings(value, row, how))
            continue
        for i, item in enumerate(value):
            yield from ((f"{field.name}[{i}]", words) for words in _strings(item, row, how))


def _row(part: object, name: str) -> str:
    return FIELDS.get(type(part), {}).get(name, OURS)


def _strings(value: Any, row: str, how: str) -> Iterator[str]:
    if isinstance(value, str):
        if row == how:
            yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _strings(item, row, how)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _strings(getattr(value, field.name), _row(value, field.name), how)
