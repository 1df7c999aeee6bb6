# mypy: ignore-errors  (trained apart, in an environment of its own)
"""Trains, measures and exports the judge of agent/assessors/answering: a line and three small nets over figures.

    python answering.py        # numpy, onnxruntime, tokenizers and scikit-learn; a few minutes

The table comes from products that were not trained on: five parts, split by product.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2]))

from agent.assessors.answering.shelf import Listing, Shelf  # noqa: E402
from agent.assessors.encoder import TextEncoder  # noqa: E402
from guards.wording import plain  # noqa: E402

PARTS = 5
BASE = 40
NETS = 3
LIMITS = (0.2, 0.25, 0.3, 0.33, 0.36, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)


@dataclass
class Question:
    text: str
    product: str
    article: int
    answers: bool
    kind: str  # "hard" from answers.jsonl, "tidy" from answering_questions.jsonl
    siblings: list[int]  # the product's own articles
    among: list[int] = ()  # the articles the judge compares, the likeliest first
    x: np.ndarray | None = None


class Kept:
    """Embeds each text once."""

    def __init__(self) -> None:
        self.encoder, self.rows = TextEncoder(), {}

    def __call__(self, texts: list[str]) -> np.ndarray:
        for text in texts:
            if text not in self.rows:
                self.rows[text] = self.encoder.embed([text])[0]
        return np.stack([self.rows[t] for t in texts])


def read(examples: Path) -> list[Question]:
    rows = [json.loads(line) for line in (examples / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [r for r in rows if not r["article"].startswith("tandemly-")]  # kept for others' tests
    lists = [json.loads(line) for line in (examples / "answers_listed.jsonl").read_text(encoding="utf-8").splitlines()]
    listed = {r["article"]: (tuple(r["questions"]), tuple(r["not_answered"])) for r in lists}
    shelf = [Listing(r["title"], *listed[r["article"]], tuple(r["body"])) for r in rows]
    place = {r["article"]: n for n, r in enumerate(rows)}
    found = []
    for n, r in enumerate(rows):
        asked = [(q["question"], True) for q in r["answerable"]] + [(q, False) for q in r["near_misses"]]
        found += [Question(text, r["product"], n, able, "hard", []) for text, able in asked]
    for line in (HERE / "answering_questions.jsonl").read_text(encoding="utf-8").splitlines():
        raw = json.loads(line)
        n = place[raw["article"]]
        found.append(Question(raw["question"], rows[n]["product"], n, bool(raw["sentences"]), "tidy", []))
    embed = Kept()
    # A knowledge base as large as a real one: the product's own articles, and others' to lead astray.
    for product in sorted({r["product"] for r in rows}):
        own = [n for n, r in enumerate(rows) if r["product"] == product]
        others = [n for n in range(len(rows)) if rows[n]["product"] != product]
        base = [*own, *random.Random(product).sample(others, BASE - len(own))]
        search = Shelf([shelf[n] for n in base], embed)
        for q in found:
            if q.product != product:
                continue
            text = plain(q.text)
            likely = search.candidates(text, embed([text])[0])
            q.siblings = own
            q.among = [base[n] for n, _ in likely]
            q.x = np.array([c.evidence for _, c in likely])
    return found


def labels(q: Question) -> np.ndarray:
    """-1 where nobody said whether a sibling answers a near miss."""
    return np.array(
        [int(q.answers) if n == q.article else (-1 if n in q.siblings and not q.answers else 0) for n in q.among]
    )


class Fitted:
    def __init__(self, train: list[Question]) -> None:
        x, y = np.concatenate([q.x for q in train]), np.concatenate([labels(q) for q in train])
        x, y = x[y >= 0], y[y >= 0]
        self.mean, self.spread = x.mean(0), x.std(0) + 1e-9
        x = (x - self.mean) / self.spread
        self.line = LogisticRegression(C=0.3, max_iter=3000).fit(x, y)
        self.nets = [MLPClassifier((16,), alpha=3.0, max_iter=150, random_state=seed).fit(x, y) for seed in range(NETS)]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        x = (x - self.mean) / self.spread
        nets = np.mean([n.predict_proba(x)[:, 1] for n in self.nets], axis=0)
        return (self.line.predict_proba(x)[:, 1] + nets) / 2

    def save(self, path: Path) -> None:
        np.savez(
            path,
            mean=self.mean,
            spread=self.spread,
            line=self.line.coef_[0],
            line_bias=self.line.intercept_[0],
            inner=np.stack([n.coefs_[0] for n in self.nets]),
            inner_bias=np.stack([n.intercepts_[0] for n in self.nets]),
            outer=np.stack([n.coefs_[1][:, 0] for n in self.nets]),
            outer_bias=np.array([n.intercepts_[1][0] for n in self.nets]),
        )


def report(asked: list[tuple[Question, int, float]], title: str) -> None:
    able = [a for a in asked if a[0].answers]
    first = np.mean([n == q.article for q, n, _ in able])
    logging.info(
        "%s: %d answerable, %d near misses, first is right %.3f", title, len(able), len(asked) - len(able), first
    )
    for limit in LIMITS:
        right = sum(n == q.article for q, n, p in able if p >= limit)
        other = sum(n != q.article for q, n, p in able if p >= limit)
        near = [q.article == n for q, n, p in asked if not q.answers and p >= limit]
        logging.info(
            "  at %.2f answered %.3f, another article %d, near misses answered %d (%d by their own), wrong %.3f of all",
            limit, right / len(able), other, len(near), sum(near), (other + len(near)) / len(asked),
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=Path, default=HERE.parent / "examples")
    parser.add_argument("--out", type=Path, default=HERE.parent / "answering" / "weights")
    parser.add_argument("--limit", type=float, default=0.62, help="for the table by product")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    warnings.filterwarnings("ignore")  # nets stopped early, on purpose
    questions = read(args.examples)
    products = sorted({q.product for q in questions})
    random.Random(3).shuffle(products)
    part = {p: n % PARTS for n, p in enumerate(products)}
    asked = []
    for n in range(PARTS):
        fitted = Fitted([q for q in questions if part[q.product] != n])
        for q in questions:
            if part[q.product] == n:
                sure = fitted(q.x)
                asked.append((q, q.among[int(sure.argmax())], float(sure.max())))
    report(asked, "all")
    for kind in ("hard", "tidy"):
        report([a for a in asked if a[0].kind == kind], kind)
    for low in np.arange(0, 1, 0.1):
        inside = [q.answers and n == q.article for q, n, p in asked if low <= p < low + 0.1]
        if inside:
            logging.info("  told %.1f to %.1f: %d, right %.3f", low, low + 0.1, len(inside), np.mean(inside))
    for p in sorted(products):
        mine = [a for a in asked if a[0].product == p]
        able = [a for a in mine if a[0].answers]
        right = sum(n == q.article for q, n, s in able if s >= args.limit)
        other = sum(n != q.article for q, n, s in able if s >= args.limit)
        near = sum(s >= args.limit for q, _, s in mine if not q.answers)
        logging.info(
            "| %s | %d | %.0f%% | %.1f%% | %d of %d |",
            p, len(mine), 100 * right / len(able), 100 * (other + near) / len(mine), near, len(mine) - len(able),
        )  # fmt: skip
    args.out.mkdir(parents=True, exist_ok=True)
    Fitted(questions).save(args.out / "judge.npz")


if __name__ == "__main__":
    main()
