"""The one door to a model: masked words in, a checked answer or a ModelFailure out, at most two calls a message."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NoReturn, cast
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from agent.errors import ModelFailure, ModelMisconfigured
from prompts import budget as token_budget
from prompts.library import Json, PromptError, Turn, faults, fingerprint
from prompts.masking import Masked, mask

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_openai import ChatOpenAI

OPENAI = "https://api.openai.com/v1"
CALLS_A_MESSAGE = 2
"""The most model calls one customer message may cause: one to assess it, one to answer or draft (issue 2, item 9)."""
TIMEOUT_SECONDS = 60.0
"""A small model on two cores needs half of it to read its prompt for the first time."""
_RETRY_WAIT_SECONDS = 0.5
_TOP_LOGPROBS = 10
_LONGEST_ANSWER = 200_000
"""Characters; no prompt of ours asks for a hundredth of it."""


class Secret:
    """A string that shows itself only when asked, and that nothing can write down: not repr, pickle or a copy."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The string itself, for the one who sends it."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('**********')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written down")


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which model, where, and how much of it."""

    name: str
    base_url: str
    api_key: Secret = field(hash=False)
    timeout_seconds: float = TIMEOUT_SECONDS
    """For one call, from the first byte sent to the last received. Twice this is the longest a message's calls take."""
    max_output_tokens: int = 1_024
    """No call may ask for more, whatever its caller says."""
    context_tokens: int = 8_192
    """What prompt and answer may take together; small local models hold no more."""

    @classmethod
    def from_environment(cls, env: Mapping[str, str]) -> ModelSettings | None:
        """The settings in ``OPENAI_API_KEY``, ``OPENAI_BASE_URL`` and ``LANEWISE_MODEL``; None without a key, or with
        ``LANEWISE_MODEL=embedded``: the embedded default is used. ModelMisconfigured where they are half set, because a
        model that somebody believes to be in use, or one that nobody chose, is worse than none. A slow local server may
        have longer by ``LANEWISE_MODEL_TIMEOUT`` (seconds, 1 to 600).
        """
        key, url, name = (env.get(k, "").strip() for k in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "LANEWISE_MODEL"))
        if name == "embedded":
            return None
        if not key:
            if half := [k for k, v in (("LANEWISE_MODEL", name), ("OPENAI_BASE_URL", url)) if v]:
                raise ModelMisconfigured(
                    f"{' and '.join(half)} set, but no OPENAI_API_KEY: set it (any word will do for a local server), "
                    f"or unset {' and '.join(half)} to work without a model"
                )
            return None
        if not name:
            raise ModelMisconfigured(
                "OPENAI_API_KEY is set, but no LANEWISE_MODEL: name the model, or set LANEWISE_MODEL=embedded to work "
                "without one"
            )
        seconds = env.get("LANEWISE_MODEL_TIMEOUT", "").strip()
        return cls(
            name=name,
            base_url=_checked_url(url or OPENAI),
            api_key=Secret(_checked_key(key)),
            timeout_seconds=_checked_timeout(seconds) if seconds else TIMEOUT_SECONDS,
        )


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    # The address stands in logs and errors, so it may hold no password and no query.
    if not usable or parts.username or parts.password or parts.query or parts.fragment:
        raise ModelMisconfigured(
            "OPENAI_BASE_URL is not an address like https://host/v1 without user, query or fragment"
        )
    return url.rstrip("/")


def _checked_key(key: str) -> str:
    if not re.fullmatch(r"[!-~]+", key):
        raise ModelMisconfigured("OPENAI_API_KEY holds a space or a character that no key has: copy it again")
    return key


def _checked_timeout(seconds: str) -> float:
    if not re.fullmatch(r"[0-9]{1,3}", seconds, re.ASCII) or not 1 <= int(seconds) <= 600:
        raise ModelMisconfigured("LANEWISE_MODEL_TIMEOUT is not a whole number of seconds from 1 to 600")
    return float(seconds)


