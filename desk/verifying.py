"""Tells an operator whether the record is whole, what is wrong first, and what to do about it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping

from desk.channels.console import visible
from desk.decisions import signed
from desk.records import Records
from ledger.errors import CannotCheck, CannotSeal
from ledger.sealed.chain import Fault, Finding
from ledger.store import open_to_others
from ledger.verifying.takeover import take_over as seal_as_it_stands
from ledger.verifying.verification import Noted, Verdict
from ledger.verifying.verification import verify as check

Tell = Callable[[str], None]

TAMPERED = 1
CANNOT_CHECK = 2

_KEEP = (
    "What to do: stop (`lanewise halt`), copy the ledger, its -wal file and its anchor away as they are, and find out who "
    "could write to them. "
)
_RESTORE = (
    "Then put the newest backup that verifies in its place; or, where you know what happened and answer for it, take the "
    "record over as it stands: `lanewise verify --take-over --by NAME --reason WHY`."
)
_OLDER = (
    "Was a backup restored? Then take it over: `lanewise verify --take-over --by NAME --reason WHY`; no letter that waits "
    "in it leaves, because it may have left already. If not, copy the ledger and its anchor away as they are, and put the "
    "newest copy back."
)
_WHAT_TO_DO: Mapping[Fault, str] = {
    Fault.ROLLED_BACK: _OLDER,
    Fault.OTHER_LEDGER: _OLDER,
    Fault.TAIL_CUT: _OLDER,
}


def verify(records: Records, anchor: str | None, take_over: bool, by: str, reason: str, tell: Tell, warn: Tell) -> int:
    """Checks the whole record and tells what came of it: 0 all in order, 1 tampered with, 2 cannot be checked.

    With ``take_over`` the record is then sealed anew as it stands, in the name of ``by``. CannotCheck where there is
    no key, or another; DecisionRefused without a name or a reason.
    """
    noted = Noted.read(anchor) if anchor is not None else None
    sign = signed(by, reason, f"cli-{uuid.uuid4().hex}") if take_over else None
    if (loose := records.store.keyring.open_to_others()) is not None:
        warn(loose)
    file = records.settings.ledger_file
    if file is not None and (loose := open_to_others(file)) is not None:
        warn(loose)
    try:
        code = _told(check(records.store, noted), tell)
    except (CannotCheck, CannotSeal) as error:
        if sign is None:
            raise
        warn(str(error))
        code = CANNOT_CHECK
    if sign is None:
        return code
    through = seal_as_it_stands(records.store, sign)
    tell(f"Taken over by {sign.by} up to event {through}: sealed anew as it stands. The record says so, and why.")
    return 0


def _told(verdict: Verdict, tell: Tell) -> int:
    if verdict.finding is not None:
        tell(visible(f"NOT in order: {_named(verdict.finding)}"))
        if verdict.records:
            tell(f"The {verdict.records} records before it are in order.")
        tell(_WHAT_TO_DO.get(verdict.finding.fault, _KEEP + _RESTORE))
        return TAMPERED
    if not verdict.records:
        tell("No records yet: nothing to check.")
        return 0
    bodies = f"{verdict.erased} {'body' if verdict.erased == 1 else 'bodies'} erased"
    plural = "" if verdict.records == 1 else "s"
    tell(f"{verdict.records} record{plural}, from {verdict.first_at} to {verdict.last_at}, all in order; {bodies}.")
    for note in verdict.notes:
        tell(visible(f"Note: {note}."))
    if verdict.unanchored:
        tell(f"The last {verdict.unanchored} are not anchored yet; the next message, letter or decision anchors them.")
    tell(f"anchor {verdict.now}  (write it down elsewhere; `lanewise verify --anchor` checks against it)")
    if verdict.doubt is not None:
        tell(
            f"But {verdict.doubt}. Check against an anchor that you wrote down (--anchor), or take the record over as it "
            "stands (--take-over)."
        )
        return CANNOT_CHECK
    return 0


def _named(finding: Finding) -> str:
    where = []
    if finding.record is not None:
        where.append(f"record {finding.record}")
    if finding.seq is not None:
        where.append(f"event {finding.seq}")
    named = f"{' at '.join(where)}: " if where else ""
    return f"{named}{finding.fault.value}: {finding.words}."
