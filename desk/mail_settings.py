"""The settings of mail: the server that letters are handed to, and the mailbox that is read; and what cannot be meant."""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from desk.errors import SettingsError

Security: TypeAlias = Literal["starttls", "tls", "none"]

_PORTS = {("smtp", "starttls"): 587, ("smtp", "tls"): 465, ("smtp", "none"): 25}
_PORTS |= {("imap", "starttls"): 143, ("imap", "tls"): 993, ("imap", "none"): 143}


class MailboxSection(BaseModel):
    """The mailbox that customers write to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = ""
    """The IMAP server. Empty: no mailbox is read."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """None is the usual one of ``security``."""
    security: Security = "tls"
    username: str = ""
    folder: str = "INBOX"
    """What is read."""
    done_folder: str = ""
    """Where a mail is moved once it is filed. Empty: it stays, marked as seen."""
    authserv_id: str = ""
    """The name by which your own mail server signs its Authentication-Results. Empty: nobody is verified by mail."""
    ca_file: str | None = None
    """Certificates to trust besides none of the machine's own: for a server of your own."""
    max_megabytes: int = Field(default=25, ge=1, le=200)
    """A larger mail is not fetched; a person is told of it."""
    attachments_megabytes: int = Field(default=1000, ge=0)
    """How much the folder of attachments may hold; what comes after that is named and not kept."""
    new_tickets_an_hour: int = Field(default=20, ge=1)
    """From one sender; more is recorded, and a person is called."""
    messages_an_hour: int = Field(default=20, ge=1)
    """On one thread; the same."""


class Connection(BaseModel):
    """One server, as it is connected to."""

    model_config = ConfigDict(frozen=True)

    host: str
    port: int
    security: Security
    username: str
    ca_file: Path | None

    def trust(self) -> ssl.SSLContext | None:
        """What checks the server's certificate and name; None where nothing is encrypted. SettingsError for a file of
        certificates that cannot be used."""
        if self.security == "none":
            return None
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"{self.ca_file}: these certificates cannot be used: {error}. Correct ca_file."
            ) from error


def connection(
    kind: Literal["smtp", "imap"],
    where: str,
    *,
    host: str,
    port: int | None,
    security: Security,
    username: str,
    ca_file: Path | None,
) -> Connection:
    """The server as it is connected to. SettingsError, which begins with ``where``, for what would give words or a
    password to whoever listens, and for a host that is none."""
    if not host or any(c.isspace() or ord(c) < 33 for c in host):
        raise SettingsError(f"{where}.host: {host!r} is no host. Write the name of your {kind.upper()} server.")
    if any(ord(c) < 32 or ord(c) == 127 for c in username):
        raise SettingsError(f"{where}.username: it holds a control character. Correct it.")
    if security == "none" and not _near(host):
        raise SettingsError(
            f'{where}.security: "none" would send every word in clear to {host}. Use "starttls" or "tls"; "none" is for '
            "a server on this very machine (localhost)."
        )
    return Connection(
        host=host, port=port or _PORTS[kind, security], security=security, username=username, ca_file=ca_file
    )


def _near(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
