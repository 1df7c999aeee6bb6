"""Runs every race and prints the tables, each goal beside its figure: ``python -m evals.speed``."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import platform
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from evals.show import console
from evals.speed import decisions, effects, executor, texts
from evals.speed.environments import CACHE, ENVIRONMENTS, PeerMissing, environment
from evals.speed.figures import Section, plain_json, table
from evals.speed.house import open_house
from evals.speed.peer import peak_memory


def main() -> None:
    """Reads the options and measures."""
    options = _options()
    out = console()
    about = _about()
    out.print("Speed, each side in turn in one run")
    out.print(", ".join(f"{name} {value}" for name, value in about.items()) + "\n")
    if options.peers:
        _make_environments(out, options.fresh)
    sections = []
    for section in _sections(options):
        sections.append(section)
        out.print(table(section))
        for note in section.notes:
            out.print(f"  {note}", markup=False)
        out.print()
    if (peak := peak_memory()) is not None:
        out.print(f"peak memory of this process: {peak:.0f} MiB")
    if options.json is not None:
        told = {"machine": about, "peak_mib": peak, "sections": plain_json(sections)}
        options.json.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _sections(options: argparse.Namespace) -> Iterator[Section]:
    rounds, tenth = options.rounds, max(1, options.calls // 10)
    yield decisions.measure(rounds, options.calls, options.peers)
    articles = asyncio.run(texts.public_articles())
    yield texts.measure(articles, rounds, tenth, options.peers)
    # Beside the environments and not in the system's scratch folder, which may live in memory and never touch a disk.
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ledger-", dir=CACHE) as folder, open_house(Path(folder)) as house:
        yield executor.measure(house, rounds, tenth)
        yield effects.measure(house, rounds, max(1, tenth // 5))
        yield executor.measure_lengths(house, rounds, max(1, tenth // 2))
        yield effects.measure_lengths(house, rounds, max(1, tenth // 5))


def _make_environments(out: Console, fresh: bool) -> None:
    for name, packages in ENVIRONMENTS.items():
        try:
            environment(name, fresh=fresh)
        except PeerMissing as error:
            out.print(f"  {error}", markup=False)
        else:
            out.print(f"  {' and '.join(packages)}: environment ready", markup=False)
    out.print()


def _about() -> dict[str, Any]:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load at the start": "unknown" if load is None else f"{load:.1f}",
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "garbage collection": "on" if gc.isenabled() else "off",
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m evals.speed", description="Speed, in turns with others' products")
    parser.add_argument("--rounds", type=int, default=20, help="turns that each side takes (20)")
    parser.add_argument("--calls", type=int, default=1000, help="decisions a turn; the rest in proportion (1000)")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="ours alone: needs no network")
    parser.add_argument("--fresh", action="store_true", help="make the peers' environments anew, current versions")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure as JSON too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
