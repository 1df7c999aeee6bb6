"""Reads one customer message for business triggers, with a small local model.

The reading is a pure function of the text and of the weight files: no clock, no network, no account record.
What the heads cannot know (whether a claim is true, what the contract says) they do not pretend to.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from .encoder import WEIGHTS, TextEncoder, fingerprint

Level = Literal["low", "medium", "high"]
Need = Literal["public", "record", "decision", "none"]
Floats = npt.NDArray[np.float64]

TRIGGERS: Final = (
    "policy_sensitivity",
    "security_identity",
    "missing_context",
    "action_irreversibility",
    "customer_pressure",
    "multi_domain_complexity",
)
NEEDS: Final[tuple[Need, ...]] = ("public", "record", "decision", "none")

# The columns of the heads' output: >= medium and >= high for each trigger, asks_human, then the needs.
_ASKS: Final = 2 * len(TRIGGERS)
_NEEDS: Final = slice(_ASKS + 1, _ASKS + 1 + len(NEEDS))

# Bounds on the work one text can cause. What lies between the kept ends of an overlong text is not read, and
# the reading says so (`truncated`).
_KEEP_CHARS: Final = 6_000
_PASSAGE_WORDS: Final = 150
_SENTENCE_CHARS: Final = 400
_MAX_SENTENCES: Final = 120
_BEGINNINGS: Final = 8

_PARAGRAPH: Final = re.compile(r"\n[^\S\n]*\n\s*")
_BREAK: Final = re.compile(r"(?<=[.!?…])[\"')\]]*\s+|[\r\n]\s*")


@dataclass(frozen=True, slots=True)
class HeadReading:
    """What the model read in one message.

    `scores` holds calibrated probabilities (at least medium, high), from which `levels` follows by the
    thresholds beside the weights. `windows` quotes, verbatim, the stretch of the message that spoke most for
    each trigger (empty only for a text without words). `truncated` says that the middle of an overlong text
    was not read; a caller must not take its lows as a finding.
    """

    levels: Mapping[str, Level]
    scores: Mapping[str, tuple[float, float]]
    windows: Mapping[str, str]
    asks_human: bool
    asks_human_score: float
    needs: Need
    needs_scores: Mapping[str, float]
    truncated: bool
    fingerprint: str


@dataclass(frozen=True, slots=True)
class _Heads:
    weight: Floats
    bias: Floats
    slope: Floats
    offset: Floats
    longer: Floats
    medium: Mapping[str, float]
    high: Mapping[str, float]
    asks_human: float
    sentence_shift: float
    fingerprint: str


def split_windows(text: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]], bool]:
    """The spans to read: `(passages, sentences, truncated)`, as offsets into `text`.

    Passages are as much context as fits one reading: the whole message when it is short, else runs of
    sentences. Sentences (grouped when there are very many) are the smaller windows. Both cover the first and
    last 6,000 characters.
    """
    truncated = len(text) > 2 * _KEEP_CHARS
    ends = [(0, _KEEP_CHARS), (len(text) - _KEEP_CHARS, len(text))] if truncated else [(0, len(text))]
    passages: list[tuple[int, int]] = []
    sentences: list[tuple[int, int]] = []
    for begin, end in ends:
        found = list(_sentences(text, begin, end))
        passages += _packed(text, found)
        # The first are read one by one however many follow; of more, scraps are read in groups, so that none is left out.
        alone = _MAX_SENTENCES // (2 * len(ends))
        run = max(1, -(-len(found[alone:]) // alone))
        groups = [found[at : at + run] for at in range(alone, len(found), run)]
        sentences += [*found[:alone], *((group[0][0], group[-1][1]) for group in groups)]
    return passages, sentences, truncated


def beginnings(text: str, passages: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Each passage as it was before its later paragraphs, the first eight: what somebody adds below must not drown it."""
    found = []
    for start, stop in passages:
        breaks = [m.start() for m in _PARAGRAPH.finditer(text, start, stop)]
        found += [(start, start + len(text[start:end].rstrip())) for end in breaks]
    return [span for span in dict.fromkeys(found) if span[1] > span[0]][:_BEGINNINGS]


def _packed(text: str, sentences: list[tuple[int, int]]) -> list[tuple[int, int]]:
    passages: list[tuple[int, int]] = []
    words = 0
    for start, stop in sentences:
        size = len(text[start:stop].split())
        if passages and words + size <= _PASSAGE_WORDS:
            passages[-1] = (passages[-1][0], stop)
            words += size
        else:
            passages.append((start, stop))
            words = size
    return passages


