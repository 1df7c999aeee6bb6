"""Writes a team's own workspace: settings, a policy release in observe-only, and sample data to replace."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Mapping
from importlib import metadata
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from desk.errors import DeskError, FilesInTheWay

_OWN = files("desk") / "new_workspace"
_SANDBOX = files("tools") / "company"
_RELEASES = files("guards") / "policies"

SAMPLE_ACCOUNTS = frozenset({"A-1001", "A-1004", "A-1006", "A-1009"})
"""A small standard account, a larger one, an enterprise with negotiated terms, one whose roles changed lately."""
SAMPLE_ARTICLES = ("add-seats", "download-invoices", "status-page", "refund-policy-internals")
"""Three that may be quoted to customers, and one by which people decide."""
SAMPLE_MACROS = ("refund-request-received", "incident-follow-up", "limit-reached")

SAMPLE_CASES = ("more-seats", "forty-seats-too-many")
"""A harmless ticket and its risky twin."""

_CSV_FILES = ("accounts", "people", "entitlements", "changes", "credits", "contacts")


def init(directory: Path) -> list[Path]:
    """Writes a new workspace into a directory, which is created where needed, and returns the files it wrote.

    Nothing that is there already is touched: FilesInTheWay names what stands in the way, and then nothing is
    written. What comes out loads as it is, and nothing leaves it by itself: its release is in observe-only.
    """
    wanted = contents()
    if in_the_way := _in_the_way(directory, sorted(wanted)):
        raise FilesInTheWay(directory, in_the_way)
    written = []
    for relative, text in sorted(wanted.items()):
        file = directory / relative
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Exclusive: should somebody have put a file here since we looked, it stays as it is.
            with open(file, "x", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
        except FileExistsError as error:
            raise FilesInTheWay(directory, [relative]) from error
        written.append(file)
    return written


def contents() -> dict[Path, str]:
    """Every file of a new workspace, relative to it, with its text."""
    version, release = _observe_only(_newest_release())
    policy = f"policy/{version}.toml"
    texts = {
        "lanewise.toml": _own("lanewise.toml").replace("@POLICY@", policy),
        ".gitignore": _own("gitignore"),
        policy: release,
        "policy/README.md": _own("policy/README.md").replace("@VERSION@", version),
        "tickets/sample.csv": _own("tickets/sample.csv"),
        "tickets/README.md": _own("tickets/README.md"),
        "evals/README.md": _own("evals/README.md"),
        ".github/workflows/lanewise.yml": _own("workflow.yml").replace("@LANEWISE@", _installed()),
        ".pre-commit-config.yaml": _own("pre-commit-config.yaml"),
        "company/README.md": _own("company/README.md"),
        "company/company.toml": _company(),
        "company/queues.toml": _QUEUES_HEAD + _sandbox("queues.toml"),
        "company/contracts.json": _json([c for c in _sandbox_json("contracts") if _sampled(c)]),
        "company/incidents.json": _json(_incidents()),
        "company/knowledge/README.txt": _own("company/knowledge/README.txt"),
        "company/macros/README.txt": _own("company/macros/README.txt"),
    }
    for name in SAMPLE_CASES:
        texts[f"evals/cases/{name}.toml"] = _own(f"evals/cases/{name}.toml")
    for name in _CSV_FILES:
        texts[f"company/{name}.csv"] = _csv(_sandbox(f"{name}.csv"))
    for name in SAMPLE_ARTICLES:
        texts[f"company/knowledge/{name}.md"] = _commented(_sandbox(f"knowledge/{name}.md"))
    for name in SAMPLE_MACROS:
        texts[f"company/macros/{name}.md"] = _commented(_sandbox(f"macros/{name}.md"))
    return {Path(name): text for name, text in texts.items()}


def _installed() -> str:
    """The version of Lanewise that writes the workspace: its exam is to be held with the same."""
    return metadata.version("lanewise")


def _in_the_way(directory: Path, wanted: list[Path]) -> list[Path]:
    if os.path.lexists(directory) and not directory.is_dir():
        raise DeskError(f"{directory} is a file. Choose a directory for the new workspace.")
    found = [p for p in wanted if os.path.lexists(directory / p)]
    # A file, or a link that leads nowhere, where a folder is to be.
    folders = {p for w in wanted for p in w.parents if p != Path()}
    return found + sorted(p for p in folders if os.path.lexists(directory / p) and not (directory / p).is_dir())


# ── the policy release ──────────────────────────────────────────────────────────────────────────────────────

_POLICY_HEAD = """\
# Policy release {version}: a copy of Lanewise's own release {base} that only watches.
#
# In observe-only every ticket gets its lane, its triggers and its packet, and nothing leaves by itself, not even a
# notice. Compare what it would have done with what your people did; then copy this file under a new version, change the copy,
# run `lanewise policy check`, then `lanewise policy propose`. The rest of this file is as it comes with Lanewise.
#
"""


def _newest_release() -> str:
    newest = max((f for f in _RELEASES.iterdir() if f.name.endswith(".toml")), key=lambda f: f.name)
    return newest.read_text(encoding="utf-8")


def _observe_only(release: str) -> tuple[str, str]:
    """The version and the text of a release's observe-only copy. Its text is edited, so that its comments stay."""
    base = _found(r'^version = "([^"]+)"', release)
    version = f"{base}-observe"
    text = _set(release, r"version", f'"{version}"')
    text = _set(text, r"title", '"Observe only: lanes and packets are recorded, nothing leaves by itself"')
    text = _set(text, r"reason", '"people say first whether they agree with the lanes"')
    text = _set(text, r"phase", '"observe_only"')
    return version, _POLICY_HEAD.format(version=version, base=base) + text


