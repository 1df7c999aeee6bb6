"""The channel that hands mail to a server by SMTP: over TLS, once for a reply key, and honest about what it cannot know."""

from __future__ import annotations

import hashlib
import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic, sleep

from desk.channels.address import mail_address
from desk.channels.credential import ChannelCredential
from desk.channels.eml import Head, compose
from desk.channels.journal import Begun, Journal
from desk.channels.message_ids import MessageIds
from desk.errors import Rejected

ALTOGETHER_SECONDS = 90.0
"""The longest that one letter may take; a post room calls a letter unknown that is in hand for two minutes."""
PAUSES = (1.0, 3.0)
"""Seconds before each further attempt, where the server could not be reached or put us off before the letter began."""
_ENHANCED = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b")


class InDoubt(Exception):
    """The letter was begun, and nobody said what became of it."""


@dataclass(frozen=True, slots=True)
class Server:
    """Where letters are handed in."""

    host: str
    port: int
    security: str
    """``starttls``, ``tls``, or ``none`` for a server on this very machine."""
    username: str = ""
    """Empty for a server that asks for none."""
    trust: ssl.SSLContext | None = None
    """None where ``security`` is ``none``; else certificate and name are checked by it."""
    seconds: float = ALTOGETHER_SECONDS


class SmtpChannel:
    """Hands letters to one server, at most one for a reply key."""

    name = "smtp"

    def __init__(
        self,
        server: Server,
        sender: str,
        ids: MessageIds,
        journal: Journal,
        *,
        credential: ChannelCredential | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        pauses: tuple[float, ...] = PAUSES,
    ) -> None:
        """``sender`` must be a plain address (ValueError); with a username there must be a credential (ValueError)."""
        if server.username and credential is None:
            raise ValueError("a server that asks for a username needs a credential")
        self._server = server
        self._sender = mail_address(sender)
        self._ids = ids
        self._journal = journal
        self._credential = credential
        self._clock = clock
        self._pauses = pauses

    def deliver(self, reply_key: str, *, recipient: str, subject: str, body: str, headers: Mapping[str, str]) -> str:
        """Hands the letter in and returns its Message-ID, once the server has taken it over.

        A key that was delivered before hands in nothing and returns the same id. ``Rejected`` where nothing can have
        left: it cannot be written as mail, the server was not reached, is not who it should be, or refused sender,
        recipient or letter. Any other error, ``InDoubt`` among them, means that the letter itself was begun and that no
        answer to it came, now or the time before.
        """
        message_id = self._ids.of(reply_key, self._sender.partition("@")[2])
        try:
            to = mail_address(recipient)
        except ValueError as error:
            raise Rejected("the recipient is not one plain e-mail address") from error
        raw = compose(Head(message_id, self._clock(), self._sender, to, subject, headers), body)
        letter = hashlib.sha256("\n".join((to, body)).encode()).hexdigest()
        match self._known(reply_key, letter):
            case Begun.NOT:
                self._hand_in(reply_key, letter, to, raw)
            case Begun.IN_DOUBT:
                raise InDoubt("this letter was begun before, and nobody knows what became of it")
            case Begun.ANOTHER:
                raise Rejected("another letter was begun under this reply key before")
            case Begun.DONE:
                pass
        return message_id

    def _hand_in(self, reply_key: str, letter: str, to: str, raw: bytes) -> None:
        until = monotonic() + self._server.seconds
        for pause in (*self._pauses, None):
            try:
                with self._session(until) as session:
                    self._envelope(session, to)
                    self._data(session, reply_key, letter, raw)
                return
            except _PutOff as error:
                if pause is None or monotonic() + pause >= until:
                    raise Rejected(str(error)) from error
                sleep(pause)

    @contextmanager
    def _session(self, until: float) -> Iterator[smtplib.SMTP]:
        """A greeted, checked and logged-in session, cut off when the time is over, whatever it is doing then."""
        session = self._connected(max(1.0, until - monotonic()))
        cut = threading.Timer(max(0.1, until - monotonic()), _cut, [session])
        cut.daemon = True
        cut.start()
        try:
            self._greet(session)
            yield session
            if session.sock is not None:
                session.sock.settimeout(2.0)
            with suppress(OSError, smtplib.SMTPException):  # the letter was taken over: a rude goodbye changes nothing
                session.quit()
        finally:
            cut.cancel()
            session.close()

    def _connected(self, seconds: float) -> smtplib.SMTP:
        server, patience = self._server, min(30.0, seconds)
        with _before_the_letter("connection"):
            if server.security == "tls":
                return smtplib.SMTP_SSL(server.host, server.port, timeout=patience, context=server.trust)
            return smtplib.SMTP(server.host, server.port, timeout=patience)

    def _greet(self, session: smtplib.SMTP) -> None:
        with _before_the_letter("greeting"):
            session.ehlo_or_helo_if_needed()
        if self._server.security == "starttls":
            with _before_the_letter("STARTTLS"):
                session.starttls(context=self._server.trust)
                session.ehlo_or_helo_if_needed()
        if self._server.username and self._credential is not None:
            with _before_the_letter("log-in"):
                self._credential.log_in(lambda secret: session.login(self._server.username, secret))

    def _envelope(self, session: smtplib.SMTP, to: str) -> None:
        wide = not to.isascii()
        if wide and not session.has_extn("smtputf8"):
            raise Rejected("the server carries no address beyond ASCII (SMTPUTF8)")
        with _before_the_letter("sender"):
            _agreed(session.mail(self._sender, ["SMTPUTF8", "BODY=8BITMIME"] if wide else []), "sender")
        with _before_the_letter("recipient"):
            _agreed(session.rcpt(to), "recipient")

    def _data(self, session: smtplib.SMTP, reply_key: str, letter: str, raw: bytes) -> None:
        try:
            self._journal.begin(reply_key, letter)
        except FileExistsError as error:
            raise InDoubt("another process has just begun this letter") from error
        except OSError as error:
            self._forget(reply_key)
            raise Rejected(f"the journal of letters cannot be written: {error.strerror}") from error
        try:
            code, said = session.data(raw)
        except smtplib.SMTPDataError as error:  # to the word DATA itself: no byte of the letter was asked for
            self._forget(reply_key)
            raise _refused("letter", error.smtp_code, error.smtp_error) from error
        if 200 <= code < 300:
            with suppress(OSError):  # it has left; a mark that stays in doubt keeps a second one from leaving
                self._journal.done(reply_key)
        elif 400 <= code < 600:  # an answer, and it says that the server did not take the letter over
            self._forget(reply_key)
            raise _refused("letter", code, said)
        else:
            raise InDoubt(f"the server answered the letter with {code}, which says neither yes nor no")

    def _forget(self, reply_key: str) -> None:
        with suppress(OSError):  # what stays in doubt is not sent again
            self._journal.forget(reply_key)

    def _known(self, reply_key: str, letter: str) -> Begun:
        try:
            return self._journal.of(reply_key, letter)
        except OSError as error:
            raise Rejected(f"the journal of letters cannot be read: {error.strerror}") from error


