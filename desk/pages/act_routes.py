"""What a person does at the desk, as forms: one act on a ticket, several approvals at once, and the halt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from desk import halting
from desk.accounts.people import May, Person
from desk.counter import Counter
from desk.errors import ChangedSince, DecisionRefused, NotAllowed
from desk.operators.acts import Asked, approve_opened, do
from desk.operators.inbox import Filter, OperatorInbox, Tab
from desk.pages.desk_routes import form_of, ticket_values
from desk.pages.templates import page
from desk.security import TheCounter, actor
from ledger.errors import Busy

router = APIRouter(include_in_schema=False)

Works = Annotated[Person, Depends(actor(May.WORK))]
Form = Annotated[dict[str, str], Depends(form_of)]


@router.post("/desk/act/{name}")
def act(request: Request, counter: TheCounter, person: Works, form: Form, name: str) -> Response:
    """One act on one ticket: then the ticket as it is now. Where it was refused, why, and nothing else changes on the
    page: what was typed stays."""
    ticket = form.get("ticket", "")
    try:
        said = do(Asked(counter.place, person, ticket, form, counter.leaves), name)
    except ChangedSince as changed:
        return page(request, "changed.html", status=409, changes=changed.changes)
    counter.decided(ticket)
    values = ticket_values(counter, OperatorInbox(counter.place), person, ticket, said=said)
    answer = page(request, "ticket.html", piece=True, **values)
    answer.headers["HX-Trigger"] = "acted"
    return answer


@router.post("/desk/bulk")
async def bulk(request: Request, counter: TheCounter, person: Works) -> Response:
    """Approves several drafts, each as it stands and each by itself: those that the person has opened."""
    form = await request.form()
    picked = [value for value in form.getlist("pick") if isinstance(value, str)]
    key = str(form.get("key", ""))
    told = await run_in_threadpool(_approve_all, counter, person, picked, key)
    answer = page(request, "bulk_told.html", told=told)
    answer.headers["HX-Trigger"] = "acted"
    return answer


def _approve_all(counter: Counter, person: Person, picked: list[str], key: str) -> list[tuple[str, bool, str]]:
    told = []
    for one in picked:
        seen, _, ticket = one.partition(" ")
        try:
            said = approve_opened(counter.place, person, ticket, seen, f"{key}-{ticket}"[:200], counter.leaves)
        except (DecisionRefused, NotAllowed, Busy) as error:
            told.append((ticket, False, str(error)))
        else:
            counter.decided(ticket)
            told.append((ticket, True, said))
    return told


@router.post("/desk/halt")
def halt(
    request: Request, counter: TheCounter, person: Annotated[Person, Depends(actor(May.HALT))], form: Form
) -> Response:
    """Stops autonomy at once, for all or for one family."""
    return _house(request, counter, person, form, halting.halt)


@router.post("/desk/resume")
def resume(
    request: Request, counter: TheCounter, person: Annotated[Person, Depends(actor(May.RESUME))], form: Form
) -> Response:
    """Ends a halt."""
    if not form.get("reason", "").strip():
        raise DecisionRefused("say why it starts again: it is kept. Nothing was done.")
    return _house(request, counter, person, form, halting.resume)


def _house(
    request: Request, counter: Counter, person: Person, form: dict[str, str], change: Callable[..., int]
) -> Response:
    said: list[str] = []
    reason = form.get("reason", "").strip() or "at the desk"
    change(counter.place, form.get("family") or None, person.name, reason, said.append)
    listed = OperatorInbox(counter.place).queue(person, Tab.WAITING, Filter())
    answer = page(request, "house.html", queue=listed, person=person, may=May, said=" ".join(said), piece=True)
    answer.headers["HX-Trigger"] = "acted"
    return answer
