"""Who chooses sentences and who drafts: the embedded default, or a model within its call budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.case import Case
from agent.errors import ModelFailure
from agent.lane_work.assisted import WritesDrafts, Written
from agent.lane_work.autonomous import ChoosesSentences
from agent.model import CallBudget, ModelDoor
from agent.sources import SourceFinder
from guards.facts import Standing
from guards.triggers import Level
from guards.wording import sentences
from prompts.budget import CUSTOMER, SMALLEST_BUDGET, Message, fit
from prompts.library import load
from tools.systems import Article

DRAFT_TOKENS = 400
CHOICE_TOKENS = 80
TOLD_FACTS = ("account.plan", "account.tier", "account.status", "account.seats", "incidents.last_summary")
"""The account facts that a draft may use; the rest stands in the packet for the agent."""


def _fitted(text: str, tokens: int, door: ModelDoor) -> str:
    kept, _ = fit([Message(CUSTOMER, text)], max(tokens, SMALLEST_BUDGET), door.settings.name)
    return "\n".join(m.text for m in kept)


@dataclass(frozen=True, slots=True)
class EmbeddedChooser:
    """Chooses the nearest sentences of the approved article, by the local encoder."""

    finder: SourceFinder

    async def choose(self, question: str, article: Article) -> tuple[str, ...]:
        """Sentences of the article, word for word."""
        return self.finder.relevant_sentences(question, article)


@dataclass(frozen=True, slots=True)
class ModelChooser:
    """Lets a model choose sentence numbers; whatever it answers, only words of the article can come out."""

    door: ModelDoor
    budget: CallBudget

    async def choose(self, question: str, article: Article) -> tuple[str, ...]:
        """The sentences it chose; empty where it found none, failed, or named what is not there."""
        prompt = load("answer_customer")
        assert prompt.schema is not None
        lines = sentences(article.body)
        numbered = "\n".join([f"ARTICLE {article.article_id}", *(f"[{i}] {line}" for i, line in enumerate(lines))])
        room = self.door.room_for(prompt.static, CHOICE_TOKENS)
        asked = prompt.fill(articles=numbered, customer_message=_fitted(question, room // 2, self.door))
        try:
            answer = await self.door.complete_json(
                prompt.name, prompt.static, asked, prompt.schema, CHOICE_TOKENS, budget=self.budget
            )
        except ModelFailure:
            return ()
        wanted = answer.data["sentences"]
        if answer.data["article"] != article.article_id or not isinstance(wanted, list):
            return ()
        if any(type(i) is not int or not 0 <= i < len(lines) for i in wanted):
            return ()
        chosen = {i for i in wanted if type(i) is int}
        steps = {i for i, line in enumerate(lines) if line[:1].isdigit()}
        if chosen & steps:
            chosen |= steps  # half of a procedure is a wrong instruction
        return tuple(lines[i] for i in sorted(chosen))


@dataclass(frozen=True, slots=True)
class EmbeddedWriter:
    """Drafts without a model: approved words quoted, and gaps left open for the agent in plain sight."""

    async def write(self, case: Case, excerpts: Sequence[tuple[Article, tuple[str, ...]]]) -> Written:
        """A draft that an agent has to complete; it decides nothing."""
        name = case.ticket.requester_name.split(" ")[0] if case.ticket.requester_name else ""
        matrix = case.assessment.matrix
        raised = matrix.at_least(Level.MEDIUM)
        # A light review: one thing to look at, and an approved article that answers. One key approves such a draft.
        light = (
            bool(excerpts) and len(raised) <= 1 and not matrix.at_least(Level.HIGH) and not case.assessment.asks_human
        )
        parts = [f"Hello {name},".replace(" ,", ","), "Thank you for writing to us."]
        for article, lines in excerpts[:1]:
            parts.append("\n".join(lines))
            parts.append(f"You can read more in our help article “{article.title}”.")
        if not light:
            parts += [f"[Agent: {case.release.decision[trigger]}]" for trigger in raised[:2]]
        if not excerpts:
            parts.append("[Agent: no approved article answers this; please add the answer.]")
        parts.append("Kind regards\nSupport team" if light else "Kind regards\n[Agent: your name]")
        return Written("\n\n".join(parts), "embedded")


@dataclass(frozen=True, slots=True)
class ModelWriter:
    """Drafts with a model from confirmed facts and approved excerpts; without it, where it fails."""

    door: ModelDoor
    budget: CallBudget

    async def write(self, case: Case, excerpts: Sequence[tuple[Article, tuple[str, ...]]]) -> Written:
        """The model's draft, or the embedded one with a note that says why."""
        prompt = load("draft_for_agent")
        told = [f for n in TOLD_FACTS if (f := case.facts.get(n)).standing is Standing.CONFIRMED and f.value]
        facts = "\n".join(f"- {f.name.replace('.', ' ').replace('_', ' ')}: {f.value}" for f in told) or "- none"
        quoted = "\n".join(f"[{a.article_id}] {' '.join(lines)}" for a, lines in excerpts) or "none"
        room = self.door.room_for(prompt.static, DRAFT_TOKENS)
        asked = prompt.fill(
            facts=facts,
            articles=_fitted(quoted, room // 3, self.door),
            customer_message=_fitted(case.words, room // 2, self.door),
        )
        try:
            answer = await self.door.complete_text(prompt.name, prompt.static, asked, DRAFT_TOKENS, budget=self.budget)
        except ModelFailure as failure:
            written = await EmbeddedWriter().write(case, excerpts)
            return Written(written.text, written.by, f"drafted without the model ({failure.kind})")
        return Written(answer.raw.strip(), self.door.settings.name)


@dataclass(frozen=True, slots=True)
class Writers:
    """Picks who writes: a model where one is configured and has a call left."""

    finder: SourceFinder
    door: ModelDoor | None

    def chooser(self, budget: CallBudget) -> ChoosesSentences:
        """Who chooses sentences in lane 1."""
        return ModelChooser(self.door, budget) if self.door and budget.left else EmbeddedChooser(self.finder)

    def drafter(self, budget: CallBudget, failures: Sequence[str]) -> WritesDrafts:
        """Who drafts in lane 2. A provider that has just failed is not asked again for this message."""
        return ModelWriter(self.door, budget) if self.door and budget.left and not failures else EmbeddedWriter()