def _set(text: str, key: str, value: str) -> str:
    """The text with the first line ``key = …`` set to a value; the line's comment goes with the old value."""
    edited, times = re.subn(rf"^{key} = .*$", f"{key} = {value}", text, count=1, flags=re.MULTILINE)
    if times != 1:
        raise DeskError(f"the packaged release has no line {key!r}; this Lanewise is damaged: install it again")
    return edited


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text, flags=re.MULTILINE)
    if found is None:
        raise DeskError("the packaged release names no version; this Lanewise is damaged: install it again")
    return found.group(1)


# ── the company's files: a small part of the made-up company ────────────────────────────────────────────────

_QUEUES_HEAD = """\
# Sample queues. Replace them by your own; the policy release names queues by their id (owner_rule, deadline_queue).
"""
_COMPANY_HEAD = """\
# Your company: sample values of a made-up one. Put in your own.
"""
_TODAY_COMMENT = """\
# A fixed clock, for sample data only: every date in this folder is read against it. Remove the next line when your own
# records are here; then your machine's clock counts, and what is too old for the policy release counts as stale.
"""
_SAMPLE_COMMENT = "# A sample from a made-up company. What each line means is written in README.txt beside this file.\n"


def _company() -> str:
    lines = _sandbox("company.toml").splitlines(keepends=True)
    while lines and (lines[0].startswith("#") or not lines[0].strip()):
        lines.pop(0)
    kept = ((_TODAY_COMMENT + line) if line.startswith("today =") else line for line in lines)
    return _COMPANY_HEAD + "".join(kept)


def _commented(article: str) -> str:
    """The article with a comment at the top of its front matter."""
    return article.replace("+++\n", "+++\n" + _SAMPLE_COMMENT, 1)


def _csv(text: str) -> str:
    """The header, and the rows of the sampled accounts."""
    head, *rows = csv.reader(io.StringIO(text, newline=""))
    column = head.index("account_id")
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([head, *(row for row in rows if row[column] in SAMPLE_ACCOUNTS)])
    return out.getvalue()


def _incidents() -> list[dict[str, Any]]:
    """The incidents that touch a sampled account or everybody; of the accounts, only the sampled are named."""
    kept = []
    for incident in _sandbox_json("incidents"):
        whom = incident["account_ids"]
        named = whom if whom == "all" else [a for a in whom if a in SAMPLE_ACCOUNTS]
        if named:
            kept.append({**incident, "account_ids": named})
    return kept


def _sampled(record: Mapping[str, Any]) -> bool:
    return record["account_id"] in SAMPLE_ACCOUNTS


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _sandbox_json(name: str) -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = json.loads(_sandbox(f"{name}.json"))
    return read


def _sandbox(name: str) -> str:
    return _text(_SANDBOX, name)


def _own(name: str) -> str:
    return _text(_OWN, name)


def _text(folder: Traversable, name: str) -> str:
    return folder.joinpath(*name.split("/")).read_text(encoding="utf-8")
