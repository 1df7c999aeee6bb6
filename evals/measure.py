"""Runs ``assess`` over a file of rows: one judgement a row, in order, with progress; stopped, it goes on where it was."""

from __future__ import annotations

import asyncio
import hashlib
import json
import multiprocessing
import os
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from agent.model import ModelSettings
from agent.wiring import build_assessors
from evals.assess import AssessRow, BadRow, assess_row, read_rows
from evals.show import console, plainly
from guards.policy import Release
from tools.directory import open_directory
from tools.errors import UnreadableFile
from tools.sandbox import company_folder
from tools.systems import Systems
from tools.ticket_text import decode

CHUNK = 25
"""Rows that a process is given at once: few enough that little is lost when it is stopped."""


@dataclass(frozen=True, slots=True)
class Measuring:
    """What every row is judged by. It can be sent to another process, which opens the company's files itself."""

    release: Release
    company: Path | None
    """The folder of the company's files; None for the made-up company."""
    today: date


def run_assess(
    rows: Path,
    out: Path,
    release: Release,
    systems: Systems,
    model: ModelSettings | None,
    company: Path | None = None,
    jobs: int = 1,
) -> int:
    """Writes one line of JSON a row; a bad row is told and left out. 0 where every row was judged, else 1.

    What is judged stands in ``OUT.part`` until all is. The same command goes on from there; with other rows, another
    release or another model it begins anew and says so. With a model, ``jobs`` are calls under way at once; without
    one, processes.
    """
    if not rows.is_file():
        raise UnreadableFile(f"{rows} does not exist. Check its name")
    raw = rows.read_bytes()
    text, _ = decode(raw, rows.name)
    read, shown = list(read_rows(text.splitlines())), console()
    for row in read:
        if isinstance(row, BadRow):
            shown.print(f"  left out: {plainly(str(row))}", style="red", markup=False)
    good = [row for row in read if isinstance(row, AssessRow)]
    today = (systems.company.today or datetime.now(UTC)).date()
    part = _Part(out.with_name(out.name + ".part"), _header(raw, release, model, systems, today))
    done = part.resume(shown)
    work = Measuring(release, company, today)
    if model is None and jobs > 1 and len(good) - done > CHUNK:
        judged = _by_processes(good[done:], work, jobs)
        asyncio.run(_keep(_aiter(judged), part, done, len(good), shown))
    else:
        asyncio.run(_keep(_in_one_process(good[done:], work, systems, model, jobs), part, done, len(good), shown))
    part.finish(out)
    bad = len(read) - len(good)
    shown.print(f"{len(good)} rows judged, {bad} left out; written to {out}", markup=False)
    return 0 if good and not bad else 1


# ── what is done already ────────────────────────────────────────────────────────────────────────────────────


def _header(raw: bytes, release: Release, model: ModelSettings | None, systems: Systems, today: date) -> str:
    told = {
        "lanewise assess": 1,
        "rows": hashlib.sha256(raw).hexdigest(),
        "release": release.version,
        "release_digest": release.digest,
        "model": model.name if model else "embedded",
        "company": systems.company.name,
        "today": today.isoformat(),
    }
    return json.dumps(told, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class _Part:
    """The rows judged so far: a header that says what by, then exactly the lines of the result."""

    file: Path
    header: str

    def resume(self, shown: Console) -> int:
        """How many rows are done; the file then ends with the last whole one."""
        if self.file.is_file():
            head, *lines = self.file.read_text(encoding="utf-8", errors="replace").split("\n")
            if head == self.header:
                done = lines[:-1]  # what stands after the last line end was cut off
                self._write([self.header, *done])
                shown.print(f"  going on after {len(done)} rows ({self.file.name})", style="dim", markup=False)
                return len(done)
            shown.print(
                f"  {self.file.name} belongs to other rows, another release, company or model: beginning anew",
                style="yellow",
                markup=False,
            )
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self._write([self.header])
        return 0

    def _write(self, lines: Sequence[str]) -> None:
        self.file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def finish(self, out: Path) -> None:
        """Makes the result of it, whole or not at all."""
        _, _, result = self.file.read_text(encoding="utf-8").partition("\n")
        self.file.write_text(result, encoding="utf-8")
        os.replace(self.file, out)


async def _keep(judged: AsyncIterator[dict[str, Any]], part: _Part, done: int, of: int, shown: Console) -> None:
    with part.file.open("a", encoding="utf-8", newline="\n") as file:
        async for result in judged:
            done += 1
            file.write(json.dumps(result, ensure_ascii=False) + "\n")
            file.flush()
            if done % 50 == 0:
                shown.print(f"  {done} of {of}", style="dim", markup=False)


# ── judging ─────────────────────────────────────────────────────────────────────────────────────────────────


async def _in_one_process(
    rows: Sequence[AssessRow], work: Measuring, systems: Systems, model: ModelSettings | None, jobs: int
) -> AsyncIterator[dict[str, Any]]:
    """In order; at most ``jobs`` rows are under way at once."""
    assessors, finder = build_assessors(systems, work.release, model)

    async def judged(row: AssessRow) -> dict[str, Any]:
        return await assess_row(row, work.release, assessors, finder, work.today)

    under_way: list[asyncio.Task[dict[str, Any]]] = []
    try:
        for row in rows:
            under_way.append(asyncio.create_task(judged(row)))
            if len(under_way) >= max(1, jobs):
                yield await under_way.pop(0)
        while under_way:
            yield await under_way.pop(0)
    finally:
        for task in under_way:
            task.cancel()
        if assessors.door is not None:
            await assessors.door.aclose()


def _by_processes(rows: Sequence[AssessRow], work: Measuring, jobs: int) -> Iterator[dict[str, Any]]:
    """In order, whichever process is done first."""
    chunks = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
    # Started afresh: a copy of a process that holds a model's threads may hang.
    fresh = multiprocessing.get_context("spawn")
    processes = min(jobs, len(chunks))
    with ProcessPoolExecutor(
        processes, mp_context=fresh, initializer=_sit_down, initargs=(work, list(sys.path))
    ) as pool:
        waiting = [pool.submit(_judged, chunk) for chunk in chunks]
        try:
            for future in waiting:
                yield from future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


async def _aiter(judged: Iterator[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    for one in judged:
        yield one


_seat: list[tuple[Measuring, Systems]] = []


def _sit_down(work: Measuring, paths: list[str]) -> None:
    sys.path[:] = paths
    _seat.append((work, open_directory(work.company or company_folder()).systems()))


def _judged(rows: Sequence[AssessRow]) -> list[dict[str, Any]]:
    work, systems = _seat[0]

    async def all_of_them() -> list[dict[str, Any]]:
        return [row async for row in _in_one_process(rows, work, systems, None, 1)]

    return asyncio.run(all_of_them())
