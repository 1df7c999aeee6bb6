"""Audits at the desk: draw a week's sample, read one ticket, say what should have happened, see what it all says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from desk.audits.proposing import proposal_file, propose_case
from desk.errors import DecisionRefused
from desk.records import Records
from guards.triggers import Trigger
from ledger.audits.drawing import Audit, Draw, draw_week, draws
from ledger.audits.figures import Agreement, MissRow, agreement, audited, families_of, row, rows, uncovered
from ledger.audits.frame import week_before, week_of
from ledger.audits.verdicts import (
    Fault,
    Judgement,
    Standing,
    Verdict,
    judge,
    next_for,
    standing,
    standings,
    waiting_for,
)
from ledger.history import Message


@dataclass(frozen=True, slots=True)
class Drawn:
    """What came of drawing a week."""

    week: str
    draw: Draw | None
    """None where no ticket of that week ended in lane 1 without a person."""


@dataclass(frozen=True, slots=True)
class Task:
    """One audit as an auditor sees it: nothing of what another one said of it."""

    id: str
    ticket: str
    week: str
    stratum: str
    consequence: str
    families: tuple[str, ...]
    tier: str
    segment: str
    release: str
    subject: str
    thread: tuple[Message, ...]
    """The conversation until the week was over, what was sent included; empty texts where it was erased."""
    erased: bool
    """True where the words are gone, and nobody can judge it."""
    wanted: bool
    """True where this auditor's verdict is still to come."""
    seen: tuple[Verdict, ...]
    """Their own verdict; the other's too once nothing is to come."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One audit in an auditor's list: nothing of what another one said of it."""

    id: str
    week: str
    subject: str
    stratum: str
    consequence: str
    families: tuple[str, ...]
    said: Verdict | None
    """Their own verdict; None while it is to come."""


@dataclass(frozen=True, slots=True)
class Queue:
    """What one auditor has before them, and what is behind them."""

    waiting: tuple[Listed, ...]
    """In the order they go through it, at most ``LISTED``."""
    count: int
    """How many wait in all."""
    judged: tuple[Listed, ...]
    """What they have judged, the newest first, at most ``LISTED``."""
    erased: tuple[str, ...]
    """Audits that still want a verdict and cannot have one: the words were erased."""


LISTED = 60
"""Most audits that a list names: a week's sample."""


@dataclass(frozen=True, slots=True)
class Given:
    """What followed from a verdict."""

    audit: str
    seen: tuple[Verdict, ...]
    waits_for_another: bool
    proposal: Path | None
    """The proposed case, where the ticket should have escalated and nothing is to come."""
    unwritten: str = ""
    """Why that case could not be written, though the verdict stands; empty where nothing failed."""


@dataclass(frozen=True, slots=True)
class Miss:
    """One judged ticket that should have had a person, by one auditor at least."""

    audit: str
    ticket: str
    families: tuple[str, ...]
    consequence: str
    disputed: bool
    """True where the other auditor said no."""
    triggers: tuple[Trigger, ...]
    faults: tuple[Fault, ...]
    erased: bool
    proposal: Path | None
    """The proposed case; None where it was not written, was taken or was thrown away."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the audits of some weeks say."""

    weeks: tuple[str, ...]
    frame: int
    """Tickets that ended in lane 1 without a person."""
    drawn: int
    judged: int
    waiting: int
    half: int
    """Of those that wait: the ones with a first verdict, unseen until the second comes."""
    erased: tuple[str, ...]
    """Audits that nobody can judge any more: the words were erased first."""
    uncovered: int
    """Tickets of kinds in which nothing is judged yet."""
    overall: MissRow
    by: Mapping[str, tuple[MissRow, ...]]
    """By ``family``, ``stratum``, ``consequence``, ``tier``, ``segment`` and ``release``."""
    agreement: Agreement
    misses: tuple[Miss, ...]


def draw(
    records: Records, week: str | None = None, by: str = "", seed: int | None = None, size: int | None = None
) -> Drawn:
    """Draws a week's sample, by default of the last week that is over, and keeps it. CannotDraw."""
    named = week or week_before(records.store.now())
    return Drawn(named, draw_week(records.store, named, by, seed, size))


def weeks(records: Records) -> tuple[Draw, ...]:
    """Every week that was drawn, the newest first."""
    with records.store.read() as conn:
        return draws(conn)[::-1]


def queue(records: Records, by: str) -> Queue:
    """What waits for this auditor and what they have judged. DecisionRefused without a name."""
    who = _named(by)
    with records.store.read() as conn:
        held = standings(conn, records.store.now())
    waiting = waiting_for(held, who)
    mine = sorted(((v, s) for s in held if (v := s.of(who))), key=lambda pair: -pair[0].seq)
    return Queue(
        waiting=tuple(_listed(records, s, None) for s in waiting[:LISTED]),
        count=len(waiting),
        judged=tuple(_listed(records, s, v) for v, s in mine[:LISTED]),
        erased=_beyond_judging(held),
    )


def next_task(records: Records, by: str) -> Task | None:
    """The next audit that waits for this auditor; None where none does. DecisionRefused without a name."""
    who = _named(by)
    with records.store.read() as conn:
        waits = next_for(conn, who, records.store.now())
    return None if waits is None else _task(records, waits, who)


def task(records: Records, audit: str, by: str) -> Task:
    """One audit as this auditor may see it. UnknownAudit; DecisionRefused without a name."""
    who = _named(by)
    with records.store.read() as conn:
        return _task(records, standing(conn, audit, records.store.now()), who)


