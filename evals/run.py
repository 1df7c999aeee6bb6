"""Runs recorded tickets through the real machine, each in a world of its own, and keeps what came of each."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent.model import ModelSettings
from agent.wiring import open_handler
from evals.case import Case
from guards.policy import Release
from ledger.history import History
from ledger.intake import Earlier, IncomingMessage
from ledger.result import TicketResult, read_result
from ledger.reviews import Reviews
from ledger.store import Store, open_store
from tools.sandbox import SandboxCompany


@dataclass(frozen=True, slots=True)
class CaseRun:
    """A case and what came of it."""

    case: Case
    result: TicketResult
    unmet: tuple[str, ...]
    """What the case expects and did not get, in words; empty where all is well."""


def company_for(case: Case) -> SandboxCompany:
    """The made-up company as the case's world has it."""
    return SandboxCompany(down=frozenset(case.world.unavailable), stale=frozenset(case.world.stale))


def message_of(case: Case) -> IncomingMessage:
    """The case's last message as a channel would hand it in, with what was said before it."""
    *before, last = case.thread
    return IncomingMessage(
        ticket=case.id,
        key="1",
        channel="email",
        subject="",
        requester_email=case.requester.email,
        requester_name=case.requester.name,
        verified=case.requester.verified,
        account_id=None,
        recipient=case.requester.email,
        text=last.text.strip(),
        attachments=last.attachments,
        earlier=tuple(Earlier(turn.from_, turn.text.strip()) for turn in before),
    )


async def run_cases(
    cases: Iterable[Case], release: Release, folder: Path, model: ModelSettings | None = None
) -> AsyncIterator[tuple[CaseRun, Store]]:
    """Each case in turn, in one ledger under ``folder``; the clock is the made-up company's own."""
    today = SandboxCompany().systems().company.today
    assert today is not None
    clock_at: datetime = today
    store = open_store(f"sqlite:///{folder / 'ledger.sqlite3'}", clock=lambda: clock_at)
    for case in cases:
        yield await run_case(case, release, store, folder, model), store


async def run_case(
    case: Case, release: Release, store: Store, folder: Path, model: ModelSettings | None = None
) -> CaseRun:
    """One case through the machine."""
    systems = company_for(case).systems()
    async with open_handler(store, systems, release, folder / "runs.sqlite3", model) as handler:
        await handler.handle(message_of(case))
    result = read_result(History(store), Reviews(store), case.id)
    return CaseRun(case, result, unmet(case, result))


def unmet(case: Case, result: TicketResult) -> tuple[str, ...]:
    """What the case expects and did not get."""
    expect, found = case.expect, []
    if result.lane not in expect.lanes:
        found.append(f"lane {result.lane}, expected {' or '.join(map(str, expect.lanes))}")
    units = {u.value for u in result.decision.units} if result.decision else set()
    if expect.unit not in (units or {"none"}):
        found.append(f"units {', '.join(sorted(units)) or 'none'}, expected {expect.unit}")
    order = ("low", "medium", "high")
    for trigger, level in expect.triggers.items():
        got = str(result.triggers[trigger.value]["level"])
        if order.index(got) < order.index(level):
            found.append(f"{trigger.value} {got}, expected at least {level}")
    families = result.decision.families if result.decision else ()
    if expect.families and not set(expect.families) & set(families):
        found.append(f"families {', '.join(families) or 'none'}, expected one of {', '.join(expect.families)}")
    owner = result.packet.owner.queue if result.packet else ""
    if expect.owners and owner not in expect.owners:
        found.append(f"owner {owner or 'nobody'}, expected {' or '.join(expect.owners)}")
    for delivery in result.replies:
        said = (delivery.body.text or "").lower()
        found += [f"said “{words}”" for words in expect.never if words.lower() in said]
    return tuple(found)


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for a run's ledger that goes away with it."""
    return tempfile.TemporaryDirectory(prefix="lanewise-")
