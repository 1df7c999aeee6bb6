"""The scorecard at the desk: for who is signed in, as a page that runs nothing, and as files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from desk_house import Clock, House
from starlette.testclient import TestClient

from desk.accounts.people import Role
from desk.accounts.signing_in import start_session
from desk.app import create_app
from desk.counter import Counter
from desk.security import COOKIE
from desk.settings import load_settings
from desk.workplace import Workplace, open_rules
from ledger.store import open_store


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """A desk over a ledger with one ticket; nobody is signed in."""
    settings = load_settings(tmp_path, {})
    store = open_store(tmp_path / "ledger.sqlite3", clock=Clock())
    house = House(store, Clock())
    house.customer_writes()
    house.ask("Hello, that is the next billing date.")
    counter = Counter(Workplace(settings, store, open_rules(settings, {})))
    counter.accounts.add("Aud", "", None, [Role.AUDITOR])
    made = TestClient(create_app(counter), follow_redirects=False)
    made.headers["x-token"] = start_session(counter.accounts, "Aud")
    yield made
    store.close()


def test_nobody_sees_figures_who_is_not_signed_in(client: TestClient) -> None:
    for path in ("/desk/scorecard", "/desk/scorecard.csv", "/desk/scorecard.json"):
        assert client.get(path).status_code == 303


def test_the_page_and_the_files_show_the_figures_and_run_nothing(client: TestClient) -> None:
    client.cookies.set(COOKIE, client.headers["x-token"])
    shown = client.get("/desk/scorecard")
    assert shown.status_code == 200 and "<svg" in shown.text and "<script" not in shown.text
    assert "script-src" not in shown.headers["content-security-policy"]
    assert shown.headers["content-security-policy"].startswith("default-src 'none'")
    rows = list(csv.DictReader(io.StringIO(client.get("/desk/scorecard.csv").text)))
    assert len(rows) > 10
    assert client.get("/desk/scorecard.json").json()


def test_a_day_or_a_kind_that_is_none_is_told(client: TestClient) -> None:
    client.cookies.set(COOKIE, client.headers["x-token"])
    assert client.get("/desk/scorecard?since=yesterday").status_code == 422
    assert client.get("/desk/scorecard.exe").status_code == 404
