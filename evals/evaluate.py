"""Holds the exam: cases in, a verdict, reports and an exit code out. What `lanewise eval` calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.text import Text

from agent.model import ModelSettings
from evals.case import Case, CaseError, read_cases
from evals.cassettes import read_made, recorded_cases, tampered
from evals.differences import Differences, differences
from evals.exam import Hall, examine, examine_live, jobs_for, sittings
from evals.exam_reports import about, junit, markdown, page, terminal_lines
from evals.gate import Exit, Verdict, baseline_of, judge, read_baseline, write_baseline
from evals.outcome import Outcome, Run, read_run
from evals.recording import needing_model, record
from evals.scorers import Severity
from evals.show import console, plainly
from guards.policy import Release


@dataclass(frozen=True, slots=True)
class Place:
    """Where an exam's files are."""

    cases: Path
    cassettes: Path
    baseline: Path


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for."""

    place: Place
    release: Release
    company: Path | None
    """The folder of the company's files; None for the made-up company."""
    model: ModelSettings | None = None
    """The model that may be asked, for ``record`` and ``live``."""
    wanted_model: str | None = None
    """The model that the settings name, with or without a key; recordings of another one are stale."""
    record: bool = False
    live: bool = False
    embedded: bool = False
    only: frozenset[str] = frozenset()
    jobs: int | None = None
    baseline: Path | None = None
    update_baseline: bool = False
    against: Path | None = None
    price: tuple[float, float] | None = None
    junit: Path | None = None
    markdown: Path | None = None
    html: Path | None = None
    json: Path | None = None


def place_of(folder: Path | None, workspace: Path | None) -> Place:
    """A folder's files: cases in ``cases`` or in the folder itself, ``cassettes`` and ``baseline.json`` beside them.
    Without a folder the workspace's own ``evals``, and without a workspace the packaged ones. CaseError."""
    home = folder or (workspace / "evals" if workspace else Path(__file__).parent)
    cases = home / "cases" if (home / "cases").is_dir() else home
    if not cases.is_dir() or not [p for p in cases.iterdir() if p.suffix in (".toml", ".md") and p.name != "README.md"]:
        raise CaseError(f"{home} holds no cases: write one, name.toml, into {home / 'cases'} (docs/evals.md shows how)")
    return Place(cases, home / "cassettes", home / "baseline.json")


def price_of(told: str | None) -> tuple[float, float] | None:
    """``0.15/0.60``: what a million tokens cost, in and out. CaseError for anything else."""
    if told is None:
        return None
    try:
        read, written = (float(part) for part in told.split("/"))
    except ValueError as error:
        raise CaseError(f"--price {told}: write it as IN/OUT a million tokens, like 0.15/0.60") from error
    return read, written


def run_eval(order: Order) -> int:
    """Runs the exam and writes what was asked for; the exit code is ``Exit``'s. CaseError where it cannot be run."""
    out = console()
    every = read_cases(order.place.cases)
    cases = _chosen(every, order.only)
    before = read_run(order.against) if order.against else None
    hall = Hall(order.release, order.company, order.place.cassettes)
    unrecorded: tuple[str, ...] = ()
    if order.record:
        jobs = jobs_for(order.jobs, len(cases))
        unrecorded = record(every, order.only, hall, needing_model(order.model), jobs, partial(_say, out))
    run = _run(order, cases, hall, out, some=len(cases) < len(every))
    run = run.model_copy(update={"stale": (*run.stale, *(f"not recorded: {words}" for words in unrecorded))})
    file = order.baseline or order.place.baseline
    baseline = read_baseline(file)
    if order.baseline and baseline is None and not order.update_baseline:
        raise CaseError(f"{file} does not exist: write it with --update-baseline, or leave --baseline out")
    verdict = judge(run, baseline)
    if order.update_baseline and verdict.exit in (Exit.OK, Exit.QUALITY):
        fresh = baseline_of(run)
        if run.partial and baseline is not None:
            fresh = fresh.model_copy(update={"cases": dict(sorted({**baseline.cases, **fresh.cases}.items()))})
        write_baseline(file, fresh)
        verdict = judge(run, fresh)
        out.print(f"wrote {file}", markup=False)
    changed = differences(before, run) if before else None
    _write(order, run, verdict, changed)
    _close(out, run, verdict, changed)
    return int(verdict.exit)


