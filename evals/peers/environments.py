"""Builds an environment of its own for each of other people's suites, and runs a program in it."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INSIDE = Path(__file__).with_name("inside")


class EnvironmentFailed(Exception):
    """An environment could not be built, or the program in it failed; nothing was measured. The message says why."""


@dataclass(frozen=True, slots=True)
class Environment:
    """One suite's environment: what is installed there beside nothing of ours, and the program that runs in it."""

    name: str
    packages: tuple[str, ...]
    """Exact versions; pydantic is what our guards and toolbox need."""
    program: str

    def python(self, folder: Path) -> Path:
        """The environment's interpreter, installed on first use. EnvironmentFailed."""
        place = folder / self.name
        interpreter, done = place / "bin" / "python", place / "installed.txt"
        wanted = "\n".join(self.packages)
        if done.exists() and done.read_text(encoding="utf-8") == wanted and interpreter.exists():
            return interpreter
        try:
            venv.create(place, with_pip=True, clear=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise EnvironmentFailed(
                f"{self.name}: no environment in {place} ({error}); is python3-venv there?"
            ) from error
        install = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *self.packages]
        ran = subprocess.run(install, capture_output=True, text=True, check=False)
        if ran.returncode:
            last = ran.stderr.strip().splitlines()[-3:] or ["it said nothing"]
            raise EnvironmentFailed(
                f"{self.name}: {' '.join(self.packages)} could not be installed: {' / '.join(last)}. "
                "Is a package index reachable?"
            )
        done.write_text(wanted, encoding="utf-8")
        return interpreter

    def run(self, folder: Path, *arguments: str) -> str:
        """What the program writes to standard output; its progress goes to standard error. EnvironmentFailed."""
        # Nothing but our checkout and the suite's own packages can be imported there.
        env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | {"PYTHONPATH": str(ROOT)}
        command = [str(self.python(folder)), str(INSIDE / self.program), *arguments]
        ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=None, text=True, check=False, env=env, cwd=ROOT)
        if ran.returncode or not ran.stdout.strip():
            raise EnvironmentFailed(
                f"{self.name}: {self.program} ended with {ran.returncode}; what it said stands above"
            )
        return ran.stdout


AGENTDOJO = Environment("agentdojo", ("agentdojo==0.1.35", "pydantic>=2.14"), "agentdojo_suite.py")
DELEGATIONBENCH = Environment("delegationbench", ("delegationbench==0.6.0", "pydantic>=2.14"), "delegation_suite.py")
CORPORA = Environment("corpora", ("bastioncorpus==0.6.0", "agent-injection-bench==0.1.0"), "public_strings.py")


def python_version() -> str:
    """The interpreter that all environments are made from."""
    return sys.version.split()[0]
