"""Lane 3: makes the case ready for its owner. Its result has no place for a reply to the customer."""

from __future__ import annotations

from dataclasses import dataclass

from agent.case import Case
from ledger.packets.packet import Reference
from tools.toolbox import Toolbox


@dataclass(frozen=True, slots=True)
class Organised:
    """References that may matter to the owner, named and not interpreted; there is no field for a text."""

    references: tuple[Reference, ...]


async def work(case: Case, toolbox: Toolbox) -> Organised:
    """The lane's work: names what the owner may want to open. It decides and says nothing."""
    await toolbox.call("summarise", {"references": tuple(h.id for h in case.sources.references)})
    return Organised(references_of(case))


def references_of(case: Case) -> tuple[Reference, ...]:
    """Policy texts first, then articles that touch the question."""
    policy = [Reference(h.id, h.title, str(h.version), kind="policy") for h in case.sources.references]
    docs = [Reference(h.id, h.title, str(h.version)) for h in case.sources.hits[:3]]
    return (*policy, *docs)
