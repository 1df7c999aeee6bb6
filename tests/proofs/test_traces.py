"""The same random traces through the abstract model and the real code: every answer and every state must agree."""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boundary_model as model
import pytest
from boundary_model import (
    APPROVED,
    BEGUN,
    CLOSING,
    DRAFT,
    INTENT,
    MARIA,
    NOTICE,
    OONA,
    OTHER,
    PERMIT,
    QUESTION,
    REFUSED,
    RIGHTS,
    TEMPLATE,
)
from real_boundary import HandClock, RealTicket, quick_folder, releases_of

from guards.policy import Release
from ledger.store import open_store

WIDE = model.Bounds(messages=4, epochs=99, halts=9, letters=6, refused=9)
ACTS = 16
"""In one trace."""
ROOM = ("ok", "ok", "rejected", "lost_before", "lost_after", "cut_before", "cut_after")
HELPFUL = frozenset({"open_answer", "propose", "begin", "hand", "look", "answer", "open_review", "approve", "call"})
"""Acts on the way to a text that arrives."""
MEANWHILE: tuple[model.Act | None, ...] = (
    *(None, None, ("halt",), ("raise_floor", 3), ("write",), ("policy", 2), ("wait",)),
    *(("claim", MARIA), ("claim", OONA)),
)


def more_acts(s: model.State) -> Iterator[model.Act]:
    """Acts that the breadth-first walk leaves out for their number, and that a trace can afford."""
    key = f"k{len(s.letters)}-{len(s.refused)}"
    yield from (("propose", key, QUESTION, OTHER, ""), ("propose", key, CLOSING, DRAFT, ""))
    yield ("propose", key, APPROVED, DRAFT, "")
    yield ("propose", key, NOTICE, TEMPLATE, "address")
    for one in s.letters:
        if one.piece != APPROVED:
            yield ("propose", one.key, one.piece, OTHER if one.text != OTHER else DRAFT, "")
    if s.box:
        yield from (("call", tool, TEMPLATE if tool == "release_notice" else DRAFT) for tool in RIGHTS)
        yield from (("call", "release_notice", OTHER), ("call", "send_answer", OTHER))
    yield from (("hand_back", 2), ("hand_back", 2, OONA), ("answer", DRAFT)) if s.seen else ()


def through_room(
    s: model.State, how: str, meanwhile: model.Act | None
) -> tuple[model.State, list[tuple[Any, str]], bool, set[Any]]:
    """What ``deliver_waiting`` must come to: the state after it, what arrived, whether the power was cut, and what was
    withdrawn meanwhile."""
    arrived: list[tuple[Any, str]] = []
    withdrawn: set[Any] = set()
    first = True
    for key in [x.key for x in s.letters if x.state == INTENT]:
        s, said = model.step(s, ("begin", key))
        if said != PERMIT:
            continue
        if first and meanwhile is not None:
            before = s
            s, _ = model.step(s, meanwhile)
            withdrawn = {
                x.key for x, o in zip(s.letters, before.letters, strict=True) if (o.state, x.state) == (INTENT, REFUSED)
            }
        first = False
        if how in ("ok", "lost_after", "cut_after"):
            s, _ = model.step(s, ("hand", key))
            arrived.append((key, _text(s, key)))
        if how in ("cut_before", "cut_after"):
            return model.step(s, ("crash",))[0], arrived, True, withdrawn
        ends = {"ok": model.SENT, "rejected": model.FAILED}
        s, _ = model.step(s, ("record", key, ends.get(how, model.UNKNOWN)))
    return s, arrived, False, withdrawn


def _text(s: model.State, key: Any) -> str:
    one = s.letter(key)
    assert one is not None
    return one.text


