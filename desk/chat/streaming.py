"""The stream of one conversation: whole things that have left, and how it stands, from where the page left off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from starlette.concurrency import run_in_threadpool

from desk.chat.house import ChatHouse
from desk.chat.reading import line_json, state_json
from ledger.chats import Chat, ChatState
from ledger.errors import Busy

BEAT_SECONDS = 15.0
"""Between two signs of life: shorter than proxies keep silent lines open."""
LOOKING_SECONDS = 1.0
"""The same while the assistant has a message in hand: that its work is over is not an event of its own."""
STREAM_SECONDS = 600.0
"""After which a page opens the stream anew, so that a conversation that became another's is not read on."""


async def stream(house: ChatHouse, chat: Chat, since: int) -> AsyncIterator[str]:
    """Server-sent events from line ``since`` on: ``line`` with its number as id, ``state`` where it changed."""
    clock = asyncio.get_running_loop()
    over = clock.time() + STREAM_SECONDS
    told: dict[str, Any] = {}
    with _seen_off(house, chat, clock), house.streaming(chat.ticket):
        async with house.counter.watch.on(chat.ticket) as happened:
            yield "retry: 2000\n\n"
            beat = -BEAT_SECONDS
            while True:
                happened.clear()
                if clock.time() - beat >= BEAT_SECONDS * 0.9:
                    beat = clock.time()
                    await run_in_threadpool(house.here, chat)
                try:
                    shown = await run_in_threadpool(house.shown, chat)
                except Busy:
                    await asyncio.sleep(LOOKING_SECONDS)
                    continue
                for line in shown.lines[since:]:
                    yield _event("line", line_json(line), line.number)
                since = max(since, len(shown.lines))
                if (state := state_json(shown)) != told:
                    told = state
                    yield _event("state", state)
                else:
                    yield ": here\n\n"
                if house.counter.watch.over or clock.time() > over:
                    return
                looking = shown.state is ChatState.LOOKING
                await _until(happened, LOOKING_SECONDS if looking else BEAT_SECONDS)


@contextmanager
def _seen_off(house: ChatHouse, chat: Chat, clock: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Keeps that the customer's page was closed; nobody waits for it, least of all a line that was cut."""
    try:
        yield
    finally:
        with suppress(RuntimeError):  # the server ends: what was kept runs out by itself
            clock.run_in_executor(None, house.left, chat)


async def _until(happened: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(happened.wait(), seconds)
    except TimeoutError:
        return


def _event(kind: str, told: dict[str, Any], number: int | None = None) -> str:
    # JSON holds no line break, so no text of a stranger's can begin an event of its own.
    said = json.dumps(told, ensure_ascii=True, separators=(",", ":"))
    return (f"id: {number}\n" if number is not None else "") + f"event: {kind}\ndata: {said}\n\n"
