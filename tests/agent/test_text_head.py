"""The local text model: deterministic, bounded, quoting the message, and right on plain cases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from agent.assessors import encoder, text_head
from agent.assessors.encoder import WEIGHTS, TextEncoder, fingerprint
from agent.assessors.text_head import TRIGGERS, HeadReading, TextHead, beginnings, split_windows

RISK = tuple(t for t in TRIGGERS if t != "missing_context")


MOST_TEXTS = 120 + 2 * 40 + 8
"""120 sentences, passages of 150 words out of twice 6,000 characters, and eight beginnings."""
MOST_CHARACTERS = 2 * 12_000 + 8 * 2_048
"""Each kept character in one passage and in one sentence, and the beginnings, cut where the encoder cuts."""
MOST_TOKENS = MOST_CHARACTERS + 2 * MOST_TEXTS
"""A token is at least a character, and each text has two that mark its ends."""


class Counted(TextEncoder):
    """The encoder itself, counting what it is given: the work, whatever else the machine has to do."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens: list[int] = []
        self.characters = 0

    def read(self, texts: Sequence[str]) -> tuple[Any, Any]:
        self.characters += sum(min(len(text), 2_048) for text in texts)
        return super().read(texts)

    def _load(self) -> tuple[Any, Any, tuple[str, ...]]:
        session, tokenizer, outputs = super()._load()

        def run(names: list[str], given: dict[str, Any]) -> Any:
            self.tokens.append(given["ids"].shape[1])
            return session.run(names, given)

        return SimpleNamespace(run=run), tokenizer, outputs


@pytest.fixture(scope="module")
def head() -> TextHead:
    return TextHead()


def fired(reading: HeadReading) -> set[str]:
    return {t for t in RISK if reading.levels[t] != "low"}


@pytest.mark.parametrize(
    ("text", "trigger", "level"),
    [
        (
            "You billed my card two times for one order, I want the second payment returned",
            "policy_sensitivity",
            "high",
        ),
        ("Would you waive the late fee this once?", "policy_sensitivity", "high"),
        (
            "Somebody signed in to my profile from another country and I cannot get back in",
            "security_identity",
            "high",
        ),
        ("i forgot my passcode and the app has blocked me", "security_identity", "high"),
        ("Please close my account for good and erase everything you hold", "action_irreversibility", "high"),
        (
            "Fourth message without an answer. My solicitor will write to you next.",
            "customer_pressure",
            "high",
        ),
    ],
)
def test_plainly_risky_messages_fire(head: TextHead, text: str, trigger: str, level: str) -> None:
    assert head.judge(text).levels[trigger] == level


@pytest.mark.parametrize(
    "text",
    [
        "Which days are you open over the holidays?",
        "How do I change the colour theme of the dashboard?",
        "what file formats can i import",
        "Do you ship to Norway?",
        "What is the difference between a debit card and a prepaid card?",
        "Thanks, that answers it!",
    ],
)
def test_routine_messages_stay_quiet(head: TextHead, text: str) -> None:
    assert fired(head.judge(text)) == set()


def test_two_loads_read_alike() -> None:
    text = "Hello. I was charged twice. Can a person call me? My login fails as well."
    one, two = TextHead().judge(text), TextHead().judge(text)
    assert one == two
    assert one.fingerprint == fingerprint(WEIGHTS)
    assert len(one.fingerprint) == 12


def test_neighbours_do_not_change_a_vector() -> None:
    reader = TextEncoder()
    alone = reader.embed(["where is my parcel"])
    beside = reader.embed(["a much longer text about something else entirely, really", "where is my parcel"])
    assert np.array_equal(alone[0], beside[1])
    assert np.allclose(np.linalg.norm(beside, axis=1), 1.0, atol=1e-6)
    assert reader.embed([]).shape == (0, 384)


def test_embedding_ranks_the_right_article_first() -> None:
    reader = TextEncoder()
    articles = [
        "Resetting your password: open the sign-in page and choose Forgot password.",
        "Exporting reports as PDF or CSV from the dashboard.",
        "Delivery times and shipping costs by country.",
    ]
    questions = ["how long does shipping take", "i can't remember my login", "save a dashboard to a file"]
    best = (reader.embed(questions) @ reader.embed(articles).T).argmax(axis=1)
    assert list(best) == [2, 0, 1]


def test_evidence_is_a_verbatim_sentence_of_the_message(head: TextHead) -> None:
    text = "Hi all!\r\nWe like the new editor…  Our ｃｏｌｌｅａｇｕｅ left: remove her admin rights today. Bye"
    reading = head.judge(text)
    assert reading.levels["security_identity"] != "low"
    assert "admin rights" in reading.windows["security_identity"]
    for quote in reading.windows.values():
        assert quote
        assert quote in text
        assert len(quote) < len(text)


def test_a_request_inside_a_long_thread_is_found(head: TextHead) -> None:
    chat = "How do I add a chart to the page? Where is the colour setting? Does the search cover attachments?\n"
    text = chat * 12 + "Then please delete our whole workspace, we are leaving.\n" + chat * 12
    reading = head.judge(text)
    assert reading.levels["action_irreversibility"] == "high"
    assert "delete our whole workspace" in reading.windows["action_irreversibility"]


