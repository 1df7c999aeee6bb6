"""Real servers on loopback for the tests of mail: an IMAP server, an SMTP server that can fail, and certificates for both."""

from __future__ import annotations

import argparse
import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from imapclient import IMAPClient
from pymap.backend.dict import DictBackend
from pymap.imap import IMAPService
from pysasl.hashing import BuiltinHash

USER, PASSWORD = "support@team.example", "a made-up password of the mailbox"


class Certificates:
    """A certificate for localhost, and the authority that signed it."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca_file, self.cert, self.key = folder / "ca.pem", folder / "cert.pem", folder / "key.pem"
        issued = authority.issue_cert("localhost")
        authority.cert_pem.write_to_path(self.ca_file)
        issued.private_key_pem.write_to_path(self.key)
        for part in issued.cert_chain_pems:
            part.write_to_path(self.cert, append=True)

    def server(self) -> ssl.SSLContext:
        """What a server shows."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.cert, self.key)
        return context


# ── IMAP ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class ImapHouse:
    """A mailbox on loopback, and a look into it that is not the product's own."""

    port: int

    @contextmanager
    def client(self) -> Iterator[IMAPClient]:
        """A person's own mail program."""
        client = IMAPClient("localhost", self.port, ssl=False)
        client.login(USER, PASSWORD)
        client.select_folder("INBOX")
        try:
            yield client
        finally:
            client.logout()

    def put(self, *mails: bytes) -> None:
        """Mails arrive."""
        with self.client() as client:
            for mail in mails:
                client.append("INBOX", mail)

    def unseen(self, folder: str = "INBOX") -> int:
        """How many are not marked as read."""
        with self.client() as client:
            client.select_folder(folder)
            return len(client.search("UNSEEN"))

    def count(self, folder: str = "INBOX") -> int:
        """How many are there."""
        with self.client() as client:
            client.select_folder(folder)
            return len(client.search("ALL"))

    def mark_unseen(self) -> None:
        """As after a crash between filing and marking."""
        with self.client() as client:
            client.remove_flags(client.search("ALL"), [b"\\Seen"])


@contextmanager
def served(start: Callable[[AsyncExitStack], Awaitable[int]]) -> Iterator[int]:
    """The port of a server that runs in a thread of its own."""
    loop, ready, done = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    found: list[int] = []

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            found.append(await start(stack))
            ready.set()
            await done.wait()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.set_exception_handler(lambda *_: None)  # connections that a test breaks off
        loop.run_until_complete(serve())
        _end(loop)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(60)
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(60)


@contextmanager
def imap_house(certificates: Certificates | None = None) -> Iterator[ImapHouse]:
    """An IMAP server; with certificates it offers STARTTLS, and lets nobody in without."""
    with served(lambda stack: _imap(stack, certificates)) as port:
        yield ImapHouse(port)


async def _imap(stack: AsyncExitStack, certificates: Certificates | None) -> int:
    parser = argparse.ArgumentParser()
    kinds = parser.add_subparsers(dest="backend")
    DictBackend.add_subparser("dict", kinds)
    IMAPService.add_arguments(parser)
    port = free_port()
    words = ["--host", "127.0.0.1", "--port", str(port)]
    if certificates:
        words += ["--cert", str(certificates.cert), "--key", str(certificates.key)]
    else:
        words += ["--no-tls"]
    args = parser.parse_args([*words, "dict", "--demo-user", USER, "--demo-password", PASSWORD])
    args.debug, args.passlib_cfg, args.skip_services, args.proxy_protocol = False, None, [], None
    backend, config = await DictBackend.init(args, hash_context=BuiltinHash(rounds=1), invalid_user_sleep=0.0)
    config.apply_context()
    await backend.start(stack)
    await IMAPService(backend, config).start(stack)
    return port


def _end(loop: asyncio.AbstractEventLoop) -> None:
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.close()


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    import socket

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


# ── SMTP ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class SmtpHouse:
    """What a mail server took, and what it answers where a test wants it to fail."""

    port: int = 0
    taken: list[Envelope] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    phases: list[str] = field(default_factory=list)
    """Every phase that was reached, in order."""
    answers: dict[str, str] = field(default_factory=dict)
    """By phase (``EHLO``, ``MAIL``, ``RCPT``, ``DATA``): the answer in place of a yes; ``hang up`` breaks the connection."""
    once: bool = False
    """An answer is given once, and then all is well."""

    def _said(self, phase: str, server: SMTP) -> str | None:
        self.phases.append(phase)
        said = self.answers.pop(phase, None) if self.once else self.answers.get(phase)
        if said == "hang up":
            assert server.transport is not None
            server.transport.abort()
        return said

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, name: str, responses: list[str]
    ) -> list[str]:
        """The greeting."""
        self.sessions.append(session)
        session.host_name = name
        said = self._said("EHLO", server)
        return [said] if said else responses

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """The sender."""
        if said := self._said("MAIL", server):
            return said
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """The recipient."""
        if said := self._said("RCPT", server):
            return said
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """The whole letter is there. ``hang up`` and a missing answer come after it was taken."""
        said = self._said("DATA", server)
        if said is None or said.startswith(("2", "hang up", "after")):
            self.taken.append(envelope)
        return said or "250 2.0.0 taken"


@contextmanager
def smtp_house(
    certificates: Certificates | None = None,
    *,
    tls: bool = False,
    login: str = "",
    wide: bool = True,
) -> Iterator[SmtpHouse]:
    """An SMTP server in a thread. With certificates it offers STARTTLS, or with ``tls`` speaks TLS from the start; with
    ``login`` it takes only who knows that password."""
    house = SmtpHouse()

    def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and data.password == login.encode()
        return AuthResult(success=right, handled=right)

    context = certificates.server() if certificates else None

    def session() -> SMTP:
        return SMTP(
            house,
            hostname="localhost",
            tls_context=None if tls else context,
            authenticator=authenticate if login else None,
            auth_required=bool(login) and not tls,
            auth_require_tls=not tls,
            enable_SMTPUTF8=wide,
            loop=asyncio.get_running_loop(),
        )

    async def start(stack: AsyncExitStack) -> int:
        made = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0, ssl=context if tls else None)
        stack.callback(made.close)
        return int(made.sockets[0].getsockname()[1])

    with served(start) as port:
        house.port = port
        yield house
