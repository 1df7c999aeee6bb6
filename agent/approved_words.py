"""The words that a text of lane 1 may be made of: templates, confirmed facts in them, and one article that answers."""

from __future__ import annotations

from dataclasses import dataclass

from agent.case import Case
from agent.sources import Hit
from agent.telling import label, tellable
from guards.capabilities import TABLE
from guards.gate import RIGHT_FOR, Permit, Piece, Refusal
from guards.grounding import Span, ground
from ledger.pins import Edition
from tools.knowledge import edition_of, may_ground
from tools.systems import Article


@dataclass(frozen=True, slots=True)
class ApprovedWords:
    """What each kind of text may consist of on one case; nothing, where nobody has said."""

    answer: tuple[Span, ...] = ()
    question: tuple[Span, ...] = ()
    closing: tuple[Span, ...] = ()
    answer_from: tuple[Article, ...] = ()
    """The articles whose words an answer may hold."""
    question_from: tuple[Article, ...] = ()
    """The articles whose titles a question may hold."""

    def rests_on(self, piece: Piece) -> tuple[Edition, ...]:
        """The articles that such a text rests on, each with the digest of its text as it is now."""
        used = {Piece.ANSWER: self.answer_from, Piece.QUESTION: self.question_from}
        return tuple(edition_of(article) for article in used.get(piece, ()))

    def refuse(self, piece: Piece, text: str) -> Refusal | None:
        """Why that text may not be handed in, or None. Notices and what a person approved are judged byte for byte by
        the gate, and not here."""
        match piece:
            case Piece.ANSWER:
                spans = (*self.answer, *(Span(a.name, a.body) for a in self.answer_from))
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
    quoted = _grounding(case, (case.sources.answer,) if case.sources.answer else ())
    for article in quoted:
        line = texts.source_line.format(title=article.title, version=article.version)
        answer.append(Span("template source_line", line))
    question, titled = [], _grounding(case, case.sources.choice or ())
    if len(titled) == 2:
        question.append(Span("template clarify", texts.clarify.format(options=options(case))))
    return ApprovedWords(tuple(answer), tuple(question), (Span("template closed", texts.closed),), quoted, titled)


def _grounding(case: Case, hits: tuple[Hit, ...]) -> tuple[Article, ...]:
    """The articles of those hits that may ground today, and are still called what they were called when found."""
    found = [(hit, case.article(hit.id)) for hit in hits]
    today = case.now.date()
    return tuple(a for h, a in found if a and a.title == h.title and isinstance(may_ground(a, today), Permit))


def options(case: Case) -> str:
    """The two articles between which the customer may choose, by title; empty where there are none."""
    if case.sources.choice is None:
        return ""
    first, second = case.sources.choice
    return f"“{first.title}” or “{second.title}”"
