"""Results as rows of the table in docs/boundary.md, beside the versions they were made with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results.json")


class BadResults(Exception):
    """The results file cannot be used; the message names the file, the place and what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure."""

    invariant: str
    """``I4``."""
    what: str
    """What was done."""
    figure: str
    """What came out."""
    beside: str
    """What stands beside a zero: the utility, or the same without the guard."""
    by: str
    """The command that shows it."""
    holds: bool = True
    """Whether the requirement is met."""


@dataclass(frozen=True, slots=True)
class Part:
    """One suite's rows."""

    name: str
    versions: Mapping[str, str]
    rows: tuple[Row, ...]
    detail: Mapping[str, Any]
    """Counts behind the rows, plain JSON."""

    @property
    def holds(self) -> bool:
        """True where there is something to show and every row meets its requirement."""
        return bool(self.rows) and all(row.holds for row in self.rows)


def read_parts(path: Path = RESULTS) -> tuple[Part, ...]:
    """All parts of a results file, none where there is no file. BadResults."""
    if not path.exists():
        return ()
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return tuple(part_from_json(name, part) for name, part in raw["parts"].items())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadResults(f"{path.name}: not a results file ({error}); remove it and run the suites again") from error


def part_from_json(name: str, raw: Mapping[str, Any]) -> Part:
    """A part as a suite hands it over. KeyError or TypeError for another shape."""
    rows = tuple(Row(**row) for row in raw["rows"])
    return Part(name, {str(k): str(v) for k, v in raw["versions"].items()}, rows, dict(raw["detail"]))


def write_parts(parts: Iterable[Part], path: Path = RESULTS) -> None:
    """Writes these parts; parts of other suites that stand in the file already are kept."""
    kept = {part.name: part for part in read_parts(path)} | {part.name: part for part in parts}
    told = {"parts": {name: to_json(kept[name]) for name in sorted(kept)}}
    path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def to_json(part: Part) -> dict[str, Any]:
    """Plain JSON; ``part_from_json`` reads it back."""
    return {
        "versions": dict(part.versions),
        "rows": [asdict(row) for row in part.rows],
        "detail": dict(part.detail),
    }


def share(hits: int, of: int) -> str:
    """``3 of 120 (2.5%)``."""
    return f"{hits:,} of {of:,} ({100 * hits / of:.1f}%)" if of else "0 of 0"


def table(parts: Sequence[Part]) -> str:
    """The rows as Markdown."""
    lines = ["| invariant | what | figure | beside |", "| --- | --- | --- | --- |"]
    for part in parts:
        lines += [
            f"| {r.invariant} | {r.what} | {'' if r.holds else '**not met** '}{r.figure} | {r.beside} |"
            for r in part.rows
        ]
    return "\n".join(lines)
