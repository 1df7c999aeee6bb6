"""Replaying recorded cases: as many as are wanted, the same bytes each time, and a difference is named."""

from __future__ import annotations

from evals.case import read_cases
from evals.cassettes import FOLDER
from evals.exam import Hall, examine, sittings
from evals.outcome import Outcome
from evals.replay import CASES, rounds, unequal
from guards.policy import Release

RECORDED = tuple(one for one in sittings(read_cases(), FOLDER) if one.mode == "recorded")
SOME = RECORDED[:: max(1, len(RECORDED) // 12)]
"""A dozen of them, spread over all: the bench replays as many as are timed."""


def test_recorded_cases_are_replayed_to_the_same_bytes_forwards_and_backwards(release: Release) -> None:
    hall = Hall(release, None, FOLDER)
    heard: list[Outcome] = []
    first = examine(SOME, hall, 1, heard.append)
    again = examine(SOME[::-1], hall, 1)
    assert len(first) >= 12
    assert [o.id for o in heard] == [s.case.id for s in SOME]
    assert all(o.stale == () for o in first)
    assert [o.model_dump_json() for o in first] == [o.model_dump_json() for o in again[::-1]]
    assert unequal([first, again]) == ()
    other = first[0].model_copy(update={"draft": first[0].draft + "."})
    assert unequal([first, [other]]) == (first[0].id,)


def test_so_many_are_replayed_as_are_wanted_and_none_where_none_is_recorded() -> None:
    few = RECORDED[:7]
    assert len(rounds(RECORDED)) == len(rounds(few)) == CASES
    assert {one.case.id for one in rounds(few)} == {one.case.id for one in few}
    assert len({one.case.id for one in rounds(RECORDED)}) == min(CASES, len(RECORDED))
    assert rounds(()) == ()
