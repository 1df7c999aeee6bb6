"""The command's face: every command in one thin file, importing what it needs only when it is called."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from desk.commands import policy as commands_policy
from desk.commands import serving as commands_serving
from desk.commands.audit import audit_app, review_app
from desk.commands.mail import mail_app
from desk.commands.scorecard import app as scorecard_app

if TYPE_CHECKING:
    from collections.abc import Callable

    from desk.records import Records
    from desk.settings import Settings
    from desk.workplace import Rules, Workplace
    from guards.policy import Release

app = typer.Typer(
    name="lanewise",
    help="Customer-support AI that cannot speak out of its lane.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(audit_app, name="audit")
app.add_typer(review_app, name="review")
app.add_typer(mail_app)
app.add_typer(scorecard_app)

Where = Annotated[Path, typer.Option("--workspace", "-w", help="A folder with lanewise.toml; default: here or above.")]
HERE = Path()
_closing = ExitStack()
"""The ledgers that the running command has opened."""


# ── trying it ───────────────────────────────────────────────────────────────────────────────────────────────


@app.command()
def demo(
    report: Annotated[Path, typer.Option(help="Where to write the HTML report.")] = Path("demo-report.html"),
    cases: Annotated[Path | None, typer.Option(help="A folder of cases; default: the packaged ones.")] = None,
) -> None:
    """Run the made-up company's tickets through the real machine, and show what came of each."""
    import os

    from agent.model import ModelSettings
    from desk.post import forget_secret, letters_into
    from desk.records import read_release
    from evals.demo import run_demo

    def work() -> int:
        forget_secret(os.environ)
        release = read_release(None)
        model = ModelSettings.from_environment(os.environ)
        return run_demo(cases, report, release, lambda store, folder: letters_into(folder, store, release), model)

    raise typer.Exit(_guarded(work))


@app.command(name="try")
def try_(
    file: Annotated[Path, typer.Argument(help="Tickets as CSV, JSON, JSONL, mbox, or a folder of .eml files.")],
    out: Annotated[Path, typer.Option(help="Where to write the reports (.md and .html).")] = Path("try-report"),
    workspace: Where = HERE,
) -> None:
    """Judge the last twenty tickets you would have felt nervous automating. Nothing is sent."""
    from evals.trial import run_trial

    def work() -> int:
        rules = _rules(workspace)
        return run_trial(file, out, rules.release, rules.systems_now, rules.model)

    raise typer.Exit(_guarded(work))


@app.command()
def draft(
    file: Annotated[str, typer.Argument(help="One ticket as JSON; - for standard input.")] = "-",
    workspace: Where = HERE,
) -> None:
    """One ticket as JSON in, one result as JSON out: lane, reasons, grant, draft or packet. What a helpdesk calls."""
    from desk.drafting import draft_ticket
    from desk.face import tell_json

    def work() -> int:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        tell_json(draft_ticket(_open(workspace), raw, "standard input" if file == "-" else Path(file).name))
        return 0

    raise typer.Exit(_guarded(work))


@app.command()
def assess(
    rows: Annotated[
        Path, typer.Argument(metavar="IN.jsonl", help="One row a line: id, text or turns, account_context.")
    ],
    out: Annotated[Path, typer.Option(help="Where to write one judgement a row, in the same order.")],
    jobs: Annotated[int, typer.Option(min=1, help="Processes; with a model, calls under way at once.")] = 1,
    workspace: Where = HERE,
) -> None:
    """Triggers and lanes only, for measuring. Stopped, the same command goes on where it was."""
    from evals.measure import run_assess

    def work() -> int:
        settings, rules = _settings(workspace), _rules(workspace)
        return run_assess(rows, out, rules.release, rules.systems_now, rules.model, settings.company, jobs)

    raise typer.Exit(_guarded(work))


