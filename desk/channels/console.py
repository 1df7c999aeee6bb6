"""The channel for trying things out: letters are shown on a terminal instead of leaving."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from typing import TextIO

from desk.channels.address import plain_address
from desk.errors import Rejected


class ConsoleChannel:
    """Shows each letter once on a stream."""

    name = "console"

    def __init__(self, stream: TextIO) -> None:
        """Writes to ``stream``, usually standard output."""
        self._stream = stream
        self._shown: set[str] = set()

    def deliver(self, reply_key: str, *, recipient: str, subject: str, body: str, headers: Mapping[str, str]) -> str:
        """Shows the letter, once a key and process. Control characters are shown as signs: a customer's words must
        not be able to rewrite an operator's screen."""
        try:
            plain_address(recipient)
        except ValueError as error:
            raise Rejected("the recipient is not one plain e-mail address") from error
        if reply_key not in self._shown:
            head = [f"To: {recipient}", f"Subject: {subject}", *(f"{k}: {v}" for k, v in sorted(headers.items()))]
            shown = "\n".join(visible(line.replace("\n", " ")) for line in head)
            # Written as one piece: two letters at once do not run into each other.
            self._stream.write(f"── letter ──\n{shown}\n\n{visible(body)}\n────────────\n")
            self._stream.flush()
            self._shown.add(reply_key)
        return "console:" + hashlib.sha256(reply_key.encode("utf-8", errors="surrogatepass")).hexdigest()[:16]


def visible(text: str) -> str:
    """The text with control and format characters (but not line breaks and tabs) as U+FFFD."""
    return "".join(
        c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") else "\ufffd" for c in text
    )
