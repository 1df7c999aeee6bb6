"""Puts the chat into the application: its routes' house, its refusals, and which other pages' scripts may call it."""

from __future__ import annotations

import secrets

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from desk.chat.chat_routes import IDENTITY_HEADER
from desk.chat.house import ChatHouse
from desk.chat.identity import Identity
from desk.chat.refusals import ChatRefused, told
from desk.chat.trying import TRY_ISSUER, Trying
from desk.counter import Counter
from desk.settings import ChatSection


def open_chat(app: FastAPI, counter: Counter, key: str = "") -> None:
    """Makes the chat ready; ``key`` reads the host pages' signed identities. SettingsError for one that cannot."""
    settings = counter.place.settings.chat
    house = ChatHouse(counter, settings, identities_of(settings, key))
    if counter.place.settings.company is None:
        # The made-up company's own page signs for made-up customers, by a key that dies with this process.
        app.state.trying = Trying(secrets.token_hex(32), settings.audience)
        house.trying = Identity(app.state.trying.key, TRY_ISSUER, settings.audience, settings.identity_minutes)
    app.state.chat = house
    app.add_exception_handler(ChatRefused, told)
    app.add_middleware(OtherPages, origins=settings.origins)


def identities_of(settings: ChatSection, key: str) -> tuple[Identity, ...]:
    """Whose tokens count."""
    if not key:
        return ()
    return (Identity(key, settings.issuer, settings.audience, settings.identity_minutes),)


class OtherPages:
    """Lets the scripts of the named pages call the chat, and nothing else here. No cookie is ever taken along."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        """``origins`` are whole: scheme, host and port."""
        self._app = app
        self._crossing = CORSMiddleware(
            app,
            allow_origins=list(origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "Last-Event-ID", IDENTITY_HEADER],
            expose_headers=["Retry-After"],
            max_age=600,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As the application, with the browser's questions about other origins answered for the chat."""
        chat = scope["type"] == "http" and scope["path"].startswith("/chat/")
        await (self._crossing if chat else self._app)(scope, receive, send)
