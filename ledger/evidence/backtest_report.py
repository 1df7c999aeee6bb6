"""What a candidate release would have made of the stored tickets, counted a chunk at a time."""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from guards.policy import Release, SignalRule
from guards.policy_diff import diff
from ledger.evidence.backtest import FastLaw
from ledger.evidence.backtest_rows import Chunk, StoredDecisions

SHOWN = 100
"""Most tickets that are named in a list; all are counted."""


@dataclass(frozen=True, slots=True, order=True)
class Moved:
    """One decision that falls out otherwise."""

    risk: tuple[int, int, int]
    """Orders a list, the riskiest highest: the lane that people gave it, its consequence, its lane before."""
    seq: int
    ticket: str
    before: int
    after: int
    said: int
    """The lane that people gave the ticket; 0 where none did."""
    consequence: int
    families: tuple[str, ...]
    segment: str

    def to_json(self) -> dict[str, object]:
        """Plain JSON."""
        return {
            "ticket": self.ticket,
            "before": self.before,
            "after": self.after,
            "people_said": self.said or None,
            "consequence": ("low", "medium", "high")[self.consequence],
            "families": list(self.families),
            "segment": self.segment,
        }


class Worst:
    """The riskiest few of any number, and how many there were."""

    def __init__(self) -> None:
        self.count = 0
        self._heap: list[Moved] = []

    def add(self, moved: Iterable[Moved], count: int) -> None:
        """Counts ``count`` more; ``moved`` are the riskiest of them."""
        self.count += count
        for one in moved:
            if len(self._heap) < SHOWN:
                heapq.heappush(self._heap, one)
            else:
                heapq.heappushpop(self._heap, one)

    def listed(self) -> list[Moved]:
        """Riskiest first."""
        return sorted(self._heap, reverse=True)


@dataclass(slots=True)
class BackTest:
    """A candidate beside the release in force, over every stored decision."""

    before: str
    after: str
    decisions: int = 0
    moves: dict[str, int] = field(default_factory=dict)
    """``2->1``: how many."""
    by_family: dict[str, dict[str, int]] = field(default_factory=dict)
    by_segment: dict[str, dict[str, int]] = field(default_factory=dict)
    newly_autonomous: Worst = field(default_factory=Worst)
    lowered: Worst = field(default_factory=Worst)
    raised: Worst = field(default_factory=Worst)
    caught: Worst = field(default_factory=Worst)
    """Known misses, where people had to raise the lane, that the candidate gives to people."""
    missed: int = 0
    """Known misses that neither does."""
    contradicted: Worst = field(default_factory=Worst)
    """Changed decisions that end below the lane that people gave."""
    overdone: int = 0
    """Changed decisions that end above the lane that people gave."""
    otherwise_then: int = 0
    """Decided otherwise at the time than the release in force decides now: another release, a halt, a floor."""
    not_seen: tuple[str, ...] = ()
    """Changes that stored signals cannot show."""

    @property
    def changed(self) -> int:
        """Decisions that change lane."""
        return sum(self.moves.values())

    def to_json(self) -> dict[str, object]:
        """Plain JSON."""
        return {
            "before": self.before,
            "after": self.after,
            "decisions": self.decisions,
            "changed": self.changed,
            "moves": self.moves,
            "by_family": self.by_family,
            "by_segment": self.by_segment,
            **{
                name: {"count": worst.count, "riskiest": [m.to_json() for m in worst.listed()]}
                for name, worst in (
                    ("newly_autonomous", self.newly_autonomous),
                    ("lowered", self.lowered),
                    ("raised", self.raised),
                    ("caught", self.caught),
                    ("contradicted", self.contradicted),
                )
            },
            "known_misses_left": self.missed,
            "overdone": self.overdone,
            "decided_otherwise_then": self.otherwise_then,
            "not_seen": list(self.not_seen),
        }


def backtest(rows: StoredDecisions, now: Release, candidate: Release) -> BackTest:
    """Decides every stored ticket under both. Memory does not grow with their number; bring the rows up to date first."""
    words = rows.words()
    one, other = FastLaw(now, words), FastLaw(candidate, words)
    found = BackTest(now.version, candidate.version, not_seen=unseen(now, candidate))
    for chunk in rows.chunks():
        _count(found, chunk, words, one, other)
    return found


