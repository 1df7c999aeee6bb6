"""A text as the person who answers for it has to see it: what was changed, and what the eye cannot see."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile

# A word keeps the space behind it: a diff that finds its footing on single spaces cannot be read.
_PIECE = re.compile(r"\w+[^\S\n]*|[^\w\s][^\S\n]*|\s+")
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u180b\u180c\u180d")
"""Characters of letter or mark kinds that draw nothing."""


MOST_PAIRS = 60_000
"""Pairs of equal pieces up to which two texts are compared word by word; two ordinary letters of a thousand words have fewer."""


@dataclass(frozen=True, slots=True)
class Part:
    """A run of text."""

    kind: str
    """same, added or removed; for marked text plain or unseen."""
    words: str
    """For ``unseen`` the character's code and name."""


@dataclass(frozen=True, slots=True)
class Change:
    """How a draft became what is sent."""

    parts: tuple[Part, ...]
    added: int
    """Words that the person put in."""
    removed: int
    """Words that the person took out."""

    @property
    def any(self) -> bool:
        """True where they differ at all."""
        return any(p.kind != "same" for p in self.parts)


def unseen(character: str) -> bool:
    """True for a character that is drawn as nothing, or that turns the reading direction."""
    if character in "\n\t":
        return False
    kind = unicodedata.category(character)
    selects = 0xFE00 <= ord(character) <= 0xFE0F or 0xE0100 <= ord(character) <= 0xE01EF
    odd_space = kind == "Zs" and character != " "
    return kind in ("Cc", "Cf", "Cs", "Zl", "Zp", "Co", "Cn") or character in _UNSEEN or selects or odd_space


def marked(text: str) -> tuple[Part, ...]:
    """The text in runs, each unseen character a run of its own that says what it is."""
    return tuple(_marked(text))


def _marked(text: str) -> Iterator[Part]:
    plain: list[str] = []
    for character in text:
        if not unseen(character):
            plain.append(character)
            continue
        if plain:
            yield Part("plain", "".join(plain))
            plain = []
        yield Part("unseen", f"U+{ord(character):04X} {unicodedata.name(character, 'unnamed').lower()}")
    if plain:
        yield Part("plain", "".join(plain))


def word_diff(before: str, after: str) -> Change:
    """Word by word, what was taken out and put in; one change from the first difference to the last where the texts
    repeat themselves so much that comparing them word by word would not end soon."""
    old, new = _PIECE.findall(before), _PIECE.findall(after)
    if _pairs(old, new) > MOST_PAIRS:
        return _whole_change(old, new)
    parts: list[Part] = []
    added = removed = 0
    for tag, i, j, m, n in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            parts.append(Part("same", "".join(old[i:j])))
            continue
        if out := "".join(old[i:j]):
            parts.append(Part("removed", out))
            removed += _words(old[i:j])
        if put := "".join(new[m:n]):
            parts.append(Part("added", put))
            added += _words(new[m:n])
    return Change(tuple(parts), added, removed)


def _pairs(old: list[str], new: list[str]) -> int:
    """How many places of the one could stand for places of the other: what a comparison has to look at, many times."""
    there = Counter(new)
    return sum(n * there[piece] for piece, n in Counter(old).items())


def _whole_change(old: list[str], new: list[str]) -> Change:
    first = _alike(old, new)
    last = _alike(old[first:][::-1], new[first:][::-1])
    out, put = old[first : len(old) - last], new[first : len(new) - last]
    runs = (("same", old[:first]), ("removed", out), ("added", put), ("same", old[len(old) - last :]))
    parts = tuple(Part(kind, "".join(pieces)) for kind, pieces in runs if pieces)
    return Change(parts, _words(put), _words(out))


def _alike(one: list[str], other: list[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def same_text(one: str, other: str) -> bool:
    """True where they differ in nothing but how a browser's form ends its lines."""
    return lines(one) == lines(other)


def lines(text: str) -> str:
    """The text with its lines ended as we keep them."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _words(pieces: list[str]) -> int:
    return sum(1 for p in pieces if p.strip())
