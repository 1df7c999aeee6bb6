"""Recording, against a real server on loopback: only what is missing or changed is asked, and nothing unfit is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from exam_hall import held, place_with
from openai_server import OpenAIServer, Reply, completion, error, openai_server

from agent.model import ModelSettings, Secret
from evals.case import CaseError
from evals.cassettes import read_made, recorded_cases
from evals.evaluate import Place
from evals.gate import Exit
from evals.outcome import read_run
from guards.policy import Release
from guards.triggers import Trigger

OWNED, DRAFTED = "admin-locked-out", "contracts-down"


def answers(body: dict[str, Any]) -> Reply:
    """All low, and a draft."""
    if "response_format" in body:
        return completion(json.dumps({t.value: "low" for t in Trigger}))
    return completion("Hello, a colleague will look at your plan and write to you.")


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with openai_server() as running:
        running.says(answers)
        yield running


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return place_with(tmp_path, [OWNED, DRAFTED])


def model(server: OpenAIServer, name: str = "scripted-1") -> ModelSettings:
    return ModelSettings(name, server.base_url, Secret("planted-key-of-somebody"))


def recorded(place: Place, release: Release, server: OpenAIServer, name: str = "scripted-1", **more: Any) -> int:
    return held(place, release, record=True, model=model(server, name), **more)


def test_what_is_missing_is_recorded_and_replays_without_the_server(
    release: Release, place: Place, server: OpenAIServer, tmp_path: Path
) -> None:
    assert recorded(place, release, server) == Exit.OK
    assert len(server.asked) == 3  # two assessments and a draft
    made = read_made(place.cassettes)
    assert made is not None
    assert (made.model, sorted(made.cases)) == ("scripted-1", [OWNED, DRAFTED])
    for name in recorded_cases(place.cassettes):
        text = (place.cassettes / f"{name}.yaml").read_text(encoding="utf-8")
        assert "planted-key" not in text
        assert "127.0.0.1" not in text
    server.says(error(500))
    assert held(place, release, json=tmp_path / "run.json") == Exit.OK
    assert server.asked == []
    run = read_run(tmp_path / "run.json")
    assert {(o.id, o.mode, o.calls, o.input_tokens) for o in run.outcomes} == {
        (OWNED, "recorded", 1, 120),
        (DRAFTED, "recorded", 2, 240),
    }


def test_only_what_changed_is_asked_again_and_what_has_no_case_is_deleted(
    release: Release, place: Place, server: OpenAIServer, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(place, release, server)
    before = (place.cassettes / f"{OWNED}.yaml").read_bytes()
    server.says(answers)
    assert recorded(place, release, server) == Exit.OK
    assert server.asked == []
    file = place.cases / f"{DRAFTED}.toml"
    text = file.read_text(encoding="utf-8").replace('text = """\n', 'text = """\nOne more thing. ', 1)
    file.write_text(text, encoding="utf-8")
    capsys.readouterr()
    assert recorded(place, release, server) == Exit.OK
    assert len(server.asked) == 2
    said = capsys.readouterr().out
    assert f"{DRAFTED}: what the prompt assess_triggers is filled with has changed" in said
    assert "1 of 2 cases to record" in said
    assert (place.cassettes / f"{OWNED}.yaml").read_bytes() == before
    file.unlink()
    assert recorded(place, release, server) == Exit.OK
    assert recorded_cases(place.cassettes) == (OWNED,)


def test_another_model_makes_all_stale_and_may_not_be_mixed_in(
    release: Release, place: Place, server: OpenAIServer
) -> None:
    recorded(place, release, server)
    with pytest.raises(CaseError, match="another model's"):
        recorded(place, release, server, "scripted-2", only=frozenset({OWNED}))
    server.says(answers)
    assert recorded(place, release, server, "scripted-2") == Exit.OK
    assert {body["model"] for body in server.asked} == {"scripted-2"}
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("script", "told"),
    [(error(500), "the server answered HTTP 500"), (Reply(b"", is_cut=True), "1 requests got no answer")],
)
def test_a_recording_that_failed_is_not_kept_and_the_one_before_stays(
    release: Release, place: Place, server: OpenAIServer, script: Reply, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(place, release, server, only=frozenset({OWNED}))
    before = (place.cassettes / f"{OWNED}.yaml").read_bytes()
    server.says(script)
    assert recorded(place, release, server, only=frozenset({OWNED})) == Exit.CANNOT_RUN
    assert told in capsys.readouterr().out
    assert (place.cassettes / f"{OWNED}.yaml").read_bytes() == before


def test_a_draft_that_holds_what_looks_like_a_secret_is_not_kept(
    release: Release, place: Place, server: OpenAIServer, capsys: pytest.CaptureFixture[str]
) -> None:
    def leaky(body: dict[str, Any]) -> Reply:
        return answers(body) if "response_format" in body else completion("Use sk-0123456789abcdef to sign in.")

    server.says(leaky)
    assert recorded(place, release, server, only=frozenset({DRAFTED})) == Exit.CANNOT_RUN
    assert "looks like a secret" in capsys.readouterr().out
    assert recorded_cases(place.cassettes) == ()


def test_a_wrong_answer_of_the_models_is_kept_for_the_boundary_has_to_hold_with_it(
    release: Release, place: Place, server: OpenAIServer, tmp_path: Path
) -> None:
    server.says(completion("I would rather not say."))
    told = tmp_path / "run.json"
    assert recorded(place, release, server, only=frozenset({OWNED}), json=told) == Exit.OK
    assert recorded_cases(place.cassettes) == (OWNED,)
    assert [(o.lane, o.calls) for o in read_run(told).outcomes] == [(3, 1)]


def test_a_live_run_asks_the_model_and_leaves_no_recording(
    release: Release, place: Place, server: OpenAIServer, tmp_path: Path
) -> None:
    told = tmp_path / "run.json"
    assert held(place, release, live=True, model=model(server), json=told) == Exit.OK
    assert recorded_cases(place.cassettes) == ()
    assert {(o.mode, o.model) for o in read_run(told).outcomes} == {("live", "scripted-1")}
    assert len(server.asked) == 3


def test_a_case_comes_out_the_same_alone_and_among_others(release: Release, place: Place, tmp_path: Path) -> None:
    alone, among = tmp_path / "alone.json", tmp_path / "among.json"
    held(place, release, only=frozenset({DRAFTED}), json=alone)
    held(place, release, json=among)
    (one,) = read_run(alone).outcomes
    assert one in read_run(among).outcomes
