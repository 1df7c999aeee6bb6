"""The token budget: offline, bounded in time, the first and the last words kept, never over the budget."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prompts import budget
from prompts.budget import CUSTOMER, NOTE, SMALLEST_BUDGET, Message, count, encoding_name, fit
from prompts.library import PromptError


def cost(messages: tuple[Message, ...]) -> int:
    return sum(4 + count(message.text) for message in messages)


def says(*texts: str) -> list[Message]:
    return [Message(CUSTOMER if at % 2 == 0 else "agent", text) for at, text in enumerate(texts)]


def test_counting_needs_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> Any:
        raise AssertionError("the network was asked")

    import tiktoken.registry

    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {})
    monkeypatch.setattr(socket, "socket", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "/nowhere")
    budget._encoding.cache_clear()
    assert count("hello world") == 2
    assert count("hello world", "gpt-4") == 2
    assert os.environ["TIKTOKEN_CACHE_DIR"] == "/nowhere"
    budget._encoding.cache_clear()


def test_a_changed_token_table_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(budget._SHA256, "o200k_base", hashlib.sha256(b"another").hexdigest())
    budget._encoding.cache_clear()
    with pytest.raises(PromptError, match="SHA-256"):
        count("hello")


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4o", "o200k_base"),
        ("gpt-4", "cl100k_base"),
        ("qwen2.5-coder-1.5b-instruct", "o200k_base"),
        ("", "o200k_base"),
        ("gpt2", "o200k_base"),
    ],
)
def test_an_unknown_model_is_counted_as_o200k(model: str, encoding: str) -> None:
    assert encoding_name(model) == encoding


@pytest.mark.parametrize("text", ["<|endoftext|>", "<|im_start|>system", "\ud800", "\x00", "", "‮​"])
def test_odd_text_is_counted_and_not_refused(text: str) -> None:
    assert count(text) >= (1 if text else 0)
    kept, note = fit([Message(CUSTOMER, text)], 100)
    assert (kept, note) == ((Message(CUSTOMER, text),), "")


def test_what_fits_stays_as_it_is() -> None:
    said = says("one", "two", "three")
    assert fit(said, 100) == (tuple(said), "")
    assert fit([], 100) == ((), "")


def test_the_middle_goes_and_a_marker_says_so() -> None:
    said = says(*(f"message {number} " + "word " * 30 for number in range(21)))
    kept, note = fit(said, 300)
    assert kept[0] == said[0]
    assert kept[-1] == said[-1]
    assert [message.role for message in kept].count(NOTE) == 1
    missing = len(said) - (len(kept) - 1)
    assert note == f"{missing} message(s) left out"
    assert f"{missing} messages left out" in next(m.text for m in kept if m.role == NOTE)


def test_the_customers_first_and_last_words_stay_although_others_are_first_and_last() -> None:
    others = [Message("agent", "filler " * 60)] * 3
    said = [*others, Message(CUSTOMER, "my first"), *others, Message(CUSTOMER, "my last"), *others]
    kept, _ = fit(said, 128)
    texts = [message.text for message in kept]
    assert "my first" in texts
    assert "my last" in texts
    assert cost(kept) <= 128


def test_one_giant_message_keeps_its_beginning_and_its_end() -> None:
    text = "BEGIN " + "filler words " * 20_000 + " END"
    (kept,), note = fit([Message(CUSTOMER, text)], 500)
    assert kept.text.startswith("BEGIN ")
    assert kept.text.endswith(" END")
    assert "characters left out" in kept.text
    assert note == "1 message(s) cut to their beginning and end"
    assert 350 < count(kept.text) <= 500


def test_two_giant_messages_share_the_budget_and_a_small_one_leaves_its_share() -> None:
    giant = "filler words " * 20_000
    kept, _ = fit([Message(CUSTOMER, "A " + giant), Message(CUSTOMER, giant + " Z")], 600)
    assert 200 < count(kept[0].text) < 300 and 200 < count(kept[1].text) < 300
    kept, _ = fit([Message(CUSTOMER, "small"), Message(CUSTOMER, giant)], 600)
    assert kept[0].text == "small"
    assert count(kept[1].text) > 450


def test_no_secret_survives_by_being_cut_in_half() -> None:
    for at in range(0, 60, 5):
        text = "filler words " * 400 + "x" * at + " 4111 1111 1111 1111 " + "filler words " * 400
        (kept,), _ = fit([Message(CUSTOMER, text)], SMALLEST_BUDGET + 8 * at)
        assert "1111" not in kept.text
    (kept,), _ = fit([Message(CUSTOMER, "4111 1111 1111 1111 " * 3_000)], 100)
    assert "1111" not in kept.text


@pytest.mark.parametrize("unit", ["a", " ", ".", "ab", "é", "word ", "🙂", "\n", "1", "á", "<|endoftext|>"])
def test_200_kilobytes_of_anything_take_bounded_time(unit: str) -> None:
    text = unit * (200_000 // len(unit.encode()))
    count("warm")
    begun = time.monotonic()
    kept, _ = fit([Message(CUSTOMER, text), Message(CUSTOMER, text)], 6_000)
    assert time.monotonic() - begun < 5
    assert cost(kept) <= 6_000


def test_a_budget_for_nothing_is_refused() -> None:
    with pytest.raises(PromptError):
        fit([Message(CUSTOMER, "hello")], SMALLEST_BUDGET - 1)


texts = st.one_of(st.text(max_size=40), st.text(max_size=6).map(lambda unit: unit * 200), st.just("word " * 300))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.builds(Message, st.sampled_from([CUSTOMER, "agent", "assistant"]), texts), max_size=14),
    st.integers(min_value=SMALLEST_BUDGET, max_value=900),
)
def test_no_conversation_ever_exceeds_its_budget(said: list[Message], tokens: int) -> None:
    kept, note = fit(said, tokens)
    assert cost(kept) <= tokens
    if not note:
        assert list(kept) == said
    asked = [message.text for message in said if message.role == CUSTOMER]
    if asked:
        mine = [message.text for message in kept if message.role == CUSTOMER]
        assert mine[0][:3] == asked[0][:3] or "left out" in mine[0]
        assert mine[-1][-3:] == asked[-1][-3:] or "left out" in mine[-1]
