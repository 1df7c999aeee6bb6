"""A small exam for the tests of the exam: packaged cases under a release that a test may spoil."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from evals.case import read_cases
from evals.cassettes import FOLDER
from evals.evaluate import Order, Place, run_eval
from guards.policy import OwnerRule, Release

CASES = Path(__file__).parents[2] / "evals" / "cases"


def place_with(folder: Path, cases: Iterable[str], *, recordings: bool = False) -> Place:
    """A folder with copies of some packaged cases, their twins left out, and of their recordings where wanted."""
    (folder / "cases").mkdir(parents=True, exist_ok=True)
    (folder / "cassettes").mkdir(exist_ok=True)
    for name in cases:
        text = (CASES / f"{name}.toml").read_text(encoding="utf-8")
        text = re.sub(r'^twin = ".*"$', 'twin = ""', text, flags=re.MULTILINE)
        (folder / "cases" / f"{name}.toml").write_text(text, encoding="utf-8")
        if recordings:
            shutil.copy(FOLDER / f"{name}.yaml", folder / "cassettes")
    if recordings:
        shutil.copy(FOLDER / "recorded_with.json", folder / "cassettes")
    return Place(folder / "cases", folder / "cassettes", folder / "baseline.json")


def held(place: Place, release: Release, **more: Any) -> int:
    """The exam's exit code, in this process."""
    return run_eval(Order(place=place, release=release, company=None, **{"jobs": 1, **more}))


def with_owners(release: Release, change: Callable[[OwnerRule], str]) -> Release:
    """The release with other queues in its owner rules."""
    rules = tuple(rule.model_copy(update={"queue": change(rule)}) for rule in release.owner_rule)
    return release.model_copy(update={"owner_rule": rules})


def blind(release: Release) -> Release:
    """The release without a signal and without the text head: nothing fires any more."""
    heads = release.assessors.model_copy(update={"text_head": False})
    return release.model_copy(update={"signal": (), "assessors": heads})


def packaged_ids() -> tuple[str, ...]:
    """The packaged cases."""
    return tuple(c.id for c in read_cases())
