"""Runs one ticket's life in processes of its own: killed at a chosen durable boundary, or racing another process.

Run by ``test_handle.py`` as ``python life_driver.py kills|race FOLDER``; prints one JSON object. Everything is
loaded once, and each life runs in a fork: no thread and no database connection is open before it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import shutil
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

from agent_scene import AUDIT_LOG, DISCOUNT, Clock, Scene, its_systems, made_up_company, open_scene, read_words_as_words  # noqa: E402
from sqlalchemy import select  # noqa: E402

from agent.checkpoints import Checkpoints  # noqa: E402
from agent.handle import ClockTicked, PersonDecided  # noqa: E402
from agent.release_in_force import release_view  # noqa: E402
from desk.workplace import read_release  # noqa: E402
from ledger.decisions import Seen, Signature  # noqa: E402
from ledger.events import Kind  # noqa: E402
from ledger.store import Store, open_store  # noqa: E402
from ledger.tables import inbox, outbox, reviews  # noqa: E402

TICKET = "T-1"
WORKERS = 2
LEASE = timedelta(minutes=10)
"""Longer than a lease: what a killed process held has run out when the next one comes."""

read_words_as_words(setattr)
RELEASE, SYSTEMS, TODAY = read_release(None), its_systems(), made_up_company().now


# ── the life ────────────────────────────────────────────────────────────────────────────────────────────────


async def first_message(scene: Scene) -> None:
    await scene.handler.handle(scene.message(DISCOUNT, TICKET, key="m-1"))


async def second_message(scene: Scene) -> None:
    await scene.handler.handle(scene.message("Is there any news on the discount?", TICKET, key="m-2"))


async def deadline(scene: Scene) -> None:
    await scene.handler.handle(ClockTicked())


async def decision(scene: Scene) -> None:
    review = scene.reviews.of_ticket(TICKET)
    if review is not None:  # else it was decided before the kill
        assert review.draft is not None and review.draft.text is not None
        seen = Seen.of(scene.register(TICKET), review.draft.digest)
        sign = Signature("Marek", "it is as I would write it", "d-1")
        scene.people.approve(review.id, review.draft.text.encode(), seen, sign, release_view(RELEASE))
    await scene.handler.handle(PersonDecided(TICKET))


LIFE = {first_message: 0, second_message: 1, deadline: 25, decision: 26}
"""Each act, with the hour at which it happens."""


def summary(scene: Scene) -> dict[str, Any]:
    """What a life has come to, without moments and random ids."""
    with scene.store.read() as conn:
        states = Counter(conn.execute(select(inbox.c.state)).scalars())
        letters = sorted(conn.execute(select(outbox.c.reply_key, outbox.c.state)).all())
        asked = conn.execute(select(reviews.c.state, reviews.c.revision, reviews.c.queue)).all()
    held = scene.register(TICKET)
    return {
        "kinds": dict(sorted(Counter(e.kind.value for e in scene.events(TICKET)).items())),
        "inbox": dict(states),
        "letters": [list(row) for row in letters],
        "reviews": [list(row) for row in asked],
        "register": [int(held.lane), int(held.floor), held.epoch, held.revision, len(held.openings)],
        "said": [m.text for m in scene.history.thread(TICKET)],
    }


# ── boundaries ──────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def counting(reached: Callable[[str], None]) -> Iterator[None]:
    """Calls ``reached`` just before and just after everything that a machine keeps: commits and checkpoints."""
    kept = {name: getattr(Checkpoints, name) for name in ("aput", "aput_writes", "adelete_thread")}
    write = Store.write

    @contextmanager
    def committing(self: Store, *, durable: bool = False) -> Iterator[Any]:
        with write(self, durable=durable) as conn:
            yield conn
            reached("before a commit")
        reached("after a commit")

    def keeping(name: str) -> Any:
        async def call(self: Checkpoints, *args: Any) -> Any:
            reached(f"before {name}")
            done = await kept[name](self, *args)
            reached(f"after {name}")
            return done

        return call

    Store.write = committing  # type: ignore[method-assign, assignment]
    for name in kept:
        setattr(Checkpoints, name, keeping(name))
    try:
        yield
    finally:
        Store.write = write  # type: ignore[method-assign]
        for name, real in kept.items():
            setattr(Checkpoints, name, real)


async def live(folder: Path, acts: Iterable[Any], *, late: timedelta = timedelta(0), catch_up: bool = False) -> Any:
    clock = Clock(TODAY)
    async with open_scene(folder, RELEASE, systems=SYSTEMS, clock=clock) as scene:
        left: list[str] = []
        for act in acts:
            clock.moment = TODAY + timedelta(hours=LIFE[act]) + late
            if catch_up:
                await scene.handler.catch_up()
                left += scene.intake.tickets_with_work()
            await act(scene)
        return {**summary(scene), "left": left}


def forked(work: Callable[[], Any]) -> tuple[int, Any]:
    """Runs work in a fork: ``(signal that ended it, what it returned)``."""
    return wait_for(*begin(work))


def side_by_side(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each work returned, each in a fork of its own."""
    return [wait_for(*begun)[1] for begun in [begin(work) for work in works]]


