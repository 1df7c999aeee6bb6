"""Recordings of a real model: replayed with the network off, free of secrets, none stale and none orphaned."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from evals.case import read_cases
from evals.cassettes import FOLDER, RECORDED_WITH, cassette, recorded_cases, replay_settings
from evals.record import RECORDED
from evals.run import run_cases
from guards.policy import parse_release

SECRET = re.compile(r"(?i)\bauthorization\b|bearer\s|\bsk-[a-z0-9]{8}|api[-_]?key|set-cookie|x-request-id")


def test_the_articles_cases_and_five_more_are_recorded() -> None:
    assert set(recorded_cases()) == set(RECORDED)
    assert len(RECORDED) >= 11


@pytest.mark.parametrize("case_id", recorded_cases())
async def test_a_recorded_case_lands_where_it_expects_with_the_model_beside(case_id: str, tmp_path: Path) -> None:
    path = Path(__file__).parents[2] / "guards" / "policies" / "2026-03-01.toml"
    release = parse_release(path.read_text(encoding="utf-8"), path.name)
    cases = [c for c in read_cases() if c.id == case_id]
    with cassette(case_id, record=False) as tape:
        async for run, _ in run_cases(cases, release, tmp_path, replay_settings()):
            assert run.result.failures == ()
            assert "model" in run.result.assessors
            assert run.unmet == ()
        assert tape.all_played, "the recording holds a call that is not made any more: record it again"


@pytest.mark.parametrize("case_id", recorded_cases())
def test_a_recording_holds_nothing_that_looks_like_a_secret_or_a_place(case_id: str) -> None:
    text = (FOLDER / f"{case_id}.yaml").read_text(encoding="utf-8")
    assert SECRET.search(text) is None
    assert "127.0.0.1" not in text
    assert text.count("recorded.invalid") >= 1


def test_the_recordings_say_what_they_were_made_with() -> None:
    made = json.loads(RECORDED_WITH.read_text(encoding="utf-8"))
    assert made["cases"] == list(recorded_cases())
    assert re.fullmatch(r"[0-9a-f]{64}", made["sha256"])
    assert made["engine"] != "not stated"