class CallBudget:
    """How many more model calls one customer message may cause. One budget a message, handed along with it."""

    __slots__ = ("_left",)

    def __init__(self, calls: int = CALLS_A_MESSAGE) -> None:
        self._left = calls

    @property
    def left(self) -> int:
        """The calls that may still be made."""
        return self._left

    def spend(self) -> None:
        """Takes one call; ModelFailure ``budget`` when none is left."""
        if self._left <= 0:
            raise ModelFailure("budget", "the model calls for this customer message are used up")
        self._left -= 1


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the provider counted them; zeros where it did not say."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    """Of the input tokens, those the provider had cached."""


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One token of the answer, with the likelier alternatives at its place."""

    token: str
    logprob: float
    """Natural logarithm of its probability."""
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """A complete answer that has the shape asked for. Its words remain the adversary's."""

    data: Json
    """The checked JSON; empty where free text was asked for."""
    raw: str
    """The answer as it came; a free text with the customer's own addresses and phones instead of their placeholders."""
    usage: Usage
    fingerprint: str
    """``model/prompt@fingerprint``: what a decision event records of who was asked what."""
    token_logprobs: tuple[TokenLogprob, ...] | None = None
    """Where asked for and given."""
    masked: tuple[str, ...] = ()
    """The kinds that the door itself masked in what changes; what its caller had masked before is not among them."""


class ModelDoor:
    """Speaks to one OpenAI-compatible chat endpoint. Safe to keep for a whole process and for several event loops.

    Everything said goes through ``prompts.masking``. Nothing is streamed. Each call may fail only as ModelFailure; one
    that is retryable (the provider was busy or away) is made once more where the budget still has a call: a retry is a
    call. A wrong answer is never asked for again: at temperature 0 it would be the same, and one try is the law.
    """

    def __init__(self, settings: ModelSettings) -> None:
        self.settings = settings
        # A client belongs to the event loop it first worked in: another loop would find it closed.
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, ChatOpenAI] = WeakKeyDictionary()

    def __repr__(self) -> str:
        return f"ModelDoor({self.settings.name!r} at {self.settings.base_url!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("the model door holds a secret and is not written down")

    def room_for(self, static: Sequence[Turn], max_tokens: int) -> int:
        """The tokens left for what changes, beside the static prefix and an answer of that length; negative where
        the settings' context is too small for them alone. ModelFailure where tokens cannot be counted."""
        name = self.settings.name
        with _own_words():
            said = sum(token_budget.count(turn.text, name) + 8 for turn in static)
        room = self.settings.context_tokens - said - self._capped(max_tokens) - 64
        # Another model's tokens are only estimated by a neighbour's: a fifth is kept in hand.
        return room if token_budget.is_known(name) else room * 4 // 5

    async def complete_json(
        self,
        prompt_name: str,
        static: Sequence[Turn],
        dynamic: str,
        schema: Mapping[str, object],
        max_tokens: int,
        *,
        budget: CallBudget,
        logprobs: bool = False,
    ) -> ModelAnswer:
        """An answer that has the schema's shape, or ModelFailure: extra keys, unknown values and wrong types fail."""
        form = {"type": "json_schema", "json_schema": {"name": prompt_name, "schema": dict(schema), "strict": True}}
        # As a piece of the body: given as an option, the client walks the whole schema anew at every call.
        extra: dict[str, object] = {"extra_body": {"response_format": form}}
        if logprobs:
            extra |= {"logprobs": True, "top_logprobs": _TOP_LOGPROBS}
        answer, _ = await self._complete(prompt_name, static, dynamic, max_tokens, budget, extra)
        data = _parsed(answer.raw)
        if wrong := faults(schema, data):
            raise ModelFailure("malformed", f"{prompt_name}: {'; '.join(wrong[:3])}")
        return replace(answer, data=cast(Json, data))

    async def complete_text(
        self, prompt_name: str, static: Sequence[Turn], dynamic: str, max_tokens: int, *, budget: CallBudget
    ) -> ModelAnswer:
        """A free text, complete and not empty, or ModelFailure. It goes to a person or nowhere."""
        answer, shown = await self._complete(prompt_name, static, dynamic, max_tokens, budget, {})
        return replace(answer, raw=shown.readable(answer.raw))

    async def aclose(self) -> None:
        """Closes the connections of the running event loop; the next call opens new ones."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.root_async_client.close()

    # ── one call, down the staircase ────────────────────────────────────────────────────────────────────────

    async def _complete(
        self,
        prompt_name: str,
        static: Sequence[Turn],
        dynamic: str,
        max_tokens: int,
        budget: CallBudget,
        extra: dict[str, object],
    ) -> tuple[ModelAnswer, Masked]:
        """Masks, says it, says it once more if the provider was away, and reads what came."""
        with _own_words():
            mark = f"{self.settings.name}/{prompt_name}@{fingerprint(prompt_name)}"
        said, shown = _masked([*static, Turn("user", dynamic)])
        extra = {**extra, "max_tokens": self._capped(max_tokens)}
        got = await self._attempt(said, extra, budget)
        if isinstance(got, ModelFailure) and got.is_retryable and budget.left:
            await asyncio.sleep(_RETRY_WAIT_SECONDS)
            got = await self._attempt(said, extra, budget)
        if isinstance(got, ModelFailure):
            raise got
        given = _logprobs(got) if "logprobs" in extra else None
        return ModelAnswer({}, _text_of(got), _usage(got), mark, given, shown.kinds), shown

    async def _attempt(
        self, said: Sequence[Turn], extra: Mapping[str, object], budget: CallBudget
    ) -> AIMessage | ModelFailure:
        """One request. A failure is returned, not raised: raised inside the handler it would carry the client's own
        exception with it, and in that the request with its key and the customer's words."""
        budget.spend()
        try:
            # Building the client imports for seconds the first time; that is not the provider's time.
            client, messages = self._client(), _messages(said)
            with _untraced():
                async with asyncio.timeout(self.settings.timeout_seconds):
                    answer = await client.ainvoke(messages, **extra)  # type: ignore[arg-type]
        except Exception as wrong:
            return _failure(wrong, self.settings)
        return answer

    def _client(self) -> ChatOpenAI:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients[loop] = _chat(self.settings)
        return self._clients[loop]

    def _capped(self, max_tokens: int) -> int:
        return min(max_tokens, self.settings.max_output_tokens)


