"""The Message-IDs of our letters: made of the reply key under a key of our own, so that nobody can guess one."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

from desk.errors import SettingsError

_OURS = re.compile(r"<lanewise\.[0-9a-f]{40}@[A-Za-z0-9.-]{1,253}>\Z")
_SHAPE = re.compile(r"<[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9.:_\[\]-]+>\Z")
LONGEST = 250
"""Most characters of a Message-ID that we repeat: it has to stand on one line."""


class MessageIds:
    """Makes and knows our own Message-IDs. Whoever has one was sent the letter, or was given it by somebody who was."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        """ValueError for a key that could be guessed."""
        if len(key) < 32:
            raise ValueError("the key of Message-IDs needs at least 32 bytes")
        self._key = key

    def of(self, reply_key: str, domain: str) -> str:
        """The Message-ID of the letter under a reply key: the same whenever it is asked."""
        return f"<lanewise.{self.mac('letter', reply_key)[:40]}@{domain}>"

    def is_of(self, message_id: str, reply_key: str) -> bool:
        """Whether that is the Message-ID of that letter, whatever domain it was sent from."""
        domain = message_id.rpartition("@")[2].rstrip(">")
        return hmac.compare_digest(message_id.encode("utf-8", "replace"), self.of(reply_key, domain).encode())

    def mac(self, what: str, *parts: str) -> str:
        """HMAC-SHA256 over the parts, hex; ``what`` keeps its uses apart."""
        told = b"".join(hashlib.sha256(p.encode("utf-8", errors="surrogatepass")).digest() for p in (what, *parts))
        return hmac.new(self._key, told, hashlib.sha256).hexdigest()

    def __repr__(self) -> str:
        """Never the key."""
        return "MessageIds(…)"


def looks_ours(message_id: str) -> bool:
    """Whether it has our form; only ``is_of`` says that it is ours."""
    return _OURS.match(message_id) is not None


def well_formed(message_id: str) -> bool:
    """Whether it can be repeated in a header as it is: ``<left@right>`` in plain ASCII, and not too long."""
    return len(message_id) <= LONGEST and _SHAPE.match(message_id) is not None


def open_message_ids(key_file: Path) -> MessageIds:
    """The maker of Message-IDs with the workspace's key, which is made where there is none yet. SettingsError where it
    can be neither read nor written."""
    try:
        if not key_file.exists():
            _make(key_file)
        return MessageIds(bytes.fromhex(key_file.read_text(encoding="ascii").strip()))
    except OSError as error:
        raise SettingsError(
            f"{key_file}: the key of our Message-IDs can be neither read nor made: {error.strerror or error}. Check the "
            "permissions of its folder."
        ) from error
    except ValueError as error:
        raise SettingsError(
            f"{key_file}: this is no key of Message-IDs. Remove the file, and a new one is made; replies to letters sent "
            "before then open tickets of their own."
        ) from error


def _make(key_file: Path) -> None:
    key_file.parent.mkdir(parents=True, exist_ok=True)
    draft = key_file.with_name(f".{key_file.name}.{secrets.token_hex(8)}")
    with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii") as stream:
        stream.write(f"{secrets.token_hex(32)}\n")
        stream.flush()
        os.fsync(stream.fileno())
    try:
        os.link(draft, key_file)  # where two are first at once, both read the one that won
    except FileExistsError:
        pass
    finally:
        draft.unlink()
