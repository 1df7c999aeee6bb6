"""Tests of the vectors that come with the product: whole, the encoder's own, and never saved a second time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agent.assessors.encoder import WEIGHTS, TextEncoder, fingerprint
from agent.remembering import Remembering
from agent.sources import SourceFinder
from agent.wiring import COMPANY_VECTORS
from tools.sandbox import SandboxCompany

EVERY = 97
"""Of so many texts one is computed again."""


class Counting:
    """The packaged encoder, and what it was asked to compute."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._encoder = TextEncoder()

    def embed(self, texts: Sequence[str]) -> Any:
        self.asked += texts
        return self._encoder.embed(texts)


def find_once(vectors: Remembering, encoder: Counting, question: str) -> None:
    company = SandboxCompany()
    finder = SourceFinder(company.systems().knowledge, encoder, vectors)
    asyncio.run(finder.find(question, company.now.date()))


def test_a_search_of_the_made_up_company_computes_its_question_and_nothing_else() -> None:
    encoder = Counting()
    vectors = Remembering(encoder)
    vectors.load(COMPANY_VECTORS, fingerprint(WEIGHTS), packaged=True)
    find_once(vectors, encoder, "Where are the invoices?")
    assert [t.lower() for t in encoder.asked] == ["where are the invoices?"], (
        "articles were changed: run `python -m agent.assessors.training.company_vectors`"
    )


def test_packaged_vectors_are_what_the_encoder_computes() -> None:
    with np.load(COMPANY_VECTORS, allow_pickle=False) as kept:
        texts, rows = json.loads(kept["texts"].tobytes()), kept["rows"]
    again = TextEncoder().embed(texts[::EVERY])
    assert len(again) > 20
    assert np.abs(again - rows[::EVERY].astype(np.float32)).max() < 1e-3


def test_only_what_was_computed_here_is_saved(tmp_path: Path) -> None:
    encoder = Counting()
    vectors = Remembering(encoder)
    vectors.load(COMPANY_VECTORS, fingerprint(WEIGHTS), packaged=True)
    vectors.save(tmp_path / "vectors.npz", fingerprint(WEIGHTS))
    assert not list(tmp_path.iterdir())
    vectors.embed(["An article of a team's own."])
    vectors.save(tmp_path / "vectors.npz", fingerprint(WEIGHTS))
    with np.load(tmp_path / "vectors.npz", allow_pickle=False) as kept:
        assert json.loads(kept["texts"].tobytes()) == ["An article of a team's own."]


def test_vectors_of_another_encoder_are_not_taken_in() -> None:
    encoder = Counting()
    vectors = Remembering(encoder)
    vectors.load(COMPANY_VECTORS, "another", packaged=True)
    assert vectors.embed(["Where are the invoices?"]).shape == (1, 384)
    assert encoder.asked == ["Where are the invoices?"]
