"""Who is told of results, and how they know that it is us: a signature over time and body, under a key of their own."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from desk.api.callers import Caller, Scope, caller
from desk.api.calling_out import NotOutside, call, check_url
from desk.api.reading import ticket_json
from desk.api.shapes import WebhookIn, WebhookOut
from desk.counter import Counter
from desk.errors import DecisionRefused, DeskError, NotAllowed
from desk.security import TheCounter
from ledger.errors import LedgerError, UnknownTicket
from ledger.interface import Interface, News, Webhook

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())

router = APIRouter()
Keeper = Annotated[Caller, Depends(caller(Scope.WEBHOOKS_WRITE, Scope.TICKETS_READ))]

KEY_NAME = "LANEWISE_WEBHOOK_KEY"
"""What each receiver's own signing key is made of. Handed in by the environment alone, and taken out of it at the start."""
LOOK_SECONDS = 1.0
PATIENCE = 10.0
"""Seconds for one call, and for one receiver's turn."""
AT_ONCE = 8
"""Receivers that are told at the same time."""
MOST_OF_A_KEY = 10
"""Webhooks of one key."""


@router.post("/webhooks", status_code=201)
def add_webhook(given: WebhookIn, request: Request, counter: TheCounter, who: Keeper) -> WebhookOut:
    """Have results sent to an address: HTTPS, or plain HTTP to this very machine where the settings allow it. Its signing
    secret is told this once."""
    check_url(given.url, counter.place.settings.webhooks.inside)
    secret: str = request.app.state.webhook_key
    check_key(secret)
    interface = Interface(counter.place.store)
    if len(interface.webhooks(who.key.id)) >= MOST_OF_A_KEY:
        raise DecisionRefused(f"this key has made {MOST_OF_A_KEY} webhooks; end one of them first")
    made = interface.add_webhook(given.url, who.key.id)
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
    """Tells each receiver what it has not confirmed yet, in order, at least once. One that is slow or breaks keeps no
    other waiting: each is told by a thread of its own, and for a while at a time."""

    def __init__(self, counter: Counter, secret: str) -> None:
        """For one counter; it reads the ledger and holds no channel. Receivers' keys are made of ``secret``."""
        super().__init__(name="lanewise-webhooks", daemon=True)
        self._counter, self._secret = counter, secret
        self._interface = Interface(counter.place.store)
        self._over = threading.Event()
        self._in_hand: dict[str, Future[None]] = {}

    def stop(self) -> None:
        """Ends it after the calls in hand."""
        self._over.set()

    def run(self) -> None:
        """The thread's own."""
        with ThreadPoolExecutor(AT_ONCE, "lanewise-webhook") as threads:
            while not self._over.wait(LOOK_SECONDS):
                try:
                    self._look(threads)
                except Exception as error:  # what is not told now is told by a later look
                    _log.warning("receivers cannot be told just now: %s", type(error).__name__)

    def _look(self, threads: ThreadPoolExecutor) -> None:
        self._in_hand = {one: told for one, told in self._in_hand.items() if not told.done()}
        for webhook in self._interface.webhooks():
            if webhook.id not in self._in_hand:
                self._in_hand[webhook.id] = threads.submit(self._tell, webhook)

    def _tell(self, webhook: Webhook) -> None:
        """Whatever a receiver does to the call counts as its failure, and is nobody else's."""
        try:
            self._tell_in_turn(webhook)
        except (LedgerError, DeskError) as error:
            _log.warning("receiver %s cannot be told just now: %s", webhook.id, type(error).__name__)
        except Exception as error:
            _log.warning("receiver %s broke its telling: %s", webhook.id, type(error).__name__)
            with suppress(LedgerError):
                self._interface.failed(webhook.id)

    def _tell_in_turn(self, webhook: Webhook) -> None:
        key, until = signing_key(self._secret, webhook.id), time.monotonic() + PATIENCE
        for news in self._interface.news(webhook):
            if self._over.is_set() or time.monotonic() > until:
                return  # the next look goes on, after the others' turn
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
        inside = self._counter.place.settings.webhooks.inside
        try:
            return 200 <= call(webhook.url, body, headers, inside=inside, seconds=PATIENCE) < 300
        except (OSError, HTTPException, NotOutside, ValueError) as error:
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
