"""HTML mail as text: what a reader sees, and beside it what was there but not shown.

The standard library's parser takes a minute for 200 kB of ``<a href='``; a stranger chooses what we read, so this
reads each character a bounded number of times.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from html import unescape

_LOOKS_LIKE_HTML = re.compile(r"\s*<(?:!doctype|html|body|div|p|span|table|br|meta|head|style)\b[^<]{0,2000}>", re.I)
_UNREAD = frozenset({"script", "style", "title"})
"""Their content is no markup, and nothing a writer would say."""
_UNSHOWN = frozenset({*_UNREAD, "head", "template", "noscript", "svg", "object", "iframe"})
_VOID = frozenset(
    {"br", "hr", "img", "input", "meta", "link", "wbr", "area", "base", "col", "embed", "param", "source"}
)
_BLOCK = frozenset(
    {"p", "div", "br", "hr", "tr", "table", "ul", "ol", "li", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre"}
)
_ZERO = r"(?:\s*[;!]|\s*$)"
_HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all"
    rf"|opacity\s*:\s*0(?:\.0+)?{_ZERO}|font-size\s*:\s*[01](?:\.\d+)?(?:px|pt|em|rem|%)?{_ZERO}"
    rf"|(?:height|width)\s*:\s*0(?:px)?{_ZERO}",
    re.IGNORECASE,
)
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
# Possessive: what a part has taken it does not give back, so that no input is read again and again.
_ATTRIBUTE = re.compile(r"""[\s/]*+([^\s/>=][^\s/>=]*+)(?:\s*+=\s*+("[^"]*+"?|'[^']*+'?|[^\s>]*+))?""")
_DEEPEST = 5
"""Levels of quoting that are shown."""


def looks_like_html(text: str) -> bool:
    """True where a text begins as an HTML document or fragment does."""
    return _LOOKS_LIKE_HTML.match(text) is not None


def html_to_text(html: str) -> tuple[str, str]:
    """``(text, hidden)``: what a reader sees, quotes marked with ``>``, and what was there but not shown."""
    page = _Page()
    for kind, name, value in _pieces(html):
        match kind:
            case "text":
                page.say(unescape(value))
            case "comment":
                page.hide(value)
            case "open":
                page.open(name, value)
            case _:
                page.close(name)
    return page.text(), page.hidden()


def _pieces(html: str) -> Iterator[tuple[str, str, str]]:
    """``(kind, tag, text or attributes)`` in order; a tag that never ends runs to the end."""
    lower = html.lower() if len(html.lower()) == len(html) else html
    at = said = 0
    while (at := html.find("<", at)) >= 0:
        tag = _TAG.match(html, at)
        if tag is None and html[at + 1 : at + 2] not in ("!", "?"):
            at += 1
            continue
        yield "text", "", html[said:at]
        if tag is None:
            end = html.find("-->", at) if html.startswith("<!--", at) else html.find(">", at)
            after = len(html) if end < 0 else end + (3 if html.startswith("<!--", at) else 1)
            if html.startswith("<!--", at):
                yield "comment", "", html[at + 4 : end if end >= 0 else len(html)]
        else:
            name, begin = tag.group(2).lower(), tag.end()
            last = begin
            while attribute := _ATTRIBUTE.match(html, last):
                last = attribute.end()
            end = html.find(">", last)
            after = len(html) if end < 0 else end + 1
            yield "close" if tag.group(1) else "open", name, html[begin:last]
            if name in _UNREAD and not tag.group(1):
                # Nothing in there is markup until its own end.
                after = next((n for n in [lower.find(f"</{name}", after)] if n >= 0), len(html))
        at = said = after
    yield "text", "", html[said:]


class _Page:
    def __init__(self) -> None:
        self._shown: list[str] = []
        self._hidden: list[str] = []
        self._open: list[tuple[str, bool]] = []
        self._named: Counter[str] = Counter()
        self._links: list[str] = []

    @property
    def _unshown(self) -> bool:
        return bool(self._open) and self._open[-1][1]

    def open(self, tag: str, attributes: str) -> None:
        given = _attributes(attributes)
        if tag == "blockquote":
            self._named[tag] += 1
        if tag in _BLOCK:
            self._break()
        if tag in _VOID:
            if tag == "img" and given.get("alt") and not self._unshown:
                self._shown.append(f"[picture: {given['alt']}]")
            return
        hides = tag in _UNSHOWN or "hidden" in given or bool(_HIDING.search(given.get("style", "")))
        self._open.append((tag, hides or self._unshown))
        if tag != "blockquote":
            self._named[tag] += 1
        if tag == "li" and not self._unshown:
            self._shown.append("- ")
        if tag == "a":
            self._links.append(given.get("href", ""))

    def close(self, tag: str) -> None:
        if tag == "a" and self._links:
            link = self._links.pop()
            if link.startswith(("http:", "https:")) and not self._unshown:
                self._shown.append(f" <{link}>")
        if not self._named[tag]:
            return
        # Mail programs leave tags open: closing one closes what was opened inside it.
        while self._open:
            name, _ = self._open.pop()
            self._named[name] -= 1
            if name == tag:
                break
        if tag in _BLOCK:
            self._break()

    def say(self, text: str) -> None:
        if not self._unshown:
            self._shown.append(re.sub(r"\s+", " ", text))
        elif self._open[-1][0] not in _UNREAD:
            self.hide(text)

    def hide(self, text: str) -> None:
        # What mail programs write for each other, <!--[if mso]> and the like, nobody said.
        if text.strip() and not text.lstrip().startswith(("[if", "[endif", "<![endif")):
            self._hidden.append(" ".join(text.split()))

    def _break(self) -> None:
        self._shown.append("\n" + "> " * min(self._named["blockquote"], _DEEPEST))

    def text(self) -> str:
        kept: list[str] = []
        for line in "".join(self._shown).split("\n"):
            bare = line.strip()
            if bare.strip("> ") or (kept and kept[-1]):
                kept.append(bare if bare.strip("> ") else "")
        return "\n".join(kept).strip()

    def hidden(self) -> str:
        return " ".join(self._hidden)


def _attributes(raw: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(raw):
        value = match.group(2) or ""
        found.setdefault(
            match.group(1).lower(),
            unescape(value[1:].removesuffix(value[0]) if value[:1] in "\"'" and value else value),
        )
    return found
