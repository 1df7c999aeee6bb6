"""The scorecard as a command shows it: summaries brought up to date, figures read, and written as text, JSON, CSV or a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from sqlalchemy import Connection

from desk.errors import DeskError
from desk.face import json_text
from desk.made_up_marks import note_of
from desk.policy.files import release_now
from desk.records import Records
from desk.workplace import read_company
from guards.errors import PolicyError
from ledger.audits.figures import audit_misses, audited_tickets
from ledger.scorecard.metrics import BY_ID, Metric
from ledger.scorecard.page import Links, page
from ledger.scorecard.projecting import catch_up
from ledger.scorecard.reading import Dimension, Part, Period, Scorecard, read_scorecard, tickets_of
from ledger.scorecard.showing import Misses, text, to_csv, to_json
from ledger.scorecard.warnings import People, Reviewed, Warn, read_warnings
from tools.errors import ToolError
from tools.knowledge import current_articles

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be shown, and how."""

    since: str = ""
    until: str = ""
    by: str = ""
    json: bool = False
    csv: bool = False
    html: Path | None = None
    tickets: str = ""
    """A metric's id: show the tickets behind it instead."""
    part: str = Part.HITS.value
    of: tuple[str, ...] = ()
    """``family=billing``: only of this group."""


@dataclass(frozen=True, slots=True)
class Score:
    """All that a page about learning shows."""

    card: Scorecard
    warned: tuple[Warn, ...]
    misses: tuple[Misses, ...]


def show(records: Records, asked: Asked, tell: Tell) -> int:
    """Tells the scorecard, or writes its page. DeskError names what cannot be asked for."""
    period, by = period_of(records, asked), _dimension(asked.by)
    if asked.tickets:
        for ticket in tickets_behind(records, period, asked):
            tell(ticket)
        return 0
    if asked.html is not None:
        asked.html.write_text(page_of(records, asked), encoding="utf-8", newline="\n")
        tell(f"wrote {asked.html}")
        return 0
    score = read_score(records, period)
    note = note_of(records.settings.workspace)
    if asked.json:
        tell(json_text(to_json(score.card, score.warned, score.misses)))
    elif asked.csv:
        tell(to_csv(score.card))
    else:
        if note:
            tell(note)
        tell(text(score.card, score.warned, score.misses, by))
    return 0


def page_of(records: Records, asked: Asked, links: Links | None = None) -> str:
    """The scorecard as one page with pictures, split by what is asked for, else by everything; with ``links`` each count
    leads to its tickets. DeskError names what cannot be asked for."""
    score, by = score_of(records, asked), _dimension(asked.by)
    note = note_of(records.settings.workspace)
    with records.store.read() as conn:
        return page(conn, score.card, score.warned, score.misses, note, (by,) if by else tuple(Dimension), links)


def score_of(records: Records, asked: Asked) -> Score:
    """As ``read_score``, for the period that was asked for. DeskError."""
    return read_score(records, period_of(records, asked))


def read_score(records: Records, period: Period) -> Score:
    """Figures, warnings and audits of a period; what has happened since the last time is folded first."""
    catch_up(records.store)
    people = replace(people_of(records.settings.company), domains=_domains(records))
    with records.store.read() as conn:
        card = read_scorecard(conn, period)
        return Score(card, read_warnings(conn, period.as_of, people), misses_of(conn, period))


def misses_of(conn: Connection, period: Period) -> tuple[Misses, ...]:
    """High-risk misses by family, as audits found them; none where nothing is audited."""
    return audit_misses(conn, *_weeks(period), period.as_of)


def audited_in(conn: Connection, period: Period, family: str) -> tuple[str, ...]:
    """The tickets behind one row of ``misses_of``, one for each audit."""
    return audited_tickets(conn, *_weeks(period), period.as_of, family)


def _weeks(period: Period) -> tuple[datetime, datetime]:
    since = datetime.combine(period.since, time(), UTC) if period.since else datetime.min.replace(tzinfo=UTC)
    until = datetime.combine(period.until + timedelta(days=1), time(), UTC) if period.until else period.as_of
    return since, until


def tickets_behind(records: Records, period: Period, asked: Asked) -> tuple[str, ...]:
    """The tickets that a figure counts, the newest first. DeskError for a metric, part or group that does not exist."""
    metric, part, of = figure_of(asked)
    catch_up(records.store)
    with records.store.read() as conn:
        return tickets_of(conn, metric, period, part, of)


def figure_of(asked: Asked) -> tuple[Metric, Part, Mapping[Dimension, str]]:
    """Which figure's tickets are asked for, which of them, and of which groups. DeskError names what does not exist."""
    metric = BY_ID.get(asked.tickets)
    if metric is None:
        raise DeskError(f"there is no metric {asked.tickets[:60]!r}. Choose one of: {', '.join(BY_ID)}.")
    if asked.part not in list(Part):
        raise DeskError(f"there is no part {asked.part[:60]!r} of a figure. Choose one of: {', '.join(Part)}.")
    return metric, Part(asked.part), _groups(asked.of)


def people_of(company: Path | None) -> People:
    """Who owns families, queues and articles, as the company's files say; nobody in particular where they cannot be read."""
    try:
        shelves = read_company(company).shelves
    except (OSError, ToolError):
        return People()
    queues = shelves.queues
    articles = [
        Reviewed(f"{a.article_id} v{a.version}", a.approved_by, a.review_by) for a in current_articles(shelves.articles)
    ]
    return People(
        families={family: q.owner for q in reversed(queues) for family in q.handles},
        queues={q.queue_id: q.owner for q in queues},
        articles=articles,
    )


def _domains(records: Records) -> Mapping[str, str]:
    """Where the release in force cannot be read no family is known, so all of them are watched."""
    try:
        release = release_now(records.settings, records.store)
    except (OSError, UnicodeError, PolicyError):
        return {}
    return {family.id: family.domain for family in release.family}


YEARS = range(1970, 3000)
"""Years that every calendar and database we use can count in, a day more and every time zone included."""


def period_of(records: Records, asked: Asked) -> Period:
    """The period that is asked for, as of now. DeskError for a day that is none."""
    return Period(records.store.now(), _day(asked.since, "--since"), _day(asked.until, "--until"))


def _day(said: str, option: str) -> date | None:
    if not said:
        return None
    try:
        day = date.fromisoformat(said)
    except ValueError as error:
        raise DeskError(f"{option} {said[:40]!r} is no day. Write it as 2026-03-10.") from error
    if day.year not in YEARS:
        raise DeskError(f"{option} {said[:40]!r} is no day of a year from {YEARS[0]} to {YEARS[-1]}.")
    return day


def _dimension(said: str) -> Dimension | None:
    if said and said not in list(Dimension):
        raise DeskError(f"--by {said[:40]!r} is nothing to split by. Choose one of: {', '.join(Dimension)}.")
    return Dimension(said) if said else None


def _groups(said: Sequence[str]) -> Mapping[Dimension, str]:
    found: dict[Dimension, str] = {}
    for one in said:
        name, equals, group = one.partition("=")
        if not equals or name not in list(Dimension):
            raise DeskError(
                f"--of {one[:60]!r} names no group. Write it as family=billing; one of: {', '.join(Dimension)}."
            )
        found[Dimension(name)] = group
    return found
