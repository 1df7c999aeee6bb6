"""What every page beside the three panes is given: who is signed in, where they are, and where they may go."""

from __future__ import annotations

from typing import Any

from desk.accounts.people import May
from desk.counter import Counter
from desk.security import SignedIn


def around(counter: Counter, asks: SignedIn) -> dict[str, Any]:
    """The values of ``page_head.html``."""
    return {
        "asks": asks,
        "person": asks.person,
        "may": May,
        "product": counter.place.systems.company.name,
    }
