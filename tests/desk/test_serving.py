"""The counter as a whole: it is opened and closed, files and answers, knows who asks, and takes no stranger's form."""

from __future__ import annotations

import io
import logging
import re
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from desk_house import Clock
from sqlalchemy import text
from starlette.testclient import TestClient

from desk.accounts.people import ALLOWED, May, Person, Role
from desk.accounts.signing_in import TRIES, TRIES_WITHIN, hashed
from desk.app import create_app
from desk.channels.console import ConsoleChannel
from desk.channels.eml import EmlChannel
from desk.counter import Counter
from desk.errors import NotAllowed
from desk.security import COOKIE, actor
from desk.serving import _config, _tell_of_trouble
from desk.settings import load_settings
from desk.worker import Worker
from desk.workplace import open_workplace
from desk.workspace import init
from ledger.accounts import Accounts
from ledger.errors import StoreBroken, UnknownUser, UserExists
from ledger.events import Kind
from ledger.intake import IncomingMessage
from ledger.store import open_store
from ledger.tries import Tries

PASSWORD = "a-long-password-1"


@pytest.fixture
def counter(tmp_path: Path) -> Iterator[Counter]:
    """A counter over the made-up company, not opened yet, with a lead."""
    place = open_workplace(load_settings(tmp_path, {}), {})
    made = Counter(place)
    made.accounts.add("hazel", "hazel@desk.example", hashed(PASSWORD), [Role.LEAD])
    yield made
    place.store.close()


def waits(until: Callable[[], bool], seconds: float = 60.0) -> None:
    """Until it is so; a shared machine is slow at times."""
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def message(ticket: str, text: str, key: str = "m-1") -> IncomingMessage:
    """A verified customer's mail."""
    return IncomingMessage(
        ticket=ticket,
        key=key,
        channel="email",
        subject="A question",
        requester_email="ines@fernhollow.example",
        requester_name="Ines",
        verified=False,
        account_id=None,
        recipient="ines@fernhollow.example",
        text=text,
    )


def test_a_message_is_worked_on_and_what_may_leave_leaves(counter: Counter, tmp_path: Path) -> None:
    channel = EmlChannel(tmp_path / "letters", "support@lanewise.example")
    with TestClient(create_app(counter, lambda: channel)) as client:
        received = counter.receive(message("T-1", "We want our money back for last month, and a new contract."))
        assert received.first
        assert not counter.receive(message("T-1", "We want our money back for last month, and a new contract.")).first
        waits(lambda: counter.place.reviews.of_ticket("T-1") is not None)
        assert int(counter.place.history.register("T-1").lane) >= 2
        waits(lambda: len(list((tmp_path / "letters").glob("*.eml"))) == 1)
        assert client.get("/healthz").json() == {"worker": "at work"}
    assert not counter.worker.is_alive()


def test_what_waited_while_nobody_served_is_worked_on_at_the_next_start(counter: Counter) -> None:
    counter.receive(message("T-2", "Please cancel our contract today."))
    with TestClient(create_app(counter)):
        waits(lambda: counter.place.reviews.of_ticket("T-2") is not None)


def test_a_worker_that_cannot_start_is_told_by_the_health_page_and_loses_nothing(counter: Counter) -> None:
    shutil.rmtree(counter.place.settings.workspace / ".lanewise" / "runs", ignore_errors=True)
    (counter.place.settings.workspace / ".lanewise" / "runs.sqlite3").mkdir()
    with TestClient(create_app(counter)) as client:
        waits(lambda: counter.worker.broken is not None)
        assert client.get("/healthz").status_code == 503
        assert counter.receive(message("T-3", "Hello?")).first


def test_a_release_that_is_put_in_force_while_serving_is_worked_by(tmp_path: Path) -> None:
    init(tmp_path / "ours")
    settings = load_settings(tmp_path / "ours", {})
    file = settings.policy
    assert file is not None
    place = open_workplace(settings, {})
    counter = Counter(place)
    counter.worker = Worker(place, lambda: None, sweep_seconds=0.2)
    with TestClient(create_app(counter)):
        counter.receive(message("R-1", "Please refund last month."))
        waits(lambda: place.reviews.of_ticket("R-1") is not None)
        version = place.release.version
        changed = file.read_text(encoding="utf-8").replace(f'version = "{version}"', 'version = "2099-01-01"')
        file.write_text(changed, encoding="utf-8")
        waits(lambda: counter.worker.release == "2099-01-01")
        counter.receive(message("R-2", "Please refund last month."))
        waits(lambda: place.reviews.of_ticket("R-2") is not None)
    told = [e.head["policy"] for t in ("R-1", "R-2") for e in place.history.timeline(t) if e.kind is Kind.LANE_ASSIGNED]
    assert told == [version, "2099-01-01"]
    place.store.close()


