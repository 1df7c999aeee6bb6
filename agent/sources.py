"""Finds the approved article that answers a question, and says plainly when none does."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cache, lru_cache
from typing import Any, Protocol

from agent.assessors.answering import AnswerJudge, Candidate, ends_of
from agent.assessors.answering.shelf import FIGURES, Shelf
from agent.remembering import NUMBERED, Embeds, Remembering, bare
from guards.gate import Permit
from guards.wording import blocks, plain, sentences
from tools.knowledge import may_ground, same_words, telling_words
from tools.systems import Article, Audience, Knowledge

# Probabilities, as the judge in agent/assessors/answering gives them. Its part for thin lists was made on other companies'
# products only, its part for full lists on the made-up company's lists, one half asked of the other. The bar for a full shelf and
# the one for well listed articles were then set on that company's 120 development questions, the one for thinly listed
# articles on products held out of its making. docs/measurements.md says what they cost and gain.
ANSWER_AT = 0.3
"""At or above this an article answers by itself. Every other question goes to a person, with the article beside it."""
WELL_AT = 0.28
"""What a well listed article must reach in place of ANSWER_AT on a shelf that is not full (``shelf.FULL_SHELF``)."""
THIN_AT = 0.62
"""What an article must reach there while its lists are thin."""
WELL_LISTED = (15, 5)
"""Questions that an article answers, and that it does not, below which its lists are thin: similarity then says little."""
LISTED = (5, 1)
"""Below this an article has too little to be compared with: it answers only questions that it lists in these very words."""
ASK_AT = 0.16
"""Two articles between this and ANSWER_AT, close together, are worth one clarifying question."""
SAME_QUESTION = 0.95
"""What a question gets that an article lists in these very words: the approver said that the article answers it."""
NEAR_AT = 0.35
"""Where no listed question is as near as this, as a cosine, an article answers nothing, however far ahead it is: where
a knowledge base holds little, the best of it may still be about something else."""
NEAR_ALONE = 0.73
"""The same for an article whose own lists, or the shelf around it, are not full: how likely it is then says little, for among
few even the best may be about something else."""
FAR = 0.05
"""The most that such an article is given."""
CLOSE = 0.08
"""How near two probabilities must be for that."""
NEIGHBOURS = 0.08
"""A paragraph whose best sentence matches this nearly as well as the very best is quoted with it."""
REFERENCE_NEAR = 0.35
"""An internal text at least this near, as a cosine, may matter to a person."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One article that was found."""

    id: str
    version: int
    title: str
    family: str
    audience: str
    score: float
    """The calibrated probability that it answers the question."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; the text is not kept, it is read again from the approved article."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Hit:
        """Reads what ``to_json`` wrote."""
        return cls(**{name: raw[name] for name in cls.__slots__})


@dataclass(frozen=True, slots=True)
class Sources:
    """What the knowledge base holds for a question."""

    hits: tuple[Hit, ...] = ()
    """Articles that may be quoted to the customer, the best first."""
    references: tuple[Hit, ...] = ()
    """Internal and policy texts that may matter to a person; never quoted to a customer."""
    note: str = ""
    """Why nothing was searched, where that is so (``knowledge timed out``)."""
    left_open: bool = False
    """True where several questions are asked and no one article answers them all: an answer to one is then none."""

    @property
    def answer(self) -> Hit | None:
        """The article that answers all that is asked, or None."""
        return self.hits[0] if self.hits and self.hits[0].score >= ANSWER_AT and not self.left_open else None

    @property
    def hinted(self) -> tuple[str, ...]:
        """The families of all articles that answer something in the message, whether or not it is answered as a whole."""
        return tuple(dict.fromkeys(hit.family for hit in self.hits if hit.score >= ANSWER_AT))

    @property
    def choice(self) -> tuple[Hit, Hit] | None:
        """Two articles between which the customer could choose, or None."""
        if self.answer or self.left_open or len(self.hits) < 2:
            return None
        first, second = self.hits[:2]
        near = first.score - second.score <= CLOSE
        return (first, second) if near and second.score >= ASK_AT else None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; ``from_json`` reads it back."""
        return {
            "hits": [h.to_json() for h in self.hits],
            "references": [h.to_json() for h in self.references],
            "note": self.note,
            "left_open": self.left_open,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Sources:
        """Reads what ``to_json`` wrote."""
        return cls(
            tuple(Hit.from_json(h) for h in raw["hits"]),
            tuple(Hit.from_json(h) for h in raw["references"]),
            str(raw["note"]),
            bool(raw["left_open"]),
        )


class Judges(Protocol):
    """Judges whether articles answer a question."""

    def judge(self, question: str, candidates: Sequence[Candidate]) -> tuple[float, ...]:
        """A probability for each candidate, in the given order."""


@cache
def packaged_judge() -> AnswerJudge:
    """The judge that comes with the product, one a process; it reads its files when first asked."""
    return AnswerJudge()


class SourceFinder:
    """Search over the articles of one knowledge base: what they list proposes, the judge says what answers."""

    def __init__(self, knowledge: Knowledge, encoder: Embeds, texts: Remembering, judge: Judges | None = None) -> None:
        """``texts`` embeds the articles and remembers them; ``encoder`` embeds questions, which are kept nowhere.

        Without a ``judge`` the packaged one judges.
        """
        self._knowledge = knowledge
        self._encoder = encoder
        self._texts = texts
        self._judge = judge if judge is not None else packaged_judge()
        # An article does not change while it has its id, version and text; what is worked out of it is kept.
        self._shelves: dict[str, tuple[tuple[Article, ...], tuple[Article, ...], Shelf]] = {}
        self._quotable: dict[tuple[Article, date], bool] = {}

    async def find(self, question: str, today: date, limit: int = 4) -> Sources:
        """The articles for a question, the likeliest first; only current approved public ones are in ``hits``.

        Asked are the message as a whole and each question sentence in it, since a greeting or a story around a
        question hides it. One article has to answer every question: a message of which one stays open goes to a person,
        and so does one with a question that an article says it does not answer.
        """
        asks = asks_of(question)
        if not asks:
            return Sources(note="there are no words to look up")
        articles = await self._knowledge.articles(set(Audience))
        quotable = tuple(a for a in articles if self._may_ground(a, today))
        closed = tuple(
            a for a in articles if a.audience is Audience.PUBLIC and a.approved_by and not self._may_ground(a, today)
        )
        internal = tuple(a for a in articles if _for_people(a))
        hits: list[dict[str, Hit]] = []
        references: dict[str, Hit] = {}
        refused = False
        looked_up = asks[: QUESTIONS + 1]
        for asked, vector in zip(looked_up, self._encoder.embed(looked_up), strict=True):
            found = self._shelf("hits", quotable, closed).candidates(asked, vector)
            refused = refused or (bool(found) and all(_refused(c) for _, c in found))
            hits.append(self._judged(asked, [(c, quotable[n]) for n, c in found]))
            texts = self._shelf("references", internal, ()).candidates(asked, vector)
            near = [(c, internal[n]) for n, c in texts if c.nearness >= REFERENCE_NEAR]
            near.sort(key=lambda f: (-f[0].nearness, f[1].article_id))
            _take_best(references, self._judged(asked, near[:2]))
        if refused:
            hits = [{name: replace(hit, score=min(hit.score, FAR)) for name, hit in h.items()} for h in hits]
        best, left_open = _together(looked_up, hits)
        left_open = left_open or len(asks) > len(looked_up)
        return Sources(_ordered(best)[:limit], _ordered(references)[:2], left_open=left_open)

    def _may_ground(self, article: Article, today: date) -> bool:
        key = (article, today)
        if key not in self._quotable:
            self._quotable[key] = isinstance(may_ground(article, today), Permit)
        return self._quotable[key]

    def _shelf(self, name: str, articles: tuple[Article, ...], closed: tuple[Article, ...]) -> Shelf:
        kept = self._shelves.get(name)
        if kept is None or (kept[0], kept[1]) != (articles, closed):
            kept = self._shelves[name] = (articles, closed, self._texts.shelf(articles, closed))
        return kept[2]

    def _judged(self, asked: str, found: Sequence[tuple[Candidate, Article]]) -> dict[str, Hit]:
        if not found:
            return {}
        sure = self._judge.judge(asked, [candidate for candidate, _ in found])
        words, english = same_words(asked), _reads_english(asked)
        hits = {}
        for (candidate, article), told in zip(found, sure, strict=True):
            p = told if candidate.full_lists else _on_one_scale(told, article)
            answers, refuses = _listed(article)
            if words and words in refuses:
                p = min(p, FAR)
            elif words and words in answers:
                p = max(p, SAME_QUESTION)
            elif (
                candidate.title_near < (NEAR_AT if candidate.full_lists else NEAR_ALONE)
                or not english
                or not _lists(article, LISTED)
            ):
                p = min(p, FAR)
            if p <= FAR:
                # Nothing that answers: what a person is shown is ordered by nearness, which needs no lists.
                p = FAR * min(1.0, max(0.0, candidate.nearness))
            hits[article.article_id] = _hit(article, p)
        return hits

    async def article(self, article_id: str, version: int) -> Article | None:
        """The article of that id and version, if it is still there."""
        found = await self._knowledge.article(article_id)
        return found if found is not None and found.version == version else None

    def relevant_sentences(self, question: str, article: Article) -> tuple[str, ...]:
        """The sentences of an article that answer, word for word and in the article's order.

        The first sentence always, because an answer out of the blue misleads; then what matches nearly as well as
        the very best. A numbered procedure comes whole, because half of one is a wrong instruction.
        """
        parts = blocks(article.body)
        asked = _asked(question)
        if not parts or not asked:
            return ()
        vector = self._encoder.embed([asked])[0]
        scores = [[float(row @ vector) for row in self._texts.embed([bare(s) for s in part])] for part in parts]
        least = max(max(row) for row in scores) - NEIGHBOURS
        chosen: list[str] = []
        for part, row in zip(parts, scores, strict=True):
            steps = NUMBERED.match(part[0]) is not None
            for sentence, score in zip(part, row, strict=True):
                first = part is parts[0] and sentence is part[0]
                if first or score >= least or (steps and max(row) >= least):
                    chosen.append(sentence)
        return tuple(chosen)


QUESTIONS = 4
"""Questions of one message that are looked up by themselves; a message with more of them goes to a person."""
LEANS = 2
"""A later question with no more telling words than this leans on the one before it: its article need only be likely."""
REFUSED_NEAR = 0.6
"""A listed question that is not answered, at least this near and nearer than any that is, sends the message to a person."""
_REFUSED = FIGURES.index("ahead of any not answered")
_POINTS_BACK = re.compile(r"^(?:and|or|but|also|if so|then)\b|\b(?:it|its|that|this|them|they|those|these|any)\b")
_ASKED = re.compile(
    r"\?[\"')\]]*$|^(?:how|what|where|when|why|who|which|can|could|do|does|did|is|are|will|would|may|should)\b"
    r"|\b(?:tell|show) (?:me|us)\b|\blet (?:me|us) know\b|\b(?:want|need|like|love) to know\b|\bwonder(?:ing)?\b"
)
_ASKS_NOTHING = re.compile(
    r"(?:how are you|(?:can|could|would|will) (?:you|any(?:one|body)|some(?:one|body))(?: please| kindly)?"
    r" (?:help|assist|advise)(?: me| us)?(?: out)?(?:,? please)?)\W*"
)


def asks_of(message: str) -> list[str]:
    """What is looked up: the message as a whole, of which head and tail are read, then each question in all of it; one
    that points back is read with the question, or else the sentence, before it. Empty where there are no words."""
    whole = _asked(message)
    found: list[str] = []
    before = asked = ""
    for sentence in sentences(plain(message)):
        if _ASKED.search(sentence) and not _ASKS_NOTHING.fullmatch(sentence):
            points_back = _POINTS_BACK.search(sentence) or len(sentence.split()) < 4
            read = f"{asked or before} {sentence}".strip() if points_back else sentence
            found.append(ends_of(read))
            asked = asked if points_back and asked else read
        before = sentence
    return [] if not whole else [whole] if found == [whole] else [whole, *dict.fromkeys(found)]


def _together(asks: Sequence[str], found: Sequence[dict[str, Hit]]) -> tuple[dict[str, Hit], bool]:
    """The best reading of each article, and whether a question is left open by the article that answers the first.

    The whole comes first; what stands around a single question may be what makes it clear. Of several each has to be
    answered by itself. Only one that hardly says what it is about ("what columns do you want?") may lean on the first, where
    it is nearest to the same article, and never on what comes after: nothing appended answers for what is there (I11).
    """
    kept: dict[str, Hit] = {}
    for hits in found:
        _take_best(kept, hits)
    bests = [max(hits.values(), key=lambda hit: hit.score, default=None) for hits in found[1:]]
    if len(bests) < 2:
        return kept, False
    bars = [ANSWER_AT, *(ASK_AT if len(telling_words(asked)) <= LEANS else ANSWER_AT for asked in asks[2:])]
    answered = [
        best.id if best is not None and best.score >= bar else "" for best, bar in zip(bests, bars, strict=True)
    ]
    return kept, answered[0] == "" or len(set(answered)) > 1


def _refused(candidate: Candidate) -> bool:
    if not candidate.evidence:
        return False
    ahead = candidate.evidence[_REFUSED]
    return ahead < 0.0 and candidate.title_near - ahead >= REFUSED_NEAR


def _for_people(article: Article) -> bool:
    return article.audience is not Audience.PUBLIC and bool(article.approved_by)


@lru_cache(maxsize=1024)
def _listed(article: Article) -> tuple[frozenset[tuple[str, ...]], frozenset[tuple[str, ...]]]:
    """What an article answers and what it says that it does not, as the words of its questions."""
    return frozenset(map(same_words, article.questions)), frozenset(map(same_words, article.not_answered))


def _lists(article: Article, least: tuple[int, int]) -> bool:
    return len(article.questions) >= least[0] and len(article.not_answered) >= least[1]


def _on_one_scale(told: float, article: Article) -> float:
    """What the judge of thin lists told, so that it reaches ANSWER_AT where it reaches the article's own bar."""
    return min(1.0, told * ANSWER_AT / (WELL_AT if _lists(article, WELL_LISTED) else THIN_AT))


# The encoder reads English only. Small words tell a language better than anything else as cheap.
_ENGLISH_WORDS = (
    "a about an and any are at be by can could do does for from get has have how i if in is it many me much my no not of "
    "on or our please so than that the their there they this to us want was we what when where which who why will with "
    "would you your"
)
_FOREIGN_WORDS = (
    "das dem der des ein eine einen für ich ist kann können mein meine mit nicht und unser unsere wann welche wie "
    "wir wird wo comment combien dans des est les mes mon notre nous où peut peux pour pouvons puis quand quel quelle une "
    "vous como cómo cuando cuánto cuántos de del donde dónde el los mi nuestra nuestro para podemos por puedo qué una che "
    "dove il nostra nostro posso quanto een het hoe ik kan kunnen mijn niet onze voor waar wij da é meu "
    "minha nossa nosso onde os pode posso quando uma jak gdzie czy hur kan och"
)
_ENGLISH = frozenset(_ENGLISH_WORDS.split())
_FOREIGN = frozenset(_FOREIGN_WORDS.split()) - _ENGLISH


def _reads_english(question: str) -> bool:
    found = same_words(question)
    ours, other = sum(w in _ENGLISH for w in found), sum(w in _FOREIGN for w in found)
    return ours > other if other else (ours > 0 or len(found) < 6) and all(w.isascii() for w in found[:6])


def _take_best(kept: dict[str, Hit], hits: Mapping[str, Hit]) -> None:
    for hit in hits.values():
        if hit.id not in kept or hit.score > kept[hit.id].score:
            kept[hit.id] = hit


def _ordered(hits: Mapping[str, Hit]) -> tuple[Hit, ...]:
    return tuple(sorted(hits.values(), key=lambda hit: (-hit.score, hit.id)))


def _asked(question: str) -> str:
    return ends_of(plain(question)).strip()


def _hit(article: Article, score: float) -> Hit:
    return Hit(
        article.article_id, article.version, article.title, article.family, article.audience.value, round(score, 4)
    )
