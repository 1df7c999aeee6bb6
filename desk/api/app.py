"""The interface as an application of its own under /v1, with its OpenAPI description."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import JSONResponse

from desk.api import interrupts, routes, webhooks
from desk.api.shapes import Problem
from desk.counter import Counter
from desk.errors import DecisionRefused, NotAllowed
from desk.security import NotSignedIn
from ledger.errors import AlreadyDecided, BadMessage, Busy, HeadTooLarge, KeyReused, Unknown

BODY_LIMIT = 1_000_000
"""Most bytes of one request."""

_STATUS: dict[type[Exception], int] = {
    NotSignedIn: 401,
    NotAllowed: 403,
    Unknown: 404,
    DecisionRefused: 409,
    AlreadyDecided: 409,
    KeyReused: 409,
    BadMessage: 422,
    HeadTooLarge: 422,
    Busy: 503,
}

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": why}
    for status, why in {
        401: "no key, or none that is in force",
        403: "the key has not that scope",
        404: "nothing of that id",
        409: "this changed since you looked, or the key stands for something else",
        413: "the request is too long",
        422: "a field is missing, misspelt or too long",
        503: "busy just now: try again",
    }.items()
}
"""What each route may answer besides its own."""


def create_api(counter: Counter, webhook_key: str = "") -> FastAPI:
    """The interface over one counter; receivers' own keys are made of ``webhook_key``."""
    api = FastAPI(
        title="Lanewise",
        version="1",
        summary="Tickets in, results out, decisions taken elsewhere.",
        docs_url=None,
        redoc_url=None,
        max_body_size=BODY_LIMIT,
    )
    api.state.counter, api.state.webhook_key = counter, webhook_key
    for room in (routes, interrupts, webhooks):
        api.include_router(room.router, responses=PROBLEMS)
    for kind, status in _STATUS.items():
        api.add_exception_handler(kind, _told(status))
    api.add_exception_handler(RequestValidationError, _misspelt)
    return api


def _misspelt(_: Request, error: Exception) -> JSONResponse:
    """Which field is wrong, and how; its value is not repeated, since it may be a customer's words."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    told = "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in found[:10])
    return JSONResponse({"error": told[:2000]}, status_code=422)


def _told(status: int) -> Callable[[Request, Exception], JSONResponse]:
    def tell(_: Request, error: Exception) -> JSONResponse:
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {"Retry-After": "1"} if status == 503 else {}
        return JSONResponse({"error": str(error)}, status_code=status, headers=headers)

    return tell
