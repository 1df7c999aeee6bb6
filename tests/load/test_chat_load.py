"""A few customers at once, through a process of its own: nothing is lost, doubled or left unanswered."""

from __future__ import annotations

from pathlib import Path

import pytest
from chat_load import QUESTIONS, part, run


@pytest.mark.slow
def test_customers_who_write_at_once_are_all_answered_and_none_twice(tmp_path: Path) -> None:
    many = 3 * len(QUESTIONS)
    load = run(tmp_path / "served", many)
    assert load.errors == [], load.told()
    assert (len(load.acknowledged), len(load.answered)) == (many, many)
    assert (load.lost, load.doubled) == (0, 0)
    assert load.letters["answer"] >= many / 4 and load.letters["notice"] >= many / 4, load.told()


def test_a_percentile_is_one_of_the_figures() -> None:
    assert [part([0.4, 0.1, 0.3, 0.2], percent) for percent in (50, 95, 100)] == [0.2, 0.4, 0.4]
    assert part([], 95) != part([], 95)
