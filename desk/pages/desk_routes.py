"""The desk's pages: three panes, and the pieces of them that are asked for again."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response, StreamingResponse

from desk.accounts.people import May, Person
from desk.counter import Counter
from desk.errors import DecisionRefused
from desk.operators.foreseeing import what_follows
from desk.operators.inbox import Filter, OperatorInbox, Tab
from desk.operators.ticket import LOOKING, WORDS, channel_name, cited, happened_since, ticket_pane
from desk.operators.wording_shown import lines, marked, same_text, word_diff
from desk.pages.templates import page
from desk.security import COOKIE, SignedIn, TheCounter, acting, reader, signed_in
from desk.watching import EVERY_TICKET
from ledger.errors import Busy, UnknownTicket
from ledger.events import Kind
from ledger.tables import events

router = APIRouter(include_in_schema=False)

PING_SECONDS = 20.0
"""Between two signs of life of a stream where nothing happens."""
FIELD_LIMIT = 100_000
"""Most characters of one field; a longer one is refused."""
LEAST_SECONDS = 0.4
"""Between two pieces of news, so that a busy desk is not asked for its queue at every single event."""
_QUIET = frozenset(
    kind.value
    for kind in (Kind.LOOKED, Kind.RECORD_SEALED, Kind.RIGHTS_GRANTED, Kind.FACTS_GATHERED, Kind.AUDIT_JUDGED)
)
"""What happens without changing anything a page of the desk shows. A verdict is nobody's news: a second auditor may be to come."""

Asks = Annotated[SignedIn, Depends(signed_in)]
Reads = Annotated[Person, Depends(reader())]


async def form_of(request: Request) -> dict[str, str]:
    """The form's plain fields. DecisionRefused for one that is too long."""
    found = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    if any(len(value) > FIELD_LIMIT for value in found.values()):
        raise DecisionRefused(f"a field has more than {FIELD_LIMIT} characters. Nothing was done.")
    return found


@router.get("/")
def home() -> Response:
    """To the desk."""
    return RedirectResponse("/desk", status_code=303)


def chosen(tab: str = "", queue: str = "", family: str = "", lane: str = "") -> tuple[Tab, Filter]:
    """Tab and filter of a page's address; what is not known filters nothing."""
    known = Tab(tab) if tab in set(Tab) else Tab.WAITING
    return known, Filter(queue[:200], family[:100], int(lane) if lane in ("1", "2", "3") else 0)


Chosen = Annotated[tuple[Tab, Filter], Depends(chosen)]


@router.get("/desk")
def desk(
    request: Request,
    counter: TheCounter,
    asks: Asks,
    person: Reads,
    choice: Chosen,
    ticket: str = "",
) -> Response:
    """The whole desk, with one ticket open where one is named."""
    inbox = OperatorInbox(counter.place)
    listed = inbox.queue(person, *choice)
    opened = ticket_values(counter, inbox, person, ticket) if ticket and _known(counter, ticket) else {}
    told = "" if opened or not ticket else "There is no such ticket."
    return page(
        request,
        "desk.html",
        asks=asks,
        person=person,
        may=May,
        queue=listed,
        ticket=ticket,
        said=told,
        product=counter.place.systems.company.name,
        mode=counter.place.mode,
        families=[f.id for f in counter.place.release.family],
        **(opened or {"pane": None}),
    )


@router.get("/desk/queue")
def queue_piece(
    request: Request,
    counter: TheCounter,
    person: Reads,
    choice: Chosen,
    ticket: str = "",
) -> Response:
    """The left pane anew, with the house's state beside it."""
    listed = OperatorInbox(counter.place).queue(person, *choice)
    return page(request, "queue.html", queue=listed, ticket=ticket, person=person, may=May, piece=True)


@router.get("/desk/ticket")
def ticket_piece(
    request: Request,
    counter: TheCounter,
    person: Reads,
    ticket: str,
    again: Annotated[bool, Query()] = False,
) -> Response:
    """The middle and the right pane of one ticket."""
    inbox = OperatorInbox(counter.place)
    return page(request, "ticket.html", piece=True, **ticket_values(counter, inbox, person, ticket, again=again))


