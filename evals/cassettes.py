"""Recordings of a real model's traffic, one small file a case: made by `make record`, replayed with the network off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent.model import ModelSettings, Secret

FOLDER = Path(__file__).parent / "cassettes"
RECORDED_WITH = FOLDER / "recorded_with.json"
"""Which model, file digest and engine the recordings were made with."""

KEPT_HEADERS = frozenset({"content-type"})
"""Everything else in a header is the machine's or somebody's secret."""


def recorded_cases() -> tuple[str, ...]:
    """The ids of the cases that have a recording."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def replay_settings() -> ModelSettings:
    """The settings under which the recordings were made; the host is never reached."""
    made = json.loads(RECORDED_WITH.read_text(encoding="utf-8"))
    return ModelSettings(
        name=made["model"],
        base_url="http://recorded.invalid/v1",
        api_key=Secret("none"),
        context_tokens=made["context_tokens"],
        timeout_seconds=made["timeout_seconds"],
    )


@contextmanager
def cassette(case_id: str, *, record: bool) -> Iterator[Any]:
    """Replays the case's recording, or makes it anew. In replay a request that was not recorded fails at once: a
    prompt, a schema or a model setting has changed, and `make record` is due.

    vcrpy patches the whole process: never two at once.
    """
    import vcr

    path = FOLDER / f"{case_id}.yaml"
    if record:
        path.unlink(missing_ok=True)
    tape = vcr.VCR(
        record_mode=vcr.mode.ALL if record else vcr.mode.NONE,
        match_on=["method", "path", "query", "body"],
        before_record_request=_scrub_request,
        before_record_response=_scrub_response,
        decode_compressed_response=True,
    )
    with tape.use_cassette(str(path), allow_playback_repeats=False) as held:
        yield held


def _scrub_request(request: Any) -> Any:
    request.headers = {k: v for k, v in request.headers.items() if k.lower() in KEPT_HEADERS}
    # The host says where somebody's model runs; any base URL replays.
    request.uri = "http://recorded.invalid" + request.path + (f"?{request.query}" if request.query else "")
    return request


def _scrub_response(response: Any) -> Any:
    response["headers"] = {k: v for k, v in response["headers"].items() if k.lower() in KEPT_HEADERS}
    return response
