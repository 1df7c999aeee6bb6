"""Judges whether a lane-1 text is made only of approved words: default-deny, sentence by sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from guards.screening import Finding
from guards.wording import plain, screen, sentences

LONGEST_VALUE = 48
"""Characters of a fact's value that is told; what is longer is a text, and nobody has approved it."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of an approved, current, public article, or an approved template already filled in."""

    source: str
    """Article id and version, template name, or fact name."""
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a text may stand as a lane-1 answer, and what each sentence rests on."""

    supported: tuple[tuple[str, str], ...]
    """(sentence, source) for each supported sentence, in order."""
    unsupported: tuple[str, ...]
    forbidden: tuple[Finding, ...]
    """What no lane may say, however well it is grounded."""

    @property
    def stands(self) -> bool:
        """True only where every sentence is supported and nothing forbidden is said."""
        return bool(self.supported) and not self.unsupported and not self.forbidden


def ground(text: str, spans: Iterable[Span]) -> Verdict:
    """Every sentence must stand, word for word, within one approved span, and with it the sentences that it cannot be
    understood without (``units``); white space alone may differ."""
    approved = [(span.source, _units_by_first(span.text)) for span in spans]
    said = [(sentence, _squeezed(sentence)) for sentence in sentences(text)]
    supported: list[tuple[str, str]] = []
    unsupported: list[str] = []
    at = 0
    while at < len(said):
        source, length = _longest(approved, [squeezed for _, squeezed in said[at:]])
        if length:
            supported += [(sentence, source) for sentence, _ in said[at : at + length]]
        else:
            unsupported.append(said[at][0])
        at += max(length, 1)
    return Verdict(tuple(supported), tuple(unsupported), screen(text))


# ── what stands or falls together ───────────────────────────────────────────────────────────────────────────

_ITEM = re.compile(r"(?:\d{1,3}[.)]|[-*•])\s")
_LEANS = re.compile(
    r"(?:however|but|except|unless|otherwise|instead|then|this|that|these|those|they|it|its|their|them|he|she|such|so|"
    r"also|even|still|yet|nor|or|and|both|neither|if not|if so|in (?:that|this|these|such) cases?|for (?:this|these|that)|"
    r"after that|before that|without (?:this|it|that)|the same|not (?:if|when|for|on|in)|never|"
    r"aber|jedoch|sonst|au(?:ß|ss)er|dies\w*|mais|sauf|sinon|cependant|pero|salvo|ma|però|tranne|mas|exceto|maar|behalve)\b",
    re.IGNORECASE,
)
# What begins so leans on the sentence before it: left alone, or behind another, it may say the opposite.


def units(text: str) -> tuple[tuple[str, ...], ...]:
    """The sentences of a text in order, in the groups that may only be quoted whole, white space squeezed.

    A list goes with its items and the line that leads it in; a sentence that leans on the one before ("However, …",
    "They cannot …") goes with it, and so does that one: an exception is not left behind.
    """
    found: list[list[str]] = []
    before = ""
    for sentence in map(_squeezed, sentences(text)):
        listed = _ITEM.match(sentence) is not None
        follows = before.endswith(":") or (listed and _ITEM.match(before) is not None)
        if found and (follows or _LEANS.match(sentence)):
            found[-1].append(sentence)
        else:
            found.append([sentence])
        before = sentence
    return tuple(tuple(unit) for unit in found)


def whole(chosen: Sequence[str], text: str) -> tuple[str, ...]:
    """The chosen sentences of a text with all that may not be left behind, in the text's order."""
    wanted = {_squeezed(sentence) for sentence in chosen}
    return tuple(sentence for unit in units(text) if wanted & set(unit) for sentence in unit)


@lru_cache(maxsize=256)  # an approved text is quoted in answer after answer
def _units_by_first(text: str) -> Mapping[str, Sequence[tuple[str, ...]]]:
    found: dict[str, list[tuple[str, ...]]] = {}
    for unit in units(text):
        found.setdefault(unit[0], []).append(unit)
    return found


def _longest(
    approved: Sequence[tuple[str, Mapping[str, Sequence[tuple[str, ...]]]]], said: Sequence[str]
) -> tuple[str, int]:
    """The source and length of the longest unit that the sentences begin with; 0 where there is none."""
    best = ("", 0)
    for source, known in approved:
        for unit in known.get(said[0], ()):
            if len(unit) > best[1] and tuple(said[: len(unit)]) == unit:
                best = (source, len(unit))
    return best


# ── values ──────────────────────────────────────────────────────────────────────────────────────────────────

_VALUE = re.compile(r"\w(?:[\w &+/()',-]|\.(?=\d))*")


def plain_value(value: object) -> str | None:
    """A fact's value as a template may tell it: a whole number, or a few plain words. None for anything that could be a
    sentence, a link or an instruction: whoever keeps the record has not approved it as a text for customers."""
    if type(value) is int:
        return str(value)
    if type(value) is not str or len(value) > LONGEST_VALUE or len(value.split()) > 6:
        return None
    told = value.strip()
    if not _VALUE.fullmatch(told) or plain(told) != told.lower() or screen(told) or screen(f"Your {told}."):
        return None
    return told


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
