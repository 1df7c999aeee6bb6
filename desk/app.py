"""The web application: which rooms it has, and what a request meets that cannot be served."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from desk.accounts.oidc import COOKIE_LASTS, provider_for
from desk.api.app import create_api
from desk.api.webhooks import KEY_NAME, Teller
from desk.body_limit import BodyLimit
from desk.channels import Channel
from desk.chat import chat_routes, trying
from desk.chat.identity import take_key
from desk.chat.opening import open_chat
from desk.counter import Counter
from desk.error_answers import (
    OURS,
    Unexpected,
    as_json,
    misspelt,
    sentence_of,
    status_of,
    told_on_page,
    wants_json,
)
from desk.handed_secrets import take_secrets
from desk.pages import (
    act_routes,
    audit_routes,
    desk_routes,
    learning_routes,
    policy_routes,
    review_routes,
    session_routes,
)
from desk.security import Headers, NotSignedIn

ROOMS = (
    session_routes.router,
    desk_routes.router,
    act_routes.router,
    learning_routes.router,
    audit_routes.router,
    review_routes.router,
    policy_routes.router,
    chat_routes.router,
    trying.router,
)
"""Each room of the application brings its routes; the order is the order they are asked in."""


def create_app(
    counter: Counter,
    channel: Callable[[], Channel | None] = lambda: None,
    secrets: MutableMapping[str, str] | None = None,
) -> FastAPI:
    """The application over one counter, which it opens with that channel and closes with itself. ``secrets`` are those
    that were taken out of the environment; None takes them now. SettingsError where one is missing or cannot be used."""
    taken = take_secrets(os.environ) if secrets is None else secrets
    webhook_key = taken.get(KEY_NAME, "")

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        counter.open(channel())
        teller = Teller(counter, webhook_key)
        teller.start()
        counter.beside.append(teller)
        try:
            yield
        finally:
            teller.stop()
            counter.close()

    app = FastAPI(title="Lanewise", lifespan=life, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(BodyLimit)
    app.add_middleware(Unexpected)
    app.state.counter = counter
    app.state.provider = provider = provider_for(counter.place.settings.sign_in, taken)
    if provider is not None:
        app.add_middleware(
            SessionMiddleware,
            secret_key=provider.cookie_key,
            session_cookie="lanewise_signing_in",
            max_age=COOKIE_LASTS,
            path="/sign-in",
        )
    app.add_middleware(Headers)
    open_chat(app, counter, take_key(taken))
    for name, folder in static_folders().items():
        app.mount(f"/static/{name}", StaticFiles(directory=folder), name=f"static-{name}")
    for router in ROOMS:
        app.include_router(router)
    app.mount("/v1", create_api(counter, webhook_key))
    app.add_api_route("/healthz", lambda: _health(counter), include_in_schema=False)
    app.add_exception_handler(NotSignedIn, _to_sign_in)
    for kind in (*OURS, HTTPException):
        app.add_exception_handler(kind, _told)
    app.add_exception_handler(RequestValidationError, misspelt)
    return app


def static_folders() -> dict[str, Path]:
    """What is served to browsers as it is: our own few files, and htmx and Bootstrap out of their packages."""
    return {
        "lanewise": Path(str(resources.files("desk") / "static")),
        "htmx": Path(str(resources.files("js_lib_htmx") / "static" / "htmx")),
        "bootstrap": Path(str(resources.files("bootstrap") / "css")).parent,
    }


def _health(counter: Counter) -> JSONResponse:
    """200 while all parts are at work, or will be in a moment; 503 names what has stopped, or that nobody could tell for
    an hour whether a family has to be held back. What waits goes on waiting."""
    if not counter.worker.is_alive() or counter.worker.broken is not None:
        return JSONResponse({"worker": "stopped"}, status_code=503)
    said = {"worker": "at work" if counter.worker.warm.is_set() else "getting ready"}
    if trouble := counter.worker.narrowing.trouble:
        said["narrowing"] = f"broke off: {trouble}"
    if stopped := counter.stopped():
        return JSONResponse({**said, "worker": "at work", "stopped": list(stopped)}, status_code=503)
    return JSONResponse(said, status_code=503 if counter.worker.narrowing.overdue else 200)


async def _to_sign_in(request: Request, error: Exception) -> Response:
    if wants_json(request.scope):
        return as_json(request, error)
    if request.headers.get("HX-Request"):
        return Response(status_code=401, headers={"HX-Redirect": "/sign-in"})
    return RedirectResponse("/sign-in", status_code=303)


def _told(request: Request, error: Exception) -> Response:
    """An error in words: as JSON for a program, as a page for a browser, as a piece of one for htmx."""
    if wants_json(request.scope):
        return as_json(request, error)
    if isinstance(error, HTTPException):
        return told_on_page(request, error.status_code, str(error.detail))
    return told_on_page(request, status_of(error), sentence_of(request, error))
