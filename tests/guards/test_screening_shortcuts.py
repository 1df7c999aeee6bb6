"""What makes the screen fast hides nothing: each shortcut, on and off, gives the same findings."""

from __future__ import annotations

import re

import pytest
from disguised import DISGUISES
from hypothesis import given
from hypothesis import strategies as st

from guards import disguises, lexicon, screening, wording
from guards.disguises import readings
from guards.wording import plain, screen, sentences

VOCABULARY = sorted(
    {
        word.rstrip("*").replace("_", " ")
        for classes in (lexicon.ENGLISH, *lexicon._OTHERS.values())
        for words in classes.values()
        for word in words.split()
    }
)
SAID = (
    "We have approved a full refund for you.",
    "We will reply to you within two days.",
    "Within two business days.",
    "A specialist has reviewed your case.",
    "Our team is looking into it.",
    "We will look into it.",
    "I told my manager about it.",
    "I have let my manager know about this.",
    "A manager signed it for your case.",
    "A colleague took a look at your case.",
    "Ein Kollege hat Ihren Fall geprüft.",
    "You will hear from us by Friday.",
    "You will hear from us tomorrow.",
    "U hoort morgen van ons.",
    "Please send us your verification code.",
    "Wir haben eine Gutschrift für Sie genehmigt.",
    "Nous vous répondrons sous 48 heures.",
    "The refund policy is described in the billing article.",
    "A seat costs 30 EUR on the 1st of a month.",
)

texts = st.lists(
    st.tuples(
        st.sampled_from([*VOCABULARY, *SAID, "seats", "30", "e.g.", "approx.", "Mr."]),
        st.sampled_from([" ", " ", " ", ", ", ". ", ": ", "\n"]),
    ),
    min_size=1,
    max_size=40,
).map(lambda parts: "".join(word + gap for word, gap in parts))
odd = st.one_of(texts, st.text(max_size=60), st.text(alphabet="ab c13@€$%&=\\<[*_-|·.\n\tİé/", max_size=40))


def judged(text: str) -> object:
    return readings(text), plain(text), sentences(text), screen(text)


def _without(shortcut: pytest.MonkeyPatch, text: str) -> object:
    always = re.compile("")
    shortcut.setattr(screening, "_worth_judging", lambda whole: True)
    for gate in ("_SAID", "_TIMED", "_MONEYED", "_X_MONEYED"):
        shortcut.setattr(screening, gate, -1)
    shortcut.setattr(screening, "_TELLING", -1)
    shortcut.setattr(screening, "_new_lines", lambda reads: reads)
    shortcut.setattr(
        screening, "_words", lambda clauses: (screening._TOKEN.findall(lexicon.without_accents(c)) for c in clauses)
    )
    shortcut.setattr(disguises, "_FROM_LEET", re.compile(r"\S+"))
    shortcut.setattr(lexicon, "_CHANGED", -1)
    for gate in ("_SPACED_END", "_LINE_JOINT"):
        shortcut.setattr(disguises, gate, always)
    shortcut.setattr(disguises, "_MIXED", re.compile(r"[^\W\d_][013457$@€]|[013457$@€][^\W\d_]"))
    shortcut.setattr(disguises, "SHORTEST_CODE", 0)
    shortcut.setattr(wording, "_CONTROL", always)
    shortcut.setattr(wording, "_LONGEST_ABBREVIATION", len(text))
    return judged(text)


@given(text=odd)
def test_no_shortcut_of_the_screen_hides_a_finding(text: str) -> None:
    fast = judged(text)
    with pytest.MonkeyPatch.context() as shortcut:
        assert _without(shortcut, text) == fast


@pytest.mark.parametrize("how", DISGUISES)
def test_no_shortcut_hides_what_a_disguise_says(how: str) -> None:
    for said in SAID:
        hidden = DISGUISES[how](said)
        fast = judged(hidden)
        with pytest.MonkeyPatch.context() as shortcut:
            assert _without(shortcut, hidden) == fast


def test_the_gates_let_what_must_be_found_through_and_most_of_an_article_not() -> None:
    def worth(text: str) -> bool:
        clause = lexicon.without_accents(plain(text))
        return screening._worth_judging(screening._all(lexicon.meanings(screening._TOKEN.findall(clause))))

    assert all(worth(said) for said in SAID if screen(said) and said != "Within two business days.")
    assert not worth("New seats can be used as soon as the purchase is made.")
    assert not worth("Select Seats and press Add seats.")


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        ("r3fund", "refund"),
        ("your r3-funded s3at", "your re-funded seat"),
        ("x0 30-day 2.500 4€-fee", "xo eo-day 2.500 ae-fee"),
        ("x0 30-40", "xo 30-40"),
        ("x0 ab-30 30-ab", "xo ab-30 eo-ab"),
    ],
)
def test_a_digit_is_read_as_a_letter_where_a_letter_is_in_its_word_or_after_it(text: str, spelt: str) -> None:
    assert spelt in readings(text)


def test_a_clause_that_two_readings_share_is_found_once() -> None:
    text = "Your refund has been approved. The export of the 31st is r3ady."
    assert len(readings(text)) > 1
    assert [f.quote for f in screen(text)] == ["your refund has been approved"]
