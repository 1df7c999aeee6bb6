"""A counter over the made-up company behind an HTTP client, with a key that may do what a test says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from desk.api.callers import Scope
from desk.api.webhooks import KEY_NAME
from desk.app import create_app
from desk.channels.eml import EmlChannel
from desk.counter import Counter
from desk.settings import load_settings
from desk.workplace import open_workplace
from ledger.interface import Interface

WEBHOOK_KEY = "k" * 40


class Calls:
    """An HTTP client that shows a key."""

    def __init__(self, client: TestClient, counter: Counter, folder: Path) -> None:
        self.client, self.counter, self.letters = client, counter, folder
        self.key_id, self.headers = "", {"Authorization": "Bearer none"}

    def show_key(self, *scopes: Scope) -> str:
        """Shows a new key with those scopes from here on; returns its text."""
        key, text = Interface(self.counter.place.store).add_key("helpdesk", scopes)
        self.key_id, self.headers = key.id, {"Authorization": f"Bearer {text}"}
        return text

    def get(self, path: str) -> Any:
        """What stands there; the status is expected to be 200."""
        answer = self.client.get(f"/v1{path}", headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any, status: int) -> Any:
        """What came of it; with the status that is expected."""
        answer = self.client.post(f"/v1{path}", json=body, headers=self.headers)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def worked_on(self, ticket: str, seconds: float = 120.0) -> Any:
        """The ticket once the worker is done with it."""
        deadline = time.monotonic() + seconds
        while (found := self.get(f"/tickets/{ticket}?wait=5"))["working"]:
            assert time.monotonic() < deadline, "the worker did not come to it"
        return found

    def left(self, number: int, seconds: float = 60.0) -> list[str]:
        """The letters that left, once there are that many."""
        deadline = time.monotonic() + seconds
        while len(found := sorted(self.letters.glob("*.eml"))) < number:
            assert time.monotonic() < deadline, f"{len(found)} letters left, not {number}"
            time.sleep(0.05)
        return [file.read_text(encoding="utf-8") for file in found]

    def left_with(self, words: str, seconds: float = 60.0) -> str:
        """The letter that holds those words, once it has left."""
        deadline = time.monotonic() + seconds
        while not (found := [letter for letter in self.left(0) if words in letter]):
            assert time.monotonic() < deadline, "no letter with those words left"
            time.sleep(0.05)
        return found[0]


@contextmanager
def served(folder: Path) -> Iterator[Calls]:
    """The whole counter, served."""
    (folder / "lanewise.toml").write_text('[webhooks]\ninside = ["127.0.0.1"]\n')
    place = open_workplace(load_settings(folder, {}), {})
    counter = Counter(place)
    channel = EmlChannel(folder / "letters", "support@lanewise.example")
    with TestClient(create_app(counter, lambda: channel, {KEY_NAME: WEBHOOK_KEY})) as client:
        yield Calls(client, counter, folder / "letters")
    place.store.close()


def ticket(ticket_id: str, text: str, **more: Any) -> dict[str, Any]:
    """A ticket as a helpdesk sends it."""
    return {
        "id": ticket_id,
        "key": f"{ticket_id}-1",
        "text": text,
        "subject": "A question",
        "requester": {"email": "ines@fernhollow.example", "name": "Ines"},
        **more,
    }