class _PutOff(Exception):
    """Nothing has left, and it is worth another attempt."""


@contextmanager
def _before_the_letter(phase: str) -> Iterator[None]:
    """Everything that fails in here is certain: the letter was not begun."""
    try:
        yield
    except smtplib.SMTPResponseException as error:
        raise _refused(phase, error.smtp_code, error.smtp_error) from error
    except ssl.SSLCertVerificationError as error:
        raise Rejected(f"the server is not who it should be: {error.verify_message}") from error
    except smtplib.SMTPNotSupportedError as error:
        raise Rejected(f"the server lacks what the settings ask for (in the {phase}): STARTTLS or a log-in") from error
    except (OSError, smtplib.SMTPException, UnicodeError) as error:
        raise _PutOff(f"the server was lost in the {phase} ({type(error).__name__})") from error


def _agreed(answer: tuple[int, bytes], phase: str) -> None:
    code, said = answer
    if not 200 <= code < 300:
        raise _refused(phase, code, said)


def _refused(phase: str, code: int, said: bytes | str) -> Exception:
    """The refusal, with numbers alone: a server's words may quote the address or the letter."""
    text = said.decode("ascii", "replace") if isinstance(said, bytes) else said
    more = found.group() if (found := _ENHANCED.search(text)) else ""
    told = f"the server refused the {phase}: {code} {more}".rstrip()
    # Before the letter, "not now" may be asked again; a letter that was read and put off is left to a person.
    return _PutOff(told) if 400 <= code < 500 and phase != "letter" else Rejected(told)


def _cut(session: smtplib.SMTP) -> None:
    if (held := session.sock) is not None:
        with suppress(OSError):
            held.shutdown(socket.SHUT_RDWR)
