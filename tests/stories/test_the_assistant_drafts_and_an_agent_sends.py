"""Story: the assistant drafts, and an agent sends: answer escalation."""

from __future__ import annotations

from email import message_from_bytes

import pytest
from agent_scene import DISCOUNT, Scene, filled
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from agent.release_in_force import release_view
from desk.channels.eml import words_of
from desk.decisions import approve, edit_and_approve
from desk.errors import ChangedSince, DecisionRefused
from ledger.errors import StaleDecision
from ledger.letters import DeliveryState
from ledger.tables import bodies
from ledger.words import digest_of


async def drafted(machine: Scene) -> str:
    """A ticket in lane 2, its notice gone; the draft that waits for an agent."""
    result = await machine.customer_writes(DISCOUNT, subject="A discount?")
    assert result.lane == 2 and result.draft is not None
    machine.deliver()
    assert machine.pieces() == ["notice"]
    return result.draft


async def test_what_the_agent_approved_is_what_leaves_byte_for_byte(machine: Scene) -> None:
    # The agent fills in the places that were left to them; odd characters and line ends included.
    mine = filled(await drafted(machine)) + "\n\n  Grüße – ✓ =3D .\n.\nFrom us\t "
    look = machine.look()
    assert look.review is not None
    edit_and_approve(machine.people, machine.release, look.review.id, mine, look.seen, machine.sign())
    await machine.person_decided()

    (sent,) = machine.deliver()
    assert sent.state is DeliveryState.SENT and sent.letter.piece.value == "approved"
    raw = next(path.read_bytes() for path in machine.mails() if words_of(path.read_bytes()) == mine)
    mail = message_from_bytes(raw)
    assert (mail["To"], mail["Subject"]) == ("hazel@maplefinch.example", "Re: A discount?")
    assert mail["Auto-Submitted"] is None, "a person stands behind it"
    assert words_of(raw).encode() == mine.encode()

    # It is done: nobody is asked any more, and delivering again sends nothing twice.
    assert machine.reviews.of_ticket("T-1") is None
    assert machine.deliver() == []
    assert len(machine.mails()) == 2


async def test_an_approval_of_the_shown_draft_is_an_approval_of_exactly_its_bytes(machine: Scene) -> None:
    draft = await drafted(machine)
    look, view = machine.look(), release_view(machine.release)
    assert look.review is not None
    for changed in (draft + " ", draft.replace("Hello", "Hallo"), draft[:-1], draft.replace("\n", "\r\n")):
        with pytest.raises(StaleDecision, match="not the draft that was shown"):
            machine.people.approve(look.review.id, changed.encode(), look.seen, machine.sign(), view)
    assert machine.pieces() == ["notice"]
    machine.people.approve(look.review.id, draft.encode(), look.seen, machine.sign(), view)
    machine.deliver()
    assert draft in machine.letters()


async def test_a_draft_with_places_left_open_is_not_let_through_the_desk(machine: Scene) -> None:
    draft = await drafted(machine)
    look = machine.look()
    assert look.review is not None and "[Agent:" in draft
    with pytest.raises(DecisionRefused, match="places for you to fill in"):
        approve(machine.people, machine.release, look.review.id, draft.encode(), look.seen, machine.sign())
    assert machine.pieces() == ["notice"]


async def test_what_was_approved_cannot_be_changed_on_its_way(machine: Scene) -> None:
    mine = filled(await drafted(machine))
    look = machine.look()
    assert look.review is not None
    edit_and_approve(machine.people, machine.release, look.review.id, mine, look.seen, machine.sign())
    with pytest.raises(IntegrityError, match="append-only"), machine.store.write() as conn:
        conn.execute(update(bodies).where(bodies.c.digest == digest_of(mine)).values(text=mine.replace("H", "h")))
    assert [d.body.text for d in machine.deliver()] == [mine]
    assert mine in machine.letters()


async def test_an_approval_given_while_the_customer_was_writing_is_refused_and_nothing_is_lost(
    machine: Scene,
) -> None:
    mine = filled(await drafted(machine))
    shown = machine.look()
    assert shown.review is not None
    await machine.customer_writes("One more thing: it would be for forty people.")
    with pytest.raises(ChangedSince) as refused:
        edit_and_approve(machine.people, machine.release, shown.review.id, mine, shown.seen, machine.sign())
    assert "the customer has written since" in str(refused.value)

    # The same agent looks again, sees both messages and a fresh draft, and answers them together.
    again = machine.look()
    assert again.review is not None and again.review.id == shown.review.id and again.review.packet is not None
    assert len(again.review.packet.words) == 2
    edit_and_approve(machine.people, machine.release, again.review.id, mine, again.seen, machine.sign())
    machine.deliver()
    assert mine in machine.letters()


async def test_an_approval_does_not_outlive_a_message_that_came_before_the_post(machine: Scene) -> None:
    mine = filled(await drafted(machine))
    look = machine.look()
    assert look.review is not None
    edit_and_approve(machine.people, machine.release, look.review.id, mine, look.seen, machine.sign())
    await machine.customer_writes("Forget it, we have bought it elsewhere.")
    assert DeliveryState.SENT not in {d.state for d in machine.deliver() if d.letter.piece.value == "approved"}
    assert mine not in machine.letters()
    assert machine.review().packet is not None
