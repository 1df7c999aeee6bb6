"""A mailbox on loopback, the mail room that reads it, and mails as strangers and customers write them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

from agent_scene import its_systems
from mail_house import PASSWORD, USER, ImapHouse

from desk.channels.message_ids import MessageIds, open_message_ids
from desk.mailbox.password import MailboxPassword
from desk.mailbox.room import MailRoom
from desk.records import Records
from desk.settings import FILE_NAME, Settings, load_settings
from guards.gate import Letter, Permit, Piece
from ledger.events import Event, Kind
from ledger.history import History, Message
from ledger.intake import IncomingMessage, Intake
from ledger.moment import ReleaseView
from ledger.outbox import PostLedger, Sending
from ledger.reviews import Review, Reviews
from ledger.store import Store
from ledger.words import digest_of
from ledger.worker import WorkerLedger

HAZEL, STRANGER = "hazel@maplefinch.example", "mallory@collector.example"
TRUSTED = "mx.team.example"
PASSED = f"{TRUSTED}; dmarc=pass header.from=maplefinch.example"
ANSWER = "Hello Hazel,\nseats are added under Settings, then Billing, then Seats.\n"
VIEW = ReleaseView("2026-03-01", True, frozenset({"seats_permissions"}), frozenset())


def written(
    text: str = "Where do I add seats?",
    sender: str = HAZEL,
    subject: str = "Seats",
    message_id: str = "one",
    *,
    passed: str = PASSED,
    **headers: str,
) -> EmailMessage:
    """A mail of Hazel's that our own server has authenticated, or of somebody else's."""
    mail = EmailMessage()
    if passed:
        mail["Authentication-Results"] = passed
    mail["From"], mail["To"], mail["Subject"] = sender, USER, subject
    mail["Date"] = "Tue, 10 Mar 2026 09:00:00 +0000"
    if message_id:
        mail["Message-ID"] = message_id if "<" in message_id else f"<{message_id}@maplefinch.example>"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail


@dataclass
class Scene:
    """Mailbox, mail room and ledger."""

    box: ImapHouse
    store: Store
    settings: Settings
    told: list[str] = field(default_factory=list)
    filed: list[IncomingMessage] = field(default_factory=list)
    before: Callable[[IncomingMessage], object] = lambda _: None
    """Runs before a message is filed: raise in it, and it is not."""

    def __post_init__(self) -> None:
        self.history, self.reviews = History(self.store), Reviews(self.store)
        self.post, self.intake = PostLedger(self.store), Intake(self.store)

    @property
    def ids(self) -> MessageIds:
        """Our Message-IDs."""
        return open_message_ids(self.settings.mail_key_file)

    def room(self) -> MailRoom:
        """A mail room as a process has one: with nothing kept from earlier."""
        return MailRoom(
            self.settings,
            Records(self.settings, self.store),
            self.file,
            password=MailboxPassword(PASSWORD),
            accounts=its_systems().accounts,
            tell=self.told.append,
            every=0.05,
        )

    def file(self, message: IncomingMessage) -> None:
        """Files a message."""
        self.before(message)
        self.intake.receive(message)
        self.filed.append(message)

    def read(self, *mails: EmailMessage | bytes) -> list[str]:
        """Lets mails arrive and looks once; what became of each."""
        self.box.put(*(m if isinstance(m, bytes) else m.as_bytes() for m in mails))
        return [done.what for done in self.room().look()]

    def tickets(self) -> tuple[str, ...]:
        """All tickets."""
        return self.history.tickets()

    def thread(self, ticket: str) -> tuple[Message, ...]:
        """The conversation."""
        return self.history.thread(ticket)

    def review(self, ticket: str) -> Review | None:
        """The open question to a person."""
        return self.reviews.of_ticket(ticket)

    def noted(self, ticket: str | None) -> list[Event]:
        """What was recorded and not answered."""
        found = self.history.timeline(ticket) if ticket else self.history.house_timeline()
        return [e for e in found if e.kind is Kind.MAIL_NOTED]

    def answer(self, ticket: str, key: str = "r-1", *, recorded: bool = True) -> str:
        """A letter of ours leaves, and its Message-ID."""
        worker = WorkerLedger(self.store)
        worker.record(ticket, Kind.LANE_ASSIGNED, f"{key}/lane", {"families": ["seats_permissions"]})
        register = worker.open_answer(ticket, worker.register(ticket).revision, 1)
        to = self.history.ticket(ticket).recipient
        letter = Letter(ticket, Piece.ANSWER, digest_of(ANSWER), to, register.epoch, register.revision, VIEW.version)
        assert isinstance(worker.propose(letter, ANSWER, reply_key=key, view=VIEW), Permit)
        assert isinstance(self.post.begin(key, VIEW), Sending)
        message_id = self.ids.of(key, "team.example")
        if recorded:
            self.post.sent(key, message_id)
        return message_id


def workspace(folder: Path, port: int, more: str = "") -> Settings:
    """A workspace whose mailbox is on loopback."""
    text = (
        f'[channel]\nkind = "eml"\nsender = "help@team.example"\n[mailbox]\nhost = "localhost"\nport = {port}\n'
        f'security = "none"\nusername = "{USER}"\nauthserv_id = "{TRUSTED}"\n{more}'
    )
    (folder / FILE_NAME).write_text(text, encoding="utf-8")
    return load_settings(folder, {})
