"""What a request meets that cannot be served: which status, which sentence, and an id where the log alone says more."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.errors import AgentError
from desk.errors import DecisionRefused, DeskError, NotAllowed, NothingFiled, SettingsError
from desk.pages.templates import page
from desk.security import NotSignedIn
from guards.errors import GuardError
from ledger.errors import (
    BadMessage,
    Busy,
    CannotCheck,
    CannotSeal,
    HeadTooLarge,
    LeaseLost,
    LedgerError,
    StoreBroken,
    Unknown,
    Unsigned,
)
from tools.errors import ToolError

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())

OURS: tuple[type[Exception], ...] = (LedgerError, DeskError, GuardError, ToolError, AgentError)
"""The trees of errors whose sentences are made for people."""
STATUS: Mapping[type[Exception], int] = {
    NotSignedIn: 401,
    NotAllowed: 403,
    Unknown: 404,
    DecisionRefused: 409,
    BadMessage: 422,
    HeadTooLarge: 422,
    Unsigned: 422,
    Busy: 503,
    LeaseLost: 503,
    StoreBroken: 503,
    CannotSeal: 503,
    CannotCheck: 503,
    SettingsError: 503,
    NothingFiled: 503,
    GuardError: 503,
    ToolError: 503,
    AgentError: 503,
}
"""By the nearest class; every other error of ours says that things are not as the request takes them to be: 409."""
FOR_THE_LOG = (StoreBroken, CannotSeal, CannotCheck, SettingsError, NothingFiled, GuardError, ToolError, AgentError)
"""Errors that are for whoever runs this: they name files and systems, which are nobody else's business."""
RETRY_SECONDS = 1


def status_of(error: Exception) -> int:
    """The status of an error of ours."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 409)


def sentence_of(request: Request, error: Exception) -> str:
    """What is said of an error: its own sentence, or what to look for in the log."""
    if not isinstance(error, FOR_THE_LOG):
        return str(error)
    told = noted(request.scope, error)
    return f"This cannot be done as things stand, and nothing was done. Whoever runs Lanewise finds why in its log, under {told}."


def noted(scope: Scope, error: BaseException) -> str:
    """Writes an error into the log, and returns the id that it stands under."""
    told = f"error-{secrets.token_hex(4)}"
    _log.error("%s: %s %s", told, scope.get("method", "-"), scope.get("path", "-"), exc_info=error)
    return told


def as_json(request: Request, error: Exception) -> JSONResponse:
    """The error for a program."""
    status = error.status_code if isinstance(error, HTTPException) else status_of(error)
    said = str(error.detail) if isinstance(error, HTTPException) else sentence_of(request, error)
    headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": str(RETRY_SECONDS)}}.get(status, {})
    return JSONResponse({"error": said}, status_code=status, headers=headers)


def misspelt(request: Request, error: Exception) -> Response:
    """Which field is wrong, and how, in the shape that is asked for."""
    return misspelt_as_json(request, error) if wants_json(request.scope) else told_on_page(request, 422, _fields(error))


def misspelt_as_json(_: Request, error: Exception) -> JSONResponse:
    """The same for a program."""
    return JSONResponse({"error": _fields(error)}, status_code=422)


def _fields(error: Exception) -> str:
    """The fields that are wrong; their values are not repeated, since they may be a customer's words."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    return "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in found[:10])[:2000]


def told_on_page(request: Request, status: int, said: str) -> Response:
    """The sentence as a page for a browser, or as a piece of one for htmx, which leaves what was typed where it is."""
    piece = "error_piece.html" if request.headers.get("HX-Request") else "error.html"
    return page(request, piece, status=status, said=said, code=status)


def wants_json(scope: Scope) -> bool:
    """True where a program asks."""
    path = str(scope.get("root_path", "")) + str(scope["path"])
    return path.startswith(("/v1", "/chat/"))


class Unexpected:
    """Answers what nobody expected: with an id, and never with what went wrong inside."""

    def __init__(self, app: ASGIApp) -> None:
        """Around the routes, inside what guards every answer."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the route."""
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, noting)
        except Exception as error:  # whoever asked is told that it failed, and whoever runs this why
            told = noted(scope, error)
            if not begun:
                await self._answer(Request(scope), told)(scope, receive, send)

    @staticmethod
    def _answer(request: Request, told: str) -> Response:
        said = (
            "Something went wrong here, and nobody knows whether it was done: look before you try again. Whoever runs "
            f"Lanewise finds it in the log under {told}."
        )
        if wants_json(request.scope):
            return JSONResponse({"error": said}, status_code=500)
        return told_on_page(request, 500, said)
