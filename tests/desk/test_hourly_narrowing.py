"""Under `lanewise serve` families are narrowed by themselves: at most once an hour, once by however many, and never wider."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
from desk_house import Clock
from starlette.testclient import TestClient

from desk.app import create_app
from desk.counter import Counter
from desk.policy.narrowing import AGAIN_SECONDS, EVERY_SECONDS, HourlyNarrowing
from desk.policy.rollout import Tell, narrow
from desk.records import Records
from desk.settings import load_settings
from desk.workplace import open_workplace
from guards.rollout import Ceiling
from guards.rollout_evidence import Evidence, Recent, Share
from ledger.decisions import Signature
from ledger.errors import StoreBusy
from ledger.rollout import MACHINE, RolloutLedger
from ledger.store import open_store

NONE = Share(0, 0)
SPIKE = Recent(Share(50, 60), NONE)


class Counted:
    """Counts that a test chooses, and may do something while they are taken."""

    def __init__(self, **recent: Recent) -> None:
        self._recent = recent
        self.meanwhile = lambda: None

    def evidence(self, family: str) -> Evidence:
        return Evidence(NONE, NONE, NONE, NONE, NONE)

    def recent(self, family: str, days: int) -> Recent:
        self.meanwhile()
        return self._recent.get(family, Recent(NONE, NONE))


class Hours:
    """A clock of seconds."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    """The packaged release over a ledger of its own."""
    settings = load_settings(tmp_path, {})
    settings.make_ledger_folder()
    store = open_store(settings.ledger_url, clock=Clock(datetime(2026, 3, 10, 9, 0, tzinfo=UTC)))
    yield Records(settings, store)
    store.close()


def test_a_spike_is_found_by_the_tick_and_told_once(records: Records) -> None:
    told: list[str] = []
    hours = Hours()
    looks = HourlyNarrowing(partial(narrow, counts=Counted(billing=SPIKE)), told.append, hours)
    looks.tick(records)
    looks.wait(30)
    assert RolloutLedger(records.store).ceilings() == {"billing": Ceiling.LANE_2}
    assert told[0].startswith("NOTICE: billing is held to lane 2") and "policy widen billing" in told[1]
    assert looks.trouble == "" and looks.looked_at == records.store.now()
    hours.seconds += EVERY_SECONDS
    looks.tick(records)
    looks.wait(30)
    assert len(told) == 2, "held already: nothing is told again, and that nothing was narrowed is no notice"


def test_it_is_looked_at_most_once_an_hour_however_often_the_worker_ticks(records: Records) -> None:
    hours, looked = Hours(), []

    def look(place: Records, days: int, tell: Tell) -> int:
        looked.append(hours())
        return 0

    looks = HourlyNarrowing(look, lambda said: None, hours)
    for _ in range(1000):
        looks.tick(records)
        looks.wait(30)
        hours.seconds += 15
    begun = [later - earlier for earlier, later in pairwise(looked)]
    assert len(looked) == 5 and min(begun) >= EVERY_SECONDS


def test_two_processes_that_look_at_once_hold_a_family_once_and_tell_it_once(records: Records) -> None:
    told: list[str] = []
    both = threading.Barrier(2, timeout=30)
    stores = [open_store(records.settings.ledger_url, clock=records.store.now) for _ in range(2)]
    looking = []
    for store in stores:
        counted = Counted(billing=SPIKE)
        waited: list[int] = []

        def meanwhile(waited: list[int] = waited) -> None:
            if not waited:
                waited.append(both.wait())

        counted.meanwhile = meanwhile  # type: ignore[method-assign]
        looks = HourlyNarrowing(partial(narrow, counts=counted), told.append)
        looks.tick(Records(records.settings, store))
        looking.append(looks)
    for looks in looking:
        looks.wait(60)
        assert looks.trouble == ""
    held = [h for h in RolloutLedger(records.store).holds() if h.family == "billing"]
    assert [(h.by, h.why) for h in held] == [(MACHINE, "overrides")]
    assert sum(line.startswith("NOTICE") for line in told) == 1
    for store in stores:
        store.close()


def test_a_person_who_widens_while_it_is_counted_has_the_last_word(records: Records) -> None:
    rollout, counted = RolloutLedger(records.store), Counted(billing=SPIKE)
    rollout.narrow("billing", "overrides", {})

    def widens() -> None:
        if rollout.ceilings():
            rollout.lift("billing", Signature("Ada", "looked into it", "k"))

    counted.meanwhile = widens  # type: ignore[method-assign]
    assert narrow(records, 28, lambda said: None, counted) == 0
    assert rollout.ceilings() == {}, "the counts are older than her word"
    assert narrow(records, 28, lambda said: None, counted) == 1, "the next look counts anew"


def test_a_look_that_breaks_off_is_shown_tried_again_and_forgotten_once_one_succeeds(records: Records) -> None:
    hours, broken = Hours(), [True]

    def look(place: Records, days: int, tell: Tell) -> int:
        tell("NOTICE: billing is held to lane 2 from now on")
        if broken[0]:
            raise StoreBusy("locked")
        return 0

    told: list[str] = []
    looks = HourlyNarrowing(look, told.append, hours)
    looks.tick(records)
    looks.wait(30)
    assert looks.trouble == "StoreBusy" and not looks.overdue
    assert told == ["NOTICE: billing is held to lane 2 from now on"], "what it held before is told all the same"
    while hours.seconds < 1000 + EVERY_SECONDS:
        hours.seconds += AGAIN_SECONDS
        looks.tick(records)
        looks.wait(30)
    assert looks.overdue, "for an hour nobody could tell: somebody has to see why"
    broken[0] = False
    hours.seconds += AGAIN_SECONDS
    looks.tick(records)
    looks.wait(30)
    assert (looks.trouble, looks.overdue) == ("", False)


def test_the_health_page_shows_a_look_that_broke_off_and_calls_for_somebody_after_an_hour(tmp_path: Path) -> None:
    hours = Hours()

    def look(place: Records, days: int, tell: Tell) -> int:
        raise StoreBusy("locked")

    counter = Counter(open_workplace(load_settings(tmp_path, {}), {}))
    counter.worker.narrowing = HourlyNarrowing(look, lambda said: None, hours)
    client = TestClient(create_app(counter))
    with client:
        assert client.get("/healthz").status_code == 200
        counter.worker.warm.wait(120)
        counter.worker.look_now()
        for _ in range(600):
            if counter.worker.narrowing.trouble:
                break
            threading.Event().wait(0.1)
        shown = client.get("/healthz")
        assert (shown.status_code, shown.json()["narrowing"]) == (200, "broke off: StoreBusy")
        hours.seconds += EVERY_SECONDS + 1
        assert client.get("/healthz").status_code == 503
    counter.place.store.close()