def _say(out: Console, words: str) -> None:
    out.print(plainly(words), markup=False, soft_wrap=True)


def _write(order: Order, run: Run, verdict: Verdict, changed: Differences | None) -> None:
    reports: tuple[tuple[Path | None, Callable[[], str]], ...] = (
        (order.junit, lambda: junit(run, verdict)),
        (order.markdown, lambda: markdown(run, verdict, changed)),
        (order.html, lambda: page(run, verdict, changed)),
        (order.json, lambda: run.model_dump_json(indent=1) + "\n"),
    )
    for path, text in reports:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text(), encoding="utf-8", errors="replace")


def _chosen(cases: tuple[Case, ...], only: frozenset[str]) -> tuple[Case, ...]:
    if strange := sorted(only - {c.id for c in cases}):
        raise CaseError(f"no such case: {', '.join(strange)}")
    return tuple(c for c in cases if not only or c.id in only)


def _run(order: Order, cases: tuple[Case, ...], hall: Hall, out: Console, *, some: bool) -> Run:
    count = iter(range(1, len(cases) + 1))

    def told(outcome: Outcome) -> None:
        out.print(_line(next(count), len(cases), outcome), soft_wrap=True)

    if order.live:
        model = needing_model(order.model)
        found = []
        for case in cases:
            found.append(examine_live(case, hall, model)[0])
            told(found[-1])
        outcomes = tuple(found)
    else:
        todo = sittings(cases, hall.cassettes, embedded=order.embedded)
        outcomes = examine(todo, hall, jobs_for(order.jobs, len(todo)), told)
    recorded = () if order.embedded or order.live else recorded_cases(hall.cassettes)
    return Run(
        release=order.release.version,
        release_digest=order.release.digest,
        phase=order.release.rollout.phase.value,
        mode=_mode(outcomes),
        outcomes=outcomes,
        stale=tuple(_stale(order, hall, {c.id for c in cases} & set(recorded))),
        orphans=() if some else tuple(name for name in recorded if name not in {c.id for c in cases}),
        partial=some,
        price=order.price,
    )


def _stale(order: Order, hall: Hall, used: set[str]) -> list[str]:
    """What is wrong with the recordings that no replay can see."""
    made = read_made(hall.cassettes)
    if made is None or not used:
        return []
    found = [
        f"{n}.yaml is not as it was recorded: record it again" for n in tampered(made, hall.cassettes) if n in used
    ]
    wanted = order.wanted_model
    if wanted not in (None, "embedded", made.model):
        found.append(
            f"the settings ask for the model {wanted}, and {len(used)} recordings were made with {made.model}: "
            "`lanewise eval --record` records them again"
        )
    return found


def _mode(outcomes: tuple[Outcome, ...]) -> str:
    models = sorted({o.model for o in outcomes if o.model})
    counted = {mode: sum(o.mode == mode for o in outcomes) for mode in ("recorded", "live", "embedded")}
    words = {
        "recorded": f"recorded with {', '.join(models)}",
        "live": f"answered live by {', '.join(models)}",
        "embedded": "on the embedded default, without a model",
    }
    return ", ".join(f"{n} {words[mode]}" for mode, n in counted.items() if n)


def _line(done: int, of: int, outcome: Outcome) -> Text:
    mark = Text(f"  {done:>3}/{of}  lane {outcome.lane}  {outcome.mode:<8}  {plainly(outcome.title)[:64]}")
    hard = [f for f in outcome.findings if f.severity is not Severity.QUALITY]
    if outcome.stale:
        mark.append("  stale recording", style="yellow")
    elif hard:
        mark.append(f"  ✗ {plainly(hard[0].words)}", style="bold red")
    elif outcome.findings:
        mark.append(f"  ~ {plainly(outcome.findings[0].words)}", style="yellow")
    return mark


def _close(out: Console, run: Run, verdict: Verdict, changed: Differences | None) -> None:
    out.print()
    for style, line in terminal_lines(verdict, changed):
        out.print(Text(plainly(line), style=style), soft_wrap=True)
    _say(out, about(run))
    _say(out, f"model: {run.cost}")
    if changed is not None:
        _say(out, f"against the other run: {changed.summary}")
    out.print(Text(plainly(verdict.words), style="bold green" if verdict.exit is Exit.OK else "bold red"))
