"""The words of a ticket: bytes become text, what cannot be kept is replaced visibly, and quotes are told apart."""

from __future__ import annotations

import codecs
import re
from datetime import UTC, datetime

from tools.errors import UnreadableFile

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like UTF-16's, so it is tried first
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BINARY = (b"%PDF", b"\x89PNG", b"PK\x03\x04", b"\x1f\x8b", b"\xff\xd8\xff", b"GIF8", b"\x7fELF", b"BZh", b"7z\xbc\xaf")
_CONTROLS = bytes(c for c in range(32) if c not in b"\t\n\r\f\x1b")


def decode(raw: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    """``(text, notes)`` of bytes in whatever encoding. UnreadableFile where they are no text at all."""
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return raw.decode(encoding, errors="replace"), ()
    if is_binary(raw):
        raise UnreadableFile(f"{name} is not text. Export the tickets as CSV, JSON, JSONL, mbox or .eml")
    try:
        return raw.decode("utf-8"), ()
    except UnicodeDecodeError:
        # cp1252 leaves five bytes undefined; they become visible replacement characters.
        return raw.decode("cp1252", errors="replace"), ("it is not UTF-8; read as Windows-1252",)


def is_binary(raw: bytes) -> bool:
    """True for a known binary format, or where more than one byte in twenty, and a few, is a control character."""
    start = raw[:65536]
    if start.startswith(_BINARY):
        return True
    return len(start) - len(start.translate(None, _CONTROLS)) > max(8.0, 0.05 * len(start))


def folded_address(text: str) -> str:
    """An address as it is compared: ASCII in lower case; any other as it is, for folding would make two of them one."""
    return text.lower() if text.isascii() else text


def in_utc_range(read: datetime) -> datetime:
    """The moment with a time zone, UTC where it names none. OverflowError where UTC has no such moment."""
    known = read if read.tzinfo else read.replace(tzinfo=UTC)
    known.astimezone(UTC)
    return known


def clean(text: str) -> str:
    """The text with NUL and lone surrogates, which no store can hold, as visible replacements; the rest as it is."""
    if text.isascii():
        return text.replace("\0", "\u2400")
    return _LONE_SURROGATE.sub("\ufffd", text).replace("\0", "\u2400")


# ── quotes ──────────────────────────────────────────────────────────────────────────────────────────────────

_QUOTED = re.compile(r"^\s*>")
_INTRODUCED = re.compile(r"^\s*(?:on|am|le|el)\b.{4,200}\b(?:wrote|schrieb|a écrit|escribió)\s*:\s*$", re.IGNORECASE)
_COPY_BELOW = re.compile(
    r"^\s*-{2,}\s*(?:original message|ursprüngliche nachricht|message d'origine)\s*-{2,}\s*$", re.I
)
_OUTLOOK = re.compile(r"^\s*(?:from|von|de):\s.+$", re.IGNORECASE)
_OUTLOOK_NEXT = re.compile(r"^\s*(?:sent|gesendet|envoyé|date|to|an):\s.+$", re.IGNORECASE)


def mark_quotes(text: str) -> str:
    """The whole text, with a copied earlier mail marked line by line with ``>``, as mail programs mark it."""
    lines = text.split("\n")
    for n, line in enumerate(lines):
        below = n + 1 < len(lines) and _OUTLOOK.match(line) and _OUTLOOK_NEXT.match(lines[n + 1])
        if _COPY_BELOW.match(line) or below:
            return "\n".join([*lines[:n], *(f"> {copied}" for copied in lines[n:])])
    return text


def own_words(text: str) -> str:
    """What the writer added: the text without quoted lines. A text that is all quotes is taken as it is."""
    kept: list[str] = []
    lines = mark_quotes(text).split("\n")
    for n, line in enumerate(lines):
        introduces = _INTRODUCED.match(line) and any(_QUOTED.match(later) for later in lines[n + 1 : n + 3])
        if not _QUOTED.match(line) and not introduces:
            kept.append(line)
    return "\n".join(kept).strip() or text.strip()