def ticket_values(
    counter: Counter, inbox: OperatorInbox, person: Person, ticket: str, *, again: bool = False, said: str = ""
) -> dict[str, Any]:
    """What the ticket's template is given."""
    pane = ticket_pane(inbox, person, ticket, again=again)
    return {
        "pane": pane,
        "me": person.name,
        "articles": cited(pane, counter.place.rules.articles),
        "words": WORDS,
        "key": uuid.uuid4().hex,
        "told": said,
        "again": again,
        "marks": marked(pane.draft or ""),
        "change": word_diff("", ""),
        "busy": ticket in counter.worker.busy,
    }


@router.post("/desk/foresee")
async def foresee(request: Request, counter: TheCounter, asks: Annotated[SignedIn, Depends(acting)]) -> Response:
    """What would follow if the text in the composer were approved; it decides nothing."""
    asks.person.check(May.READ)
    form = await form_of(request)
    return await run_in_threadpool(_foreseen, request, counter, asks.person, form)


def _foreseen(request: Request, counter: Counter, person: Person, form: dict[str, str]) -> Response:
    ticket, text = form.get("ticket", ""), lines(form.get("text", ""))
    review = counter.place.reviews.of_ticket(ticket)
    hidden = review is None or OperatorInbox(counter.place).blind(review, person)
    draft = (review.draft.text if review is not None and review.draft is not None and not hidden else None) or ""
    whole = bool(draft) and same_text(draft, text)
    follows = what_follows(counter.place, ticket, text, person.name, draft=whole)
    change = word_diff(lines(draft), text) if draft else word_diff("", "")
    return page(request, "follows.html", follows=follows, change=change, marks=marked(text), has_draft=bool(draft))


@router.get("/desk/changes")
def changes_piece(request: Request, counter: TheCounter, person: Reads, ticket: str, mark: int) -> Response:
    """What happened to the open ticket since its page was made, and who else has it open."""
    inbox = OperatorInbox(counter.place)
    if not _known(counter, ticket):
        raise DecisionRefused("there is no such ticket")
    review = counter.place.reviews.of_ticket(ticket)
    blind = review is not None and inbox.blind(review, person)
    with suppress(Busy):
        # That the ticket is open, and no more: what was opened is for the server to say, not for an address.
        inbox.looks.opened(ticket, person.name, "", "", again=True)
    return page(
        request,
        "changes.html",
        happened=happened_since(counter.place, ticket, mark, person.name, blind=blind),
        others=inbox.looks.others(ticket, person.name, LOOKING),
        ticket=ticket,
    )


@router.get("/desk/live")
async def live(request: Request, counter: TheCounter, _: Reads) -> Response:
    """News for an open page: the names of the tickets to which something happened, as it happens, until the person
    signs out."""
    token = request.cookies.get(COOKIE, "")
    return StreamingResponse(_news(counter, token), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _news(counter: Counter, token: str) -> AsyncIterator[str]:
    mark = await run_in_threadpool(_newest, counter)
    yield _event([])  # a page that comes back looks at everything anew
    async with counter.watch.on(EVERY_TICKET) as happened:
        due = time.monotonic() + PING_SECONDS
        while not counter.watch.over:
            # By the clock, and not only where nothing happens: a busy desk must not outlive a session.
            if time.monotonic() >= due:
                if await run_in_threadpool(counter.accounts.session, token) is None:
                    return
                due = time.monotonic() + PING_SECONDS
                yield ": here\n\n"
            try:
                await asyncio.wait_for(happened.wait(), max(0.01, due - time.monotonic()))
            except TimeoutError:
                continue
            happened.clear()
            touched, mark = await run_in_threadpool(_touched, counter, mark)
            if touched:
                yield _event(touched)
                await asyncio.sleep(LEAST_SECONDS)


def _event(touched: list[str]) -> str:
    return f"event: happened\ndata: {json.dumps([channel_name(t) for t in touched])}\n\n"


def _newest(counter: Counter) -> int:
    with counter.place.store.read() as conn:
        row = conn.execute(select(events.c.seq).order_by(events.c.seq.desc()).limit(1)).first()
    return int(row.seq) if row else 0


def _touched(counter: Counter, mark: int) -> tuple[list[str], int]:
    query = select(events.c.seq, events.c.ticket_id, events.c.kind).where(events.c.seq > mark).order_by(events.c.seq)
    with counter.place.store.read() as conn:
        rows = conn.execute(query).all()
    found = dict.fromkeys(row.ticket_id for row in rows if row.kind not in _QUIET)
    return list(found), rows[-1].seq if rows else mark


def _known(counter: Counter, ticket: str) -> bool:
    try:
        counter.place.history.ticket(ticket)
    except UnknownTicket:
        return False
    return True
