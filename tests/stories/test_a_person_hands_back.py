"""Story: a person settles a matter and hands the conversation back; the assistant goes on where it may."""

from __future__ import annotations

import pytest
from agent_scene import AUDIT_LOG, LOCKED_OUT, Scene

from desk.decisions import answer_myself, hand_back
from desk.errors import ChangedSince
from guards.lanes import Lane
from ledger.events import Kind


async def owned_and_answered(machine: Scene) -> None:
    """A lane-3 ticket that a person has answered."""
    await machine.customer_writes(LOCKED_OUT)
    machine.deliver()
    answer_myself(
        machine.people, machine.release, "T-1", "It is solved by phone.", machine.look().seen, machine.sign("Petra")
    )
    await machine.person_decided()
    machine.deliver()


async def test_without_being_handed_back_the_thread_stays_a_persons(machine: Scene) -> None:
    await owned_and_answered(machine)
    result = await machine.customer_writes(AUDIT_LOG)
    assert result.lane == 3
    assert "answer" not in machine.pieces()


async def test_handed_back_at_lane_one_the_assistant_answers_the_next_question(machine: Scene) -> None:
    await owned_and_answered(machine)
    hand_back(machine.people, "T-1", Lane.AUTONOMOUS, machine.look().seen, machine.sign("Petra", "identity proved"))
    await machine.person_decided()
    (told,) = machine.events("T-1", Kind.HANDED_BACK)
    assert told.actor == "Petra"

    result = await machine.customer_writes(AUDIT_LOG)
    assert result.lane == 1
    machine.deliver()
    assert machine.pieces() == ["notice", "approved", "answer"]
    assert any("The audit log is in the admin panel" in letter for letter in machine.letters())


async def test_handed_back_at_lane_two_the_assistant_only_drafts(machine: Scene) -> None:
    await owned_and_answered(machine)
    hand_back(machine.people, "T-1", Lane.ASSISTED, machine.look().seen, machine.sign("Petra"))
    await machine.person_decided()
    result = await machine.customer_writes(AUDIT_LOG)
    assert result.lane == 2 and result.draft is not None
    assert "answer" not in machine.pieces()


async def test_what_is_risky_is_a_persons_again_at_once(machine: Scene) -> None:
    await owned_and_answered(machine)
    hand_back(machine.people, "T-1", Lane.AUTONOMOUS, machine.look().seen, machine.sign("Petra"))
    await machine.person_decided()
    result = await machine.customer_writes("And now I am locked out myself, please reset my password.")
    assert result.lane == 3
    assert machine.review().open


async def test_a_thread_is_not_handed_back_over_a_message_that_nobody_has_seen(machine: Scene) -> None:
    await owned_and_answered(machine)
    before = machine.look().seen
    await machine.customer_writes("Somebody else is in our account!")
    with pytest.raises(ChangedSince):
        hand_back(machine.people, "T-1", Lane.AUTONOMOUS, before, machine.sign("Petra"))
    assert machine.register().floor is Lane.HUMAN_OWNED
