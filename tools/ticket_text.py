"""The words of a ticket: bytes become text, what cannot be kept is replaced visibly, and quotes are told apart."""

from __future__ import annotations

import codecs
import re
from html.parser import HTMLParser

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
    """True for a known binary format, or where more than one byte in twenty is a control character."""
    start = raw[:65536]
    if start.startswith(_BINARY):
        return True
    return len(start) - len(start.translate(None, _CONTROLS)) > 0.05 * len(start)


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


# ── HTML ────────────────────────────────────────────────────────────────────────────────────────────────────

_LOOKS_LIKE_HTML = re.compile(r"\s*<(?:!doctype|html|body|div|p|span|table|br|meta|head|style)\b[^<]{0,2000}>", re.I)
_UNSHOWN = frozenset({"script", "style", "head", "title", "template", "noscript", "svg", "object", "iframe"})
_VOID = frozenset(
    {"br", "hr", "img", "input", "meta", "link", "wbr", "area", "base", "col", "embed", "param", "source"}
)
_BLOCK = frozenset(
    {"p", "div", "br", "hr", "tr", "table", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre"}
)
_HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(?:\.0+)?(?:\s*[;!]|\s*$)|mso-hide\s*:\s*all"
    r"|font-size\s*:\s*[01](?:\.\d+)?(?:px|pt|em|rem|%)?(?:\s*[;!]|\s*$)|(?:max-)?(?:height|width)\s*:\s*0(?:px)?(?:\s*[;!]|\s*$)",
    re.IGNORECASE,
)


def looks_like_html(text: str) -> bool:
    """True where a text begins as an HTML document or fragment does."""
    return _LOOKS_LIKE_HTML.match(text) is not None


def html_to_text(html: str) -> tuple[str, str]:
    """``(text, hidden)``: what a reader sees, quotes marked with ``>``, and what was there but not shown."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.text(), reader.hidden()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._shown: list[str] = []
        self._hidden: list[str] = []
        self._open: list[tuple[str, bool]] = []
        self._links: list[str] = []
        self._quotes = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in _BLOCK:
            self._break()
        if tag in _VOID:
            if tag == "img" and given.get("alt") and not self._in_hidden():
                self._shown.append(f"[picture: {given['alt']}]")
            return
        hides = tag in _UNSHOWN or "hidden" in given or bool(_HIDING.search(given.get("style", "")))
        self._open.append((tag, hides or self._in_hidden()))
        if tag == "blockquote":
            self._quotes += 1
        if tag == "li":
            self._shown.append("- ")
        if tag == "a":
            self._links.append(given.get("href", ""))

    def handle_endtag(self, tag: str) -> None:
        # Mail programs leave tags open: closing one closes what was opened inside it.
        at = next((n for n in range(len(self._open) - 1, -1, -1) if self._open[n][0] == tag), None)
        if tag == "a" and self._links:
            link = self._links.pop()
            if link.startswith(("http:", "https:")) and not self._in_hidden():
                self._shown.append(f" <{link}>")
        if at is None:
            return
        if tag in _BLOCK:
            self._break()
        self._quotes -= sum(1 for name, _ in self._open[at:] if name == "blockquote")
        del self._open[at:]

    def handle_data(self, data: str) -> None:
        if not self._in_hidden():
            self._shown.append(re.sub(r"\s+", " ", data))
        elif data.strip() and not self._in("style", "script", "title"):
            self._hidden.append(" ".join(data.split()))

    def handle_comment(self, data: str) -> None:
        if data.strip() and not data.lstrip().startswith("["):
            self._hidden.append(" ".join(data.split()))

    def _in_hidden(self) -> bool:
        return bool(self._open) and self._open[-1][1]

    def _in(self, *tags: str) -> bool:
        return any(name in tags for name, _ in self._open)

    def _break(self) -> None:
        self._shown.append("\n" + "> " * self._quotes)

    def text(self) -> str:
        lines = (line.strip() for line in "".join(self._shown).split("\n"))
        return re.sub(r"\n(?:(?:> ?)*\n){2,}", "\n\n", "\n".join(lines)).strip()

    def hidden(self) -> str:
        return " ".join(self._hidden)
