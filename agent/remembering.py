"""The vectors of approved articles, kept while they are asked about and from one process to the next."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from agent.assessors.answering.shelf import Listing, Shelf
from guards.wording import sentences
from tools.systems import Article

NUMBERED = re.compile(r"^\d+[.)]\s*")
"""How a step of a procedure begins."""
SHELVES = 8
"""Shelves that are kept: a company has two, one for customers and one for people."""


class Embeds(Protocol):
    """Turns texts into unit vectors."""

    def embed(self, texts: Sequence[str]) -> Any:
        """One row a text."""


class Remembering:
    """An encoder that keeps the vectors of texts it has seen: approved articles are asked about all day."""

    def __init__(self, encoder: Embeds) -> None:
        self._encoder = encoder
        self._kept: dict[str, Any] = {}
        self._packaged: frozenset[str] = frozenset()
        self._shelves: dict[Any, Shelf] = {}

    def shelf(self, articles: tuple[Article, ...], closed: tuple[Article, ...]) -> Shelf:
        """The shelf of those articles, and of those out of use. It costs far more to make than to ask, and is the same
        for whoever asks: the last few are kept."""
        key = (articles, closed)
        found = self._shelves.pop(key, None)
        if found is None:
            lost = [text for a in closed for text in (a.title, *a.questions)]
            found = Shelf([listing_of(a) for a in articles], self.embed, lost)
        self._shelves[key] = found  # the newest last
        while len(self._shelves) > SHELVES:
            del self._shelves[next(iter(self._shelves))]
        return found

    def warm(self, articles: Sequence[Article], stop: Callable[[], bool]) -> None:
        """Computes what articles are found by, before anybody asks. ``stop`` is asked before each."""
        for article in articles:
            if stop():
                return
            listing = listing_of(article)
            self.embed([*listing.sentences, listing.whole, article.title, *article.questions])

    def embed(self, texts: Sequence[str]) -> Any:
        """One row a text; only new texts are computed."""
        new = [t for t in dict.fromkeys(texts) if t not in self._kept]
        if new:
            self._kept.update(zip(new, self._encoder.embed(new), strict=True))
        return np.stack([self._kept[t] for t in texts])

    def load(self, file: Path, fingerprint: str, *, packaged: bool = False) -> None:
        """Takes in what ``save`` wrote, if the same encoder wrote it; anything else in that place is ignored. What is
        ``packaged`` with the product is not saved again."""
        try:
            with np.load(file, allow_pickle=False) as kept:
                if str(kept["fingerprint"]) != fingerprint:
                    return
                found = dict(zip(json.loads(kept["texts"].tobytes()), kept["rows"].astype(np.float32), strict=True))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return
        self._kept.update(found)
        if packaged:
            self._packaged |= found.keys()

    def save(self, file: Path, fingerprint: str, width: type[np.floating[Any]] = np.float32) -> None:
        """Keeps the vectors for the next process. They are a copy of computed values: losing them loses time only."""
        own = {text: row for text, row in self._kept.items() if text not in self._packaged}
        if not own:
            return
        partial = file.with_suffix(f".{os.getpid()}.npz")
        # As bytes: an array of strings would take the length of the longest text for each.
        texts = np.frombuffer(json.dumps(list(own)).encode(), np.uint8)
        np.savez(partial, fingerprint=fingerprint, texts=texts, rows=np.stack(list(own.values())).astype(width))
        partial.replace(file)


def listing_of(article: Article) -> Listing:
    """What an article is found by."""
    lines = tuple(bare(s) for s in sentences(article.body)) or (article.title,)
    return Listing(article.title, article.questions, article.not_answered, lines)


def bare(sentence: str) -> str:
    """The sentence without its number in a procedure."""
    return NUMBERED.sub("", sentence)
