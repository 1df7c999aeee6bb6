"""A lane-1 text stands only on whole sentences of approved spans, and never on forbidden words (I7)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guards.grounding import Span, ground
from guards.wording import sentences

ARTICLE = Span(
    "exports@4",
    """Open Settings and choose Exports. An export holds the last 90 days. Do not close the page while it runs.
    Guests cannot start an export. Do not share the link; delete it after use.""",
)
FACT = Span("account.plan", "According to your account record, plan: Team annual.")
SPANS = (ARTICLE, FACT)


@pytest.mark.parametrize(
    "text",
    [
        "Open Settings and choose Exports.",
        "An export holds the last 90 days. Guests cannot start an export.",
        "Guests cannot start an export.\n\nOpen   Settings and\tchoose Exports.",
        "According to your account record, plan: Team annual. Open Settings and choose Exports.",
        "Do not close the page while it runs.",
        ARTICLE.text,
    ],
)
def test_a_word_for_word_text_stands_and_names_its_sources(text: str) -> None:
    verdict = ground(text, SPANS)
    assert verdict.stands, verdict
    assert {source for _, source in verdict.supported} <= {"exports@4", "account.plan"}
    assert [s for s, _ in verdict.supported] == list(sentences(text)) or text is ARTICLE.text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Open Settings and choose Imports.", "a changed word"),
        ("An export holds the last 30 days.", "a changed number"),
        ("open settings and choose exports.", "changed capitals"),
        ("Open Settings, and choose Exports.", "an added comma"),
        ("Open Settings and choose Exports", "a dropped full stop"),
        ("close the page while it runs.", "a dropped not"),
        ("Close the page while it runs.", "a dropped not, tidied"),
        ("Do close the page while it runs.", "a not cut out"),
        ("delete it after use.", "the end of a sentence"),
        ("Do not share the link", "the start of a sentence"),
        ("Guests cannot start an export. Guests can start an import.", "an added sentence"),
        ("Open Settings and choose Exports.An export holds the last 90 days.", "two sentences joined"),
        ("Open Settings and choose Exports. An export holds the last 90", "a half sentence at the end"),
        ("Guests cannot start an export and choose Exports.", "halves of two sentences"),
        ("Yes. Open Settings and choose Exports.", "an added yes"),
        ("Open Sеttings and choose Exports.", "a Cyrillic letter"),
        ("Open\u200b Settings and choose Exports.", "a hidden character"),
        ("Do\n\nnot close the page while it runs.", "a paragraph's end after Do"),
        ("", "nothing at all"),
        (" \n ", "only white space"),
        (".", "only a mark"),
    ],
    ids=lambda v: v[:28],
)
def test_any_other_text_falls(text: str, why: str) -> None:
    assert not ground(text, SPANS).stands, why


def test_without_spans_nothing_stands() -> None:
    assert not ground("Open Settings and choose Exports.", ()).stands
    assert not ground("Open Settings and choose Exports.", (Span("empty", ""), Span("blank", " \n"))).stands


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Your refund has been approved.", "commitment"),
        ("We will reply to you within two days, and then review it.", "timing"),
        ("Turn off two-factor authentication in Settings.", "security_step"),
        ("A colleague has reviewed this.", "human_review"),
    ],
)
def test_what_no_lane_may_say_stays_forbidden_however_well_it_is_grounded(text: str, kind: str) -> None:
    verdict = ground(text, [Span("policy@1", text)])
    assert verdict.unsupported == ()
    assert kind in {f.kind for f in verdict.forbidden}
    assert not verdict.stands


def test_one_unsupported_sentence_drops_the_whole_answer_and_is_named() -> None:
    verdict = ground("Open Settings and choose Exports. We love exports.", SPANS)
    assert verdict.unsupported == ("We love exports.",)
    assert not verdict.stands


def test_a_sentence_may_not_be_pieced_together_from_two_spans() -> None:
    parts = (Span("a@1", "Do not close"), Span("b@1", "the page."))
    assert not ground("Do not close the page.", parts).stands


WHOLE = tuple(" ".join(s.split()) for s in sentences(re.sub(r"\s+", " ", ARTICLE.text)))


@given(chosen=st.lists(st.sampled_from(WHOLE), min_size=1, max_size=5), gap=st.sampled_from([" ", "\n", "  ", "\n\n"]))
def test_any_choice_of_whole_sentences_stands(chosen: list[str], gap: str) -> None:
    assert ground(gap.join(chosen), [ARTICLE]).stands


@given(
    sentence=st.sampled_from(WHOLE),
    place=st.integers(0, 200),
    letter=st.characters(codec="utf-8", exclude_categories=("Cc", "Zs", "Zl", "Zp")),
)
def test_one_changed_character_of_a_sentence_drops_it(sentence: str, place: int, letter: str) -> None:
    at = place % len(sentence)
    changed = sentence[:at] + letter + sentence[at + 1 :]
    if changed != sentence:
        assert not ground(changed, [ARTICLE]).stands


@given(data=st.data())
def test_no_stretch_that_is_not_made_of_whole_sentences_stands(data: st.DataObject) -> None:
    body = " ".join(WHOLE)
    start = data.draw(st.integers(0, len(body) - 1))
    end = data.draw(st.integers(start + 1, len(body)))
    text = body[start:end].strip()
    whole = bool(text) and all(s in WHOLE for s in sentences(text))
    assert ground(text, [ARTICLE]).stands is whole


@given(text=st.text(max_size=60))
def test_a_free_text_never_stands(text: str) -> None:
    verdict = ground(text, [ARTICLE])
    assert not verdict.stands
    assert list(verdict.unsupported) == list(sentences(text))


def test_closing_marks_that_the_span_lacks_drop_a_sentence() -> None:
    assert not ground("Guests cannot start an export.)]\"' Open Settings and choose Exports.", SPANS).stands


def test_the_rest_of_a_sentence_after_an_abbreviation_does_not_stand() -> None:
    span = Span("a@1", "You may not, e.g. while it runs, close the page.")
    assert not ground("while it runs, close the page.", [span]).stands


@pytest.mark.parametrize("text", ["close the page while it runs.", "share the link with guests."])
def test_the_second_line_of_a_wrapped_prohibition_does_not_stand(text: str) -> None:
    wrapped = Span(
        "a@1", "An export holds 90 days. Never\nshare the link with guests. Do not\nclose the page while it runs."
    )
    assert not ground(text, [wrapped]).stands
