"""Triggers and lanes only, for measuring: rows in, one judgement a row out, in the same order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from agent.assessors import Assessors
from agent.model import CallBudget
from agent.sources import SourceFinder, Sources
from agent.steps.assign_lane import coverage_of
from guards.assess import Need, Opinion, assess
from guards.assign import assign
from guards.policy import Release
from guards.triggers import Level, Trigger, Witness
from tools.account_context import facts_from_context, untrusted_texts


class BadRow(Exception):
    """A row cannot be read; the message names the line and what is wrong."""


@dataclass(frozen=True, slots=True)
class AssessRow:
    """The four keys that are read; all others are ignored."""

    id: str
    messages: tuple[str, ...]
    """The customer's messages, oldest first."""
    context: object


def read_rows(lines: Iterable[str]) -> Iterable[AssessRow | BadRow]:
    """One row a line of JSON; blank lines are passed over, a bad one is a value that names its line."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield _row(json.loads(line), number)
            except (json.JSONDecodeError, RecursionError) as error:
                yield BadRow(f"line {number}: not valid JSON ({error})")
            except BadRow as bad:
                yield bad


def _row(raw: object, number: int) -> AssessRow:
    if not isinstance(raw, Mapping):
        raise BadRow(f"line {number}: a row is a JSON object with id and text or turns")
    text, turns = raw.get("text"), raw.get("turns")
    if isinstance(text, str):
        messages: tuple[str, ...] = (text,)
    elif isinstance(turns, list):
        said = [t for t in turns if isinstance(t, Mapping) and isinstance(t.get("text"), str)]
        messages = tuple(str(t["text"]) for t in said if t.get("role") in ("customer", "user"))
    else:
        raise BadRow(f"line {number}: neither text (a string) nor turns (a list of role and text) is there")
    if not any(m.strip() for m in messages):
        raise BadRow(f"line {number}: the customer said nothing; give text, or a turn with role customer")
    return AssessRow(str(raw.get("id", number)), messages, raw.get("account_context"))


async def assess_row(
    row: AssessRow, release: Release, assessors: Assessors, finder: SourceFinder, today: date
) -> dict[str, Any]:
    """One row's families, triggers and lanes, as the machine's own steps would find them."""
    words = "\n\n".join(row.messages)
    facts = facts_from_context(row.context)
    try:
        sources = await finder.find(row.messages[-1], today)
    except Exception as error:  # without knowledge there is no source, and no source is a person
        sources = Sources(note=f"knowledge: {type(error).__name__}")
    opinions, failures = await assessors.opinions(list(row.messages), CallBudget())
    hinted = [sources.answer.family] if sources.answer else []
    seen = assess(words, facts, release, opinions, hinted, untrusted_texts(row.context))
    decision = assign(seen, coverage_of(facts, sources), release, failures=failures)
    told = decision.to_json()
    return {
        "id": row.id,
        "families": told["families"],
        "triggers": seen.matrix.to_json(),
        "lane_by_risk": told["lane_by_risk"],
        "lane": told["lane"],
        "unit": told["unit"],
        "consequence": told["consequence"],
        "reasons": [r.rule for r in decision.reasons],
        "policy_version": release.version,
        "opinions": [opinion_json(o) for o in opinions],
        "hinted": hinted,
        "failures": list(failures),
    }


def opinion_json(opinion: Opinion) -> dict[str, Any]:
    """What one assessor thought by itself, as plain JSON; ``read_opinion`` reads it back."""
    return {
        "by": opinion.by.value,
        "levels": {t.value: level.word for t, level in opinion.levels.items()},
        "need": opinion.need.name.lower(),
        "severe": opinion.severe,
        "asks_human": opinion.asks_human,
    }


def read_opinion(raw: Mapping[str, Any]) -> Opinion:
    """The opinion that ``opinion_json`` wrote; the customer's words that moved it are not kept."""
    return Opinion(
        by=Witness(raw["by"]),
        levels={Trigger(name): Level.of(word) for name, word in raw["levels"].items()},
        need=Need[raw["need"].upper()],
        severe=raw["severe"] is True,
        asks_human=raw["asks_human"] is True,
    )
