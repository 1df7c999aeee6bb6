"""Recordings of a real model's traffic, one small file a case: made by `lanewise eval --record`, replayed with the network off."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.model import ModelSettings, Secret
from evals.case import Case, CaseError
from prompts.library import fingerprint

FOLDER = Path(__file__).parent / "cassettes"
RECORDED_WITH = FOLDER / "recorded_with.json"
"""Which model, file digest and engine the packaged recordings were made with, and each case's own prints."""

KEPT_HEADERS = frozenset({"content-type"})
"""Everything else in a header is the machine's or somebody's secret."""

_SECRET = re.compile(
    r"(?i)\bauthorization\b|\bbearer\s+[\w.~+/-]{6}|\bsk-[a-z0-9]{8}|api[-_]?key[\"']?\s*[:=]|set-cookie|x-request-id|"
    r"\bAKIA[0-9A-Z]{12}|-----BEGIN [A-Z ]*PRIVATE KEY|\beyJ[\w-]{10,}\.[\w-]{10,}|127\.0\.0\.1|\blocalhost:\d"
)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Print(_Part):
    """What a recording was made from."""

    case: str
    """The case's digest."""
    prompts: dict[str, str]
    """Every prompt's fingerprint, its schema included."""
    cassette: str
    """The recording's own digest: nothing in it was written by hand."""


