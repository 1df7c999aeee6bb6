"""One act stops autonomy, for all or for one family, and one ends the stop; both are signed."""

from __future__ import annotations

import getpass
import uuid
from collections.abc import Callable

from desk.decisions import signed
from desk.errors import DecisionRefused
from desk.workplace import Workplace
from ledger.decisions import Signature


def halt(place: Workplace, family: str | None, by: str, reason: str, tell: Callable[[str], None]) -> int:
    """Stops autonomy at once. Whoever is in a hurry needs no more than the bare command."""
    _known(place, family)
    done = place.people.halt(family, _sign(by, reason or "halted from the command line"))
    tell(
        f"Halted: {done.family or 'all families'}, by {done.by}. Nothing more leaves by itself; people's own replies do."
    )
    return 0


def resume(place: Workplace, family: str | None, by: str, reason: str, tell: Callable[[str], None]) -> int:
    """Ends a halt."""
    _known(place, family)
    before = place.history.halts()
    remaining = place.people.resume(family, _sign(by, reason or "resumed from the command line"))
    ended = [h for h in before if h.seq not in {r.seq for r in remaining}]
    for one in ended:
        tell(f"Resumed: {one.family or 'all families'} (halted by {one.by}). What died with the halt stays dead.")
    if not ended:
        tell(f"No halt of {family or 'all families'} was in force.")
    if remaining:
        tell(f"Still halted: {', '.join(h.family or 'all families' for h in remaining)}.")
    return 0


def _known(place: Workplace, family: str | None) -> None:
    if family is not None and place.release.family_of(family) is None:
        names = ", ".join(f.id for f in place.release.family)
        raise DecisionRefused(f"there is no issue family {family[:60]!r}. Choose one of: {names}.")


def _sign(by: str, reason: str) -> Signature:
    return signed(by or getpass.getuser(), reason, f"cli-{uuid.uuid4().hex}")
