"""Judges whether an article really answers a question, from what the encoder and the words say, as a probability.

Nothing here touches the network, and nothing is loaded before the first question is judged.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from agent.assessors.encoder import WEIGHTS as ENCODER_WEIGHTS
from agent.assessors.encoder import tidy

Floats = npt.NDArray[np.float64]

WEIGHTS: Final = Path(__file__).resolve().parent / "weights"

_QUESTION_CHARS: Final = 2000
_TEXT_CHARS: Final = 600
_FIRST_WORD: Final = 130
"""Rows of the vocabulary below this are marks and single letters, which say nothing."""


def ends_of(text: str, chars: int = _QUESTION_CHARS) -> str:
    """A text, or the head and the tail of a longer one: customers say what they want first or last."""
    half = chars // 2
    return text if len(text) <= chars else f"{text[:half]} {text[-half:]}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One article as the judge sees it: its words, and how near the encoder finds each part to the question."""

    title: str
    sentences: tuple[str, ...]
    title_near: float
    """Cosine of the nearest of title and listed questions."""
    sentences_near: tuple[float, ...]
    """Cosine of each sentence, in the order of ``sentences``; at least one."""
    whole_near: float
    words: float = 0.0
    """The words' match as a share of the best one in the knowledge base; 0 where the search by words missed it."""

    @property
    def nearness(self) -> float:
        """One figure to order candidates by, before they are judged."""
        best = sorted(self.sentences_near, reverse=True)
        return (self.title_near + best[0] + sum(best[:3]) / len(best[:3]) + self.whole_near) / 4


def _lead(values: Floats, most: float) -> Floats:
    """How far each value is ahead of the best other one; 0 where there is no other."""
    if len(values) < 2:
        return np.zeros(len(values))
    others = np.array([np.delete(values, i).max() for i in range(len(values))])
    lead: Floats = np.clip(values - others, -most, most)
    return lead


class AnswerJudge:
    """Judges candidates for a question. A pure function of the texts, the cosines and the weight file.

    The files are read on first use and shared by all threads.
    """

    def __init__(self, weights: Path = WEIGHTS) -> None:
        self._weights = weights
        self._lock = threading.Lock()
        self._loaded: tuple[Any, dict[str, Floats]] | None = None

    def judge(self, question: str, candidates: Sequence[Candidate]) -> tuple[float, ...]:
        """For each candidate the calibrated probability that it answers the question, in the given order."""
        if not candidates:
            return ()
        _, w = self._load()
        x = (self.evidence(question, candidates) - w["mean"]) / w["spread"]
        sure = [1.0 / (1.0 + np.exp(-np.clip(x @ w["line"] + w["line_bias"], -30.0, 30.0)))]
        for inner, inner_bias, outer, outer_bias in zip(
            w["inner"], w["inner_bias"], w["outer"], w["outer_bias"], strict=True
        ):
            hidden = np.maximum(x @ inner + inner_bias, 0.0)
            sure.append(1.0 / (1.0 + np.exp(-np.clip(hidden @ outer + outer_bias, -30.0, 30.0))))
        # The line and the nets count half each: the line holds on tidy questions, the nets on untidy ones.
        both = (sure[0] + np.mean(sure[1:], axis=0)) / 2
        return tuple(float(p) for p in both)

    def evidence(self, question: str, candidates: Sequence[Candidate]) -> Floats:
        """One row of figures a candidate: what speaks for it, and how far it is ahead of the best other one.

        Nothing here tells the tone or the length of a question, so that these cannot pass for an answer.
        """
        asked = self._words(ends_of(question))
        total = sum(map(_rarity, asked)) or 1.0
        rows = []
        for c in candidates:
            near = [*sorted(c.sentences_near, reverse=True), 0.0, 0.0]
            words = [self._words(s[:_TEXT_CHARS]) for s in c.sentences]
            everything = self._words(c.title[:_TEXT_CHARS]).union(*words)
            rows.append(
                [
                    c.title_near,
                    near[0],
                    near[1],
                    sum(near[:3]) / 3,
                    c.whole_near,
                    sum(map(_rarity, asked & everything)) / total,
                    max((sum(map(_rarity, asked & w)) / total for w in words), default=0.0),
                    near[0] - sum(near[:5]) / len(near[:5]),
                    c.words,
                ]
            )
        found = np.array(rows, np.float64)
        ahead = [_lead(np.array([c.nearness for c in candidates]), 0.4)]
        ahead += [_lead(found[:, n], most) for n, most in ((1, 0.4), (3, 0.4), (4, 0.4), (5, 1.0), (6, 1.0), (8, 1.0))]
        return np.concatenate([found, np.stack(ahead, axis=1)], axis=1)

    def _words(self, text: str) -> frozenset[int]:
        tokenizer, _ = self._load()
        return frozenset(i for i in tokenizer.encode(tidy(text), add_special_tokens=False).ids if i > _FIRST_WORD)

    def _load(self) -> tuple[Any, dict[str, Floats]]:
        with self._lock:
            if self._loaded is None:
                tokenizer = Tokenizer.from_file(str(ENCODER_WEIGHTS / "tokenizer.json"))
                tokenizer.no_padding()
                tokenizer.no_truncation()
                with np.load(self._weights / "judge.npz", allow_pickle=False) as kept:
                    self._loaded = (tokenizer, {name: kept[name].astype(np.float64) for name in kept.files})
            return self._loaded


def _rarity(row: int) -> float:
    """How much a word says: the vocabulary is ordered by frequency, the most frequent first."""
    return math.log(1 + row / 300)
