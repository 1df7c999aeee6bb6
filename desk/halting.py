"""One act stops autonomy, for all or for one family, and one ends the stop; both are signed.

They need the ledger alone. Where the release cannot be read they say so and go on: a halt never waits for a file.
"""

from __future__ import annotations

import getpass
import uuid
from collections.abc import Callable

from desk.decisions import signed
from desk.errors import DecisionRefused, PolicyFileError
from desk.policy.files import release_now
from desk.records import Records
from guards.errors import PolicyError
from ledger.decisions import Signature

Tell = Callable[[str], None]


def halt(records: Records, family: str | None, by: str, reason: str, tell: Tell) -> int:
    """Stops autonomy at once. Whoever is in a hurry needs no more than the bare command."""
    _known(records, family, tell)
    done = records.people.halt(family, _sign(by, reason or "halted from the command line"))
    tell(
        f"Halted: {done.family or 'all families'}, by {done.by}. Nothing more leaves by itself; people's own replies and orders do."
    )
    return 0


def resume(records: Records, family: str | None, by: str, reason: str, tell: Tell) -> int:
    """Ends a halt."""
    before = records.history.halts()
    if family not in {h.family for h in before}:
        _known(records, family, tell)
    remaining = records.people.resume(family, _sign(by, reason or "resumed from the command line"))
    ended = [h for h in before if h.seq not in {r.seq for r in remaining}]
    for one in ended:
        tell(f"Resumed: {one.family or 'all families'} (halted by {one.by}). What died with the halt stays dead.")
    if not ended:
        tell(f"No halt of {family or 'all families'} was in force.")
    if remaining:
        tell(f"Still halted: {', '.join(h.family or 'all families' for h in remaining)}.")
    return 0


def _known(records: Records, family: str | None, tell: Tell) -> None:
    """DecisionRefused for a family that the release in force does not have; only told where there is no release to ask."""
    if family is None:
        return
    try:
        release = release_now(records.settings, records.store)
    except (PolicyError, PolicyFileError, OSError, UnicodeError) as error:
        why = str(error).splitlines()[0].rstrip(":")
        tell(f"The release cannot be read ({why}), so nobody checked that {family[:60]!r} is an issue family.")
        return
    if release.family_of(family) is None:
        names = ", ".join(f.id for f in release.family)
        raise DecisionRefused(f"there is no issue family {family[:60]!r}. Choose one of: {names}.")


def _sign(by: str, reason: str) -> Signature:
    return signed(by or getpass.getuser(), reason, f"cli-{uuid.uuid4().hex}")
