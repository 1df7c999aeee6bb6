"""The post room as a process of its own: it sends what comes, beside others, and is closed with the letter sent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from desk_house import TICKET, Clock, House

from desk.records import Records, read_release
from desk.settings import FILE_NAME, Settings, load_settings
from desk.staying import IN_HAND, stay
from guards.gate import Piece
from ledger.errors import StoreBroken, StoreBusy
from ledger.outbox import PostLedger
from ledger.store import open_store

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0
"""Seconds before a test gives up on a process; a shared machine is slow at times."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A workspace whose letters become files."""
    (tmp_path / FILE_NAME).write_text('[channel]\nkind = "eml"\nsender = "help@team.example"\n', encoding="utf-8")
    return load_settings(tmp_path, {})


@pytest.fixture
def desk(settings: Settings) -> Iterator[House]:
    """The ledger of that workspace, with a ticket, under the release that comes with Lanewise."""
    settings.make_ledger_folder()
    clock = Clock()
    store = open_store(settings.ledger_url, clock=clock)
    release = read_release(None)
    house = House(store, clock)
    house.view = replace(house.view, version=release.version)
    house.customer_writes()
    yield house
    store.close()


def staying(desk: House, settings: Settings, until: Callable[[], bool]) -> list[str]:
    """What a room tells that stays in this process until something has come about.

    A signal that comes when the room has closed by itself already meets a handler of ours, not the end of the tests.
    """
    told: list[str] = []
    alive = threading.Event()
    signal.signal(signal.SIGTERM, _nothing_to_stop)

    def watch() -> None:
        deadline = time.monotonic() + PATIENCE
        while not until() and time.monotonic() < deadline and not alive.is_set():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        assert stay(Records(settings, desk.store), desk.channel, told.append, 0.05) == 0
        assert signal.getsignal(signal.SIGTERM) is _nothing_to_stop, "the room put back the handler it found"
    finally:
        alive.set()
        watching.join()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return told


def _nothing_to_stop(*_: object) -> None:
    """The room has closed."""


def test_it_sends_what_comes_while_it_stays_and_says_so(desk: House, settings: Settings) -> None:
    desk.propose("r-1", "first")
    desk.channel.after = lambda: len(desk.channel.letters) == 1 and desk.propose("r-2", "second")
    told = staying(desk, settings, lambda: desk.state("r-1") == "sent" and len(desk.channel.letters) == 2)
    assert [letter["body"] for letter in desk.channel.letters] == ["first", "second"]
    assert told[0].startswith("The post room is open")
    assert sum(line.startswith("sent     answer") for line in told) == 2
    assert told[-1] == "The post room is closed: 2 letters left by it."


def test_a_signal_finishes_the_letter_in_hand_and_begins_no_other(desk: House, settings: Settings) -> None:
    desk.propose("r-1", "first")
    desk.propose("r-2", "second")
    desk.channel.before = lambda: os.kill(os.getpid(), signal.SIGTERM)
    told = staying(desk, settings, lambda: desk.channel.letters != [])
    assert [letter["key"] for letter in desk.channel.letters] == ["r-1"]
    assert (desk.state("r-1"), desk.state("r-2")) == ("sent", "intent")
    assert told[-1] == "The post room is closed: 1 letter left by it."


def test_while_the_release_cannot_be_read_letters_wait_and_it_says_so_once(desk: House, settings: Settings) -> None:
    file = settings.workspace / "policy.toml"
    file.write_text("this is no release", encoding="utf-8")
    desk.propose()
    broken = settings.model_copy(update={"policy": file})
    looks = iter(range(8))
    told = staying(desk, broken, lambda: next(looks, None) is None)
    assert desk.state() == "intent"
    assert sum("Nothing leaves for now" in line for line in told) == 1


def test_a_release_that_was_put_back_by_mistake_sends_nothing_by_itself_here_either(
    desk: House, settings: Settings
) -> None:
    desk.propose("r-1")
    desk.view = replace(desk.view, version="2099-01-01")
    desk.propose("r-2")
    staying(desk, settings, lambda: desk.state("r-2") == "refused")
    assert desk.state("r-1") == "refused"
    assert desk.channel.letters == []


