"""Kills a process at chosen points of the send path, each life in a fork of its own, and tells what came of each.

Run by ``test_kill_points.py`` as ``python send_path_driver.py product|faults EVERY FOLDER``; prints one JSON object.
Everything is loaded once; no thread and no database connection is open at a fork. ``EVERY`` takes each so-many-th point.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "ledger")]

from ledger_scene import DAY, NOTICE, VIEW, assisted_packet, message  # noqa: E402
from sqlalchemy import event, update  # noqa: E402
from sqlalchemy.engine import Engine  # noqa: E402

from desk.changes import ChangeRoom  # noqa: E402
from desk.channels.eml import EmlChannel, words_of  # noqa: E402
from desk.post import PostRoom  # noqa: E402
from guards.facts import Fact, Facts, Standing  # noqa: E402
from guards.gate import Letter, Permit, Piece  # noqa: E402
from ledger.changing import ChangeLedger  # noqa: E402
from ledger.decisions import Seen, Signature  # noqa: E402
from ledger.events import Entry, Kind  # noqa: E402
from ledger.history import History  # noqa: E402
from ledger.intake import Intake  # noqa: E402
from ledger.outbox import PostLedger  # noqa: E402
from ledger.packets.pages import to_text  # noqa: E402
from ledger.people import PeopleLedger  # noqa: E402
from ledger.reviews import Reviews  # noqa: E402
from ledger.store import Store, open_store  # noqa: E402
from ledger.tables import outbox  # noqa: E402
from ledger.words import digest_of  # noqa: E402
from ledger.worker import WorkerLedger  # noqa: E402
from tools.sandbox_changes import SandboxChanges  # noqa: E402

WORKERS = 2
TICKET = "T1"
ANSWER, DRAFT = "Open Admin, then Audit.", "We are sorry about the invoice."
REFUND = {"account_id": "A-1001", "amount": 80.0, "currency": "EUR", "reason": "INC-2331"}
KINDS = ("answer", "approved", "notice", "change", "recovery")
"""What leaves: the assistant's answer, a text that a person approved, a notice, a change that a person ordered; and an
answer that an earlier kill left in the post room's hands, so that the recovery is killed too."""
PATH = (
    *("ledger/worker.py", "ledger/people.py", "ledger/deciding.py", "ledger/letters.py", "ledger/outbox.py"),
    *("ledger/changes.py", "ledger/changing.py", "ledger/moment.py", "ledger/events.py", "ledger/store.py"),
    *("ledger/register.py", "ledger/reviews.py", "desk/post.py", "desk/changes.py", "desk/channels/eml.py"),
    *("guards/gate.py", "guards/state_change.py", "tools/sandbox_changes.py"),
)
"""The files whose every line is a point."""
_TRACED = frozenset(str(ROOT / file) for file in PATH)


# One key for all lives: a store that stays open while its folder is put back remembers the key it was opened with.
os.environ["LANEWISE_CHAIN_KEY"] = "made up for the lives of this proof, and for nothing else"


# ── one life ────────────────────────────────────────────────────────────────────────────────────────────────


class Logged:
    """A way out that writes down each call before it is made: a second call cannot hide behind the first one's file."""

    name = "logged"

    def __init__(self, folder: Path) -> None:
        self._log = folder / "calls.log"
        self.mail = EmlChannel(folder / "outbox", "support@team.example", clock=lambda: DAY)
        self.changes = SandboxChanges(folder / "changes")

    def deliver(self, reply_key: str, *, recipient: str, subject: str, body: str, headers: Mapping[str, str]) -> str:
        """As the mail channel."""
        self._note(reply_key)
        return self.mail.deliver(reply_key, recipient=recipient, subject=subject, body=body, headers=headers)

    def apply(self, key: str, action: str, arguments: Mapping[str, Any], approved_by: str) -> str:
        """As the sandbox's system."""
        self._note(key)
        return self.changes.apply(key, action, arguments, approved_by)

    def calls(self) -> list[str]:
        """The keys of all calls so far."""
        return self._log.read_text(encoding="utf-8").splitlines() if self._log.exists() else []

    def _note(self, key: str) -> None:
        log = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(log, f"{key}\n".encode())
        os.close(log)


