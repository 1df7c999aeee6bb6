"""Judges whether an article really answers a question, from what the shelf and the encoder say, as a probability.

Nothing here touches the network, and nothing is loaded before the first question is judged.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from agent.assessors.encoder import WEIGHTS as ENCODER_WEIGHTS
from agent.assessors.encoder import tidy

Floats = npt.NDArray[np.float64]

WEIGHTS: Final = Path(__file__).resolve().parent / "weights"

Weights = dict[str, Floats]

_FULL_SHARE: Final = 2 / 3
"""How much the judgement made on full lists counts on a full shelf; the one made on thin lists has the rest."""
_QUESTION_CHARS: Final = 2000
_FIRST_WORD: Final = 130
"""Rows of the vocabulary up to this are marks and single letters, which say nothing."""


def ends_of(text: str, chars: int = _QUESTION_CHARS) -> str:
    """A text, or the head and the tail of a longer one: customers say what they want first or last."""
    half = chars // 2
    return text if len(text) <= chars else f"{text[:half]} {text[-half:]}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One article beside a question."""

    title: str
    title_near: float
    """Cosine of the nearest of title and listed questions."""
    sentences_near: tuple[float, ...]
    """Cosine of each sentence, in the order of the article; at least one."""
    whole_near: float
    evidence: tuple[float, ...] = ()
    """What the shelf found for it: ``shelf.FIGURES`` says what each figure is."""
    full_lists: bool = False
    """Whether its article and its shelf list so much that the judgement made on full lists holds."""

    @property
    def nearness(self) -> float:
        """One figure to order texts by that nobody judges."""
        best = sorted(self.sentences_near, reverse=True)
        return (self.title_near + best[0] + sum(best[:3]) / len(best[:3]) + self.whole_near) / 4


class AnswerJudge:
    """Judges candidates for a question. A pure function of their evidence and the weight files.

    There are two: one made on thin lists, and one made on full ones, which says more where shelf and article list much. The files
    are read on first use and shared by all threads.
    """

    def __init__(self, weights: Path = WEIGHTS) -> None:
        self._weights = weights
        self._lock = threading.Lock()
        self._loaded: tuple[Weights, Weights] | None = None

    def judge(self, question: str, candidates: Sequence[Candidate]) -> tuple[float, ...]:
        """For each candidate the probability that it answers the question, in the given order.

        The words of the question do not count here, only the evidence: so tone and length cannot pass for an answer.
        """
        if not candidates:
            return ()
        thin, full = self._load()
        x = np.array([c.evidence for c in candidates], np.float64)
        listed = np.array([c.full_lists for c in candidates])
        told = _probabilities(x, thin)
        if listed.any():
            together = _FULL_SHARE * _odds(_probabilities(x, full)) + (1 - _FULL_SHARE) * _odds(told)
            told = np.where(listed, 1.0 / (1.0 + np.exp(-together)), told)
        return tuple(float(p) for p in told)

    def _load(self) -> tuple[Weights, Weights]:
        with self._lock:
            if self._loaded is None:
                self._loaded = (_read(self._weights / "judge.npz"), _read(self._weights / "judge_full_lists.npz"))
            return self._loaded


def _read(file: Path) -> Weights:
    with np.load(file, allow_pickle=False) as kept:
        return {name: kept[name].astype(np.float64) for name in kept.files}


def _probabilities(evidence: Floats, w: Weights) -> Floats:
    x = (evidence - w["mean"]) / w["spread"]
    sure = [_sure(x @ w["line"] + w["line_bias"])]
    for inner, inner_bias, outer, outer_bias in zip(
        w["inner"], w["inner_bias"], w["outer"], w["outer_bias"], strict=True
    ):
        sure.append(_sure(np.maximum(x @ inner + inner_bias, 0.0) @ outer + outer_bias))
    # The line and the nets count half each: the line holds on tidy questions, the nets on untidy ones.
    told: Floats = (sure[0] + np.mean(sure[1:], axis=0)) / 2
    return told


def _sure(odds: Floats) -> Floats:
    told: Floats = 1.0 / (1.0 + np.exp(-np.clip(odds, -30.0, 30.0)))
    return told


def _odds(told: Floats) -> Floats:
    odds: Floats = np.log(told / (1.0 - told))
    return odds


@cache
def _tokenizer() -> Any:
    tokenizer = Tokenizer.from_file(str(ENCODER_WEIGHTS / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def words_of(text: str) -> frozenset[int]:
    """The vocabulary rows of a text's words, without marks and single letters. Of a long text the head and the tail."""
    return frozenset(
        row for row in _tokenizer().encode(tidy(ends_of(text)), add_special_tokens=False).ids if row > _FIRST_WORD
    )
