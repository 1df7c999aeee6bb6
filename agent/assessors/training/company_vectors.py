"""Computes the vectors of the made-up company's articles that come with the product.

python -m agent.assessors.training.company_vectors
"""

from __future__ import annotations

import asyncio

import numpy as np

from agent.assessors.encoder import WEIGHTS, fingerprint
from agent.remembering import Remembering
from agent.sources import SourceFinder
from agent.wiring import COMPANY_VECTORS, text_head
from tools.sandbox import SandboxCompany


def main() -> None:
    """Searches once, for which everything is computed, and keeps it in half precision: half the size, the same answers."""
    company, encoder = SandboxCompany(), text_head().encoder
    vectors = Remembering(encoder)
    finder = SourceFinder(company.systems().knowledge, encoder, vectors)
    asyncio.run(finder.find("Where do I begin?", company.now.date()))
    vectors.save(COMPANY_VECTORS, fingerprint(WEIGHTS), np.float16)


if __name__ == "__main__":
    main()