def _sentences(text: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    begin = start
    breaks = [(m.start(), m.end()) for m in _BREAK.finditer(text, start, stop)]
    for left, right in [*breaks, (stop, stop)]:
        for at in range(begin, left, _SENTENCE_CHARS):
            piece = text[at : min(at + _SENTENCE_CHARS, left)]
            lead = len(piece) - len(piece.lstrip())
            if any(c.isalnum() for c in piece):
                yield at + lead, at + len(piece.rstrip())
        begin = right


class TextHead:
    """Judges a message for the business triggers; loads its weights on first use, then is safe to share."""

    def __init__(self, weights: Path = WEIGHTS, encoder: TextEncoder | None = None) -> None:
        self._weights = weights
        self._encoder = encoder or TextEncoder(weights)
        self._lock = threading.Lock()
        self._heads: _Heads | None = None

    @property
    def encoder(self) -> TextEncoder:
        """The encoder under the heads, to share for retrieval (its model is loaded once)."""
        return self._encoder

    def judge(self, text: str) -> HeadReading:
        """Read `text`, which must hold the customer's own words only (their turns, one to a line).

        Never raises on any string. Time is bounded whatever the length: see `truncated` on the reading.
        """
        heads = self._load()
        passages, sentences, truncated = split_windows(text)
        if not passages:
            return _nothing(heads, truncated)
        wide = list(dict.fromkeys([*passages, *beginnings(text, passages)]))
        spans = wide + [s for s in sentences if s not in wide]
        z = self._logits(heads, [text[a:b] for a, b in spans])
        for n, passage in enumerate(wide):
            if passage not in sentences:  # several sentences: calibrated apart from single ones
                z[n] += heads.longer
        # A sentence alone lacks its context, so it must be clearer than a passage to count.
        shifted = z.copy()
        shifted[len(wide) :] -= heads.sentence_shift * heads.slope
        best = _probability(shifted.max(axis=0))
        # A decision that is asked for stays asked for, whatever stands below it.
        first = [z[n, _NEEDS] for n, span in enumerate(wide) if span[0] == passages[0][0]]
        whole = _softmax(max(first, key=lambda row: (int(row.argmax()) == NEEDS.index("decision"), row is first[0])))
        levels: dict[str, Level] = {}
        scores: dict[str, tuple[float, float]] = {}
        windows: dict[str, str] = {}
        # Quote a sentence where there are several: a whole message is no evidence.
        pool = [i for i, span in enumerate(spans) if span in sentences] or list(range(len(spans)))
        for i, trigger in enumerate(TRIGGERS):
            medium = float(best[2 * i])
            high = min(float(best[2 * i + 1]), medium)
            level: Level = "low"
            if medium >= heads.medium[trigger]:
                level = "high" if high >= heads.high[trigger] else "medium"
            column = 2 * i + (level == "high")
            start, stop = spans[max(pool, key=lambda n: (float(z[n, column]), -n))]
            levels[trigger], scores[trigger] = level, (round(medium, 4), round(high, 4))
            windows[trigger] = text[start:stop]
        asks = float(best[_ASKS])
        return HeadReading(
            levels=levels,
            scores=scores,
            windows=windows,
            asks_human=asks >= heads.asks_human,
            asks_human_score=round(asks, 4),
            needs=NEEDS[int(whole.argmax())],
            needs_scores={name: round(float(p), 4) for name, p in zip(NEEDS, whole, strict=True)},
            truncated=truncated,
            fingerprint=heads.fingerprint,
        )

    def _logits(self, heads: _Heads, texts: list[str]) -> Floats:
        _, features = self._encoder.read(texts)
        scores: Floats = features.astype(np.float64) @ heads.weight + heads.bias
        return scores * heads.slope + heads.offset

    def _load(self) -> _Heads:
        with self._lock:
            if self._heads is None:
                self._heads = _read_heads(self._weights)
            return self._heads


def _read_heads(weights: Path) -> _Heads:
    plan: dict[str, Any] = json.loads((weights / "heads.json").read_text(encoding="utf-8"))
    with np.load(weights / "heads.npz", allow_pickle=False) as arrays:
        weight, bias, slope, offset, longer = (
            arrays[name].astype(np.float64) for name in ("weight", "bias", "slope", "offset", "longer")
        )
    return _Heads(
        weight=weight,
        bias=bias,
        slope=slope,
        offset=offset,
        longer=longer,
        medium={t: float(plan["thresholds"][t]["medium"]) for t in TRIGGERS},
        high={t: float(plan["thresholds"][t]["high"]) for t in TRIGGERS},
        asks_human=float(plan["thresholds"]["asks_human"]),
        sentence_shift=float(plan["sentence_shift"]),
        fingerprint=fingerprint(weights),
    )


def _nothing(heads: _Heads, truncated: bool) -> HeadReading:
    """A text without a letter or digit says nothing: every trigger low, with no evidence to quote."""
    return HeadReading(
        levels=dict.fromkeys(TRIGGERS, "low"),
        scores=dict.fromkeys(TRIGGERS, (0.0, 0.0)),
        windows=dict.fromkeys(TRIGGERS, ""),
        asks_human=False,
        asks_human_score=0.0,
        needs="none",
        needs_scores={name: float(name == "none") for name in NEEDS},
        truncated=truncated,
        fingerprint=heads.fingerprint,
    )


def _probability(z: Floats) -> Floats:
    result: Floats = 1.0 / (1.0 + np.exp(-np.clip(z, -30.0, 30.0)))
    return result


def _softmax(z: Floats) -> Floats:
    e: Floats = np.exp(z - z.max())
    return e / float(e.sum())
