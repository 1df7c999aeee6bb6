"""The words that a text of lane 1 may be made of: templates, confirmed facts in them, and one article that answers."""

from __future__ import annotations

from dataclasses import dataclass

from agent.case import Case
from agent.telling import label, tellable
from guards.capabilities import TABLE
from guards.gate import RIGHT_FOR, Permit, Piece, Refusal
from guards.grounding import Span, ground
from tools.knowledge import may_ground


@dataclass(frozen=True, slots=True)
class ApprovedWords:
    """What each kind of text may consist of on one case; nothing, where nobody has said."""

    answer: tuple[Span, ...] = ()
    question: tuple[Span, ...] = ()
    closing: tuple[Span, ...] = ()

    def refuse(self, piece: Piece, text: str) -> Refusal | None:
        """Why that text may not be handed in, or None. Notices and what a person approved are judged byte for byte by
        the gate, and not here."""
        match piece:
            case Piece.ANSWER:
                spans = self.answer
            case Piece.QUESTION:
                spans = self.question
            case Piece.CLOSING:
                spans = self.closing
            case Piece.NOTICE | Piece.APPROVED:
                return None
        right = RIGHT_FOR[piece]
        assert right is not None
        verdict = ground(text, spans)
        if verdict.forbidden:
            found = ", ".join(sorted({f.kind for f in verdict.forbidden}))
            return Refusal(TABLE[right].does, "forbidden", f"the text says what no lane may say ({found})")
        if not verdict.stands:
            return Refusal(TABLE[right].does, "ungrounded", "not every sentence stands in an approved source")
        return None


NO_WORDS = ApprovedWords()
"""Of these no text of lane 1 can be made."""


def approved_words(case: Case) -> ApprovedWords:
    """The approved words of a case, each source judged again as it stands now: one article, never two mixed."""
    texts = case.release.texts
    answer = [Span("template greeting", texts.greeting), Span("template closing", texts.closing)]
    for fact in tellable(case.question, case.assessment, case.facts, case.release):
        answer.append(Span(fact.name, texts.fact_line.format(label=label(fact), value=fact.value)))
    article = case.article(case.sources.answer.id) if case.sources.answer else None
    if article is not None and isinstance(may_ground(article, case.now.date()), Permit):
        line = texts.source_line.format(title=article.title, version=article.version)
        answer += [Span(article.name, article.body), Span("template source_line", line)]
    question = []
    if case.sources.choice is not None:
        question.append(Span("template clarify", texts.clarify.format(options=options(case))))
    return ApprovedWords(tuple(answer), tuple(question), (Span("template closed", texts.closed),))


def options(case: Case) -> str:
    """The two articles between which the customer may choose, by title; empty where there are none."""
    if case.sources.choice is None:
        return ""
    first, second = case.sources.choice
    return f"“{first.title}” or “{second.title}”"