class Made(_Part):
    """``recorded_with.json``: what the recordings of a folder were made with."""

    model: str
    sha256: str
    engine: str
    context_tokens: int
    timeout_seconds: float
    max_output_tokens: int = 1_024
    cases: dict[str, Print]

    @property
    def settings(self) -> ModelSettings:
        """The settings under which the recordings were made; the host is never reached."""
        return ModelSettings(
            name=self.model,
            base_url="http://recorded.invalid/v1",
            api_key=Secret("none"),
            context_tokens=self.context_tokens,
            timeout_seconds=self.timeout_seconds,
            max_output_tokens=self.max_output_tokens,
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """What a case cost: calls and tokens as the provider counted them."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


# ── the folder ──────────────────────────────────────────────────────────────────────────────────────────────


def recorded_cases(folder: Path = FOLDER) -> tuple[str, ...]:
    """The ids of the cases that have a recording."""
    return tuple(sorted(path.stem for path in folder.glob("*.yaml"))) if folder.is_dir() else ()


def read_made(folder: Path = FOLDER) -> Made | None:
    """What a folder's recordings were made with; None where it has none. CaseError where that cannot be read."""
    file = folder / RECORDED_WITH.name
    if not file.is_file():
        return None
    try:
        return Made.model_validate_json(file.read_text(encoding="utf-8"))
    except ValidationError as error:
        raise CaseError(f"{file}: not usable ({error.errors()[0]['msg']}): record again with --record") from error


def write_made(folder: Path, made: Made) -> None:
    """Writes it down, the cases by id."""
    told = made.model_dump(mode="json")
    told["cases"] = {name: told["cases"][name] for name in sorted(told["cases"])}
    (folder / RECORDED_WITH.name).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def replay_settings(folder: Path = FOLDER) -> ModelSettings:
    """The settings under which the recordings of a folder were made. CaseError where nothing says so."""
    made = read_made(folder)
    if made is None:
        raise CaseError(f"{folder}: recordings without {RECORDED_WITH.name}: record again with --record")
    return made.settings


def print_of(case: Case, path: Path) -> Print:
    """What the recording at a path, just made, was made from."""
    return Print(case=case.digest, prompts=prompt_prints(), cassette=_digest(path))


def prompt_prints() -> dict[str, str]:
    """The fingerprint of every packaged prompt, by name."""
    names = sorted(f.name.removesuffix(".md") for f in files("prompts").iterdir() if f.name.endswith(".md"))
    return {name: fingerprint(name) for name in names}


def secret_in(text: str) -> str | None:
    """What looks like a secret, or like a place of somebody's, in a recording; None where nothing does."""
    found = _SECRET.search(text)
    return found.group()[:12] + "…" if found else None


def tampered(made: Made | None, folder: Path) -> tuple[str, ...]:
    """The recordings whose bytes are not those that were recorded."""
    known = made.cases if made else {}
    return tuple(
        name
        for name in recorded_cases(folder)
        if name in known and known[name].cassette != _digest(folder / f"{name}.yaml")
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()[:16]


# ── one recording ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Tape:
    """A recording that is played or made: what was asked, what stands in it, and what it cost."""

    held: Any
    """vcrpy's own cassette."""
    asked: list[str] = field(default_factory=list)
    """The bodies of the requests, in order, each once."""

    @property
    def all_played(self) -> bool:
        """True where every recorded answer was asked for."""
        return bool(self.held.all_played)

    def misses(self, recorded: Print | None = None) -> tuple[str, ...]:
        """What was asked and not recorded, each with what has changed; empty where the recording still holds."""
        there = [_json(_text(request.body)) for request in self.held.requests]
        return tuple(_changed(_json(body), there, recorded) for body in self.asked if _json(body) not in there)

    def broken(self) -> tuple[str, ...]:
        """Why what was just recorded is no recording of the model: the server failed, or was away. A wrong answer of
        the model's is one: the boundary has to hold with it."""
        codes = [response["status"]["code"] for response in self.held.responses]
        found = [f"the server answered HTTP {code}" for code in codes if code != 200]
        unanswered = [
            body for body in self.asked if _json(body) not in (_json(_text(r.body)) for r in self.held.requests)
        ]
        found += [f"{len(unanswered)} requests got no answer"] if unanswered else []
        return tuple(found) if self.asked else ("the model was not asked",)

    def usage(self) -> Usage:
        """Calls and tokens of all answers in it."""
        answers = [_json(_text(response["body"]["string"])) for response in self.held.responses]
        counted = [a.get("usage") or {} for a in answers]
        return Usage(
            len(answers),
            sum(int(u.get("prompt_tokens") or 0) for u in counted),
            sum(int(u.get("completion_tokens") or 0) for u in counted),
        )


@contextmanager
def cassette(case_id: str, *, record: bool, folder: Path = FOLDER) -> Iterator[Tape]:
    """Replays the case's recording, or makes it anew. In replay a request that was not recorded fails at once, the
    machine goes on without its model, and ``Tape.misses`` says what has changed.

    vcrpy patches the whole process: never two at once. CaseError where vcrpy is not installed.
    """
    try:
        import vcr
    except ImportError as error:
        raise CaseError("recordings need the package vcrpy: pip install vcrpy, or run with --embedded") from error

    path, asked = folder / f"{case_id}.yaml", list[str]()
    if record:
        path.unlink(missing_ok=True)

    def scrubbed(request: Any) -> Any:
        request = _scrub_request(request)
        if (body := _text(request.body)) not in asked:
            asked.append(body)
        return request

    tape = vcr.VCR(
        record_mode=vcr.mode.ALL if record else vcr.mode.NONE,
        match_on=["method", "path", "query", "body"],
        before_record_request=scrubbed,
        before_record_response=_scrub_response,
        decode_compressed_response=True,
    )
    with tape.use_cassette(str(path), allow_playback_repeats=False) as held:
        asked.clear()  # loading a recording goes through the same filter
        yield Tape(held, asked)


def _scrub_request(request: Any) -> Any:
    request.headers = {k: v for k, v in request.headers.items() if k.lower() in KEPT_HEADERS}
    # The host says where somebody's model runs; any base URL replays.
    request.uri = "http://recorded.invalid" + request.path + (f"?{request.query}" if request.query else "")
    return request


def _scrub_response(response: Any) -> Any:
    response["headers"] = {k: v for k, v in response["headers"].items() if k.lower() in KEPT_HEADERS}
    return response


def _text(body: Any) -> str:
    return body.decode("utf-8", "replace") if isinstance(body, bytes | bytearray) else str(body or "")


def _json(text: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


# ── what has changed since ──────────────────────────────────────────────────────────────────────────────────


def _changed(now: dict[str, Any], recorded: list[dict[str, Any]], made: Print | None) -> str:
    """Why a request is not among the recorded ones, in words that name the prompt, the schema or the setting."""
    name = _prompt_of(now)
    before = next((r for r in recorded if _prompt_of(r) == name), None)
    if before is None:
        return f"a call with the prompt {name} was not recorded"
    parts = []
    for key in sorted((now.keys() | before.keys()) - {"messages", "response_format"}):
        if now.get(key) != before.get(key):
            parts.append(f"the model setting {key} is {now.get(key)!r}, recorded with {before.get(key)!r}")
    if now.get("response_format") != before.get("response_format"):
        parts.append(f"the schema of {name} has changed")
    said, was = now.get("messages") or [], before.get("messages") or []
    if said[:-1] != was[:-1]:
        known = made.prompts.get(name) if made else None
        prints = f" ({known} -> {prompt_prints().get(name)})" if known else ""
        parts.append(f"the prompt {name} has changed{prints}")
    elif said[-1:] != was[-1:]:
        parts.append(f"what the prompt {name} is filled with has changed: the case, its facts or its articles")
    return "; ".join(parts) or f"the prompt {name} was asked once more than recorded"


def _prompt_of(request: Mapping[str, Any]) -> str:
    form = (request.get("response_format") or {}).get("json_schema") or {}
    # The only prompt without a schema.
    return str(form.get("name") or "draft_for_agent")
