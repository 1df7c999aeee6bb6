"""What a thread's length costs: an effect's transaction and a tool's call, on a thread of some length."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection

from agent.outgoing import release_view
from agent.wiring import build_steps
from guards.gate import Letter, Piece, Refusal
from guards.lanes import Lane
from guards.policy import Release
from ledger.events import Entry, Kind
from ledger.intake import IncomingMessage, Intake
from ledger.outbox import PostLedger
from ledger.store import Store, open_store
from ledger.words import digest_of
from ledger.worker import WorkerLedger
from tools.sandbox import SandboxCompany
from tools.toolbox import Toolbox

TIMES = 200


class _Quick(Store):
    """The same store without waiting for the disk; for measuring alone."""

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Connection]:
        with super().write() as conn:
            yield conn


async def measure_thread(tell: Callable[[str], None], message: IncomingMessage, release: Release, length: int) -> None:
    """Prints p50 and p99, in milliseconds, on a thread of so many messages, each answered in lane 1.

    The effect is the post room's: one transaction that reads everything again and lets a letter go, with the wait
    for the disk and without. The call is the executor's, with its reading of the ledger.
    """
    company = SandboxCompany()
    with tempfile.TemporaryDirectory(prefix="lanewise-bench-") as scratch:
        folder = Path(scratch)
        store = open_store(folder / "ledger.sqlite3", clock=lambda: company.now)
        for n in range(length):
            _answered(store, release, replace(message, ticket="long", key=f"m-{n}"))
        briefing = build_steps(store, company.systems(), release).human_owned.briefing
        box = briefing.toolbox({"ticket": "long", "seq": 0}, Lane.AUTONOMOUS)
        called = await _calls(box)
        quick = _Quick(store._engine, store.now, store.new_id)
        safe, unsafe = _effects(store, release, "safe"), _effects(quick, release, "unsafe")
        store.close()
    tell(f"\na thread of {length} message{'s' if length > 1 else ''} ({TIMES} times each, p50 / p99 ms):")
    tell(
        f"  effect transaction {_both(safe)}, without the wait for the disk {_both(unsafe)}; "
        f"a tool's call by the executor {_both(called)}"
    )


def _answered(store: Store, release: Release, message: IncomingMessage) -> None:
    intake, worker, post, view = Intake(store), WorkerLedger(store), PostLedger(store), release_view(release)
    seq = intake.receive(message).seq
    head = {"lane": 1, "families": sorted(release.rollout.autonomous_families)[:1]}
    worker.assign("long", seq, Lane.AUTONOMOUS, also=[Entry(Kind.LANE_ASSIGNED, f"{seq}/lane", head)])
    key = f"long/{seq}/answer"
    _propose(worker, release, f"Please see the article on it, as of {seq}.", key)
    assert not isinstance(post.begin(key, view), Refusal)
    post.sent(key)
    intake.mark_handled(seq)


def _propose(worker: WorkerLedger, release: Release, text: str, key: str) -> None:
    held, (recipient, epoch) = worker.register("long"), worker.address("long")
    letter = Letter("long", Piece.ANSWER, digest_of(text), recipient, epoch, held.revision, release.version)
    done = worker.propose(letter, text, reply_key=key, view=release_view(release))
    assert not isinstance(done, Refusal), done


async def _calls(box: Toolbox) -> list[float]:
    found = []
    for _ in range(TIMES):
        started = time.perf_counter()
        done = await box.call("summarise", {"references": ()})
        found.append((time.perf_counter() - started) * 1000)
        assert not isinstance(done, Refusal), done
    return found


def _effects(store: Store, release: Release, name: str) -> list[float]:
    post, view = PostLedger(store), release_view(release)
    found = []
    for n in range(TIMES):
        key = f"long/{name}/{n}"
        _propose(WorkerLedger(store), release, f"{name} {n}", key)
        started = time.perf_counter()
        sending = post.begin(key, view)
        found.append((time.perf_counter() - started) * 1000)
        assert not isinstance(sending, Refusal), sending
    return found


def _both(side: Sequence[float]) -> str:
    return f"{statistics.median(side):.2f} / {statistics.quantiles(side, n=100, method='inclusive')[98]:.2f}"
