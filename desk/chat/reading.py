"""What a customer's page sends, read strictly, and what it is shown, as plain JSON."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, TypeVar

from fastapi import Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from desk.channels.address import plain_address
from desk.chat.house import TEXT_LIMIT
from desk.chat.refusals import ChatRefused
from ledger.chats import ChatState, Line, Shown
from ledger.words import keepable

BODY_LIMIT = 64_000
"""Most bytes of one call."""
_KEY = re.compile(r"[A-Za-z0-9_-]{8,100}")


def _kept(value: object) -> object:
    # A lone surrogate (half of an emoji that was cut) is kept as U+FFFD, as the ledger keeps it.
    return keepable(value) if isinstance(value, str) else value


def _worded(text: str) -> str:
    if not text.strip():
        raise ValueError("the message is empty")
    return text.strip()


def _a_key(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError("a key is 8 to 100 letters, digits, - or _, and new for each message")
    return key


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Keyed(_Said):
    """An act that happens once, however often it is told."""

    key: Annotated[str, AfterValidator(_a_key)]


class Message(Keyed):
    """What the customer wrote."""

    text: Annotated[str, BeforeValidator(_kept), Field(max_length=TEXT_LIMIT), AfterValidator(_worded)]


class Contact(_Said):
    """Where the customer can be reached."""

    email: Annotated[
        str, BeforeValidator(_kept), Field(max_length=254), AfterValidator(lambda e: plain_address(e.strip()))
    ]


class Start(_Said):
    """A new conversation asks for nothing."""


Told = TypeVar("Told", bound=BaseModel)


async def body_of(request: Request) -> bytes:
    """The call's body. ChatRefused where it is longer than anything a page sends."""
    found = b""
    async for chunk in request.stream():
        found += chunk
        if len(found) > BODY_LIMIT:
            raise ChatRefused(413, "too_long", f"a call may have {BODY_LIMIT:,} bytes at most")
    return found


def read(kind: type[Told], body: bytes) -> Told:
    """The body as that kind. ChatRefused names the field, and never repeats what was sent."""
    try:
        return kind.model_validate(json.loads(body or b"{}"))
    except ValidationError as error:
        said = "; ".join(_in_words(item["loc"], item["msg"]) for item in error.errors(include_input=False)[:3])
        raise ChatRefused(400, "bad_call", said) from error
    except (ValueError, RecursionError) as error:
        raise ChatRefused(400, "bad_call", "the call is no JSON") from error


def _in_words(place: tuple[int | str, ...], message: str) -> str:
    where = ".".join(str(part) for part in place)[:80]
    return f"{where}: {message.removeprefix('Value error, ')}" if where else message


def line_json(line: Line) -> dict[str, Any]:
    """One thing that was said."""
    return {
        "number": line.number,
        "role": line.role,
        "text": line.text,
        "at": line.at.isoformat(),
        "key": line.key,
        "piece": line.piece,
        "asks_person": line.asks_person,
        "erased": line.erased,
        "mailed": line.mailed,
    }


def state_json(shown: Shown) -> dict[str, Any]:
    """How the conversation stands. An address is asked for where a person is asked, none has taken the thread, and
    nobody knows where the customer can be reached."""
    return {
        "state": shown.state.value,
        "person_asked": shown.person_asked,
        "asks_contact": shown.state is ChatState.ASKED and not shown.contact,
        "count": len(shown.lines),
    }