@app.command(name="eval")
def eval_(
    folder: Annotated[
        Path | None, typer.Argument(help="A folder with cases; default: the workspace's evals, else the packaged ones.")
    ] = None,
    record: Annotated[bool, typer.Option("--record", help="First record what is missing or holds no more.")] = False,
    live: Annotated[bool, typer.Option("--live", help="Ask the configured model instead of recordings.")] = False,
    embedded: Annotated[bool, typer.Option("--embedded", help="Use no recording: the embedded default.")] = False,
    only: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only this case; may be repeated.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; default: as many as pay.")] = None,
    baseline: Annotated[Path | None, typer.Option(help="What to compare with; default: baseline.json.")] = None,
    update_baseline: Annotated[bool, typer.Option("--update-baseline", help="Make this run the baseline.")] = False,
    against: Annotated[Path | None, typer.Option(metavar="RUN.json", help="Show what differs from that run.")] = None,
    price: Annotated[str | None, typer.Option(metavar="IN/OUT", help="Price of a million tokens, in and out.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML for a build server.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the summary for a pull request.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write everything as one page.")] = None,
    json: Annotated[Path | None, typer.Option(help="Write the run itself, for --against.")] = None,
    workspace: Where = HERE,
) -> None:
    """Hold the exam: replay recorded cases and say whether the boundary holds and no answer got worse.

    Exit codes: 0 passed; 1 quality is worse than the baseline; 2 a boundary was broken or a risk missed; 3 it could not
    be run, or recordings are stale.
    """
    from evals.evaluate import Order, place_of, price_of, run_eval

    def work() -> int:
        settings = _settings(workspace)
        rules = _rules_of(settings)
        order = Order(
            place=place_of(folder, settings.workspace if settings.file else None),
            release=rules.release,
            company=settings.company,
            model=rules.model,
            wanted_model=settings.model.name,
            record=record,
            live=live,
            embedded=embedded,
            only=frozenset(only or ()),
            jobs=jobs,
            baseline=baseline,
            update_baseline=update_baseline,
            against=against,
            price=price_of(price),
            junit=junit,
            markdown=markdown,
            html=html,
            json=json,
        )
        return run_eval(order)

    raise typer.Exit(_guarded(work, broken=3))


# ── one ticket ──────────────────────────────────────────────────────────────────────────────────────────────


@app.command()
def ticket(ticket_id: Annotated[str, typer.Argument(metavar="ID")], workspace: Where = HERE) -> None:
    """A ticket's whole timeline, from the ledger."""
    from desk.mode import assessed_by
    from ledger.pages import timeline_text
    from ledger.result import read_result

    def work() -> int:
        held = _records(workspace, new=False)
        result = read_result(held.history, held.reviews, ticket_id)
        _print(timeline_text(held.history.timeline(ticket_id), held.history.register(ticket_id)))
        _print(f"assessed by {assessed_by(result)}")
        return 0

    raise typer.Exit(_guarded(work))


@app.command()
def explain(
    ticket_id: Annotated[str, typer.Argument(metavar="ID")],
    other: Annotated[str | None, typer.Argument(metavar="ID2", help="Compare with this ticket.")] = None,
    workspace: Where = HERE,
) -> None:
    """The boundary in words one could say to an unhappy customer; with two tickets, why they were treated differently."""
    from ledger.explain import compare
    from ledger.explain import explain as told
    from ledger.result import read_result

    def work() -> int:
        held = _records(workspace, new=False)
        one = read_result(held.history, held.reviews, ticket_id)
        _print(compare(one, read_result(held.history, held.reviews, other)) if other else told(one))
        return 0

    raise typer.Exit(_guarded(work))


@app.command()
def packet(
    ticket_id: Annotated[str, typer.Argument(metavar="ID")],
    form: Annotated[str, typer.Option("--format", "-f", help="text, markdown or json.")] = "text",
    workspace: Where = HERE,
) -> None:
    """The packet that a person has for this ticket."""
    from desk.deciding import shown
    from desk.decisions import look
    from desk.face import fail
    from desk.mode import FORMS, packet_page
    from ledger.pages import latest_packet
    from ledger.result import read_result

    def work() -> int:
        if form not in FORMS:
            return fail(f"--format {form}: choose one of {', '.join(FORMS)}")
        held = _records(workspace, new=False)
        result = read_result(held.history, held.reviews, ticket_id)
        seen = look(held.history, held.reviews, ticket_id)  # before the packet: what comes in between is not seen
        found = latest_packet(held.reviews, ticket_id)
        if found is None:
            return fail(f"ticket {ticket_id} has no packet: it was never given to a person, or its words were erased")
        _print(packet_page(found, result, form))
        if form == "text":
            _print(f"\n{shown(seen)}")
        return 0

    raise typer.Exit(_guarded(work))


