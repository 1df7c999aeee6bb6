"""The gate: whether a run may be merged, by what happened and by a committed baseline, and the exit code that says so."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from evals.case import CaseError
from evals.outcome import FIGURES, Mark, Mode, Noted, Outcome, Run
from evals.score import Share
from evals.scorers import Severity


class Exit(IntEnum):
    """What the command ends with; the worst that was found."""

    OK = 0
    QUALITY = 1
    """A figure is worse than in the baseline, in all or in one slice."""
    BOUNDARY = 2
    """A boundary was broken, or a risky ticket was taken too lightly."""
    CANNOT_RUN = 3
    """Nothing can be said: a case or recording cannot be used, or recordings are stale."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Kept(_Part):
    """What a baseline keeps of one case."""

    digest: str
    mode: Mode
    model: str
    lane: int
    families: tuple[str, ...]
    segment: str
    consequence: str
    marks: dict[str, Mark]

    @property
    def slices(self) -> tuple[str, ...]:
        """The slices that the case counts in."""
        families = tuple(f"family {name}" for name in self.families)
        return ("all", *families, f"segment {self.segment}", f"consequence {self.consequence}")


class Baseline(_Part):
    """The figures that a run is compared with, a case at a time; committed beside the cases."""

    release: str
    cases: dict[str, Kept]


def baseline_of(run: Run) -> Baseline:
    """The baseline that this run would be."""
    kept = {o.id: _kept(o) for o in run.judged}
    return Baseline(release=run.release, cases={name: kept[name] for name in sorted(kept)})


def _kept(outcome: Outcome) -> Kept:
    names = Kept.model_fields
    return Kept(**{name: getattr(outcome, name) for name in names})


