"""Finds the approved article that answers a question, and says plainly when none does."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from guards.gate import Permit
from guards.wording import blocks, plain, sentences
from tools.knowledge import may_ground
from tools.systems import Article, Audience, Knowledge

# How sure the match must be, on the scale of `_Index.scores`. Set on the company's own paraphrased questions
# and near misses (tests/tools/knowledge_questions.toml); `lanewise bench` prints what they cost and gain.
ANSWER_AT = 0.52
"""At or above this an article answers by itself."""
ASK_AT = 0.45
"""Two articles between this and ANSWER_AT, close together, are worth one clarifying question."""
CLOSE = 0.04
NEIGHBOURS = 0.08
"""A paragraph whose best sentence matches this nearly as well as the very best is quoted with it."""
QUESTION_CHARS = 2000
"""Of a longer question, the encoder reads its beginning."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One article that was found."""

    id: str
    version: int
    title: str
    family: str
    audience: str
    score: float
    """0 to 1: how well it matches the question."""

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


class SourceFinder:
    """Search over the articles of one knowledge base: words (FTS) propose, meaning (the local encoder) ranks."""

    def __init__(self, knowledge: Knowledge, encoder: Embeds, texts: Remembering) -> None:
        """``texts`` embeds the articles and remembers them; ``encoder`` embeds questions, which are kept nowhere."""
        self._knowledge = knowledge
        self._encoder = encoder
        self._texts = texts

    async def find(self, question: str, today: date, limit: int = 4) -> Sources:
        """The articles for a question, scored; only current approved public ones are in ``hits``."""
        asked = plain(question)[:QUESTION_CHARS]
        if not asked:
            return Sources(note="there are no words to look up")
        vector = self._encoder.embed([asked])[0]
        by_words = await self._knowledge.search(asked, set(Audience), limit=6)
        ranks = {hit.article.article_id: rank for rank, hit in enumerate(by_words)}
        scored = []
        for article in await self._knowledge.articles(set(Audience)):
            # A match of words moves the score a little; alone it is not an answer.
            words = 0.06 - 0.01 * ranks[article.article_id] if article.article_id in ranks else 0.0
            scored.append((self._meaning(article, vector) + words, article))
        scored.sort(key=lambda pair: (-pair[0], pair[1].article_id))
        quotable = [p for p in scored if isinstance(may_ground(p[1], today), Permit)]
        internal = [p for p in scored if p[1].audience is not Audience.PUBLIC and p[1].approved_by]
        return Sources(
            tuple(_hit(a, s) for s, a in quotable[:limit]),
            tuple(_hit(a, s) for s, a in internal[:2] if s >= ASK_AT - 0.1),
        )

    def _meaning(self, article: Article, vector: Any) -> float:
        titles = [article.title, *article.questions]
        lines = [_bare(s) for s in sentences(article.body)] or [article.title]
        near = self._texts.embed([*titles, *lines, f"{article.title}. {article.body}"]) @ vector
        return float((near[: len(titles)].max() + near[len(titles) : -1].max() + near[-1]) / 3)

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
        vector = self._encoder.embed([plain(question)[:QUESTION_CHARS]])[0]
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


def _bare(sentence: str) -> str:
    return _NUMBER.sub("", sentence)


def _hit(article: Article, score: float) -> Hit:
    return Hit(
        article.article_id, article.version, article.title, article.family, article.audience.value, round(score, 4)
    )
