"""The commands of audits and of the review calendar, importing what they need only when they are called."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from desk.records import Records

audit_app = typer.Typer(help="Audits of tickets that no person ever saw.", no_args_is_help=True)
review_app = typer.Typer(help="The review calendar: what is due, its material, its decision.", no_args_is_help=True)

Where = Annotated[Path, typer.Option("--workspace", "-w", help="A folder with lanewise.toml; default: here or above.")]
Auditor = Annotated[str, typer.Option(help="Who judges; kept for good.")]
Kind = Annotated[
    str,
    typer.Argument(
        metavar="KIND", help="late-escalations, risky-not-escalated, lane-distribution or trigger-definitions."
    ),
]
HERE = Path()


# ── audits ──────────────────────────────────────────────────────────────────────────────────────────────────


@audit_app.command("draw")
def audit_draw(
    week: Annotated[str | None, typer.Option(help="As 2026-W47; default: the last week that is over.")] = None,
    seed: Annotated[int | None, typer.Option(help="Repeats a sample; default: one that nobody knew before.")] = None,
    size: Annotated[int | None, typer.Option(min=1, help="How many tickets; default: 60.")] = None,
    by: Annotated[str, typer.Option(help="Who draws.")] = "",
    workspace: Where = HERE,
) -> None:
    """Draw a week's sample of the tickets that ended in lane 1 without a person, and keep it."""

    def work(records: Records) -> str:
        from desk.audits.auditing import draw
        from desk.audits.pages import drawn_text

        return drawn_text(draw(records, week, by or _somebody(), seed, size))

    _done(workspace, work)


@audit_app.command("next")
def audit_next(by: Auditor, workspace: Where = HERE) -> None:
    """Show the next ticket that waits for your verdict, and what was sent."""

    def work(records: Records) -> str:
        from desk.audits.auditing import erased_in_queue, next_task
        from desk.audits.pages import task_text

        waits = next_task(records, by)
        gone = erased_in_queue(records)
        lines = [task_text(waits)] if waits else [f"Nothing waits for a verdict of {by}."]
        if gone:
            lines.append(f"\nNot to be judged any more, the words were erased: {', '.join(gone)}.")
        return "\n".join(lines)

    _done(workspace, work)


@audit_app.command("show")
def audit_show(audit: Annotated[str, typer.Argument(metavar="ID")], by: Auditor, workspace: Where = HERE) -> None:
    """Show one audit, as you may see it."""

    def work(records: Records) -> str:
        from desk.audits.auditing import task
        from desk.audits.pages import task_text

        return task_text(task(records, audit, by))

    _done(workspace, work)


@audit_app.command("verdict")
def audit_verdict(
    audit: Annotated[str, typer.Argument(metavar="ID")],
    by: Auditor,
    escalate: Annotated[str, typer.Option(metavar="yes|no", help="Should a person have had it?")],
    trigger: Annotated[list[str] | None, typer.Option(help="Which trigger should have fired; may be repeated.")] = None,
    fault: Annotated[str, typer.Option(help="wording, boundary, missing_signal or none.")] = "none",
    note: Annotated[str, typer.Option(help="Free words; erased with the ticket's own.")] = "",
    workspace: Where = HERE,
) -> None:
    """Say what should have happened. A verdict is given once, and a second auditor does not see it."""

    def work(records: Records) -> str:
        from desk.audits.auditing import give_verdict, read_judgement
        from desk.audits.pages import given_text

        return given_text(give_verdict(records, audit, by, read_judgement(escalate, trigger or [], fault, note)))

    _done(workspace, work)


@audit_app.command("propose")
def audit_propose(audit: Annotated[str, typer.Argument(metavar="ID")], workspace: Where = HERE) -> None:
    """Write the proposed case of a judged miss, where it is not there."""

    def work(records: Records) -> str:
        from desk.audits.auditing import propose

        return f"Proposed as a case: {propose(records, audit)}. Read it before you move it to evals/cases."

    _done(workspace, work)


@audit_app.command("report")
def audit_report(
    since: Annotated[str | None, typer.Option(help="First week, as 2026-W40; default: all.")] = None,
    until: Annotated[str | None, typer.Option(help="Last week.")] = None,
    workspace: Where = HERE,
) -> None:
    """What the audits say of all tickets that nobody looked at, and how far auditors agree."""

    def work(records: Records) -> str:
        from desk.audits.auditing import report
        from desk.audits.pages import report_text

        return report_text(report(records, since, until))

    _done(workspace, work)


# ── reviews ─────────────────────────────────────────────────────────────────────────────────────────────────


@review_app.command("due")
def review_due(workspace: Where = HERE) -> None:
    """What is due, and what is overdue."""

    def work(records: Records) -> str:
        from desk.audits.pages import calendar_text
        from desk.audits.review_calendar import calendar

        return calendar_text(calendar(records))

    _done(workspace, work)


@review_app.command("open")
def review_open(
    kind: Kind, by: Annotated[str, typer.Option(help="Who opens it.")] = "", workspace: Where = HERE
) -> None:
    """Open a review with its material; the one that is open already is shown again."""

    def work(records: Records) -> str:
        from desk.audits.pages import review_text
        from desk.audits.review_calendar import open_topic, topic_named

        return review_text(open_topic(records, topic_named(kind), by or _somebody()))

    _done(workspace, work)


@review_app.command("close")
def review_close(
    kind: Kind,
    by: Annotated[str, typer.Option(help="Who closes it; kept for good.")],
    decision: Annotated[str, typer.Option(help="What was decided; kept for good.")],
    owner: Annotated[str, typer.Option(help="Who sees to it that it is carried out.")],
    workspace: Where = HERE,
) -> None:
    """Close a review with a decision and its owner."""

    def work(records: Records) -> str:
        from desk.audits.pages import review_text
        from desk.audits.review_calendar import close_topic, topic_named

        return review_text(close_topic(records, topic_named(kind), by, decision, owner))

    _done(workspace, work)


# ── within ──────────────────────────────────────────────────────────────────────────────────────────────────


def _somebody() -> str:
    import getpass

    return getpass.getuser()


def _done(workspace: Path, work: Callable[[Records], str]) -> NoReturn:
    """Opens the ledger that is there, tells what came of the work, and ends with an exit code."""
    import os

    from desk.errors import DeskError
    from desk.face import guarded, tell
    from desk.records import open_records
    from desk.settings import load_settings

    closing = ExitStack()

    def run() -> int:
        records = open_records(load_settings(workspace, os.environ, whole=False), new=False)
        closing.callback(records.store.close)
        tell(work(records))
        return 0

    raise typer.Exit(guarded(run, closing, DeskError))
