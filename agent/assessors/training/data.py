# mypy: ignore-errors  (trained apart, in an environment of its own)
"""The training examples as arrays, and the small distortions used to widen them."""

from __future__ import annotations

import json
import random
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TRIGGERS = (
    "policy_sensitivity",
    "security_identity",
    "missing_context",
    "action_irreversibility",
    "customer_pressure",
    "multi_domain_complexity",
)
RISK = (0, 1, 3, 4, 5)  # the triggers that make a message risky on their own
NEEDS = ("public", "record", "decision", "none")
ORDER = {"low": 0, "medium": 1, "high": 2}
ASKS = 2 * len(TRIGGERS)
WIDTH = ASKS + 1 + len(NEEDS)


@dataclass(frozen=True)
class Example:
    text: str
    source: str
    industry: str
    family: str
    levels: tuple[int, ...]
    asks_human: bool
    needs: int

    @property
    def risky(self) -> bool:
        return any(self.levels[i] >= 1 for i in RISK)

    @property
    def quiet(self) -> bool:
        return not any(self.levels)


def customer_words(text: str) -> str:
    """The customer's turns of a thread written with `customer:` and `agent:` lines; any other text as it is."""
    if not re.match(r"(customer|agent):", text):
        return text
    turns = re.split(r"^(customer|agent):[ ]?", text, flags=re.MULTILINE)[1:]
    return "\n".join(
        said.strip() for who, said in zip(turns[::2], turns[1::2], strict=True) if who == "customer"
    )


def load(folder: Path) -> list[Example]:
    """Every well-formed row of `folder/*.jsonl`, in file order, exact repeats dropped."""
    rows: list[Example] = []
    seen: set[str] = set()
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                if "levels" not in row:  # a file of another kind
                    continue
                levels = tuple(ORDER[row["levels"].get(t, "low")] for t in TRIGGERS)
                example = Example(
                    customer_words(row["text"]), path.stem, row["industry"], row["family"], levels,
                    bool(row["asks_human"]), NEEDS.index(row["needs"]),
                )  # fmt: skip
            except (ValueError, KeyError, AttributeError) as problem:
                sys.stderr.write(f"skipped a row of {path.name}: {problem!r}\n")
                continue
            key = " ".join(re.findall(r"\w+", example.text.lower()))
            if key not in seen:
                seen.add(key)
                rows.append(example)
    return rows


def targets(rows: list[Example]) -> np.ndarray:
    """One row of 0/1 per example: >= medium and >= high for each trigger, asks_human, then the needs one-hot."""
    y = np.zeros((len(rows), WIDTH), np.float32)
    for n, row in enumerate(rows):
        for i, level in enumerate(row.levels):
            y[n, 2 * i] = level >= 1
            y[n, 2 * i + 1] = level >= 2
        y[n, ASKS] = row.asks_human
        y[n, ASKS + 1 + row.needs] = 1
    return y


_STOP = {
    "a", "an", "the", "is", "are", "to", "of", "for", "on", "in", "it", "this", "that", "and", "so", "am", "be",
    "at", "with", "was", "have", "has",
}  # fmt: skip
_HELLO = ("Hi, ", "Hello, ", "Hi there, ", "Good morning, ", "Hey, ", "Dear team, ", "quick question: ")
_BYE = (" Thanks.", " Thank you!", " Cheers", " Please advise.", " Regards, Sam", " thx")


def distort(text: str, rng: random.Random) -> str:
    """`text` as another hand might have typed it; the meaning, and so the labels, stay."""
    kind = rng.random()
    if kind < 0.25:
        return text
    if kind < 0.40:
        text = text.lower()
    if kind < 0.45:
        text = text.upper()
    if rng.random() < 0.25:
        text = re.sub(r"[.,!?;:'\"]", "", text)
    if rng.random() < 0.15:
        kept = [w for w in text.split() if w.lower() not in _STOP]
        text = " ".join(kept) if len(kept) > 2 else text
    if rng.random() < 0.2:
        words = text.split()
        for _ in range(1 + len(words) // 15):
            at = rng.randrange(len(words)) if words else 0
            if words and len(words[at]) > 3:
                words[at] = _typo(words[at], rng)
        text = " ".join(words)
    if rng.random() < 0.12:
        text = rng.choice(_HELLO) + text
    if rng.random() < 0.12:
        text = text + rng.choice(_BYE)
    return text


def _typo(word: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(word) - 1)
    return rng.choice((
        word[:at] + word[at + 1 :],
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        word[:at] + word[at] + word[at:],
    ))  # fmt: skip
