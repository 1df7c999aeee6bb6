"""Shows a run on a terminal: progress while it works, one table, and texts in full. Strangers' words stay words."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from evals.report import OWNED, Row, counts

_COLOUR = {1: "green", 2: "yellow", 3: "red"}


def console() -> Console:
    """Standard output; without a terminal, plain and wide enough for a table."""
    out = Console(highlight=False, soft_wrap=False)
    return out if out.is_terminal else Console(highlight=False, width=160, no_color=True)


def progress(out: Console, done: int, of: int, row: Row) -> None:
    """One line a ticket, as soon as it is done."""
    mark = Text(f"  {done:>3}/{of}  ")
    mark.append(f"lane {row.result.lane}", style=_COLOUR[row.result.lane])
    mark.append(f"  {plainly(row.title)[:70]}")
    if row.unmet:
        mark.append(f"  ✗ {plainly('; '.join(row.unmet))}", style="bold red")
    out.print(mark)


def table(rows: Sequence[Row]) -> Table:
    """Ticket, triggers with evidence, lane, unit, what was done and what was not."""
    shown = Table(show_lines=True, header_style="bold")
    for name, ratio in (
        ("ticket", 3),
        ("lane", 1),
        ("triggers (evidence)", 5),
        ("unit", 2),
        ("did", 3),
        ("did not", 3),
    ):
        shown.add_column(name, ratio=ratio, overflow="fold")
    for row in rows:
        fired = Text()
        for trigger, level, evidence in row.triggers[:3]:
            fired.append(f"{trigger} {level}", style="bold" if level == "high" else "")
            fired.append(f"\n  {plainly(evidence)[:110]}\n", style="dim")
        if not row.triggers:
            fired.append("all low", style="dim")
        elif len(row.triggers) > 3:
            fired.append(f"and {len(row.triggers) - 3} more", style="dim")
        fired.rstrip()
        lane = Text(str(row.result.lane), style=_COLOUR[row.result.lane])
        shown.add_row(Text(plainly(row.title)), lane, fired, row.unit, row.did, Text(row.did_not))
    return shown


def tally(rows: Sequence[Row]) -> Text:
    """How many tickets each lane got."""
    found, line = counts(rows), Text()
    for lane in (1, 2, 3):
        line.append(f"{found[lane]} ", style=f"bold {_COLOUR[lane]}").append(f"{OWNED[lane]}   ")
    return line


def section(out: Console, title: str, text: str) -> None:
    """A text in full, under a rule."""
    out.print()
    out.rule(Text(plainly(title)), align="left")
    out.print(Text(plainly(text.rstrip())))


def plainly(text: str) -> str:
    """The text without characters that could rewrite a terminal."""
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs") else "\ufffd" for c in text)
