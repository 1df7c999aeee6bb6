"""Story: the assistant summarises, and the conversation is a person's: conversation escalation."""

from __future__ import annotations

from agent_scene import AUDIT_LOG, Scene, level

from desk.decisions import answer_myself, claim, route
from guards.facts import Standing
from guards.lanes import Lane, Unit
from ledger.events import Kind
from ledger.explain import explain
from ledger.packets.packet import CustomerState, HumanPacket
from ledger.packets.pages import to_text

LOCKED_OUT = (
    "Our admin Nadia has been unable to sign in since Saturday, when somebody changed the roles around. Can you switch "
    "her back to admin, or tell me how I can do it from my login?"
)


async def test_an_admin_lockout_is_owned_by_a_person_from_the_first_message(machine: Scene) -> None:
    leda = {"requester_email": "leda@brightwater.example", "requester_name": "Leda Morrow"}
    result = await machine.customer_writes(LOCKED_OUT, **leda)

    # The whole thread is a person's, because it touches access.
    assert result.lane == 3 and level(result, "security_identity") == "high"
    assert result.decision is not None and result.decision.unit is Unit.CONVERSATION
    assert machine.register().floor is Lane.HUMAN_OWNED

    # The owner gets a packet that starts from what is known, and says how far each thing may be relied on.
    packet = result.packet
    assert isinstance(packet, HumanPacket)
    assert packet.owner.queue in ("security_team", "access_specialist") and packet.owner.why
    known = {fact.name: group.standing for group in packet.known for fact in group.facts}
    assert known["account.tier"] is Standing.CONFIRMED
    assert known["changes.recent_role_change"] is Standing.CONFIRMED
    assert known["requester.name"] is Standing.CLAIMED
    assert packet.missing and packet.decision_wanted.words
    assert packet.customer.state is CustomerState.NOTHING_SENT
    page = to_text(packet)
    assert "did not draft a reply" in page and LOCKED_OUT[:60] in page.replace("\n> ", " ").replace("\n", " ")

    # The customer hears one approved sentence, without a single step.
    machine.deliver()
    assert len(machine.letters()) == 1
    assert "a colleague who is allowed to handle it will read your message" in machine.letters()[0]

    # A person takes it; from now on what the customer writes goes to them, and nowhere else.
    claim(machine.people, "T-1", machine.sign("Petra"))
    await machine.person_decided()
    result = await machine.customer_writes(AUDIT_LOG, **leda)
    assert result.packet is not None and result.packet.words[-1].text == AUDIT_LOG
    assert result.packet.customer.state is CustomerState.NOTICE_ONLY
    assert machine.deliver() == []
    assert len(machine.mails()) == 1

    # The person answers in their own words, and those leave.
    answer_myself(
        machine.people, machine.release, "T-1", "Nadia, please call us.", machine.look().seen, machine.sign("Petra")
    )
    await machine.person_decided()
    machine.deliver()
    assert machine.letters().count("Nadia, please call us.") == 1
    assert machine.reviews.of_ticket("T-1") is None

    # How it ended stands beside what was proposed.
    last = machine.events("T-1", Kind.OUTCOME_RECORDED)[-1]
    assert (last.head["decision"], last.head["by"], last.head["proposed_lane"]) == ("answered", "Petra", 3)


async def test_the_boundary_can_be_explained_to_an_unhappy_customer(machine: Scene) -> None:
    result = await machine.customer_writes(LOCKED_OUT, requester_email="leda@brightwater.example")
    words = explain(result)
    assert "access" in words and "person" in words
    assert not [jargon for jargon in ("epoch", "matrix", "signal", "floor") if jargon in words.lower()]


async def test_a_wrong_queue_is_put_right_and_stays_right(machine: Scene) -> None:
    await machine.customer_writes(LOCKED_OUT, requester_email="leda@brightwater.example")
    route(machine.people, ["privacy_legal"], machine.review().id, "privacy_legal", machine.sign())
    await machine.person_decided()
    await machine.customer_writes("Hello?", requester_email="leda@brightwater.example")
    assert machine.review().queue == "privacy_legal"
