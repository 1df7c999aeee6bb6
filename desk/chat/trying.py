"""The page for trying the chat, and its made-up customers; only where the company is made up too."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from joserfc import jwt
from joserfc.jwk import OctKey
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response

from desk.pages.templates import page

TRY_ISSUER = "lanewise-try"
router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody whom a newcomer can write as."""

    account_id: str
    email: str
    name: str
    company: str
    plan: str


CUSTOMERS: Mapping[str, Customer] = {
    "hazel": Customer("A-1001", "hazel@maplefinch.example", "Hazel Lindqvist", "Maple & Finch Studio", "team, monthly"),
    "nadia": Customer("A-1003", "nadia@brightwater.example", "Nadia Ferro", "Brightwater Clinics", "business, annual"),
    "corin": Customer(
        "A-1002", "corin@northgate-logistics.example", "Corin Maddox", "Northgate Logistics", "enterprise"
    ),
}

QUESTIONS = (
    ("a routine question", "What file types can I upload?"),
    ("a question about one's own account", "How many seats do we have?"),
    ("a wish that needs a decision", "Please refund last month, we hardly used it."),
    ("a question of access", "I am locked out and lost my phone. Please switch off two-step sign-in for me."),
)
"""What each lane makes of a message, one each."""


@dataclass(frozen=True, slots=True)
class Trying:
    """Signs for the made-up customers, as a host page would."""

    key: str
    audience: str

    def token(self, customer: Customer) -> str:
        """A token that lives for five minutes."""
        now = int(time.time())
        claims: dict[str, Any] = {"iss": TRY_ISSUER, "aud": self.audience, "iat": now, "exp": now + 300}
        claims |= {"account_id": customer.account_id, "email": customer.email, "name": customer.name}
        return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(self.key))


@router.get("/try")
def try_page(request: Request) -> Response:
    """A host page of the made-up company."""
    _trying(request)
    who = request.query_params.get("as", "")
    return page(request, "try.html", customers=CUSTOMERS, who=who if who in CUSTOMERS else "", questions=QUESTIONS)


@router.get("/try/identity/{who}")
def identity(who: str, request: Request) -> Response:
    """The signed identity of a made-up customer, as a host's own server would give it to its page."""
    trying = _trying(request)
    if who not in CUSTOMERS:
        raise HTTPException(404, "nobody of that name is among the made-up customers")
    return PlainTextResponse(trying.token(CUSTOMERS[who]))


def _trying(request: Request) -> Trying:
    trying: Trying | None = getattr(request.app.state, "trying", None)
    if trying is None:
        raise HTTPException(404, "this page belongs to the made-up company; your own pages show the chat: docs/chat.md")
    return trying
