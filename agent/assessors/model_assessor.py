"""The model's reading of the customer's message, as an opinion: levels from the probabilities of its own words."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import ModelFailure
from agent.model import CallBudget, ModelAnswer, ModelDoor, TokenLogprob
from guards.assess import Need, Opinion
from guards.triggers import Level, Trigger, Witness
from prompts.budget import CUSTOMER, SMALLEST_BUDGET, Message, fit
from prompts.library import PromptError, load

PROMPT = "assess_triggers"
ANSWER_TOKENS = 96
"""The answer is six keys with a word each: 70 to 80 tokens with the tokenizers tried."""
READ_TOKENS = 2_000
"""What is read of the customer's words, its beginning and end; more would outlast the timeout of a small local model."""
_LEAST_MASS = 0.5
"""Where the three level words hold less than this together, the model wanted to say something else there."""

Probabilities = Mapping[Level, float]


async def assess_with_model(door: ModelDoor, messages: Sequence[str], budget: CallBudget) -> Opinion:
    """What the model reads in the customer's messages, oldest first. It is shown them and nothing else: given the
    account's text, models learn "standard plan" as routine. ModelFailure where it gives no usable answer.

    One call. It may only raise; where it was not shown all, what it did not see counts as context that is missing.
    """
    if not any(message.strip() for message in messages):
        return Opinion(by=Witness.MODEL, levels={})
    try:
        prompt = load(PROMPT)
        room = min(READ_TOKENS, door.room_for(prompt.static, ANSWER_TOKENS))
        if room < SMALLEST_BUDGET or prompt.schema is None:
            raise PromptError(f"the context of {door.settings.name} is too small for the prompt {PROMPT}")
        kept, left_out = fit([Message(CUSTOMER, text) for text in messages], room, door.settings.name)
        asked = prompt.fill(customer_message="\n\n".join(message.text for message in kept))
    except PromptError as wrong:
        raise ModelFailure("unavailable", str(wrong)) from None
    answer = await door.complete_json(
        prompt.name, prompt.static, asked, prompt.schema, ANSWER_TOKENS, budget=budget, logprobs=True
    )
    levels = read_levels(answer, bars_for(door.settings.name))
    need = {Level.LOW: Need.NOTHING, Level.MEDIUM: Need.RECORD, Level.HIGH: Need.DECISION}[
        levels[Trigger.MISSING_CONTEXT]
    ]
    return Opinion(
        by=Witness.MODEL,
        levels=levels,
        need=max(need, Need.RECORD) if left_out else need,
        severe=levels[Trigger.CUSTOMER_PRESSURE] is Level.HIGH,
        fingerprint=answer.fingerprint,
    )


# ── levels from probabilities ───────────────────────────────────────────────────────────────────────────────

Share = Annotated[float, Field(gt=0, le=1)]


class Bars(BaseModel):
    """How probable a level has to be for one model: tuned on tickets of our own, beside the prompt they hold for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    medium: Share
    """At least this for medium and high together makes medium."""
    high: Share
    """At least this for high alone makes high."""


class _Tuned(BaseModel):
    """``prompts/assess_thresholds.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    prompt: str
    """The fingerprint of the prompt that they were tuned with: another prompt speaks with other probabilities."""
    note: str = ""
    bars: dict[
        Literal[
            "policy_sensitivity",
            "security_identity",
            "missing_context",
            "action_irreversibility",
            "customer_pressure",
            "multi_domain_complexity",
        ],
        Bars,
    ]


@cache
def _tuned() -> _Tuned | None:
    file = files("prompts") / "assess_thresholds.json"
    if not file.is_file():
        return None
    try:
        return _Tuned.model_validate(json.loads(file.read_text("utf-8")), strict=True)
    except (ValueError, ValidationError) as wrong:
        raise ModelFailure("unavailable", f"{file.name} is not usable: {type(wrong).__name__}") from None


def bars_for(model: str) -> Mapping[Trigger, Bars]:
    """The bars tuned for that model and the present prompt; empty for any other, whose words are then taken as said."""
    tuned = _tuned()
    if tuned is None or tuned.model != model or tuned.prompt != load(PROMPT).fingerprint:
        return {}
    return {Trigger(name): bars for name, bars in tuned.bars.items()}


def read_levels(answer: ModelAnswer, bars: Mapping[Trigger, Bars]) -> dict[Trigger, Level]:
    """The level of every trigger: by its bar where there is one and the probabilities can be read, else as said."""
    levels = {}
    for trigger in Trigger:
        said = Level.of(str(answer.data[trigger.value]))
        shares = probabilities(trigger, answer.token_logprobs or ()) if trigger in bars else None
        levels[trigger] = said if shares is None else _barred(shares, bars[trigger])
    return levels


def _barred(shares: Probabilities, bars: Bars) -> Level:
    if shares[Level.HIGH] >= bars.high:
        return Level.HIGH
    return Level.MEDIUM if shares[Level.MEDIUM] + shares[Level.HIGH] >= bars.medium else Level.LOW


def probabilities(trigger: Trigger, tokens: Sequence[TokenLogprob]) -> Probabilities | None:
    """How probable each level was where the trigger's value begins; None where that cannot be told: no
    probabilities, the key not exactly once, or other words likelier than the three together."""
    # Put together from the tokens: a server may have taken a code fence off the text it returns.
    text = "".join(token.token for token in tokens)
    places = [found.end() for found in re.finditer(rf'"{trigger.value}"\s*:\s*"', text)]
    if len(places) != 1:
        return None
    start = 0
    for token in tokens:
        if start + len(token.token) > places[0]:
            break
        start += len(token.token)
    else:
        return None
    lead = token.token[: places[0] - start]
    shares = dict.fromkeys(Level, 0.0)
    for word, logprob in token.top:
        rest = word.removeprefix(lead).strip('",}\n ') if word.startswith(lead) else ""
        for level in Level:
            if rest and level.word.startswith(rest):
                shares[level] += math.exp(logprob)
    mass = sum(shares.values())
    return {level: share / mass for level, share in shares.items()} if mass >= _LEAST_MASS else None
