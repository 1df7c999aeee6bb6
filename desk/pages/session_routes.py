"""Signing in with a password, and signing out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import RedirectResponse, Response

from desk.accounts.signing_in import SESSION_LASTS, sign_in
from desk.errors import NotAllowed
from desk.pages.templates import page
from desk.security import COOKIE, SignedIn, TheCounter, acting

router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
def sign_in_page(request: Request) -> Response:
    """The form."""
    return page(request, "sign_in.html", said="", name="")


@router.post("/sign-in")
def signing_in(
    request: Request, counter: TheCounter, name: Annotated[str, Form()] = "", password: Annotated[str, Form()] = ""
) -> Response:
    """To the desk, with a session; or the form again, with what is wrong. A form of another site is refused by its
    origin: there is no session yet that a word could belong to."""
    try:
        _own_origin(request)
        token = sign_in(counter.accounts, name, password)
    except NotAllowed as error:
        return page(request, "sign_in.html", status=403, said=str(error), name=name)
    answer = RedirectResponse("/", status_code=303)
    keep_session(request, answer, token)
    return answer


@router.post("/sign-out")
def signing_out(request: Request, counter: TheCounter, _: Annotated[SignedIn, Depends(acting)]) -> Response:
    """Ends the session here and in the ledger."""
    counter.accounts.sign_out(request.cookies.get(COOKIE, ""))
    answer = RedirectResponse("/sign-in", status_code=303)
    answer.delete_cookie(COOKIE)
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
