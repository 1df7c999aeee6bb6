"""Policy at the desk: what is in force, what waits for whom, what a family has shown, and the acts of policy owners."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from desk.accounts.people import May, Person
from desk.counter import Counter
from desk.errors import DecisionRefused, PolicyFileError
from desk.made_up_marks import note_of
from desk.pages.act_routes import Form
from desk.pages.learning_routes import SELF_CONTAINED
from desk.pages.templates import page
from desk.policy import files
from desk.policy.acts import Asked, do
from desk.policy.backtest import as_html, tested
from desk.policy.rollout import NARROWING_DAYS, suggested
from desk.policy.standing import WIDTHS, candidate, family_evidence, mark_of, standing, unreadable
from desk.security import SignedIn, TheCounter, actor, reader, signed_in
from guards.errors import PolicyError, ReleaseConflict
from ledger.errors import NotYetAllowed

router = APIRouter(include_in_schema=False)

Asks = Annotated[SignedIn, Depends(signed_in)]
Reads = Annotated[Person, Depends(reader(May.MEASURE))]
Owns = Annotated[Person, Depends(actor(May.OWN_POLICY))]
Name = Annotated[str, Query(max_length=100)]
REFUSALS = (NotYetAllowed, PolicyError, PolicyFileError, ReleaseConflict, OSError)
"""What cannot be done or read as things stand; the words say what is missing."""


@router.get("/desk/policy")
def policy(request: Request, counter: TheCounter, asks: Asks, _: Reads, done: int = 0) -> Response:
    """How policy stands; ``done`` is the act that has just been done."""
    return _first(request, counter, asks, done=done)


@router.get("/desk/policy/release")
def release(request: Request, counter: TheCounter, asks: Asks, _: Reads, version: Name, done: int = 0) -> Response:
    """A candidate: its diff by the law, its proofs, whose approval it needs and has, and what is missing."""
    return _candidate(request, counter, asks, version=version, done=done)


@router.get("/desk/policy/family")
def family(request: Request, counter: TheCounter, asks: Asks, _: Reads, family: Name, done: int = 0) -> Response:
    """What one family has shown, what it lacks for each phase and how much, and what it is held to."""
    return _family(request, counter, asks, name=family, done=done)


@router.get("/desk/policy/backtest")
def backtest(counter: TheCounter, _: Reads, version: Name) -> Response:
    """A candidate's back-test over all that the ledger holds by now."""
    place = counter.place
    try:
        old, new = (files.find_known(place.settings, place.store, name) for name in ("now", version))
        written = as_html(tested(place, old, new), note_of(place.settings.workspace))
    except REFUSALS as error:
        raise HTTPException(404, str(error)) from error
    return HTMLResponse(written, headers={"Content-Security-Policy": SELF_CONTAINED})


@router.get("/desk/policy/suggestions")
def suggestions(request: Request, counter: TheCounter, asks: Asks, _: Reads) -> Response:
    """Which rules people's corrections speak against, in numbers, each with its back-test. Nothing changes by it."""
    found = suggested(counter.place)
    return page(request, "policy_suggestions.html", asks=asks, person=asks.person, found=found)


@router.post("/desk/policy/act/{name}")
def act(request: Request, counter: TheCounter, asks: Asks, person: Owns, form: Form, name: str) -> Response:
    """One act of a policy owner; then the page that it was done from, with the act as the record holds it. Where it was
    refused, the same page says why."""
    shown = _page_of(form)
    before = mark_of(counter.place)
    try:
        told = do(Asked(counter.place, person, form), name)
    except (DecisionRefused, *REFUSALS) as error:
        return shown(request, counter, asks, refused=str(error), status=409)
    with suppress(*REFUSALS):  # it stands in the record, whatever reading it again says
        counter.renew()
    after = mark_of(counter.place)
    if after == before:  # nothing came of it, and the record has nothing to show
        return shown(request, counter, asks, said=told)
    kept = {n: form[n] for n in ("version", "family") if form.get(n) and form.get("from") in ("release", "family")}
    at = {"release": "/release", "family": "/family"}.get(form.get("from", ""), "")
    return RedirectResponse(f"/desk/policy{at}?{urlencode({**kept, 'done': after})}", status_code=303)


def _page_of(form: dict[str, str]) -> Callable[..., Response]:
    """The page that a form stood on."""
    match form.get("from"):
        case "release":
            return partial(_candidate, version=form.get("version", ""))
        case "family":
            return partial(_family, name=form.get("family", ""))
        case _:
            return _first


def _first(request: Request, counter: Counter, asks: SignedIn, **more: Any) -> Response:
    try:
        found = standing(counter.place)
    except REFUSALS as error:
        left = unreadable(counter.place)
        told = {"asks": asks, "person": asks.person, "found": left, "mark": left.mark, "may": May}
        refused = str(more.get("refused", ""))
        return page(request, "policy_unreadable.html", status=503, error=str(error), refused=refused, **told)
    return _shown(
        request, "policy.html", asks, found, found.mark, days=NARROWING_DAYS, looks=counter.worker.narrowing, **more
    )


def _candidate(request: Request, counter: Counter, asks: SignedIn, *, version: str, **more: Any) -> Response:
    try:
        found = candidate(counter.place, version, asks.person)
    except REFUSALS as error:
        raise HTTPException(404, str(error)) from error
    return _shown(request, "policy_release.html", asks, found, mark_of(counter.place), widths=WIDTHS, **more)


def _family(request: Request, counter: Counter, asks: SignedIn, *, name: str, **more: Any) -> Response:
    try:
        found = family_evidence(counter.place, name)
    except REFUSALS as error:
        raise HTTPException(404, str(error)) from error
    return _shown(request, "policy_family.html", asks, found, found.mark, **more)


def _shown(
    request: Request,
    template: str,
    asks: SignedIn,
    found: object,
    mark: int,
    *,
    done: int = 0,
    said: str = "",
    refused: str = "",
    status: int = 200,
    **more: Any,
) -> Response:
    counter: Counter = request.app.state.counter
    act_done = next((deed for deed in standing(counter.place).deeds if deed.seq == done), None) if done else None
    told = {"done": act_done, "said": said, "refused": refused, "mark": mark, "may": May}
    return page(request, template, status=status, asks=asks, person=asks.person, found=found, **told, **more)
