"""Time of replaying 150 recorded cases on two processes, and whether each says the same, byte for byte, every time.

python -m evals.replay
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Sequence

from agent.packaged import packaged_release
from evals.case import read_cases
from evals.cassettes import FOLDER
from evals.exam import Hall, Sitting, examine, sittings
from evals.outcome import Outcome
from evals.show import console

CASES = 150
PROCESSES = 2
SECONDS = 30.0
"""What the replay of so many cases may take on two cores."""


def rounds(recorded: Sequence[Sitting], wanted: int = CASES) -> tuple[Sitting, ...]:
    """So many sittings: where fewer cases are recorded, each is replayed more than once. Empty where none is."""
    return tuple(itertools.islice(itertools.cycle(recorded), wanted))


def unequal(runs: Sequence[Sequence[Outcome]]) -> tuple[str, ...]:
    """The cases whose outcome is not the same bytes in every run they are in."""
    seen: dict[str, set[str]] = {}
    for outcome in itertools.chain.from_iterable(runs):
        seen.setdefault(outcome.id, set()).add(hashlib.sha256(outcome.model_dump_json().encode()).hexdigest())
    return tuple(sorted(name for name, digests in seen.items() if len(digests) > 1))


def main() -> int:
    """Prints seconds and what differed; 1 where a case differed, took too long, or none is recorded."""
    out, hall = console(), Hall(packaged_release(), None, FOLDER)
    recorded = [one for one in sittings(read_cases(), FOLDER) if one.mode == "recorded"]
    todo = rounds(recorded)
    if not todo:
        out.print("no case is recorded: nothing to replay")
        return 1
    start = time.perf_counter()
    heard: list[Outcome] = []
    examine(todo, hall, PROCESSES, heard.append)
    took = time.perf_counter() - start
    different = unequal([heard, examine(recorded, hall, 1)])
    out.print(f"replay of {CASES} cases ({len(recorded)} recorded) on {PROCESSES} processes: {took:.1f} s, their start")
    out.print(f"included; at most {SECONDS:.0f} s are wanted. Another run: {len(different)} cases differed by a byte.")
    return 1 if different or took > SECONDS else 0


if __name__ == "__main__":
    raise SystemExit(main())
