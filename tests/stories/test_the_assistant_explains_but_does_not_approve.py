"""Story: the assistant explains the policy, but does not approve the exception: action escalation."""

from __future__ import annotations

from agent_scene import AUDIT_LOG, Scene, level

from desk.decisions import answer_myself, decide_action
from guards.capabilities import Effect, rights_of
from guards.lanes import Lane, Unit
from ledger.decisions import ActionResult
from ledger.packets.packet import AssistedPacket
from tools.actions import KNOWN, STATE_CHANGES

MORE_SEATS = "How do I add more seats? And could you give us a discount on them?"


async def test_how_it_works_is_explained_to_the_agent_and_the_exception_is_left_to_them(machine: Scene) -> None:
    # A polite question that looks ordinary: half of it is documentation, half would grant or refuse something.
    result = await machine.customer_writes(MORE_SEATS)
    assert result.lane == 2 and level(result, "policy_sensitivity") == "high"

    # The draft explains by quoting the approved article, and leaves the decision open in plain sight.
    packet = result.packet
    assert isinstance(packet, AssistedPacket) and packet.draft is not None
    assert "Seats are added under Settings, then Billing, then Seats." in packet.draft.text
    assert "[Agent: Decide whether anything is granted or refused, and on which terms.]" in packet.draft.text
    assert packet.draft.marks == () and "add-seats" in {r.id for r in packet.draft.sources}
    assert not [w for w in ("discount", "no extra charge", "we can", "approved") if w in packet.draft.text.lower()]

    # What may matter is named for the agent, not interpreted.
    assert packet.references and packet.decision_wanted.words.startswith("Decide whether anything is granted")
    assert "did not quote a refund or credit outcome, promise timing, give security steps, say a person reviewed" in {
        n.words for n in packet.not_done
    }

    # All that the customer has heard is that somebody will decide.
    machine.deliver()
    assert len(machine.letters()) == 1
    assert "needs a decision that I am not allowed to make" in machine.letters()[0]


async def test_a_step_that_is_hard_to_undo_waits_for_a_person_while_the_assistant_goes_on_explaining(
    machine: Scene,
) -> None:
    # The wish for a step opens an action, beside the answer that is owed.
    result = await machine.customer_writes("Please cancel our subscription.")
    assert result.decision is not None and Unit.ACTION in result.decision.units
    (waiting,) = machine.register().actions
    assert waiting.name == "state_change"

    # A person answers; whether to cancel is not decided yet.
    answer_myself(
        machine.people, machine.release, "T-1", "Let me look into it.", machine.look().seen, machine.sign("Oona")
    )
    await machine.person_decided()
    machine.deliver()

    # Meanwhile the customer asks something harmless, and is told how it works.
    result = await machine.customer_writes(AUDIT_LOG)
    assert (result.lane, machine.pieces()[-1]) == (1, "answer")
    machine.deliver()
    assert any("The audit log is in the admin panel" in letter for letter in machine.letters())

    # The step still waits for a person, and only a person ends it.
    assert [a.id for a in machine.register().actions] == [waiting.id]
    sign = machine.sign("Oona")
    decide_action(machine.people, "T-1", waiting.id, ActionResult.DONE_ELSEWHERE, sign, "subscription 4711")
    await machine.person_decided()
    assert machine.register().actions == ()


def test_no_lane_gives_the_assistant_a_right_to_change_anything() -> None:
    changes = {tool.name for tool in STATE_CHANGES}
    assert changes and {tool.effect for tool in STATE_CHANGES} == {Effect.STATE_CHANGE}
    assert all(KNOWN[name] not in rights_of(lane) for name in changes for lane in Lane)
