"""I12: whatever breaks, a customer reads nothing but a released notice, and a person has the ticket or the caller is told."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from agent_scene import (
    AUDIT_LOG,
    DISCOUNT,
    LOCKED_OUT,
    Clock,
    Scene,
    SilentHead,
    open_scene,
    read_words_as_words,
    rules_only,
)
from openai_server import OpenAIServer, Reply, completion, error, openai_server
from sqlalchemy import event

import agent.approved_words
import agent.model
import agent.steps.assign_lane
import guards.wording
from agent import wiring
from agent.assessors.encoder import WEIGHTS
from agent.assessors.text_head import TextHead
from agent.lane_work import autonomous
from agent.model import ModelSettings, Secret
from desk.records import read_release
from desk.settings import load_settings
from desk.workplace import open_workplace
from guards.errors import PolicyError
from guards.policy import Release
from guards.screening import Finding
from ledger import store as store_room
from ledger.adoption import adopt
from ledger.errors import StoreBroken, StoreBusy
from ledger.letters import DeliveryState
from tools.sandbox import SYSTEM_NAMES, SandboxCompany
from tools.toolbox import Done, Refusal, Toolbox

TICKETS = {1: AUDIT_LOG, 2: DISCOUNT, 3: LOCKED_OUT}
"""A ticket for each lane, where nothing breaks."""
OWN_ACCOUNT = "Which plan is our account on?"
"""Routine too, and answered from the account's own record: without it nobody can answer. What only a public article
answers is answered while account systems are away, for nothing of it hangs on them."""
CELLS: set[tuple[str, int]] = set()
"""The cells that were filled in this run."""


@dataclass
class House:
    """What a failure may be put into."""

    folder: Path
    release: Release
    empty_ledger: Path
    patch: pytest.MonkeyPatch
    server: OpenAIServer

    def scene(self, release: Release | None = None, **more: Any) -> AbstractAsyncContextManager[Scene]:
        return open_scene(self.folder, release or rules_only(self.release), empty_ledger=self.empty_ledger, **more)

    def model(self, seconds: float = 5.0) -> ModelSettings:
        return ModelSettings("scripted", self.server.base_url, Secret("key"), timeout_seconds=seconds)


Failure = Callable[[House], AbstractAsyncContextManager[Scene]]


@pytest.fixture
def house(tmp_path: Path, release: Release, empty_ledger: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    read_words_as_words(monkeypatch.setattr)
    monkeypatch.setattr(agent.model, "_RETRY_WAIT_SECONDS", 0.0)
    with openai_server() as server:
        yield House(tmp_path, release, empty_ledger, monkeypatch, server)


def nothing_but_notices(scene: Scene) -> None:
    """Lets everything leave that may, and looks at what did."""
    scene.deliver()
    notices = {n.text for n in scene.release.notice}
    assert [text for text in scene.letters() if text not in notices] == []
    assert len(scene.letters()) <= 1


def a_person_has_it(scene: Scene) -> None:
    """A review is open, with a packet that says what was not done, and nothing waits for a machine."""
    review = scene.review()
    assert review.packet is not None and review.packet.not_done
    assert review.packet.words, "the customer's own words are there"
    assert scene.register().lane >= 2
    assert scene.intake.tickets_with_work() == ()


# ── what a machine can do wrong and go on ───────────────────────────────────────────────────────────────────


def _model(*script: Reply, seconds: float = 5.0) -> Failure:
    @asynccontextmanager
    async def broken(house: House) -> AsyncIterator[Scene]:
        house.server.says(*script)
        async with house.scene(model=house.model(seconds)) as scene:
            yield scene

    return broken


@asynccontextmanager
async def _provider_down(house: House) -> AsyncIterator[Scene]:
    away = ModelSettings("away", "http://127.0.0.1:9/v1", Secret("key"), timeout_seconds=2.0)
    async with house.scene(model=away) as scene:
        yield scene


def _boom(*_: object, **__: object) -> Any:
    raise RuntimeError("broken on purpose")


@asynccontextmanager
async def _screen_crash(house: House) -> AsyncIterator[Scene]:
    def findings(read: str) -> Iterator[Finding]:
        raise RuntimeError("broken on purpose")

    house.patch.setattr(guards.wording, "findings", findings)
    async with house.scene() as scene:
        yield scene


@asynccontextmanager
async def _grounding_crash(house: House) -> AsyncIterator[Scene]:
    house.patch.setattr(agent.approved_words, "ground", _boom)
    async with house.scene() as scene:
        yield scene


@asynccontextmanager
async def _policy_older(house: House) -> AsyncIterator[Scene]:
    newer = rules_only(house.release).model_copy(update={"version": "2026-09-01"})
    async with house.scene(newer) as before:
        await before.customer_writes(AUDIT_LOG, "T-0")
    async with house.scene() as scene:
        yield scene


@asynccontextmanager
async def _unknown_tool(house: House) -> AsyncIterator[Scene]:
    real = Toolbox.call

    async def other(self: Toolbox, name: object, arguments: object) -> Done | Refusal:
        return await real(self, name if name == "release_notice" else f"{name}_at_once", arguments)

    house.patch.setattr(Toolbox, "call", other)
    async with house.scene() as scene:
        yield scene


def _unknown_lane(lane: object) -> Failure:
    @asynccontextmanager
    async def broken(house: House) -> AsyncIterator[Scene]:
        real = agent.steps.assign_lane.assign

        def strange(*args: Any, **more: Any) -> Any:
            return replace(real(*args, **more), lane=lane)

        house.patch.setattr(agent.steps.assign_lane, "assign", strange)
        async with house.scene() as scene:
            yield scene

    return broken


def _systems(seconds: float = 4.0, **faults: frozenset[str]) -> Failure:
    @asynccontextmanager
    async def broken(house: House) -> AsyncIterator[Scene]:
        company = SandboxCompany(**faults)
        async with house.scene(systems=company.systems(), lookup_seconds=seconds) as scene:
            yield scene

    return broken


@asynccontextmanager
async def _knowledge_corrupt(house: House) -> AsyncIterator[Scene]:
    systems = SandboxCompany().systems()

    class Broken:
        async def articles(self, audiences: object) -> Any:
            return ("no article", None, 7)

        article = search = articles

    async with house.scene(systems=replace(systems, knowledge=Broken())) as scene:  # type: ignore[arg-type]
        yield scene


@asynccontextmanager
async def _head_crash(house: House) -> AsyncIterator[Scene]:
    class Broken(SilentHead):
        judge = _boom

    house.patch.setattr(wiring, "text_head", Broken)
    async with house.scene(house.release) as scene:
        yield scene


def _head_broken(how: str) -> Failure:
    @asynccontextmanager
    async def broken(house: House) -> AsyncIterator[Scene]:
        weights = house.folder / "weights"
        weights.mkdir(parents=True)
        if how == "corrupt":
            for file in WEIGHTS.iterdir():
                (weights / file.name).write_bytes(b"not weights at all")
        encoder: Any = None if how == "encoder missing" else SilentHead.encoder
        house.patch.setattr(wiring, "text_head", lambda: TextHead(weights, encoder))
        async with house.scene(house.release) as scene:
            yield scene

    return broken


@asynccontextmanager
async def _clock_back(house: House) -> AsyncIterator[Scene]:
    clock = Clock()
    async with house.scene(clock=clock) as scene:
        clock.forward(days=-900)
        yield scene


@asynccontextmanager
async def _chooser_crash(house: House) -> AsyncIterator[Scene]:
    house.patch.setattr(autonomous, "whole", _boom)
    async with house.scene() as scene:
        yield scene


GOES_ON: dict[str, Failure] = {
    "model timeout": _model(Reply(b"", is_hanging=True), seconds=0.2),
    "model 429": _model(error(429, "rate_limited")),
    "model 500": _model(error(500)),
    "model malformed JSON": _model(completion("{not json")),
    "model unknown value": _model(completion('{"policy_sensitivity": "none at all"}')),
    "model empty": _model(completion("")),
    "model refusal": _model(completion(None, refusal="I cannot help with that.")),
    "model truncated": _model(completion('{"policy_sens', "length")),
    "model hangs up": _model(replace(completion("{}"), is_cut=True)),
    "provider down, embedded stands in": _provider_down,
    "screen crash": _screen_crash,
    "grounding crash": _grounding_crash,
    "chooser crash": _chooser_crash,
    "policy older": _policy_older,
    "unknown tool": _unknown_tool,
    "unknown lane 7": _unknown_lane(7),
    "unknown lane 0": _unknown_lane(0),
    "lookup timeout": _systems(0.05, slow=SYSTEM_NAMES - {"knowledge"}),
    "lookups down": _systems(down=SYSTEM_NAMES - {"knowledge"}),
    "knowledge down": _systems(down=frozenset({"knowledge"})),
    "knowledge corrupt": _knowledge_corrupt,
    "text head crash": _head_crash,
    "text head missing": _head_broken("missing"),
    "text head corrupt": _head_broken("corrupt"),
    "text head without its encoder": _head_broken("encoder missing"),
    "clock going backwards": _clock_back,
}


ON_THE_ACCOUNT = {"lookup timeout", "lookups down"}


@pytest.mark.parametrize("lane", TICKETS)
@pytest.mark.parametrize("failure", GOES_ON)
async def test_the_customer_reads_a_notice_at_most_and_a_person_has_the_ticket(
    failure: str, lane: int, house: House
) -> None:
    async with GOES_ON[failure](house) as scene:
        await scene.customer_writes(OWN_ACCOUNT if lane == 1 and failure in ON_THE_ACCOUNT else TICKETS[lane])
        nothing_but_notices(scene)
        a_person_has_it(scene)
        assert scene.register().lane >= lane
    CELLS.add((failure, lane))


@pytest.mark.parametrize("lane", TICKETS)
@pytest.mark.parametrize("on_account", [False, True])
async def test_where_nothing_breaks_each_ticket_has_its_lane_and_the_routine_one_its_answer(
    lane: int, on_account: bool, house: House
) -> None:
    async with house.scene() as scene:
        result = await scene.customer_writes(OWN_ACCOUNT if on_account and lane == 1 else TICKETS[lane])
        scene.deliver()
        assert result.lane == lane
        assert scene.pieces() == (["answer"] if lane == 1 else ["notice"])
        assert len(scene.letters()) == 1


# ── where the ledger itself is down: nothing is lost, and the caller knows ──────────────────────────────────


@contextlib.contextmanager
def _locked(scene: Scene) -> Iterator[type[Exception]]:
    other = sqlite3.connect(scene.folder / "ledger.sqlite3", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield StoreBusy
    finally:
        other.execute("ROLLBACK")
        other.close()


@contextlib.contextmanager
def _disk_full(scene: Scene) -> Iterator[type[Exception]]:
    """As many pages as there are now, and no free room in any of them."""
    other = sqlite3.connect(scene.folder / "ledger.sqlite3", isolation_level=None)
    other.execute("CREATE TABLE filler (x BLOB)")
    other.execute(f"PRAGMA max_page_count={other.execute('PRAGMA page_count').fetchone()[0]}")
    for size in (3000, 500, 50):
        with contextlib.suppress(sqlite3.OperationalError):
            while True:
                other.execute("INSERT INTO filler VALUES (randomblob(?))", (size,))
    pages = other.execute("PRAGMA page_count").fetchone()[0]
    other.close()
    engine = scene.store._engine

    def cap(conn: Any) -> None:
        conn.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    event.listen(engine, "begin", cap)
    try:
        yield StoreBroken
    finally:
        event.remove(engine, "begin", cap)
        engine.dispose()


STORES = {"database locked": _locked, "disk full": _disk_full}


@pytest.mark.parametrize("lane", TICKETS)
@pytest.mark.parametrize("failure", STORES)
@pytest.mark.parametrize("filed", [False, True], ids=["before it is filed", "after it is filed"])
async def test_a_ledger_that_cannot_write_loses_nothing_and_lets_nothing_leave(
    failure: str, lane: int, filed: bool, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_room, "BUSY_MILLISECONDS", 50)
    async with house.scene() as scene:
        message = scene.message(TICKETS[lane], subject="A subject that takes some room. " * 200)
        if filed:
            scene.intake.receive(message)
        with STORES[failure](scene) as told:
            with pytest.raises(told):
                await scene.handler.handle(message)
            assert scene.letters() == []
        if filed:
            assert scene.intake.tickets_with_work() == ("T-1",)
            await scene.handler.catch_up()
        else:
            await scene.handler.handle(message)
        assert scene.intake.tickets_with_work() == ()
        assert [m.text for m in scene.history.thread("T-1") if m.role == "customer"] == [TICKETS[lane]]
    CELLS.add((f"{failure}, {'after' if filed else 'before'} it is filed", lane))


# ── where there are no rules: nothing begins, and what was filed waits ──────────────────────────────────────


def _missing(file: Path) -> None:
    file.unlink()


def _corrupt(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:900] + b"\xff\xfe = [")


def _contradicting(file: Path) -> None:
    file.write_text(file.read_text().replace('phase = "assisted"', 'phase = "autonomous_everywhere"'))


POLICIES = {"policy missing": _missing, "policy corrupt": _corrupt, "policy outside the law": _contradicting}


@pytest.mark.parametrize("lane", TICKETS)
@pytest.mark.parametrize("failure", POLICIES)
async def test_without_rules_nothing_begins_and_what_was_filed_waits(failure: str, lane: int, house: House) -> None:
    (house.folder / "policies").mkdir(parents=True)
    file = house.folder / "policies" / "rules.toml"
    packaged = Path(guards.wording.__file__).parent / "policies" / "2026-03-01.toml"
    file.write_bytes(packaged.read_bytes())
    (house.folder / "lanewise.toml").write_text('[policy]\nfile = "policies/rules.toml"\n')
    settings = load_settings(house.folder, {})
    assert settings.policy == file
    place = open_workplace(settings, {})
    async with house.scene() as scene:
        message = scene.message(TICKETS[lane])
    async with place.handler() as handler:
        await handler.handle(replace(message, key="first", ticket="T-0"))
        place_intake = handler._intake
        place_intake.receive(message)
    place.store.close()
    POLICIES[failure](file)
    with pytest.raises((PolicyError, OSError, UnicodeError)) as told:
        open_workplace(settings, {})
    assert "rules.toml" in str(told.value) or isinstance(told.value, UnicodeError)
    # Whoever only looks at the ledger finds the message waiting, and no text on its way that was not there before.
    store = store_room.open_store(settings.ledger_url)
    with store.read() as conn:
        waiting = conn.exec_driver_sql("SELECT ticket_id FROM inbox WHERE state = 'waiting'").scalars().all()
        begun = conn.exec_driver_sql("SELECT count(*) FROM outbox WHERE state NOT IN ('intent')").scalar_one()
    store.close()
    assert (list(waiting), begun) == (["T-1"], 0)
    CELLS.add((failure, lane))


# ── an older release, and the way back ──────────────────────────────────────────────────────────────────────


async def test_an_older_release_answers_again_once_a_person_has_put_it_in_force(house: House) -> None:
    async with _policy_older(house) as scene:
        held = await scene.customer_writes(AUDIT_LOG)
        assert held.lane == 2 and held.review is not None
        adopt(scene.store, scene.release.version, scene.release.digest, scene.sign())
    async with house.scene() as scene:
        result = await scene.customer_writes(AUDIT_LOG, "T-2")
        assert result.lane == 1
        assert [d.state for d in scene.deliver() if d.letter.ticket == "T-2"] == [DeliveryState.SENT]


def test_the_packaged_release_can_be_read() -> None:
    assert read_release(None).version


# ── the table ───────────────────────────────────────────────────────────────────────────────────────────────


def test_every_cell_of_the_table_was_filled(shown: Any) -> None:
    rows = {*GOES_ON, *POLICIES, *(f"{store}, {when} it is filed" for store in STORES for when in ("before", "after"))}
    if len(CELLS) < 3 * len(rows):
        pytest.skip("the table is filled by the tests above, and not all of them were run and passed")
    assert {(row, lane) for row in rows for lane in TICKETS} == CELLS
    shown(
        "I12",
        f"{len(rows)} failures x 3 lanes through the real machine",
        f"{len(CELLS)} of {3 * len(rows)} cells: nothing but a notice left; a person has it, or the caller was told",
        "without a failure the routine ticket is answered",
    )