def test_a_busy_ledger_is_tried_again_and_a_broken_one_ends_it(
    desk: House, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.propose()
    real, left = PostLedger.waiting, [2]

    def waiting(self: PostLedger) -> tuple[str, ...]:
        if left[0]:
            left[0] -= 1
            raise StoreBusy("the store stayed locked")
        return real(self)

    monkeypatch.setattr(PostLedger, "waiting", waiting)
    told = staying(desk, settings, lambda: desk.state() == "sent")
    assert sum("Nothing leaves for now" in line for line in told) == 1

    def broken(self: PostLedger) -> tuple[str, ...]:
        raise StoreBroken("the disk is gone")

    monkeypatch.setattr(PostLedger, "waiting", broken)
    with pytest.raises(StoreBroken):
        stay(Records(settings, desk.store), desk.channel, lambda _: None, 0.05)


def test_a_letter_that_a_killed_room_left_becomes_unknown_and_a_working_rooms_does_not(
    desk: House, settings: Settings
) -> None:
    desk.propose()
    desk.post.begin("r-1", desk.view)
    looks = iter(range(5))
    staying(desk, settings, lambda: next(looks, None) is None)
    assert desk.state() == "sending", "somebody may just have it in their hands"
    desk.clock.move(seconds=IN_HAND.total_seconds())
    told = staying(desk, settings, lambda: desk.state() == "unknown")
    assert any(line.startswith("unknown  answer") for line in told)
    assert desk.channel.letters == []


def test_the_process_that_holds_the_channel_loads_no_graph_and_no_model() -> None:
    code = (
        "import sys, desk.staying, desk.post, desk.records, lanewise\n"
        "print([m for m in ('langgraph', 'langchain_core', 'langchain_openai', 'openai', 'agent.graph', 'agent.model', "
        "'agent.wiring') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def _processes(settings: Settings, outputs: list[Path]) -> list[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "lanewise", "post", "--watch", "--every", "0.05", "-w", str(settings.workspace)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "LANEWISE_CHANNEL_SECRET": "made-up-secret"}
    started = []
    for output in outputs:
        with output.open("wb") as stream:
            started.append(subprocess.Popen(command, env=env, stdout=stream, stderr=subprocess.STDOUT))
    return started


def _waits(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not until() and time.monotonic() < deadline:
        time.sleep(0.05)


def test_two_rooms_beside_a_worker_send_each_letter_once_and_close_when_told(desk: House, settings: Settings) -> None:
    for n in range(3):
        desk.propose(f"before-{n}", f"words {n}", piece=Piece.ANSWER)
    outputs = [settings.workspace / "room-1.txt", settings.workspace / "room-2.txt"]
    rooms = _processes(settings, outputs)
    try:
        _waits(lambda: all("The post room is open" in output.read_text() for output in outputs))
        keys = [f"before-{n}" for n in range(3)] + [desk.propose(f"while-{n}", f"words {n}") for n in range(17)]
        _waits(lambda: {desk.state(key) for key in keys} == {"sent"})
        for room, number in zip(rooms, (signal.SIGINT, signal.SIGTERM), strict=True):
            room.send_signal(number)
        codes = [room.wait(timeout=PATIENCE) for room in rooms]
    finally:
        for room in rooms:
            room.kill()
    said = "".join(output.read_text() for output in outputs)
    assert codes == [0, 0], said
    assert {desk.state(key) for key in keys} == {"sent"}
    files = list((settings.workspace / "outbox").glob("*.eml"))
    assert len(files) == len(keys) == 20
    told = [line for line in said.splitlines() if line.startswith("sent ")]
    assert len(told) == 20, "each letter is told by the room that sent it"
    started = [e.head["reply_key"] for e in desk.history.timeline(TICKET) if e.kind == "delivery_started"]
    assert sorted(started) == sorted(keys)
    assert "made-up-secret" not in said
    assert all(b"Lanewise-Seal" in file.read_bytes() for file in files)
