"""One mail as it arrives: its headers, its words, and the key under which it is filed once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from email.message import Message
from email.utils import getaddresses

from tools.directory_files import Place
from tools.mail import Mail, read_mail
from tools.mail_bounds import take_apart
from tools.ticket_text import folded_address

LONGEST_TEXT = 200_000
"""Most characters of a mail's words that are filed as a message; of a longer one a person gets the beginning."""
_PLACE = Place("the mail")


@dataclass(frozen=True, slots=True)
class Arrived:
    """One mail, taken apart. All of it is written by a stranger."""

    raw: bytes
    headers: Message
    mail: Mail
    sender: str
    """The one address of its one From header, folded; empty where there is none, or more than one."""
    key: str
    """The same for the same mail, however often and by whatever way it comes; another for any other mail."""

    def values(self, header: str) -> list[str]:
        """A header's values, from the top down."""
        return [str(value) for value in self.headers.get_all(header, [])]


def arrived(raw: bytes) -> Arrived:
    """A mail from its bytes. BadRecord (of ``tools``) where it cannot be taken apart."""
    mail = read_mail(raw, _PLACE)
    headers = take_apart(raw)
    sender = one_sender([str(value) for value in headers.get_all("From", [])])
    date = str(headers.get("Date", ""))
    # By what it says as well as by its Message-ID: a stranger who uses another mail's id must not make that one
    # pass for told already.
    parts = (mail.message_id, sender, date, mail.subject, mail.text, *mail.attachments)
    return Arrived(raw, headers, mail, sender, key_of(*parts))


def key_of(*parts: str | bytes) -> str:
    """A key from what makes a mail the mail it is; personal data does not stand in it."""
    digest = hashlib.sha256()
    for part in parts:
        told = part if isinstance(part, bytes) else part.encode("utf-8", errors="surrogatepass")
        digest.update(hashlib.sha256(told).digest())
    return f"mail-{digest.hexdigest()[:32]}"


def one_sender(headers: list[str]) -> str:
    """The address of a From header as it is on the wire. Read before anything in it is decoded: an encoded name may
    hold what looks like an address."""
    if len(headers) != 1:
        return ""
    found = [address for _, address in getaddresses(headers) if address]
    return folded_address(found[0]) if len(found) == 1 and found[0].count("@") == 1 else ""
