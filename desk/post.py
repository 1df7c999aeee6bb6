"""The post room: the only room that holds a channel, and so the only one whose work a customer can see.

Nothing that the graph can reach may import this module.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TextIO

from agent.release_in_force import release_view
from desk.channels import Channel
from desk.channels.console import ConsoleChannel
from desk.channels.credential import ENV_NAME, ChannelCredential
from desk.channels.eml import EmlChannel
from desk.channels.journal import Journal
from desk.channels.message_ids import open_message_ids, well_formed
from desk.channels.smtp import Server, SmtpChannel
from desk.errors import Rejected, SettingsError
from desk.handed_secrets import take_secrets
from desk.settings import Settings
from guards.gate import Piece, Refusal
from guards.policy import Release
from ledger.errors import Busy
from ledger.history import History, TicketRecord
from ledger.letters import Delivery
from ledger.moment import ReleaseView
from ledger.outbox import PostLedger, Sending
from ledger.store import Store

PLAIN_SUBJECT = "Your message to support"
"""Where the ticket's own subject is empty, or was written by nobody we know."""

_log = logging.getLogger("lanewise.post")
_log.addHandler(logging.NullHandler())  # whoever serves decides where it goes; a command tells it in its own words


class PostRoom:
    """Takes each waiting letter to the channel, once, if the ledger still lets it go at that moment."""

    __slots__ = ("_channel", "_history", "_ledger", "_mails", "_owed", "_view")

    def __init__(
        self,
        ledger: PostLedger,
        history: History,
        channel: Channel,
        view: Callable[[], ReleaseView],
        *,
        mails: bool = False,
    ) -> None:
        """``view`` is asked anew for every letter, so that a policy change stops the letters behind it. ``mails`` is True
        where the channel reaches mailboxes: then a person's answer follows a customer who has left the chat."""
        self._ledger = ledger
        self._history = history
        self._channel = channel
        self._view = view
        self._mails = mails
        self._owed: list[Callable[[], None]] = []

    def deliver_waiting(self, ticket: str | None = None, *, stop: Callable[[], bool] = lambda: False) -> list[Delivery]:
        """Delivers every letter that waits, or one ticket's, in the order they were proposed; returns what became of
        each.

        A letter is sent, failed, unknown or refused afterwards; each is in the ledger. One that another post room
        began is left out. ``stop`` is asked before each: the letter in hand is always finished. What ``view`` raises,
        or a store that cannot be used, comes through; the letters that were not begun go on waiting.
        """
        return list(self.each_waiting(ticket, stop=stop))

    def each_waiting(
        self, ticket: str | None = None, *, stop: Callable[[], bool] = lambda: False
    ) -> Iterator[Delivery]:
        """As ``deliver_waiting``, each as it is done: what went before an error is known. Nothing is done unread."""
        self.record_what_is_owed()
        for reply_key in self._ledger.waiting():
            if stop():
                return
            if ticket is None or self._ledger.delivery(reply_key).letter.ticket == ticket:
                delivery = self._deliver(reply_key)
                if delivery is not None:
                    yield delivery

    def recover(self, older_than: timedelta = timedelta(0)) -> list[Delivery]:
        """To be called once when a post room starts: letters that a crash left half-way become unknown.

        No machine sends them again; a person is called for each. ``older_than`` spares the letters that another post
        room may just have in its hands. Returns every letter that is unknown by now, earlier ones too: they are what
        a person has to look at.
        """
        self._ledger.recover(older_than)
        return list(self._ledger.unknowns())

    def _deliver(self, reply_key: str) -> Delivery | None:
        # Read before the letter is begun: an error here leaves it waiting, not half-way.
        ticket = self._history.ticket(self._ledger.delivery(reply_key).letter.ticket)
        threading = threading_for(self._history, ticket.id)
        going = self._ledger.begin(reply_key, self._view(), self._mails)
        if isinstance(going, Refusal):
            return None if going.rule in ("state", "wait") else self._ledger.delivery(reply_key)
        self._record(self._hand_over(going, ticket, threading))
        return self._ledger.delivery(reply_key)

    def _hand_over(self, going: Sending, ticket: TicketRecord, threading: Mapping[str, str]) -> Callable[[], None]:
        """Gives the letter to the channel, once, and returns what is to be recorded of it."""
        try:
            ref = self._channel.deliver(
                going.reply_key,
                recipient=going.to,
                subject=subject_for(ticket),
                body=going.body.decode("utf-8"),
                headers={**headers_for(going.letter.piece), **threading},
            )
        except Rejected as error:
            return partial(self._ledger.failed, going.reply_key, str(error))
        except Exception as error:
            # Whatever it is, the letter may have gone: only Rejected is a promise that it has not. The ledger keeps
            # the error's name alone, since a provider's message may quote the customer and cannot be erased there.
            _log.warning("letter %s: the channel broke; nobody knows whether it left", going.reply_key, exc_info=error)
            return partial(self._ledger.unknown, going.reply_key, type(error).__name__)
        return partial(self._ledger.sent, going.reply_key, ref)

    def _record(self, outcome: Callable[[], None]) -> None:
        try:
            outcome()
        except Busy as error:
            # What we know must not be lost while we live; should we not, ``recover`` makes it unknown.
            _log.warning("the ledger is busy; what became of a letter is recorded later: %s", error)
            self._owed.append(outcome)

    def record_what_is_owed(self) -> None:
        """Tells the ledger what it was too busy to take; what it does not take now is owed on."""
        owed, self._owed = self._owed, []
        for outcome in owed:
            self._record(outcome)


