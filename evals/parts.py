"""Which part of the product finds what: the same rows by keywords, rules, text model, language model, and all together.

    lanewise assess ROWS.jsonl --out JUDGED.jsonl
    python -m evals.parts ROWS.jsonl JUDGED.jsonl

The first command asks every assessor once and keeps each one's own opinion; the second puts them together in every way.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from agent.packaged import packaged_release
from evals.assess import AssessRow, read_opinion, read_rows
from evals.keywords import judge as by_keywords
from evals.score import SHORT, Share, score
from evals.show import console
from guards.assess import Opinion, assess, opinion_signals, shown_families
from guards.assign import lane_by_risk
from guards.lanes import Lane
from guards.policy import Release
from guards.triggers import Level, Matrix, Signal, Trigger, Witness
from guards.wording import plain
from tools.account_context import facts_from_context, untrusted_texts

Judgement: TypeAlias = Mapping[str, Any]
RATES = ("miss", "over-escalation", "lane-3 miss")


@dataclass(frozen=True, slots=True)
class Row:
    """One row, what was expected of it and what each assessor thought of it."""

    asked: AssessRow
    expected: Mapping[str, Any]
    judged: Judgement

    def opinions(self, *by: Witness) -> tuple[Opinion, ...]:
        """The opinions of those assessors."""
        return tuple(o for raw in self.judged["opinions"] if (o := read_opinion(raw)).by in by)

    def shows_a_family(self, release: Release) -> bool:
        """Whether the words show an issue family that the release knows."""
        return bool(shown_families(plain("\n\n".join(self.asked.messages)), release))


Part: TypeAlias = Callable[[Row, Release], Judgement | None]
"""None where the part has no say on the row: it was not asked, or it failed."""


def _together(row: Row, release: Release, *by: Witness) -> Judgement:
    words, context = "\n\n".join(row.asked.messages), row.asked.context
    opinions = row.opinions(*by)
    facts = facts_from_context(context)
    seen = assess(words, facts, release, opinions, row.judged["hinted"], untrusted_texts(context))
    return _judgement(seen.matrix, release)


def _judgement(matrix: Matrix, release: Release) -> Judgement:
    return {"triggers": matrix.to_json(), "lane_by_risk": int(lane_by_risk(matrix, release)[0])}


def _alone(row: Row, release: Release, by: Witness) -> Judgement | None:
    """An assessor's own levels under the law, without a rule or a fact beside it."""
    for opinion in row.opinions(by):
        context = opinion.levels.get(Trigger.MISSING_CONTEXT, Level.LOW)
        signals = opinion_signals([opinion])
        if context > Level.LOW:
            signals.append(Signal("read", Trigger.MISSING_CONTEXT, context, by, "its own level", "as it was read"))
        return _judgement(Matrix(tuple(signals)), release)
    return None


def _all(row: Row, release: Release) -> Judgement | None:
    if not row.opinions(Witness.MODEL) and not row.judged["failures"]:
        return None
    found = dict(_together(row, release, Witness.HEAD, Witness.MODEL))
    if row.judged["failures"]:  # an assessor that was configured and failed is at least lane 2
        found["lane_by_risk"] = max(int(found["lane_by_risk"]), int(Lane.ASSISTED))
    return found


PARTS: Mapping[str, Part] = {
    "keyword rules (a baseline, no part of the product)": lambda row, release: by_keywords(row.asked, release),
    "rules alone": lambda row, release: _together(row, release),
    "text model alone": lambda row, release: _alone(row, release, Witness.HEAD),
    "embedded default: rules and text model": lambda row, release: _together(row, release, Witness.HEAD),
    "language model alone": lambda row, release: _alone(row, release, Witness.MODEL),
    "embedded default and language model": _all,
}


def read(rows: Path, judged: Path) -> tuple[Row, ...]:
    """The rows that are scored. SystemExit where one was not judged, or by a command that kept no opinions."""
    lines = [line for line in rows.read_text(encoding="utf-8").splitlines() if line.strip()]
    expected = {str(e["id"]): e for e in map(json.loads, lines)}
    found = {str(j["id"]): j for j in map(json.loads, filter(None, judged.read_text(encoding="utf-8").splitlines()))}
    asked = [row for row in read_rows(lines) if isinstance(row, AssessRow) and expected[row.id].get("scored", True)]
    if missing := [row.id for row in asked if "opinions" not in found.get(row.id, {})]:
        raise SystemExit(
            f"{judged}: {len(missing)} rows are not judged, or not by this version ({missing[0]} …): write it with "
            f"`lanewise assess {rows} --out {judged}`"
        )
    return tuple(Row(row, expected[row.id], found[row.id]) for row in asked)


def shares(rows: Sequence[Row], part: Part, release: Release) -> list[Share]:
    """The part's rates and recalls over the rows on which it has a say; empty where it has none."""
    said = [(row, judgement) for row in rows if (judgement := part(row, release)) is not None]
    return score([row.expected for row, _ in said], {row.asked.id: j for row, j in said}) if said else []


def tables(rows: Sequence[Row], release: Release) -> Iterator[str]:
    """Two Markdown tables, a line at a time: the rates of each part, then what it finds of each trigger."""
    known = {row.asked.id for row in rows if row.shows_a_family(release)}
    slices = {
        "all rows": rows,
        "a family of the release": [row for row in rows if row.asked.id in known],
        "no family of the release": [row for row in rows if row.asked.id not in known],
    }
    yield f"| part | rows | {' | '.join(RATES)} |"
    yield "| --- |" + " --- |" * (1 + len(RATES))
    for name, part in PARTS.items():
        for where, within in slices.items():
            found = {s.name: s for s in shares(within, part, release)}
            nothing = "not asked" if within else "no row"
            told = [_share(found[rate]) if found else nothing for rate in RATES]
            yield f"| {name} | {where} ({len(within)}) | {' | '.join(told)} |"
    failed = sum(bool(row.judged["failures"]) for row in rows)
    yield ""
    yield f"On {failed} of {len(rows)} rows an assessor failed; alone it has no say there, and all together are at least lane 2."
    yield ""
    columns = [f"{short} {level.word}" for short in SHORT for level in (Level.MEDIUM, Level.HIGH)]
    yield f"| finds, at the level expected | {' | '.join(columns)} |"
    yield "| --- |" + " --- |" * len(columns)
    for name, part in PARTS.items():
        found = {s.name: s for s in shares(rows, part, release)}
        counts = [
            f"{s.hits} of {s.of}" if (s := found.get(f"recall {t.value} {v.word}")) and s.of else "-"
            for t in SHORT.values()
            for v in (Level.MEDIUM, Level.HIGH)
        ]
        yield f"| {name} | {' | '.join(counts)} |"


def _share(share: Share) -> str:
    if not share.of:
        return "no row"
    low, high = share.interval()
    return f"{100 * share.hits / share.of:.1f}% ({share.hits} of {share.of}; {100 * low:.1f} to {100 * high:.1f})"


def main(rows: str, judged: str) -> int:
    """Prints the tables."""
    out = console()
    for line in tables(read(Path(rows), Path(judged)), packaged_release()):
        out.print(line, markup=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python -m evals.parts ROWS.jsonl JUDGED.jsonl")
    raise SystemExit(main(sys.argv[1], sys.argv[2]))
