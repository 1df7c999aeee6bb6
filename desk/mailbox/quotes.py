"""Leaves out of an answer what it only repeats of its thread; whatever is not there word for word is kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from mailparser_reply import EmailReplyParser  # type: ignore[import-untyped]
from mailparser_reply.constants import MAIL_LANGUAGES  # type: ignore[import-untyped]
from mailparser_reply.parser import EmailMessage  # type: ignore[import-untyped]

_QUOTED = re.compile(r"^\s*>")
_WORD = re.compile(r"[^\W_]+")
_MARKS = re.compile(r"^\s*(?:>\s?)+")
_TIME = re.compile(r"\d{1,2}\s?[:.h時时시]\s?\d{2}")
"""A time of day: what only names somebody may be the customer's own sentence."""
LONGEST = 50_000
"""Characters of a text that is looked through; a longer one is kept whole."""
MOST_PASSAGES = 200
"""Quoted passages that are compared with the thread; those behind them are kept."""
_LONGEST_HEADER = 300
"""Characters of a line that may introduce a quote. A longer one does not, and the library's patterns, which take long
over long lines, are not asked about it."""
_HEADER_LINES = 6
"""Lines that may make up one introduction: From, Sent, To, Cc, Subject, and one that was broken."""


def without_repeats(text: str, thread: Sequence[str]) -> str:
    """The text without the quoted passages that stand in the thread already, and without the lines that introduced them.

    ``thread`` are the texts that were said before. A passage is a run of lines marked by ``>``, or all that follows an
    introduction as mail programs write it in many languages. It is left out only where all its words stand there in
    this order, since a customer may write between quoted lines, or change them. A text that would be left empty is
    returned whole.
    """
    if len(text) > LONGEST:
        return text.strip()
    known = [_squeezed(said) for said in thread]
    left = MOST_PASSAGES
    lines = text.split("\n")
    heads = _introductions(lines)
    kept: list[str] = []
    at = 0
    while at < len(lines):
        begin, end = _passage(lines, heads, at)
        if begin is None:
            kept.append(lines[at])
            at += 1
        elif left and _repeats(lines[begin:end], known):
            at, left = end, left - 1
        else:
            kept.extend(lines[at:end])
            at, left = end, max(left - 1, 0)
    return "\n".join(kept).strip() or text.strip()


def _passage(lines: list[str], heads: dict[int, int], at: int) -> tuple[int | None, int]:
    """``(begin, end)`` of the quoted words of the passage that starts at a line, its introduction before ``begin``; None
    where none starts there."""
    begin = heads.get(at, at)
    while begin < len(lines) and begin > at and not lines[begin].strip():
        begin += 1
    if begin < len(lines) and _QUOTED.match(lines[begin]):
        end = begin
        while end < len(lines) and _QUOTED.match(lines[end]):
            end += 1
        return begin, end
    if at not in heads:
        return None, at
    return begin, min((n for n in heads if n >= begin), default=len(lines))


def _introductions(lines: list[str]) -> dict[int, int]:
    """By the line at which an introduction of a quote begins: the line after it."""
    pattern = EmailMessage(text="", languages=_LANGUAGES).HEADER_REGEX
    found: dict[int, int] = {}
    at = 0
    while at < len(lines):
        window: list[str] = []
        for line in lines[at : at + _HEADER_LINES]:
            if len(line) > _LONGEST_HEADER or (window and not line.strip()):
                break
            window.append(line.strip())
        size = _size(pattern, window) if window and window[0] and _TIME.search(" ".join(window)) else 0
        if size:
            found[at] = at + size
        at += max(size, 1)
    return found


def _size(pattern: re.Pattern[str], window: list[str]) -> int:
    """How many lines of the window introduce a quote; 0 where none does, or where they say more than when and who."""
    match = pattern.match("\n".join(window))
    if match is None:
        return 0
    size = len(match.group().strip().split("\n"))
    if not window[size - 1].endswith(":"):
        # A block of From:, Sent:, To: … The library counts the line below it in, which may be the customer's own.
        labelled = [pattern.match(f"{line}\n{window[0]}") is not None for line in window[1:size]]
        size = 1 + (labelled.index(False) if False in labelled else len(labelled))
    told = " ".join(window[:size])
    return size if _TIME.search(told) and size <= _HEADER_LINES else 0


_LANGUAGES = EmailReplyParser(languages=list(MAIL_LANGUAGES)).languages


def _repeats(lines: Iterable[str], known: Sequence[str]) -> bool:
    words = _squeezed("\n".join(_MARKS.sub("", line) for line in lines))
    return any(words in said for said in known)


def _squeezed(text: str) -> str:
    """The words alone: mail programs break lines, mark them and change spaces as they quote."""
    return f" {' '.join(_WORD.findall(text.casefold()))} "
