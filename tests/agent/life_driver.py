"""Runs one ticket's life in processes of its own: killed at a chosen durable boundary, or racing another process.

Run by ``test_handle.py`` as ``python life_driver.py kills|race FOLDER``; prints one JSON object. Everything is
loaded once, and each life runs in a fork: no thread and no database connection is open before it.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).resolve().parent)]

from agent_scene import AUDIT_LOG, DISCOUNT, Clock, Scene, SilentHead, open_scene  # noqa: E402
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver  # noqa: E402
from sqlalchemy import select  # noqa: E402

from agent import wiring  # noqa: E402
from agent.handle import ClockTicked, PersonDecided  # noqa: E402
from agent.outgoing import release_view  # noqa: E402
from agent.sources import Remembering  # noqa: E402
from desk.workplace import read_release  # noqa: E402
from ledger.decisions import Seen, Signature  # noqa: E402
from ledger.events import Kind  # noqa: E402
from ledger.store import Store, open_store  # noqa: E402
from ledger.tables import inbox, outbox, reviews  # noqa: E402
from tools.sandbox import SandboxCompany  # noqa: E402

TICKET = "T-1"
LEASE = timedelta(minutes=10)
"""Longer than a lease: what a killed process held has run out when the next one comes."""

_vectors = Remembering(SilentHead.encoder)
wiring.text_head = SilentHead  # type: ignore[assignment]
wiring.article_vectors = lambda: _vectors  # type: ignore[assignment]
RELEASE, SYSTEMS, TODAY = read_release(None), SandboxCompany().systems(), SandboxCompany().now


# ── the life ────────────────────────────────────────────────────────────────────────────────────────────────


async def first_message(scene: Scene) -> None:
    await scene.handler.handle(scene.message(DISCOUNT, TICKET, key="m-1"))


async def second_message(scene: Scene) -> None:
    await scene.handler.handle(scene.message("Is there any news on the discount?", TICKET, key="m-2"))


async def deadline(scene: Scene) -> None:
    scene.clock.forward(hours=25)
    await scene.handler.handle(ClockTicked())


async def decision(scene: Scene) -> None:
    scene.clock.forward(hours=26)
    review = scene.reviews.of_ticket(TICKET)
    if review is not None:  # else it was decided before the kill
        assert review.draft is not None and review.draft.text is not None
        seen = Seen.of(scene.register(TICKET), review.draft.digest)
        sign = Signature("Marek", "it is as I would write it", "d-1")
        scene.people.approve(review.id, review.draft.text.encode(), seen, sign, release_view(RELEASE))
    await scene.handler.handle(PersonDecided(TICKET))


LIFE = (first_message, second_message, deadline, decision)


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
    kept = {name: getattr(AsyncSqliteSaver, name) for name in ("aput", "aput_writes", "adelete_thread")}
    write = Store.write

    @contextmanager
    def committing(self: Store, *, durable: bool = False) -> Iterator[Any]:
        with write(self, durable=durable) as conn:
            yield conn
            reached("before a commit")
        reached("after a commit")

    def keeping(name: str) -> Any:
        async def call(self: AsyncSqliteSaver, *args: Any) -> Any:
            reached(f"before {name}")
            done = await kept[name](self, *args)
            reached(f"after {name}")
            return done

        return call

    Store.write = committing  # type: ignore[method-assign, assignment]
    for name in kept:
        setattr(AsyncSqliteSaver, name, keeping(name))
    try:
        yield
    finally:
        Store.write = write  # type: ignore[method-assign]
        for name, real in kept.items():
            setattr(AsyncSqliteSaver, name, real)


async def live(folder: Path, acts: Sequence[Any], *, late: timedelta = timedelta(0), catch_up: bool = False) -> Any:
    clock = Clock(TODAY + late)
    async with open_scene(folder, RELEASE, systems=SYSTEMS, clock=clock) as scene:
        if catch_up:
            await scene.handler.catch_up()
            left = scene.intake.tickets_with_work()
        for act in acts:
            clock.moment = TODAY + late
            await act(scene)
        told = summary(scene)
        if catch_up:
            told["left after catching up"] = list(left)
        return told


def forked(work: Callable[[], Any]) -> tuple[int, Any]:
    """Runs work in a fork: ``(signal that ended it, what it returned)``."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        code = 1
        try:
            os.write(writing, json.dumps(work()).encode())
            code = 0
        except BaseException as error:
            os.write(writing, json.dumps({"error": repr(error)}).encode())
        finally:
            os._exit(code)
    os.close(writing)
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


