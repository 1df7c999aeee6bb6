"""A program that runs inside a peer's own environment: it prepares that peer and times it, one batch a line of JSON."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO, TypeAlias

Judge: TypeAlias = Callable[[int], bool]
"""Judges the request of that number (taken around the list of requests): may it, or does the text pass?"""


def timed(call: Callable[[int], object], calls: int) -> list[int]:
    """Nanoseconds of each call in turn. Rubbish is collected before and not switched off during, on every side."""
    gc.collect()
    now, found = time.perf_counter_ns, []
    for n in range(calls):
        began = now()
        call(n)
        found.append(now() - began)
    return found


def peak_memory() -> float | None:
    """MiB at most held by this process since it started; None where the system does not tell."""
    # Not getrusage: its peak is inherited from the parent across fork and exec.
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), None)


# ── policy engines ──────────────────────────────────────────────────────────────────────────────────────────


def cedarpy_judge(rule: dict[str, str], requests: Sequence[Sequence[str]]) -> Judge:
    """Cedar with everything prepared beforehand; requests in the form it reads fastest."""
    import cedarpy  # type: ignore[import-not-found]  # only in the peer's environment

    policies = cedarpy.PolicySet.from_str(rule["cedar"])
    entities = cedarpy.Entities.from_json_str("[]")
    kinds = (("principal", "Lane"), ("action", "Action"), ("resource", "Effect"))
    asked = [
        {part: {"type": kind, "id": name} for (part, kind), name in zip(kinds, request, strict=True)}
        for request in requests
    ]
    return lambda n: bool(cedarpy.is_authorized(asked[n % len(asked)], policies, entities).allowed)


def casbin_judge(rule: dict[str, str], requests: Sequence[Sequence[str]]) -> Judge:
    """Casbin's enforcer with an index over lane and right, which is its fastest."""
    import casbin  # type: ignore[import-not-found]  # only in the peer's environment
    from casbin.model import FastModel  # type: ignore[import-not-found]

    index = [0, 1]
    model = FastModel(index)
    model.load_model_from_text(rule["casbin_model"])
    enforcer = casbin.FastEnforcer(model, cache_key_order=index)
    for line in rule["casbin_policy"].splitlines():
        _, *row = line.split(", ")
        enforcer.add_policy(*row)
    asked = [tuple(request) for request in requests]
    return lambda n: bool(enforcer.enforce(*asked[n % len(asked)]))


# ── text rails ──────────────────────────────────────────────────────────────────────────────────────────────


def guardrails_judge(rule: dict[str, str], texts: Sequence[Sequence[str]]) -> Judge:
    """One guard with one regular expression that must not be found."""
    from guardrails import Guard  # type: ignore[import-not-found]  # only in the peer's environment
    from guardrails_ai.regex_match import RegexMatch  # type: ignore[import-not-found]

    absent = rf"(?s)\A(?!.*{rule['forbidden']})"
    guard = Guard().use(RegexMatch(regex=absent, match_type="search", on_fail="noop"))
    return lambda n: bool(guard.validate(texts[n % len(texts)][0]).validation_passed)


def nemo_judge(rule: dict[str, str], texts: Sequence[Sequence[str]]) -> Judge:
    """One output rail with one regular expression; no model, no input rail, no dialogue."""
    from nemoguardrails import LLMRails, RailsConfig  # type: ignore[import-not-found]  # only in the peer's environment

    wanted = {
        "config": {"regex_detection": {"output": {"patterns": [rule["forbidden"]]}}},
        "output": {"flows": ["regex check output"]},
    }
    rails = LLMRails(RailsConfig.from_content(yaml_content=json.dumps({"rails": wanted})))  # JSON is YAML

    def judge(n: int) -> bool:
        answer = rails.check([{"role": "assistant", "content": texts[n % len(texts)][0]}])
        return bool(answer.status.value == "passed")

    return judge


PEERS: dict[str, tuple[str, Callable[[dict[str, str], Sequence[Sequence[str]]], Judge]]] = {
    "cedarpy": ("cedarpy", cedarpy_judge),
    "casbin": ("pycasbin", casbin_judge),
    "guardrails-ai": ("guardrails-ai", guardrails_judge),
    "NeMo Guardrails": ("nemoguardrails", nemo_judge),
}
"""Each peer's name, the package that tells its version, and what prepares it."""


# ── the conversation ────────────────────────────────────────────────────────────────────────────────────────


def answer(lines: TextIO, out: TextIO) -> None:
    """Reads the task from the first line and tells verdicts; then times a batch for each further line."""

    def say(told: dict[str, Any]) -> None:
        out.write(json.dumps(told) + "\n")
        out.flush()

    task = json.loads(lines.readline())
    package, prepare = PEERS[task["peer"]]
    checked, requests = task["checked"], task["timed"]
    judge = prepare(task["rule"], [*checked, *requests])
    verdicts = [judge(n) for n in range(len(checked))]
    say({"version": version(package), "verdicts": verdicts})
    judge = prepare(task["rule"], requests)
    for line in lines:
        calls = json.loads(line)["calls"]
        say({"ns": timed(judge, calls), "peak_mib": peak_memory()})


def _own_output() -> TextIO:
    """Standard output for our lines alone: whatever the peer prints goes to standard error."""
    kept = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(kept, "w", encoding="utf-8")


if __name__ == "__main__":
    answer(sys.stdin, _own_output())
