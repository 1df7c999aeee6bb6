"""One refusal is one record, and what a kill leaves of a finished run is swept up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from agent_scene import AUDIT_LOG, Clock, Scene, open_scene, read_words_as_words

from guards.gate import Refusal
from guards.lanes import Lane
from guards.policy import Release
from ledger.events import Kind


@pytest.fixture(autouse=True)
def _light(monkeypatch: pytest.MonkeyPatch) -> None:
    read_words_as_words(monkeypatch.setattr)


@pytest.fixture
async def scene(tmp_path: Path, release: Release, clock: Clock, empty_ledger: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path, release, clock=clock, empty_ledger=empty_ledger) as made:
        yield made


class AnyWords:
    """Lets every text on to the ledger, whose refusal is looked at here."""

    def refuse(self, piece: object, text: str) -> None:
        """Never."""

    def rests_on(self, piece: object) -> tuple[()]:
        """Nothing that could have changed."""
        return ()


async def threads_of(scene: Scene) -> set[str]:
    saver: Any = scene.handler._saver
    return {found.config["configurable"]["thread_id"] async for found in saver.alist(None)}


async def test_a_text_that_the_ledger_refuses_is_refused_once_in_the_record(scene: Scene) -> None:
    await scene.customer_writes(AUDIT_LOG)
    before = len(scene.events("T-1", Kind.RIGHT_REFUSED))
    briefing = scene.handler._machine.nodes["autonomous"].bound.afunc.briefing  # type: ignore[attr-defined]
    state = {"ticket": "T-1", "seq": scene.register("T-1").revision}
    toolbox = briefing.toolbox(state, Lane.AUTONOMOUS, approved=AnyWords())
    refused = await toolbox.call("send_answer", {"text": "Another text under the same key."})
    assert isinstance(refused, Refusal) and refused.rule == "reply_key"
    assert len(scene.events("T-1", Kind.RIGHT_REFUSED)) == before + 1
    # What the executor itself refuses is recorded by it, as before.
    assert isinstance(await toolbox.call("send_answer", {"words": "x"}), Refusal)
    assert len(scene.events("T-1", Kind.RIGHT_REFUSED)) == before + 2


async def test_what_a_kill_between_handled_and_forgotten_leaves_is_swept_up(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    saver: Any = scene.handler._saver

    async def killed(thread: str) -> None:
        """Never gets there."""

    with monkeypatch.context() as dying:
        dying.setattr(saver, "adelete_thread", killed)
        await scene.customer_writes(AUDIT_LOG)
    assert len(await threads_of(scene)) == 1
    await scene.handler.catch_up()
    assert await threads_of(scene) == set()


async def test_a_run_that_is_not_finished_is_not_swept_up(scene: Scene) -> None:
    received = scene.intake.receive(scene.message(AUDIT_LOG, "T-2", key="m"))
    assert not scene.intake.is_settled("T-2", "m")
    await scene.handler.catch_up()
    assert scene.intake.is_settled("T-2", "m") and received.first
    assert scene.intake.is_settled("nobody", "m")