def prepare(folder: Path, kind: str) -> None:
    """A ledger in which everything stands ready for that kind of effect, and nothing has been asked for."""
    folder.mkdir(parents=True)
    store = open_store(folder / "ledger.db", clock=lambda: DAY)
    worker = WorkerLedger(store)
    seq = Intake(store).receive(message()).seq
    Intake(store).mark_handled(seq)
    lane = {"answer": 1, "notice": 3, "approved": 2, "change": 3, "recovery": 1}[kind]
    families = {"families": ["documentation"], "lane": lane}
    worker.open_answer(TICKET, seq, lane, also=[Entry(Kind.LANE_ASSIGNED, "m1/lane", families)])
    if kind == "approved":
        worker.open_review(assisted_packet(DRAFT, thread_revision=seq), key="m1/review")
    if kind == "change":
        facts = Facts((Fact("account.id", "A-1001", Standing.CONFIRMED, "accounts", DAY),))
        worker.record(TICKET, Kind.FACTS_GATHERED, "m1/facts", {}, {"facts": facts.to_json()})
        worker.open_action(TICKET, seq, lane, "state_change")
    if kind == "recovery":
        propose(worker, ANSWER, Piece.ANSWER)
        PostLedger(store).begin("the-key", VIEW)
    store.forget_erased()  # so that the one file is all of it
    store.close()


def act(store: Store, kind: str, out: Logged) -> None:
    """The whole send path of one effect; run again after a kill it goes on, as the machine and a second click do."""
    worker, people, sign = WorkerLedger(store), PeopleLedger(store), Signature("maria", "read the thread", "d-1")
    register = worker.register(TICKET)
    if kind == "recovery":
        PostRoom(PostLedger(store), History(store), out, lambda: VIEW).recover()
    if kind == "notice":
        propose(worker, NOTICE, Piece.NOTICE)
    elif kind in ("answer", "recovery"):
        propose(worker, ANSWER, Piece.ANSWER)
    elif kind == "approved":
        review = Reviews(store).all_of_ticket(TICKET)[0]
        seen = Seen.of(register, digest_of(DRAFT))
        people.approve(review.id, DRAFT.encode(), seen, sign, VIEW)
    else:
        opening = max([1, *(a.id for a in register.actions)])
        people.approve_change(TICKET, _action(store, opening), "approve_refund", REFUND, Seen.of(register), sign, VIEW)
    if kind == "change":
        ChangeRoom(ChangeLedger(store), out, lambda: VIEW).run_waiting()
    else:
        PostRoom(PostLedger(store), History(store), out, lambda: VIEW).deliver_waiting()


def propose(worker: WorkerLedger, body: str, piece: Piece) -> None:
    """What the assistant's steps do, and do again."""
    held = worker.register(TICKET)
    letter = Letter(TICKET, piece, digest_of(body), "ada@example.com", held.epoch, held.revision, VIEW.version)
    assert isinstance(worker.propose(letter, body, reply_key="the-key", view=VIEW), Permit)


def _action(store: Store, opening: int) -> int:
    """The action that was asked for, also once it is closed: a second click names the same one."""
    ordered = History(store).changes(TICKET)
    return ordered[0].opening if ordered else opening


def after(folder: Path, kind: str, store: Store) -> dict[str, Any]:
    """A fresh start: what a crash left is recovered, the path is run again, and all of it is told."""
    out = Logged(folder)
    if kind == "change":
        ChangeRoom(ChangeLedger(store), out, lambda: VIEW).recover()
    else:
        PostRoom(PostLedger(store), History(store), out, lambda: VIEW).recover()
    act(store, kind, out)
    history, timeline = History(store), History(store).timeline(TICKET)
    rows = [(c.key, c.state.value) for c in history.changes(TICKET)] if kind == "change" else []
    rows = rows or [(d.reply_key, d.state.value) for d in history.deliveries(TICKET)]
    review = Reviews(store).of_ticket(TICKET)
    page = to_text(review.packet) if review and review.packet else ""
    kinds = [e.kind for e in timeline]
    intent = (
        Kind.PERSON_DECIDED if kind == "change" else Kind.NOTICE_PROPOSED if kind == "notice" else Kind.REPLY_PROPOSED
    )
    started = Kind.CHANGE_STARTED if kind == "change" else Kind.DELIVERY_STARTED
    told = {
        "rows": rows,
        "calls": out.calls(),
        "effects": effects(folder, kind, out),
        "doubt": "Nobody knows whether" in page,
        "due": review is not None and review.due_at is not None,
        "uncertain": kind == "change" or any(not m.certain for m in history.thread(TICKET)),
        "in_order": intent in kinds and started in kinds and kinds.index(intent) < kinds.index(started),
        "started": sum(k is started for k in kinds),
    }
    store.close()
    return told


