"""Reads tickets from a file: CSV, JSON, JSONL, mbox or e-mail. A bad row is named, and the rest goes on."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from tools.directory_files import Place, json_items
from tools.errors import BadRecord, UnreadableFile
from tools.mail import Mail, read_mail, split_mbox, tickets_of
from tools.ticket import Ticket, duplicate, ticket_of
from tools.ticket_text import decode, is_binary

LONGEST_CELL = 16_000_000
"""Most characters of one CSV cell. The standard limit, 131,072, is less than a long thread has."""


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What a file held."""

    tickets: tuple[Ticket, ...]
    problems: tuple[BadRecord, ...]
    """Rows that could not be used, each with its line, the reason and what to do."""
    ignored: tuple[str, ...] = ()
    """Fields that mean nothing to us."""
    notes: tuple[str, ...] = ()
    """What was done to the file as a whole."""


Found: TypeAlias = tuple[Place, Ticket | Mapping[str, object] | BadRecord]
_Reader: TypeAlias = Callable[[str, str], Iterator[Found]]


def read_tickets(path: Path) -> ReadResult:
    """All tickets of a file, or of the .eml files of a folder. UnreadableFile where there is nothing to read."""
    if path.is_dir():
        files = sorted(path.glob("*.eml"))
        if not files:
            raise UnreadableFile(f"{path} is a folder without .eml files. Name a CSV, JSON, JSONL or mbox file")
        return _collected(tickets_of_mails((Place(f.name), f.read_bytes()) for f in files), (), path.name)
    if not path.is_file():
        raise UnreadableFile(f"{path} does not exist. Check its name")
    return read_ticket_bytes(path.read_bytes(), path.name)


def read_ticket_bytes(raw: bytes, name: str) -> ReadResult:
    """The same for bytes; the name's ending tells the kind, and the content where it does not."""
    ending = name.rpartition(".")[2].casefold()
    if ending in ("mbox", "mbx", "eml") or (ending not in _TEXTS and _MAILISH.match(raw)):
        if is_binary(raw):
            raise UnreadableFile(f"{name} is not mail. Export the tickets as mbox or .eml")
        if raw.startswith(b"From "):
            return _collected(tickets_of_mails((Place(name, line), mail) for line, mail in split_mbox(raw)), (), name)
        return _collected(tickets_of_mails(iter([(Place(name), raw)])), (), name)
    text, notes = decode(raw, name)
    kind = _TEXTS.get(ending) or _sniffed(text)
    return _collected(kind(text, name), notes, name)


def ticket_from_json(raw: object, name: str = "ticket") -> Ticket:
    """One ticket from parsed JSON. BadRecord says what is wrong and what to do."""
    place = Place(name)
    if not isinstance(raw, Mapping):
        raise place.bad("it is not a JSON object", "Write it as { … }")
    ticket, ignored = ticket_of(raw, place, channel="api")
    note = f"fields without a meaning here: {', '.join(ignored[:20])}"
    return replace(ticket, notes=(*ticket.notes, note)) if ignored else ticket


def tickets_of_mails(raws: Iterator[tuple[Place, bytes]]) -> Iterator[Found]:
    """Tickets of mails, threads put together, and the mails that could not be read."""
    problems: list[tuple[Place, BadRecord]] = []

    def readable() -> Iterator[tuple[Place, Mail]]:
        for place, raw in raws:
            try:
                yield place, read_mail(raw, place)
            except BadRecord as problem:
                problems.append((place, problem))

    yield from tickets_of(readable())
    yield from problems


def _collected(found: Iterator[Found], notes: tuple[str, ...], name: str) -> ReadResult:
    tickets: list[Ticket] = []
    problems: list[BadRecord] = []
    ignored: dict[str, None] = {}
    seen: dict[str, Place] = {}
    for place, item in found:
        if isinstance(item, BadRecord):
            problems.append(item)
            continue
        try:
            ticket, strange = (item, ()) if isinstance(item, Ticket) else ticket_of(item, place)
        except BadRecord as problem:
            problems.append(problem)
            continue
        ignored.update(dict.fromkeys(strange))
        if ticket.id in seen:
            problems.append(duplicate(ticket, place, seen[ticket.id]))
            continue
        seen[ticket.id] = place
        tickets.append(replace(ticket, notes=(*ticket.notes, *notes)) if notes else ticket)
    if not tickets and not problems:
        problems.append(Place(name).bad("it holds no ticket", "Check that it is the right file"))
    return ReadResult(tuple(tickets), tuple(problems), tuple(ignored), notes)


def _jsonl(text: str, name: str) -> Iterator[Found]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = Place(name, number)
        try:
            item = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield place, place.bad(f"the line is not JSON: {_short(error)}", "Write one JSON object a line")
            continue
        if isinstance(item, dict):
            yield place, item
        else:
            yield place, place.bad("the line is not a JSON object", "Write it as { … }")


def _json(text: str, name: str) -> Iterator[Found]:
    if text.lstrip()[:1] == "[":
        yield from json_items(text, name, keys_once=False)
        return
    place = Place(name, 1)
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as error:
        if text.count("\n{") or text.count("}\n"):
            yield from _jsonl(text, name)
        else:
            yield place, place.bad(f"the file is not JSON: {_short(error)}", "Correct it")
        return
    inner = whole.get("tickets") if isinstance(whole, dict) else None
    if isinstance(inner, list):
        for number, item in enumerate(inner, 1):
            at = Place(f"{name}, ticket {number}")
            yield at, item if isinstance(item, dict) else at.bad("it is not a JSON object", "Write it as { … }")
    elif isinstance(whole, dict):
        yield place, whole
    else:
        yield place, place.bad("the file is neither a JSON object nor a list", "Put the tickets between [ and ]")


def _csv(text: str, name: str) -> Iterator[Found]:
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_CELL))
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)
    first = next((n for n, line in enumerate(lines) if line.strip()), None)
    if first is None:
        return
    delimiter = max(",;\t|", key=lines[first].count)
    header: list[str] | None = None
    for number, row in _csv_rows(lines, first, delimiter, name):
        place = Place(name, number)
        if isinstance(row, BadRecord):
            yield place, row
        elif header is None:
            header = row
        elif len(row) > len(header):
            yield place, place.bad("the row has more cells than the header", "Put cells that hold a comma in quotes")
        elif any(cell.strip() for cell in row):
            yield place, dict(zip(header, row, strict=False))


def _csv_rows(lines: list[str], start: int, delimiter: str, name: str) -> Iterator[tuple[int, list[str] | BadRecord]]:
    """``(line, row)``; after a row that cannot be read it goes on with the next line, so that none is swallowed."""
    while start < len(lines):
        reader = csv.reader(iter(lines[start:]), delimiter=delimiter, strict=True)
        begun = 0
        try:
            for row in reader:
                yield start + begun + 1, row
                begun = reader.line_num
            return
        except csv.Error as error:
            place = Place(name, start + begun + 1)
            yield place.line or 1, place.bad(f"the row cannot be read: {error}", "Check its quotation marks")
            start += begun + 1


def _sniffed(text: str) -> _Reader:
    begin = text.lstrip()[:1]
    if begin == "[":
        return _json
    return _json if begin == "{" else _csv


def _short(error: Exception) -> str:
    return str(error)[:120] or type(error).__name__


_TEXTS: dict[str, _Reader] = {"csv": _csv, "tsv": _csv, "txt": _csv, "json": _json, "jsonl": _jsonl, "ndjson": _jsonl}
_MAILISH = re.compile(rb"From \S+|(?:[A-Z][A-Za-z-]+: [^\n]*\r?\n){2}")
