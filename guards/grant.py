"""Derives what the assistant may do from the lane, the release and a halt; the only room that hands out rights."""

from __future__ import annotations

from guards.capabilities import TABLE, Right, rights_of
from guards.gate import Grant, Refusal
from guards.lanes import Lane
from guards.policy import Release
from guards.rollout import withheld_by_phase

_SPEAKING = frozenset({Right.SEND_ANSWER, Right.ASK_QUESTION, Right.CLOSE_TICKET, Right.RELEASE_NOTICE})


def grant(lane: object, epoch: int, release: Release, *, halted: bool) -> Grant:
    """The grant of one opening. Derived afresh each time, never stored: rights are not monotone over lanes."""
    known = Lane.read(lane)
    by_lane = rights_of(known)
    by_phase = withheld_by_phase(release)
    by_halt = _SPEAKING if halted else frozenset()
    withheld = []
    for right, row in TABLE.items():
        if right not in by_lane:
            withheld.append(Refusal(row.does, "lane", row.reason))
        elif right in by_phase:
            withheld.append(Refusal(row.does, "phase", "the policy release is in observe-only"))
        elif right in by_halt:
            withheld.append(Refusal(row.does, "halted", "autonomy is halted"))
    return Grant(known, epoch, release.version, by_lane - by_phase - by_halt, tuple(withheld))