def test_what_people_approve_is_approved_under_the_release_that_is_in_force_by_now(tmp_path: Path) -> None:
    init(tmp_path / "ours")
    settings = load_settings(tmp_path / "ours", {})
    assert settings.policy is not None
    counter = Counter(open_workplace(settings, {}))
    with TestClient(create_app(counter)):
        waits(counter.worker.warm.is_set)
        text = settings.policy.read_text(encoding="utf-8")
        settings.policy.write_text(text.replace(f'"{counter.place.release.version}"', '"2099-01-01"'), encoding="utf-8")
        counter.worker.look_now()
        waits(lambda: counter.place.release.version == "2099-01-01")
    counter.place.store.close()


def test_signing_in_takes_name_and_password_and_signing_out_ends_the_session(counter: Counter) -> None:
    with TestClient(create_app(counter), follow_redirects=False) as client:
        for name, password in (("hazel", "wrong-password-1"), ("nobody", PASSWORD), ("", "")):
            refused = client.post("/sign-in", data={"name": name, "password": password})
            assert refused.status_code == 403
            assert "do not belong together" in refused.text
        done = client.post("/sign-in", data={"name": "hazel", "password": PASSWORD})
        assert (done.status_code, done.headers["location"]) == (303, "/")
        cookie = done.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=lax" in cookie
        token = client.cookies[COOKIE]
        session = counter.accounts.session(token)
        assert session is not None
        assert client.post("/sign-out").status_code == 403, "without the form's own word nothing is done"
        assert client.post("/sign-out", data={"csrf": "made up"}).status_code == 403
        assert client.post("/sign-out", data={"csrf": session.csrf}).status_code == 303
        assert counter.accounts.session(token) is None


def test_passwords_are_not_guessed_for_ever(counter: Counter) -> None:
    with TestClient(create_app(counter), follow_redirects=False) as client:
        for _ in range(TRIES):
            assert "do not belong" in client.post("/sign-in", data={"name": "hazel", "password": "x" * 12}).text
        told = client.post("/sign-in", data={"name": "hazel", "password": PASSWORD})
        assert told.status_code == 403 and "too many wrong passwords" in told.text
        told = client.post("/sign-in", data={"name": "ruben", "password": PASSWORD})
        assert "do not belong" in told.text, "another name is still looked at"


def test_wrong_passwords_are_counted_for_all_processes_and_lock_nobody_out_from_elsewhere(tmp_path: Path) -> None:
    clock = Clock()
    stores = [open_store(tmp_path / "ledger.sqlite3", clock=clock) for _ in range(2)]
    here, there = (Tries(store) for store in stores)
    for number in range(TRIES):
        assert (here, there)[number % 2].begin("10.0.0.1 hazel", TRIES, TRIES_WITHIN)
    assert here.begin("10.0.0.1 hazel", TRIES, TRIES_WITHIN) is None
    assert there.begin("10.0.0.1 hazel", TRIES, TRIES_WITHIN) is None
    assert there.begin("10.0.0.2 hazel", TRIES, TRIES_WITHIN), "somebody else's guesses are not hers"
    clock.move(seconds=TRIES_WITHIN.total_seconds())
    assert there.begin("10.0.0.1 hazel", TRIES, TRIES_WITHIN)
    for store in stores:
        store.close()


def test_a_right_password_does_not_count_and_many_guesses_at_once_are_no_way_round(tmp_path: Path) -> None:
    store = open_store(tmp_path / "ledger.sqlite3")
    tries = Tries(store)
    for _ in range(3 * TRIES):
        attempt = tries.begin("10.0.0.1 hazel", TRIES, TRIES_WITHIN)
        assert attempt is not None
        tries.was_right(attempt)
    with ThreadPoolExecutor(8) as pool:  # all are begun before any is known to be wrong
        begun = list(pool.map(lambda _: tries.begin("10.0.0.1 hazel", TRIES, TRIES_WITHIN), range(4 * TRIES)))
    assert sum(attempt is not None for attempt in begun) == TRIES
    store.close()


def test_tries_of_a_clock_that_was_set_back_do_not_count_for_a_day(tmp_path: Path) -> None:
    clock = Clock()
    store = open_store(tmp_path / "ledger.sqlite3", clock=clock)
    tries = Tries(store)
    assert tries.begin("10.0.0.1 hazel", 1, TRIES_WITHIN)
    clock.move(hours=-23)
    assert tries.begin("10.0.0.1 hazel", 1, TRIES_WITHIN)
    store.close()