def _count(found: BackTest, chunk: Chunk, words: Sequence[str], one: FastLaw, other: FastLaw) -> None:
    was, now = one.redecide(chunk), other.redecide(chunk)
    before, after, said = was.lanes, now.lanes, chunk.said
    changed, known = before != after, said > 0
    found.decisions += len(before)
    found.otherwise_then += int((before != chunk.lanes).sum())
    found.missed += int((known & (before < said) & (after < said)).sum())
    found.overdone += int((known & changed & (after > said)).sum())
    consequence = np.maximum(was.consequences, now.consequences)
    for worst, mask in (
        (found.newly_autonomous, changed & (after == 1)),
        (found.lowered, changed & (after < before)),
        (found.raised, changed & (after > before)),
        (found.caught, known & (before < said) & (after >= said)),
        (found.contradicted, known & changed & (after < said)),
    ):
        risk = said * 100 + consequence * 10 + before
        worst.add(_riskiest(chunk, words, mask, risk, before, after, consequence), int(mask.sum()))
    _moves(found, chunk, words, before, after, changed)


def _riskiest(
    chunk: Chunk, words: Sequence[str], mask: Any, risk: Any, before: Any, after: Any, consequence: Any
) -> list[Moved]:
    places = np.flatnonzero(mask)
    places = places[np.argsort(-risk[places], kind="stable")][:SHOWN]
    return [
        Moved(
            (int(chunk.said[i]), int(consequence[i]), int(before[i])),
            int(chunk.seqs[i]),
            chunk.tickets[i],
            int(before[i]),
            int(after[i]),
            int(chunk.said[i]),
            int(consequence[i]),
            tuple(json.loads(words[chunk.families[i]])["families"]),
            str(json.loads(words[chunk.segments[i]])["segment"]),
        )
        for i in places
    ]


def _moves(found: BackTest, chunk: Chunk, words: Sequence[str], before: Any, after: Any, changed: Any) -> None:
    at = np.flatnonzero(changed)
    pairs, counts = np.unique(
        np.stack([chunk.families[at], chunk.segments[at], before[at], after[at]]), axis=1, return_counts=True
    )
    for (families, segment, was, now), count in zip(pairs.T.tolist(), counts.tolist(), strict=True):
        move = f"{was}->{now}"
        found.moves[move] = found.moves.get(move, 0) + count
        where = found.by_segment.setdefault(str(json.loads(words[segment])["segment"]), {})
        where[move] = where.get(move, 0) + count
        for family in json.loads(words[families])["families"] or ["unknown"]:
            there = found.by_family.setdefault(family, {})
            there[move] = there.get(move, 0) + count


# ── what stored signals cannot show ─────────────────────────────────────────────────────────────────────────

_BLIND = {
    "family": "which words show it, or which facts it needs",
    "costly_pair": "which mixtures of domains are costly",
    "assessors": "how sure the text model must be",
    "freshness": "which facts count as stale",
}


def unseen(now: Release, candidate: Release) -> tuple[str, ...]:
    """The changes whose effect stored signals do not hold, or not wholly: what a rule that did not fire would have seen
    stands in the customer's words and in the facts, not among the signals."""
    found = []
    for change in diff(now, candidate):
        if change.section in _BLIND:
            found.append(f"{change.rule}: {_BLIND[change.section]}")
        elif change.section == "signal":
            name = change.rule.removeprefix("signal ")
            one, other = (next((s for s in r.signal if s.id == name), None) for r in (now, candidate))
            if other is not None and (one is None or not _only_less(one, other)):
                found.append(f"{change.rule}: it may fire where nothing fired before")
    return tuple(found)


_SHOWN_FIELDS = frozenset({"level", "boundary", "why", "says", "open_question", "owned_by", "at_least", "at_most"})


def _only_less(one: SignalRule, other: SignalRule) -> bool:
    """True where the rule fires after the change only where it fired before, and the stored value says whether."""
    differs = {name for name in SignalRule.model_fields if getattr(one, name) != getattr(other, name)}
    if "families" in differs and one.families and not set(other.families) <= set(one.families):
        return False
    if (differs - {"families"}) - _SHOWN_FIELDS or ("families" in differs and not other.families):
        return False
    if one.at_least is not None and other.at_least is not None:
        return other.at_least >= one.at_least
    if one.at_most is not None and other.at_most is not None:
        return other.at_most <= one.at_most
    return not differs & {"at_least", "at_most"}
