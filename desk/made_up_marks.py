"""How a workspace says that its history is made up."""

from __future__ import annotations

from pathlib import Path

NOTE = "Every ticket, customer and decision in this history is made up."
MARK = Path(".lanewise") / "made-up.txt"
"""Stands beside a ledger that is made up; whoever shows its figures says so."""


def note_of(workspace: Path) -> str:
    """What is to be said of the figures of a workspace: that they are made up, or nothing."""
    file = workspace / MARK
    return file.read_text(encoding="utf-8").strip() if file.is_file() else ""
