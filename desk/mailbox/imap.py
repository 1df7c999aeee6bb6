"""The mailbox as it is reached by IMAP: what is to be read, each mail's bytes, and the mark that it was read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from imapclient import SEEN, IMAPClient, SocketTimeout  # type: ignore[import-untyped]
from imapclient.exceptions import IMAPClientError, LoginError  # type: ignore[import-untyped]

from desk.errors import DeskError
from desk.mail_settings import Connection
from desk.mailbox.password import MailboxPassword

CONNECT_SECONDS, READ_SECONDS = 15.0, 60.0


class MailboxUnreachable(DeskError):
    """The mailbox cannot be read now: the message says where and why; nothing in it was touched."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One mail that is to be read."""

    uid: int
    size: int
    """Bytes, as the server tells it."""
    at: datetime | None
    """When the server received it."""


class Mailbox:
    """One opened folder."""

    def __init__(self, client: IMAPClient, done_folder: str) -> None:
        """``client`` is logged in and has selected the folder."""
        self._client = client
        self._done = done_folder

    def waiting(self, most: int) -> list[Waiting]:
        """What is to be read, oldest first and at most so many: the unseen mails, or where read ones are moved away, all
        that is there. MailboxUnreachable."""
        with _reached():
            uids = self._client.search("UNDELETED" if self._done else "UNSEEN")
            uids = sorted(uids)[:most]
            told = self._client.fetch(uids, ["RFC822.SIZE", "INTERNALDATE"]) if uids else {}
        return [
            Waiting(uid, int(said.get(b"RFC822.SIZE", 0)), _utc(said.get(b"INTERNALDATE")))
            for uid, said in sorted(told.items())
        ]

    def fetch(self, uid: int, most: int | None = None) -> bytes | None:
        """A mail's bytes, or its first ``most``, without marking it; None where it is gone. MailboxUnreachable."""
        asked = "BODY.PEEK[]" if most is None else f"BODY.PEEK[]<0.{most}>"
        with _reached():
            told = self._client.fetch([uid], [asked]).get(uid, {})
        return next((v for k, v in told.items() if k.startswith(b"BODY[]") and isinstance(v, bytes)), None)

    def done(self, uid: int) -> None:
        """Marks a mail as read, and moves it where that is wanted. MailboxUnreachable: it will be read again then, and
        is known by its key."""
        with _reached():
            self._client.add_flags([uid], [SEEN], silent=True)
            if not self._done:
                return
            if self._client.has_capability("MOVE"):
                self._client.move([uid], self._done)
            else:
                self._client.copy([uid], self._done)
                self._client.delete_messages([uid], silent=True)
                # Without UIDPLUS a person's own deletions would be carried out with it: then it is only marked.
                if self._client.has_capability("UIDPLUS"):
                    self._client.uid_expunge([uid])


@contextmanager
def open_mailbox(to: Connection, password: MailboxPassword, folder: str, done_folder: str) -> Iterator[Mailbox]:
    """The mailbox, logged in, with its folder selected; ``done_folder`` is created where it is not there.
    MailboxUnreachable says what is wrong; a server's certificate and name are always checked."""
    with _reached(f"{to.host}:{to.port}"):
        patience = SocketTimeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        tls = to.security == "tls"
        client = IMAPClient(to.host, to.port, ssl=tls, ssl_context=to.trust() if tls else None, timeout=patience)
    try:
        with _reached(f"{to.host}:{to.port}"):
            client.normalise_times = False
            if to.security == "starttls":
                client.starttls(to.trust())
            password.log_in(lambda secret: client.login(to.username, secret))
            client.select_folder(folder)
            if done_folder and not client.folder_exists(done_folder):
                client.create_folder(done_folder)
        yield Mailbox(client, done_folder)
    finally:
        with suppress(Exception):  # what was marked is marked
            client.logout()


@contextmanager
def _reached(where: str = "") -> Iterator[None]:
    at = f"the mailbox at {where}" if where else "the mailbox"
    try:
        yield
    except LoginError as error:
        raise MailboxUnreachable(f"{at} does not let us in: correct mailbox.username or its password") from error
    except (IMAPClientError, OSError, ValueError, UnicodeError) as error:
        raise MailboxUnreachable(f"{at} cannot be read: {type(error).__name__}: {str(error)[:200]}") from error


def _utc(moment: object) -> datetime | None:
    return moment.astimezone(UTC) if isinstance(moment, datetime) and moment.tzinfo else None
