"""Which families have earned their autonomy by evidence, as the record holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ledger.decisions import Signature
from ledger.events import HOUSE, Entry, Kind, append, own_key, timeline
from ledger.rollout import MACHINE
from ledger.store import Store


def promoted_families(store: Store) -> Mapping[str, str]:
    """Each family with evidence of its own and the phase it was promoted to. A narrowing that came after takes the
    evidence away: it has to be earned again. A family under a new name has none."""
    with store.read() as conn:
        told = timeline(conn, HOUSE, [Kind.FAMILY_PROMOTED, Kind.FAMILY_HELD])
    found: dict[str, str] = {}
    for event in told:
        family = str(event.head["family"])
        if event.kind is Kind.FAMILY_PROMOTED:
            found[family] = str(event.head["to"])
        elif event.actor == MACHINE:
            found.pop(family, None)
    return found


def record_promotion(store: Store, family: str, to: str, evidence: Mapping[str, Any], sign: Signature) -> int:
    """Writes down that a family has shown what its next phase needs, with the counts that show it; the event's seq."""
    entry = Entry(
        Kind.FAMILY_PROMOTED,
        own_key(f"house/{sign.key}/{store.new_id()}"),
        {"family": family, "to": to, "evidence": evidence},
        {"reason": sign.reason},
    )
    with store.write(durable=True) as conn:
        return append(conn, HOUSE, entry, at=store.now(), actor=sign.by).seq
