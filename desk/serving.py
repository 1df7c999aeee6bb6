"""`lanewise serve`: chat, mail, desk and interface in one process, with the worker and the post room inside it."""

from __future__ import annotations

import errno
import logging
import signal
import socket
import threading
import traceback
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI

from desk.app import create_app
from desk.channels import Channel
from desk.counter import Counter
from desk.errors import DeskError
from desk.mailbox.password import MailboxPassword
from desk.mailbox.room import MailRoom
from desk.workplace import Workplace
from ledger.store import open_to_others
from tools.systems import AccountRecord, PersonRecord

Tell = Callable[[str], None]


class _Server(uvicorn.Server):
    """Ends the pages that watch before it waits for them: a stream by itself has no end."""

    def __init__(self, config: uvicorn.Config, counter: Counter) -> None:
        super().__init__(config)
        self._counter = counter

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._counter.watch.stop()
        await super().shutdown(sockets)


def serve(
    place: Workplace, channel: Channel | None, host: str, port: int, tell: Tell, secrets: MutableMapping[str, str]
) -> int:
    """Serves until SIGINT or SIGTERM, then ends what is in hand. Returns 0; 1 where it could not be opened. ``secrets``
    are those that were taken out of the environment; each part is given its own. DeskError where nothing can listen
    there; SettingsError."""
    _tell_of_trouble()
    # Nothing is read, sent or announced by a process that nobody can reach.
    doors = _doors(host, port)
    try:
        return _serve(place, channel, host, doors, tell, secrets)
    finally:
        for door in doors:
            door.close()


def _serve(
    place: Workplace,
    channel: Channel | None,
    host: str,
    doors: list[socket.socket],
    tell: Tell,
    secrets: MutableMapping[str, str],
) -> int:
    port = doors[0].getsockname()[1]
    counter = Counter(place)
    over = threading.Event()
    mail_password = MailboxPassword.take(secrets)
    app = create_app(counter, lambda: channel, secrets)
    mail = _mail_room(counter, mail_password, tell, over)
    tell(f"Lanewise serves http://{host}:{port} (answered by: {place.mode}). Stop it by Ctrl-C.")
    if place.settings.company is None:
        tell(f"Try the chat as a customer of the made-up company: http://{host}:{port}/try")
    if not counter.accounts.all():
        tell("Nobody may work at the desk yet: make a user with `lanewise user add NAME --role lead`.")
    file = place.settings.ledger_file
    if file is not None and (loose := open_to_others(file)) is not None:
        tell(f"Warning: {loose}.")
    if channel is None:
        tell("No post room in this process: letters wait for `lanewise post --watch`.")
    server = _Server(_config(app, host, port), counter)
    try:
        with _ending_in_peace():
            server.run(doors)
    finally:
        over.set()
        if mail is not None:
            mail.join(30)
    return 0 if server.started else 1


def _config(app: FastAPI, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        log_config=None,  # its own way of telling prints an error's words and all that led to it
        server_header=False,
        timeout_keep_alive=75,  # longer than browsers and proxies hold a line that is idle: they close it, and never mid-call
        timeout_graceful_shutdown=10,
    )


@contextmanager
def _ending_in_peace() -> Iterator[None]:
    """The server ends on a signal and then raises it anew, for whoever ran it; unheard here, it would end the process
    before the ledger is closed and anchored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _doors(host: str, port: int) -> list[socket.socket]:
    """Listens at every address of the host: whoever calls from now on waits until they are served. DeskError."""
    doors: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, address in dict.fromkeys((f, a) for f, _, _, _, a in found):
            door = socket.socket(family, socket.SOCK_STREAM)
            doors.append(door)
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            # Where any port will do, each address gets the one that the first was given.
            door.bind((address[0], port or doors[0].getsockname()[1], *address[2:]))
            door.listen(2048)
    except OSError as error:
        for door in doors:
            door.close()
        raise DeskError(_why_not(host, port, error)) from error
    return doors


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use: another process serves there. Stop it, or name another with --port."
    why = error.strerror or type(error).__name__
    return f"nothing can listen at {host}, port {port} ({why}). Name another with --host and --port."


class _Plain(logging.Formatter):
    """One line a trouble, with the error's name and not its words: they may quote a customer or a provider."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The first line: what an event loop adds below it quotes the error."""
        record.message = record.message.strip().partition("\n")[0]
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        """The error's name, and where it was raised."""
        kind, _, trace = ei
        raised = traceback.extract_tb(trace)[-1:] if trace else []
        return f"{kind.__name__ if kind else 'error'}{''.join(f' at {f.name}, line {f.lineno}' for f in raised)}"


def _tell_of_trouble() -> None:
    """Sends what our own parts and the server's warn of to standard error; without it a thread's trouble would be seen by
    nobody."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Plain())
    for name in ("desk", "agent", "ledger", "lanewise", "uvicorn", "asyncio"):
        ours = logging.getLogger(name)
        if not any(isinstance(h.formatter, _Plain) for h in ours.handlers):
            ours.addHandler(handler)


class _AccountsNow:
    """The accounts as the company's files have them by now: the mail room runs for longer than files stand."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    async def account(self, account_id: str) -> AccountRecord | None:
        return await self._counter.place.systems.accounts.account(account_id)

    async def account_of_domain(self, domain: str) -> AccountRecord | None:
        return await self._counter.place.systems.accounts.account_of_domain(domain)

    async def person(self, email: str) -> PersonRecord | None:
        return await self._counter.place.systems.accounts.person(email)


def _mail_room(
    counter: Counter, password: MailboxPassword | None, tell: Tell, over: threading.Event
) -> threading.Thread | None:
    """Reads the mailbox beside it, where one is named: each mail is filed as any message is. SettingsError."""
    settings = counter.place.settings
    if settings.imap is None:
        return None
    known = _AccountsNow(counter)
    room = MailRoom(settings, counter.place, counter.receive, password=password, accounts=known, tell=tell)
    thread = threading.Thread(target=room.run, args=(over,), name="lanewise-mail", daemon=True)
    thread.start()
    counter.beside.append(thread)
    tell(f"Mail is read from {settings.imap.host}.")
    return thread