def begin(work: Callable[[], Any]) -> tuple[int, int]:
    """``(process id, where its answer can be read)``."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    os.close(reading)
    code = 1
    try:
        said: Any = work()
        code = 0
    except BaseException as error:
        said = {"error": repr(error)}
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(json.dumps(said).encode())
    os._exit(code)


def wait_for(child: int, reading: int) -> tuple[int, Any]:
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, json.loads(said) if said else None


def killed(folder: Path, act: Any, at: int) -> tuple[int, Any]:
    """One act, killed at its ``at``-th boundary; ``(0, names of all boundaries)`` where it has fewer."""

    def work() -> Any:
        names: list[str] = []

        def reached(name: str) -> None:
            names.append(name)
            if len(names) == at:
                os.kill(os.getpid(), signal.SIGKILL)

        with counting(reached):
            asyncio.run(live(folder, [act]))
        return names

    return forked(work)


def is_worth_a_kill(act: Any, name: str) -> bool:
    """Just before one boundary the files are as just after the last, but for the rows of an open transaction: those
    are left lying in one act."""
    return name.startswith("after") or (name == "before a commit" and act is decision)


def kills(folder: Path) -> dict[str, Any]:
    """Every boundary of every act: killed there, caught up by a fresh process, compared with the undisturbed life."""
    asyncio.run(live(folder / "warm", LIFE))  # what is loaded and compiled on first use, all forks then share
    assert threading.active_count() == 1
    gc.freeze()
    start = folder / "start"
    start.mkdir(parents=True)
    store = open_store(start / "ledger.sqlite3")
    store.forget_erased()
    store.close()
    told: dict[str, Any] = {"acts": {}, "wrong": []}
    trials = []
    for act in LIFE:
        calm = folder / f"calm-{act.__name__}"
        shutil.copytree(start, calm)
        ended, names = killed(calm, act, at=-1)
        assert ended == 0 and isinstance(names, list), names
        _, undisturbed = forked(lambda calm=calm: asyncio.run(live(calm, [])))  # type: ignore[misc]
        told["acts"][act.__name__] = {"boundaries": names, "killed": [], "end": undisturbed}
        trials += [(act, start, at, n, undisturbed) for at, n in enumerate(names, 1) if is_worth_a_kill(act, n)]
        start = calm

    def some(number: int) -> Callable[[], Any]:
        return lambda: [one_kill(folder / f"killed-{number}", *trial) for trial in trials[number::WORKERS]]

    for results in side_by_side([some(n) for n in range(WORKERS)]):
        assert isinstance(results, list), results
        for act, at, was_killed, wrong in results:
            told["acts"][act]["killed"] += [at] if was_killed else []
            told["wrong"] += [wrong] if wrong else []
    return told


def one_kill(place: Path, act: Any, start: Path, at: int, name: str, undisturbed: Any) -> tuple[str, int, bool, Any]:
    """``(act, boundary, was it killed there, what is wrong afterwards)``."""
    shutil.copytree(start, place)
    ended, said = killed(place, act, at)
    _, after = forked(lambda: asyncio.run(live(place, [act], late=LEASE, catch_up=True)))
    shutil.rmtree(place)
    was_killed = ended == signal.SIGKILL
    if was_killed and after == undisturbed:
        return act.__name__, at, True, None
    differs = {k: [after.get(k), v] for k, v in undisturbed.items() if after.get(k) != v}
    return act.__name__, at, was_killed, [act.__name__, at, name, said, differs, after.get("error")]


# ── a race ──────────────────────────────────────────────────────────────────────────────────────────────────

RUNNERS, MESSAGES = 2, 5


def race(folder: Path) -> dict[str, Any]:
    """Two processes file and run messages of one ticket at the same time."""
    folder.mkdir(parents=True, exist_ok=True)
    open_store(folder / "ledger.sqlite3").close()
    ready, go = os.pipe(), os.pipe()

    async def runner(number: int) -> list[str]:
        runs: list[str] = []
        os.write(ready[1], b".")
        os.read(go[0], 1)
        async with open_scene(folder, RELEASE, systems=SYSTEMS, clock=Clock(TODAY)) as scene:
            handler, real = scene.handler, scene.handler._run

            async def noting(event: Any, lease: Any) -> Any:
                runs.append(event.key)
                return await real(event, lease)

            handler._run = noting  # type: ignore[method-assign]
            for n in range(MESSAGES):
                await handler.handle(scene.message(AUDIT_LOG, TICKET, key=f"r{number}-{n}"))
        return runs

    def running(number: int) -> Callable[[], Any]:
        return lambda: asyncio.run(runner(number))

    begun = [begin(running(n)) for n in range(RUNNERS)]
    for _ in begun:
        os.read(ready[0], 1)
    os.write(go[1], b"!" * RUNNERS)
    runs = [wait_for(*one)[1] for one in begun]

    async def look() -> dict[str, Any]:
        async with open_scene(folder, RELEASE, systems=SYSTEMS, clock=Clock(TODAY)) as scene:
            return {
                "runs": runs,
                "waiting": list(scene.intake.tickets_with_work()),
                "messages": [e.key for e in scene.events(TICKET, Kind.CUSTOMER_WROTE)],
                "outcomes": len(scene.events(TICKET, Kind.OUTCOME_RECORDED)),
                "failed": len(scene.events(TICKET, Kind.EVENT_FAILED)),
                "pieces": scene.pieces(TICKET),
            }

    return asyncio.run(look())


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"kills": kills, "race": race}[sys.argv[1]](Path(sys.argv[2]))))
