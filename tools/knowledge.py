"""Approved articles: found by words (SQLite FTS5), and judged whether a customer's answer may rest on them."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache

from guards.capabilities import TABLE, Right
from guards.gate import Permit, Refusal
from guards.wording import plain
from ledger.pins import Edition
from ledger.words import canonical, digest_of
from tools.errors import BadRecord
from tools.systems import Article, Audience, Hit, Rank

MOST_WORDS = 48
"""Different words of a query that are looked for; a customer's first and last words say what it is about."""
_WEIGHTS = "6.0, 4.0, 8.0, 1.0"
"""BM25 weights of title, tags, questions and body: an article is found by what it says it answers."""

# Words that stand in every question. BM25 discounts them by itself only where the collection is large.
_EMPTY_WORDS = (
    "a an and any are as at be been but by can could did do does for from get got had has have he hello hey hi how i "
    "if in is it its just me my of on or our ours please she so some thank thanks that the their them then there they "
    "this to us was we were what when where which who why will with would you your yours"
)
_EMPTY = frozenset(_EMPTY_WORDS.split())


class KnowledgeIndex:
    """The current articles in an index held in memory. Safe to use from several threads."""

    def __init__(self, articles: Iterable[Article], rank: Rank | None = None) -> None:
        self._articles = tuple(articles)
        self._rank = rank
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        self._db.execute(
            "CREATE VIRTUAL TABLE article USING fts5"
            "(title, tags, questions, body, tokenize = 'porter unicode61 remove_diacritics 2')"
        )
        self._db.executemany(
            "INSERT INTO article (rowid, title, tags, questions, body) VALUES (?, ?, ?, ?, ?)",
            ((n, a.title, " ".join(a.tags), "\n".join(a.questions), a.body) for n, a in enumerate(self._articles)),
        )

    async def article(self, article_id: str) -> Article | None:
        """The current version of that article."""
        return next((a for a in self._articles if a.article_id == article_id), None)

    async def articles(self, audiences: Collection[Audience]) -> tuple[Article, ...]:
        """All current articles of those audiences."""
        return tuple(a for a in self._articles if a.audience in audiences)

    async def search(self, words: str, audiences: Collection[Audience], limit: int) -> tuple[Hit, ...]:
        """As ``find``; it never waits for anything."""
        return self.find(words, audiences, limit)

    def find(self, words: str, audiences: Collection[Audience], limit: int) -> tuple[Hit, ...]:
        """The articles nearest to any words whatever, best first, at most ``limit``; none where nothing is near.

        With an injected ranking every article of those audiences is a candidate, so that a question that
        shares no word with its article can still find it.
        """
        lexical = self._by_words(words)
        wanted = [n for n, a in enumerate(self._articles) if a.audience in audiences]
        if self._rank is None:
            hits = [Hit(self._articles[n], lexical[n], lexical[n], None) for n in wanted if n in lexical]
        else:
            near = self._by_meaning(words, wanted)
            top = max(lexical.values(), default=1.0)
            # Meaning leads and words break ties: a closeness is comparable between queries, a BM25 score is not.
            hits = [
                Hit(
                    self._articles[n],
                    near[n] + _LEXICAL_SHARE * lexical.get(n, 0.0) / top,
                    lexical.get(n, 0.0),
                    near[n],
                )
                for n in wanted
            ]
        return tuple(sorted(hits, key=lambda hit: -hit.score)[: max(limit, 0)])

    def _by_words(self, words: str) -> dict[int, float]:
        query = match_query(words)
        if not query:
            return {}
        with self._lock:
            rows = self._db.execute(
                f"SELECT rowid, -bm25(article, {_WEIGHTS}) FROM article WHERE article MATCH ?",  # noqa: S608
                (query,),
            ).fetchall()
        return {int(row): float(score) for row, score in rows}

    def _by_meaning(self, words: str, wanted: Sequence[int]) -> dict[int, float]:
        assert self._rank is not None
        texts = [(n, text) for n in wanted for text in ranked_texts(self._articles[n])]
        closeness = self._rank(words, [text for _, text in texts])
        near: dict[int, list[float]] = {n: [] for n in wanted}
        for (n, _), value in zip(texts, closeness, strict=True):
            near[n].append(value)
        # Its three nearest texts, not one: a single sentence may sound alike by chance.
        return {n: sum(sorted(values)[-3:]) / min(3, len(values)) for n, values in near.items()}


_LEXICAL_SHARE = 0.1
"""What the best word match adds to a closeness of at most 1. Tried from 0 to 0.5; more lets chance words win."""


