"""Reads the files of a team's folder, and knows at which line each row, item or front matter stands."""

from __future__ import annotations

import csv
import io
import json
import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from tools.errors import BadRecord, SystemUnavailable
from tools.ticket_text import folded_address

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands."""

    file: str
    line: int | None = None

    def bad(self, what: str, remedy: str, column: str = "") -> BadRecord:
        """A problem at this place."""
        return BadRecord(self.file, what, remedy, line=self.line, column=column)


Found = tuple[Place, Mapping[str, object] | BadRecord]
"""One row or item, or why it cannot be read."""


def read_text(path: Path, file: str) -> str:
    """The file as text, with or without a byte order mark. BadRecord where it is not UTF-8."""
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise BadRecord(file, "it is not UTF-8 text", "Save the file as UTF-8", line=line) from error


def csv_rows(text: str, file: str, columns: Collection[str]) -> Iterator[Found]:
    """The rows under the header line, each with the line on which it ends; the header must name the columns."""
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", strict=True)
    named = {name.strip() for name in reader.fieldnames or ()}
    for words, names, remedy in (
        ("the header lacks", set(columns) - named, "Add the column"),
        ("the header has a name that is not known:", named - set(columns), "Remove it or correct its spelling"),
    ):
        if names:
            place = Place(file, 1)
            yield place, place.bad(f"{words} {', '.join(sorted(names))}", remedy)
            return
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            place = Place(file, reader.reader.line_num)
            yield place, place.bad(f"the row cannot be read: {error}", "Check its quotation marks")
            return
        place = Place(file, reader.reader.line_num)
        if "" in row:
            yield place, place.bad("the row has more cells than the header", "Put cells that hold a comma in quotes")
        elif None in row.values():
            yield place, place.bad("the row has fewer cells than the header", "Add the empty cells, one comma each")
        else:
            yield place, {name.strip(): cell.strip() for name, cell in row.items()}


def json_items(text: str, file: str, *, keys_once: bool = True) -> Iterator[Found]:
    """The objects of a JSON list, each with the line on which it begins."""
    decoder = json.JSONDecoder(object_pairs_hook=_no_key_twice if keys_once else None)
    at = _after_space(text, 0)
    if text[at : at + 1] != "[":
        place = Place(file, 1)
        yield place, place.bad("the file is not a JSON list", "Put the objects between [ and ]")
        return
    at = _after_space(text, at + 1)
    while text[at : at + 1] not in ("]", ""):
        place = Place(file, text.count("\n", 0, at) + 1)
        try:
            item, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            # What follows a syntax error cannot be told apart, so reading ends here.
            yield place, place.bad(f"the JSON cannot be read: {error}", "Correct it; the rest was not read")
            return
        if isinstance(item, dict):
            yield place, item
        else:
            yield place, place.bad("an item is not a JSON object", "Write it as { … }")
        at = _after_space(text, at)
        if text[at : at + 1] == ",":
            at = _after_space(text, at + 1)
        elif text[at : at + 1] not in ("]", ""):
            place = Place(file, text.count("\n", 0, at) + 1)
            yield place, place.bad("the list does not go on with a comma or ]", "Correct it; the rest was not read")
            return
    # A list that was cut off, or goes on after its end, has lost items: that must not pass for their absence.
    if text[at : at + 1] == "" or _after_space(text, at + 1) < len(text):
        place = Place(file, text.count("\n", 0, at) + 1)
        yield place, place.bad("the list has no end, or does not end with the file", "Put one ] at the end")


def _after_space(text: str, at: int) -> int:
    found = re.compile(r"[ \t\r\n]*").match(text, at)
    return found.end() if found else at


def _no_key_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError(f"one object has a key twice: {', '.join(sorted({k for k in keys if keys.count(k) > 1}))}")
    return dict(pairs)


def toml_document(text: str, place: Place) -> dict[str, object]:
    """TOML as plain values. BadRecord names the line, counted in the file that the text came from."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        seen = re.search(r"at line (\d+)", str(error))
        line = int(seen.group(1)) + (place.line or 1) - 1 if seen else place.line
        raise BadRecord(place.file, f"it is not valid TOML: {error}", "Correct that line", line=line) from error


_FENCE = "+++"


