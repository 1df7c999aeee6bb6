"""Who calls: a key in the Authorization header, and the scopes that it has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from desk.errors import NotAllowed
from desk.security import NotSignedIn, counter_of
from ledger.interface import ApiKey, Interface


class Scope(StrEnum):
    """What a key may be for."""

    TICKETS_WRITE = "tickets:write"
    TICKETS_READ = "tickets:read"
    TICKETS_VOUCH = "tickets:vouch"
    DECISIONS_WRITE = "decisions:write"
    CHANGES_ORDER = "changes:order"
    WEBHOOKS_WRITE = "webhooks:write"


WHY = {
    Scope.TICKETS_WRITE: "file customers' messages",
    Scope.TICKETS_READ: "read results, threads, drafts, packets, reviews and outcomes",
    Scope.TICKETS_VOUCH: "say of a requester that they are verified: who holds it can have account facts told",
    Scope.DECISIONS_WRITE: "send what people decided, under their names",
    Scope.CHANGES_ORDER: "order changes of state: refunds, credits, access",
    Scope.WEBHOOKS_WRITE: "have results sent to an address",
}
"""What each scope gives, for the command line and the docs."""

_bearer = HTTPBearer(auto_error=False, description="A key made by `lanewise key add`.")


@dataclass(frozen=True, slots=True)
class Caller:
    """A system that calls."""

    key: ApiKey

    def check(self, scope: Scope) -> None:
        """NotAllowed names the scope that is missing."""
        if scope not in self.key.scopes:
            raise NotAllowed(f"key {self.key.id} has no scope {scope}: it could {WHY[scope]}")

    def may(self, scope: Scope) -> bool:
        """True where the key has that scope."""
        return scope in self.key.scopes


def caller(*scopes: Scope) -> Callable[..., Caller]:
    """A dependency: who calls, where their key has each of the scopes. NotSignedIn, NotAllowed."""

    def check(request: Request, shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Caller:
        store = counter_of(request).place.store
        key = Interface(store).holder(shown.credentials) if shown is not None else None
        if key is None:
            raise NotSignedIn("send `Authorization: Bearer KEY` with a key that is in force")
        who = Caller(key)
        for scope in scopes:
            who.check(scope)
        return who

    return check
