"""Two processes serve one ledger: whoever begins at the one goes on at the other, and everything happens once."""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from served_house import SETTINGS, Served, free_port

from desk.accounts.people import Role
from desk.accounts.signing_in import TRIES, hashed
from ledger.accounts import Accounts
from ledger.events import Kind
from ledger.history import History
from ledger.store import open_store

PASSWORD = "a-long-password-1"
ANSWER = "I have looked at it: the seats are yours. Hazel"
PATIENCE = 60.0


class Serving(Served):
    """A process that counts as started once it answers: nothing here waits for a run of the machine."""

    def answers(self) -> bool:
        """True where it takes calls."""
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Serving, Serving]]:
    """Two real `lanewise serve` over one workspace, each with a post room of its own."""
    workspace = tmp_path_factory.mktemp("two")
    (workspace / ".lanewise").mkdir()
    (workspace / "lanewise.toml").write_text(SETTINGS, encoding="utf-8")
    store = open_store(workspace / ".lanewise" / "ledger.sqlite3")
    for name in ("hazel", "ruben"):
        Accounts(store).add(name, "", hashed(PASSWORD), [Role.LEAD])
    store.close()
    houses = (Serving(workspace, free_port()), Serving(workspace, free_port()))
    starting = [threading.Thread(target=house.start) for house in houses]
    for thread in starting:
        thread.start()
    for thread in starting:
        thread.join()
    assert all(house.answers() for house in houses)
    yield houses
    for house in houses:
        house.stop()


def waits(until: Callable[[], Any], what: str) -> Any:
    """What it gives, once it gives anything."""
    deadline = time.monotonic() + PATIENCE
    while not (found := until()):
        assert time.monotonic() < deadline, f"{what} did not come about"
        time.sleep(0.05)
    return found


@dataclass
class Ear:
    """A customer's open page: it hears what one process streams."""

    url: str
    headers: dict[str, str]
    lines: list[dict[str, Any]] = field(default_factory=list)
    over: bool = False

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with httpx.stream("GET", self.url, headers=self.headers, timeout=PATIENCE, trust_env=False) as stream:
            for line in stream.iter_lines():
                if line.startswith("data: ") and "role" in (told := json.loads(line[6:])):
                    self.lines.append(told)
                if self.over:
                    return


@dataclass
class Chat:
    """One conversation, told to whichever process is named."""

    id: str
    headers: dict[str, str]

    @classmethod
    def begun(cls, at: Serving) -> Chat:
        made = httpx.post(f"{at.url}/chat/conversations", json={}, trust_env=False).raise_for_status().json()
        return cls(made["id"], {"Authorization": f"Bearer {made['secret']}"})

    def put(self, at: Serving, what: str, **body: str) -> Any:
        path = f"{at.url}/chat/conversations/{self.id}/{what}"
        return httpx.post(path, json=body, headers=self.headers, timeout=30, trust_env=False).raise_for_status().json()


@dataclass
class Lead:
    """Hazel's browser: one session, used at both."""

    cookies: dict[str, str]
    csrf: str = ""

    @classmethod
    def signed_in(cls, at: Serving) -> Lead:
        form = {"name": "hazel", "password": PASSWORD}
        answer = httpx.post(f"{at.url}/sign-in", data=form, timeout=30, trust_env=False)
        assert answer.status_code == 303, answer.text
        made = cls(dict(answer.cookies))
        found = re.search(r'X-CSRF-Token&#34;: &#34;([^&]+)|X-CSRF-Token": "([^"]+)', made.get(at, "/desk"))
        assert found is not None
        made.csrf = found[1] or found[2]
        return made

    def get(self, at: Serving, path: str) -> str:
        return httpx.get(f"{at.url}{path}", cookies=self.cookies, timeout=30, trust_env=False).raise_for_status().text

    def act(self, at: Serving, name: str, form: dict[str, str], csrf: str | None = None) -> httpx.Response:
        headers = {"X-CSRF-Token": self.csrf if csrf is None else csrf, "HX-Request": "true"}
        url = f"{at.url}/desk/act/{name}"
        return httpx.post(url, data=form, headers=headers, cookies=self.cookies, timeout=30, trust_env=False)

    def form(self, at: Serving, ticket: str, key: str, **more: str) -> dict[str, str]:
        shown = self.get(at, f"/desk/ticket?ticket={ticket}")
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', shown))
        return {"ticket": ticket, "seen": hidden["seen"], "review": hidden["review"], "key": key, **more}


def delivered(house: Serving, ticket: str) -> list[str]:
    """What left, by the record."""
    store = open_store(house.ledger)
    try:
        return [
            e.body.text or ""
            for e in History(store).timeline(ticket)
            if e.kind is Kind.DELIVERED and e.body is not None
        ]
    finally:
        store.close()


