"""A back-test as people and build servers read it: text, JSON and one page of HTML, with an exit code."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path

from desk.channels.console import visible
from desk.policy import files
from desk.policy.releases import Proof
from desk.records import Records
from guards.policy import Release
from ledger.evidence.backtest_report import BackTest, Moved, Worst, backtest
from ledger.evidence.backtest_rows import StoredDecisions

Tell = Callable[[str], None]


def run(
    records: Records,
    candidate: str,
    tell: Tell,
    *,
    against: str = "now",
    allow_new: int | None = None,
    json_file: Path | None = None,
    html_file: Path | None = None,
) -> int:
    """Decides all stored tickets again. 0: nothing speaks against it; 1: people decided otherwise, or more tickets than
    ``allow_new`` would newly be answered without a person."""
    old, new = (files.find(records.settings, records.store, name) for name in (against, candidate))
    found = tested(records, old, new)
    tell(as_text(found))
    if json_file:
        json_file.write_text(json.dumps(found.to_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if html_file:
        html_file.write_text(as_html(found), encoding="utf-8")
    against_people = found.contradicted.count > 0
    too_many = allow_new is not None and found.newly_autonomous.count > allow_new
    return 1 if against_people or too_many else 0


def tested(records: Records, old: Release, new: Release) -> BackTest:
    """The back-test over all that the ledger holds by now."""
    rows = StoredDecisions(records.store)
    rows.bring_up_to_date()
    return backtest(rows, old, new)


def proof(records: Records) -> Callable[[Release, Release], Proof]:
    """The back-test as one of the proofs of a release."""

    def held(old: Release, new: Release) -> Proof:
        found = tested(records, old, new)
        told = (
            f"{found.decisions} stored decisions, {found.changed} change lane, {found.newly_autonomous.count} newly "
            f"autonomous, {found.contradicted.count} against what people decided, {len(found.not_seen)} change(s) not seen"
        )
        return Proof("backtest", found.contradicted.count == 0, told)

    return held


def as_text(found: BackTest) -> str:
    """The report, what matters most first."""
    lines = [
        f"Back-test: {found.after} beside {found.before}, over {found.decisions} stored decisions",
        f"{found.changed} change lane{_counts(found.moves)}",
        *_listing("newly answered without a person, riskiest first", found.newly_autonomous),
        *_listing("against what people decided", found.contradicted),
        *_listing("known misses that it would give to people", found.caught),
        f"known misses that neither gives to people: {found.missed}",
        f"held where people had said a lower lane: {found.overdone}",
        *_table("by family", found.by_family),
        *_table("by segment", found.by_segment),
        f"decided otherwise at the time (another release, a halt, a floor): {found.otherwise_then}",
    ]
    lines += [f"not seen by this back-test: {line}" for line in found.not_seen]
    return visible("\n".join(lines))


def _counts(moves: Mapping[str, int]) -> str:
    return "".join(f", {count} {move}" for move, count in sorted(moves.items()))


def _listing(title: str, worst: Worst, most: int = 20) -> list[str]:
    shown = worst.listed()[:most]
    more = worst.count - len(shown)
    return [f"{title}: {worst.count}", *(f"  {_line(m)}" for m in shown), *([f"  and {more} more"] if more else [])]


def _line(moved: Moved) -> str:
    said = f", people said {moved.said}" if moved.said else ""
    consequence = ("low", "medium", "high")[moved.consequence]
    where = ", ".join(moved.families) or "no family"
    return f"{moved.ticket}: lane {moved.before} -> {moved.after}{said}; consequence {consequence}; {where}; {moved.segment}"


def _table(title: str, rows: Mapping[str, Mapping[str, int]]) -> list[str]:
    told = sorted(rows.items(), key=lambda row: -sum(row[1].values()))
    return [f"{title}:", *(f"  {name:<24}{_counts(moves).removeprefix(',')}" for name, moves in told)] if told else []


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Back-test of {after}</title>
<style>body{{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}}
table{{border-collapse:collapse;margin:.5rem 0 1.5rem}}td,th{{padding:.2rem .8rem;border-bottom:1px solid #ccc;text-align:left}}</style>
<h1>Back-test: {after} beside {before}</h1>
{note}<p>{decisions} stored decisions; {changed} change lane{moves}. Known misses that neither gives to people: {missed}.</p>
{parts}
</html>
"""


def as_html(found: BackTest, note: str = "") -> str:
    """One page; every word that comes from a ticket or a release is escaped. ``note`` says what the tickets are."""
    parts = [
        _section("Newly answered without a person, riskiest first", found.newly_autonomous),
        _section("Against what people decided", found.contradicted),
        _section("Known misses that it would give to people", found.caught),
        _section("Raised", found.raised),
        _section("Lowered", found.lowered),
    ]
    for title, rows in (("By family", found.by_family), ("By segment", found.by_segment)):
        cells = "".join(f"<tr><td>{escape(n)}<td>{escape(_counts(m)[2:])}" for n, m in sorted(rows.items()))
        parts.append(f"<h2>{title}</h2><table>{cells}</table>")
    if found.not_seen:
        items = "".join(f"<li>{escape(line)}" for line in found.not_seen)
        parts.append(f"<h2>Not seen by this back-test</h2><ul>{items}</ul>")
    return _PAGE.format(
        after=escape(found.after),
        before=escape(found.before),
        decisions=found.decisions,
        changed=found.changed,
        moves=escape(_counts(found.moves)),
        missed=found.missed,
        parts="\n".join(parts),
        note=f"<p>{escape(note)}</p>\n" if note else "",
    )


def _section(title: str, worst: Worst) -> str:
    head = "<tr><th>ticket<th>lane before<th>after<th>people said<th>consequence<th>families<th>segment"
    cells = []
    for m in worst.listed():
        row = (m.ticket, m.before, m.after, m.said or "", ("low", "medium", "high")[m.consequence])
        told = "".join(f"<td>{escape(str(v))}" for v in (*row, ", ".join(m.families), m.segment))
        cells.append(f"<tr>{told}")
    shown = f" (the {len(cells)} riskiest are listed)" if worst.count > len(cells) else ""
    return f"<h2>{escape(title)}: {worst.count}{shown}</h2><table>{head}{''.join(cells)}</table>"
