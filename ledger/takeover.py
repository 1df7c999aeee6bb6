"""Sealing a record as it stands: once when an old ledger is brought up to date, and where a person answers for it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from guards.gate import Refusal
from ledger import letters, reviews
from ledger.decisions import Signature
from ledger.errors import RecordRolledBack
from ledger.events import HOUSE, Entry, Kind, append, own_key
from ledger.keyring import Keyring, anchored
from ledger.letters import DeliveryState
from ledger.sealing import seal_anew
from ledger.store import Store


def seal_old_records(conn: Connection, keyring: Keyring, at: datetime) -> None:
    """Seals the events of a ledger that was written before there were seals, and notes up to which one.

    RecordRolledBack where an anchor says that this ledger was sealed before: then somebody took its seals away.
    """
    if keyring.anchor_file is not None and keyring.anchor_file.exists():
        raise RecordRolledBack(
            f"this ledger carries no seals, and its anchor {keyring.anchor_file} says that it did: an older copy stands "
            "in its place. Put the newest copy back; or move the anchor away, and the record is sealed as it stands."
        )
    _seal(conn, keyring, at, "ledger", "migrated", "the ledger was written before there were seals")


def take_over(store: Store, sign: Signature) -> int:
    """Takes the record over as it stands, in a person's name: after a backup was restored, a key was lost or changed, or
    something that ``verify`` found was looked into. Returns up to which event.

    Every event is sealed anew with the key at hand (a new one where there is none), and who took it over and why is on
    record. Letters that had not begun to leave may have left after the copy was made: none of them leaves, and a
    person is called to each.
    """
    at = store.now()
    with store.write(durable=True) as conn:
        through = _seal(conn, store.keyring, at, sign.by, "taken over", sign.reason)
        doubt = Refusal(
            "send the reply", "taken_over", "the record was taken over: nobody knows whether this left before"
        )
        for held in letters.in_state(conn, DeliveryState.INTENT):
            ticket = held.letter.ticket
            letters.withdraw(conn, ticket, doubt, at=at, actor=sign.by, approved_too=True)
            reviews.call_a_person(
                conn, ticket, "record_taken_over", review_id=store.new_id(), cause=held.proposed_by, at=at
            )
    return through


def _seal(conn: Connection, keyring: Keyring, at: datetime, actor: str, why: str, reason: str) -> int:
    key = keyring.make_key()
    chain, place = seal_anew(conn, key)
    keyring.replace_anchor(anchored(chain, place, at), key)
    head = {"through": place.seq, "records": place.number, "why": why}
    entry = Entry(Kind.RECORD_SEALED, own_key(f"sealed/{chain}"), head, {"reason": reason})
    append(conn, HOUSE, entry, at=at, actor=actor)
    return place.seq