def _chat(settings: ModelSettings) -> ChatOpenAI:
    """The client. Everything that an environment variable could decide is decided here."""
    import openai  # two seconds for the whole family: only who speaks to a model waits for it
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr

    # OpenAI's reasoning models take no temperature and answer 400 to one.
    reasons = settings.name.startswith(("o1", "o3", "o4", "gpt-5"))
    return ChatOpenAI(
        model=settings.name,
        base_url=settings.base_url,
        api_key=SecretStr(settings.api_key.reveal()),
        timeout=settings.timeout_seconds,
        max_retries=0,
        use_responses_api=False,
        disable_streaming=True,
        temperature=None if reasons else 0.0,
        openai_proxy=None,  # beside a client of our own it would be an error; HTTPS_PROXY is honoured
        http_async_client=openai.DefaultAsyncHttpxClient(timeout=settings.timeout_seconds),
        cache=False,
        verbose=False,
        output_version="v0",
    )


@contextlib.contextmanager
def _untraced() -> Iterator[None]:
    """No tracer sees the call, whatever LANGSMITH_* and LANGCHAIN_* say: it would send the ticket to a third party."""
    from langsmith import tracing_context

    with tracing_context(enabled=False):
        yield


@contextlib.contextmanager
def _own_words() -> Iterator[None]:
    """A prompt or token table that cannot be used is a model that cannot be used: one more reason for a person."""
    try:
        yield
    except PromptError as wrong:
        raise ModelFailure("unavailable", str(wrong)) from None


def _masked(turns: Sequence[Turn]) -> tuple[tuple[Turn, ...], Masked]:
    """The turns as a model may see them, encodable as UTF-8; and the last of them, the ticket's own, as masked."""
    shown = [mask(turn.text.encode("utf-8", "replace").decode()) for turn in turns]
    return tuple(Turn(t.role, m.text) for t, m in zip(turns, shown, strict=True)), shown[-1]


def _messages(turns: Sequence[Turn]) -> list[BaseMessage]:
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

    kinds = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}
    return [cast("BaseMessage", kinds[turn.role](content=turn.text)) for turn in turns]


