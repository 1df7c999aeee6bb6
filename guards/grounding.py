"""Judges whether a lane-1 text is made only of approved words: default-deny, sentence by sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from guards.screening import Finding
from guards.wording import screen, sentences


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
    """Every sentence must stand, word for word, within one approved span; white space alone may differ."""
    # Whole sentences only: a stretch that starts after "do not" would say the opposite.
    approved = [(span.source, frozenset(_squeezed(s) for s in sentences(span.text))) for span in spans]
    supported: list[tuple[str, str]] = []
    unsupported: list[str] = []
    for sentence in sentences(text):
        wanted = _squeezed(sentence)
        source = next((name for name, said in approved if wanted in said), None)
        if source is None:
            unsupported.append(sentence)
        else:
            supported.append((sentence, source))
    return Verdict(tuple(supported), tuple(unsupported), screen(text))


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
