"""`lanewise serve --demo`: a made-up year with tickets that wait, made whole or not at all, and a way in for one run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from desk.accounts.people import Role
from desk.accounts.signing_in import sign_in
from desk.app import create_app
from desk.counter import Counter
from desk.errors import DeskError, NotAllowed
from desk.made_up import demonstration
from desk.made_up.demonstration import TICKETS, VISITOR, WAITING, let_in, make
from desk.made_up.lives import What, fewer_lives, plan, settled
from desk.made_up.year import second_release, year_begins
from desk.made_up_marks import MARK, NOTE
from desk.settings import load_settings
from desk.workplace import Workplace, open_workplace
from guards.policy import OwnerGroup
from ledger.releases import ReleaseLedger
from ledger.scorecard.projecting import progress
from ledger.verifying.verification import verify


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with a few tickets in it."""
    folder = tmp_path_factory.mktemp("demonstration") / "shown"
    told: list[str] = []
    make(folder, told.append, tickets=8)
    assert any("of the year told" in line for line in told), "progress is shown"
    return folder


@pytest.fixture
def place(made: Path) -> Iterator[Workplace]:
    """It, opened."""
    opened = open_workplace(load_settings(made, {}), {})
    yield opened
    opened.store.close()


def test_the_year_is_whole_and_todays_tickets_wait_in_the_queue(place: Workplace) -> None:
    assert verify(place.store).finding is None
    waiting = {review.ticket for review in place.reviews.open()}
    assert len(waiting & {f"D-{1001 + n}" for n in range(len(WAITING))}) >= len(WAITING) - 1
    assert all(ticket.startswith("D-") for ticket in waiting), "of the year nobody waits any more"
    with place.store.read() as conn:
        assert progress(conn).complete, "the scorecard is counted before the first visitor asks"
    assert all(r.due_at is not None and r.due_at > place.store.now() - timedelta(hours=1) for r in place.reviews.open())


def test_every_page_of_it_says_that_it_is_made_up(place: Workplace) -> None:
    client = TestClient(create_app(Counter(place)), follow_redirects=True)
    password = let_in(place)
    assert NOTE in client.get("/sign-in").text and NOTE in client.get("/try").text
    signed = client.post("/sign-in", data={"name": VISITOR, "password": password})
    assert signed.status_code == 200 and "/desk" in str(signed.url)
    for path in ("/desk", "/desk?ticket=D-1001", "/desk/scorecard", "/desk/scorecard/tickets?tickets=lane_1", "/none"):
        assert NOTE in client.get(path).text, path


def test_the_visitors_password_is_made_for_each_run_and_the_one_before_opens_nothing(place: Workplace) -> None:
    accounts = Counter(place).accounts
    first, second = let_in(place), let_in(place)
    assert len({first, second}) == 2 and min(len(first), len(second)) >= 16
    with pytest.raises(NotAllowed):
        sign_in(accounts, VISITOR, first)
    assert sign_in(accounts, VISITOR, second)
    visitor = accounts.get(VISITOR)
    assert visitor.roles == set(Role) and visitor.groups == set(OwnerGroup)
    assert [user.name for user in accounts.all()] == [VISITOR]


def test_a_candidate_waits_for_its_owners_with_its_proofs(place: Workplace) -> None:
    ledger = ReleaseLedger(place.store)
    narrower = ledger.pinned("2026-03-09")
    assert narrower is not None and ledger.in_force() is None
    proven = ledger.proven(narrower)
    assert proven is not None and proven.head["passed"] is True
    wider = ledger.pinned("2026-03-10")
    assert wider is not None and ledger.proven(wider) is None


def test_what_is_there_is_served_as_it_is_and_what_is_somebody_elses_is_left_alone(made: Path, tmp_path: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in made.rglob("*.toml")}
    told: list[str] = []
    make(made, told.append)
    assert "there already" in told[0] and {p: p.stat().st_mtime_ns for p in made.rglob("*.toml")} == before
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "lanewise.toml").write_text("", encoding="utf-8")
    with pytest.raises(DeskError, match="holds something else"):
        make(tmp_path / "ours", told.append)


def test_what_a_stopped_run_has_left_is_taken_away_but_never_a_ledger_that_is_not_made_up(tmp_path: Path) -> None:
    left = tmp_path / ".shown.half-made"
    (left / ".lanewise").mkdir(parents=True)
    (left / ".lanewise" / "ledger.sqlite3").write_bytes(b"somebody's")
    with pytest.raises(DeskError, match="not said to be made up"):
        make(tmp_path / "shown", lambda said: None)
    assert (left / ".lanewise" / "ledger.sqlite3").read_bytes() == b"somebody's"
    (left / MARK).write_text(NOTE, encoding="utf-8")
    demonstration._forget(left)
    assert not left.exists()


def test_rare_kinds_of_ticket_are_told_as_commoner_ones_and_none_is_lost() -> None:
    stories, second = plan(TICKETS, year_begins(), seed=1), second_release()
    fewer = fewer_lives(stories, [second], 20, 5)
    halves = [{(s.life, s.at >= second) for s in told} for told in (stories, fewer)]
    assert len(halves[1]) < 0.4 * len(halves[0])
    assert [(s.ticket, s.at, s.email, s.life.text) for s in fewer] == [
        (s.ticket, s.at, s.email, s.life.text) for s in stories
    ]
    deeds = {d.what for s in fewer for d in s.life.deeds}
    assert deeds == {d.what for s in stories for d in s.life.deeds}, "whatever can happen still happens"
    assert {d.what for s in settled(stories[:1]) for d in s.life.deeds} >= {What.SETTLE}
    assert {s.life.tier for s in fewer} == {s.life.tier for s in stories}


def test_the_command_says_how_to_sign_in_and_asks_no_model_whatever_the_environment_names(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "some-key")
    monkeypatch.setenv("LANEWISE_MODEL", "some-model")
    served: list[str] = []
    monkeypatch.setattr(
        demonstration, "serve", lambda place, channel, host, port, tell, secrets: served.append(place.mode) or 0
    )
    told: list[str] = []
    assert demonstration.show(made, "127.0.0.1", 8080, False, told.append) == 0
    said = "\n".join(told)
    assert served == ["embedded default (no model)"]
    assert re.search(r"http://127\.0\.0\.1:8080/sign-in as visitor, with the password \S{16}", said)
    assert NOTE in said
