"""Writes an audited ticket that should have escalated as a proposed case of the exam, without people's names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from desk.audits.pseudonyms import Pseudonyms
from desk.records import Records
from guards.triggers import Trigger
from ledger.audits.verdicts import Standing, standings
from ledger.events import Event, Kind
from ledger.history import Message, TicketRecord

FOLDER = Path("evals") / "proposals"
"""In the workspace. The exam does not read it: a case counts once a person has moved it to ``evals/cases``."""
SHOWN = 20_000
"""Most characters of a proposal that a page shows."""


def proposal_file(workspace: Path, audit: str) -> Path:
    """Where the proposal of an audit stands, whether or not it was written."""
    return workspace / FOLDER / f"{_id(audit)}.toml"


def proposal_text(workspace: Path, audit: str) -> str:
    """The proposal of an audit as it stands, at most ``SHOWN`` characters of it; empty where it is gone."""
    try:
        text = proposal_file(workspace, audit).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def propose_case(records: Records, held: Standing) -> Path | None:
    """Writes the case of a judged miss and returns its file; the one that stands there already is left as it is.

    None where the audit is not judged, is no miss, or its words were erased.
    """
    if not held.judged or not held.miss or held.erased:
        return None
    file = proposal_file(records.settings.workspace, held.audit.id)
    if not file.exists():
        text = case_text(records, held)
        if text is None:
            return None
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return file


def forget_proposals(records: Records, ticket: str) -> tuple[list[Path], list[Path]]:
    """Deletes the proposals that hold an erased ticket's words; returns them, and the cases that a person made of such
    ones, which are theirs to delete."""
    with records.store.read() as conn:
        audits = [s.audit.id for s in standings(conn) if s.audit.ticket == ticket]
    home = records.settings.workspace / FOLDER.parent
    files = [proposal_file(records.settings.workspace, audit) for audit in audits]
    gone = [file for file in files if file.is_file()]
    for file in gone:
        file.unlink()
    return gone, [case for file in files if (case := home / "cases" / file.name).is_file()]


def case_text(records: Records, held: Standing) -> str | None:
    """The case as TOML, in the form that ``evals.case`` reads; None where no word of the customer's is left."""
    ticket = records.history.ticket(held.audit.ticket)
    thread = _thread(records, held)
    if not thread:
        return None
    events = records.history.timeline(held.audit.ticket)
    notes = [v.note for v in held.verdicts if v.note and v.escalate]
    names = Pseudonyms(ticket.requester_name, ticket.requester_email, _companies(events))
    for text in (*(m.text for m in thread), *notes):
        names.learn(text)
    return "\n".join(
        [*_head(held, names, notes), "", *_requester(ticket, names), *_turns(thread, names), *_expected(held)]
    )


def _thread(records: Records, held: Standing) -> tuple[Message, ...]:
    """What was said until the week was over, up to the customer's last word."""
    said = [m for m in records.history.thread(held.audit.ticket) if m.at < held.draw.until and m.text.strip()]
    while said and said[-1].role != "customer":
        said.pop()
    return tuple(said)


def _companies(events: Iterable[Event]) -> list[str]:
    gathered = [e.body.json() for e in events if e.kind is Kind.FACTS_GATHERED and e.body]
    facts: list[Mapping[str, Any]] = [f for g in gathered if g for f in g.get("facts", ())]
    return [str(f["value"]) for f in facts if f.get("name") == "account.name" and f.get("value")]


def _head(held: Standing, names: Pseudonyms, notes: list[str]) -> list[str]:
    faults = ", ".join(sorted({v.fault.value.replace("_", " ") for v in held.verdicts if v.escalate}))
    why = [f"Answered by itself in week {held.draw.week}; by its audit it should have gone to a person ({faults})."]
    return [
        "# Proposed from an audit. Read it before you move it to evals/cases: names and addresses that could be told were",
        "# replaced, others may still stand. Give the requester an account under [world] where the lane depends on one.",
        f"id = {_string(_id(held.audit.id))}",
        f"title = {_string(f'Audit {held.audit.id}: should have escalated')}",
        f"why = {_string(' '.join([*why, *(' '.join(names.replaced(n).split()) for n in notes)]))}",
        'source = "audit"',
        'kind = "risky"',
        f"tags = {_strings(['from_audit', held.audit.cell.stratum.value])}",
        "demo = false",
    ]


def _requester(ticket: TicketRecord, names: Pseudonyms) -> list[str]:
    return [
        "[requester]",
        f"email = {_string(names.email)}",
        f"name = {_string(names.name)}",
        f"verified = {_bool(ticket.verified)}",
    ]


def _turns(thread: tuple[Message, ...], names: Pseudonyms) -> list[str]:
    lines = []
    for message in thread:
        lines += ["", "[[thread]]", f"from = {_string(message.role)}", f"text = {_long(names.replaced(message.text))}"]
        if message.role == "customer" and message.subject:
            lines.append(f"subject = {_string(names.replaced(message.subject))}")
        if message.attachments:
            lines.append(f"attachments = {_strings(names.replaced(a) for a in message.attachments)}")
    return lines


def _expected(held: Standing) -> list[str]:
    fired = {t for v in held.verdicts if v.escalate for t in v.triggers}
    lines = ["", "[expect]", "lanes = [2, 3]", 'unit = "answer"']
    if fired:
        levels = ", ".join(f'{t.value} = "medium"' for t in Trigger if t in fired)
        lines.append(f"triggers = {{ {levels} }}")
    if held.audit.families:
        lines.append(f"families = {_strings(held.audit.families)}")
    return [*lines, 'never_send = ["answer"]', ""]


def _id(audit: str) -> str:
    return f"audit-{audit.lower()}"


# ── TOML ────────────────────────────────────────────────────────────────────────────────────────────────────


def _string(text: str) -> str:
    # JSON's escapes are TOML's, but for one: TOML wants the delete character escaped as well.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _strings(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(_string, texts))}]"


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _long(text: str) -> str:
    """A text of several lines as people like to read it."""
    if "\n" not in text:
        return _string(text)
    return '"""\n' + "\n".join(_string(line)[1:-1] for line in text.split("\n")) + '"""'