def test_a_session_begun_at_one_holds_at_the_other_and_so_does_the_forms_own_word(two: tuple[Serving, Serving]) -> None:
    a, b = two
    lead = Lead.signed_in(a)
    chat = Chat.begun(a)
    chat.put(a, "person", key="person-0001")
    assert chat.id in lead.get(b, "/desk/queue?tab=waiting")
    refused = lead.act(b, "claim", lead.form(b, chat.id, "claim-1"), csrf="made up")
    assert refused.status_code == 403 and "not of a page of yours" in refused.text
    assert lead.act(b, "claim", lead.form(a, chat.id, "claim-2")).status_code == 200
    assert "hazel claimed the thread" in lead.get(a, f"/desk/ticket?ticket={chat.id}")
    assert httpx.post(
        f"{b.url}/sign-out", data={"csrf": lead.csrf}, cookies=lead.cookies, timeout=30, trust_env=False
    ).is_redirect
    assert (
        httpx.get(f"{a.url}/desk", cookies=lead.cookies, timeout=30, trust_env=False).headers["location"] == "/sign-in"
    )


def test_a_chat_begun_at_one_goes_on_at_the_other_and_a_decision_is_heard_there_once(
    two: tuple[Serving, Serving],
) -> None:
    a, b = two
    lead, chat = Lead.signed_in(a), Chat.begun(a)
    chat.put(a, "messages", key="message-1", text="How many seats do we have?")
    ear = Ear(f"{b.url}/chat/conversations/{chat.id}/events", chat.headers)
    waits(lambda: ear.lines, "the first message at the other process")
    chat.put(b, "messages", key="message-2", text="And what would ten more cost?")
    assert chat.put(a, "messages", key="message-2", text="And what would ten more cost?")["first"] is False
    chat.put(a, "person", key="person-0001")
    form = lead.form(a, chat.id, "answer-1", text=ANSWER, reason="she asked for a person")
    told = lead.act(a, "answer", form)
    assert told.status_code == 200 and "Your answer leaves for the customer in the chat" in told.text
    again = lead.act(b, "answer", form)
    assert again.status_code == 200, "the same click, sent to the other process, decides once"
    waits(lambda: [line for line in ear.lines if line["role"] == "agent"], "the answer at the other process")
    waits(lambda: "hazel answered" in lead.get(b, f"/desk/ticket?ticket={chat.id}"), "the decision at the other desk")
    time.sleep(3)  # either post room looks again: a second copy would have left by now
    ear.over = True
    assert [line["text"] for line in ear.lines if line["role"] == "agent"] == [ANSWER]
    assert [line["number"] for line in ear.lines] == list(range(1, len(ear.lines) + 1))
    assert delivered(b, chat.id).count(ANSWER) == 1
    assert list((a.workspace / "outbox").glob("*.eml")) == []


def test_one_letter_by_mail_leaves_once_though_two_post_rooms_look(two: tuple[Serving, Serving]) -> None:
    a, b = two
    lead, chats = Lead.signed_in(b), [Chat.begun(a) for _ in range(4)]
    for number, chat in enumerate(chats):  # nobody's page is open
        chat.put(a, "person", key="person-0001")
        chat.put(b, "contact", email=f"customer{number}@fernhollow.example")
        form = lead.form((a, b)[number % 2], chat.id, "answer-1", text=ANSWER, reason="she asked for a person")
        assert lead.act((b, a)[number % 2], "answer", form).status_code == 200
    mails: Callable[[], list[Path]] = lambda: sorted((a.workspace / "outbox").glob("*.eml"))  # noqa: E731
    waits(lambda: len(mails()) == len(chats), "a letter for each")
    waits(lambda: all(delivered(a, chat.id) for chat in chats), "the record of each")
    time.sleep(3)
    assert len(mails()) == len(chats)
    assert {next(line for line in m.read_text().splitlines() if line.startswith("To: ")) for m in mails()} == {
        f"To: customer{number}@fernhollow.example" for number in range(len(chats))
    }
    assert all(delivered(b, chat.id).count(ANSWER) == 1 for chat in chats)


def test_wrong_passwords_at_one_count_at_the_other(two: tuple[Serving, Serving]) -> None:
    def said(at: Serving, password: str) -> str:
        form = {"name": "ruben", "password": password}
        return httpx.post(f"{at.url}/sign-in", data=form, timeout=30, trust_env=False).text

    for number in range(TRIES):
        assert "do not belong together" in said(two[number % 2], "x" * 12)
    assert all("too many wrong passwords" in said(at, PASSWORD) for at in two)
