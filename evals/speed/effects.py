"""The effect transaction, by which a waiting letter is let go, with and without fsync and by the thread's length."""

from __future__ import annotations

from collections.abc import Sequence

from agent.release_in_force import release_view
from evals.speed.executor import LENGTHS, SHORTEST, by_length
from evals.speed.figures import Ratio, Row, Section, Spread
from evals.speed.house import House
from evals.speed.peer import timed
from evals.speed.race import WARM_UP, Side, Turn, race
from ledger.outbox import Sending

DURABLE = "begin with fsync (synchronous=FULL), as the post room does"
QUICK = "begin without fsync (synchronous=NORMAL)"


def measure(house: House, rounds: int, calls: int) -> Section:
    """Each letter on a ticket of its own; every call lets another letter go."""
    needed = (rounds + WARM_UP) * calls
    found = race(
        {
            name: Side(beginning(house, _one_each(house, kind, needed), fsync=fsync), calls)
            for name, kind, fsync in ((QUICK, "quick", False), (DURABLE, "durable", True))
        },
        rounds,
    )
    rows = (
        Row(QUICK, Spread.of(found[QUICK])),
        Row(DURABLE, Spread.of(found[DURABLE]), Ratio.of(found[QUICK], found[DURABLE])),
    )
    return Section("The effect transaction: everything read again, the gate asked, the row moved on", "a letter", rows)


def measure_lengths(house: House, rounds: int, calls: int) -> Section:
    """Letters of threads of each length, without fsync, so that the disk's own time hides nothing."""
    needed, sides = (rounds + WARM_UP) * calls, {}
    for length in LENGTHS:
        keys = house.letters(house.ticket(f"effect-{length}", length), needed)
        sides[f"a thread of {length}, without fsync"] = Side(beginning(house, keys, fsync=False), calls)
    rows = by_length(race(sides, rounds))
    return Section("The effect transaction by the thread's length in messages", "a letter", rows, beside=SHORTEST)


def beginning(house: House, keys: Sequence[str], *, fsync: bool) -> Turn:
    """Begins the next letters in turn. AssertionError where one may not leave."""
    post, view, waiting = house.post(fsync=fsync), release_view(house.release), iter(keys)

    def batch(calls: int) -> list[int]:
        these = [next(waiting) for _ in range(calls)]
        answers: list[object] = []
        spent = timed(lambda n: answers.append(post.begin(these[n], view)), calls)
        assert all(isinstance(a, Sending) for a in answers), answers
        return spent

    return batch


def _one_each(house: House, kind: str, count: int) -> list[str]:
    return [house.letters(house.ticket(f"{kind}-{n}"), 1)[0] for n in range(count)]
