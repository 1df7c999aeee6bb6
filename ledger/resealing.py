"""Sealing every event anew as it stands, and saying on record up to which one, by whom and why."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from ledger.errors import RecordRolledBack
from ledger.events import HOUSE, Entry, Kind, append, own_key
from ledger.sealed.keyring import Keyring, anchored
from ledger.sealed.sealing import seal_anew


def seal_old_records(conn: Connection, keyring: Keyring, at: datetime) -> None:
    """Seals the events of a ledger that was written before there were seals.

    RecordRolledBack where an anchor says that this ledger was sealed before: then somebody took its seals away.
    """
    if keyring.anchor_file is not None and keyring.anchor_file.exists():
        raise RecordRolledBack(
            f"this ledger carries no seals, and its anchor {keyring.anchor_file} says that it did: an older copy stands "
            "in its place. Put the newest copy back; or move the anchor away, and the record is sealed as it stands."
        )
    seal_as_it_stands(conn, keyring, at, "ledger", "migrated", "the ledger was written before there were seals")


def seal_as_it_stands(conn: Connection, keyring: Keyring, at: datetime, actor: str, why: str, reason: str) -> int:
    """Seals all that is there under a new chain id, with the key at hand or a new one, anchors it, and records it.
    Returns the seq of the last event that was there."""
    key = keyring.make_key()
    chain, place = seal_anew(conn, key)
    keyring.replace_anchor(anchored(chain, place, at), key)
    head = {"through": place.seq, "records": place.number, "why": why}
    entry = Entry(Kind.RECORD_SEALED, own_key(f"sealed/{chain}"), head, {"reason": reason})
    append(conn, HOUSE, entry, at=at, actor=actor)
    return place.seq
