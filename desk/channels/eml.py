"""The channel that writes mail as files: one RFC 5322 ``.eml`` a letter, in a folder a mail relay can pick up."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import secrets
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from desk.channels.address import plain_address
from desk.channels.credential import ChannelCredential
from desk.channels.message_ids import MessageIds, well_formed
from desk.errors import Rejected

SEAL_HEADER = "Lanewise-Seal"
"""Carries the credential's seal over message id, recipient, subject and words, where there is a credential."""
SUBJECT_LIMIT = 150
"""Most characters of a subject; RFC 5322 recommends lines under 78, and clients show even less."""

_ALLOWED_HEADERS = {"Auto-Submitted": frozenset({"auto-generated", "auto-replied"})}
"""The extra headers a caller may set, each with every value it may have (RFC 3834). All others are ours alone."""
_THREADING = frozenset({"In-Reply-To", "References"})
"""Those that hold well-formed Message-IDs and nothing else."""
_MAIL = policy.SMTP.clone(raise_on_defect=False)


class EmlChannel:
    """Writes letters into a folder, at most one file for a reply key, however many processes try."""

    name = "eml"

    def __init__(
        self,
        folder: Path,
        sender: str,
        *,
        credential: ChannelCredential | None = None,
        ids: MessageIds | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``sender`` must be a plain address (ValueError). The folder is created when the first letter is written.
        With ``ids`` a mailbox can tell an answer to the letter from a stranger's mail."""
        self._folder = folder
        self._sender = plain_address(sender)
        self._credential = credential
        self._ids = ids
        self._clock = clock

    def deliver(self, reply_key: str, *, recipient: str, subject: str, body: str, headers: Mapping[str, str]) -> str:
        """Writes the letter and returns its Message-ID. The file is whole or absent, and on disk when this returns.

        A key whose file lies there already writes nothing and returns the same id (once a relay has taken the file,
        it is the ledger's reply key that holds). ``Rejected``: the recipient, a header or the words cannot be
        written as mail, the folder takes no file, or the key's file holds another letter.
        """
        name = hashlib.sha256(reply_key.encode("utf-8", errors="surrogatepass")).hexdigest()
        domain = self._sender.partition("@")[2]
        message_id = self._ids.of(reply_key, domain) if self._ids else f"<{name[:40]}@{domain}>"
        raw = self._letter(message_id, recipient, subject, body, headers)
        target = self._folder / f"{name}.eml"
        if not self._write_new(target, raw):
            _same_letter(target, recipient, body)
        return message_id

    def _write_new(self, target: Path, raw: bytes) -> bool:
        """Writes the file whole, or leaves the one that is there; True where it is ours. On disk when it returns."""
        draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _write_to_disk(draft, raw)
        except OSError as error:
            # No relay reads a draft, so whatever went wrong here, nothing has left.
            _remove(draft)
            raise Rejected(f"{self._folder}: no letter can be written there: {error.strerror}") from error
        try:
            # A link, not a rename: it fails where another process was first, and a reader never sees half a file.
            os.link(draft, target)
        except FileExistsError:
            return False
        finally:
            _remove(draft)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return True

    def _letter(self, message_id: str, recipient: str, subject: str, body: str, headers: Mapping[str, str]) -> bytes:
        try:
            to = plain_address(recipient)
        except ValueError as error:
            raise Rejected("the recipient is not one plain e-mail address") from error
        sealed = None
        if self._credential is not None:
            sealed = self._credential.seal(message_id, to, one_line(subject), body)
        return compose(Head(message_id, self._clock(), self._sender, to, subject, headers, sealed), body)


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above a letter's words."""

    message_id: str
    date: datetime
    sender: str
    recipient: str
    """One checked address, as mail carries it."""
    subject: str
    headers: Mapping[str, str]
    """What the caller adds."""
    seal: str | None = None


def compose(head: Head, body: str) -> bytes:
    """The letter's bytes: RFC 5322, lines ended by CRLF, 7 bits but for an address beyond ASCII. ``Rejected`` for a
    header that a letter may not have, and for words that cannot be written."""
    for header, value in head.headers.items():
        threads = header in _THREADING and all(well_formed(one) for one in value.split(" "))
        if not threads and value not in _ALLOWED_HEADERS.get(header, ()):
            raise Rejected("a header, or its value, is not one that a letter may have")
    message = EmailMessage(policy=_MAIL if head.recipient.isascii() else _MAIL.clone(utf8=True))
    message["Message-ID"] = head.message_id
    message["Date"] = format_datetime(head.date)
    message["From"] = Address(addr_spec=head.sender)
    local, _, domain = head.recipient.rpartition("@")
    message["To"] = Address(username=local, domain=domain)  # the library's own reading of an address knows ASCII only
    message["Subject"] = one_line(head.subject)
    for header, value in head.headers.items():
        if header not in _THREADING:
            message[header] = value
    if head.seal is not None:
        message[SEAL_HEADER] = head.seal
    message["MIME-Version"] = "1.0"
    message["Content-Type"] = "text/plain; charset=utf-8"
    # Written by hand: the library folds a long Message-ID into an encoded word, which no mail program reads as one.
    threading = "".join(f"{h}: " + v.replace(" ", "\r\n ") + "\r\n" for h, v in head.headers.items() if h in _THREADING)
    try:
        return threading.encode("ascii") + _with_words(message, body.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise Rejected("the words hold a lone surrogate, which no mail can carry") from error


def one_line(subject: str) -> str:
    """A subject as one harmless line: no control, format or line-breaking character, no run of spaces, not too long.

    A subject is the customer's own text: it must not be able to start a header, nor to be read backwards.
    """
    plain = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in subject)
    # "=?" would open an encoded word, and what it hides would be read after this check.
    return " ".join(plain.replace("=?", "= ?").split())[:SUBJECT_LIMIT].rstrip()


def words_of(raw: bytes) -> str:
    """The words of a letter that this channel wrote, exactly as they were given to it."""
    message = message_from_bytes(raw, policy=_MAIL)
    payload = message.get_payload(decode=True)
    assert isinstance(payload, bytes)
    if message["Content-Transfer-Encoding"] == "quoted-printable":
        # Written in lines, and mail ends its lines with CRLF whatever the words had.
        payload = payload.replace(b"\r\n", b"\n")
    return payload.decode("utf-8")


def _with_words(message: EmailMessage, words: bytes) -> bytes:
    """The whole letter. Readable (quoted-printable) where that gives the same bytes back, else base64: what is sent
    must be what was approved, to the byte."""
    lined = binascii.b2a_qp(words, istext=True).decode("ascii")
    message["Content-Transfer-Encoding"] = "quoted-printable"
    message.set_payload(lined)
    raw = message.as_bytes()
    if words_of(raw).encode() == words:
        return raw
    message.replace_header("Content-Transfer-Encoding", "base64")
    message.set_payload(base64.encodebytes(words).decode("ascii"))
    return message.as_bytes()


def _write_to_disk(file: Path, raw: bytes) -> None:
    with open(file, "xb") as stream:
        stream.write(raw)
        stream.flush()
        os.fsync(stream.fileno())


def _remove(file: Path) -> None:
    with contextlib.suppress(OSError):
        file.unlink()


def _same_letter(target: Path, recipient: str, body: str) -> None:
    """Returns where the key's file holds this letter; Rejected where it holds another, which must not be replaced."""
    raw = target.read_bytes()
    if message_from_bytes(raw, policy=_MAIL)["To"] != recipient or words_of(raw) != body:
        raise Rejected(f"{target.name} already holds another letter under this reply key")
