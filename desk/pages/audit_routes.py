"""The desk's pages for audits: one auditor's queue, a ticket to judge, a week to draw, and what it all says."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import Response

from desk.accounts.people import May, Person
from desk.audits import auditing
from desk.audits.pages import DEFINITION, FEW, agreement_words, verdict_words
from desk.audits.proposing import proposal_text
from desk.counter import Counter
from desk.errors import DecisionRefused
from desk.operators.wording_shown import lines
from desk.pages.act_routes import Form
from desk.pages.around import around
from desk.pages.templates import page
from desk.security import SignedIn, TheCounter, actor, reader, signed_in
from guards.triggers import Trigger
from ledger.audits.frame import week_before
from ledger.audits.sample import SIZE
from ledger.audits.verdicts import NOTE_LIMIT
from ledger.errors import CannotDraw

router = APIRouter(include_in_schema=False)

Asks = Annotated[SignedIn, Depends(signed_in)]
Audits = Annotated[Person, Depends(reader(May.AUDIT))]
Judges = Annotated[Person, Depends(actor(May.AUDIT))]
Measures = Annotated[Person, Depends(reader(May.MEASURE))]


@router.get("/desk/audits")
def audits(request: Request, counter: TheCounter, asks: Asks, person: Audits, audit: str = "") -> Response:
    """The whole page, with the next that waits or the one that is named. UnknownAudit."""
    return page(request, "audits.html", **around(counter, asks), **_work(counter, person, audit))


@router.get("/desk/audits/work")
def work_piece(request: Request, counter: TheCounter, person: Audits, audit: str = "") -> Response:
    """Queue and ticket anew. UnknownAudit."""
    return _piece(request, counter, person, audit)


@router.get("/desk/audits/waiting")
def waiting_piece(request: Request, counter: TheCounter, person: Audits) -> Response:
    """How many wait for this auditor, as the desk's head shows it."""
    return page(request, "count.html", count=auditing.queue(counter.place, person.name).count, what="waiting for you")


@router.post("/desk/audits/verdict")
async def verdict(request: Request, counter: TheCounter, person: Judges) -> Response:
    """Takes a verdict under the name of who is signed in: then the next that waits. DecisionRefused, CannotJudge."""
    return await run_in_threadpool(_judged, request, counter, person, await request.form())


@router.post("/desk/audits/draw")
def draw_a_week(request: Request, counter: TheCounter, person: Judges, form: Form) -> Response:
    """Draws a week's sample by a seed that nobody could know before. CannotDraw, DecisionRefused."""
    drawn = auditing.draw(counter.place, form.get("week", "").strip() or None, person.name, size=_size(form))
    return _piece(request, counter, person, drawn=drawn)


@router.get("/desk/audits/report")
def report_page(
    request: Request, counter: TheCounter, asks: Asks, person: Measures, since: str = "", until: str = ""
) -> Response:
    """What the audits say, of all weeks or of some."""
    try:
        values = _report(counter, person, since, until)
    except CannotDraw as error:
        raise HTTPException(422, str(error)) from error
    return page(request, "audit_report.html", **around(counter, asks), **values)


@router.post("/desk/audits/propose")
def propose_again(request: Request, counter: TheCounter, person: Judges, form: Form) -> Response:
    """Writes the case of a miss where it is not there. DecisionRefused, UnknownAudit, CannotDraw."""
    file = auditing.propose(counter.place, form.get("audit", ""))
    values = _report(counter, person, form.get("since", ""), form.get("until", ""))
    return page(request, "audit_report_body.html", person=person, may=May, written=file.name, piece=True, **values)


# ── within ──────────────────────────────────────────────────────────────────────────────────────────────────


def _judged(request: Request, counter: Counter, person: Person, form: FormData) -> Response:
    given = {name: value for name, value in form.items() if isinstance(value, str)}
    triggers = [value for value in form.getlist("trigger") if isinstance(value, str)]
    said = auditing.read_judgement(
        given.get("escalate", ""), triggers, given.get("fault", "none"), lines(given.get("note", ""))
    )
    done = auditing.give_verdict(counter.place, given.get("audit", ""), person.name, said)
    return _piece(request, counter, person, given=done)


def _piece(request: Request, counter: Counter, person: Person, audit: str = "", **told: Any) -> Response:
    values = _work(counter, person, audit)
    answer = page(request, "audits_work.html", person=person, may=May, piece=True, **values, **told)
    if told:
        answer.headers["HX-Trigger"] = "recorded"
    return answer


def _work(counter: Counter, person: Person, audit: str) -> dict[str, Any]:
    """What ``audits_work.html`` is given: the queue, and the ticket as this auditor may see it."""
    place = counter.place
    queue = auditing.queue(place, person.name)
    shown = audit or (queue.waiting[0].id if queue.waiting else "")
    return {
        "queue": queue,
        "task": auditing.task(place, shown, person.name) if shown else None,
        "triggers": tuple(Trigger),
        "words": verdict_words,
        "note_limit": NOTE_LIMIT,
        "last_week": week_before(place.store.now()),
        "size": SIZE,
    }


def _report(counter: Counter, person: Person, since: str, until: str) -> dict[str, Any]:
    place = counter.place
    found = auditing.report(place, since.strip() or None, until.strip() or None)
    cases = (m.audit for m in found.misses if m.proposal is not None and person.may(May.AUDIT))
    return {
        "report": found,
        "weeks": [d for d in auditing.weeks(place) if d.week in found.weeks],
        "cases": {audit: proposal_text(place.settings.workspace, audit) for audit in cases},
        "definition": DEFINITION,
        "few": FEW,
        "agreement": agreement_words(found.agreement),
        "since": since,
        "until": until,
    }


def _size(form: dict[str, str]) -> int | None:
    typed = form.get("size", "").strip()
    if not typed:
        return None
    if not (typed.isascii() and typed.isdigit() and len(typed) <= 5 and 1 <= int(typed) <= 10_000):
        raise DecisionRefused("a sample has 1 to 10,000 tickets: write how many. Nothing was drawn.")
    return int(typed)
