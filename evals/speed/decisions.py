"""The pure decision, may this grant do this effect?, in turns with the same rule in Cedar and in casbin."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial

from agent.packaged import packaged_release
from evals.speed.environments import PEERS_LEFT_OUT, Peer, PeerMissing, start
from evals.speed.figures import Goal, Ratio, Row, Section, Spread, at_least, at_most
from evals.speed.house import grants_from_memory
from evals.speed.peer import timed
from evals.speed.race import Side, race
from evals.speed.rule import every_request, in_words, rule, timed_requests
from guards.gate import Grant, Permit, may
from guards.lanes import Lane

MOST_P50, MOST_P99, LEAST_TIMES_CEDAR = 15, 100, 3
POLICY_PEERS = ("cedarpy", "casbin")
OURS = "ours: may() with a grant"
AFRESH = "ours: the grant derived afresh, then may()"


def our_verdicts() -> list[bool]:
    """Ours over lane x right x effect, with grants that neither phase nor halt has narrowed."""
    grants = _grants()
    return [isinstance(may(grants[lane], right, effect), Permit) for lane, right, effect in every_request()]


def measure(rounds: int, calls: int, peers: bool) -> Section:
    """Times all sides that can be had; a peer that judges one request otherwise is not timed."""
    notes = [] if peers else [PEERS_LEFT_OUT]
    with ExitStack() as rivals:
        others = _rivals(rivals, notes) if peers else {}
        sides = {OURS: Side(partial(timed, _decide()), calls), AFRESH: Side(partial(timed, _decide_afresh()), calls)}
        sides |= {f"{peer.name} {peer.version}": Side(peer.turn, calls) for peer in others.values()}
        found = race(sides, rounds, notes)
        notes += memory_notes(others.values())
    rows = [Row(OURS, Spread.of(found[OURS]), goals=_goals(found))]
    rows += [Row(what, Spread.of(found[what]), Ratio.of(found[OURS], found[what])) for what in list(found)[1:]]
    return Section(
        "The decision: every right in every lane, permitted and refused", "a call", tuple(rows), tuple(notes)
    )


def memory_notes(peers: Iterable[Peer]) -> list[str]:
    """The most memory that each peer's process held, beside one of ours that holds the guards alone."""
    code = "import guards.grant, guards.grounding; from evals.speed.peer import peak_memory; print(peak_memory() or '')"
    alone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    held = {"the guards alone": float(alone) if alone else None} | {p.name: p.peak_mib for p in peers}
    told = ", ".join(f"{name} {mib:.0f} MiB" for name, mib in held.items() if mib is not None)
    return [f"peak memory of a process of its own: {told}"] if told else []


def _goals(found: Mapping[str, list[list[int]]]) -> tuple[Goal, ...]:
    ours = Spread.of(found[OURS])
    goals = [at_most("p50", ours.p50, MOST_P50, "µs"), at_most("p99", ours.p99, MOST_P99, "µs")]
    for what in found:
        if what.startswith("cedarpy"):
            times = Ratio.of(found[OURS], found[what]).median
            goals.append(at_least("times faster than cedarpy", times, LEAST_TIMES_CEDAR, ""))
    return tuple(goals)


def _rivals(stack: ExitStack, notes: list[str]) -> dict[str, Peer]:
    checked, requests = map(list, (map(in_words, every_request()), map(in_words, timed_requests())))
    ours, found = our_verdicts(), {}
    for name in POLICY_PEERS:
        try:
            peer = start(name, "policy", rule(), checked, requests)
        except PeerMissing as error:
            notes.append(f"not measured: {error}")
            continue
        stack.callback(peer.stop)
        unlike = [asked for asked, a, b in zip(checked, ours, peer.verdicts, strict=True) if a is not b]
        if unlike:
            notes.append(f"not measured: {name} judges {len(unlike)} requests otherwise, {unlike[0]} first")
        else:
            notes.append(f"{name} {peer.version} gives our verdict on each of {len(checked)} requests")
            found[name] = peer
    return found


def _grants() -> dict[Lane, Grant]:
    return {lane: there.grant("T") for lane, there in grants_from_memory(packaged_release()).items()}


def _decide() -> Callable[[int], object]:
    grants = _grants()
    asked = [(grants[lane], right, effect) for lane, right, effect in timed_requests()]
    return lambda n: may(*asked[n % len(asked)])


def _decide_afresh() -> Callable[[int], object]:
    briefings = grants_from_memory(packaged_release())
    asked = [(briefings[lane], right, effect) for lane, right, effect in timed_requests()]

    def decide(n: int) -> object:
        there, right, effect = asked[n % len(asked)]
        return may(there.grant("T"), right, effect)

    return decide
