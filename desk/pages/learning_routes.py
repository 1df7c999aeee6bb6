"""What the desk shows of learning: the scorecard with the tickets behind each count, and as CSV or JSON for other tools."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from desk.accounts.people import May, Person
from desk.errors import DeskError
from desk.face import json_text
from desk.figure_tickets import Wanted, behind
from desk.pages.templates import page
from desk.scoring import Asked, page_of, score_of
from desk.security import TheCounter, reader
from ledger.scorecard.page import Links
from ledger.scorecard.showing import to_csv, to_json

router = APIRouter(include_in_schema=False)

SELF_CONTAINED = "; ".join(
    (
        "default-src 'none'",
        "style-src 'unsafe-inline'",
        "img-src data:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""The page brings its own style and pictures, runs nothing and fetches nothing."""
AT_THE_DESK = Links("/desk/scorecard", "/desk/scorecard/tickets", "/desk")

Measures = Annotated[Person, Depends(reader(May.MEASURE))]
Day = Annotated[str, Query(max_length=10)]
Word = Annotated[str, Query(max_length=300)]


def wanted_of(
    tickets: Word = "",
    part: Word = "hits",
    of: Annotated[list[str] | None, Query(max_length=10)] = None,
    since: Day = "",
    until: Day = "",
    month: Word = "",
    warning: Word = "",
    group: Word = "",
    about: Word = "",
    audited: Word = "",
) -> Wanted:
    """Which number's tickets an address asks for."""
    asked = Asked(since=since, until=until, tickets=tickets, part=part, of=tuple(of or ()))
    return Wanted(asked, month, warning, group, about, audited)


@router.get("/desk/scorecard")
def scorecard(counter: TheCounter, _: Measures, since: Day = "", until: Day = "", by: Word = "") -> Response:
    """The whole page, for a period or for all time, split by one thing or by all."""
    try:
        written = page_of(counter.place, Asked(since=since, until=until, by=by), AT_THE_DESK)
    except DeskError as error:
        raise HTTPException(422, str(error)) from error
    return HTMLResponse(written, headers={"Content-Security-Policy": SELF_CONTAINED})


@router.get("/desk/scorecard/tickets")
def tickets_behind(
    request: Request,
    counter: TheCounter,
    person: Measures,
    wanted: Annotated[Wanted, Depends(wanted_of)],
    number: Annotated[int, Query(alias="page", ge=1, le=1_000_000)] = 1,
) -> Response:
    """The tickets that one count of the scorecard counts, a page at a time."""
    try:
        found = behind(counter.place, person, wanted, number)
    except DeskError as error:
        raise HTTPException(422, str(error)) from error
    days = {"since": wanted.asked.since, "until": wanted.asked.until}
    asked = urlencode({name: day for name, day in days.items() if day})
    return page(request, "figure_tickets.html", found=found, wanted=wanted, back=f"?{asked}" if asked else "")


@router.get("/desk/scorecard.{kind}")
def scorecard_file(kind: str, counter: TheCounter, _: Measures, since: Day = "", until: Day = "") -> Response:
    """The same figures as ``csv`` or ``json``."""
    if kind not in ("csv", "json"):
        raise HTTPException(404, "the scorecard is there as .csv and as .json")
    try:
        score = score_of(counter.place, Asked(since=since, until=until))
    except DeskError as error:
        raise HTTPException(422, str(error)) from error
    if kind == "csv":
        return Response(to_csv(score.card), media_type="text/csv")
    return Response(json_text(to_json(score.card, score.warned, score.misses)), media_type="application/json")
