"""The glossary is the code: each word's module exists, the name beside it stands there, and no word of the law lacks."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path

import pytest

from guards.capabilities import Effect, Right
from guards.facts import Standing
from guards.lanes import Unit
from guards.policy import Phase
from guards.triggers import Boundary, Trigger

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "GLOSSARY.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| (?P<word>[^|]+) \| (?P<means>[^|]+) \| `(?P<path>[^`]+)` `(?P<name>[^`]+)` \|$", re.MULTILINE)
ROWS = tuple(match.groupdict() for match in _ROW.finditer(TEXT))
WORDS = {row["word"].strip("`") for row in ROWS}

ASKED_FOR = """
lane, unit, trigger, level, signal, boundary, floor, opening, epoch, revision, grant, right, effect, refusal, notice,
packet, standing, coverage, release, phase, family, domain, intent, lease, halt, reply key, post room
"""


def test_every_row_of_the_glossary_can_be_read() -> None:
    lines = [line for line in TEXT.splitlines() if line.startswith("| ")]
    heads = [line for line in lines if line.startswith(("| word |", "| --- |"))]
    assert len(ROWS) == len(lines) - len(heads) > 100


def test_every_word_of_the_glossary_is_where_it_says() -> None:
    lost = []
    for row in ROWS:
        path = ROOT / row["path"]
        if not path.is_file() or not re.search(rf"\b{re.escape(row['name'])}\b", path.read_text(encoding="utf-8")):
            lost.append((row["word"], row["path"], row["name"]))
    assert lost == []


def test_the_words_that_a_newcomer_meets_first_are_explained() -> None:
    assert [word for word in re.split(r",\s+", ASKED_FOR.strip()) if word not in WORDS] == []


@pytest.mark.parametrize("vocabulary", [Unit, Trigger, Boundary, Standing, Right, Effect, Phase])
def test_every_member_of_the_law_is_explained(vocabulary: type[Enum]) -> None:
    assert [member.value for member in vocabulary if member.value not in WORDS] == []


def test_an_explanation_is_one_line_and_says_something() -> None:
    assert [row["word"] for row in ROWS if len(row["means"].split()) < 3 or len(row["means"]) > 140] == []
