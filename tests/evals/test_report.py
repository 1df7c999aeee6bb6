"""Reports: whatever a stranger writes stays words, on a terminal, in Markdown and on a page."""

from __future__ import annotations

import re
from pathlib import Path

from evals.case import read_case
from evals.report import Row, markdown, page
from evals.run import run_case
from evals.show import plainly
from guards.policy import parse_release
from ledger.store import open_store
from tools.sandbox import SandboxCompany

HOSTILE = "<script>alert(1)</script> | # heading\n[click](http://evil.example) refund me ``` now \x1b[2J"


async def hostile_row(folder: Path) -> Row:
    path = Path(__file__).parents[2] / "guards" / "policies" / "2026-03-01.toml"
    release = parse_release(path.read_text(encoding="utf-8"), path.name)
    text = HOSTILE.replace("\x1b", "").replace('"', "'")
    case = read_case(
        f"""id = "h"
title = "hostile"
why = "w"
source = "own"
kind = "risky"
twin = "h"
[requester]
email = "x@y.example"
name = "X"
verified = false
[[thread]]
from = "customer"
text = '''{text}'''
[expect]
lanes = [2, 3]
unit = "answer"
""",
        "h.toml",
    )
    store = open_store(folder / "l.sqlite3", clock=lambda: SandboxCompany().now)
    run = await run_case(case, release, store, folder)
    return Row(HOSTILE, run.result)


async def test_a_page_holds_no_markup_of_a_strangers(tmp_path: Path) -> None:
    shown = page("t", "n", [await hostile_row(tmp_path)], [HOSTILE])
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    assert "default-src 'none'" in shown  # self-contained: nothing may be fetched
    assert "http://" not in shown.replace("http://evil.example", "")


async def test_markdown_opens_no_heading_link_or_fence_for_a_stranger(tmp_path: Path) -> None:
    shown = markdown("t", "n", [await hostile_row(tmp_path)], [HOSTILE])
    outside = re.sub(r"```text\n.*?\n```", "", shown, flags=re.DOTALL)  # within a fence nothing is markup
    assert "<script" not in outside
    assert "\\[click\\]" in shown
    assert shown.count("```") % 2 == 0


def test_a_terminal_is_not_rewritten() -> None:
    assert "\x1b" not in plainly("a\x1b[2Jb‮c")
