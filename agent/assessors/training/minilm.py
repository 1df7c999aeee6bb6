# mypy: ignore-errors  (trained apart, in an environment of its own)
"""A plain PyTorch reading of the BERT-shaped base model, and its ONNX export.

Written out by hand (about a hundred lines) instead of importing a model library: the exported graph is then
exactly what is described here, with a shared trunk and two tails, and the training environment stays small.
"""

from __future__ import annotations

import math
import unicodedata
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

HIDDEN, HEADS, INNER, EPS = 384, 12, 1536, 1e-12


class Layer(nn.Module):
    """One post-norm transformer layer, dropout only while training."""

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(HIDDEN, HIDDEN) for _ in range(4))
        self.up, self.down = nn.Linear(HIDDEN, INNER), nn.Linear(INNER, HIDDEN)
        self.norm_a, self.norm_b = nn.LayerNorm(HIDDEN, EPS), nn.LayerNorm(HIDDEN, EPS)
        self.dropout = dropout

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        batch, length, _ = x.shape

        def split(t: Tensor) -> Tensor:
            return t.view(batch, length, HEADS, HIDDEN // HEADS).transpose(1, 2)

        drop = self.dropout if self.training else 0.0
        a = functional.scaled_dot_product_attention(
            split(self.q(x)), split(self.k(x)), split(self.v(x)), attn_mask=mask, dropout_p=drop
        )
        a = self.o(a.transpose(1, 2).reshape(batch, length, HIDDEN))
        x = self.norm_a(x + functional.dropout(a, drop, self.training))
        b = self.down(functional.gelu(self.up(x)))
        return self.norm_b(x + functional.dropout(b, drop, self.training))


class Base(nn.Module):
    """The whole base model: embeddings and layers; `forward` gives the token states after `upto` layers."""

    def __init__(self, vocab: int, layers: int = 6) -> None:
        super().__init__()
        self.words = nn.Embedding(vocab, HIDDEN)
        self.positions = nn.Embedding(512, HIDDEN)
        self.kind = nn.Parameter(torch.zeros(HIDDEN))
        self.norm = nn.LayerNorm(HIDDEN, EPS)
        self.layers = nn.ModuleList(Layer() for _ in range(layers))

    def embed(self, ids: Tensor) -> Tensor:
        where = torch.arange(ids.shape[1], device=ids.device)
        return self.norm(self.words(ids) + self.positions(where)[None] + self.kind)

    def forward(self, ids: Tensor, mask: Tensor, upto: int | None = None) -> Tensor:
        x = self.embed(ids)
        wide = mask[:, None, None, :].bool()
        for layer in list(self.layers)[: upto if upto is not None else len(self.layers)]:
            x = layer(x, wide)
        return x


def mean_pool(states: Tensor, mask: Tensor) -> Tensor:
    weight = mask[:, :, None].float()
    return (states * weight).sum(1) / weight.sum(1).clamp(min=1.0)


def load_base(model_dir: Path, keep: list[int] | None = None) -> Base:
    """Read `model.safetensors` of the base package; `keep` selects the vocabulary rows that stay."""
    from safetensors.torch import load_file

    raw = load_file(str(model_dir / "model.safetensors"))
    words = raw["embeddings.word_embeddings.weight"]
    if keep is not None:
        words = words[torch.tensor(keep)]
    count = 1 + max(int(k.split(".")[2]) for k in raw if k.startswith("encoder.layer."))
    base = Base(words.shape[0], count)
    state = {
        "words.weight": words,
        "positions.weight": raw["embeddings.position_embeddings.weight"],
        "kind": raw["embeddings.token_type_embeddings.weight"][0],
        "norm.weight": raw["embeddings.LayerNorm.weight"],
        "norm.bias": raw["embeddings.LayerNorm.bias"],
    }
    names = {
        "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
        "o": "attention.output.dense", "norm_a": "attention.output.LayerNorm",
        "up": "intermediate.dense", "down": "output.dense", "norm_b": "output.LayerNorm",
    }  # fmt: skip
    for i in range(count):
        for ours, theirs in names.items():
            for part in ("weight", "bias"):
                state[f"layers.{i}.{ours}.{part}"] = raw[f"encoder.layer.{i}.{theirs}.{part}"]
    base.load_state_dict(state)
    return base.eval()


def useful_rows(vocab: dict[str, int]) -> list[int]:
    """The vocabulary rows worth shipping: everything but placeholders and letters of non-Latin scripts.

    The base was trained on English; its handful of single letters of other scripts carry no meaning, and
    accented letters are folded by the tokenizer before they are looked up.
    """

    def foreign(token: str) -> bool:
        return any(c.isalpha() and not c.isascii() and not c.isdigit() for c in unicodedata.normalize("NFD", token))

    rows = [i for t, i in vocab.items() if not t.startswith("[unused") and not foreign(t)]
    return sorted(rows)


class _Graph:
    """Collects nodes and weights for one ONNX graph."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.count = 0

    def weight(self, name: str, value: np.ndarray) -> str:
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def op(self, kind: str, *inputs: str, out: str | None = None, **attrs: object) -> str:
        self.count += 1
        result = out or f"t{self.count}"
        self.nodes.append(helper.make_node(kind, list(inputs), [result], name=f"{kind}_{self.count}", **attrs))
        return result

    def linear(self, x: str, module: nn.Linear, name: str) -> str:
        w = self.weight(f"{name}.w", module.weight.detach().numpy().T)
        b = self.weight(f"{name}.b", module.bias.detach().numpy())
        return self.op("Add", self.op("MatMul", x, w), b)

    def norm(self, x: str, module: nn.LayerNorm, name: str) -> str:
        w = self.weight(f"{name}.w", module.weight.detach().numpy())
        b = self.weight(f"{name}.b", module.bias.detach().numpy())
        return self.op("LayerNormalization", x, w, b, axis=-1, epsilon=EPS)

    def layer(self, x: str, module: Layer, name: str) -> str:
        def split(t: str, perm: list[int]) -> str:
            return self.op("Transpose", self.op("Reshape", t, "shape.split"), perm=perm)

        q = split(self.linear(x, module.q, f"{name}.q"), [0, 2, 1, 3])
        k = split(self.linear(x, module.k, f"{name}.k"), [0, 2, 3, 1])
        v = split(self.linear(x, module.v, f"{name}.v"), [0, 2, 1, 3])
        scores = self.op("Softmax", self.op("Mul", self.op("MatMul", q, k), "scale"), axis=-1)
        mixed = self.op("Transpose", self.op("MatMul", scores, v), perm=[0, 2, 1, 3])
        a = self.linear(self.op("Reshape", mixed, "shape.join"), module.o, f"{name}.o")
        x = self.norm(self.op("Add", x, a), module.norm_a, f"{name}.norm_a")
        up = self.linear(x, module.up, f"{name}.up")
        # gelu written out with Erf, which every runtime fuses and which is what the base was trained with
        erf = self.op("Erf", self.op("Mul", up, "sqrt_half"))
        gelu = self.op("Mul", self.op("Mul", up, self.op("Add", erf, "one")), "half")
        down = self.linear(gelu, module.down, f"{name}.down")
        return self.norm(self.op("Add", x, down), module.norm_b, f"{name}.norm_b")


def export(base: Base, tail: nn.ModuleList | None, split_at: int, path: Path, pool: str = "mean") -> None:
    """Write the graph: `ids` [1, n] -> `embedding` [1, 384] (unit length) and `features` [1, 384].

    `features` is the pooled state of the fine-tuned tail, which starts after layer `split_at` of the shared
    trunk. One text a run, so there is neither padding nor a mask: a text's vectors cannot depend on its neighbours.
    """
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
    words = g.weight("words", base.words.weight.detach().numpy())
    # the one token kind that is ever used is folded into the positions
    places = g.weight("positions", (base.positions.weight + base.kind).detach().numpy()[:320])
    length = g.op("Shape", "ids", start=1, end=2)
    x = g.op("Add", g.op("Gather", words, "ids"), g.op("Slice", places, "zero", length, "zero"))
    x = g.norm(x, base.norm, "norm")
    fork = x
    for i, layer in enumerate(base.layers):
        if i == split_at:
            fork = x
        x = g.layer(x, layer, f"base{i}")
    if split_at >= len(base.layers):
        fork = x
    pooled = g.op("ReduceMean", x, "axis", keepdims=0)
    size = g.op("Sqrt", g.op("ReduceSum", g.op("Mul", pooled, pooled), "last", keepdims=1))
    g.op("Div", pooled, size, out="embedding")
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, HIDDEN])]
    if tail is not None:
        y = fork
        for i, layer in enumerate(tail):
            y = g.layer(y, layer, f"tail{i}")
        g.op("ReduceMean", y, "axis", keepdims=0, out="features")
        outputs.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, HIDDEN]))
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, [1, "n"])
    graph = helper.make_graph(g.nodes, "text_encoder", [ids], outputs, g.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], producer_name="training")
    model.ir_version = 9
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
