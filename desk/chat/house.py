"""What every route of the chat works with: the conversations, whose identities count, and how much one may ask for."""

from __future__ import annotations

import re
import secrets
from collections import Counter as Tally
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from sqlalchemy import Connection

from desk.chat.files import MEGABYTE, check_file, keep_file, words_for
from desk.chat.identity import Identity
from desk.chat.refusals import ChatRefused
from desk.counter import Counter
from desk.mailbox.attachments import Attachments
from desk.settings import ChatSection
from ledger.chats import Chat, Chats, Pressure, Shown, Somebody, recipient_of
from ledger.errors import BadMessage, Busy, KeyReused, LedgerError, UnknownTicket
from ledger.intake import IncomingMessage, Received

TEXT_LIMIT = 8_000
"""Most characters of one message."""
STREAMS = 6
"""Pages that one conversation may be open in at once, in one process."""
CONVERSATION_SHARE = 50
"""One conversation may fill this part of ``chat.backlog`` with what waits: with 50, a fiftieth."""
ADDRESS_SHARE = 10
"""All conversations of one address this part."""
WISH = "I would like to talk to a person."
"""What is filed where the customer presses the button for it."""
_CONVERSATION = re.compile(r"chat-[0-9a-f]{32}")


@dataclass(slots=True)
class ChatHouse:
    """The chat over one counter."""

    counter: Counter
    settings: ChatSection
    identities: tuple[Identity, ...] = ()
    trying: Identity | None = None
    """Reads what the page for trying signs; only where the company is made up."""
    chats: Chats = field(init=False)
    _streams: Tally[str] = field(init=False, default_factory=Tally)

    def __post_init__(self) -> None:
        self.chats = Chats(self.counter.place.store)

    def somebody(self, token: str) -> Somebody | None:
        """Who a token vouches for; None without one. ChatRefused."""
        if not token:
            return None
        refused: ChatRefused | None = None
        known = self.identities if self.trying is None else (*self.identities, self.trying)
        for identity in known:
            try:
                return identity.read(token)
            except ChatRefused as error:
                refused = refused or error
        raise refused or ChatRefused(401, "identity", "identities are not set up here: see docs/chat.md")

    def start(self, somebody: Somebody | None, address: str) -> tuple[str, str]:
        """``(conversation, secret)`` of a new conversation. ChatRefused where the address has started too many."""
        conversation, secret = f"chat-{secrets.token_hex(16)}", secrets.token_urlsafe(32)
        if not self.chats.start(conversation, secret, somebody, address, self.settings.conversations_an_hour):
            said = "too many conversations were started from this address; try again later"
            raise ChatRefused(429, "too_many", said, retry_after=600)
        return conversation, secret

    def opened(self, conversation: str, secret: str, token: str) -> Chat:
        """The conversation, for the browser that holds its secret and the person it was begun for. ChatRefused: one
        answer for what is not there and what is another's."""
        found = self.chats.held(conversation, secret) if _CONVERSATION.fullmatch(conversation) and secret else None
        if found is None:
            raise ChatRefused(404, "unknown", "there is no such conversation, or it is not yours")
        somebody = self.somebody(token)
        if found.somebody is not None and somebody is None:
            said = "this conversation belongs to somebody who is signed in; this page did not say who you are"
            raise ChatRefused(401, "identity_needed", said)
        if _same(found.somebody) != _same(somebody):
            said = "this page is signed in as somebody else than this conversation was begun by; a new one is needed"
            raise ChatRefused(409, "other_identity", said)
        return found

    def send_file(self, chat: Chat, key: str, name: str, what: bytes) -> Received:
        """Keeps a file for the person who answers, and files a message that names it: what is in it is read by nobody, so
        the assistant does not answer by itself. The same key again is the same file. ChatRefused."""
        settings = self.counter.place.settings
        attachments = Attachments(settings.workspace, settings.mailbox.attachments_megabytes * MEGABYTE)
        found = self.chats.pressure(chat.ticket, key)
        if found is None:  # what is kept under this key stays as it came
            return self._filed(chat, key, words_for(name))
        self._check_flood(found, False)
        check_file(name, what, self.settings.file_megabytes, attachments.held(chat.ticket), attachments.room())
        try:
            kept = keep_file(attachments, chat.ticket, key, name, what)
        except OSError as error:
            raise ChatRefused(409, "no_room", "the file could not be kept; write what is in it") from error
        return self._filed(chat, key, words_for(name), attachments=kept)

    def write(self, chat: Chat, key: str, text: str, *, asks_person: bool = False) -> Received:
        """Files what the customer wrote. Once it returns, nothing is lost; the same key and text again is the same
        message. The first wish for a person is filed whatever else was written. ChatRefused."""
        found = self.chats.pressure(chat.ticket, key)
        if found is not None:
            self._check_flood(found, asks_person)
        return self._filed(chat, key, text, asks_person=asks_person)

    def _filed(
        self, chat: Chat, key: str, text: str, *, asks_person: bool = False, attachments: tuple[str, ...] = ()
    ) -> Received:
        known = chat.somebody
        message = IncomingMessage(
            ticket=chat.ticket,
            key=key,
            channel="chat",
            subject="",
            requester_email=known.email if known else "",
            requester_name=known.name if known else "",
            verified=known is not None,
            account_id=known.account_id if known else None,
            recipient=recipient_of(chat.ticket),
            text=text,
            attachments=attachments,
            asks_person=asks_person,
        )
        try:
            # Asked again where it is filed: of many that come at once each has been let in above.
            return self.counter.receive(message, lambda conn: self._admit(conn, chat.ticket, asks_person))
        except KeyReused as error:
            said = "this key came before with other words; the first ones stand. Send these under a key of their own"
            raise ChatRefused(409, "key_reused", said) from error
        except BadMessage as error:
            raise ChatRefused(400, "bad_message", str(error)) from error

    def close(self, chat: Chat, key: str) -> None:
        """Files that the customer said the matter is settled; once, until something is written. ChatRefused where nothing
        was written yet."""

        def admit(conn: Connection) -> None:
            if self.chats.closed_in(conn, chat.ticket):
                raise _ClosedBefore
            self._admit(conn, chat.ticket, False)

        try:
            with suppress(_ClosedBefore):
                self.counter.close_for_customer(chat.ticket, key, admit)
        except UnknownTicket as error:
            raise ChatRefused(409, "nothing_written", "nothing was written in this conversation yet") from error
        except KeyReused as error:
            raise ChatRefused(
                409, "key_reused", "this key stands for something else; close under one of its own"
            ) from error

    def leave_contact(self, chat: Chat, email: str) -> None:
        """Records where the customer can be reached. ChatRefused where nothing was written yet, or it changes too often."""
        try:
            kept = self.chats.leave_contact(chat.ticket, email)
        except UnknownTicket as error:
            raise ChatRefused(409, "nothing_written", "write your message first; then leave an address") from error
        if not kept:
            said = "the address was changed too often today; the last one stands. Write the new one as a message"
            raise ChatRefused(429, "too_many", said, retry_after=3600)

    def shown(self, chat: Chat) -> Shown:
        """What the customer is shown."""
        return self.chats.shown(chat.ticket)

    def here(self, chat: Chat) -> None:
        """The customer's page is open. A busy ledger is told by the next sign of life."""
        with suppress(Busy):
            self.chats.here(chat.ticket)

    def left(self, chat: Chat) -> None:
        """Their page was closed, where it was the last that was open in this process; one that is open elsewhere says so."""
        if not self._streams[chat.ticket]:
            with suppress(LedgerError):
                self.chats.left(chat.ticket)

    def check_streams(self, conversation: str) -> None:
        """ChatRefused where the conversation is open in too many pages."""
        if self._streams[conversation] >= STREAMS:
            raise ChatRefused(429, "too_many", "this conversation is open in too many pages", retry_after=30)

    @contextmanager
    def streaming(self, conversation: str) -> Iterator[None]:
        """A place for one open page."""
        self._streams[conversation] += 1
        try:
            yield
        finally:
            self._streams[conversation] -= 1
            if not self._streams[conversation]:
                del self._streams[conversation]

    def _admit(self, conn: Connection, conversation: str, asks_person: bool) -> None:
        self._check_flood(self.chats.pressure_in(conn, conversation), asks_person)

    def _check_flood(self, found: Pressure, asks_person: bool) -> None:
        """Counted from the record itself, so that it holds for all processes."""
        limits = self.settings
        if asks_person and not found.wished:
            return
        if found.minute >= limits.messages_a_minute:
            raise ChatRefused(429, "too_many", "that was a lot at once; try again in a moment", retry_after=20)
        if found.day >= limits.messages_a_day:
            said = "this conversation has had all the messages it may have in a day; it goes on tomorrow"
            raise ChatRefused(429, "too_many", said, retry_after=3600)
        mine = max(1, limits.backlog // CONVERSATION_SHARE)
        if found.waiting_here >= mine or found.waiting_from_address >= max(mine, limits.backlog // ADDRESS_SHARE):
            said = "what you wrote is still being read; try again in a moment"
            raise ChatRefused(429, "too_many", said, retry_after=15)
        if found.waiting >= limits.backlog:
            raise ChatRefused(503, "busy", "very many are writing just now; try again in a moment", retry_after=15)


class _ClosedBefore(Exception):
    """The conversation is closed, and nothing was written since."""


def _same(somebody: Somebody | None) -> tuple[str, str] | None:
    return None if somebody is None else (somebody.account_id, somebody.email.lower())
