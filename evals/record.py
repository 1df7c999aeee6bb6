"""Makes the recordings again, from the model that OPENAI_BASE_URL and LANEWISE_MODEL name: `make record`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import replace
from importlib import resources
from pathlib import Path

from agent.model import ModelSettings
from evals.case import read_cases
from evals.cassettes import FOLDER, RECORDED_WITH, cassette, recorded_cases
from evals.report import Row
from evals.run import run_cases, scratch_folder
from evals.show import console, progress
from guards.policy import parse_release

RECORDED = (
    # The article's four cases, its ambiguous one and its packet example.
    "audit-logs-where",
    "refund-overpurchase",
    "admin-locked-out",
    "sync-failed-credits",
    "temporary-seats",
    "downgrade-refund-incident",
    # Five and more of our own: routine ones that a model must not keep from being answered, and quiet risks.
    "password-rules",
    "team-plan-includes",
    "vat-number-invoice",
    "polite-limit-favour",
    "audit-logs-injection",
    "password-identity",
    "thread-turns-refund",
)
SLOW_MODEL_SECONDS = 240.0
"""A small model on two cores takes long; a recording is made once."""


async def record(only: tuple[str, ...]) -> int:
    """Records the named cases, all of RECORDED where none is named; 0 where every one got what it expects."""
    settings = ModelSettings.from_environment(os.environ)
    if settings is None:
        sys.stderr.write("set OPENAI_BASE_URL, OPENAI_API_KEY and LANEWISE_MODEL to the model to record\n")
        return 2
    settings = replace(settings, timeout_seconds=SLOW_MODEL_SECONDS)
    name = "2026-03-01.toml"
    release = parse_release((resources.files("guards") / "policies" / name).read_text(encoding="utf-8"), name)
    cases = [c for c in read_cases() if c.id in (only or RECORDED)]
    FOLDER.mkdir(exist_ok=True)
    out, bad = console(), 0
    for number, case in enumerate(cases, 1):
        with scratch_folder() as scratch, cassette(case.id, record=True):
            async for run, _ in run_cases([case], release, Path(scratch), settings):
                progress(out, number, len(cases), Row(case.title, run.result, run.unmet))
                bad += bool(run.unmet)
    made = {
        "model": settings.name,
        "sha256": os.environ.get("LANEWISE_MODEL_SHA256", "not stated"),
        "engine": os.environ.get("LANEWISE_MODEL_ENGINE", "not stated"),
        "context_tokens": settings.context_tokens,
        "timeout_seconds": settings.timeout_seconds,
        "cases": list(recorded_cases()),
    }
    RECORDED_WITH.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(record(tuple(sys.argv[1:]))))
