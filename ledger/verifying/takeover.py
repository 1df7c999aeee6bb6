"""Taking the record over as it stands, where a person answers for it."""

from __future__ import annotations

from guards.gate import Refusal
from ledger import changes, letters, reviews
from ledger.changes import ChangeState
from ledger.decisions import Signature
from ledger.letters import DeliveryState
from ledger.resealing import seal_as_it_stands
from ledger.store import Store


def take_over(store: Store, sign: Signature) -> int:
    """Takes the record over in a person's name: after a backup was restored, a key was lost or changed, or something that
    ``verify`` found was looked into. Returns up to which event.

    Every event is sealed anew with the key at hand (a new one where there is none), and who took it over and why is on
    record. Letters and changes that had not begun may have been carried out after the copy was made: none of them is,
    and a person is called to each.
    """
    at = store.now()
    with store.write(durable=True) as conn:
        through = seal_as_it_stands(conn, store.keyring, at, sign.by, "taken over", sign.reason)
        doubt = Refusal(
            "send the reply", "taken_over", "the record was taken over: nobody knows whether this left before"
        )
        for held in letters.in_state(conn, DeliveryState.INTENT):
            ticket = held.letter.ticket
            letters.withdraw(conn, ticket, doubt, at=at, actor=sign.by, approved_too=True)
            reviews.call_a_person(
                conn, ticket, "record_taken_over", review_id=store.new_id(), cause=held.proposed_by, at=at
            )
        for ordered in changes.in_state(conn, ChangeState.INTENT):
            why = "the record was taken over: nobody knows whether this was carried out before"
            refusal = Refusal(f"carry out {ordered.action}", "taken_over", why)
            changes.refuse(conn, ordered, refusal, at=at, actor=sign.by)
            reviews.call_a_person(
                conn, ordered.ticket, "record_taken_over", review_id=store.new_id(), cause=ordered.decided_by, at=at
            )
    return through
