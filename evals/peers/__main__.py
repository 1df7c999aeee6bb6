"""The command: runs other people's suites through our gateway and keeps what came out.

    python -m evals.peers [agentdojo] [delegationbench] [corpora] [--attack-cases FILE] [--most N]

Exit code 0 where every requirement is met, 1 where one is not, 2 where something could not be measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from evals.peers import corpora
from evals.peers.environments import AGENTDOJO, CORPORA, DELEGATIONBENCH, ROOT, EnvironmentFailed, python_version
from evals.peers.rows import RESULTS, BadResults, Part, part_from_json, table, write_parts
from guards.policy import Release, parse_release

ATTACK_CASES = "LANEWISE_ATTACK_CASES"
"""The environment variable that names the file of attack cases."""


def main(arguments: Sequence[str], suites: Mapping[str, Callable[[argparse.Namespace], Part]] | None = None) -> int:
    """Runs the chosen suites, all without a choice, and writes their rows."""
    suites = suites if suites is not None else SUITES
    parser = _parser(suites)
    chosen = parser.parse_args(arguments)
    if strange := sorted(set(chosen.suites) - set(suites)):
        parser.error(f"there is no suite {', '.join(strange)}; there are {', '.join(suites)}")
    parts, failed = [], []
    for name in chosen.suites or suites:
        _say(f"{name} …")
        try:
            part = suites[name](chosen)
        except (EnvironmentFailed, corpora.BadCases) as error:
            failed.append(str(error))
            _say(f"  not measured: {error}")
            continue
        _say(f"  {', '.join(f'{k} {v}' for k, v in part.versions.items())}, python {python_version()}")
        parts.append(part)
    try:
        # A trial run must not take the place of a whole one.
        out = chosen.out or (RESULTS if chosen.most is None else None)
        if parts and out:
            write_parts(parts, out)
    except BadResults as error:
        _say(f"not written: {error}")
        return 2
    sys.stdout.write(table(parts) + "\n")
    for error_text in failed:
        sys.stdout.write(f"\nNOT MEASURED: {error_text}\n")
    if failed:
        return 2
    return 0 if parts and all(part.holds for part in parts) else 1


def _parser(suites: Mapping[str, object]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evals.peers")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(suites)}; all without a choice")
    parser.add_argument("--environments", type=Path, default=ROOT / ".lanewise" / "peers", help="where they are made")
    parser.add_argument("--out", type=Path, default=None, help=f"{RESULTS.name} beside the suites, for whole runs")
    parser.add_argument("--most", type=int, default=None, help="pairs of a suite, or strings, at most: a trial run")
    named = os.environ.get(ATTACK_CASES)
    parser.add_argument("--attack-cases", type=Path, default=Path(named) if named else None)
    return parser


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _limit(chosen: argparse.Namespace) -> tuple[str, ...]:
    return () if chosen.most is None else ("--most", str(chosen.most))


def run_agentdojo(chosen: argparse.Namespace) -> Part:
    """AgentDojo, in its environment."""
    return part_from_json("agentdojo", json.loads(AGENTDOJO.run(chosen.environments, *_limit(chosen))))


def run_delegationbench(chosen: argparse.Namespace) -> Part:
    """DelegationBench, in its environment."""
    return part_from_json("delegationbench", json.loads(DELEGATIONBENCH.run(chosen.environments)))


def run_corpora(chosen: argparse.Namespace) -> Part:
    """The public strings, taken from their environment and put through our machine here."""
    strings = corpora.read_strings(CORPORA.run(chosen.environments))
    return asyncio.run(corpora.part(strings, attack_cases(chosen.attack_cases), _release(), chosen.most, _say))


def attack_cases(path: Path | None) -> list[str] | None:
    """The lines of the file of attack cases; None, said plainly, where it is absent."""
    if path is None:
        _say(f"  no file of attack cases was named (--attack-cases or {ATTACK_CASES}): its rows are left out")
        return None
    if not path.is_file():
        raise corpora.BadCases(f"{path} does not exist. Name the file of attack cases, or leave the option out")
    return path.read_text(encoding="utf-8").splitlines()


def _release() -> Release:
    path = ROOT / "guards" / "policies" / "2026-03-01.toml"
    return parse_release(path.read_text(encoding="utf-8"), path.name)


SUITES: Mapping[str, Callable[[argparse.Namespace], Part]] = {
    "delegationbench": run_delegationbench,
    "agentdojo": run_agentdojo,
    "corpora": run_corpora,
}

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
