"""A ledger with three tickets in three states, for what shows figures."""

from __future__ import annotations

from pathlib import Path

from ledger.events import Entry, Kind
from ledger.intake import IncomingMessage, Intake
from ledger.store import open_store
from ledger.worker import WorkerLedger


def filled(file: Path) -> None:
    """Writes it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    store = open_store(file)
    assigned = [
        ("T-1", 1, "team", "smb"),
        ("T-2", 1, "=cmd|' /C calc'!A0", "<script>alert(1)</script>"),
        ("T-3", 3, "free", "smb"),
    ]
    for ticket, lane, tier, segment in assigned:
        mail = "hazel@maplefinch.example"
        message = IncomingMessage(ticket, "m1", "email", "", mail, "Hazel", True, None, mail, "secret words")
        seq = Intake(store).receive(message).seq
        head = {
            "families": ["billing"],
            "lane": lane,
            "rules": ["no_source"] if lane > 1 else ["mostly_low"],
            "consequence": "high" if lane > 1 else "low",
            "tier": tier,
            "segment": segment,
            "policy": "2026-03-01",
        }
        worker = WorkerLedger(store)
        worker.open_answer(ticket, seq, lane, also=[Entry(Kind.LANE_ASSIGNED, f"{seq}/lane", head)])
    store.close()
