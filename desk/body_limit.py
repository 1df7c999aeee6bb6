"""How long a request may be, and how a longer one is refused before it is read."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from desk.error_answers import as_json, told_on_page, wants_json

BODY_LIMIT = 1_000_000
"""Most bytes of one request."""
WITH_THEIR_OWN = re.compile(r"/chat/conversations/[^/]+/files")
"""The paths of routes that say how much they take (``max_body_size``)."""


class BodyLimit:
    """Refuses a longer request in the shape that whoever asks expects. The framework's own limit answers in plain text."""

    def __init__(self, app: ASGIApp) -> None:
        """Around the routes, inside what guards every answer."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the route where the request says that it is short, and stops reading one that said so and is not."""
        if scope["type"] != "http" or WITH_THEIR_OWN.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        said = Headers(scope=scope).get("content-length", "")
        if said.isascii() and said.isdigit() and int(said[:20]) > BODY_LIMIT:
            request, error = Request(scope), _too_long()
            answer = (
                as_json(request, error)
                if wants_json(scope)
                else told_on_page(request, error.status_code, str(error.detail))
            )
            await answer(scope, receive, send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > BODY_LIMIT:
                raise _too_long()
            return message

        await self._app(scope, counted, send)


def _too_long() -> HTTPException:
    return HTTPException(413, f"the request is too long: {BODY_LIMIT:,} bytes at most. Nothing was done.")
