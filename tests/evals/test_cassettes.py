"""Recordings of a real model: replayed with the network off, free of secrets, none stale and none orphaned."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evals.case import read_cases
from evals.cassettes import FOLDER, cassette, read_made, recorded_cases, replay_settings, secret_in, tampered
from evals.run import run_cases
from guards.policy import parse_release

ARTICLE = {
    "audit-logs-where",
    "refund-overpurchase",
    "admin-locked-out",
    "sync-failed-credits",
    "temporary-seats",
    "downgrade-refund-incident",
}


def test_the_articles_cases_and_five_more_are_recorded_and_no_recording_is_an_orphan() -> None:
    assert set(recorded_cases()) >= ARTICLE
    assert len(recorded_cases()) >= len(ARTICLE) + 5
    assert set(recorded_cases()) <= {c.id for c in read_cases()}


@pytest.mark.parametrize("case_id", recorded_cases())
async def test_a_recorded_case_breaks_no_boundary_and_loses_no_risk_with_the_model_beside(
    case_id: str, tmp_path: Path
) -> None:
    path = Path(__file__).parents[2] / "guards" / "policies" / "2026-03-01.toml"
    release = parse_release(path.read_text(encoding="utf-8"), path.name)
    cases = [c for c in read_cases() if c.id == case_id]
    with cassette(case_id, record=False) as tape:
        async for run, _ in run_cases(cases, release, tmp_path, replay_settings()):
            assert run.unmet == ()
            assert run.result.failures == (), "the model gave no usable answer: record another case, or another model"
            assert "model" in run.result.assessors
        assert tape.misses() == ()
        assert tape.usage().calls >= 1
        assert tape.all_played, "the recording holds a call that is not made any more: record it again"


@pytest.mark.parametrize("case_id", recorded_cases())
def test_a_recording_holds_nothing_that_looks_like_a_secret_or_a_place(case_id: str) -> None:
    text = (FOLDER / f"{case_id}.yaml").read_text(encoding="utf-8")
    assert secret_in(text) is None
    assert text.count("recorded.invalid") >= 1


@pytest.mark.parametrize(
    "planted",
    [
        "Authorization: x",
        "bearer abcdef12",
        "sk-0123456789abcdef",
        "api_key: x",
        "Set-Cookie: a=b",
        "AKIA" + "A" * 16,
        "-----BEGIN PRIVATE KEY",
        "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0",
        "http://127.0.0.1:8081",
        "x-request-id: 1",
    ],
)
def test_what_looks_like_a_secret_would_be_found(planted: str) -> None:
    assert secret_in(f"headers: {planted} and more") is not None


def test_the_recordings_say_what_they_were_made_with_and_were_not_touched_since() -> None:
    made = read_made()
    assert made is not None
    assert sorted(made.cases) == list(recorded_cases())
    assert re.fullmatch(r"[0-9a-f]{64}", made.sha256)
    assert made.engine != "not stated"
    assert tampered(made, FOLDER) == ()
