"""Reports of a run over many tickets: one table for people, then an answer, a draft and a packet in full."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from guards.capabilities import TABLE, Right
from guards.lanes import Lane
from guards.triggers import Trigger
from ledger.packets.pages import to_text
from ledger.result import TicketResult

OWNED = {1: "routine", 2: "AI-assisted, an agent owns the answer", 3: "fully human-owned"}
"""The article's three questions about the last twenty tickets."""


@dataclass(frozen=True, slots=True)
class Row:
    """One ticket of a report."""

    title: str
    result: TicketResult
    unmet: tuple[str, ...] = ()
    """What was expected and did not happen; empty where nothing was expected."""

    @property
    def triggers(self) -> tuple[tuple[str, str, str], ...]:
        """(trigger, level, evidence) for each that fired, the strongest first."""
        fired = [
            (t.value, str(row["level"]), str(row["evidence"][0]) if row["evidence"] else "")
            for t in Trigger
            if (row := self.result.triggers[t.value])["level"] != "low"
        ]
        return tuple(sorted(fired, key=lambda f: f[1] != "high"))

    @property
    def unit(self) -> str:
        """The unit of escalation."""
        return self.result.decision.unit.value if self.result.decision else "conversation"

    @property
    def did(self) -> str:
        """What the assistant did, in a few words."""
        pieces = {d.letter.piece.value for d in self.result.replies}
        if "answer" in pieces:
            return "answered from an approved article"
        if "question" in pieces:
            return "asked one clarifying question"
        if "closing" in pieces:
            return "closed on the customer's word"
        if self.result.lane == 1:
            return "would have answered; nothing leaves in observe-only"
        notice = ", told the customer so" if "notice" in pieces else ""
        queue = self.result.packet.owner.queue.replace("_", " ") if self.result.packet else "the desk"
        return f"{'drafted' if self.result.draft else 'made a packet'} for {queue}{notice}"

    @property
    def did_not(self) -> str:
        """What it left alone that matters most: promises, changes, then a reply or even a draft."""
        left = {n.words.removeprefix("did not ") for n in self.result.not_done}
        shown = [short for right, short in _SHORT.items() if TABLE[right].does in left]
        return "; ".join(shown[:3])


_SHORT = {
    Right.COMMIT: "promise money or time",
    Right.CHANGE_STATE: "change anything",
    Right.SEND_ANSWER: "answer the customer",
    Right.DRAFT_REPLY: "draft a reply",
}


def counts(rows: Sequence[Row]) -> dict[int, int]:
    """How many tickets each lane got."""
    return {lane: sum(1 for r in rows if r.result.lane == lane) for lane in (1, 2, 3)}


def markdown(title: str, note: str, rows: Sequence[Row], problems: Sequence[str] = ()) -> str:
    """The report as Markdown. Strangers' words are escaped; they can open no heading, link or tag."""
    tally = counts(rows)
    lines = [f"# {title}", "", note, ""]
    lines += [f"- **{tally[lane]}** {OWNED[lane]}" for lane in (3, 2, 1)]
    if problems:
        lines += ["", "## Rows that could not be read", "", *(f"- {escaped(p)}" for p in problems)]
    lines += ["", "| ticket | lane | triggers | unit | what the assistant did |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        fired = ", ".join(f"{t} {level}" for t, level, _ in row.triggers) or "none"
        lines.append(f"| {escaped(row.title)} | {row.result.lane} | {fired} | {row.unit} | {row.did} |")
    for row in rows:
        lines += ["", f"## {escaped(row.title)}", "", f"Lane {row.result.lane}: {OWNED[row.result.lane]}.", ""]
        lines += [f"- {r.words}" for r in (row.result.decision.reasons if row.result.decision else ())]
        lines += [f"- {t} is {level}: {escaped(evidence)}" for t, level, evidence in row.triggers]
        if row.result.packet:
            lines += ["", "```text", to_text(row.result.packet).replace("```", "ʼʼʼ").rstrip(), "```"]
        for delivery in row.result.replies:
            lines += ["", f"{delivery.letter.piece.value.capitalize()}:", "", *_quoted(delivery.body.text or "")]
        if row.result.draft:
            lines += ["", "Draft for an agent:", "", *_quoted(row.result.draft)]
    return "\n".join(lines) + "\n"


def page(title: str, note: str, rows: Sequence[Row], problems: Sequence[str] = ()) -> str:
    """The report as one self-contained HTML page: no script, nothing fetched, every stranger's word escaped."""
    from jinja2 import Environment

    source = (resources.files("evals") / "pages" / "report.html.j2").read_text(encoding="utf-8")
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(source)
    shown: list[dict[str, Any]] = [
        {
            "row": row,
            "lane": Lane.read(row.result.lane),
            "packet": to_text(row.result.packet) if row.result.packet else "",
            "replies": [(d.letter.piece.value, d.state.value, d.body.text or "") for d in row.result.replies],
        }
        for row in rows
    ]
    return template.render(title=title, note=note, shown=shown, tally=counts(rows), owned=OWNED, problems=problems)


def escaped(text: str) -> str:
    """The text on one line, as Markdown that can open no heading, link, cell or tag."""
    flat = " ".join(html.escape(text, quote=False).split())
    for mark in "\\`*_[]|#":
        flat = flat.replace(mark, f"\\{mark}")
    return flat


def _quoted(text: str) -> list[str]:
    return [f"> {html.escape(line, quote=False)}".rstrip() for line in text.splitlines()]
