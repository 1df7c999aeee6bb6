"""Who is told of results, and how they know that it is us: a signature over time and body, under a key of their own."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import logging
import threading
import urllib.error
import urllib.request
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request

from desk.api.callers import Caller, Scope, caller
from desk.api.reading import ticket_json
from desk.api.shapes import WebhookIn, WebhookOut
from desk.counter import Counter
from desk.errors import DecisionRefused, NotAllowed
from desk.security import TheCounter
from ledger.errors import UnknownTicket
from ledger.interface import Interface, News, Webhook

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())

router = APIRouter()
Keeper = Annotated[Caller, Depends(caller(Scope.WEBHOOKS_WRITE, Scope.TICKETS_READ))]

KEY_NAME = "LANEWISE_WEBHOOK_KEY"
"""What each receiver's own signing key is made of. Handed in by the environment alone, and taken out of it at the start."""
LOOK_SECONDS = 1.0
PATIENCE = 10.0
"""Seconds for one call."""


@router.post("/webhooks", status_code=201)
def add_webhook(given: WebhookIn, request: Request, counter: TheCounter, who: Keeper) -> WebhookOut:
    """Have results sent to an address: HTTPS, or plain HTTP to this very machine. Its signing secret is told this once."""
    _checked(given.url)
    secret: str = request.app.state.webhook_key
    check_key(secret)
    made = Interface(counter.place.store).add_webhook(given.url, who.key.id)
    return WebhookOut(id=made.id, url=made.url, failures=0, secret=signing_key(secret, made.id))


@router.get("/webhooks")
def webhooks(counter: TheCounter, who: Keeper) -> list[WebhookOut]:
    """The receivers that this key has made."""
    found = Interface(counter.place.store).webhooks(who.key.id)
    return [WebhookOut(id=w.id, url=w.url, failures=w.failures) for w in found]


@router.delete("/webhooks/{webhook_id}", status_code=204)
def end_webhook(webhook_id: str, counter: TheCounter, who: Keeper) -> None:
    """It is told no more."""
    interface = Interface(counter.place.store)
    if interface.webhook(webhook_id).key_id != who.key.id:
        raise NotAllowed("another key made this webhook")
    interface.end_webhook(webhook_id)


def signing_key(secret: str, webhook_id: str) -> str:
    """The key that one receiver's messages are signed with; made anew each time, stored nowhere. DecisionRefused where
    there is nothing to make it of."""
    check_key(secret)
    return hmac.new(secret.encode(), f"webhook/{webhook_id}".encode(), hashlib.sha256).hexdigest()


def check_key(secret: str) -> None:
    """DecisionRefused where receivers' keys could be guessed, or there is nothing to make them of."""
    if len(secret) < 32:
        raise DecisionRefused(
            f"webhooks need {KEY_NAME} in the environment of `lanewise serve`: 32 random characters at least"
        )


def signature(key: str, moment: int, body: bytes) -> str:
    """What the header holds: the time in seconds and HMAC-SHA256 over ``TIME.BODY``, so that an old message that
    somebody sends again is known by its time."""
    made = hmac.new(key.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={made}"


class Teller(threading.Thread):
    """Tells each receiver what it has not confirmed yet, in order, at least once."""

    def __init__(self, counter: Counter, secret: str) -> None:
        """For one counter; it reads the ledger and holds no channel. Receivers' keys are made of ``secret``."""
        super().__init__(name="lanewise-webhooks", daemon=True)
        self._counter, self._secret = counter, secret
        self._interface = Interface(counter.place.store)
        self._over = threading.Event()
        self._opener = urllib.request.build_opener(_NoRedirect)

    def stop(self) -> None:
        """Ends it after the call in hand."""
        self._over.set()

    def run(self) -> None:
        """The thread's own."""
        while not self._over.wait(LOOK_SECONDS):
            try:
                for webhook in self._interface.webhooks():
                    self._tell(webhook)
            except Exception as error:  # what is not told now is told by a later look, and others are told meanwhile
                _log.warning("receivers cannot be told just now: %s", type(error).__name__)

    def _tell(self, webhook: Webhook) -> None:
        key = signing_key(self._secret, webhook.id)
        for news in self._interface.news(webhook):
            if self._over.is_set():
                return
            if not self._taken(webhook, key, news):
                self._interface.failed(webhook.id)
                return
            self._interface.confirmed(webhook.id, news.seq)

    def _taken(self, webhook: Webhook, key: str, news: News) -> bool:
        body = json.dumps(self._told(news), ensure_ascii=False).encode()
        moment = int(self._counter.place.store.now().timestamp())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "lanewise",
            "Lanewise-Event": str(news.seq),
            "Lanewise-Signature": signature(key, moment, body),
        }
        # The address was checked when it was made: HTTPS, or HTTP to this machine.
        request = urllib.request.Request(webhook.url, body, headers, method="POST")
        try:
            with self._opener.open(request, timeout=PATIENCE) as answer:
                return 200 <= int(answer.status) < 300
        except (urllib.error.URLError, OSError, ValueError) as error:
            _log.warning("receiver %s did not take event %s: %s", webhook.id, news.seq, type(error).__name__)
            return False

    def _told(self, news: News) -> dict[str, Any]:
        try:
            result = ticket_json(self._counter, news.ticket, working=False)
        except UnknownTicket:
            result = None
        return {
            "event": news.seq,
            "kind": news.kind.value,
            "at": news.at.isoformat(),
            "ticket": news.ticket,
            "result": result,
        }


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A receiver that sends us elsewhere has not taken it."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _checked(url: str) -> None:
    """DecisionRefused for an address that results must not be sent to."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise DecisionRefused(f"{url[:80]!r} is no address: {error}") from None
    if parts.username or parts.password:
        raise DecisionRefused("an address with a name or password in it would be stored: leave them out")
    if parts.fragment or not url.isascii() or any(c.isspace() or ord(c) < 32 for c in url):
        raise DecisionRefused(f"{url[:80]!r} is no plain address")
    if not (parts.scheme == "https" and host) and not (parts.scheme == "http" and _is_here(host)):
        raise DecisionRefused("results go to https:// addresses, or to http:// on this very machine")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