def match_query(words: str) -> str:
    """Any text as an FTS5 query that asks for any of its words; empty where it holds none.

    Each word goes in quotes, where FTS5 knows no operators; ``\\w`` holds no quote and no lone surrogate.
    """
    found = dict.fromkeys(word for word in re.findall(r"\w+", plain(words)) if len(word) <= 64)
    telling = list(telling_words(words)) or list(found)
    if len(telling) > MOST_WORDS:
        half = MOST_WORDS // 2
        telling = [*telling[:half], *telling[-half:]]
    return " OR ".join(f'"{word}"' for word in telling)


def telling_words(words: str) -> tuple[str, ...]:
    """The different words of a text that say what it is about, in order; those of more than 64 characters are none."""
    found = dict.fromkeys(re.findall(r"\w+", plain(words)))
    return tuple(word for word in found if len(word) <= 64 and word not in _EMPTY)


def ranked_texts(article: Article) -> tuple[str, ...]:
    """The texts of an article that a ranking compares with a question: title, questions, body lines, the whole."""
    lines = (line.strip() for line in article.body.splitlines())
    whole = f"{article.title}. {article.body}"
    return (article.title, *article.questions, *(line for line in lines if line), whole)


def may_ground(article: Article, today: date) -> Permit | Refusal:
    """May a text that a customer reads rest on this article today? By default not."""
    what = f"answer from {article.name}"
    if article.audience is not Audience.PUBLIC:
        return Refusal(what, "audience", f"it is written for {article.audience.value} use, not for customers")
    if not article.approved_by.strip() or article.approved_on is None:
        return Refusal(what, "approval", "nobody has approved it")
    if article.approved_on > today:
        return Refusal(what, "approval", f"it is approved only from {article.approved_on}")
    if article.review_by is None:
        return Refusal(what, "review", "it names no day by which it is to be reviewed")
    if article.review_by < today:
        return Refusal(what, "review", f"it was to be reviewed by {article.review_by}")
    if quote := embedded_instruction(article):
        return Refusal(what, "embedded_instruction", f"it speaks to a machine: “{quote}”")
    return Permit(Right.SEND_ANSWER, TABLE[Right.SEND_ANSWER].reason)


def edition_of(article: Article) -> Edition:
    """The article's version with the digest of all that its approval covers: what is quoted, what it says it answers and
    does not, whom it is for and its family. When it is to be reviewed, and its tags, may change under one version."""
    text = {
        "title": article.title,
        "body": article.body,
        "audience": article.audience.value,
        "family": article.family,
        "questions": list(article.questions),
        "not_answered": list(article.not_answered),
    }
    return Edition(article.article_id, article.version, digest_of(canonical(text)))


def current_articles(articles: Iterable[Article]) -> tuple[Article, ...]:
    """One version of each article: the newest that is approved. One version with two texts is not there at all."""
    by_id: dict[str, list[Article]] = {}
    for article in articles:
        by_id.setdefault(article.article_id, []).append(article)
    chosen = []
    for versions in by_id.values():
        sound = [a for a in versions if not _two_texts(a, versions)]
        if sound:
            chosen.append(max(sound, key=lambda a: (bool(a.approved_by), a.version)))
    return tuple(chosen)


def _two_texts(article: Article, versions: Iterable[Article]) -> bool:
    return any(o.version == article.version and (o.title, o.body) != (article.title, article.body) for o in versions)


def article_problems(articles: Sequence[Article]) -> Iterator[BadRecord]:
    """What is wrong with a knowledge folder: no approval, an id twice, a version with two texts, words to a machine."""
    first: dict[str, Article] = {}
    for article in articles:
        where = article.file or article.article_id
        if not article.approved_by.strip() or article.approved_on is None:
            yield BadRecord(
                where, "nobody has approved it", "Add approved_by and approved_on; until then nothing rests on it"
            )
        elif article.review_by is None:
            yield BadRecord(where, "it names no review_by", "Add the day; until then nothing rests on it")
        if quote := embedded_instruction(article):
            yield BadRecord(
                where, f"it speaks to a machine: “{quote}”", "Take that out; until then nothing rests on it"
            )
        yield from _list_problems(article, where)
        other = first.setdefault(article.article_id, article)
        if other is article:
            continue
        if _two_texts(article, [other]):
            yield BadRecord(where, f"{other.file} has another text as {article.name}", "Raise the version of the newer")
        else:
            yield BadRecord(where, f"{other.file} has the same id {article.article_id}", "Keep only the current one")
    yield from _listed_twice(articles)