def effects(folder: Path, kind: str, out: Logged) -> list[bool]:
    """For everything that really left: is it to the byte what was approved?"""
    if kind == "change":
        return (
            [m["arguments"] == REFUND and m["approved_by"] == "maria" for m in out.changes.made()]
            if (folder / "changes").exists()
            else []
        )
    body = {"approved": DRAFT, "notice": NOTICE}.get(kind, ANSWER)
    return [words_of(mail.read_bytes()) == body for mail in (folder / "outbox").glob("[!.]*.eml")]


def wrong(told: Mapping[str, Any]) -> list[str]:
    """What must not be: two effects, a lost one, one in doubt that nobody is shown."""
    found = []
    [(_, state)] = told["rows"] if len(told["rows"]) == 1 else [("", f"{len(told['rows'])} rows")]
    if len(told["calls"]) > 1 or len(told["effects"]) > 1 or told["started"] > 1:
        found.append("twice")
    if not all(told["effects"]):
        found.append("other bytes")
    if state in ("sent", "done"):
        found += [] if len(told["effects"]) == 1 else ["told as sent, and nothing left"]
    elif state == "unknown":
        shown = told["doubt"] and told["due"] and told["uncertain"]
        found += [] if shown else ["unknown, and nobody is shown it"]
    else:
        found.append(f"lost: {state}")
    return found + ([] if told["in_order"] else ["an effect without an earlier intent"])


# ── points ──────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def at_statements(reached: Callable[[str], None]) -> Iterator[None]:
    """A point just before and just after each statement, each commit, and each call of the way out."""

    def before(*told: Any) -> None:
        reached(f"before {told[2][:40]}")

    def behind(*told: Any) -> None:
        reached(f"after {told[2][:40]}")

    def commit(_: Any) -> None:
        reached("before COMMIT")

    write, deliver, apply = Store.write, Logged.deliver, Logged.apply

    @contextmanager
    def writing(self: Store, *, durable: bool = False) -> Iterator[Any]:
        with write(self, durable=durable) as conn:
            yield conn
        reached("after COMMIT")

    def around(call: Any) -> Any:
        def asked(*args: Any, **more: Any) -> Any:
            reached("before the way out")
            done = call(*args, **more)
            reached("after the way out")
            return done

        return asked

    Store.write = writing  # type: ignore[method-assign, assignment]
    Logged.deliver, Logged.apply = around(deliver), around(apply)  # type: ignore[method-assign]
    for name, hook in (("before_cursor_execute", before), ("after_cursor_execute", behind), ("commit", commit)):
        event.listen(Engine, name, hook)
    yield


@contextmanager
def at_lines(reached: Callable[[str], None]) -> Iterator[None]:
    """A point before each line of the send path's own files."""

    def line(frame: FrameType, what: str, _: Any) -> Any:
        if what == "line":
            reached(f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}")
        return line

    def call(frame: FrameType, what: str, _: Any) -> Any:
        return line if frame.f_code.co_filename in _TRACED else None

    sys.settrace(call)
    try:
        yield
    finally:
        sys.settrace(None)


POINTS = {"statements": at_statements, "lines": at_lines}


def killed(folder: Path, kind: str, points: str, at: int, store: Store) -> tuple[int, Any]:
    """The path, killed at its ``at``-th point; ``(0, names of all points)`` where it has fewer."""

    def work() -> Any:
        names: list[str] = []

        def reached(name: str) -> None:
            names.append(name)
            if len(names) == at:
                os.kill(os.getpid(), signal.SIGKILL)

        with POINTS[points](reached):
            act(store, kind, Logged(folder))
        return names

    return forked(work)


def forked(work: Callable[[], Any]) -> tuple[int, Any]:
    """Runs work in a fork: ``(signal that ended it, what it returned)``."""
    return wait_for(*begin(work))


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


# ── all of them ─────────────────────────────────────────────────────────────────────────────────────────────


