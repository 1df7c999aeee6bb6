"""How much of a draft a person changed, which says whether the draft was the answer."""

from __future__ import annotations

import pytest

from ledger.scorecard.summary import share_changed

DRAFT = "Hello, your invoice is higher because of [Agent: the reason]. It was sent on [Agent: the day]. Kind regards, the team"


@pytest.mark.parametrize(
    ("draft", "sent", "per_mille"),
    [
        ("one two three four", "one two three four", 0),
        ("one two three four", "one two three five", 250),
        ("one two", "three four", 1000),
        ("", "", 0),
        ("", "all of it new", 1000),
        ("[Agent: everything]", "whatever the agent wrote there", 0),
        ("Yes, [Agent: the sum] is due.", "Yes, is due.", 0),
    ],
)
def test_words_that_differ_are_counted_over_both_texts(draft: str, sent: str, per_mille: int) -> None:
    assert share_changed(draft, sent) == per_mille


def test_what_is_filled_in_at_an_open_place_is_no_change_however_long_it_is() -> None:
    filled = DRAFT.replace("[Agent: the reason]", "eleven seats that were added in the middle of the month").replace(
        "[Agent: the day]", "the second"
    )
    assert share_changed(DRAFT, filled) == 0
    assert share_changed(DRAFT, filled.replace("Kind regards, the team", "I wash my hands of it, goodbye")) > 300
    assert share_changed(DRAFT, filled.replace("Hello,", "Good morning Ada,")) > 0
