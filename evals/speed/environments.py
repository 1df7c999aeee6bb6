"""Peers' environments, each made once under a cache folder, and a peer that runs in one and answers batch by batch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evals.speed.race import SideLost

CACHE = Path(".lanewise") / "bench-envs"
"""Where the environments are kept; git does not see it."""
MAKING_SECONDS = 900
ANSWER_SECONDS = 180
"""How long an installation, and one batch, may take before the peer is left out."""

ENVIRONMENTS: dict[str, tuple[str, ...]] = {
    "policy": ("cedarpy", "pycasbin"),
    "guardrails": ("guardrails-ai", "guardrails-ai-regex-match"),
    "nemo": ("nemoguardrails",),
}
"""Each environment and what pip puts there, in the versions that are current on that day."""

PEERS_LEFT_OUT = "not measured: the peers, which were not asked for (--no-peers)"

# Peers report home by default. Nothing of a bench leaves the machine, and the reporting would cost them time.
_QUIET = {
    "DO_NOT_TRACK": "1",
    "OTEL_SDK_DISABLED": "true",
    "NEMO_GUARDRAILS_NO_USAGE_STATS": "1",
    # The fastest that guardrails-ai offers: no loop of its own for one validator, and no history kept.
    "GUARDRAILS_RUN_SYNC": "true",
    "GUARD_HISTORY_ENABLED": "false",
}


class PeerMissing(SideLost):
    """A peer cannot be had here, or broke."""


def environment(name: str, cache: Path = CACHE, *, fresh: bool = False) -> Path:
    """The environment's Python, made where it is not there yet (network needed). PeerMissing where that fails."""
    folder, packages = cache.resolve() / name, ENVIRONMENTS[name]
    python, made = folder / "bin" / "python", folder / "made-for-bench"
    if fresh or not made.exists() or made.read_text(encoding="utf-8").split() != list(packages):
        shutil.rmtree(folder, ignore_errors=True)
        cache.mkdir(parents=True, exist_ok=True)
        _make(folder, python, packages)
        (folder / ".guardrailsrc").write_text("enable_metrics=false\n", encoding="utf-8")
        made.write_text(" ".join(packages), encoding="utf-8")
    return python


def _make(folder: Path, python: Path, packages: Sequence[str]) -> None:
    log = folder.parent / f"{folder.name}.log"
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--retries", "1", *packages]
    with log.open("wb") as told:
        for command in ([sys.executable, "-m", "venv", str(folder)], pip):
            try:
                subprocess.run(command, stdout=told, stderr=told, check=True, timeout=MAKING_SECONDS)
            except (OSError, subprocess.SubprocessError) as error:
                shutil.rmtree(folder, ignore_errors=True)
                raise PeerMissing(f"{' and '.join(packages)} could not be installed; see {log.name}") from error


@dataclass(slots=True)
class Peer:
    """One peer in a process of its own."""

    name: str
    version: str
    verdicts: list[bool]
    """Of the requests to be checked, in order."""
    peak_mib: float | None
    """Most memory its process held so far; None where the system does not tell."""
    _process: subprocess.Popen[str] = field(repr=False)

    def turn(self, calls: int) -> list[int]:
        """One batch: the nanoseconds of each call. PeerMissing where it broke or hung."""
        told = _ask(self._process, self.name, {"calls": calls})
        self.peak_mib = told["peak_mib"]
        return [int(ns) for ns in told["ns"]]

    def stop(self) -> None:
        """Ends its process."""
        try:
            self._process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            _end(self._process)


def start(
    peer: str,
    env: str,
    rule: dict[str, str],
    checked: Sequence[Sequence[str]],
    timed: Sequence[Sequence[str]],
    cache: Path = CACHE,
) -> Peer:
    """Starts a peer in its environment, which it makes first where needed. PeerMissing."""
    python = environment(env, cache)
    script = Path(__file__).with_name("peer.py")
    home = {"HOME": str(python.parent.parent), "PATH": os.environ.get("PATH", "")}
    with (cache / f"{env}.log").open("ab") as log:
        # -I: neither our folder nor our packages are on its path.
        process = subprocess.Popen(
            [str(python), "-I", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=home | _QUIET,
        )
    task = {"peer": peer, "rule": rule, "checked": list(checked), "timed": list(timed)}
    told = _ask(process, peer, task)
    return Peer(peer, told["version"], told["verdicts"], None, process)


def _ask(process: subprocess.Popen[str], name: str, question: dict[str, Any]) -> dict[str, Any]:
    assert process.stdin is not None and process.stdout is not None
    watch = threading.Timer(ANSWER_SECONDS, process.kill)
    watch.start()
    try:
        process.stdin.write(json.dumps(question) + "\n")
        process.stdin.flush()
        answer = process.stdout.readline()
    except OSError:
        answer = ""
    finally:
        watch.cancel()
    if not answer:
        _end(process)
        raise PeerMissing(f"{name} broke, or gave no answer in {ANSWER_SECONDS} s; see its log in {CACHE.name}")
    found: dict[str, Any] = json.loads(answer)
    return found


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
