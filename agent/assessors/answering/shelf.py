"""Compares a question with what a shelf of articles says that it answers, and that it does not answer."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from agent.assessors.answering import Candidate, ends_of, words_of

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

FULL_LISTS: Final = (20, 8)
"""Questions that an article answers, and that it does not, from which its lists are full."""
FULL_SHELF: Final = (30, 0.8)
"""Articles with full lists, and their share of the shelf, from which the shelf is full. How far an article is ahead of the
others says something only where the others could have been ahead."""
CANDIDATES: Final = 5
"""Articles that are compared: the likeliest by all their listed questions together."""
FIGURES: Final = (
    "nearest listed", "three nearest", "six nearest", "nearest not answered", "learnt",
    "words", "letters", "mixed", "mixed of three", "words not answered", "mixed not answered",
    "ahead of its own not answered", "ahead of any not answered", "mixed ahead of any", "mixed ahead of its own",
    "learnt for nobody", "learnt ahead of nobody",
    "nearest ahead", "three ahead", "learnt ahead", "mixed ahead", "mixed of three ahead",
    "best sentence", "three sentences", "whole text",
    "words missing", "rarest missing", "words unknown here", "words in the text",
)  # fmt: skip
"""What each figure of a candidate's evidence is. Cosines, shares and differences of them; none tells a length."""
_LEARNT = 4
_MIXED = 7
_LEADS = (0, 1, _LEARNT, _MIXED, 8)
_RIDGE = 1.0
_OFFSET = 0.5
_GRAM = 4
_OTHER = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Listing:
    """One article, as a shelf reads it."""

    title: str
    questions: tuple[str, ...]
    """Questions that its approver says it answers."""
    not_answered: tuple[str, ...]
    """Questions that its approver says it does not answer."""
    sentences: tuple[str, ...]
    """At least one."""

    @property
    def full(self) -> bool:
        """Whether its lists are full."""
        return len(self.questions) >= FULL_LISTS[0] and len(self.not_answered) >= FULL_LISTS[1]

    @property
    def whole(self) -> str:
        """Title and text in one."""
        return f"{self.title}. {' '.join(self.sentences)}"


class _Overlap:
    """How much of their rare items texts share: a cosine over the items' weights."""

    def __init__(self, texts: Sequence[frozenset[Any]], weight: Callable[[Any], float]) -> None:
        self._weight = weight
        self._rows: dict[Hashable, Rows] = {}
        at: dict[Hashable, list[int]] = {}
        for n, items in enumerate(texts):
            for item in items:
                at.setdefault(item, []).append(n)
        self._rows = {item: np.array(rows, np.int64) for item, rows in at.items()}
        lengths = [math.sqrt(math.fsum(sorted(weight(i) ** 2 for i in items))) for items in texts]
        self._lengths = np.maximum(np.array(lengths, np.float64), 1e-9)

    def with_(self, items: frozenset[Any]) -> Floats:
        """One cosine a text."""
        shared = np.zeros(len(self._lengths))
        total = 0.0
        for item in sorted(items):
            weight = self._weight(item)
            total += weight * weight
            if item in self._rows:
                shared[self._rows[item]] += weight * weight
        return shared / self._lengths / max(math.sqrt(total), 1e-9)


