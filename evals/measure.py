"""Runs ``assess`` over a file of rows: one judgement a row, in order, with progress."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

from agent.model import ModelSettings
from agent.wiring import build_assessors
from evals.assess import BadRow, assess_rows, read_rows
from evals.show import console, plainly
from guards.policy import Release
from tools.errors import UnreadableFile
from tools.systems import Systems
from tools.ticket_text import decode


def run_assess(rows: Path, out: Path, release: Release, systems: Systems, model: ModelSettings | None) -> int:
    """Writes one line of JSON a row; a bad row is told and left out. 0 where every row was judged, else 1."""
    if not rows.is_file():
        raise UnreadableFile(f"{rows} does not exist. Check its name")
    text, _ = decode(rows.read_bytes(), rows.name)
    judged, bad = asyncio.run(_assess(text.splitlines(), out, release, systems, model))
    console().print(f"{judged} rows judged, {bad} left out; written to {out}", markup=False)
    return 0 if judged and not bad else 1


async def _assess(
    lines: list[str], out: Path, release: Release, systems: Systems, model: ModelSettings | None
) -> tuple[int, int]:
    assessors, finder = build_assessors(systems, release, model)
    today = (systems.company.today or datetime.now(UTC)).date()
    shown, judged, bad = console(), 0, 0
    with out.open("w", encoding="utf-8") as file:
        async for result in assess_rows(read_rows(lines), release, assessors, finder, today):
            if isinstance(result, BadRow):
                bad += 1
                shown.print(f"  left out: {plainly(str(result))}", style="red", markup=False)
                continue
            judged += 1
            file.write(json.dumps(result, ensure_ascii=False) + "\n")
            if judged % 50 == 0:
                shown.print(f"  {judged} of {len(lines)}", style="dim", markup=False)
    return judged, bad
