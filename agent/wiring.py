"""Puts the machine together: store, tools, assessors, policy. It holds no channel and no credential of one."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import date
from functools import cache
from pathlib import Path

import langsmith

from agent.assessors import Assessors
from agent.assessors.embedded import EmbeddedAssessor
from agent.assessors.encoder import WEIGHTS, fingerprint
from agent.assessors.text_head import TextHead
from agent.briefing import Briefing
from agent.checkpoints import open_checkpoints
from agent.findings import Findings
from agent.graph import build_graph
from agent.handle import Handler
from agent.model import ModelDoor, ModelSettings
from agent.release_in_force import release_in_force
from agent.remembering import Remembering
from agent.sources import SourceFinder
from agent.steps import Steps
from agent.steps.assess_triggers import AssessTriggers
from agent.steps.assign_lane import AssignLane
from agent.steps.assisted import Assisted
from agent.steps.autonomous import Autonomous
from agent.steps.build_packet import BuildPacket
from agent.steps.gather_context import GatherContext
from agent.steps.grant_capabilities import GrantCapabilities
from agent.steps.human_owned import HumanOwned
from agent.steps.open_review import OpenReview
from agent.steps.record_outcome import RecordOutcome
from agent.writers import Writers
from guards.policy import Release
from ledger.intake import Intake
from ledger.store import Store
from ledger.worker import WorkerLedger
from tools.systems import Article, Systems

VECTORS = "vectors.npz"
"""The file beside the checkpoints that keeps articles' vectors for the next process."""
COMPANY_VECTORS = WEIGHTS.parent / "vectors" / "company.npz"
"""The same of the made-up company's articles; `agent/assessors/training/company_vectors.py` writes it."""
LOOKUP_SECONDS = 4.0
"""How long one system of record may take before its facts count as missing."""

# Checkpoints revive importable types unless told not to.
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")


@cache
def text_head() -> TextHead:
    """The packaged text head, loaded once a process: it takes longer to load than to read a ticket."""
    return TextHead()


@cache
def article_vectors() -> Remembering:
    """The vectors of articles, shared by all handlers of a process. Those of the made-up company come with the product:
    a demo, a trial and every replayed case would compute them anew, which takes ten seconds."""
    vectors = Remembering(text_head().encoder)
    vectors.load(COMPANY_VECTORS, fingerprint(WEIGHTS), packaged=True)
    return vectors


def build_assessors(
    systems: Systems, release: Release, model: ModelSettings | None = None
) -> tuple[Assessors, SourceFinder]:
    """Who assesses, and who finds sources: all that measuring needs of the machine."""
    head = text_head()
    assessors = Assessors(EmbeddedAssessor(head, release.assessors), ModelDoor(model) if model else None, release)
    return assessors, SourceFinder(systems.knowledge, head.encoder, article_vectors())


def build_steps(
    store: Store,
    systems: Systems,
    release: Release,
    model: ModelSettings | None = None,
    lookup_seconds: float = LOOKUP_SECONDS,
) -> Steps:
    """The steps, each with what it may use and nothing more."""
    ledger = WorkerLedger(store)
    findings = Findings(ledger, f"{release.version}/{release.digest[:12]}")
    assessors, finder = build_assessors(systems, release, model)
    read_by = f"text head and model {model.name}" if model else "embedded default (text head, no model)"
    briefing = Briefing(ledger, findings, systems, finder, release, read_by)
    writers = Writers(finder, assessors.door)
    return Steps(
        gather_context=GatherContext(ledger, findings, systems, finder, release, lookup_seconds),
        assess_triggers=AssessTriggers(ledger, findings, assessors, finder, release),
        assign_lane=AssignLane(ledger, findings, release),
        grant_capabilities=GrantCapabilities(ledger, release),
        autonomous=Autonomous(ledger, briefing, writers),
        assisted=Assisted(ledger, briefing, writers),
        human_owned=HumanOwned(briefing),
        build_packet=BuildPacket(ledger, briefing),
        open_review=OpenReview(ledger, findings, systems, release, briefing),
        record_outcome=RecordOutcome(ledger),
    )


async def warm_search(
    checkpoints: Path,
    systems: Systems,
    release: Release,
    articles: Sequence[Article],
    today: date,
    stop: Callable[[], bool],
) -> None:
    """Gets the search ready before anybody asks: the first customer of a fresh workspace would wait for it, longer than a
    search may take. ``stop`` is asked in between."""
    _, finder = build_assessors(systems, release)
    article_vectors().warm(articles, stop)
    if not stop():
        await finder.find("Where do I begin?", today)
        article_vectors().save(checkpoints.with_name(VECTORS), fingerprint(WEIGHTS))


@asynccontextmanager
async def open_handler(
    store: Store,
    systems: Systems,
    release: Release,
    checkpoints: Path,
    model: ModelSettings | None = None,
    lookup_seconds: float = LOOKUP_SECONDS,
) -> AsyncIterator[Handler]:
    """The handler over a compiled machine. ``checkpoints`` is a file for runs under way; losing it loses no event."""
    checkpoints.parent.mkdir(parents=True, exist_ok=True)
    vectors, encoder = checkpoints.with_name(VECTORS), fingerprint(WEIGHTS)
    article_vectors().load(vectors, encoder)
    langsmith.configure(enabled=False)  # whatever the environment says: a trace would carry the ticket away
    steps = build_steps(store, systems, release_in_force(store, release), model, lookup_seconds)
    # One process at a time: two that turn the same new file to WAL fail at once, for SQLite does not wait there.
    with store.write(), open_checkpoints(checkpoints) as saver:
        saver.setup()
    with open_checkpoints(checkpoints) as saver:
        holder = f"{socket.gethostname()}/{os.getpid()}/{id(saver):x}"
        handler = Handler(
            Intake(store), build_graph(steps, saver), saver, holder, forget=steps.gather_context.findings.forget
        )
        try:
            yield handler
        finally:
            handler.close()
            if (door := steps.assess_triggers.assessors.door) is not None:
                await door.aclose()
            article_vectors().save(vectors, encoder)
