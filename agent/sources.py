"""Finds the approved article that answers a question, and says plainly when none does."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from agent.assessors.answering import AnswerJudge, Candidate, ends_of
from guards.gate import Permit
from guards.wording import blocks, plain, sentences
from tools.knowledge import may_ground
from tools.systems import Article, Audience, Knowledge

# Probabilities, as the judge in agent/assessors/answering gives them. The judge was made on 2,227 made-up questions about
# other companies' products (agent/assessors/training); these bars were then set on the made-up company's 120 hard
# paraphrases and near misses. docs/measurements.md says what they cost and gain.
ANSWER_AT = 0.28
"""At or above this an article answers by itself. Every other question goes to a person, with the article beside it."""
ASK_AT = 0.15
"""Two articles between this and ANSWER_AT, close together, are worth one clarifying question."""
SAME_QUESTION = 0.95
"""What a question gets that an article lists in these very words: the approver said that the article answers it."""
NEAR_AT = 0.38
"""An article less near than this, as the mean of its cosines, answers nothing, however far ahead of the others it is: where
a knowledge base holds little, the best of it may still be about something else."""
FAR = 0.05
"""The most that such an article is given."""
CLOSE = 0.08
"""How near two probabilities must be for that."""
NEIGHBOURS = 0.08
"""A paragraph whose best sentence matches this nearly as well as the very best is quoted with it."""
CANDIDATES = 5
"""Articles that the judge compares: the nearest by meaning, as many as a product had where it was trained."""
REFERENCE_NEAR = 0.35
"""An internal text at least this near, as a cosine, may matter to a person."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One article that was found."""

    id: str
    version: int
    title: str
    family: str
    audience: str
    score: float
    """The calibrated probability that it answers the question."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; the text is not kept, it is read again from the approved article."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Hit:
        """Reads what ``to_json`` wrote."""
        return cls(**{name: raw[name] for name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class Sources:
    """What the knowledge base holds for a question."""

    hits: tuple[Hit, ...] = ()
    """Articles that may be quoted to the customer, the best first."""
    references: tuple[Hit, ...] = ()
    """Internal and policy texts that may matter to a person; never quoted to a customer."""
    note: str = ""
    """Why nothing was searched, where that is so (``knowledge timed out``)."""

    @property
    def answer(self) -> Hit | None:
        """The article that answers, or None."""
        return self.hits[0] if self.hits and self.hits[0].score >= ANSWER_AT else None

    @property
    def choice(self) -> tuple[Hit, Hit] | None:
        """Two articles between which the customer could choose, or None."""
        if self.answer or len(self.hits) < 2:
            return None
        first, second = self.hits[:2]
        near = first.score - second.score <= CLOSE
        return (first, second) if near and second.score >= ASK_AT else None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; ``from_json`` reads it back."""
        return {
            "hits": [h.to_json() for h in self.hits],
            "references": [h.to_json() for h in self.references],
            "note": self.note,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Sources:
        """Reads what ``to_json`` wrote."""
        return cls(
            tuple(Hit.from_json(h) for h in raw["hits"]),
            tuple(Hit.from_json(h) for h in raw["references"]),
            str(raw["note"]),
        )


class Embeds(Protocol):
    """Turns texts into unit vectors."""

    def embed(self, texts: Sequence[str]) -> Any:
        """One row a text."""


class Remembering:
    """An encoder that keeps the vectors of texts it has seen: approved articles are asked about all day."""

    def __init__(self, encoder: Embeds) -> None:
        self._encoder = encoder
        self._kept: dict[str, Any] = {}

    def embed(self, texts: Sequence[str]) -> Any:
        """One row a text; only new texts are computed."""
        new = [t for t in dict.fromkeys(texts) if t not in self._kept]
        if new:
            self._kept.update(zip(new, self._encoder.embed(new), strict=True))
        return np.stack([self._kept[t] for t in texts])

    def load(self, file: Path, fingerprint: str) -> None:
        """Takes in what ``save`` wrote, if the same encoder wrote it; anything else in that place is ignored."""
        try:
            with np.load(file, allow_pickle=False) as kept:
                if str(kept["fingerprint"]) == fingerprint:
                    self._kept.update(zip(kept["texts"].tolist(), kept["rows"], strict=True))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return

    def save(self, file: Path, fingerprint: str) -> None:
        """Keeps the vectors for the next process. They are a copy of computed values: losing them loses time only."""
        if not self._kept:
            return
        partial = file.with_suffix(f".{os.getpid()}.npz")
        np.savez(
            partial, fingerprint=fingerprint, texts=np.array(list(self._kept)), rows=np.stack(list(self._kept.values()))
        )
        partial.replace(file)


_NUMBER = re.compile(r"^\d+[.)]\s*")


class Judges(Protocol):
    """Judges whether articles answer a question."""

    def judge(self, question: str, candidates: Sequence[Candidate]) -> tuple[float, ...]:
        """A probability for each candidate, in the given order."""


@cache
def packaged_judge() -> AnswerJudge:
    """The judge that comes with the product, one a process; it reads its files when first asked."""
    return AnswerJudge()


class SourceFinder:
    """Search over the articles of one knowledge base: nearness of meaning proposes, the judge says what answers."""

    def __init__(self, knowledge: Knowledge, encoder: Embeds, texts: Remembering, judge: Judges | None = None) -> None:
        """``texts`` embeds the articles and remembers them; ``encoder`` embeds questions, which are kept nowhere.

        Without a ``judge`` the packaged one judges.
        """
        self._knowledge = knowledge
        self._encoder = encoder
        self._texts = texts
        self._judge = judge if judge is not None else packaged_judge()
        # An article does not change while it has its id, version and text; what is worked out of it is kept.
        self._known: dict[Article, tuple[int, tuple[str, ...], Any]] = {}
        self._quotable: dict[tuple[Article, date], bool] = {}

    async def find(self, question: str, today: date, limit: int = 4) -> Sources:
        """The articles for a question, the likeliest first; only current approved public ones are in ``hits``.

        Asked are the message as a whole and each question sentence in it, since a greeting or a story around a
        question hides it. Of a message beyond 2,000 characters the head and the tail are read.
        """
        asks = _asks(question)
        if not asks:
            return Sources(note="there are no words to look up")
        articles = await self._knowledge.articles(set(Audience))
        hits: dict[str, Hit] = {}
        references: dict[str, Hit] = {}
        for asked, vector in zip(asks, self._encoder.embed(asks), strict=True):
            found = [(self._candidate(a, vector), a) for a in articles]
            found.sort(key=lambda f: (-f[0].nearness, f[1].article_id))
            quotable = [f for f in found if self._may_ground(f[1], today)]
            internal = [f for f in found if _for_people(f[1]) and f[0].nearness >= REFERENCE_NEAR]
            _take_best(hits, self._judged(asked, quotable[:CANDIDATES]))
            _take_best(references, self._judged(asked, internal[:2]))
        return Sources(_ordered(hits)[:limit], _ordered(references)[:2])

    def _may_ground(self, article: Article, today: date) -> bool:
        key = (article, today)
        if key not in self._quotable:
            self._quotable[key] = isinstance(may_ground(article, today), Permit)
        return self._quotable[key]

    def _candidate(self, article: Article, vector: Any) -> Candidate:
        if article not in self._known:
            titles = [article.title, *article.questions]
            lines = tuple(_bare(s) for s in sentences(article.body)) or (article.title,)
            rows = self._texts.embed([*titles, *lines, f"{article.title}. {article.body}"])
            self._known[article] = (len(titles), lines, rows)
        count, lines, rows = self._known[article]
        near = (rows @ vector).tolist()
        return Candidate(article.title, lines, max(near[:count]), tuple(near[count:-1]), near[-1])

    def _judged(self, asked: str, found: Sequence[tuple[Candidate, Article]]) -> tuple[Hit, ...]:
        if not found:
            return ()
        sure = self._judge.judge(asked, [candidate for candidate, _ in found])
        words = _words(asked)
        hits = []
        for (candidate, article), p in zip(found, sure, strict=True):
            if words and any(_words(q) == words for q in article.questions):
                p = max(p, SAME_QUESTION)
            elif candidate.nearness < NEAR_AT:
                p = min(p, FAR)
            hits.append(_hit(article, p))
        return tuple(hits)

    async def article(self, article_id: str, version: int) -> Article | None:
        """The article of that id and version, if it is still there."""
        found = await self._knowledge.article(article_id)
        return found if found is not None and found.version == version else None

    def relevant_sentences(self, question: str, article: Article) -> tuple[str, ...]:
        """The sentences of an article that answer, word for word and in the article's order.

        The first sentence always, because an answer out of the blue misleads; then what matches nearly as well as
        the very best. A numbered procedure comes whole, because half of one is a wrong instruction.
        """
        parts = blocks(article.body)
        asked = _asked(question)
        if not parts or not asked:
            return ()
        vector = self._encoder.embed([asked])[0]
        scores = [[float(row @ vector) for row in self._texts.embed([_bare(s) for s in part])] for part in parts]
        least = max(max(row) for row in scores) - NEIGHBOURS
        chosen: list[str] = []
        for part, row in zip(parts, scores, strict=True):
            steps = _NUMBER.match(part[0]) is not None
            for sentence, score in zip(part, row, strict=True):
                first = part is parts[0] and sentence is part[0]
                if first or score >= least or (steps and max(row) >= least):
                    chosen.append(sentence)
        return tuple(chosen)


QUESTIONS = 4
"""Question sentences of one message that are asked by themselves, besides the message as a whole."""


def _asks(question: str) -> list[str]:
    whole = _asked(question)
    single = [s for s in sentences(whole) if s.endswith("?") and len(s.split()) >= 4][:QUESTIONS]
    return list(dict.fromkeys([whole, *single])) if whole else []


def _for_people(article: Article) -> bool:
    return article.audience is not Audience.PUBLIC and bool(article.approved_by)


def _take_best(kept: dict[str, Hit], hits: Sequence[Hit]) -> None:
    for hit in hits:
        if hit.id not in kept or hit.score > kept[hit.id].score:
            kept[hit.id] = hit


def _ordered(hits: Mapping[str, Hit]) -> tuple[Hit, ...]:
    return tuple(sorted(hits.values(), key=lambda hit: (-hit.score, hit.id)))


def _asked(question: str) -> str:
    return ends_of(plain(question)).strip()


def _words(question: str) -> list[str]:
    return re.findall(r"\w+", plain(question))


def _bare(sentence: str) -> str:
    return _NUMBER.sub("", sentence)


def _hit(article: Article, score: float) -> Hit:
    return Hit(
        article.article_id, article.version, article.title, article.family, article.audience.value, round(score, 4)
    )
