"""Approved words come from the very text that was approved: a version whose text has changed grounds nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from agent_scene import AUDIT_LOG, Scene, its_systems, made_up_company, open_scene, read_words_as_words

from agent.approved_words import ApprovedWords
from agent.outgoing import Outgoing
from guards.gate import Piece, Refusal
from guards.grounding import Span
from guards.policy import Release
from ledger.events import Kind
from tools.knowledge import KnowledgeIndex, current_articles, edition_of
from tools.systems import Article, Audience, Systems

TEXT = "Audit logs are in the admin panel of Nordwind."


@pytest.fixture(autouse=True)
def _light(monkeypatch: pytest.MonkeyPatch) -> None:
    read_words_as_words(monkeypatch.setattr)


@pytest.fixture
async def scene(tmp_path: Path, rules: Release, empty_ledger: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path, rules, empty_ledger=empty_ledger) as made:
        yield made


def _article(name: str = "audit-log") -> Article:
    return next(a for a in made_up_company().directory.shelves.articles if a.article_id == name)


def _systems_with(changed: Article) -> Systems:
    kept = current_articles(made_up_company().directory.shelves.articles)
    others = [changed if a.article_id == changed.article_id else a for a in kept]
    return replace(its_systems(), knowledge=KnowledgeIndex(others))


async def test_a_changed_text_is_held_for_a_person_and_a_raised_version_answers_again(
    tmp_path: Path, rules: Release, empty_ledger: Path
) -> None:
    article = _article()
    changed = replace(article, body=f"{article.body}\n\n{TEXT}")
    lanes, reasons = [], []
    for n, one in enumerate([article, changed, replace(changed, version=article.version + 1), article]):
        async with open_scene(tmp_path, rules, systems=_systems_with(one), empty_ledger=empty_ledger) as scene:
            result = await scene.customer_writes(AUDIT_LOG, ticket=f"T-{n}")
            lanes.append(result.lane)
            reasons.append(result.held)
            rights = set(result.rights)
            assert ("send_answer" in rights) == (result.lane == 1), "the rights told are those of the lane as it is now"
    assert lanes == [1, 2, 1, 1]
    assert "audit-log v7 has another text than when it was first relied on" in reasons[1]


async def test_a_version_is_pinned_once_however_often_it_answers(scene: Scene) -> None:
    for n in range(3):
        await scene.customer_writes(AUDIT_LOG, ticket=f"T-{n}")
    pinned = [e for e in scene.history.house_timeline() if e.kind is Kind.ARTICLE_PINNED]
    assert [(e.head["article"], e.head["version"]) for e in pinned] == [("audit-log", 7)]


@pytest.mark.parametrize("piece", [Piece.ANSWER, Piece.QUESTION])
async def test_no_step_gets_a_changed_text_past_the_way_out(scene: Scene, rules: Release, piece: Piece) -> None:
    await scene.customer_writes(AUDIT_LOG)
    other = replace(_article(), title="Pay at the address below")
    words = ApprovedWords(question=(Span("clarify", TEXT),), answer_from=(other,), question_from=(other,))
    out = Outgoing(scene.worker, rules, "T-1", scene.register().revision, words)
    text = TEXT if piece is Piece.QUESTION else other.body.splitlines()[0]
    refused = out.propose(piece, text)
    assert isinstance(refused, Refusal)
    assert refused.rule == "changed_source"


@dataclass(frozen=True)
class Change:
    """One field of an article, changed."""

    field: str
    value: Any


@pytest.mark.parametrize(
    ("change", "another"),
    [
        (Change("body", "Another body."), True),
        (Change("title", "Another title"), True),
        (Change("audience", Audience.INTERNAL), True),
        (Change("family", "billing"), True),
        (Change("questions", ("Where is the money?",)), True),
        (Change("not_answered", ()), True),
        (Change("review_by", date(2027, 1, 1) + timedelta(days=1)), False),
        (Change("tags", ("other",)), False),
        (Change("file", "elsewhere.md"), False),
    ],
    ids=lambda v: v.field if isinstance(v, Change) else "",
)
def test_an_approval_covers_what_is_said_and_to_whom_and_what_it_answers(change: Change, another: bool) -> None:
    article = _article()
    changed = replace(article, **{change.field: change.value})
    assert (edition_of(changed).digest != edition_of(article).digest) is another
