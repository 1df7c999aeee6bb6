"""Makes recordings from the model itself: those that are missing or hold no more, each kept as soon as it is whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from agent.model import ModelSettings
from evals.case import Case, CaseError
from evals.cassettes import (
    Made,
    Print,
    print_of,
    read_made,
    recorded_cases,
    secret_in,
    tampered,
    write_made,
)
from evals.exam import Hall, Sitting, examine, examine_live
from evals.run import scratch_folder

SLOW_MODEL_SECONDS = 240.0
"""A small model on two cores takes long; a recording is made once."""

Say = Callable[[str], None]


def needing_model(model: ModelSettings | None) -> ModelSettings:
    """The model to ask; CaseError where none is configured."""
    if model is None:
        raise CaseError(
            "no model is configured: set OPENAI_BASE_URL, OPENAI_API_KEY and LANEWISE_MODEL to the one to ask"
        )
    return model


def record(
    cases: Sequence[Case], only: frozenset[str], hall: Hall, model: ModelSettings, jobs: int, say: Say
) -> tuple[str, ...]:
    """Records what is missing or holds no more, or exactly what ``only`` names, and returns what could not be kept.

    Stopped half-way it goes on with the next call. A recording that failed, or holds what looks like a secret, is not
    kept; one whose case is gone is deleted. CaseError where ``only`` would mix two models.
    """
    slow = replace(model, timeout_seconds=max(model.timeout_seconds, SLOW_MODEL_SECONDS))
    folder, made = hall.cassettes, _made_with(slow, read_made(hall.cassettes))
    kept = {name: p for name, p in made.cases.items() if name in recorded_cases(folder)}
    if only and (others := sorted(set(recorded_cases(folder)) - set(kept))):
        raise CaseError(
            f"{len(others)} other recordings are another model's ({', '.join(others[:3])} …): record all of them, "
            "without --only, or ask the model that they were made with"
        )
    folder.mkdir(parents=True, exist_ok=True)
    # A recording without its print is no recording of this model.
    todo = [c for c in cases if c.id in only] if only else _due(cases, kept, hall, jobs, say)
    say(f"{len(todo)} of {len(cases)} cases to record with {slow.name}")
    failed = []
    for number, case in enumerate(todo, 1):
        if wrong := _record_one(case, hall, slow, kept):
            failed.append(f"{case.id}: {wrong}")
        write_made(folder, made.model_copy(update={"cases": dict(kept)}))
        say(f"  {number:>3}/{len(todo)}  {case.id}: {wrong or 'recorded'}")
    if not only:
        for orphan in sorted(set(recorded_cases(folder)) - {c.id for c in cases}):
            (folder / f"{orphan}.yaml").unlink()
            kept.pop(orphan, None)
            say(f"  deleted {orphan}.yaml: there is no such case any more")
    write_made(folder, made.model_copy(update={"cases": dict(kept)}))
    return tuple(failed)


def _made_with(model: ModelSettings, before: Made | None) -> Made:
    """What the recordings are made with from here on; another model's prints count no more."""
    now = Made(
        model=model.name,
        sha256=os.environ.get("LANEWISE_MODEL_SHA256") or "not stated",
        engine=os.environ.get("LANEWISE_MODEL_ENGINE") or "not stated",
        context_tokens=model.context_tokens,
        timeout_seconds=model.timeout_seconds,
        max_output_tokens=model.max_output_tokens,
        cases={},
    )
    if before is None:
        return now
    stated = {name for name in ("sha256", "engine") if getattr(now, name) != "not stated"}
    same = ("model", "context_tokens", "max_output_tokens", *stated)
    if any(getattr(before, name) != getattr(now, name) for name in same):
        return now
    # What the environment does not state is still what it was: it is the same model.
    return before.model_copy(update={"timeout_seconds": now.timeout_seconds})


def _due(cases: Sequence[Case], kept: Mapping[str, Print], hall: Hall, jobs: int, say: Say) -> list[Case]:
    there = set(kept) - set(tampered(read_made(hall.cassettes), hall.cassettes))
    replayed = [Sitting(c, "recorded") for c in cases if c.id in there]
    if replayed:
        say(f"replaying {len(replayed)} recordings, to see which still hold")
    stale = {o.id: o.stale for o in examine(replayed, hall, jobs) if o.stale}
    for name, why in stale.items():
        say(f"  {name}: {'; '.join(why)}")
    return [c for c in cases if c.id not in there or c.id in stale]


def _record_one(case: Case, hall: Hall, model: ModelSettings, kept: dict[str, Print]) -> str:
    """What went wrong; empty where the recording is kept."""
    with scratch_folder() as scratch:
        _, broken = examine_live(case, hall, model, Path(scratch))
        file = Path(scratch) / f"{case.id}.yaml"
        if broken:
            return f"not kept: {', '.join(broken)}"
        if found := secret_in(file.read_text(encoding="utf-8")):
            return f"not kept: it holds what looks like a secret ({found})"
        place = hall.cassettes / file.name
        place.write_bytes(file.read_bytes())
        kept[case.id] = print_of(case, place)
    return ""