def kills(folder: Path) -> dict[str, Any]:
    """Every boundary of every act: killed there, caught up by a fresh process, compared with the undisturbed life."""
    start = folder / "start"
    start.mkdir(parents=True)
    store = open_store(start / "ledger.sqlite3")
    store.forget_erased()
    store.close()
    told: dict[str, Any] = {"acts": {}, "wrong": []}
    for act in LIFE:
        calm = folder / f"calm-{act.__name__}"
        shutil.copytree(start, calm)
        ended, names = killed(calm, act, at=-1)
        assert ended == 0 and isinstance(names, list), names
        _, undisturbed = forked(lambda calm=calm: asyncio.run(live(calm, [])))  # type: ignore[misc]
        visited = []
        for at, name in enumerate(names, 1):
            place = folder / "killed"
            shutil.copytree(start, place)
            ended, said = killed(place, act, at)
            visited.append(ended == signal.SIGKILL)
            _, after = forked(lambda: asyncio.run(live(place, [act], late=LEASE, catch_up=True)))  # noqa: B023
            left = after.pop("left after catching up", None)
            if ended != signal.SIGKILL or left != [] or after != undisturbed:
                wrong = {k: [after.get(k), v] for k, v in undisturbed.items() if after.get(k) != v}
                told["wrong"].append([act.__name__, at, name, ended, said, left, wrong, after.get("error")])
            shutil.rmtree(place)
        told["acts"][act.__name__] = {"boundaries": names, "visited": sum(visited), "end": undisturbed}
        start = calm
    return told


# ── a race ──────────────────────────────────────────────────────────────────────────────────────────────────

RUNNERS, MESSAGES = 2, 5


def race(folder: Path) -> dict[str, Any]:
    """Two processes file and run messages of one ticket at the same time."""
    folder.mkdir(parents=True, exist_ok=True)
    open_store(folder / "ledger.sqlite3").close()
    ready, go = os.pipe(), os.pipe()

    async def runner(number: int) -> dict[str, Any]:
        runs: list[str] = []
        async with open_scene(folder, RELEASE, systems=SYSTEMS, clock=Clock(TODAY)) as scene:
            handler, real = scene.handler, scene.handler._run

            async def noting(event: Any) -> None:
                runs.append(event.key)
                await real(event)

            handler._run = noting  # type: ignore[method-assign]
            os.write(ready[1], b".")
            os.read(go[0], 1)
            for n in range(MESSAGES):
                await handler.handle(scene.message(AUDIT_LOG, TICKET, key=f"r{number}-{n}"))
        return {"runs": runs}

    children = []
    for number in range(RUNNERS):
        out = folder / f"runner-{number}.json"
        child = os.fork()
        if child == 0:
            try:
                out.write_text(json.dumps(asyncio.run(runner(number))))
            except BaseException as error:
                out.write_text(json.dumps({"error": repr(error)}))
                os.write(ready[1], b"!")
            finally:
                os._exit(0)
        children.append((child, out))
    for _ in children:
        os.read(ready[0], 1)
    os.write(go[1], b"!" * RUNNERS)
    for child, _ in children:
        os.waitpid(child, 0)
    said = [json.loads(out.read_text()) for _, out in children]
    runs = [s.get("runs", s) for s in said]

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
