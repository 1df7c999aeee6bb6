"""A desk that is served on this machine, with people who work at it, and a real browser to work in."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import uvicorn
from one_playwright import playwright
from playwright.sync_api import Browser, BrowserContext, Page

from desk.accounts.people import Role
from desk.accounts.signing_in import start_session
from desk.app import create_app
from desk.channels.eml import EmlChannel
from desk.counter import Counter
from desk.security import COOKIE
from desk.settings import load_settings
from desk.workplace import Workplace, open_workplace
from ledger.intake import IncomingMessage
from ledger.packets.packet import AssistedPacket, Draft
from ledger.reviews import Review
from ledger.worker import WorkerLedger

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-lcd-text")
PATIENCE = 120.0
"""Seconds; a shared machine is slow at times."""

REFUND = "We bought 40 extra seats by mistake last week. Please refund them: nobody has used them."
TALK = "Hi team, could one of you give a talk at our staff day in May? We are on Team and pay yearly. Thanks, Hazel"
"""Lane 2: an agent answers, with a draft."""
WRITER = {
    "requester_email": "hazel@maplefinch.example",
    "recipient": "hazel@maplefinch.example",
    "requester_name": "Hazel",
}
"""Who asks for it."""


def waits(until: Callable[[], bool], what: str = "it", seconds: float = PATIENCE) -> None:
    """Until it is so."""
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(0.05)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@dataclass
class ServedDesk:
    """The whole counter over the made-up company, served in a thread of this process."""

    folder: Path
    posts: bool = True
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.place: Workplace = open_workplace(load_settings(self.folder, {}), {})
        self.counter = Counter(self.place)
        people = self.counter.accounts
        if not people.all():
            people.add("Hazel Lead", "hazel@desk.example", None, [Role.LEAD])
            people.add("Marek", "marek@desk.example", None, [Role.AGENT])
            people.add("Oona", "oona@desk.example", None, [Role.SPECIALIST])
            people.add("Aud", "aud@desk.example", None, [Role.AUDITOR])

    @property
    def url(self) -> str:
        """Where it is served."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def letters(self) -> list[Path]:
        """What has left."""
        return sorted((self.folder / "letters").glob("*.eml"))

    def start(self) -> None:
        """Serves; returns once it answers."""
        channel = EmlChannel(self.folder / "letters", "support@lanewise.example") if self.posts else None
        app = create_app(self.counter, lambda: channel)
        config = uvicorn.Config(app, "127.0.0.1", self.port, log_level="warning", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        waits(lambda: self._server.started, "the server")
        waits(self.counter.worker.ready.is_set, "the worker")

    def stop(self) -> None:
        """Ends it, as a restart does."""
        self._server.should_exit = True
        self._thread.join(PATIENCE)

    def receive(self, ticket: str, text: str, key: str = "m-1", **more: object) -> None:
        """A customer's mail, filed."""
        values: dict[str, object] = {
            "channel": "email",
            "subject": "A question",
            "requester_email": "ingrid@harrowpell.example",
            "requester_name": "Ingrid Vasko",
            "verified": True,
            "account_id": None,
            "recipient": "ingrid@harrowpell.example",
        }
        self.counter.receive(IncomingMessage(ticket=ticket, key=key, text=text, **{**values, **more}))  # type: ignore[arg-type]

    def asked(self, ticket: str, text: str, key: str = "m-1", **more: object) -> Review:
        """The same, and the review that it led to."""
        self.receive(ticket, text, key, **more)
        waits(lambda: self.place.reviews.of_ticket(ticket) is not None, f"a review of {ticket}")
        waits(lambda: ticket not in self.counter.worker.busy, f"the end of the run of {ticket}")
        found = self.place.reviews.of_ticket(ticket)
        assert found is not None
        return found

    def signed_in(self, context: BrowserContext, name: str) -> Page:
        """A page of somebody who is signed in."""
        token = start_session(self.counter.accounts, name)
        context.add_cookies([{"name": COOKIE, "value": token, "url": self.url}])
        return context.new_page()


@contextmanager
def served_desk(folder: Path, posts: bool = True) -> Iterator[ServedDesk]:
    """A desk that is served while the block runs."""
    desk = ServedDesk(folder, posts)
    desk.start()
    try:
        yield desk
    finally:
        desk.stop()
        desk.place.store.close()


@contextmanager
def a_browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    browser = playwright().chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
    try:
        yield browser
    finally:
        browser.close()


def open_desk(page: Page, desk: ServedDesk, ticket: str = "") -> None:
    """Loads the desk, and waits until its script is there."""
    page.goto(f"{desk.url}/desk" + (f"?ticket={ticket}" if ticket else ""))
    page.wait_for_selector("html[data-ready=yes]", state="attached")


def finished_draft(desk: ServedDesk, ticket: str, words: str) -> None:
    """Puts a draft without places to fill in into the ticket's open review of lane 2, as a run would."""
    review = desk.place.reviews.of_ticket(ticket)
    assert review is not None and isinstance(review.packet, AssistedPacket), "no draft can stand in that review"
    packet = replace(review.packet, draft=Draft(words))
    WorkerLedger(desk.place.store).open_review(packet, key=f"finished/{review.revision}")
