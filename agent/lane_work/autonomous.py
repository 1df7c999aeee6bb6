"""Lane 1: answers with approved words only, asks one clarifying question, or closes what the customer settled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from agent.approved_words import options
from agent.case import Case
from agent.settling import settled_by_customer
from agent.telling import label, tellable
from guards.gate import Refusal
from guards.grounding import whole
from tools.systems import Article
from tools.toolbox import Done, Toolbox


@dataclass(frozen=True, slots=True)
class Answered:
    """A text was proposed to the post room."""

    tool: str
    """``send_answer``, ``ask_question`` or ``close_ticket``."""
    text: str
    sources: tuple[str, ...]
    """Names of the articles it quotes."""


@dataclass(frozen=True, slots=True)
class Held:
    """Nothing was said; the ticket goes on as lane 2."""

    rule: str
    reason: str


class ChoosesSentences(Protocol):
    """Picks the sentences of an approved article that answer. It can choose words, never write them."""

    async def choose(self, question: str, article: Article) -> tuple[str, ...]:
        """Sentences of the article, word for word; empty where they do not answer."""


async def work(case: Case, toolbox: Toolbox, chooser: ChoosesSentences) -> Answered | Held:
    """The lane's work. Any doubt holds the answer back: one try, then a person."""
    texts = case.release.texts
    if settled_by_customer(case.messages):
        return await _call(toolbox, "close_ticket", texts.closed, ())
    told = tellable(case.question, case.assessment, case.facts, case.release)
    if case.sources.answer is None and not told and case.sources.choice is not None:
        asked = tuple(hit.id for hit in case.sources.choice)
        return await _call(toolbox, "ask_question", texts.clarify.format(options=options(case)), asked)
    parts = [texts.greeting]
    lines = [texts.fact_line.format(label=label(fact), value=fact.value) for fact in told]
    if lines:
        parts.append("\n".join(lines))
    sources = [fact.name for fact in told]
    if case.sources.answer is not None:
        quoted = case.article(case.sources.answer.id)
        if quoted is None:
            return Held("source_gone", "the article that answered has changed since it was found")
        chosen = whole(await chooser.choose(case.question, quoted), quoted.body)
        if not chosen and not told:
            return Held("no_sentence", "no sentence of the approved article answers it")
        if chosen:
            parts += ["\n".join(chosen), texts.source_line.format(title=quoted.title, version=quoted.version)]
            sources.append(quoted.name)
    if not sources:
        return Held("no_source", "no approved public source answers it")
    # Whoever chose the sentences, the way out holds the whole text against the article itself.
    return await _call(toolbox, "send_answer", "\n\n".join([*parts, texts.closing]), tuple(sources))


async def _call(toolbox: Toolbox, tool: str, text: str, sources: tuple[str, ...]) -> Answered | Held:
    match await toolbox.call(tool, {"text": text}):
        case Done():
            return Answered(tool, text, sources)
        case Refusal() as refusal:
            return Held(refusal.rule, refusal.reason)