def read_baseline(file: Path) -> Baseline | None:
    """The baseline of a file; None where there is none. CaseError where it cannot be read."""
    if not file.is_file():
        return None
    try:
        return Baseline.model_validate_json(file.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        raise CaseError(f"{file}: not a baseline: write it anew with --update-baseline") from error


def write_baseline(file: Path, baseline: Baseline) -> None:
    """One line a case, so that a change of one case is a change of one line."""
    told = baseline.model_dump(mode="json")
    lines = [f"    {json.dumps(name)}: {json.dumps(kept, sort_keys=True)}" for name, kept in told["cases"].items()]
    text = ",\n".join(lines)
    head = f'{{\n  "release": {json.dumps(baseline.release)},\n  "cases": {{\n'
    file.write_text(f"{head}{text}\n  }}\n}}\n", encoding="utf-8")


# ── comparing ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure in one slice, over the cases that both sides know."""

    slice: str
    figure: str
    before: Share
    now: Share
    lost: tuple[str, ...]
    """Cases that were better before."""
    live: bool
    """True where the model itself answered, and might answer otherwise next time."""

    @property
    def worse(self) -> bool:
        """True where the slice has lost more than it has won. A replay says the same each time, so that each loss is a
        fact; a live run has to be worse than chance explains (95%)."""
        if self.now.hits >= self.before.hits:
            return False
        share = self.before.hits / self.before.of if self.before.of else 0.0
        return not self.live or self.now.interval()[1] < share

    @property
    def words(self) -> str:
        """The whole in one line, with counts and intervals."""
        lost = f"; worse: {', '.join(self.lost)}" if self.lost else ""
        return f"{self.slice}: {FIGURES[self.figure]}: {_share(self.before)} before, {_share(self.now)} now{lost}"


def _share(share: Share) -> str:
    low, high = share.interval()
    return f"{share.hits} of {share.of} ({100 * low:.0f} to {100 * high:.0f}%)"


def compare(run: Run, baseline: Baseline) -> tuple[Compared, ...]:
    """Every figure in every slice, where both sides know it: the same case, word for word, answered in the same way.
    A case stays in the slices it had, so that a regression cannot hide by moving it."""
    shared = [
        (o, baseline.cases[o.id]) for o in run.judged if o.id in baseline.cases and _same(o, baseline.cases[o.id])
    ]
    live = any(o.mode == "live" for o in run.judged)
    slices = sorted({name for _, kept in shared for name in kept.slices}, key=lambda n: (n != "all", n))
    found = []
    for name in slices:
        within = [(o, kept) for o, kept in shared if name in kept.slices]
        for figure in FIGURES:
            both = [(o.id, kept.marks[figure], o.marks[figure]) for o, kept in within if _both(o, kept, figure)]
            if both:
                found.append(_compared(name, figure, both, live))
    return tuple(found)


def _same(outcome: Outcome, kept: Kept) -> bool:
    return outcome.digest == kept.digest and (outcome.mode == "live" or outcome.mode == kept.mode)


def _both(outcome: Outcome, kept: Kept, figure: str) -> bool:
    return figure in outcome.marks and figure in kept.marks


def _compared(name: str, figure: str, both: Iterable[tuple[str, Mark, Mark]], live: bool) -> Compared:
    rows = list(both)
    return Compared(
        name,
        figure,
        Share(figure, sum(was[0] for _, was, _ in rows), sum(was[1] for _, was, _ in rows)),
        Share(figure, sum(now[0] for _, _, now in rows), sum(now[1] for _, _, now in rows)),
        tuple(case for case, was, now in rows if now[0] < was[0]),
        live,
    )


def figures(run: Run) -> tuple[tuple[str, tuple[Share, ...]], ...]:
    """(slice, its figures) of a run by itself, the whole first."""
    rows: dict[str, dict[str, list[Mark]]] = {}
    for outcome in run.judged:
        for name in _kept(outcome).slices:
            for figure, mark in outcome.marks.items():
                rows.setdefault(name, {}).setdefault(figure, []).append(mark)
    order = sorted(rows, key=lambda name: (name != "all", name))
    return tuple((name, tuple(_summed(f, rows[name][f]) for f in FIGURES if f in rows[name])) for name in order)


def _summed(figure: str, marks: list[Mark]) -> Share:
    return Share(figure, sum(m[0] for m in marks), sum(m[1] for m in marks))


# ── the verdict ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says of a run."""

    boundary: tuple[tuple[str, Noted], ...]
    """(case, finding)."""
    high_risk: tuple[tuple[str, Noted], ...]
    stale: tuple[str, ...]
    """Recordings that hold no more, and what to do."""
    compared: tuple[Compared, ...]
    notes: tuple[str, ...]
    """What was not compared, and why."""
    has_baseline: bool

    @property
    def worse(self) -> tuple[Compared, ...]:
        """The regressions of quality."""
        return tuple(c for c in self.compared if c.worse)

    @property
    def exit(self) -> Exit:
        """The worst that was found. A broken boundary is a fact whatever else could not be judged."""
        if self.boundary or self.high_risk:
            return Exit.BOUNDARY
        if self.stale:
            return Exit.CANNOT_RUN
        return Exit.QUALITY if self.worse else Exit.OK

    @property
    def words(self) -> str:
        """The verdict in one sentence."""
        match self.exit:
            case Exit.BOUNDARY:
                return f"FAILED: {len(self.boundary)} boundary breaches, {len(self.high_risk)} high-risk misses"
            case Exit.CANNOT_RUN:
                return f"NOT JUDGED: {len(self.stale)} recordings hold no more"
            case Exit.QUALITY:
                slices = ", ".join(dict.fromkeys(c.slice for c in self.worse))
                return f"FAILED: worse than the baseline in {slices}"
            case Exit.OK:
                quality = "no figure is worse than the baseline" if self.has_baseline else "there is no baseline yet"
                return f"PASSED: the boundary holds, and {quality}"


def judge(run: Run, baseline: Baseline | None) -> Verdict:
    """The verdict on a run. Without a baseline, quality is told and not judged."""
    return Verdict(
        boundary=tuple(_worst(run, Severity.BOUNDARY)),
        high_risk=tuple(_worst(run, Severity.HIGH_RISK)),
        stale=(*run.stale, *(f"{o.id}: {'; '.join(o.stale)}" for o in run.outcomes if o.stale)),
        compared=compare(run, baseline) if baseline else (),
        notes=tuple(_notes(run, baseline)),
        has_baseline=baseline is not None,
    )


def _worst(run: Run, severity: Severity) -> Iterator[tuple[str, Noted]]:
    return ((o.id, f) for o in run.judged for f in o.worst(severity))


def _notes(run: Run, baseline: Baseline | None) -> Iterator[str]:
    if run.orphans:
        yield f"recordings without a case (delete them, or run --record): {', '.join(run.orphans)}"
    if baseline is None:
        yield "there is no baseline, so quality is told and not judged: write one with --update-baseline"
        return
    known: Mapping[str, Kept] = baseline.cases
    groups = {
        "new, not in the baseline": [o.id for o in run.judged if o.id not in known],
        "changed since the baseline": [o.id for o in run.judged if o.id in known and o.digest != known[o.id].digest],
        "answered in another way than in the baseline (recorded, embedded)": [
            o.id for o in run.judged if o.id in known and o.digest == known[o.id].digest and not _same(o, known[o.id])
        ],
    }
    if not run.partial:
        here = {o.id for o in run.outcomes}
        groups["in the baseline and no case any more"] = [name for name in known if name not in here]
    for why, cases in groups.items():
        if cases:
            yield f"not compared, {why}: {', '.join(cases)}"
