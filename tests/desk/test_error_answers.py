"""Whatever goes wrong, who asked is told a sentence and a fitting status; what is inside is told to the log alone."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.testclient import TestClient

from desk.accounts.people import Role
from desk.accounts.signing_in import start_session
from desk.app import ROOMS, create_app
from desk.body_limit import WITH_THEIR_OWN
from desk.counter import Counter
from desk.error_answers import FOR_THE_LOG, OURS, sentence_of, status_of
from desk.errors import ChangedSince, DeskError, FilesInTheWay
from desk.pages import act_routes, desk_routes
from desk.security import COOKIE, CSRF_HEADER
from desk.serving import _Plain
from desk.settings import load_settings
from desk.workplace import open_workplace
from ledger.chats import Chats
from ledger.errors import AlreadyClaimed, CannotSeal, KeyReused, LedgerError, PacketRefused, StaleDecision, StoreBroken
from ledger.interface import Interface

INSIDE = "/srv/lanewise/.lanewise/ledger.sqlite3 and hazel@maplefinch.example"


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    """A counter that is not opened: neither worker nor post room runs."""
    place = open_workplace(load_settings(tmp_path, {}), {})
    made = Counter(place)
    made.accounts.add("hazel", "hazel@desk.example", None, [Role.LEAD])
    yield made
    place.store.close()


@pytest.fixture
def client(counter: Counter) -> TestClient:
    """A lead's browser, which is told what a browser is told and sees no error of the server's."""
    made = TestClient(create_app(counter, secrets={}), follow_redirects=False)
    token = start_session(counter.accounts, "hazel")
    made.cookies.set(COOKIE, token)
    session = counter.accounts.session(token)
    assert session is not None
    made.headers[CSRF_HEADER] = session.csrf
    return made


def every(kind: type[Exception]) -> list[type[Exception]]:
    return [kind, *(found for below in kind.__subclasses__() for found in every(below))]


def made(kind: type[Exception]) -> Exception:
    special = {
        StaleDecision: lambda: StaleDecision(["it"]),
        ChangedSince: lambda: ChangedSince(["it"]),
        KeyReused: lambda: KeyReused("T-1", "k", "a", "b"),
        PacketRefused: lambda: PacketRefused(["it"]),
        FilesInTheWay: lambda: FilesInTheWay(Path("x"), [Path("y")]),
    }
    return special[kind]() if kind in special else kind.__new__(kind, "a sentence")


ON_PAGES = [
    kind
    for kind in (*every(LedgerError), *every(DeskError))
    if not kind.__module__.startswith(
        ("desk.chat", "desk.mailbox")
    )  # the chat answers its own, the mailbox has no page
]


@pytest.mark.parametrize("kind", ON_PAGES, ids=lambda kind: kind.__name__)
def test_each_error_of_ours_has_a_fitting_status_and_its_sentence_or_an_id(kind: type[Exception]) -> None:
    error = made(kind)
    assert 400 <= status_of(error) < 500 or status_of(error) == 503
    said = sentence_of(Request({"type": "http", "method": "GET", "path": "/", "headers": []}), error)
    assert ("error-" in said) is isinstance(error, FOR_THE_LOG)
    assert isinstance(error, FOR_THE_LOG) or said == str(error) != ""


@pytest.mark.parametrize("error", [StoreBroken(INSIDE), CannotSeal(INSIDE)], ids=lambda e: type(e).__name__)
def test_what_only_the_log_may_know_is_told_there_under_the_id_that_the_page_gives(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(desk_routes.OperatorInbox, "queue", breaks)
    with caplog.at_level(logging.ERROR):
        told = client.get("/desk")
    assert told.status_code == 503 and "nothing was done" in told.text and "srv/lanewise" not in told.text
    (found,) = re.findall(r"error-[0-9a-f]{8}", told.text)
    (record,) = caplog.records
    assert found in record.getMessage()
    record.exc_text = None  # as another formatter wrote it
    written = _Plain().format(record)
    assert type(error).__name__ in written and "breaks" in written and "hazel@" not in written


@pytest.mark.parametrize("path", ["/desk", "/v1/reviews", "/chat/conversations"])
def test_what_nobody_expected_is_answered_with_an_id_and_nothing_from_inside(
    client: TestClient, counter: Counter, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise RuntimeError(INSIDE)

    monkeypatch.setattr(desk_routes.OperatorInbox, "queue", breaks)
    monkeypatch.setattr("ledger.reviews.Reviews.open", breaks)
    monkeypatch.setattr(Chats, "start", breaks)
    _, key = Interface(counter.place.store).add_key("helpdesk", ["tickets:read"])
    headers = {"Authorization": f"Bearer {key}"}
    told = client.post(path, json={}) if path.startswith("/chat") else client.get(path, headers=headers)
    assert told.status_code == 500 and "look before you try again" in told.text
    assert "srv/lanewise" not in told.text and "RuntimeError" not in told.text
    assert told.headers["content-security-policy"] and told.headers["x-content-type-options"] == "nosniff"
    assert path == "/desk" or re.search(r"error-[0-9a-f]{8}", told.json()["error"])


def test_a_refusal_at_the_desk_is_a_piece_of_the_page_so_that_what_was_typed_stays(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> str:
        raise AlreadyClaimed("Oona has the thread of ticket 'T-1'")

    monkeypatch.setattr(act_routes, "do", refuses)
    monkeypatch.setattr(act_routes, "Asked", lambda *_: None)
    told = client.post("/desk/act/claim", data={"ticket": "T-1"}, headers={"HX-Request": "true"})
    assert (told.status_code, told.text.count("<html")) == (409, 0)
    assert "Oona has the thread" in told.text and 'role="alert"' in told.text


def test_a_field_that_is_misspelt_is_named_and_its_value_is_not_repeated(client: TestClient) -> None:
    told = client.get("/desk/changes?ticket=T-1&mark=hazel-at-maplefinch")
    assert told.status_code == 422 and "mark" in told.text and "hazel-at" not in told.text


def test_every_error_of_the_interface_is_one_sentence_under_one_name(client: TestClient) -> None:
    for path, status in (("/v1/nothing-here", 404), ("/v1/reviews", 401)):
        told = client.get(path)
        assert told.status_code == status and set(told.json()) == {"error"}
    assert client.delete("/v1/tickets").json()["error"] == "Method Not Allowed"


def test_all_trees_of_errors_are_answered(counter: Counter) -> None:
    app = create_app(counter, secrets={})
    assert set(OURS) <= set(app.exception_handlers)


@pytest.mark.parametrize("declared", [True, False], ids=["says so", "only turns out to be"])
def test_a_request_that_is_too_long_is_told_so_in_the_shape_that_is_asked_for(
    client: TestClient, counter: Counter, declared: bool
) -> None:
    def long() -> dict[str, Any]:
        parts = [b"x" * 600_000] * 2
        return {"content": b"".join(parts) if declared else iter(parts)}

    _, key = Interface(counter.place.store).add_key("helpdesk", ["tickets:write"])
    told = client.post("/v1/tickets", **long(), headers={"Authorization": f"Bearer {key}"})
    assert told.status_code == 413 and set(told.json()) == {"error"} and "bytes at most" in told.json()["error"]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    page = client.post("/sign-in", **long(), headers=form)
    assert page.status_code == 413 and "<html" in page.text and "bytes at most" in page.text
    assert page.headers["content-security-policy"]


def test_only_routes_that_say_how_much_they_take_may_be_sent_more(counter: Counter) -> None:
    routes = [r for room in ROOMS for r in room.routes if isinstance(r, APIRoute)]
    longer = {r.path for r in routes if isinstance(getattr(r, "max_body_size", None), int)}
    assert longer == {r.path for r in routes if WITH_THEIR_OWN.fullmatch(r.path)} != set()


def test_a_ticket_that_no_page_names_is_missed_in_words_and_not_in_code(client: TestClient) -> None:
    told = client.get("/desk/ticket", headers={"Accept": "text/html"})
    assert told.status_code == 422 and "<html" in told.text and "ticket: Field required" in told.text
    assert '"loc"' not in told.text
