"""What the chat says no to, in words for a customer's page and with a code for its script."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import JSONResponse

from desk.errors import DeskError


class ChatRefused(DeskError):
    """A call of a customer's page was not carried out; nothing of it was filed."""

    def __init__(self, status: int, code: str, said: str, retry_after: int | None = None) -> None:
        """``code`` is for the page's script, ``said`` for people; ``retry_after`` is in seconds."""
        super().__init__(said)
        self.status, self.code, self.retry_after = status, code, retry_after


def told(request: Request, error: Exception) -> JSONResponse:
    """The refusal as JSON."""
    assert isinstance(error, ChatRefused)
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    return JSONResponse({"error": str(error), "code": error.code}, status_code=error.status, headers=headers)
