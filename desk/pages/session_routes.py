"""Signing in, by a password or at a provider, and signing out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from desk.accounts.oidc import Provider, session_for
from desk.accounts.signing_in import SESSION_LASTS, tried
from desk.errors import NotAllowed
from desk.pages.templates import page
from desk.security import COOKIE, SignedIn, TheCounter, acting, counter_of
from ledger.errors import Busy
from ledger.tries import Tries

router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
def sign_in_page(request: Request) -> Response:
    """The form, or the way to the provider, or both."""
    return _form(request)


@router.get("/sign-in/provider")
async def to_provider(request: Request) -> Response:
    """To the provider, and from there to ``back_from_provider``."""
    provider = _provider(request)
    if provider is None:
        raise NotAllowed("no provider is set: sign in with name and password")
    return await provider.begin(request, str(request.url_for("back_from_provider")))


@router.get("/sign-in/provider/back", name="back_from_provider")
async def back_from_provider(request: Request, counter: TheCounter) -> Response:
    """To the desk, with a session; or the form again, with what is wrong."""
    provider = _provider(request)
    try:
        if provider is None:
            raise NotAllowed("no provider is set: sign in with name and password")
        email = await provider.finish(request)
        token = await run_in_threadpool(session_for, counter.accounts, email)
    except NotAllowed as error:
        return _form(request, str(error))
    return _signed_in(request, token)


@router.post("/sign-in")
def signing_in(
    request: Request, counter: TheCounter, name: Annotated[str, Form()] = "", password: Annotated[str, Form()] = ""
) -> Response:
    """To the desk, with a session; or the form again, with what is wrong. A form of another site is refused by its
    origin: there is no session yet that a word could belong to."""
    try:
        _own_origin(request)
        if not counter.place.settings.sign_in.passwords:
            raise NotAllowed("nobody signs in by a password here: use the provider")
        address = request.client.host if request.client else ""
        token = tried(Tries(counter.place.store), counter.accounts, name, password, address)
    except NotAllowed as error:
        return _form(request, str(error), name)
    except Busy:
        return _form(request, "the ledger is busy just now: try again in a moment", name, status=503)
    return _signed_in(request, token)


@router.post("/sign-out")
def signing_out(request: Request, counter: TheCounter, _: Annotated[SignedIn, Depends(acting)]) -> Response:
    """Ends the session here and in the ledger."""
    counter.accounts.sign_out(request.cookies.get(COOKIE, ""))
    answer = RedirectResponse("/sign-in", status_code=303)
    answer.delete_cookie(COOKIE)
    return answer


def _provider(request: Request) -> Provider | None:
    found: Provider | None = request.app.state.provider
    return found


def _form(request: Request, said: str = "", name: str = "", status: int = 403) -> Response:
    provider = _provider(request)
    return page(
        request,
        "sign_in.html",
        status=status if said else 200,
        said=said,
        name=name,
        provider=provider.label if provider else "",
        passwords=counter_of(request).place.settings.sign_in.passwords,
    )


def _signed_in(request: Request, token: str) -> Response:
    answer = RedirectResponse("/", status_code=303)
    keep_session(request, answer, token)
    return answer


def keep_session(request: Request, answer: Response, token: str) -> None:
    """Puts the session into the browser: out of reach of scripts and of other sites, and over HTTPS where we are."""
    answer.set_cookie(
        COOKIE,
        token,
        max_age=int(SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def _own_origin(request: Request) -> None:
    origin = request.headers.get("origin")
    if origin is not None and origin.split("://", 1)[-1] != request.headers.get("host", ""):
        raise NotAllowed("this form was sent from another site")
