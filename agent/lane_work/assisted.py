"""Lane 2: prepares a draft for an agent, with suggestions and routing. Nothing of it goes anywhere by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.case import Case
from guards.gate import Refusal
from guards.screening import unproved
from guards.triggers import Level
from guards.wording import screen
from ledger.packets.packet import Draft, Reference, Routing, Suggestion
from tools.systems import Article
from tools.toolbox import Done, Toolbox


@dataclass(frozen=True, slots=True)
class Prepared:
    """What an agent may use to answer."""

    draft: Draft | None
    """None where none could be prepared, or the right to draft is withheld."""
    by: str
    """Who drafted: ``embedded`` or the model's name."""
    suggestions: tuple[Suggestion, ...]
    routing: Routing
    notes: tuple[str, ...] = ()
    """What did not go as it should (``the model timed out; drafted without it``)."""


@dataclass(frozen=True, slots=True)
class Written:
    """A draft's text and its author."""

    text: str
    by: str
    note: str = ""


class WritesDrafts(Protocol):
    """Writes a reply for an agent to read, from facts and approved excerpts."""

    async def write(self, case: Case, excerpts: Sequence[tuple[Article, tuple[str, ...]]]) -> Written:
        """The draft. Where a model fails, one without it, with a note that says so."""


async def work(
    case: Case, toolbox: Toolbox, writer: WritesDrafts, excerpts: Sequence[tuple[Article, tuple[str, ...]]]
) -> Prepared:
    """The lane's work: suggestions first, then a draft, each by the right the lane holds."""
    suggestions = _suggestions(case)
    for suggestion in suggestions:
        await toolbox.call("suggest_help", {"kind": suggestion.kind, "source": suggestion.source})
    written = await writer.write(case, excerpts)
    marks = tuple(dict.fromkeys(f"{f.kind}: “{f.quote}”" for f in unproved(screen(written.text), case.people)))
    sources = tuple(Reference(a.article_id, a.title, str(a.version)) for a, lines in excerpts if lines)
    match await toolbox.call("draft_reply", {"text": written.text}):
        case Done():
            draft: Draft | None = Draft(written.text, sources, marks)
        case Refusal():
            draft = None
    notes = (written.note,) if written.note else ()
    return Prepared(draft, written.by, suggestions, _routing(case), notes)


def _suggestions(case: Case) -> tuple[Suggestion, ...]:
    macros = [m for m in case.macros if m.family in case.decision.families][:2]
    found = [Suggestion("macro", m.title, m.macro_id) for m in macros]
    found += [Suggestion("article", h.title, f"{h.id} v{h.version}") for h in case.sources.hits[:3]]
    return tuple(found)


def _routing(case: Case) -> Routing:
    queue = next((q for q in case.queues if q.queue_id == case.owner.queue), None)
    group = queue.group if queue else "specialist"
    worst = case.assessment.matrix.at_least(Level.MEDIUM)
    why = case.owner.why if worst else "nothing about it needs a specialist; an agent's look is enough"
    return Routing(group, why)
