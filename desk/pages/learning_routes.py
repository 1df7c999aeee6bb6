"""What the desk shows of learning: the scorecard as a page, and as CSV or JSON for tools of a team's own."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from desk.accounts.people import May, Person
from desk.errors import DeskError
from desk.face import json_text
from desk.scoring import Asked, page_of, score_of
from desk.security import TheCounter, reader
from ledger.scorecard.showing import to_csv, to_json

router = APIRouter(include_in_schema=False)

SELF_CONTAINED = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
"""The page brings its own style and pictures, runs nothing and fetches nothing."""

Measures = Annotated[Person, Depends(reader(May.MEASURE))]
Day = Annotated[str, Query(max_length=10)]


@router.get("/desk/scorecard")
def scorecard(counter: TheCounter, _: Measures, since: Day = "", until: Day = "") -> Response:
    """The whole page, for a period or for all time."""
    try:
        written = page_of(counter.place, Asked(since=since, until=until))
    except DeskError as error:
        raise HTTPException(422, str(error)) from error
    return HTMLResponse(written, headers={"Content-Security-Policy": SELF_CONTAINED})


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
