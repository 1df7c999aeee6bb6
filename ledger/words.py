"""How a text is kept: as it came, but for the two things no database can hold; and its digest."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

OPEN_PLACE = re.compile(r"\[Agent:[^\]]*\]")
"""What the assistant leaves in a draft for a person to decide or fill in."""
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_REPLACEMENT = "\ufffd"
_SYMBOL_FOR_NULL = "\u2400"


def keepable(text: str) -> str:
    """The text, faithfully, with two exceptions: a lone surrogate becomes U+FFFD, and NUL becomes U+2400.

    Neither can be stored: surrogates have no UTF-8 form, and Postgres refuses NUL in text (SQLite's own tools
    cut the text there). Both replacements are visible, so that a reader sees that something stood there.
    Zero-width, right-to-left and other odd characters are kept: hiding them is not the ledger's business.
    """
    if text.isascii():
        return text.replace("\0", _SYMBOL_FOR_NULL)
    return _LONE_SURROGATE.sub(_REPLACEMENT, text).replace("\0", _SYMBOL_FOR_NULL)


def digest_of(text: str | bytes) -> str:
    """SHA-256 of the bytes (of the UTF-8 form, for a ``str``), 64 hex digits."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8", errors="surrogatepass")
    return hashlib.sha256(raw).hexdigest()


def canonical(value: Any) -> str:
    """JSON in one form only: sorted keys, no spaces, ASCII; so that equal values have equal digests.

    ASCII escapes also carry NUL and lone surrogates unharmed. ValueError for NaN and infinities.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def filed_name(name: str, limit: int) -> str:
    """An outsider's name for something (a ticket id, a message id) as we file it: kept, stripped, and where it
    is longer than ``limit`` characters, its beginning and its digest."""
    kept = keepable(name).strip()
    return kept if len(kept) <= limit else f"{kept[: limit - 33]}~{digest_of(kept)[:32]}"


_ADDRESS = re.compile(r"[^\s<>]+@[^\s<>]+")


def outsiders_error(error: str) -> str:
    """What a channel or a system said of its failure, fit for an event's head: at most 200 characters, and no address.

    Such an error often names the customer's address, and a head outlives erasure.
    """
    return _ADDRESS.sub("<address>", keepable(error))[:200]