# ── what came back ──────────────────────────────────────────────────────────────────────────────────────────


def _failure(wrong: Exception, settings: ModelSettings) -> ModelFailure:
    """The kind of a client's exception, in our own words."""
    import openai

    at = f"{settings.name} at {settings.base_url}"
    match wrong:
        case TimeoutError() | openai.APITimeoutError():
            return ModelFailure("timeout", f"{at} gave no whole answer within {settings.timeout_seconds:g} s")
        case openai.APIConnectionError():
            return ModelFailure("unavailable", f"{at} cannot be reached: is it running?", is_retryable=True)
        case openai.RateLimitError():
            if wrong.code == "insufficient_quota":
                return ModelFailure("rate_limited", f"the account's quota at {at} is used up")
            return ModelFailure("rate_limited", f"{at} is busy (HTTP 429)", is_retryable=True)
        case openai.AuthenticationError() | openai.PermissionDeniedError():
            return ModelFailure("unauthorised", f"{at} does not accept the key (HTTP {wrong.status_code})")
        case openai.APIStatusError():
            if wrong.code == "content_filter":
                return ModelFailure("refused", f"the content filter of {at} stopped the request")
            away = wrong.status_code >= 500 or wrong.status_code in (408, 409)
            return ModelFailure("unavailable", f"{at} answered HTTP {wrong.status_code}", is_retryable=away)
        case openai.OpenAIError() | ValueError() | KeyError() | TypeError() | AttributeError() | IndexError():
            # The library found no answer in a body that came with HTTP 200.
            return ModelFailure("malformed", f"{at} answered what is no chat completion ({type(wrong).__name__})")
        case _:
            return ModelFailure("unavailable", f"the call to {at} failed ({type(wrong).__name__})")


def _text_of(answer: AIMessage) -> str:
    """The whole text of a finished answer; ModelFailure for a refusal, a cut, a tool call or nothing."""
    reason = answer.response_metadata.get("finish_reason")
    if answer.additional_kwargs.get("refusal") or reason == "content_filter":
        raise ModelFailure("refused", "the model declined to answer")
    if reason == "length":
        raise ModelFailure("truncated", "the answer stopped at the length limit")
    if not isinstance(answer.content, str) or answer.tool_calls or answer.invalid_tool_calls:
        raise ModelFailure("malformed", "the answer is not plain text")
    if not answer.content.strip():
        raise ModelFailure("empty", "the answer holds no text")
    if reason != "stop":
        raise ModelFailure("malformed", "the answer does not say that it is finished")
    if len(answer.content) > _LONGEST_ANSWER:
        raise ModelFailure("malformed", f"the answer is longer than {_LONGEST_ANSWER} characters")
    return answer.content


def _parsed(raw: str) -> object:
    """The one JSON value of an answer. Twice the same key, NaN or anything beside it is no JSON of ours."""

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("a key stands twice")
        return dict(pairs)

    def never(_: str) -> NoReturn:
        raise ValueError("no number")

    parsed: object = None
    try:
        parsed = json.loads(raw, object_pairs_hook=once, parse_constant=never)
    except (ValueError, RecursionError):
        parsed = _parsed
    if parsed is _parsed:
        raise ModelFailure("malformed", "the answer is not one JSON value")
    return parsed


def _usage(answer: AIMessage) -> Usage:
    counted: Mapping[str, Any] = answer.usage_metadata or {}
    cached = (counted.get("input_token_details") or {}).get("cache_read") or 0
    return Usage(int(counted.get("input_tokens") or 0), int(counted.get("output_tokens") or 0), int(cached))


def _logprobs(answer: AIMessage) -> tuple[TokenLogprob, ...] | None:
    """The tokens' probabilities, or None where the endpoint gave none or in no known shape."""
    given = answer.response_metadata.get("logprobs")
    content = given.get("content") if isinstance(given, dict) else None
    if not isinstance(content, list) or not content:
        return None
    try:
        return tuple(
            TokenLogprob(
                str(one["token"]),
                float(one["logprob"]),
                tuple((str(top["token"]), float(top["logprob"])) for top in one.get("top_logprobs") or ()),
            )
            for one in content
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