MOST_LISTED = 200
"""Questions of one kind that an article may list."""
LONGEST_LISTED = 300
"""Characters of a listed question."""


def _list_problems(article: Article, where: str) -> Iterator[BadRecord]:
    for name, listed in (("questions", article.questions), ("not_answered", article.not_answered)):
        if len(listed) > MOST_LISTED:
            yield BadRecord(where, f"{name} lists {len(listed)} questions", f"Keep at most {MOST_LISTED}")
        for question in listed:
            if not same_words(question):
                yield BadRecord(where, f"{name} lists “{question}”, which has no words", "Take it out")
            if len(question) > LONGEST_LISTED:
                yield BadRecord(where, f"{name} lists “{question[:40]}…”", f"Keep it to {LONGEST_LISTED} characters")
    both = {same_words(q) for q in article.questions} & {same_words(q) for q in article.not_answered}
    for question in article.not_answered:
        if same_words(question) in both:
            yield BadRecord(
                where,
                f"“{question}” stands in questions and in not_answered",
                "Take it out of one of them; until then the article does not answer it",
            )


def _listed_twice(articles: Sequence[Article]) -> Iterator[BadRecord]:
    """A question that two public articles list: their owners have to choose which answers it."""
    lists: dict[tuple[str, ...], Article] = {}
    for article in articles:
        if article.audience is not Audience.PUBLIC:
            continue
        for question in article.questions:
            other = lists.setdefault(same_words(question), article)
            if other.article_id != article.article_id:
                yield BadRecord(
                    article.file or article.article_id,
                    f"“{question}” is also listed by {other.file or other.article_id}",
                    "Choose the one that answers it and take it out of the other",
                )


def same_words(question: str) -> tuple[str, ...]:
    """The words of a question, by which two are the same."""
    return tuple(re.findall(r"\w+", plain(question)))


# Words that speak to a machine rather than to a reader. A second net: an article is untrusted by law anyway, may
# only be quoted, and never commands; this keeps a tampered one from being quoted at all.
_TO_A_MACHINE = re.compile(
    r"\b(?:note|notes|message|instructions?|attention|reminder)\b[^.!?\n]{0,12}\b(?:to|for)\b[^.!?\n]{0,12}"
    r"\b(?:ai|a\.i\.|assistants?|bots?|chatbots?|models?|llms?|language models?|agents?)\b"
    r"|\b(?:ai|virtual|automated) (?:assistant|agent|bot|model)s?\b[^.!?\n]{0,40}\b(?:must|should|shall|reading|please|:)"
    r"|\b(?:ignore|disregard|forget|drop|override|bypass|discard)\b[^.!?\n]{0,40}"
    r"\b(?:previous|prior|earlier|above|preceding|existing|your|all|system|safety)\b[^.!?\n]{0,25}"
    r"\b(?:instructions?|prompts?|rules?|guidelines?|polic(?:y|ies)|directions?|guardrails?|filters?|context)\b"
    r"|\b(?:system|developer) (?:prompt|message|override)\b"
    r"|\byou are (?:now|no longer) (?:an?|the|in|bound|allowed)\b"
    r"|\b(?:treat|classify|mark|route|label|score|rate|handle)\b[^.!?\n]{0,40}\b(?:ticket|case|request|message|this)\b"
    r"[^.!?\n]{0,30}\b(?:lane|low risk|routine|autonomous|safe|resolved)\b"
    r"|\blane[ -]?[123]\b"
    r"|\b(?:tell|inform|assure|promise) (?:the|this|every|each) (?:customer|user|client)\b[^.!?\n]{0,60}"
    r"\b(?:approved|refund\w*|credit\w*|granted|verified|reviewed)\b"
    r"|(?:<\|?|\[|#{2,}|\{\{)\s?/?\s?\(?(?:system|inst\b|im_start|im_end|assistant|endoftext)"
    r"|\b(?:do not|don't|never) (?:escalate|involve|hand)\b[^.!?\n]{0,30}\b(?:human|person|agent|ticket|this)?\b"
    r"|<!--"
)
_UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\U000e0000-\U000e007f]")


@lru_cache(maxsize=4_096)  # an edition says the same each time, and is asked at every search
def embedded_instruction(article: Article) -> str:
    """The words of an article that speak to a machine, or its invisible characters; empty where there are none."""
    for text in (article.title, *article.tags, *article.questions, *article.not_answered, article.body):
        if match := _TO_A_MACHINE.search(plain(text)):
            return match.group()[:120]
        if _UNSEEN.search(text):
            return "characters that nobody sees"
    return ""
