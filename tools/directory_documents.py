"""Reads what a team writes as documents: company, queues, macros and articles. What is wrong goes into a list."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from tools import directory_rows as rows
from tools.directory_files import Place, front_matter, problems_of, read_text, toml_document
from tools.errors import BadRecord
from tools.systems import Article, Company, Macro, Queue


def read_company(path: Path, problems: list[BadRecord]) -> Company:
    """The company that company.toml names; one without a name where it cannot be read."""
    place = Place("company.toml")
    try:
        if not (path / place.file).is_file():
            raise place.bad("the file is missing", "Write it; `lanewise init` makes one to start from")
        return rows.CompanyFile.model_validate(toml_document(read_text(path / place.file, place.file), place)).record()
    except ValidationError as error:
        problems += problems_of(error, place)
    except BadRecord as problem:
        problems.append(problem)
    return Company(name="", product="", currency="", support_address="")


def read_queues(path: Path, problems: list[BadRecord]) -> Iterator[Queue]:
    """The queues of queues.toml, those left out that cannot be read."""
    place = Place("queues.toml")
    if not (path / place.file).is_file():
        return
    try:
        text = read_text(path / place.file, place.file)
        document = toml_document(text, place)
    except BadRecord as problem:
        problems.append(problem)
        return
    if strange := sorted(set(document) - {"queue"}):
        problems.append(place.bad(f"not known: {', '.join(strange)}", "Only [[queue]] entries belong here"))
    starts = [n for n, line in enumerate(text.splitlines(), 1) if line.strip().startswith("[[queue]]")]
    entries = document.get("queue", [])
    seen: set[str] = set()
    for n, raw in enumerate(entries if isinstance(entries, list) else []):
        at = Place(place.file, starts[n] if n < len(starts) else None)
        try:
            queue = rows.QueueRow.model_validate(raw).record()
        except ValidationError as error:
            problems += problems_of(error, at)
            continue
        if queue.queue_id in seen:
            problems.append(at.bad(f"a second queue is called {queue.queue_id}", "Keep the one that is right", "id"))
            continue
        seen.add(queue.queue_id)
        yield queue


def read_macros(folder: Path, problems: list[BadRecord]) -> Iterator[Macro]:
    """The macros of a folder; what is wrong goes into ``problems``. A macro without approval is not handed out."""
    seen: dict[str, str] = {}
    for file, head, body in _documents(folder, problems):
        try:
            macro = rows.MacroHead.model_validate(head).record(body)
        except ValidationError as error:
            problems += problems_of(error, Place(file))
            continue
        if macro.macro_id in seen:
            twice = f"{seen[macro.macro_id]} has the same id {macro.macro_id}"
            problems.append(Place(file).bad(twice, "Keep the one that is right", "id"))
            continue
        seen[macro.macro_id] = file
        yield macro


def read_articles(folder: Path, problems: list[BadRecord]) -> Iterator[Article]:
    """The articles of a folder, approved or not; what cannot be read goes into ``problems``."""
    for file, head, body in _documents(folder, problems):
        try:
            yield rows.ArticleHead.model_validate(head).record(body, file)
        except ValidationError as error:
            problems += problems_of(error, Place(file))


def _documents(folder: Path, problems: list[BadRecord]) -> Iterator[tuple[str, dict[str, object], str]]:
    for path in sorted(folder.glob("*.md")):
        file = f"{folder.name}/{path.name}"
        try:
            head, body = front_matter(read_text(path, file), file)
        except BadRecord as problem:
            problems.append(problem)
            continue
        if not body:
            problems.append(Place(file).bad("there is no text under the front matter", "Write the text"))
            continue
        yield file, head, body