@pytest.mark.parametrize("text", ["", "   \n\t ", "…?!", "\u200b\u200d\ufeff", "🙂🙂"])
def test_a_text_without_words_is_low_with_nothing_to_quote(head: TextHead, text: str) -> None:
    reading = head.judge(text)
    assert set(reading.levels.values()) == {"low"}
    assert set(reading.windows.values()) == {""}
    assert reading.needs == "none"


@pytest.mark.parametrize(
    "text",
    [
        "a" * 200_000,
        " " * 200_000,
        "x \n" * 70_000,
        '." ) ' * 40_000,
        "\u200b" * 100_000 + "refund" + "\u200b" * 100_000,
        "refund please. " * 14_000,
        "refund please.\n\n" * 13_000,
        "\x00\ud800 \U000e0041 ﷽" * 20_000,
    ],
)
def test_two_hundred_kilobytes_take_bounded_work(text: str) -> None:
    work = Counted()
    reading = TextHead(encoder=work).judge(text)
    assert reading.truncated
    assert all(quote in text for quote in reading.windows.values())
    assert len(work.tokens) <= MOST_TEXTS
    assert sum(work.tokens) <= MOST_TOKENS
    assert work.characters <= MOST_CHARACTERS


def test_ten_times_the_text_is_no_more_work() -> None:
    once, tenfold = Counted(), Counted()
    line = "Where do I find the colour settings of a chart? "
    TextHead(encoder=once).judge(line * 2_000)
    TextHead(encoder=tenfold).judge(line * 20_000)
    assert sum(once.tokens) > 1_000
    assert abs(sum(tenfold.tokens) - sum(once.tokens)) <= 0.02 * sum(once.tokens)
    assert abs(len(tenfold.tokens) - len(once.tokens)) <= 2


def test_the_ends_of_an_overlong_text_are_read(head: TextHead) -> None:
    filler = "Where do I find the colour settings of a chart? " * 4_000
    for text in (f"Please refund my last invoice. {filler}", f"{filler} Please refund my last invoice."):
        reading = head.judge(text)
        assert reading.truncated
        assert reading.levels["policy_sensitivity"] != "low"
        assert "refund" in reading.windows["policy_sensitivity"]


def test_invisible_characters_do_not_hide_words(head: TextHead) -> None:
    plain = "Please refund my last invoice"
    hidden = "\u200b".join(plain)
    assert head.judge(hidden).scores == head.judge(plain).scores
    assert head.judge("Ｐｌｅａｓｅ ｒｅｆｕｎｄ my last invoice").scores == head.judge(plain).scores


def test_scores_are_ordered_probabilities_and_levels_follow_them(head: TextHead) -> None:
    limits = json.loads((WEIGHTS / "heads.json").read_text(encoding="utf-8"))["thresholds"]
    for text in (
        "refund me",
        "hello",
        "my card was stolen and I am furious",
        "upgrade 40 seats, then cancel the rest",
    ):
        reading = head.judge(text)
        for trigger, (medium, high) in reading.scores.items():
            assert 0.0 <= high <= medium <= 1.0
            level = reading.levels[trigger]
            if level == "low":
                assert medium <= limits[trigger]["medium"]
            else:
                assert medium >= limits[trigger]["medium"] - 0.0001
                assert (level == "high") == (high >= limits[trigger]["high"])
        assert abs(sum(reading.needs_scores.values()) - 1) < 0.001


def test_asking_for_a_person_is_heard(head: TextHead) -> None:
    assert head.judge("Can I talk to a real person please?").asks_human
    assert not head.judge("How many people can share one plan?").asks_human


def test_windows_cover_a_message_once() -> None:
    text = "One. Two is longer! Three?\nFour"
    passages, sentences, truncated = split_windows(text)
    assert [text[a:b] for a, b in sentences] == ["One.", "Two is longer!", "Three?", "Four"]
    assert passages == [(0, len(text))]
    assert not truncated


def test_a_message_is_also_read_as_it_was_before_its_later_paragraphs() -> None:
    text = "One. Two.\n\nThree.\n \nFour."
    passages, _, _ = split_windows(text)
    assert [text[a:b] for a, b in beginnings(text, passages)] == ["One. Two.", "One. Two.\n\nThree."]
    assert len(beginnings("a\n\n" * 400, split_windows("a\n\n" * 400)[0])) == 8


def test_the_first_sentences_are_read_alone_however_many_follow() -> None:
    few = "The bill is wrong. I am furious."
    _, alone, _ = split_windows(few)
    _, among, _ = split_windows(f"{few}\n\n" + "Nothing else. " * 500)
    assert set(alone) <= set(among)
    assert len(among) <= 120


@pytest.mark.parametrize("below", ["Nothing else. " * 40, "Where is the page for labels?", "Thanks!\n\nBye.\n\nAna"])
def test_what_stands_below_a_message_does_not_drown_it(head: TextHead, below: str) -> None:
    order = ("low", "medium", "high")
    text = "The sync has failed three times and my boss is furious."
    before, after = head.judge(text), head.judge(f"{text}\n\n{below}")
    assert before.levels["customer_pressure"] == "high"
    assert [t for t in TRIGGERS if order.index(after.levels[t]) < order.index(before.levels[t])] == []


def test_weights_are_small_and_whole() -> None:
    assert sum(p.stat().st_size for p in WEIGHTS.iterdir()) < 30_000_000
    assert (WEIGHTS / "NOTICE").read_text(encoding="utf-8").strip()
    assert Path(encoder.__file__).parent == Path(text_head.__file__).parent == WEIGHTS.parent
