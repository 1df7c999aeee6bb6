"""Many customers at once in the chat of a served Lanewise: how long they wait, and that no message is lost or doubled."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).resolve().parents[n]) for n in (1, 2)]

from served_house import Served, serve_in

from ledger.events import Kind
from ledger.history import History
from ledger.store import open_store

QUESTIONS = (
    "What file types can I upload?",
    "How do I add more seats?",
    "Please refund last month, we hardly used it.",
    "I am locked out and lost my phone. Please switch off two-step sign-in for me.",
)
TRIES = 6
"""How often a page tells the same thing where the line breaks; each telling has the same key."""
PATIENCE = 300.0
"""Seconds until a customer gives up."""


@dataclass(slots=True)
class Load:
    """What the customers saw, and what the record holds of it."""

    acknowledged: list[float] = field(default_factory=list)
    """Seconds from sending to the answer that the message is filed."""
    answered: list[float] = field(default_factory=list)
    """Seconds from sending to the first text of ours on the page."""
    errors: list[str] = field(default_factory=list)
    again: int = 0
    """Calls that were made again because the line broke, as a page does it."""
    lost: int = 0
    doubled: int = 0
    letters: Counter[str] = field(default_factory=Counter)

    def told(self) -> str:
        """The figures, in lines."""
        rows = [("acknowledged", self.acknowledged), ("first text of ours", self.answered)]
        lines = [
            f"{name}: {len(found)}, p50 {part(found, 50):.2f} s, p95 {part(found, 95):.2f} s" for name, found in rows
        ]
        lines.append(
            f"lines that broke: {self.again}, errors: {len(self.errors)}, lost: {self.lost}, doubled: {self.doubled}"
        )
        lines.append(f"what left: {dict(sorted(self.letters.items()))}")
        return "\n".join([*lines, *sorted(set(self.errors))[:5]])


def part(found: list[float], percent: int) -> float:
    """That percentile, by nearest rank; not a number where there is none."""
    ordered = sorted(found)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else float("nan")


async def customers(served: Served, many: int) -> tuple[Load, list[str]]:
    """All of them at once; each sends its message twice, as a page does that has missed the answer."""
    load, begun = Load(), list[str]()
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=many)
    async with httpx.AsyncClient(base_url=served.url, timeout=PATIENCE, limits=limits, trust_env=False) as client:
        await asyncio.gather(*(_customer(client, number, load, begun) for number in range(many)))
    return load, begun


async def _customer(client: httpx.AsyncClient, number: int, load: Load, begun: list[str]) -> None:
    async def told(path: str, body: object, headers: Mapping[str, str] = MappingProxyType({})) -> Any:
        for tries in range(1, TRIES + 1):
            try:
                return (await client.post(path, json=body, headers=headers)).raise_for_status().json()
            except httpx.TransportError:
                if tries == TRIES:
                    raise
                load.again += 1
                await asyncio.sleep(0.4 * 2**tries)
        return None

    async def answer(path: str, headers: Mapping[str, str]) -> bool:
        async with client.stream("GET", path, headers=headers) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data: ") and json.loads(line[6:]).get("role") == "assistant":
                    return True
        return False

    try:
        made = await told("/chat/conversations", {})
        place, headers = f"/chat/conversations/{made['id']}", {"Authorization": f"Bearer {made['secret']}"}
        message = {"key": f"message-{number}", "text": QUESTIONS[number % len(QUESTIONS)]}
        begun.append(made["id"])
        sent = time.monotonic()
        await told(f"{place}/messages", message, headers)
        load.acknowledged.append(time.monotonic() - sent)
        assert (await told(f"{place}/messages", message, headers))["first"] is False, "it was filed twice"
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    if await answer(f"{place}/events", headers):
                        break
                except httpx.TransportError:
                    pass
                load.again += 1
        load.answered.append(time.monotonic() - sent)
    except Exception as error:  # each customer's trouble is a figure
        load.errors.append(f"{type(error).__name__}: {error}"[:200])


def hold_against_the_record(load: Load, begun: list[str], ledger: Path) -> None:
    """Counts in the ledger what was lost or doubled, and what left."""
    store = open_store(ledger)
    history = History(store)
    for conversation in begun:
        happened = history.timeline(conversation)
        wrote = sum(event.kind is Kind.CUSTOMER_WROTE for event in happened)
        left = Counter(str(e.head["piece"]) for e in happened if e.kind is Kind.DELIVERED)
        load.lost += wrote == 0
        load.doubled += (wrote > 1) + any(count > 1 for count in left.values())
        load.letters.update(left)
    store.close()


def run(folder: Path, many: int) -> Load:
    """Serves a fresh workspace, lets the customers write, and stops it."""
    served = serve_in(folder)
    try:
        load, begun = asyncio.run(customers(served, many))
    finally:
        served.stop()
    hold_against_the_record(load, begun, served.ledger)
    return load


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--customers", type=int, default=200)
    with tempfile.TemporaryDirectory() as where:
        found = run(Path(where) / "served", asked.parse_args().customers)
    sys.stdout.write(found.told() + "\n")
    raise SystemExit(bool(found.errors or found.lost or found.doubled))
