"""How audits and reviews read on a terminal: one ticket for an auditor, the figures, the calendar, a review's material."""

from __future__ import annotations

from collections.abc import Iterable

from desk.audits.auditing import Drawn, Given, Miss, Report, Task
from ledger.audits.figures import Agreement, MissRow
from ledger.audits.verdicts import Fault, Verdict
from ledger.review_calendar import Due, Held

DEFINITION = (
    "High-risk miss: a ticket that was answered without a person and that, by its auditor, should have had one. Rates are "
    "weighted by how likely a ticket was to be drawn (Horvitz-Thompson), with 95% intervals; n is how many were judged."
)
FEW = 20
"""Below so many judged tickets a figure is marked as small."""


def drawn_text(drawn: Drawn) -> str:
    """What was drawn, cell by cell."""
    made = drawn.draw
    if made is None:
        return f"No ticket of week {drawn.week} ended in lane 1 without a person: nothing to audit."
    again = "" if made.first else f" It was drawn on {made.at:%Y-%m-%d} by {made.by}; nothing was drawn anew."
    twice = sum(a.wanted == 2 for a in made.audits)
    lines = [
        f"Week {made.week}: {len(made.audits)} of {made.frame} tickets drawn, {twice} of them for two auditors. "
        f"Seed {made.seed}.{again}",
        "",
        *_table(
            ("kind", "consequence", "tickets", "drawn", "probability"),
            [
                (p.cell.stratum, p.cell.consequence, str(p.frame), str(p.drawn), f"{float(p.inclusion):.3f}")
                for p in made.parts
            ],
        ),
    ]
    return "\n".join(lines)


def task_text(task: Task) -> str:
    """One ticket as an auditor reads it, and what to answer."""
    head = [
        f"audit {task.id}, ticket {task.ticket}: lane 1, no person; {_words(task.stratum)}, consequence {task.consequence}",
        f"families {', '.join(task.families) or 'unknown'}; tier {task.tier}; segment {task.segment}; release {task.release}",
    ]
    if task.erased:
        return "\n".join([*head, "", "The words of this ticket were erased: nobody can judge it any more."])
    told = [f"subject: {task.subject}"] if task.subject else []
    for message in task.thread:
        sent = f" ({message.piece})" if message.piece else ""
        files = f" [files: {', '.join(message.attachments)}]" if message.attachments else ""
        told += ["", f"── {message.role}{sent}, {message.at:%Y-%m-%d %H:%M} UTC{files}", message.text]
    return "\n".join([*head, *told, "", *_answer(task)])


def given_text(given: Given) -> str:
    """What followed from a verdict."""
    lines = [f"Recorded: {verdict_words(given.seen[0])}" if len(given.seen) == 1 else "Recorded."]
    if given.waits_for_another:
        lines.append(
            "A second auditor judges it too; neither sees the other's verdict, and it counts in no figure before."
        )
    elif len(given.seen) == 2:
        lines += [f"  {v.by}: {verdict_words(v)}" for v in given.seen]
    if given.proposal is not None:
        lines.append(f"Proposed as a case: {given.proposal}. Read it before you move it to evals/cases.")
    if given.unwritten:
        lines.append(
            f"The verdict stands, but its case could not be written ({given.unwritten}): `lanewise audit propose "
            f"{given.audit}` writes it."
        )
    return "\n".join(lines)


def report_text(report: Report) -> str:
    """What the audits say."""
    if not report.weeks:
        return "Nothing was drawn yet: `lanewise audit draw` draws the last week."
    lines = [
        f"{_weeks(report.weeks)}: {report.frame} tickets ended in lane 1 without a person; {report.drawn} drawn, "
        f"{report.judged} judged, {report.waiting} waiting ({report.half} of them for a second auditor).",
        DEFINITION,
        "",
        _rate("all", report.overall),
    ]
    if report.uncovered:
        lines.append(
            f"{report.uncovered} tickets are of kinds in which nothing is judged yet: no figure speaks for them."
        )
    if report.erased:
        lines.append(f"Words erased before anybody judged them: {', '.join(report.erased)}.")
    for name, rows in report.by.items():
        lines += ["", f"by {name}", *(f"  {_rate(row.name, row)}" for row in rows)]
    lines += ["", agreement_words(report.agreement)]
    lines += ["", "misses" if report.misses else "No audited ticket should have had a person."]
    lines += [f"  {_miss(miss)}" for miss in report.misses]
    return "\n".join(lines)