def prove(folder: Path, every: Mapping[str, int], kinds: tuple[str, ...] = KINDS) -> dict[str, Any]:
    """Kills at every so-many-th point of each kind's path, and counts what came of it."""
    assert threading.active_count() == 1
    points: dict[str, dict[str, int]] = {}
    trials: list[tuple[str, str, int, str]] = []
    for kind in kinds:
        prepare(folder / f"start-{kind}", kind)
        points[kind] = {}
        for sort, step in every.items():
            _, names = forked(lambda kind=kind, sort=sort: calm(folder, kind, sort))  # type: ignore[misc]
            assert isinstance(names, list), names
            points[kind][sort] = len(names)
            trials += [(kind, sort, at, names[at - 1]) for at in range(1, len(names) + 1, step)]
    results: list[Any] = []
    for begun in [begin(lambda n=n: some(folder, n, trials)) for n in range(WORKERS)]:  # type: ignore[misc]
        _, said = wait_for(*begun)
        assert isinstance(said, list), said
        results += said
    counts = {name: sum(r[name] for r in results) for name in ("killed", "sent", "unknown", "left")}
    return {"points": points, "trials": len(trials), **counts, "wrong": [r["wrong"] for r in results if r["wrong"]]}


def calm(folder: Path, kind: str, sort: str) -> Any:
    """The names of all points of a path that nothing disturbs."""
    place = folder / f"calm-{kind}-{sort}"
    shutil.copytree(folder / f"start-{kind}", place)
    store = open_store(place / "ledger.db", clock=lambda: DAY)
    store.close()
    ended, names = killed(place, kind, sort, -1, store)
    assert ended == 0, names
    return names


def some(folder: Path, number: int, trials: list[tuple[str, str, int, str]]) -> list[dict[str, Any]]:
    """One worker's share. Its store stands at one place, closed before each fork: what it has compiled, all share."""
    place = folder / f"life-{number}"
    shutil.copytree(folder / f"start-{trials[0][0]}", place)
    store = open_store(place / "ledger.db", clock=lambda: DAY)
    for kind in dict.fromkeys(kind for kind, *_ in trials):
        shutil.rmtree(place)
        shutil.copytree(folder / f"start-{kind}", place)
        act(store, kind, Logged(place))
        store.close()
    gc.freeze()
    return [one_kill(folder, place, store, *trial) for trial in trials[number::WORKERS]]


def one_kill(folder: Path, place: Path, store: Store, kind: str, sort: str, at: int, name: str) -> dict[str, Any]:
    shutil.rmtree(place)
    shutil.copytree(folder / f"start-{kind}", place)
    ended, said = killed(place, kind, sort, at, store)
    try:
        told = after(place, kind, store)
    except Exception as error:
        store.close()
        return {"killed": 0, "sent": 0, "unknown": 0, "left": 0, "wrong": [kind, sort, at, name, repr(error)]}
    found = wrong(told) + ([] if ended == signal.SIGKILL else [f"was not killed: {said}"])
    state = told["rows"][0][1] if told["rows"] else ""
    return {
        "killed": ended == signal.SIGKILL,
        "sent": state in ("sent", "done"),
        "unknown": state == "unknown",
        "left": len(told["effects"]),
        "wrong": [kind, sort, at, name, *found] if found else None,
    }


# ── faults that the proof must find ─────────────────────────────────────────────────────────────────────────


def tries_again(self: PostLedger, older_than: Any = None) -> tuple[str, ...]:
    """A recovery that lets a machine send again what it does not know of."""
    with self._store.write() as conn:
        conn.execute(update(outbox).where(outbox.c.state == "sending").values(state="intent"))
    return ()


def forgets(self: PostLedger, older_than: Any = None) -> tuple[str, ...]:
    """No recovery at all."""
    return ()


def tells_nobody(self: PostLedger, *told: Any) -> None:
    """A failure that calls no person."""


_TOLD = PostLedger._told


def unheeded(self: PostLedger, *told: Any, **more: Any) -> Any:
    """A record that is written, and whose word that a letter was begun before is not asked for."""
    return replace(_TOLD(self, *told, **more), first=True)


FAULTS: Mapping[str, Mapping[str, Any]] = {
    "tries_again": {"recover": tries_again},
    # Two checks stand against a second delivery: with both gone the proof must see it.
    "tries_again_unheeded": {"recover": tries_again, "_told": unheeded},
    "forgets": {"recover": forgets},
    "tells_nobody": {"_call": tells_nobody},
}


def main() -> dict[str, Any]:
    mode, every, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    if mode == "product":
        return prove(folder, {"statements": max(1, every // 16), "lines": every})
    found = {}
    for fault, planted in FAULTS.items():
        real = {name: getattr(PostLedger, name) for name in planted}
        for name, wrong_one in planted.items():
            setattr(PostLedger, name, wrong_one)
        found[fault] = prove(folder / fault, {"statements": every}, kinds=("answer",))
        for name, right_one in real.items():
            setattr(PostLedger, name, right_one)
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main()))
