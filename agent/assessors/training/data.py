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
    return "\n".join(said.strip() for who, said in zip(turns[::2], turns[1::2], strict=True) if who == "customer")


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
_HELLO = (
    "Hi, ", "Hello, ", "Hi there, ", "Good morning, ", "Hey, ", "Dear team, ", "quick question: ", "um, ",
    "okay so ", "yeah hi, ", "Hello, how are you? ", "Good evening. ", "so, ", "uh yes, ", "well ", "alright, ",
)  # fmt: skip
_BYE = (
    " Thanks.",
    " Thank you!",
    " Cheers",
    " Please advise.",
    " Regards, Sam",
    " thx",
    " Bye!",
    " Have a good one.",
)
_FILL = ("um", "uh", "like", "you know", "I mean", "well", "so", "er")

# What people say around any request. Nothing here raises a trigger: it is background to quiet and risky
# messages alike, so that length and small talk are no sign of either.
_AROUND = (
    "I hope you are having a good week.", "I have been with you for a few years now.", "We are a team of six.",
    "I looked around on the website first.", "My sister uses it as well.", "I am on my phone at the moment.",
    "I am new here.", "We are planning things for next month.", "I am just getting started.",
    "It is my first time doing this.", "I am asking for my mother.", "I work from home most days.",
    "My neighbour told me about you.", "I am at the desk now.", "We moved to the new version last spring.",
    "I read the page on it but it is rather long.", "The app looks nice, by the way.", "It is a small shop in town.",
    "I have a bit of time this afternoon.", "No hurry at all.", "I am sitting on the train right now.",
    "We like it so far.", "I could not find it in the menu.", "I was just wondering.", "It is for a school project.",
    "I use a laptop and an older tablet.", "My colleague asked me and I did not know.", "I had a look last night.",
    "We usually do this once a year.", "I am comparing a few options.", "I have two kids and a dog.",
    "It was raining, so I stayed in and tidied my papers.", "I came across it while reading your newsletter.",
    "I am writing down the steps for the others.", "A short answer is fine.", "I do not need it today.",
    "We are based in Leeds.", "I will be travelling in the summer.", "Our office is on the second floor.",
    "I am not very good with computers.", "I only want to understand it.", "Maybe this is a simple one.",
    "I saw it on the poster in the branch.", "My husband usually does this.", "I have it open in front of me.",
    "This is for next weekend.", "There are about twenty of us.", "I tried the search box.", "All good otherwise.",
    "The last person I talked to was very kind.", "I am making a list.", "We have just finished our training day.",
    "Sorry if this has been asked before.", "I like to plan ahead.", "It is about the blue one.",
    "I live close to the river.", "I am retired and have all day.", "My friend has the same one.",
    "I started on Monday.", "I wanted to check before the weekend.", "It came up at breakfast.",
    "I have a cup of tea here and am going through my list.", "We have used it since spring.",
    "I listened to your podcast.", "Okay.", "Yes.", "Sure, let me see.", "Right, that makes sense.",
    "Okay, got it.", "Perfect.", "Let me think.", "That sounds good.", "One moment please.", "Great, thank you.",
)  # fmt: skip


def among(text: str, rng: random.Random) -> str:
    """`text` with one to four sentences of background around it, on one line or as turns of a chat."""
    said = rng.sample(_AROUND, rng.choice((1, 1, 2, 2, 3, 4)))
    said.insert(rng.randrange(len(said) + 1), text if text[-1:] in ".!?" else f"{text}.")
    return rng.choice((" ", " ", "\n")).join(said)


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
    if rng.random() < 0.08:
        words = text.split()
        for _ in range(1 + len(words) // 12):
            words.insert(rng.randrange(len(words) + 1), rng.choice(_FILL))
        text = " ".join(words)
    if rng.random() < 0.15:
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
