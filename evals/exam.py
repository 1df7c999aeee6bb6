"""Examines cases, several at once where it pays: each in a ledger of its own, by a recording, without a model, or live."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from agent.model import ModelSettings
from evals.case import Case
from evals.cassettes import Tape, Usage, cassette, read_made, recorded_cases
from evals.outcome import Mode, Outcome, outcome_of
from evals.run import CaseClock, CaseRun, run_case, scratch_folder
from guards.policy import Release
from ledger.store import open_store

WORTH_A_PROCESS = 12
"""Cases that a process has to have before starting it costs less than it saves: it loads for some seconds."""


@dataclass(frozen=True, slots=True)
class Hall:
    """Where the exam is held: what every case of a run has in common. It can be sent to another process."""

    release: Release
    company: Path | None
    """The folder of the company's files; None for the made-up company."""
    cassettes: Path
    """The folder of the recordings."""


@dataclass(frozen=True, slots=True)
class Sitting:
    """One case, and how it is answered."""

    case: Case
    mode: Mode


def sittings(cases: Sequence[Case], cassettes: Path, *, embedded: bool = False) -> tuple[Sitting, ...]:
    """Who is replayed: cases with a recording by it, all others on the embedded default."""
    recorded = () if embedded else recorded_cases(cassettes)
    return tuple(Sitting(case, "recorded" if case.id in recorded else "embedded") for case in cases)


def jobs_for(wanted: int | None, cases: int) -> int:
    """How many processes to use: as many as were asked for, else as many as there are processors and cases for."""
    if wanted is not None:
        return max(1, min(wanted, cases))
    return max(1, min(os.cpu_count() or 1, cases // WORTH_A_PROCESS))


def examine(
    todo: Sequence[Sitting], hall: Hall, jobs: int, told: Callable[[Outcome], None] = lambda outcome: None
) -> tuple[Outcome, ...]:
    """The outcomes, in the order of the cases; ``told`` hears of each as soon as it is there. Every process replays
    one recording at a time: a recording patches the whole process."""
    if jobs <= 1 or len(todo) <= 1:
        with scratch_folder() as scratch, asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            bench = _Bench(hall, Path(scratch), runner)
            return tuple(_telling(told, bench.examine(one)) for one in todo)
    done: dict[str, Outcome] = {}
    # Started afresh: a copy of a process that holds a model's threads may hang.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=fresh, initializer=_sit_down, initargs=(hall, list(sys.path))) as pool:
        waiting = [pool.submit(_examined, one) for one in todo]
        try:
            for future in as_completed(waiting):
                outcome = _telling(told, future.result())
                done[outcome.id] = outcome
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tuple(done[one.case.id] for one in todo)


def examine_live(
    case: Case, hall: Hall, model: ModelSettings, keep: Path | None = None
) -> tuple[Outcome, tuple[str, ...]]:
    """One case with the model itself, and what went wrong on the way to it. Its traffic is counted, and with ``keep`` (a
    folder) left there as the case's recording."""
    with scratch_folder() as scratch, asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return _Bench(hall, Path(scratch), runner).live(case, model, keep or Path(scratch))


def _telling(told: Callable[[Outcome], None], outcome: Outcome) -> Outcome:
    told(outcome)
    return outcome


# ── one process ─────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class _Bench:
    """Where one process plays its cases: what takes long to open is opened once."""

    hall: Hall
    scratch: Path
    runner: asyncio.Runner

    def examine(self, one: Sitting) -> Outcome:
        """One case by its recording, or without a model."""
        if one.mode == "embedded":
            return self._outcome(one.case, "embedded", None, None)
        made = read_made(self.hall.cassettes)
        with cassette(one.case.id, record=False, folder=self.hall.cassettes) as tape:
            return self._outcome(one.case, "recorded", made.settings if made else None, tape)

    def live(self, case: Case, model: ModelSettings, keep: Path) -> tuple[Outcome, tuple[str, ...]]:
        """One case by the model."""
        with cassette(case.id, record=True, folder=keep) as tape:
            run = self._played(case, model)
            usage, broken = tape.usage(), tape.broken()
        assert run.evidence is not None
        return outcome_of(case, run.evidence, run.findings, "live", model.name, usage), broken

    def _outcome(self, case: Case, mode: Mode, model: ModelSettings | None, tape: Tape | None) -> Outcome:
        run = self._played(case, model)
        assert run.evidence is not None
        stale, usage = self._stale(case, tape) if tape else (), tape.usage() if tape else Usage()
        name = model.name if model else ""
        return outcome_of(case, run.evidence, run.findings, mode, name, usage, stale)

    def _stale(self, case: Case, tape: Tape) -> tuple[str, ...]:
        made = read_made(self.hall.cassettes)
        if made is None or case.id not in made.cases:
            return ("nothing says what it was recorded with",)
        if found := tape.misses(made.cases.get(case.id)):
            return found
        return () if tape.all_played else ("it holds a call that is not made any more",)

    def _played(self, case: Case, model: ModelSettings | None) -> CaseRun:
        file = self.scratch / f"{case.id}.sqlite3"
        shutil.copy(_empty_ledger(self.scratch), file)
        clock = CaseClock(datetime.min.replace(tzinfo=UTC))  # set to the world's own moment as soon as that is made
        # Ids by counting: with random ones, two runs would differ in every packet that names its review.
        ids = (f"{case.id}-{number}" for number in itertools.count(1))
        store = open_store(file, clock=clock, ids=lambda: next(ids))
        try:
            playing = run_case(
                case, self.hall.release, store, self.scratch, model, clock=clock, company=self.hall.company
            )
            return self.runner.run(playing)
        finally:
            store.close()
            for left in self.scratch.glob(f"{case.id}.sqlite3*"):
                left.unlink(missing_ok=True)


@cache
def _empty_ledger(scratch: Path) -> Path:
    """A migrated ledger without a ticket: copying it costs less than migrating."""
    path = scratch / "empty.sqlite3"
    store = open_store(path)
    store.forget_erased()  # what still stands in the write-ahead file would not be copied
    store.close()
    return path


_seat: list[_Bench] = []
_held = ExitStack()


def _sit_down(hall: Hall, paths: list[str]) -> None:
    """Makes this process ready."""
    sys.path[:] = paths
    scratch = Path(_held.enter_context(scratch_folder()))
    _seat.append(_Bench(hall, scratch, _held.enter_context(asyncio.Runner(loop_factory=asyncio.new_event_loop))))


def _examined(one: Sitting) -> Outcome:
    return _seat[0].examine(one)
