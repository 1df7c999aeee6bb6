# mypy: ignore-errors  (trained apart, in an environment of its own)
"""Trains and exports the part of the judge that was made on full lists: the made-up company's own, by halves.

    python answering_full_lists.py        # as answering.py; about a minute

One half of each article's list makes the shelf, the questions of the other half are asked, and the other way round. No
question by which answering is measured is read.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import warnings
from datetime import date
from pathlib import Path

import numpy as np
from answering import HERE, Fitted, Kept, Question

from agent.assessors.answering.shelf import Listing, Shelf
from agent.remembering import listing_of
from guards.gate import Permit
from tools.knowledge import may_ground
from tools.sandbox import SandboxCompany
from tools.systems import Audience

TODAY = date(2026, 3, 10)
SHARE = 0.03
GROUPS = 3
"""Parts of the articles that are in turn left out of the shelf: what only they answer, nothing there answers."""
GONE = 4
"""One in so many of those questions is asked: customers ask more that is answered than that is not."""


def half(listed: tuple[str, ...], which: int) -> tuple[str, ...]:
    middle = (len(listed) + 1) // 2
    return listed[middle:] if which else listed[:middle]


def asked_by_halves() -> list[tuple[int, Question]]:
    articles = asyncio.run(SandboxCompany().systems().knowledge.articles({Audience.PUBLIC}))
    live = [a for a in articles if isinstance(may_ground(a, TODAY), Permit)]
    closed = [text for a in articles if a.approved_by and a not in live for text in (a.title, *a.questions)]
    lists, embed, found = [listing_of(a) for a in live], Kept(), []
    for which in (0, 1):
        kept = [Listing(x.title, half(x.questions, which), half(x.not_answered, which), x.sentences) for x in lists]
        everyone = range(len(lists))
        found += [(which, q) for q in _asked(lists, everyone, Shelf(kept, embed, closed), everyone, which, embed)]
        for group in range(GROUPS):
            there = [n for n in everyone if n % GROUPS != group]
            gone = [n for n in everyone if n % GROUPS == group]
            shelf = Shelf([kept[n] for n in there], embed, closed)
            found += [(which, q) for q in _asked(lists, gone, shelf, there, which, embed)]
    return found


def _asked(lists, owners, shelf, there, which, embed) -> list[Question]:
    """The other halves' questions of some articles, asked of a shelf: one that is not there answers none of its own."""
    found = []
    for n in owners:
        for listed, able in ((lists[n].questions, n in there), (lists[n].not_answered, False)):
            for text in half(listed, 1 - which)[:: 1 if n in there else GONE]:
                likely = shelf.candidates(text, embed([text])[0])
                among, x = [there[m] for m, _ in likely], np.array([c.evidence for _, c in likely])
                # Whether another article answers what this one does not, nobody said: ``labels`` leaves it out.
                siblings = list(there) if n in there else []
                found.append(Question(text, "", n, able, "full", siblings, among, x))
    return found


def right_at(share: float, fitted: Fitted, asked: list[Question]) -> float:
    """Which share of all that is answerable is answered rightly where ``share`` of everything is answered wrongly."""
    told = []
    for q in asked:
        sure = fitted(q.x)
        told.append((float(sure.max()), q.answers and q.among[int(sure.argmax())] == q.article))
    wrong = sorted((p for p, right in told if not right), reverse=True)
    bar = wrong[int(share * len(told))]
    return sum(right for p, right in told if p > bar) / sum(q.answers for q in asked)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE.parent / "answering" / "weights")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    warnings.filterwarnings("ignore")  # nets stopped early, on purpose
    asked = asked_by_halves()
    for which in (0, 1):
        fitted = Fitted([q for half_, q in asked if half_ == which])
        other = [q for half_, q in asked if half_ != which]
        logging.info("trained on half %d: answered rightly at 3%% wrong %.3f", which, right_at(SHARE, fitted, other))
    Fitted([q for _, q in asked]).save(args.out / "judge_full_lists.npz")


if __name__ == "__main__":
    main()
