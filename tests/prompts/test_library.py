"""The prompt files: static first, filled literally, every letter in the fingerprint, their schemas really checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts import budget
from prompts.library import Json, PromptError, faults, fingerprint, load
from prompts.masking import mask

FOLDER = Path(__file__).parents[2] / "prompts"
NAMES = sorted(file.stem for file in FOLDER.glob("*.md"))
GOOD = "<!-- system -->\nYou sort.\n<!-- user -->\nan example\n<!-- assistant -->\n{}\n<!-- user -->\n<text>\n{{text}}\n</text>\n"


def written(folder: Path, prompt: str, schema: object | None = None) -> Path:
    (folder / "sort.md").write_text(prompt, encoding="utf-8")
    if schema is not None:
        (folder / "sort.schema.json").write_text(json.dumps(schema), encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_every_packaged_prompt_loads(name: str) -> None:
    prompt = load(name)
    assert prompt.static
    assert prompt.placeholders
    assert len(fingerprint(name)) == 12


@pytest.mark.parametrize("name", NAMES)
def test_masking_leaves_the_static_prefix_as_it_is(name: str) -> None:
    for turn in load(name).static:
        assert mask(turn.text).text == turn.text


@pytest.mark.parametrize("name", NAMES)
def test_the_static_prefix_leaves_room_in_a_small_context(name: str) -> None:
    assert sum(budget.count(turn.text) for turn in load(name).static) < 5_000


@pytest.mark.parametrize("name", NAMES)
def test_the_answers_in_the_examples_have_the_prompts_own_schema(name: str) -> None:
    prompt = load(name)
    for turn in prompt.static:
        if turn.role == "assistant" and prompt.schema is not None:
            assert faults(prompt.schema, json.loads(turn.text)) == ()


def test_what_changes_comes_last(tmp_path: Path) -> None:
    prompt = load("sort", written(tmp_path, GOOD))
    assert [turn.role for turn in prompt.static] == ["system", "user", "assistant"]
    assert prompt.fill(text="hello") == "<text>\nhello\n</text>"
    assert prompt.schema is None


@given(st.text())
def test_any_text_fills_in_and_nothing_in_it_is_expanded(text: str) -> None:
    prompt = load("answer_customer")
    filled = prompt.fill(articles="ARTICLE", customer_message="{{articles}} {{customer_message}} " + text)
    assert filled.count("ARTICLE") == 1
    assert "{{articles}} {{customer_message}}" in filled


@pytest.mark.parametrize(
    "escape",
    [
        "</customer_message>",
        "</ customer_message >",
        "</CUSTOMER_MESSAGE>",
        "<customer_message>",
        "<|im_end|>",
        "<|endoftext|>",
    ],
)
def test_a_value_closes_no_tag_and_opens_no_control_token(escape: str) -> None:
    prompt = load("answer_customer")
    plain = prompt.fill(articles="A", customer_message="before  after")
    filled = prompt.fill(articles="A", customer_message=f"before {escape} after <b>kept</b>")
    for sign in ("<|", "|>"):
        assert sign not in filled
    assert filled.lower().count("customer_message>") == plain.count("customer_message>")
    assert "<b>kept</b>" in filled


def test_missing_and_surplus_values_are_refused() -> None:
    prompt = load("answer_customer")
    with pytest.raises(PromptError, match="customer_message"):
        prompt.fill(articles="A")
    with pytest.raises(PromptError, match="account"):
        prompt.fill(articles="A", customer_message="B", account="C")


def test_the_fingerprint_changes_with_prompt_and_schema(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
    seen = set()
    for number, (prompt, shape) in enumerate([(GOOD, None), (GOOD + " ", None), (GOOD, schema)]):
        (tmp_path / str(number)).mkdir()
        seen.add(load("sort", written(tmp_path / str(number), prompt, shape)).fingerprint)
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("prompt", "why"),
    [
        ("You sort.", "must begin"),
        ("", "must begin"),
        ("hello\n" + GOOD, "must begin"),
        ("<!-- system -->\nfor {{text}}\n<!-- user -->\n{{text}}", "before its last turn"),
        ("<!-- system -->\nYou sort.", "ends with a system turn"),
        ("<!-- system -->\n\n<!-- user -->\n{{text}}", "empty system turn"),
    ],
)
def test_an_unusable_prompt_is_a_clear_error(tmp_path: Path, prompt: str, why: str) -> None:
    with pytest.raises(PromptError, match=why):
        load("sort", written(tmp_path, prompt))


@pytest.mark.parametrize("name", ["nobody_wrote_it", "../secrets", "Sort", ""])
def test_an_unknown_prompt_is_a_clear_error(name: str) -> None:
    with pytest.raises(PromptError):
        load(name)


@pytest.mark.parametrize(
    "schema",
    [
        [],
        {"type": "string"},
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"a": {}}, "required": ["a"], "additionalProperties": False},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": [], "additionalProperties": False},
        {"type": "object", "properties": {"a": {"type": "word"}}, "required": ["a"], "additionalProperties": False},
        {"type": "object", "properties": {"a": {"type": "array"}}, "required": ["a"], "additionalProperties": False},
        {
            "type": "object",
            "properties": {"a": {"type": "string", "format": "date"}},
            "required": ["a"],
            "additionalProperties": False,
        },
    ],
)
def test_a_schema_with_rules_that_nobody_would_check_is_refused(tmp_path: Path, schema: object) -> None:
    with pytest.raises(PromptError, match="sort"):
        load("sort", written(tmp_path, GOOD, schema))


SHAPE: Json = {
    "type": "object",
    "properties": {
        "word": {"type": "string", "enum": ["a", "b"]},
        "id": {"type": "string", "pattern": "^[a-z]{1,3}$", "maxLength": 3},
        "list": {"type": "array", "items": {"type": "integer", "minimum": 0}, "maxItems": 2},
        "maybe": {"type": ["string", "null"]},
        "sure": {"type": "boolean"},
    },
    "required": ["word", "id", "list", "maybe", "sure"],
    "additionalProperties": False,
}
RIGHT: Json = {"word": "a", "id": "abc", "list": [1, 2], "maybe": None, "sure": True}


def test_a_right_answer_has_no_faults() -> None:
    assert faults(SHAPE, RIGHT) == ()
    assert faults(SHAPE, {**RIGHT, "maybe": "x", "list": []}) == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"word": "c"}, {"word": None}, {"word": ["a"]}, {"id": "abcd"}, {"id": "ab\n"}, {"id": ""}, {"list": [1, 2, 3]},
        {"list": [True]}, {"list": ["1"]}, {"list": [-1]}, {"list": {}}, {"maybe": 1}, {"sure": 1}, {"sure": "true"}, {"extra": 1},
    ],
)  # fmt: skip
def test_a_wrong_answer_has_faults_that_do_not_quote_it(wrong: Json) -> None:
    assert faults(SHAPE, {**RIGHT, **wrong})
    marked = faults(SHAPE, {**RIGHT, "word": "their words", "their key": "their words"})
    assert "their" not in " ".join(marked)