def front_matter(text: str, file: str) -> tuple[dict[str, object], str]:
    """``(front matter, body)`` of a Markdown file that begins with TOML between two +++ lines."""
    lines = text.splitlines()
    fences = [n for n, line in enumerate(lines) if line.strip() == _FENCE][:2]
    if len(fences) < 2 or any(line.strip() for line in lines[: fences[0]]):
        raise BadRecord(file, "it does not begin with front matter", "Put its TOML between two +++ lines", line=1)
    start, end = fences
    head = toml_document("\n".join(lines[start + 1 : end]), Place(file, start + 2))
    return head, "\n".join(lines[end + 1 :]).strip()


def problems_of(error: ValidationError, place: Place) -> tuple[BadRecord, ...]:
    """One problem for each thing that the border refuses in a row."""
    found = []
    for item in error.errors():
        column = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            found.append(place.bad("this name is not known", "Remove it or correct its spelling", column))
        elif item["type"] == "missing":
            found.append(place.bad("it is missing", "Add it", column))
        else:
            what, _, remedy = item["msg"].removeprefix("Value error, ").partition("; ")
            found.append(place.bad(what, remedy or f"Correct {str(item['input'])[:60]!r}", column))
    return tuple(found)


@dataclass(slots=True)
class Table(Generic[T]):
    """The records of one file by key, and which keys cannot be trusted.

    A row that cannot be read must not look like a row that is not there: whoever asks for its key is told.
    """

    file: str
    folds: bool = False
    """True where keys are compared without regard to case: mail addresses are, ids are not."""
    present: bool = False
    rows: dict[str, list[T]] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    bad: dict[str, BadRecord] = field(default_factory=dict)
    """Keys with a row that cannot be used."""
    unreadable: list[BadRecord] = field(default_factory=list)
    """Rows whose key is not known either: they may belong to any key."""
    problems: list[BadRecord] = field(default_factory=list)

    def spoil(self, problem: BadRecord, key: str) -> None:
        """Notes a problem with the row of that key; an empty key spoils the table."""
        self.problems.append(problem)
        if key:
            self.bad.setdefault(key, problem)
        else:
            self.unreadable.append(problem)

    def key(self, raw: str) -> str:
        """A key as the table keeps it."""
        return folded_address(raw.strip()) if self.folds else raw.strip()

    def of(self, key: str) -> tuple[T, ...]:
        """The records of that key. SystemUnavailable or BadRecord where silence would prove nothing."""
        self.answer()
        if (named := self.key(key)) in self.bad:
            raise self.bad[named]
        return tuple(self.rows.get(named, ()))

    def answer(self) -> None:
        """Nothing, where the file can be asked at all; else SystemUnavailable."""
        if not self.present:
            raise SystemUnavailable(f"{self.file} is not in the folder")
        if self.unreadable:
            raise SystemUnavailable(f"a row cannot be read: {self.unreadable[0]}")

    def all(self) -> tuple[T, ...]:
        """Every record. SystemUnavailable where one of them cannot be read."""
        self.answer()
        if self.bad:
            raise next(iter(self.bad.values()))
        return tuple(record for found in self.rows.values() for record in found)


def fill(
    table: Table[T],
    found: Iterator[Found],
    model: type[M],
    record_of: Callable[[M], T],
    *,
    key: str,
    one_each: tuple[str, ...] = (),
) -> None:
    """Fills a table from what a file holds. ``one_each`` names the columns in which no two rows may agree."""
    table.present = True
    seen: dict[tuple[object, ...], Place] = {}
    for place, raw in found:
        if isinstance(raw, BadRecord):
            table.spoil(raw, "")
            continue
        named = raw.get(key)
        name = table.key(named) if isinstance(named, str) else ""
        try:
            row = model.model_validate(raw)
        except ValidationError as error:
            for problem in problems_of(error, place):
                table.spoil(problem, name)
            continue
        same = tuple(table.key(str(raw.get(column))) for column in one_each)
        if one_each and same in seen:
            twice = f"line {seen[same].line} has the same {' and '.join(one_each)}"
            table.spoil(place.bad(twice, "Keep the one that is right"), name)
            continue
        seen[same] = place
        table.places.setdefault(name, place)
        table.rows.setdefault(name, []).append(record_of(row))
