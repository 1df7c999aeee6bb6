"""What every page of the desk is guarded by: who asks, the form's own word, headers that let no stranger's words act."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from fastapi import Depends, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from desk.accounts.people import May, Person
from desk.accounts.signing_in import right_csrf
from desk.counter import Counter
from desk.errors import NotAllowed

COOKIE = "lanewise_session"
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf"

PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
"""Nothing inline runs, nothing is fetched from elsewhere, and nobody frames the desk."""


class NotSignedIn(NotAllowed):
    """Nobody is signed in; a page leads to the sign-in instead."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who asks."""

    person: Person
    csrf: str
    """What their forms carry."""


def counter_of(request: Request) -> Counter:
    """The counter that serves this request."""
    counter: Counter = request.app.state.counter
    return counter


def signed_in(request: Request) -> SignedIn:
    """Who holds the session cookie. NotSignedIn."""
    token = request.cookies.get(COOKIE, "")
    session = counter_of(request).accounts.session(token) if token else None
    if session is None:
        raise NotSignedIn("nobody is signed in, or the session is over: sign in")
    return SignedIn(Person.of(session.user), session.csrf)


async def acting(request: Request) -> SignedIn:
    """Who acts: signed in, and by a form of our own page. NotSignedIn, NotAllowed."""
    token = request.cookies.get(COOKIE, "")
    session = counter_of(request).accounts.session(token) if token else None
    if session is None:
        raise NotSignedIn("nobody is signed in, or the session is over: sign in")
    given = request.headers.get(CSRF_HEADER, "")
    if not given and request.headers.get("content-type", "").startswith(
        ("application/x-www-form-urlencoded", "multipart/form-data")
    ):
        field = (await request.form()).get(CSRF_FIELD)
        given = field if isinstance(field, str) else ""
    if not right_csrf(session, given):
        raise NotAllowed("this form is not of a page of yours that is open now: load the page again. Nothing was done")
    return SignedIn(Person.of(session.user), session.csrf)


def reader(what: May = May.READ) -> Callable[[SignedIn], Person]:
    """A dependency: the person who asks, where they have that right. NotSignedIn, NotAllowed."""

    def check(who: Annotated[SignedIn, Depends(signed_in)]) -> Person:
        who.person.check(what)
        return who.person

    return check


def actor(what: May) -> Callable[[SignedIn], Person]:
    """A dependency of each act: as ``reader``, and by a form of our own page."""

    def check(who: Annotated[SignedIn, Depends(acting)]) -> Person:
        who.person.check(what)
        return who.person

    return check


TheCounter: TypeAlias = Annotated[Counter, Depends(counter_of)]
"""A route's counter."""


class Headers:
    """Puts the same guards on every answer; a route that sets one of them keeps its own. Streams pass unheld."""

    def __init__(self, app: ASGIApp) -> None:
        """Around the application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the route, and adds what its answer has not set."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _GUARDS.items():
                    headers.setdefault(name, value)
                if not scope["path"].startswith("/static/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, guarded if scope["type"] == "http" else send)


_GUARDS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
