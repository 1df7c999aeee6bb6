"""The exam's reports: JUnit for a build server, Markdown for a pull request, one self-contained page. The same run, the same bytes."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from importlib import resources
from xml.etree import ElementTree

from evals.differences import Difference, Differences
from evals.gate import Compared, Exit, Verdict, figures
from evals.outcome import FIGURES, Outcome, Run
from evals.report import escaped
from evals.score import Share
from evals.scorers import Severity

_MOST = 40
"""Rows of a Markdown table; a pull request has room for so much, the page has it all."""


# ── JUnit ───────────────────────────────────────────────────────────────────────────────────────────────────


def junit(run: Run, verdict: Verdict) -> str:
    """One test a case, failed by a broken boundary or a missed risk; one test a slice that is worse; one error a stale
    recording. No times: two runs are equal."""
    suite = ElementTree.Element("testsuite", name="lanewise eval", time="0")
    failures = errors = 0
    for outcome in run.outcomes:
        family = outcome.families[0] if outcome.families else "no_family"
        case = ElementTree.SubElement(suite, "testcase", classname=_xml(family), name=_xml(outcome.id), time="0")
        if outcome.stale:
            errors += 1
            told = _xml("; ".join(outcome.stale))
            ElementTree.SubElement(case, "error", type="stale_recording", message=told).text = told
            continue
        hard = [f for f in outcome.findings if f.severity is not Severity.QUALITY]
        if hard:
            failures += 1
            told = _xml("\n".join(f"{f.severity.value} {f.scorer}: {f.words}" for f in hard))
            ElementTree.SubElement(
                case, "failure", type=hard[0].severity.value, message=_xml(hard[0].words)
            ).text = told
        if soft := [f for f in outcome.findings if f.severity is Severity.QUALITY]:
            ElementTree.SubElement(case, "system-out").text = _xml("\n".join(f"{f.scorer}: {f.words}" for f in soft))
    for one in verdict.worse:
        failures += 1
        case = ElementTree.SubElement(
            suite, "testcase", classname="baseline", name=_xml(f"{one.slice}: {one.figure}"), time="0"
        )
        ElementTree.SubElement(case, "failure", type="quality", message=_xml(one.words)).text = _xml(one.words)
    suite.set("tests", str(len(run.outcomes) + len(verdict.worse)))
    suite.set("failures", str(failures))
    suite.set("errors", str(errors))
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def _xml(text: str) -> str:
    """The text without what XML 1.0 cannot hold."""
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs", "Cn") else "\ufffd" for c in text)


# ── Markdown ────────────────────────────────────────────────────────────────────────────────────────────────


def markdown(run: Run, verdict: Verdict, changed: Differences | None) -> str:
    """The summary for a pull request: the verdict first, then what broke, what is worse, and the figures."""
    lines = [f"# Exam: {escaped(verdict.words)}", "", escaped(about(run)), ""]
    hard = (*verdict.boundary, *verdict.high_risk)
    if hard:
        rows = [f"| {escaped(case)} | {f.severity.value} | {escaped(f.words)} |" for case, f in hard]
        lines += ["## Must not be merged", "", "| case | what | found |", "| --- | --- | --- |", *_cut(rows), ""]
    if verdict.stale:
        lines += ["## Recordings that hold no more", "", *(f"- {escaped(words)}" for words in verdict.stale)]
        lines += ["", "Record again with `lanewise eval --record`.", ""]
    if verdict.worse:
        rows = [_compared(one) for one in verdict.worse]
        lines += ["## Worse than the baseline", "", "| slice | figure | before | now | cases |"]
        lines += ["| --- | --- | --- | --- | --- |", *_cut(rows), ""]
    lines += ["## Figures", "", "| | now | 95% interval | baseline |", "| --- | --- | --- | --- |"]
    lines += [*_figures(run, verdict), "", f"Model: {escaped(run.cost)}.", ""]
    if changed is not None:
        lines += ["## Against the other run", "", f"{changed.summary}.", ""]
        lines += [*_cut([f"- **{escaped(d.now.id)}**: {escaped(d.words)}" for d in changed.changed]), ""]
    if soft := [(o.id, f) for o in run.judged for f in o.worst(Severity.QUALITY)]:
        lines += ["## Not as good as it should be", ""]
        lines += [*_cut([f"- {escaped(case)}: {escaped(f.words)}" for case, f in soft]), ""]
    lines += [f"- {escaped(note)}" for note in verdict.notes]
    return "\n".join(lines).rstrip() + "\n"


def about(run: Run) -> str:
    """What was run, in a sentence."""
    return f"{len(run.outcomes)} cases, policy release {run.release} ({run.phase}), {run.mode}."


def _compared(one: Compared) -> str:
    now, before = _share(one.now), _share(one.before)
    cases = ", ".join(one.lost)
    return f"| {escaped(one.slice)} | {FIGURES[one.figure]} | {before} | {now} | {escaped(cases)} |"


def _figures(run: Run, verdict: Verdict) -> Iterator[str]:
    before = {c.figure: c.before for c in verdict.compared if c.slice == "all"}
    for share in (dict(figures(run)).get("all")) or ():
        was = _share(before[share.name]) if share.name in before else "-"
        yield f"| {FIGURES[share.name]} | {_share(share)} | {_interval(share)} | {was} |"


def _share(share: Share) -> str:
    return f"{share.hits} of {share.of}"


def _interval(share: Share) -> str:
    low, high = share.interval()
    return f"{100 * low:.1f} to {100 * high:.1f}%"


def _cut(rows: list[str]) -> Iterable[str]:
    yield from rows[:_MOST]
    if len(rows) > _MOST:
        row = f"and {len(rows) - _MOST} more, on the page"
        yield f"| {row} |" if rows[0].startswith("|") else f"- {row}"


# ── the page ────────────────────────────────────────────────────────────────────────────────────────────────


def page(run: Run, verdict: Verdict, changed: Differences | None) -> str:
    """Everything on one self-contained page: no script, nothing fetched, every stranger's word escaped."""
    from jinja2 import Environment

    source = (resources.files("evals") / "pages" / "exam.html.j2").read_text(encoding="utf-8")
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(source)
    slices = [(name, [(FIGURES[s.name], _share(s), _interval(s)) for s in shares]) for name, shares in figures(run)]
    return template.render(
        run=run,
        verdict=verdict,
        passed=verdict.exit is Exit.OK,
        about=about(run),
        slices=slices,
        figure=FIGURES,
        share=_share,
        changed=changed,
        by_id={d.now.id: d for d in changed.changed} if changed else {},
        outcomes=sorted(run.outcomes, key=_worst_first),
    )


def _worst_first(outcome: Outcome) -> tuple[int, str]:
    order = (Severity.BOUNDARY, Severity.HIGH_RISK, Severity.QUALITY)
    worst = min((order.index(f.severity) for f in outcome.findings), default=len(order))
    return (-1 if outcome.stale else worst), outcome.id


def terminal_lines(verdict: Verdict, changed: Differences | None) -> Iterator[tuple[str, str]]:
    """(style, line) for a terminal: what broke, what is worse, what differs, what was left out."""
    for case, finding in (*verdict.boundary, *verdict.high_risk):
        yield "bold red", f"  {finding.severity.value}  {case}: {finding.words}"
    for words in verdict.stale:
        yield "yellow", f"  stale  {words}"
    for one in verdict.worse:
        yield "red", f"  worse  {one.words}"
    for difference in changed.changed if changed else ():
        yield _tone(difference), f"  changed  {difference.now.id}: {difference.words}"
    for note in verdict.notes:
        yield "dim", f"  {note}"


def _tone(difference: Difference) -> str:
    return "bold yellow" if difference.newly_autonomous else ""
