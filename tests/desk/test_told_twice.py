"""What a helpdesk sends twice decides once, and the second answer says what stands; two keys are two."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from desk_house import TICKET, Clock, House
from interface_house import Calls
from starlette.testclient import TestClient

from desk.api.callers import Scope
from desk.app import create_app
from desk.counter import Counter
from desk.settings import load_settings
from desk.workplace import Workplace, open_rules
from ledger.events import Kind
from ledger.store import open_store

DRAFT = "Hello, that is the next billing date."
ANA = {"by": "Ana", "reason": "she owns it"}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A ticket in lane 2 with a draft, over a ledger whose worker and post room do not run."""
    store = open_store(tmp_path / "ledger.sqlite3", clock=Clock())
    built = House(store, Clock())
    built.customer_writes()
    built.ask(DRAFT)
    yield built
    store.close()


@pytest.fixture
def calls(house: House, tmp_path: Path) -> Calls:
    """A key that reads and decides."""
    settings = load_settings(tmp_path, {})
    counter = Counter(Workplace(settings, house.store, open_rules(settings, {})))
    made = Calls(TestClient(create_app(counter)), counter, tmp_path)  # not entered: no worker runs
    made.show_key(Scope.TICKETS_READ, Scope.DECISIONS_WRITE)
    return made


def decide(calls: Calls, act: str, key: str, status: int = 200, **more: Any) -> Any:
    """One decision, on what is seen now."""
    seen = calls.get("/interrupts")[0]["seen"] if "seen" not in more else more["seen"]
    return calls.post(f"/tickets/{TICKET}/decisions", {"act": act, "key": key, "seen": seen, **ANA, **more}, status)


def decided(house: House) -> list[str]:
    """What was decided, in order."""
    return [str(e.head["decision"]) for e in house.history.timeline(TICKET) if e.kind is Kind.PERSON_DECIDED]


def test_two_keys_that_differ_late_are_two_decisions(calls: Calls, house: House) -> None:
    long = "k" * 195
    for number, act in enumerate(("claim", "release", "claim")):
        assert decide(calls, act, f"{long}{number}")["first"] is True
    assert decided(house) == ["claimed", "released", "claimed"]
    assert house.history.register(TICKET).claimed_by == "Ana (by helpdesk)"


def test_a_decision_that_is_sent_again_is_told_what_stands_now(calls: Calls, house: House) -> None:
    assert "Ana (by helpdesk) has the thread now" in decide(calls, "claim", "k-1")["follows"]
    decide(calls, "release", "k-2")
    again = decide(calls, "claim", "k-1")
    assert again["first"] is False
    assert "decided before" in again["follows"] and "nobody has the thread" in again["follows"]
    assert house.history.register(TICKET).claimed_by is None
    assert decided(house) == ["claimed", "released"]


@pytest.mark.parametrize("act", ["approve", "reject"])
def test_a_decision_on_a_draft_that_is_sent_again_decides_once(calls: Calls, house: House, act: str) -> None:
    seen = calls.get("/interrupts")[0]["seen"]
    assert decide(calls, act, "k-1", seen=seen)["first"] is True
    assert decide(calls, act, "k-1", seen=seen)["first"] is False
    assert len(decided(house)) == 1
    assert len(house.history.deliveries(TICKET)) == (act == "approve")


ANSWERS: dict[str, dict[str, Any]] = {
    "approve": {"type": "approve"},
    "edit": {"type": "edit", "edited_action": {"name": "send_reply", "args": {"text": "My words."}}},
    "reject": {"type": "reject"},
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_interrupt_that_is_answered_twice_under_one_key_gives_the_first_answer(
    calls: Calls, house: House, answer: str
) -> None:
    (asked,) = calls.get("/interrupts")
    body = {"decisions": [ANSWERS[answer]], "by": "Ana", "key": "k-1", "seen": asked["seen"]}
    first, again = (calls.post(f"/interrupts/{asked['id']}/response", body, 200) for _ in range(2))
    assert (first["first"], again["first"]) == (True, False)
    assert first["decision"] == again["decision"]
    assert len(decided(house)) == 1
    other = {**body, "decisions": [ANSWERS["edit" if answer != "edit" else "approve"]]}
    assert "something else" in calls.post(f"/interrupts/{asked['id']}/response", other, 409)["error"]
    if answer != "reject":
        assert (
            "decided already" in calls.post(f"/interrupts/{asked['id']}/response", {**body, "key": "k-2"}, 409)["error"]
        )


def test_a_key_that_has_decided_on_one_review_answers_no_other(calls: Calls, house: House) -> None:
    (asked,) = calls.get("/interrupts")
    body = {"decisions": [ANSWERS["approve"]], "by": "Ana", "key": "k-1", "seen": asked["seen"]}
    calls.post(f"/interrupts/{asked['id']}/response", body, 200)
    house.customer_writes("m-2")
    house.ask("Another draft.")
    (later,) = calls.get("/interrupts")
    told = calls.post(f"/interrupts/{later['id']}/response", {**body, "seen": later["seen"]}, 409)
    assert "something else" in told["error"]
    assert decided(house) == ["approved"]


def test_no_key_of_a_helpdesk_gives_a_colleagues_thread_free(calls: Calls, house: House) -> None:
    house.people.claim(TICKET, house.sign("c-1", by="Oona"))
    for act, more in (("release", {}), ("resolve", {}), ("hand-back", {"lane": 1}), ("reject", {})):
        assert "Oona has the thread" in decide(calls, act, f"k-{act}", 409, **more)["error"]
    assert house.history.register(TICKET).claimed_by == "Oona"