def calendar_text(found: Iterable[Due]) -> str:
    """The calendar, a line a topic."""
    return "\n".join(_due(one) for one in found)


def review_text(held: Held) -> str:
    """A review with its material, and its decision where it has one."""
    lines = [
        f"{held.topic.value}: {held.since:%Y-%m-%d %H:%M} to {held.until:%Y-%m-%d %H:%M} UTC, opened by {held.opened_by}"
    ]
    for section in held.sections:
        figures = ", ".join(f"{name} {count}" for name, count in section.figures.items())
        lines += ["", f"{section.title}: {section.count}{f' ({figures})' if figures else ''}", f"  {section.what}"]
        if section.tickets:
            more = section.count - len(section.tickets)
            lines.append(f"  {', '.join(section.tickets)}{f', and {more} more' if more > 0 else ''}")
    if held.open:
        lines += ["", f"Close it: lanewise review close {held.topic.value} --by NAME --decision WORDS --owner NAME"]
    else:
        lines += ["", f"Closed by {held.closed_by}, owner {held.owner}: {held.decision}"]
    return "\n".join(lines)


def verdict_words(verdict: Verdict) -> str:
    """A verdict in a few words."""
    if not verdict.escalate:
        return f"rightly without a person{'' if verdict.fault is Fault.NONE else f'; fault: {_words(verdict.fault)}'}"
    named = f" ({', '.join(verdict.triggers)})" if verdict.triggers else ""
    return f"should have escalated{named}; fault: {_words(verdict.fault)}"


def agreement_words(found: Agreement) -> str:
    """How far two auditors agree, in a sentence."""
    if found.raw is None:
        return "Two auditors: no ticket has two verdicts yet."
    raw = f"Two auditors: agreed on {found.agreed} of {found.pairs} ({found.raw:.0%})"
    if found.kappa is None or found.low is None or found.high is None:
        return f"{raw}; beyond chance nothing can be said, since both always said the same."
    return f"{raw}; Cohen's kappa {found.kappa:.2f} ({found.low:.2f} to {found.high:.2f})."


# ── within ──────────────────────────────────────────────────────────────────────────────────────────────────


def _answer(task: Task) -> list[str]:
    if task.wanted:
        faults = "|".join(f.value for f in Fault)
        return [
            "Should a person have had it?",
            f"lanewise audit verdict {task.id} --by NAME --escalate yes|no [--trigger NAME]… [--fault {faults}] [--note WORDS]",
        ]
    return [f"{v.by}: {verdict_words(v)}" for v in task.seen] or ["It has all the verdicts it wants."]


def _rate(name: str, row: MissRow) -> str:
    small = ", few" if row.audited < FEW else ""
    return (
        f"{name}: {row.rate:.1%} missed ({row.low:.1%} to {row.high:.1%}; n {row.audited}{small}), about "
        f"{row.estimated_misses:.1f} of {row.estimated_tickets:.0f} tickets"
    )


def _miss(miss: Miss) -> str:
    named = ", ".join(miss.triggers) or "no trigger named"
    tail = [*(["disputed"] if miss.disputed else []), *(["words erased"] if miss.erased else [])]
    tail += [f"case {miss.proposal.name}"] if miss.proposal else []
    faults = ", ".join(map(_words, miss.faults))
    return "; ".join([f"{miss.audit}, ticket {miss.ticket}: {named}", f"fault: {faults}", *tail])


def _due(one: Due) -> str:
    if one.due_at is None:
        return f"{one.topic.value} ({one.rhythm}): the ledger is empty"
    when = f"{one.due_at:%Y-%m-%d}"
    late = one.overdue
    state = (
        f"OVERDUE by {late.days} {'day' if late.days == 1 else 'days'}, was due on {when}" if late else f"due on {when}"
    )
    if one.due and not late:
        state = f"due now, since {when}"
    held = f"; open since {one.open.opened_at:%Y-%m-%d}, by {one.open.opened_by}" if one.open else ""
    last = f"; last closed {one.last.closed_at:%Y-%m-%d}, owner {one.last.owner}" if one.last else ""
    return f"{one.topic.value} ({one.rhythm}): {state}{held}{last}"


def _weeks(weeks: tuple[str, ...]) -> str:
    return f"Week {weeks[0]}" if len(weeks) == 1 else f"{len(weeks)} weeks, {weeks[0]} to {weeks[-1]}"


def _words(code: str) -> str:
    return code.replace("_", " ")


def _table(head: tuple[str, ...], body: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[n]) for row in (head, *body)) for n in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in (head, *body)
    ]
