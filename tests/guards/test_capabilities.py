"""The table of rights, written out a second time by hand, and the lanes that nobody knows."""

from __future__ import annotations

from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guards.capabilities import TABLE, Effect, Right, rights_of
from guards.lanes import Lane

BOUNDARY = """
read_sources     read           1 2 3
send_answer      customer_text  1 - -
ask_question     customer_text  1 - -
close_ticket     close          1 - -
draft_reply      draft          - 2 -
suggest_help     local_note     1 2 -
summarise        local_note     1 2 3
commit           customer_text  - - -
change_state     state_change   - - -
release_notice   customer_text  - 2 3
send_elsewhere   egress         - - -
"""
"""BOUNDARY.md, law 1, row by row: the right, its effect, and the lanes that hold it."""


def test_the_table_of_rights_is_exactly_the_written_one() -> None:
    written = [line.split() for line in BOUNDARY.strip().splitlines()]
    held = [
        [right.value, row.effect.value, *(str(int(lane)) if lane in row.lanes else "-" for lane in Lane)]
        for right, row in TABLE.items()
    ]
    assert sorted(held) == sorted(written)


def test_the_table_is_total_and_every_row_says_what_it_allows_and_why() -> None:
    assert set(TABLE) == set(Right)
    assert {row.effect for row in TABLE.values()} == set(Effect)
    assert all(row.does and row.reason for row in TABLE.values())


@pytest.mark.parametrize("effect", [Effect.STATE_CHANGE, Effect.EGRESS])
def test_no_lane_holds_a_right_to_change_state_or_to_reach_third_parties(effect: Effect) -> None:
    assert [row.lanes for row in TABLE.values() if row.effect is effect] == [frozenset()]
    for lane in Lane:
        assert all(TABLE[right].effect is not effect for right in rights_of(lane))


def test_no_lane_may_commit_the_organisation() -> None:
    assert all(Right.COMMIT not in rights_of(lane) for lane in Lane)


def test_only_lane_1_speaks_in_its_own_words_and_only_lane_2_drafts() -> None:
    own_words = {Right.SEND_ANSWER, Right.ASK_QUESTION, Right.CLOSE_TICKET}
    assert own_words <= rights_of(Lane.AUTONOMOUS)
    assert not own_words & (rights_of(Lane.ASSISTED) | rights_of(Lane.HUMAN_OWNED))
    assert [lane for lane in Lane if Right.DRAFT_REPLY in rights_of(lane)] == [Lane.ASSISTED]


class Impostor(IntEnum):
    """A number that equals lane 1 but is not a lane."""

    ONE = 1


@pytest.mark.parametrize(
    "junk", ["1", "2", "autonomous", True, False, 0, 4, -1, None, 1.0, 2.0, [], (1,), b"1", Impostor.ONE, object()]
)
def test_a_lane_of_another_type_or_number_has_lane_3s_rights(junk: object) -> None:
    assert Lane.read(junk) is Lane.HUMAN_OWNED
    assert rights_of(junk) == rights_of(Lane.HUMAN_OWNED)


@given(junk=st.one_of(st.text(), st.floats(), st.booleans(), st.none(), st.integers(), st.binary()))
def test_whatever_a_lane_is_its_rights_are_those_of_one_of_the_three(junk: object) -> None:
    expected = Lane.HUMAN_OWNED
    if type(junk) is int and junk in (1, 2, 3):
        expected = Lane(junk)
    assert rights_of(junk) == rights_of(expected)


@pytest.mark.parametrize("lane", Lane)
def test_a_lane_is_read_from_its_own_number_and_from_itself(lane: Lane) -> None:
    assert Lane.read(lane) is lane
    assert Lane.read(int(lane)) is lane