class Trace:
    """One ticket, in the model and in the store."""

    def __init__(self, real: RealTicket, rng: random.Random, met: Counter[tuple[str, str]]) -> None:
        self.real, self.rng, self.met = real, rng, met
        self.s = model.State()
        self.delivered: list[tuple[Any, str]] = []
        self.told: list[object] = []

    def run(self, length: int) -> None:
        """Takes so many acts."""
        for _ in range(length):
            if self.rng.random() < 0.3 and any(x.state == INTENT for x in self.s.letters):
                self.through_room()
            else:
                self.one_act()
            assert self.real.summary() == self.real.expected(self.s, self.delivered), self.told

    def one_act(self) -> None:
        """A random act: first its name, then which one of that name, so that rare acts are not drowned. Half of the
        time one that the model permits, else nearly every trace would end in refusals alone."""
        kind = self.rng.random() < 0.5
        choices: dict[str, list[model.Act]] = {}
        for act in itertools.chain(model.acts(self.s, WIDE), more_acts(self.s)):
            # A letter can be handed over only by whoever has it in their hands: the rest is a mutant's.
            if act[0] == "hand" and not any(x.key == act[1] and x.hand == BEGUN for x in self.s.letters):
                continue
            if not kind or (act[0] in HELPFUL and act[1:] != (3,) and model.step(self.s, act)[1] == PERMIT):
                choices.setdefault(act[0], []).append(act)
        act = self.rng.choice(choices[self.rng.choice(sorted(choices))])
        after, expected = model.step(self.s, act)
        said = self.real.do(act)
        self.told.append((act, said))
        assert said == expected, str(self.told[-25:])
        assert model.broken(self.s, act, after, expected) is None
        if act[0] == "hand" and expected == PERMIT:
            self.delivered.append((act[1], _text(self.s, act[1])))
        self.s = after
        self.met[(act[0], said)] += 1

    def through_room(self) -> None:
        """The real post room over all that waits, against the same steps of the model."""
        how, meanwhile = self.rng.choice(ROOM), self.rng.choice(MEANWHILE)
        if any(x.piece == APPROVED for x in self.s.letters) and meanwhile == ("wait",):
            meanwhile = None
        waiting = [x.key for x in self.s.letters if x.state == INTENT]
        self.s, arrived, cut, withdrawn = through_room(self.s, how, meanwhile)
        # What a claim withdraws while the first letter is in hand never comes to the door, so the room tells nothing of it.
        waiting = [k for k in waiting if k not in withdrawn]
        during = meanwhile
        told = self.real.run_room(how, (lambda: self.real.do(during)) if during is not None else lambda: None)
        self.told.append(("room", how, meanwhile, told))
        self.delivered += arrived
        states = {self.real.key_of(x.key): x.state for x in self.s.letters}
        expected = [("", "cut")] if cut else [(k, states[k]) for k in map(self.real.key_of, waiting)]
        assert told == expected, self.told
        if cut:
            self.real.hands.clear()
        self.met[("room", how)] += 1


def run_traces(job: tuple[Path, Path, Release, range]) -> tuple[Counter[tuple[str, str]], int]:
    """Traces in a store of their own, each on a ticket of its own: what was met, and how many texts arrived."""
    empty, folder, release, numbers = job
    logging.getLogger("lanewise.post").setLevel(logging.CRITICAL)  # a broken channel is what these traces are about
    file = folder / f"traces-{numbers.start}.sqlite3"
    shutil.copy(empty, file)
    clock = HandClock(datetime(2026, 3, 10, 9, 0, tzinfo=UTC))
    store = open_store(file, clock=clock)
    releases, met, arrived = releases_of(release), Counter[tuple[str, str]](), 0
    for number in numbers:
        real = RealTicket(store, clock, releases, f"T-{number}")
        trace = Trace(real, random.Random(number), met)
        trace.run(ACTS)
        arrived += len(trace.delivered)
        real.resume()
        real.recover()
    store.close()
    return met, arrived


def test_the_real_code_answers_as_the_model_does(
    tmp_path: Path, empty_ledger: Path, release: Release, size: Callable[[int, int], int], shown: Any
) -> None:
    each, folder = size(20, 1_250), quick_folder(tmp_path)
    jobs = [(empty_ledger, folder, release, range(n * each, (n + 1) * each)) for n in range(2)]
    try:
        with multiprocessing.get_context("fork").Pool(2) as pool:
            done = pool.map(run_traces, jobs, chunksize=1)
    finally:
        shutil.rmtree(folder)
    met, arrived = sum((m for m, _ in done), Counter[tuple[str, str]]()), sum(n for _, n in done)
    acts = sum(met.values())
    assert acts == 2 * each * ACTS
    # Not only refusals agree: in these traces texts arrive, and each way of being stopped is met.
    assert arrived > each // 8
    stopped = {said for (name, said) in met if name in ("begin", "propose", "call")} - {PERMIT}
    ways = {"lane", "epoch", "revision", "release", "halted", "claimed", "approval", "notice", "recipient", "opening"}
    ways |= {"ungrounded"}
    assert len(stopped & ways) >= size(4, len(ways)), ways - stopped
    assert len(met) >= size(30, 60)
    figure = f"{2 * each:,} random traces, {acts:,} acts: the real code and the model agree on every answer and state"
    beside = f"{arrived:,} texts arrived; {len(met)} different (act, answer) pairs met"
    for invariant in ("I1", "I2", "I3", "I5", "I7", "I8", "I9"):
        shown(invariant, "the same traces through model and code", figure, beside)


def test_a_model_that_lacks_a_check_is_told_apart_from_the_code(
    tmp_path: Path, empty_ledger: Path, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_step = model.step
    monkeypatch.setattr(model, "step", lambda s, act, cut=frozenset(): real_step(s, act, frozenset({"lane"})))
    with pytest.raises(AssertionError):
        run_traces((empty_ledger, tmp_path, release, range(40)))