def channel_for(settings: Settings, env: MutableMapping[str, str], stream: TextIO) -> Channel:
    """The channel that the settings name. Takes the channel's secret out of ``env``, whichever channel it is."""
    credential = ChannelCredential.take(env)
    match settings.channel:
        case "eml":
            # Only where answers can come back are Message-IDs needed that nobody can guess.
            ids = open_message_ids(settings.mail_key_file) if settings.imap else None
            return EmlChannel(settings.outbox, settings.sender, credential=credential, ids=ids)
        case "smtp":
            return _smtp_channel(settings, credential)
        case "console":
            return ConsoleChannel(stream)


def _smtp_channel(settings: Settings, credential: ChannelCredential | None) -> SmtpChannel:
    to = settings.smtp
    assert to is not None
    if to.username and credential is None:
        raise SettingsError(
            f"{settings.file}: channel.username is {to.username!r}, and {ENV_NAME} is not in the environment. Set it to "
            "that user's password, or remove the username."
        )
    if credential is not None and not to.username:
        raise SettingsError(
            f"{settings.file}: {ENV_NAME} is set, and there is no channel.username to log in with. Add the one, or unset "
            "the other."
        )
    server = Server(to.host, to.port, to.security, to.username, to.trust())
    journal = Journal(settings.own_folder / "letters")
    return SmtpChannel(
        server, settings.sender, open_message_ids(settings.mail_key_file), journal, credential=credential
    )


def forget_secret(env: MutableMapping[str, str]) -> None:
    """Takes every secret out of the environment of a process that sends nothing, before a graph is built."""
    take_secrets(env)


def letters_into(folder: Path, store: Store, release: Release) -> list[Delivery]:
    """Delivers what waits as ``.eml`` files into a folder; for demonstrations, where no address is real."""
    channel = EmlChannel(folder, "support@lanewise.example")
    room = PostRoom(PostLedger(store), History(store), channel, lambda: release_view(release))
    return room.deliver_waiting()


def subject_for(ticket: TicketRecord) -> str:
    """``Re:`` and the ticket's subject. A subject of somebody unverified is not repeated: with a forged sender our
    answer would carry a stranger's words to a third person."""
    subject = ticket.subject.strip() if ticket.verified else ""
    if not subject:
        return PLAIN_SUBJECT
    return subject if subject[:3].lower() == "re:" else f"Re: {subject}"


def headers_for(piece: Piece) -> Mapping[str, str]:
    """Says of a text that no person wrote it or approved it (RFC 3834), so that no other machine answers it."""
    return {} if piece is Piece.APPROVED else {"Auto-Submitted": "auto-replied"}


def threading_for(history: History, ticket: str) -> Mapping[str, str]:
    """What puts a letter under the customer's last mail (RFC 5322): empty where the thread did not come by mail, and
    where that mail's Message-ID cannot be repeated as it is."""
    mails = [m.message_id for m in history.thread(ticket) if m.message_id]
    ours = [d.provider_ref or "" for d in history.deliveries(ticket)]
    if not mails or not well_formed(mails[-1]):
        return {}
    known = dict.fromkeys([*mails[:1], *ours, *mails[1:]])
    before = [one for one in known if one != mails[-1] and well_formed(one)]
    # The first and the latest, as RFC 5537 shortens it: a thread's header must not grow for ever.
    return {"In-Reply-To": mails[-1], "References": " ".join([*before[:1], *before[1:][-8:], mails[-1]])}
