"""The desk's pages for the review calendar: what is due, a review with its material, and its decision."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from desk.accounts.people import May, Person
from desk.audits import review_calendar
from desk.counter import Counter
from desk.errors import DecisionRefused
from desk.operators.wording_shown import lines
from desk.pages.act_routes import Form
from desk.pages.around import around
from desk.pages.templates import page
from desk.security import SignedIn, TheCounter, actor, reader, signed_in
from ledger.review_calendar import DECISION_LIMIT, Held
from ledger.review_material import Topic

router = APIRouter(include_in_schema=False)

LISTED = 60
"""Most reviews of the past that the list names."""

Asks = Annotated[SignedIn, Depends(signed_in)]
Reads = Annotated[Person, Depends(reader(May.REVIEW))]
Holds = Annotated[Person, Depends(actor(May.REVIEW))]


@router.get("/desk/reviews")
def reviews(
    request: Request, counter: TheCounter, asks: Asks, person: Reads, topic: str = "", review: str = ""
) -> Response:
    """The whole page, with what is most overdue or what is named."""
    return page(request, "reviews.html", **around(counter, asks), **_work(counter, topic, review))


@router.get("/desk/reviews/work")
def work_piece(request: Request, counter: TheCounter, person: Reads, topic: str = "", review: str = "") -> Response:
    """Calendar and review anew."""
    return _piece(request, counter, person, topic, review)


@router.get("/desk/reviews/due")
def due_piece(request: Request, counter: TheCounter, _: Reads) -> Response:
    """How many are due, as the desk's head shows it."""
    found = review_calendar.calendar(counter.place)
    late = any(one.overdue for one in found)
    return page(request, "count.html", count=sum(one.due for one in found), what="are due", loud=late)


@router.post("/desk/reviews/open")
def open_a_review(request: Request, counter: TheCounter, person: Holds, form: Form) -> Response:
    """Opens a topic's review with its material, or shows the one that is open. CannotReview, DecisionRefused."""
    opened = review_calendar.open_topic(counter.place, review_calendar.topic_named(form.get("topic", "")), person.name)
    return _piece(request, counter, person, opened.topic.value, told=f"Opened by {opened.opened_by}.")


@router.post("/desk/reviews/close")
def close_a_review(request: Request, counter: TheCounter, person: Holds, form: Form) -> Response:
    """Closes the review that the page shows, under the name of who is signed in. CannotReview, DecisionRefused."""
    closed = review_calendar.close_topic(
        counter.place,
        review_calendar.topic_named(form.get("topic", "")),
        person.name,
        lines(form.get("decision", "")),
        form.get("owner", ""),
        _number(form.get("review", "")),
    )
    return _piece(request, counter, person, review=str(closed.seq), told=f"Closed; {closed.owner} sees to it.")


# ── within ──────────────────────────────────────────────────────────────────────────────────────────────────


def _piece(
    request: Request, counter: Counter, person: Person, topic: str = "", review: str = "", told: str = ""
) -> Response:
    values = _work(counter, topic, review)
    answer = page(request, "reviews_work.html", person=person, may=May, piece=True, told=told, **values)
    if told:
        answer.headers["HX-Trigger"] = "recorded"
    return answer


def _work(counter: Counter, topic: str, review: str) -> dict[str, Any]:
    """What ``reviews_work.html`` is given: the calendar, one topic, and its open review or one of the past."""
    calendar = review_calendar.calendar(counter.place)
    past = review_calendar.past(counter.place)
    shown = _of(past, _number(review)) if review else None
    wanted = shown.topic if shown else review_calendar.topic_named(topic) if topic else calendar[0].topic
    chosen = next(one for one in calendar if one.topic is wanted)
    held = shown or chosen.open
    return {
        "calendar": calendar,
        "chosen": chosen,
        "held": held,
        "before": next((h for h in reversed(past) if h.topic is wanted and not h.open and _earlier(h, held)), None),
        "past": [h for h in reversed(past) if not h.open][:LISTED],
        "about": ABOUT,
        "people": review_calendar.possible_owners(counter.accounts),
        "decision_limit": DECISION_LIMIT,
    }


def _earlier(one: Held, than: Held | None) -> bool:
    return than is None or one.seq < than.seq


def _of(past: tuple[Held, ...], seq: int) -> Held:
    for held in past:
        if held.seq == seq:
            return held
    raise DecisionRefused("there is no such review: look at the list of those that were held.")


def _number(text: str) -> int:
    """The number of a review; 0, which none has, for what is no number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0


ABOUT = {
    Topic.LATE_ESCALATIONS: "Tickets that left lane 1 after the assistant had spoken, and lanes and triggers that people moved far.",
    Topic.RISKY_NOT_ESCALATED: "Tickets without a person where much was at stake, a trigger fired or an incident was near, and what audits found.",
    Topic.LANE_DISTRIBUTION: "Tickets by lane and by family, beside the stretch of the same length before.",
    Topic.TRIGGER_DEFINITIONS: "Each trigger: how often it fired, was corrected by people, and was missed by audits.",
}
"""What each review looks at, in a sentence."""
