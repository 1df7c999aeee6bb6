"""The interface as an application of its own under /v1, with its OpenAPI description."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from desk.api import interrupts, routes, webhooks
from desk.api.shapes import Problem
from desk.counter import Counter
from desk.error_answers import OURS, Unexpected, as_json, misspelt_as_json

PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": why}
    for status, why in {
        401: "no key, or none that is in force",
        403: "the key has not that scope",
        404: "nothing of that id",
        409: "this changed since you looked, or the key stands for something else",
        413: "the request is too long",
        422: "a field is missing, misspelt or too long",
        500: "something went wrong here; the sentence names what to look for in the log",
        503: "busy just now, or somebody has to look: try again",
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
    )
    api.state.counter, api.state.webhook_key = counter, webhook_key
    for room in (routes, interrupts, webhooks):
        api.include_router(room.router, responses=PROBLEMS)
    api.add_middleware(Unexpected)
    for kind in (*OURS, HTTPException):
        api.add_exception_handler(kind, as_json)
    api.add_exception_handler(RequestValidationError, misspelt_as_json)
    return api
