"""The command ``lanewise mail``: reads the mailbox once, or stays; and works on what came."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from agent.handle import Handler
    from desk.mailbox.room import MailRoom
    from desk.workplace import Workplace

mail_app = typer.Typer()


@mail_app.command()
def mail(
    workspace: Annotated[
        Path, typer.Option("--workspace", "-w", help="A folder with lanewise.toml; default: here or above.")
    ] = Path(),
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and read what comes.")] = False,
    every: Annotated[float, typer.Option(help="With --watch: seconds between two looks.", min=0.05, max=3600)] = 30.0,
) -> None:
    """Read the mailbox that [mailbox] names: file what came, work on it, and record what a machine wrote. Sends nothing."""
    import os

    from desk.errors import DeskError
    from desk.face import guarded, tell_now, warn_each
    from desk.handed_secrets import forget_read_secrets, take_secrets
    from desk.mailbox.password import MailboxPassword
    from desk.mailbox.room import MailRoom
    from desk.settings import load_settings
    from desk.workplace import open_workplace
    from ledger.intake import Intake

    closing = ExitStack()

    def work() -> int:
        # First of all: they leave the environment before anything that a model can reach is built.
        password = MailboxPassword.take(take_secrets(os.environ))
        place = open_workplace(load_settings(workspace, os.environ), os.environ)
        closing.callback(place.store.close)
        forget_read_secrets(place.store.keyring, os.environ)
        warn_each(place.rules.notices)
        receive, known = Intake(place.store).receive, place.systems.accounts
        room = MailRoom(place.settings, place, receive, password=password, accounts=known, tell=tell_now, every=every)
        return stay(place, room, tell_now, every) if watch else look_once(place, room, tell_now)

    raise typer.Exit(guarded(work, closing, DeskError))


def look_once(place: Workplace, room: MailRoom, tell: Callable[[str], None]) -> int:
    """One look, and the work on what it brought. Returns 0."""
    looked = list(room.look())
    if not looked:
        tell("No mail waits.")
    worked = asyncio.run(_catch_up(place))
    if worked:
        tell(f"{worked} event{'s' if worked > 1 else ''} worked on by {place.mode}")
    return 0


def stay(place: Workplace, room: MailRoom, tell: Callable[[str], None], every: float) -> int:
    """Looks and works until SIGINT or SIGTERM; what is in hand is finished first. Returns 0."""
    import threading

    from desk.staying import told_to_stop

    with told_to_stop() as stop:
        tell(f"The mail room is open: it looks every {every:g} s. Stop it by SIGINT or SIGTERM.")
        reading = threading.Thread(target=room.run, args=(stop,), name="lanewise-mail")
        reading.start()
        try:
            asyncio.run(_work_until(place, stop, reading, tell))
        finally:
            stop.set()
            reading.join()
    tell("The mail room is closed.")
    return 0


async def _catch_up(place: Workplace) -> int:
    async with place.handler() as handler:
        return (await handler.catch_up()).runs


async def _work_until(
    place: Workplace, stop: threading.Event, reading: threading.Thread, tell: Callable[[str], None]
) -> None:
    from ledger.errors import Busy

    async with place.handler() as handler:
        while not stop.is_set() and reading.is_alive():
            try:
                await _worked(handler, tell)
            except Busy as error:
                tell(f"Nothing is worked on for now: {error}")
            await asyncio.to_thread(stop.wait, 1.0)


async def _worked(handler: Handler, tell: Callable[[str], None]) -> None:
    runs = (await handler.catch_up()).runs
    if runs:
        tell(f"{runs} event{'s' if runs > 1 else ''} worked on")