# ── a person decides ────────────────────────────────────────────────────────────────────────────────────────

By = Annotated[str, typer.Option(help="Who decides; kept for good.")]
Why = Annotated[str, typer.Option(help="Why; whoever lives with the decision reads it.")]


@app.command()
def decide(
    ticket_id: Annotated[str, typer.Argument(metavar="ID")],
    act: Annotated[
        str,
        typer.Argument(
            metavar="ACT",
            help="claim, release, approve, answer, reject, route, hand-back, resolve, change-lane, correct-triggers, "
            "rate-saved-time, rate-repeated, rate-misled; for an action: approve-change, done-elsewhere, refuse, not-done.",
        ),
    ],
    by: By,
    reason: Why,
    text: Annotated[str | None, typer.Option(help="FILE with your own words, - for standard input.")] = None,
    lane: Annotated[int | None, typer.Option(help="For hand-back and change-lane: the lane.")] = None,
    queue: Annotated[str | None, typer.Option(help="For route: the queue.")] = None,
    seen: Annotated[str | None, typer.Option(help="What was seen, as `packet` tells it; default: as it is.")] = None,
    action: Annotated[str | None, typer.Option(help="For approve-change: which change, as approve_refund.")] = None,
    arguments: Annotated[
        str | None, typer.Option(help="For approve-change: FILE with its arguments as JSON, - for standard input.")
    ] = None,
    opening: Annotated[int | None, typer.Option(help="Which action, where several wait.")] = None,
    reference: Annotated[str | None, typer.Option(help="For done-elsewhere: its number there.")] = None,
    levels: Annotated[str | None, typer.Option(help="For correct-triggers: TRIGGER=LEVEL, several in quotes.")] = None,
    workspace: Where = HERE,
) -> None:
    """Decide on a ticket as a person: its thread, its answer, its lane, and the action that was asked for."""
    from desk.deciding import Order, act_named, written
    from desk.deciding import decide as carry_out

    def work() -> int:
        given = sys.stdin.buffer
        order = Order(
            *(ticket_id, act_named(act), by, reason, written(text, given), lane, queue, seen),
            *(action, written(arguments, given), opening, reference, levels),
        )
        order.check()
        return carry_out(_open(workspace), order, _print)

    raise typer.Exit(_guarded(work))


@app.command()
def post(
    workspace: Where = HERE,
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and send what may leave as it comes; no more.")] = False,
    every: Annotated[float, typer.Option(help="With --watch: seconds between two looks.", min=0.05, max=3600)] = 1.0,
) -> None:
    """One sweep: what a crash left, what waits, what is overdue; then what may leave goes out by the channel."""
    import os

    from desk.post import channel_for

    def work() -> int:
        # The channel first: its secret leaves the environment before anything that a model can reach is built.
        channel = channel_for(_settings(workspace), os.environ, sys.stdout)
        if watch:
            from desk.face import tell_now
            from desk.staying import stay

            return stay(_records(workspace), channel, tell_now, every)
        from desk.posting import sweep

        return sweep(_open(workspace), channel, _print)

    raise typer.Exit(_guarded(work))


@app.command()
def erase(
    ticket_id: Annotated[str, typer.Argument(metavar="ID")], by: By, reason: Why, workspace: Where = HERE
) -> None:
    """Erase every word and address of a ticket for good; what happened to it stays."""
    from desk.deciding import erase as forget

    raise typer.Exit(_guarded(lambda: forget(_records(workspace, new=False), ticket_id, by, reason, _print)))


# ── the house ───────────────────────────────────────────────────────────────────────────────────────────────


@app.command()
def init(directory: Annotated[Path, typer.Argument(help="The folder to write; created where needed.")]) -> None:
    """Write a team's own workspace: settings, an observe-only policy release, knowledge, macros, queues, samples."""
    from desk.workspace import init as write

    def work() -> int:
        for path in write(directory):
            _print(f"wrote {path}")
        _print(f"\nNext: lanewise try {directory}/tickets/sample.csv --workspace {directory}")
        return 0

    raise typer.Exit(_guarded(work))


