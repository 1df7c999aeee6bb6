# mypy: ignore-errors  (trained apart, in an environment of its own)
"""Fine-tuning of the second tail with its heads, and the reading of its scores."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from data import ASKS, WIDTH, Example, among, distort, targets
from minilm import HIDDEN, Base, mean_pool
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Recipe:
    split: int = 2  # layers of the trunk that stay as they are
    epochs: int = 3
    rate: float = 2e-4
    size: int = 32
    mix: float = 0.08  # share of examples joined with any other one, their levels combined
    join: float = 0.2  # share of quiet examples joined with one or two more quiet ones
    around: tuple[float, float] = (0.25, 0.2)  # share of quiet and of other examples set among background
    smooth: float = 0.02
    seed: int = 0


class Tuned(nn.Module):
    """The tuned tail on the frozen trunk, mean-pooled, and one linear layer of heads."""

    def __init__(self, base: Base, split: int) -> None:
        super().__init__()
        self.split = split
        self.tail = copy.deepcopy(nn.ModuleList(list(base.layers)[split:]))
        self.head = nn.Linear(HIDDEN, WIDTH)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def features(self, base: Base, ids: Tensor, mask: Tensor) -> Tensor:
        with torch.no_grad():
            x = base(ids, mask, self.split)
        wide = mask[:, None, None, :].bool()
        for layer in self.tail:
            x = layer(x, wide)
        return mean_pool(x, mask)

    def forward(self, base: Base, ids: Tensor, mask: Tensor) -> Tensor:
        pooled = self.features(base, ids, mask)
        return self.head(functional.dropout(pooled, 0.1, self.training))


def pad(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    mask = torch.zeros(ids.shape)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        mask[i, : len(row)] = 1
    return ids, mask


def run(fn: Callable[[Tensor, Tensor], Tensor], tokens: list[list[int]], size: int = 64) -> np.ndarray:
    order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
    out: dict[int, np.ndarray] = {}
    with torch.no_grad():
        for start in range(0, len(order), size):
            part = order[start : start + size]
            result = fn(*pad([tokens[i] for i in part])).float().numpy()
            out.update(zip(part, result, strict=True))
    return np.stack([out[i] for i in range(len(tokens))])


COLUMN = torch.ones(ASKS + 1)
COLUMN[4:6], COLUMN[10:12] = 0.7, 0.5  # missing context and multi-domain: not a text problem alone


def loss(z: Tensor, y: Tensor, weight: Tensor, smooth: float) -> Tensor:
    soft = y[:, : ASKS + 1] * (1 - 2 * smooth) + smooth
    each = functional.binary_cross_entropy_with_logits(z[:, : ASKS + 1], soft, pos_weight=weight, reduction="none")
    needs = functional.cross_entropy(z[:, ASKS + 1 :], y[:, ASKS + 1 :].argmax(1))
    return (each * COLUMN).mean() + 0.15 * needs


def joined(a: Example, ya: np.ndarray, b: Example, yb: np.ndarray, rng: random.Random) -> tuple[str, np.ndarray]:
    """Two messages as one: each trigger takes the higher level, the need the heavier one."""
    y = np.maximum(ya, yb)
    y[ASKS + 1 :] = 0
    y[ASKS + 1 + max((a.needs + 1) % 4, (b.needs + 1) % 4) - 1] = 1  # none < public < record < decision
    first, second = (a.text, b.text) if rng.random() < 0.5 else (b.text, a.text)
    return rng.choice((" ", "\n")).join((first, second)), y


def finetune(base: Base, tokenizer: Tokenizer, rows: list[Example], recipe: Recipe) -> Tuned:
    torch.manual_seed(recipe.seed)
    rng = random.Random(recipe.seed)
    y = targets(rows)
    share = np.maximum(y[:, : ASKS + 1].mean(0), 1e-3)
    weight = torch.tensor(np.clip(np.sqrt((1 - share) / share), 1, 6), dtype=torch.float32)
    quiet = [n for n, row in enumerate(rows) if row.quiet]
    net = Tuned(base, recipe.split)
    groups = [
        {"params": net.head.parameters(), "lr": recipe.rate * 5},
        {"params": net.tail.parameters(), "lr": recipe.rate},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
    steps = recipe.epochs * (len(rows) // recipe.size + 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda s: min(1.0, (s + 1) / (0.1 * steps)) * max(0.02, 1 - s / steps)
    )
    for _ in range(recipe.epochs):
        net.train()
        items: list[tuple[list[int], np.ndarray]] = []
        for n, row in enumerate(rows):
            # Those who wrote the examples wrote longer when there was trouble. Left alone, length itself
            # would count as trouble: so quiet messages are made longer more often.
            text, label, chance = row.text, y[n], rng.random()
            if chance < recipe.mix:
                m = rng.randrange(len(rows))
                text, label = joined(row, y[n], rows[m], y[m], rng)
            elif row.quiet and chance < recipe.mix + recipe.join:
                for m in rng.sample(quiet, rng.choice((1, 1, 2))):
                    other = Example(text, row.source, row.industry, row.family, row.levels, False, row.needs)
                    text, label = joined(other, label, rows[m], y[m], rng)
            elif chance > 1 - recipe.around[0 if row.quiet else 1]:
                text = among(text, rng)
            text = distort(text, rng)
            items.append((tokenizer.encode(text).ids, label))
        rng.shuffle(items)
        chunks = []
        for start in range(0, len(items), recipe.size * 16):  # similar lengths together: little padding
            block = sorted(items[start : start + recipe.size * 16], key=lambda item: len(item[0]))
            chunks += [block[i : i + recipe.size] for i in range(0, len(block), recipe.size)]
        rng.shuffle(chunks)
        for chunk in chunks:
            ids, mask = pad([item[0] for item in chunk])
            with torch.autocast("cpu", torch.bfloat16):
                z = net(base, ids, mask)
            value = loss(z.float(), torch.tensor(np.stack([item[1] for item in chunk])), weight, recipe.smooth)
            optimiser.zero_grad()
            value.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
    return net.eval()
