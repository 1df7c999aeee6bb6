"""The local text encoder: one message in, fixed vectors out, from files in the repository.

Nothing here touches the network, and nothing is loaded before the first text is read.
"""

from __future__ import annotations

import hashlib
import threading
import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime  # type: ignore[import-untyped]  # ships no type information
from tokenizers import Tokenizer

Vectors = npt.NDArray[np.float32]

WEIGHTS: Final = Path(__file__).resolve().parent / "weights"
WIDTH: Final = 384
MAX_TOKENS: Final = 256

# A token is at least one character and a word rarely more than a dozen, so this many characters always
# fill the token limit; cutting first keeps the tokenizer's time bounded on hostile input.
_MAX_CHARS: Final = 8 * MAX_TOKENS

# Format characters, lone surrogates, marks: nothing to see by themselves, but they can split a word unseen.
_UNSEEN: Final = frozenset(("Cf", "Cs", "Mn", "Me"))


@cache
def fingerprint(weights: Path) -> str:
    """The first 12 hex digits of the SHA-256 over every file in `weights` that decides an output."""
    digest = hashlib.sha256()
    for name in ("encoder.onnx", "tokenizer.json", "heads.npz", "heads.json"):
        digest.update(name.encode())
        digest.update(hashlib.sha256((weights / name).read_bytes()).digest())
    return digest.hexdigest()[:12]


def tidy(text: str) -> str:
    """The text as the encoder reads it: compatibility forms folded, invisible characters dropped."""
    if text.isascii() and text.isprintable():
        return text
    folded = unicodedata.normalize("NFKC", text)
    return "".join(c if c.isprintable() else " " for c in folded if unicodedata.category(c) not in _UNSEEN)


class TextEncoder:
    """Turns texts into vectors; the same text gives the same vectors whatever it is read beside.

    The session is built on first use and shared by all threads (the runtime's `run` is thread-safe). It uses
    one thread, so that sums are always taken in the same order.
    """

    def __init__(self, weights: Path = WEIGHTS) -> None:
        self._weights = weights
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any, tuple[str, ...]] | None = None

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Sentence embeddings for retrieval, one row a text, each of unit length: compare by dot product.

        Only the first 256 tokens of a text are read. A text with nothing legible in it still gets a row.
        """
        return self.read(texts)[0]

    def read(self, texts: Sequence[str]) -> tuple[Vectors, Vectors]:
        """`(embedding, features)`: the retrieval embedding, and the tuned vectors the trigger heads read."""
        if not texts:
            return np.zeros((0, WIDTH), np.float32), np.zeros((0, WIDTH), np.float32)
        session, tokenizer, outputs = self._load()
        rows: list[list[Vectors]] = []
        for text in texts:
            ids = tokenizer.encode(tidy(text[:_MAX_CHARS])).ids
            # One text a run: no padding, and the runtime's activation scales come from this text alone.
            rows.append(session.run(list(outputs), {"ids": np.array([ids], np.int64)}))
        embedding = np.concatenate([row[0] for row in rows])
        embedding /= np.maximum(np.linalg.norm(embedding, axis=1, keepdims=True), np.float32(1e-12))
        return embedding, np.concatenate([row[-1] for row in rows])

    def _load(self) -> tuple[Any, Any, tuple[str, ...]]:
        with self._lock:
            if self._loaded is None:
                options = onnxruntime.SessionOptions()
                options.intra_op_num_threads = 1
                options.inter_op_num_threads = 1
                options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
                options.log_severity_level = 3
                session = onnxruntime.InferenceSession(
                    str(self._weights / "encoder.onnx"), options, providers=["CPUExecutionProvider"]
                )
                tokenizer = Tokenizer.from_file(str(self._weights / "tokenizer.json"))
                tokenizer.no_padding()
                tokenizer.enable_truncation(MAX_TOKENS)
                outputs = tuple(output.name for output in session.get_outputs())
                self._loaded = (session, tokenizer, outputs)
            return self._loaded