@app.command()
def halt(
    family: Annotated[str | None, typer.Argument(help="One issue family; default: all.")] = None,
    by: Annotated[str, typer.Option(help="Who halts.")] = "",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    workspace: Where = HERE,
) -> None:
    """Stop autonomy at once: every right to send that is in flight dies with it."""
    from desk.halting import halt as stop

    raise typer.Exit(_guarded(lambda: stop(_records(workspace), family, by, reason, _print)))


@app.command()
def resume(
    family: Annotated[str | None, typer.Argument(help="One issue family; default: all.")] = None,
    by: Annotated[str, typer.Option(help="Who resumes.")] = "",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    workspace: Where = HERE,
) -> None:
    """End a halt. What died with it stays dead."""
    from desk.halting import resume as start

    raise typer.Exit(_guarded(lambda: start(_records(workspace), family, by, reason, _print)))


@app.command()
def verify(
    anchor: Annotated[str | None, typer.Option(metavar="COUNT:MAC", help="An anchor written down elsewhere.")] = None,
    take_over: Annotated[
        bool,
        typer.Option("--take-over", help="Seal the record anew as it stands, in your name. Needs --by and --reason."),
    ] = False,
    by: Annotated[str, typer.Option(help="Who takes it over; kept for good.")] = "",
    reason: Annotated[str, typer.Option(help="Why; kept for good.")] = "",
    workspace: Where = HERE,
) -> None:
    """Check that the record is whole, and name the first bad one. 0: all in order; 1: tampered with; 2: cannot check."""
    from desk.face import warn
    from desk.verifying import verify as check

    def work() -> int:
        return check(_records(workspace, new=False), anchor, take_over, by, reason, _print, warn)

    raise typer.Exit(_guarded(work))


# ── within ──────────────────────────────────────────────────────────────────────────────────────────────────


def _settings(workspace: Path, *, whole: bool = True) -> Settings:
    import os

    from desk.settings import load_settings

    return load_settings(workspace, os.environ, whole=whole)


def _records(workspace: Path, *, new: bool = True) -> Records:
    """The ledger alone: for what must work whatever state the company's files and the release are in."""
    from desk.records import open_records

    held = open_records(_settings(workspace, whole=False), new=new)
    _closing.callback(held.store.close)
    return held


def _rules(workspace: Path) -> Rules:
    """Release, company and model, without a ledger; says which mode answers, since that is all the output is worth."""
    rules = _rules_of(_settings(workspace))
    _print(f"answered by: {rules.mode}")
    return rules


def _rules_of(settings: Settings) -> Rules:
    import os

    from desk.face import warn_each
    from desk.post import forget_secret
    from desk.workplace import open_rules

    forget_secret(os.environ)
    rules = open_rules(settings, os.environ)
    warn_each(rules.notices)
    return rules


def _open(workspace: Path) -> Workplace:
    import os

    from desk.face import warn_each
    from desk.post import forget_secret
    from desk.workplace import open_workplace

    forget_secret(os.environ)  # taken already by the one command that sends
    place = open_workplace(_settings(workspace), os.environ)
    _closing.callback(place.store.close)
    warn_each(place.rules.notices)
    return place


def _guarded(work: Callable[[], int], broken: int = 2) -> int:
    from desk.face import guarded
    from evals.case import CaseError

    return guarded(work, _closing, CaseError, broken)


def _print(text: str) -> None:
    from desk.face import tell

    tell(text)


commands_serving.add_to(app, _guarded, _open, _records)


def _exam_under(settings: Settings, release: Release) -> int | None:
    """The workspace's own exam under a release; None where it has no cases."""
    from evals.case import CaseError
    from evals.evaluate import Order, place_of, run_eval

    try:
        place = place_of(None, settings.workspace if settings.file else None)
    except CaseError:
        return None
    return run_eval(Order(place, release, settings.company, wanted_model=settings.model.name))


app.add_typer(commands_policy.policy_commands(_settings, _records, _guarded, _exam_under), name="policy")


def main() -> NoReturn:
    """The entry point."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")  # a customer's odd characters must not end a command
    app()
    raise SystemExit(0)


if __name__ == "__main__":
    main()
