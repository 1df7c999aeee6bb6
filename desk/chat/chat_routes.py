"""The chat's routes: each but the first is for who holds the conversation's secret."""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from desk.chat.files import MEGABYTE, MOST_MEGABYTES, NAME_LIMIT, file_of
from desk.chat.house import WISH, ChatHouse
from desk.chat.reading import Contact, Keyed, Message, Start, body_of, line_json, read, state_json
from desk.chat.refusals import ChatRefused
from desk.chat.streaming import stream
from ledger.chats import Chat

router = APIRouter(prefix="/chat", include_in_schema=False)

IDENTITY_HEADER = "Lanewise-Identity"
"""Carries the host page's signed identity."""
_LANGUAGE = re.compile(r"[a-z]{2}")


async def house_of(request: Request) -> ChatHouse:
    """The chat that serves this request. It waits for nothing: no thread is needed for it."""
    house: ChatHouse = request.app.state.chat
    return house


TheHouse: TypeAlias = Annotated[ChatHouse, Depends(house_of)]
Body: TypeAlias = Annotated[bytes, Depends(body_of)]
File: TypeAlias = Annotated[bytes, Depends(file_of)]


def opened(conversation: str, request: Request, house: TheHouse) -> Chat:
    """The conversation, where the call carries its secret and the right identity."""
    secret = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
    return house.opened(conversation, secret, request.headers.get(IDENTITY_HEADER, ""))


Opened: TypeAlias = Annotated[Chat, Depends(opened)]


@router.get("/words/{language}")
def words(language: str) -> Response:
    """The widget's words in a language besides English; none where we have none."""
    found = resources.files("desk") / "static" / f"chat-{language}.json"
    text = found.read_text(encoding="utf-8") if _LANGUAGE.fullmatch(language) and found.is_file() else "{}"
    return Response(text, media_type="application/json", headers={"Cache-Control": "public, max-age=3600"})


@router.post("/conversations")
def start(request: Request, house: TheHouse, body: Body) -> JSONResponse:
    """A new conversation, with the secret that only this browser will hold."""
    read(Start, body)
    somebody = house.somebody(request.headers.get(IDENTITY_HEADER, ""))
    conversation, secret = house.start(somebody, request.client.host if request.client else "")
    return JSONResponse({"id": conversation, "secret": secret, "verified": somebody is not None}, status_code=201)


@router.get("/conversations/{conversation}")
def whole(chat: Opened, house: TheHouse) -> dict[str, Any]:
    """The whole thread, for a page that was loaded anew or cannot keep a stream open."""
    house.here(chat)
    shown = house.shown(chat)
    return {"lines": [line_json(line) for line in shown.lines], **state_json(shown)}


@router.post("/conversations/{conversation}/messages")
def write(chat: Opened, house: TheHouse, body: Body) -> JSONResponse:
    """Files a message. 202 from the moment on that it cannot be lost."""
    said = read(Message, body)
    received = house.write(chat, said.key, said.text)
    return JSONResponse({"key": said.key, "first": received.first}, status_code=202)


@router.post("/conversations/{conversation}/files", max_body_size=MOST_MEGABYTES * MEGABYTE + 1)
def send_file(chat: Opened, house: TheHouse, what: File, key: str = "", name: str = "") -> JSONResponse:
    """Takes one file, as the call's body: it is kept for a person, and a message in the thread names it."""
    read(Keyed, json.dumps({"key": key}).encode())
    received = house.send_file(chat, f"file-{key}", name[:NAME_LIMIT], what)
    return JSONResponse({"key": key, "first": received.first}, status_code=202)


@router.post("/conversations/{conversation}/person")
def ask_for_person(chat: Opened, house: TheHouse, body: Body) -> JSONResponse:
    """Asks for a person; from this answer on the conversation is theirs, whatever any model says."""
    said = read(Keyed, body)
    received = house.write(chat, f"person-{said.key}", WISH, asks_person=True)
    return JSONResponse({"key": said.key, "first": received.first}, status_code=202)


@router.post("/conversations/{conversation}/contact")
def leave_contact(chat: Opened, house: TheHouse, body: Body) -> JSONResponse:
    """Leaves an address for the people who answer. It verifies nobody."""
    house.leave_contact(chat, read(Contact, body).email)
    return JSONResponse({"kept": True}, status_code=202)


@router.post("/conversations/{conversation}/close")
def close(chat: Opened, house: TheHouse, body: Body) -> JSONResponse:
    """The customer says that it is settled. A later message opens the same conversation again."""
    house.close(chat, f"close-{read(Keyed, body).key}")
    return JSONResponse({"closed": True}, status_code=202)


@router.get("/conversations/{conversation}/events")
def events(chat: Opened, house: TheHouse, request: Request) -> StreamingResponse:
    """What has left, as it leaves, and how the conversation stands; from ``Last-Event-ID`` on."""
    since = request.headers.get("last-event-id", "") or request.query_params.get("since", "")
    if since and not (since.isascii() and since.isdigit() and len(since) < 9):
        raise ChatRefused(400, "bad_call", "Last-Event-ID is no number of this stream")
    house.check_streams(chat.ticket)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream(house, chat, int(since or 0)), media_type="text/event-stream", headers=headers)
