"""Every relative link of the documents leads to a file, and every anchor to a heading."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = tuple(sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]))
_LINK = re.compile(r"\[[^\]\n]+\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:agent|desk|evals|guards|ledger|prompts|tools|tests|docs)/[\w./-]*)`")


def links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        for target in _LINK.findall(text):
            if "://" not in target:
                yield page, target


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_relative_link_leads_somewhere() -> None:
    found = list(links())
    assert len(found) > 10
    broken = []
    for page, target in found:
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append((page.name, target))
    assert broken == []


def test_every_file_of_the_code_that_is_named_is_there() -> None:
    named = {(page.name, path) for page in PAGES for path in _PATH.findall(page.read_text(encoding="utf-8"))}
    assert len(named) > 40
    assert sorted((page, path) for page, path in named if not (ROOT / path).exists()) == []