class Shelf:
    """Articles that may answer, with the questions they list. A pure function of their texts and the encoder."""

    def __init__(
        self, listings: Sequence[Listing], embed: Callable[[Sequence[str]], Any], closed: Iterable[str] = ()
    ) -> None:
        """``embed`` gives one unit vector a text. ``closed``: questions that only texts out of use answer."""
        self.listings = tuple(listings)
        full = sum(a.full for a in self.listings)
        self._full = full >= FULL_SHELF[0] and full >= FULL_SHELF[1] * len(self.listings)
        yes = [(n, t) for n, a in enumerate(self.listings) for t in (a.title, *a.questions)]
        no = [(n, t) for n, a in enumerate(self.listings) for t in a.not_answered]
        lost = [(-1, t) for t in closed]
        every = [t for _, t in (*yes, *no, *lost)]
        self._lines = [np.asarray(embed([*a.sentences, a.whole]), np.float64) for a in self.listings]
        self._known = np.asarray(embed(every), np.float64) if every else np.zeros((0, 1))
        self._yes = _places([n for n, _ in yes], len(self.listings), 0)
        self._no = _places([n for n, _ in no], len(self.listings), len(yes))
        self._refused = slice(len(yes), len(every))
        self._learn([n for n, _ in yes])
        self._count_words([words_of(t) for t in every], [n for n, _ in yes])
        grams = [_grams(t) for t in every]
        often = Counter(g for found in grams for g in found)
        self._letters = _Overlap(grams, lambda g: math.log(max(2, len(grams)) / max(1, often[g])))

    def _learn(self, owners: Sequence[int]) -> None:
        # A ridge regression from a question's vector to its article, or to nobody: all listed questions of an article
        # speak together, where a cosine hears only the nearest.
        count = len(self.listings)
        target = np.zeros((len(self._known), count + 1))
        target[: len(owners)][np.arange(len(owners)), list(owners)] = 1.0
        target[len(owners) :, count] = 1.0
        x = np.concatenate([self._known, np.full((len(self._known), 1), _OFFSET)], axis=1)
        self._learnt = np.linalg.solve(x.T @ x + _RIDGE * np.eye(x.shape[1]), x.T @ target)

    def _count_words(self, words: Sequence[frozenset[int]], owners: Sequence[int]) -> None:
        self._text_words = [frozenset().union(*map(words_of, a.sentences)) for a in self.listings]
        theirs = [set(w) for w in self._text_words]
        for owner, found in zip(owners, words, strict=False):
            theirs[owner] |= found
        self._all_words = [frozenset(w) for w in theirs]
        self._often = Counter(w for found in self._all_words for w in found)
        self._words = _Overlap(words, self._rarity)

    def _rarity(self, row: int) -> float:
        # Rare on this shelf, and rare in English: the vocabulary is ordered by frequency, the most frequent first.
        here = math.log((len(self.listings) + 1) / (self._often[row] + 0.5))
        return max(here, 0.0) * min(1.0, 0.35 + math.log(1 + row / 300) / 4)

    def candidates(self, question: str, vector: Any) -> tuple[tuple[int, Candidate], ...]:
        """The likeliest articles for a question, best first, each with its place among the listings."""
        if not self.listings:
            return ()
        asked = ends_of(question)
        rows = words_of(asked)
        rarity = {row: self._rarity(row) for row in sorted(rows)}
        v = np.asarray(vector, np.float64)
        near = self._known @ v
        words, letters = self._words.with_(rows), self._letters.with_(_grams(asked))
        mixed = 0.6 * near + 0.25 * words + 0.15 * letters
        learnt = np.append(v, _OFFSET) @ self._learnt
        found = np.stack(
            [
                *_tops(near, self._yes, 1, 3, 6),
                *_tops(near, self._no, 1),
                learnt[:-1],
                *_tops(words, self._yes, 1),
                *_tops(letters, self._yes, 1),
                *_tops(mixed, self._yes, 1, 3),
                *_tops(words, self._no, 1),
                *_tops(mixed, self._no, 1),
            ],
            axis=1,
        )
        refused = (max(near[self._refused], default=0.0), max(mixed[self._refused], default=0.0))
        leads = np.stack([_lead(found[:, column]) for column in _LEADS], axis=1)
        likely = found[:, 0] + found[:, 1] + 2 * found[:, _LEARNT] + found[:, _MIXED]
        order = sorted(range(len(found)), key=lambda n: (-likely[n], n))[:CANDIDATES]
        return tuple((n, self._candidate(n, rarity, v, found[n], leads[n], refused, learnt[-1])) for n in order)

    def _candidate(
        self,
        n: int,
        rarity: Mapping[int, float],
        v: Floats,
        f: Floats,
        leads: Floats,
        refused: tuple[float, float],
        nobody: float,
    ) -> Candidate:
        near = self._lines[n] @ v
        best = np.sort(near[:-1])[::-1]
        evidence = [
            *f,
            f[0] - f[3],
            f[0] - refused[0],
            f[_MIXED] - refused[1],
            f[_MIXED] - f[10],
            nobody,
            f[_LEARNT] - nobody,
            *leads,
            best[0],
            best[:3].mean(),
            near[-1],
            *self._uncovered(n, rarity),
        ]
        return Candidate(
            self.listings[n].title,
            float(f[0]),
            tuple(near[:-1].tolist()),
            float(near[-1]),
            tuple(float(figure) for figure in evidence),
            self._full and self.listings[n].full,
        )

    def _uncovered(self, n: int, rarity: Mapping[int, float]) -> tuple[float, float, float, float]:
        """Which share of a question's words the article lacks, how rare the rarest of them is, and so on."""
        total = sum(rarity.values()) or 1.0
        missing = [r for row, r in rarity.items() if row not in self._all_words[n]]
        unknown = [r for row, r in rarity.items() if not self._often[row]]
        in_text = [r for row, r in rarity.items() if row in self._text_words[n]]
        return sum(missing) / total, max(missing, default=0.0) / 5, sum(unknown) / total, sum(in_text) / total


def _places(owners: Sequence[int], count: int, first: int) -> Rows:
    """Where each owner's texts stand: one row an owner, filled up with -1."""
    at: list[list[int]] = [[] for _ in range(count)]
    for n, owner in enumerate(owners):
        at[owner].append(first + n)
    most = max(map(len, at), default=0) or 1
    return np.array([row + [-1] * (most - len(row)) for row in at], np.int64).reshape(count, most)


def _tops(values: Floats, places: Rows, *sizes: int) -> list[Floats]:
    """For each owner the mean of its 1, 3, ... greatest values; 0 where it has none."""
    padded = np.append(values, -np.inf)
    ordered = -np.sort(-padded[places], axis=1)
    there = np.isfinite(ordered)
    filled = np.where(there, ordered, 0.0)
    return [filled[:, :s].sum(axis=1) / np.maximum(there[:, :s].sum(axis=1), 1) for s in sizes]


def _lead(values: Floats) -> Floats:
    """How far each value is ahead of the best other one; its own size where there is no other."""
    if len(values) < 2:
        return values.copy()
    order = np.argsort(-values, kind="stable")
    other = np.full(len(values), values[order[0]])
    other[order[0]] = values[order[1]]
    lead: Floats = values - other
    return lead


def _grams(text: str) -> frozenset[str]:
    line = f" {_OTHER.sub(' ', text.lower()).strip()} "
    return frozenset(line[at : at + _GRAM] for at in range(len(line) - _GRAM + 1))
