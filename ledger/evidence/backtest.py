"""Decides stored tickets again under a candidate release: one by one by the law itself, or a chunk at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from guards.assess import Assessment, Need
from guards.assign import Coverage, assign
from guards.lanes import LaneDecision
from guards.policy import Release, SignalRule, level_of
from guards.policy_law import law_table
from guards.rollout import hold
from guards.triggers import Boundary, Level, Matrix, Signal, Trigger, Witness
from ledger.evidence.backtest_rows import (
    ACCOUNT_NEEDED,
    ASKS_HUMAN,
    FAILED,
    NO_SOURCE,
    UNCONFIRMED,
    UNVERIFIED,
    Chunk,
    StoredSignal,
)

_TRIGGERS = tuple(Trigger)
_MIXED = "mixed_"


@dataclass(frozen=True, slots=True)
class StoredDecision:
    """One stored decision, in words."""

    signals: tuple[StoredSignal, ...]
    families: tuple[str, ...]
    flags: int


def signal_under(stored: StoredSignal, release: Release, families: Sequence[str]) -> Signal | None:
    """What is left of a stored signal under a release: its rule may be gone, weaker, stronger, for other families, or
    no longer satisfied by the fact's number. What opinions and the law itself saw stays as it is."""
    boundary = Boundary(stored.boundary) if stored.boundary else None
    if stored.by not in (Witness.FACTS, Witness.TEXT):
        return Signal(stored.id, stored.trigger, stored.level, stored.by, "", "", boundary=boundary)
    rule = next((s for s in release.signal if s.id == stored.id), None)
    if rule is None or (rule.families and not set(rule.families) & set(families)) or not _still(rule, stored.value):
        return None
    return Signal(rule.id, rule.trigger, level_of(rule), stored.by, "", "", boundary=rule.boundary)


def _still(rule: SignalRule, value: str) -> bool:
    if rule.fact is None or not value or (rule.at_least is None and rule.at_most is None):
        return True
    try:
        number = int(value)
    except ValueError:
        return True
    return number >= rule.at_least if rule.at_least is not None else number <= (rule.at_most or 0)


def redecide(stored: StoredDecision, release: Release) -> LaneDecision:
    """The decision anew, by ``guards.assign``. A halt and the conversation's floor were of their moment and do not count;
    a failed assessor does. A mixture of domains counts while anything about the words is raised, and crosses its
    boundary while something commercial is asked for."""
    families = tuple(f for f in stored.families if release.family_of(f))
    kept = [s for raw in stored.signals if not _is_mixture(raw) and (s := signal_under(raw, release, families))]
    raised = any(s.trigger is not Trigger.MISSING_CONTEXT and s.by is not Witness.FACTS for s in kept)
    commercial = any(s.trigger is Trigger.POLICY_SENSITIVITY and s.level is Level.HIGH for s in kept)
    for raw in stored.signals if raised else ():
        if _is_mixture(raw):
            line = Boundary(raw.boundary) if raw.boundary and commercial else None
            kept.append(Signal(raw.id, raw.trigger, raw.level, raw.by, "", "", boundary=line))
    flags = stored.flags
    need = Need.RECORD if flags & ACCOUNT_NEEDED else Need.NOTHING
    seen = Assessment(Matrix(tuple(kept)), families, need, bool(flags & ASKS_HUMAN), "en")
    coverage = Coverage("" if flags & NO_SOURCE else "a source", not flags & UNCONFIRMED, not flags & UNVERIFIED)
    return assign(seen, coverage, release, failures=("an assessor",) if flags & FAILED else ())


def _is_mixture(stored: StoredSignal) -> bool:
    return stored.by is Witness.LAW and stored.trigger is Trigger.MULTI_DOMAIN_COMPLEXITY and stored.id != "erased"


# ── the same, a chunk at a time ─────────────────────────────────────────────────────────────────────────────

_BOUNDARY, _RAISED, _COMMERCIAL, _MIX_MEDIUM, _MIX_HIGH, _MIX_LINE = (1 << n for n in range(12, 18))
_MISSING = _TRIGGERS.index(Trigger.MISSING_CONTEXT)
_MULTI = _TRIGGERS.index(Trigger.MULTI_DOMAIN_COMPLEXITY)


@dataclass(frozen=True, slots=True)
class Redecided:
    """A chunk's decisions anew."""

    lanes: np.ndarray[Any, Any]
    consequences: np.ndarray[Any, Any]
    """0, 1 or 2 for low, medium, high."""