def test_a_part_that_ends_by_itself_is_named_by_the_health_page(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> int:
        raise StoreBroken("the disk is gone")

    monkeypatch.setattr("desk.counter.keep_posting", breaks)
    with TestClient(create_app(counter, lambda: ConsoleChannel(io.StringIO()))) as client:
        waits(lambda: "lanewise-post" in counter.stopped())
        told = client.get("/healthz")
        assert (told.status_code, told.json().get("stopped")) == (503, ["lanewise-post"])


def test_trouble_of_a_part_is_told_on_the_terminal_without_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    _tell_of_trouble()
    try:
        try:
            raise ValueError("the customer's secret words")
        except ValueError:
            logging.getLogger("desk.worker").exception("ticket %r broke off", "T-1")
        said = capsys.readouterr().err
    finally:
        untold()
    assert "ticket 'T-1' broke off" in said and "ValueError" in said
    assert "secret words" not in said


def untold() -> None:
    for name in ("desk", "agent", "ledger", "lanewise", "uvicorn", "asyncio"):
        logging.getLogger(name).handlers.clear()


def test_trouble_of_the_server_itself_is_told_without_a_customers_words(
    counter: Counter, capsys: pytest.CaptureFixture[str]
) -> None:
    _tell_of_trouble()
    config = _config(create_app(counter), "127.0.0.1", 0)
    config.load()
    try:
        try:
            with counter.place.store.write() as conn:
                conn.execute(text("INSERT INTO nowhere VALUES (:words)"), {"words": "my card is 4111"})
        except StoreBroken:
            logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
            logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: <my card is 4111>")
        said = capsys.readouterr().err
    finally:
        untold()
    assert "Exception in ASGI application" in said and "StoreBroken at " in said and "never retrieved" in said
    assert "4111" not in said and "INSERT" not in said


def test_a_form_of_another_site_signs_nobody_in(counter: Counter) -> None:
    with TestClient(create_app(counter), follow_redirects=False) as client:
        refused = client.post(
            "/sign-in", data={"name": "hazel", "password": PASSWORD}, headers={"Origin": "https://evil.example"}
        )
        assert refused.status_code == 403
        assert "another site" in refused.text


def test_every_answer_carries_the_guards(counter: Counter) -> None:
    with TestClient(create_app(counter)) as client:
        for path in ("/sign-in", "/healthz", "/static/lanewise/desk.css", "/nothing-here"):
            headers = client.get(path).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
        assert client.get("/sign-in").headers["cache-control"] == "no-store"


def test_what_a_page_loads_is_served_and_nothing_is_inline(counter: Counter) -> None:
    with TestClient(create_app(counter)) as client:
        text = client.get("/sign-in").text
        loaded = re.findall(r'(?:src|href)="(/static/[^"]+)"', text)
        assert len(loaded) >= 2
        assert all(client.get(path).status_code == 200 for path in loaded)
        assert "<style" not in text and " style=" not in text and " onclick" not in text


def test_no_session_no_user_that_is_disabled_and_no_old_password(counter: Counter) -> None:
    accounts: Accounts = counter.accounts
    with TestClient(create_app(counter), follow_redirects=False) as client:
        client.post("/sign-in", data={"name": "hazel", "password": PASSWORD})
        token = client.cookies[COOKIE]
        accounts.change("hazel", disabled=True)
        assert accounts.session(token) is None
        assert client.post("/sign-in", data={"name": "hazel", "password": PASSWORD}).status_code == 403
    with pytest.raises(UserExists):
        accounts.add("hazel", "", None, [Role.AGENT])
    with pytest.raises(UnknownUser):
        accounts.get("nobody")
    with pytest.raises(NotAllowed, match="12 characters"):
        hashed("short")


def test_every_right_at_the_desk_stands_in_the_table_with_a_reason() -> None:
    assert set(ALLOWED) == set(May)
    assert all(why and roles for roles, why in ALLOWED.values())
    agent = Person("a", frozenset({Role.AGENT}), frozenset())
    assert agent.may(May.WORK) and agent.may(May.HALT) and not agent.may(May.RESUME)
    with pytest.raises(NotAllowed, match="it takes one of"):
        agent.check(May.OWN_POLICY)
    assert not any(Person("x", frozenset(), frozenset()).may(what) for what in May)
    assert callable(actor(May.WORK))


def test_a_workspace_of_ones_own_is_served(tmp_path: Path) -> None:
    init(tmp_path / "ours")
    place = open_workplace(load_settings(tmp_path / "ours", {}), {})
    with TestClient(create_app(Counter(place))) as client:
        assert client.get("/healthz").status_code == 200
    place.store.close()
