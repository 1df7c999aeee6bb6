"""The commands that look at what was learnt: scorecard and export. Each imports what it needs when it is called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from desk.records import Records

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)

Where = Annotated[Path, typer.Option("--workspace", "-w", help="A folder with lanewise.toml; default: here or above.")]
HERE = Path()


@app.command()
def scorecard(
    since: Annotated[str, typer.Option(metavar="DAY", help="Tickets opened from this day on (2026-03-10, UTC).")] = "",
    until: Annotated[str, typer.Option(metavar="DAY", help="Tickets opened up to this day.")] = "",
    by: Annotated[str, typer.Option(help="Split by family, tier, segment, consequence or release.")] = "",
    json: Annotated[bool, typer.Option("--json", help="Everything as JSON.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Every figure as CSV.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write everything as one page with pictures.")] = None,
    tickets: Annotated[str, typer.Option(metavar="METRIC", help="The tickets behind a figure, by its id.")] = "",
    part: Annotated[str, typer.Option(help="With --tickets: hits, among or losses.")] = "hits",
    of: Annotated[list[str] | None, typer.Option(help="With --tickets: only of a group, as family=billing.")] = None,
    workspace: Where = HERE,
) -> None:
    """What came of the tickets: every metric with its definition, its interval, its worst losses; and warnings."""
    from desk.scoring import Asked, show

    asked = Asked(since, until, by, json, csv, html, tickets, part, tuple(of or ()))
    _run(workspace, lambda records, tell: show(records, asked, tell))


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder for the tables; made where it is not there.")],
    format: Annotated[str, typer.Option(help="csv or parquet.")] = "csv",
    words: Annotated[
        bool, typer.Option("--words", help="Customers' and agents' words too, as far as they are not erased.")
    ] = False,
    workspace: Where = HERE,
) -> None:
    """Events, decisions and summaries for a team's own tools; without anybody's words unless asked."""
    from desk.exporting import export as write

    _run(workspace, lambda records, tell: write(records, folder, format, words, tell))


@app.command(name="made-up-history")
def made_up_history(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder without a ledger; made where it is not there.")
    ],
    tickets: Annotated[int, typer.Option(min=1, help="How many.")] = 200,
    seed: Annotated[int, typer.Option(help="The same seed makes the same year.")] = 1,
    bulk: Annotated[
        bool, typer.Option("--bulk", help="Drive each kind of ticket once and tell it again of others.")
    ] = False,
) -> None:
    """A year of made-up tickets through the real machine, with drifts planted in it, to see the scorecard at work."""
    from desk.made_up.year import write_year

    _told(lambda tell: write_year(folder, tickets, seed, bulk, tell))


def _told(work: Callable[[Callable[[str], None]], int]) -> None:
    from contextlib import ExitStack

    from desk.errors import DeskError
    from desk.face import guarded, tell

    raise typer.Exit(guarded(lambda: work(tell), ExitStack(), DeskError))


def _run(workspace: Path, work: Callable[[Records, Callable[[str], None]], int]) -> None:
    import os
    from contextlib import ExitStack

    from desk.errors import DeskError
    from desk.face import guarded, tell
    from desk.records import open_records
    from desk.settings import load_settings

    closing = ExitStack()

    def whole() -> int:
        records = open_records(load_settings(workspace, os.environ, whole=False), new=False)
        closing.callback(records.store.close)
        return work(records, tell)

    raise typer.Exit(guarded(whole, closing, DeskError))