class FastLaw:
    """One release's law over the codes of stored decisions, as arrays."""

    def __init__(self, release: Release, words: Sequence[str]) -> None:
        """``words`` is what each code stands for."""
        table = law_table(release)
        self._risk, self._consequence = np.array(table.risk), np.array(table.consequence)
        self._families = [tuple(json.loads(w).get("families", ())) if _is_families(w) else None for w in words]
        self._held = np.array([_least(release, known) for known in self._families])
        signals = [StoredSignal.read(w) if w.startswith("[") else None for w in words]
        self._masks = np.array([_mask(s, release, None) for s in signals], dtype=np.int64)
        # Rules for some families only: whether they count hangs on the ticket's families, so these are looked up twice.
        limited = {s.id for s in release.signal if s.families}
        self._limited = np.array([s is not None and s.by in _BY_RULE and s.id in limited for s in signals])
        self._fits = _fits(release, signals, self._families, self._limited)

    def redecide(self, chunk: Chunk) -> Redecided:
        """As the function of that name, for a whole chunk."""
        masks = self._masks[chunk.signals]
        if (limited := self._limited[chunk.signals]).any():
            rows = np.repeat(chunk.families, np.diff(np.append(chunk.starts, len(chunk.signals))))
            masks = np.where(limited & ~self._fits[chunk.signals, rows], 0, masks)
        seen = np.bitwise_or.reduceat(masks, chunk.starts)
        raised, commercial = (seen & _RAISED) > 0, (seen & _COMMERCIAL) > 0
        seen = seen | np.where(raised & ((seen & _MIX_MEDIUM) > 0), 1 << _MULTI, 0)
        seen = seen | np.where(raised & ((seen & _MIX_HIGH) > 0), (1 << _MULTI) | (1 << (6 + _MULTI)), 0)
        crossed = ((seen & _BOUNDARY) > 0) | (raised & commercial & ((seen & _MIX_LINE) > 0))
        place = np.zeros(len(seen), dtype=np.int64)
        for at in range(len(_TRIGGERS)):
            place = place * 3 + ((seen >> at) & 1) + ((seen >> (6 + at)) & 1)
        index = 2 * place + crossed
        lanes = np.maximum(self._risk[index], self._held[chunk.families])
        flags = chunk.flags
        uncovered = (flags & (NO_SOURCE | ASKS_HUMAN)) > 0
        account = (flags & ACCOUNT_NEEDED) > 0
        uncovered |= account & ((flags & (UNVERIFIED | UNCONFIRMED)) > 0)
        lanes = np.maximum(lanes, np.where(uncovered, 2, 1))
        blind = (seen >> _MISSING) & 1
        failed = (flags & FAILED) > 0
        lanes = np.maximum(lanes, np.where(failed, np.where(blind > 0, 3, 2), 1))
        return Redecided(lanes, self._consequence[index])


_BY_RULE = (Witness.FACTS, Witness.TEXT)


def _is_families(word: str) -> bool:
    return word.startswith('{"families"')


def _least(release: Release, families: tuple[str, ...] | None) -> int:
    """The lane that roll-out alone demands: unknown is not routine."""
    known = tuple(f for f in families or () if release.family_of(f))
    return 2 if not known or hold(release, known) is not None else 1


def _mask(stored: StoredSignal | None, release: Release, families: Sequence[str] | None) -> int:
    if stored is None:
        return 0
    if _is_mixture(stored):
        return (_MIX_HIGH if stored.level is Level.HIGH else _MIX_MEDIUM) | (_MIX_LINE if stored.boundary else 0)
    everywhere = tuple(f.id for f in release.family) if families is None else families
    signal = signal_under(stored, release, everywhere)
    if signal is None:
        return 0
    at, high = _TRIGGERS.index(signal.trigger), signal.level is Level.HIGH
    mask = (1 << at if signal.level >= Level.MEDIUM else 0) | (1 << (6 + at) if high else 0)
    mask |= _BOUNDARY if signal.boundary else 0
    if signal.trigger is not Trigger.MISSING_CONTEXT and signal.by is not Witness.FACTS:
        mask |= _RAISED
    if signal.trigger is Trigger.POLICY_SENSITIVITY and high:
        mask |= _COMMERCIAL
    return mask


def _fits(
    release: Release,
    signals: Sequence[StoredSignal | None],
    families: Iterable[tuple[str, ...] | None],
    limited: np.ndarray[Any, Any],
) -> np.ndarray[Any, Any]:
    """Whether a limited rule's code counts beside a families' code."""
    known = list(families)
    found = np.ones((len(signals), len(known)), dtype=bool)
    places = {s.id: set(s.families) for s in release.signal if s.families}
    touched = {at: {f for f in names if release.family_of(f)} for at, names in enumerate(known) if names is not None}
    for code in map(int, np.flatnonzero(limited)):
        stored = signals[code]
        assert stored is not None
        for at, names in touched.items():
            found[code, at] = bool(places[stored.id] & names)
    return found
