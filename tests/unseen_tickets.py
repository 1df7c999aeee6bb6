"""Tickets that lane 1 answered and no person ever had, filed as the machine files them, for whoever audits them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledger.events import Entry, Kind, take_from_inbox
from ledger.intake import Earlier, IncomingMessage, Intake
from ledger.store import Store
from ledger.worker import WorkerLedger

ASKED = "Where do we find the receipts of last year?"
ANSWERED = "They are under Settings, then Billing, then Receipts."


def answered(
    store: Store,
    ticket: str,
    text: str = ASKED,
    answer: str = ANSWERED,
    families: Sequence[str] = ("billing",),
    consequence: str = "low",
    **more: Any,
) -> None:
    """One such ticket, of this moment, with what was sent; no worker will take it up again."""
    told = {
        "channel": "mail",
        "subject": "Receipts",
        "requester_email": "hazel@maplefinch.example",
        "requester_name": "Hazel Lindqvist",
        "verified": True,
        "account_id": None,
        "recipient": "hazel@maplefinch.example",
        "earlier": (Earlier("customer", text), Earlier("assistant", answer)),
        **more,
    }
    seq = Intake(store).receive(IncomingMessage(ticket=ticket, key="m", text="Thank you.", **told)).seq
    head = {
        "lane": 1,
        "families": list(families),
        "consequence": consequence,
        "tier": "team",
        "segment": "midmarket",
        "policy": "2026-03-01",
    }
    WorkerLedger(store).open_answer(ticket, seq, 1, also=[Entry(Kind.LANE_ASSIGNED, f"{seq}/lane", head)])
    with store.write() as conn:
        take_from_inbox(conn, seq, store.now())