def erased_in_queue(records: Records) -> tuple[str, ...]:
    """The audits that still want a verdict and cannot have one: the ticket's words were erased."""
    with records.store.read() as conn:
        return _beyond_judging(standings(conn, records.store.now()))


def give_verdict(records: Records, audit: str, by: str, said: Judgement) -> Given:
    """Records a verdict; a miss on which nothing more is to come is proposed as a case. CannotJudge, UnknownAudit."""
    held = judge(records.store, audit, _named(by), said)
    try:
        written, failed = propose_case(records, held), ""
    except OSError as error:  # the verdict stands: whoever gave it must not think that it was lost
        written, failed = None, error.strerror or type(error).__name__
    return Given(audit, held.seen_by(by), held.open, written, failed)


def propose(records: Records, audit: str) -> Path:
    """Writes the proposed case of a judged miss, also again after it was thrown away. DecisionRefused where there is none
    to write; UnknownAudit."""
    with records.store.read() as conn:
        held = standing(conn, audit, records.store.now())
    try:
        written = propose_case(records, held)
    except OSError as error:
        raise DecisionRefused(f"the case of audit {audit} could not be written: {error.strerror or error}") from error
    if written is None:
        raise DecisionRefused(
            f"audit {audit} gives no case: only a ticket that should have escalated does, once all its verdicts are given "
            "and while its words are there"
        )
    return written


def report(records: Records, since: str | None = None, until: str | None = None) -> Report:
    """What the audits say, of all weeks or from one week up to and with another (``2026-W47``). CannotDraw for what is
    no week."""
    first = week_of(since)[0] if since else None
    end = week_of(until)[1] if until else None
    with records.store.read() as conn:
        held = standings(conn, records.store.now(), first, end)
    found = audited(held)
    draws = {s.draw.week: s.draw for s in held}
    return Report(
        weeks=tuple(draws),
        frame=sum(d.frame for d in draws.values()),
        drawn=len(held),
        judged=sum(s.judged for s in held),
        waiting=sum(s.open and not s.erased for s in held),
        half=sum(s.open and bool(s.verdicts) for s in held),
        erased=tuple(s.audit.id for s in held if s.erased and not s.judged),
        uncovered=uncovered(held),
        overall=row("all", found),
        by={name: rows(found, of) for name, of in _DIMENSIONS.items()},
        agreement=agreement(held),
        misses=tuple(_miss(records, s) for s in held if s.judged and s.miss),
    )


def _stratum(audit: Audit) -> tuple[str, ...]:
    return (audit.cell.stratum.value,)


def _consequence(audit: Audit) -> tuple[str, ...]:
    return (audit.cell.consequence.value,)


_DIMENSIONS = {
    "family": families_of,
    "stratum": _stratum,
    "consequence": _consequence,
    "tier": lambda audit: (audit.tier,),
    "segment": lambda audit: (audit.segment,),
    "release": lambda audit: (audit.release,),
}


def _beyond_judging(held: Iterable[Standing]) -> tuple[str, ...]:
    return tuple(s.audit.id for s in held if s.erased and s.open)


def _listed(records: Records, held: Standing, said: Verdict | None) -> Listed:
    audit = held.audit
    return Listed(
        id=audit.id,
        week=held.draw.week,
        subject=records.history.ticket(audit.ticket).subject,
        stratum=audit.cell.stratum.value,
        consequence=audit.cell.consequence.value,
        families=audit.families,
        said=said,
    )


def _task(records: Records, held: Standing, by: str) -> Task:
    audit = held.audit
    # What was said later is hindsight: the boundary is judged by what the house had before it.
    thread = tuple(m for m in records.history.thread(audit.ticket) if m.at < held.draw.until)
    return Task(
        id=audit.id,
        ticket=audit.ticket,
        week=held.draw.week,
        stratum=audit.cell.stratum.value,
        consequence=audit.cell.consequence.value,
        families=audit.families,
        tier=audit.tier,
        segment=audit.segment,
        release=audit.release,
        subject=records.history.ticket(audit.ticket).subject,
        thread=thread,
        erased=held.erased,
        wanted=held.wants(by),
        seen=held.seen_by(by),
    )


def _miss(records: Records, held: Standing) -> Miss:
    yes = [v for v in held.verdicts if v.escalate]
    file = proposal_file(records.settings.workspace, held.audit.id)
    return Miss(
        audit=held.audit.id,
        ticket=held.audit.ticket,
        families=held.audit.families,
        consequence=held.audit.cell.consequence.value,
        disputed=held.miss < 1,
        triggers=tuple(t for t in Trigger if any(t in v.triggers for v in yes)),
        faults=tuple(f for f in Fault if any(v.fault is f for v in yes)),
        erased=held.erased,
        proposal=file if file.is_file() else None,
    )


def _named(by: str) -> str:
    if not by.strip():
        raise DecisionRefused("an auditor has a name: give it with --by")
    return by


def read_judgement(escalate: str, triggers: list[str], fault: str, note: str) -> Judgement:
    """A verdict as it was typed. DecisionRefused for a word that is none of those that count."""
    if escalate not in ("yes", "no"):
        raise DecisionRefused(f"should a person have had it? {escalate[:40]!r} is no answer: say yes or no")
    names = [t.value for t in Trigger]
    for name in triggers:
        if name not in names:
            raise DecisionRefused(f"there is no trigger {name[:40]!r}: choose one of {', '.join(names)}")
    if fault not in [f.value for f in Fault]:
        raise DecisionRefused(f"there is no fault {fault[:40]!r}: choose one of {', '.join(f.value for f in Fault)}")
    chosen = tuple(Trigger(t) for t in dict.fromkeys(triggers))
    return Judgement(escalate == "yes", chosen, Fault(fault), note)
