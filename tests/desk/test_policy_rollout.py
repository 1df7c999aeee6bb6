"""A family goes further by its own evidence, falls back by itself, and rules that people correct are named to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from desk_house import Clock

from desk.errors import DecisionRefused
from desk.policy.rollout import name_lane, narrow, promote, suggest
from desk.records import Records
from desk.settings import load_settings
from desk.workplace import open_workplace
from guards.lanes import Lane
from guards.rollout import Ceiling
from guards.rollout_evidence import Evidence, Recent, Share
from guards.triggers import Level, Signal, Trigger, Witness
from ledger.decisions import Seen, Signature
from ledger.errors import NotYetAllowed
from ledger.events import Entry, Kind
from ledger.evidence.rollout_counts import LedgerCounts, agreement_by_triggers
from ledger.evidence.rollout_gate import promoted_families
from ledger.intake import IncomingMessage, Intake
from ledger.rollout import RolloutLedger
from ledger.store import open_store
from ledger.worker import WorkerLedger

GOOD = Evidence(Share(0, 100), Share(5, 200), Share(20, 200), Share(60, 80), Share(95, 100))
NONE = Share(0, 0)


class Counted:
    """Counts that a test chooses."""

    def __init__(self, evidence: Evidence = GOOD, recent: dict[str, Recent] | None = None) -> None:
        self._evidence, self._recent = evidence, recent or {}

    def evidence(self, family: str) -> Evidence:
        return self._evidence

    def recent(self, family: str, days: int) -> Recent:
        return self._recent.get(family, Recent(NONE, NONE))


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 3, 10, 9, 0, tzinfo=UTC))


@pytest.fixture
def records(tmp_path: Path, clock: Clock) -> Any:
    """The packaged release, and a ledger whose clock a test moves."""
    settings = load_settings(tmp_path, {})
    settings.make_ledger_folder()
    store = open_store(settings.ledger_url, clock=clock)
    yield Records(settings, store)
    store.close()


def ticket(
    records: Records, name: str, lane: int, *signals: Signal, family: str = "billing", rules: Sequence[str] = ()
) -> int:
    """A ticket that came and was given a lane; its revision."""
    intake, worker = Intake(records.store), WorkerLedger(records.store)
    told: dict[str, Any] = {"channel": "mail", "subject": "s", "requester_email": "a@b.example", "requester_name": "A"}
    told |= {"verified": True, "account_id": "A-1", "recipient": "a@b.example", "text": "words"}
    seq = intake.receive(IncomingMessage(ticket=name, key=f"{name}/m", **told)).seq
    levels = {t.value: max([Level.LOW, *(s.level for s in signals if s.trigger is t)]).word for t in Trigger}
    head = {"levels": levels, "signals": [s.id for s in signals], "families": [family], "need": "nothing"}
    worker.record(name, Kind.TRIGGERS_ASSESSED, f"{name}/t", head, {"signals": [s.to_json() for s in signals]})
    entry = Entry(
        Kind.LANE_ASSIGNED, f"{name}/l", {"families": [family], "lane": lane, "rules": [*rules], "segment": "smb"}
    )
    worker.open_answer(name, seq, lane, also=[entry])
    return seq


def asked(records: Records, name: str) -> str:
    """The id of the ticket's open review."""
    worker = WorkerLedger(records.store)
    return worker.open_review(worker.packet_for(name, "escalated"), key=f"{name}/review").id


def sign(by: str = "Ada", key: str = "k") -> Signature:
    return Signature(by, "because", key)


def seen(records: Records, name: str) -> Seen:
    return Seen.of(WorkerLedger(records.store).register(name))


# ── promotion ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_gate_says_what_is_missing_and_how_many_more(records: Records) -> None:
    told: list[str] = []
    thin = Evidence(Share(0, 20), GOOD.overrides, GOOD.recontacts, GOOD.useful, Share(3, 3))
    assert promote(records, "billing", "narrow", "Ada", "ready", told.append, Counted(thin)) == 1
    said = "\n".join(told)
    assert "high-risk misses in audits and blind reviews: 0 of 20" in said and "MISSING: 39 more" in said
    assert "tickets looked at so: 20, wanted 60: MISSING: 40 more" in said
    assert promoted_families(records.store) == {}


def test_what_a_family_has_earned_is_recorded_with_its_counts_and_only_by_name(records: Records) -> None:
    assert promote(records, "billing", "narrow", "", "", print, Counted()) == 0
    assert promoted_families(records.store) == {}
    assert promote(records, "billing", "narrow", "Ada", "ready", print, Counted()) == 0
    assert promoted_families(records.store) == {"billing": "narrow"}
    event = next(e for e in records.history.house_timeline() if e.kind is Kind.FAMILY_PROMOTED)
    assert (event.actor, event.head["evidence"]["misses"]) == ("Ada", [0, 100])
    with pytest.raises(NotYetAllowed, match="no family"):
        promote(records, "billing_renamed", "narrow", "Ada", "ready", print, Counted())
    with pytest.raises(NotYetAllowed, match="choose narrow or expansion"):
        promote(records, "billing", "everything", "Ada", "ready", print, Counted())
    with pytest.raises(NotYetAllowed, match="drafts need no evidence"):
        promote(records, "billing", "assisted", "Ada", "ready", print, Counted())


def test_without_audits_no_count_of_the_ledgers_own_opens_a_family(records: Records) -> None:
    ticket(records, "T1", 1)
    told: list[str] = []
    assert promote(records, "billing", "narrow", "Ada", "ready", told.append) == 1
    assert "tickets looked at so: 0, wanted 60: MISSING: 60 more" in "\n".join(told)


# ── counting ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_ledgers_counts_are_those_of_the_familys_own_tickets(records: Records, clock: Clock) -> None:
    for n in range(4):
        ticket(records, f"T{n}", 2)
    ticket(records, "other", 2, family="outage")
    records.people.change_lane("T1", Lane.HUMAN_OWNED, seen(records, "T1"), sign())
    records.people.resolve("T0", seen(records, "T0"), sign())
    records.people.change_lane("other", Lane.HUMAN_OWNED, seen(records, "other"), sign())
    name_lane(records, "T2", 2, "Bo", print)
    name_lane(records, "T3", 3, "Bo", print)
    counts = LedgerCounts(records.store, lambda family, since: Share(1, 30))
    found = counts.evidence("billing")
    assert (found.overrides, found.agreed, found.misses) == (Share(1, 2), Share(1, 2), Share(1, 30))
    assert counts.recent("billing", 7).overrides == Share(1, 2)
    clock.moment += timedelta(days=8)
    assert counts.recent("billing", 7).overrides == NONE
    RolloutLedger(records.store).narrow("billing", "overrides", {})
    clock.moment += timedelta(minutes=1)
    assert counts.evidence("billing").overrides == NONE, "what was earned before a narrowing counts no more"


def test_only_what_roll_out_alone_keeps_back_and_chance_chose_is_a_foreseen_miss(
    records: Records, clock: Clock
) -> None:
    ticket(records, "alone", 1)
    ticket(records, "missed", 1)
    ticket(records, "drafted", 2, rules=["rollout"])
    ticket(records, "drafted_anyway", 2, rules=["one_medium", "rollout"])
    ticket(records, "picked", 1)
    ticket(records, "other", 1, family="outage")
    ticket(records, "raised", 1)
    records.people.change_lane("raised", Lane.HUMAN_OWNED, seen(records, "raised"), sign())
    for name, lane in {"alone": 1, "missed": 1, "drafted": 3, "drafted_anyway": 3, "other": 3, "raised": 3}.items():
        review = asked(records, name)
        records.people.name_lane(name, Lane(lane), sign("Bo", "b"), hidden_in=review)
    records.people.name_lane("missed", Lane.ASSISTED, sign("Cy", "c"), hidden_in=asked(records, "missed"))
    asked(records, "picked")
    name_lane(records, "picked", 3, "Bo", print)
    counts = LedgerCounts(records.store)
    assert counts.evidence("billing").foreseen == Share(2, 3), "a ticket counts once, and as its sternest reader says"
    clock.moment += timedelta(minutes=1)
    RolloutLedger(records.store).narrow("billing", "overrides", {})
    clock.moment += timedelta(minutes=1)
    assert counts.evidence("billing").foreseen == NONE


def test_a_lane_is_named_blind_or_not_at_all(records: Records) -> None:
    pressure = Signal("renewal_near", Trigger.CUSTOMER_PRESSURE, Level.MEDIUM, Witness.FACTS, "e", "w", "20")
    ticket(records, "T1", 2, pressure)
    records.people.claim("T1", sign("Ada"))
    with pytest.raises(DecisionRefused, match="may have seen its lane"):
        name_lane(records, "T1", 2, "Ada", print)
    told: list[str] = []
    assert name_lane(records, "T1", 3, "Bo", told.append) == 0
    assert "Ours was 2" in told[0]
    with pytest.raises(DecisionRefused, match="may have seen its lane"):
        name_lane(records, "T1", 2, "Bo", print)
    assert agreement_by_triggers(records.store, "billing") == {("customer_pressure",): Share(0, 1)}
    assert WorkerLedger(records.store).register("T1").lane is Lane.ASSISTED, "nothing changed"


# ── narrowing ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_spike_holds_the_family_at_once_and_tells_people(records: Records) -> None:
    told: list[str] = []
    spike = Counted(recent={"billing": Recent(Share(30, 60), NONE), "outage": Recent(Share(2, 60), NONE)})
    assert narrow(records, 28, told.append, spike) == 1
    assert "NOTICE: billing is held to lane 2" in told[0]
    assert RolloutLedger(records.store).ceilings() == {"billing": Ceiling.LANE_2}
    assert narrow(records, 28, told.append, spike) == 0, "held already"
    assert told[-1] == "no family was narrowed"


def test_whoever_opens_the_workspace_is_told_which_families_are_held_until_a_person_widens_them(
    records: Records,
) -> None:
    RolloutLedger(records.store).narrow("billing", "recontact", {})
    place = open_workplace(records.settings, {})
    assert any("billing (recontact" in notice for notice in place.rules.notices)
    place.store.close()
    RolloutLedger(records.store).lift("billing", sign())
    again = open_workplace(records.settings, {})
    assert not any("held below" in notice for notice in again.rules.notices)
    again.store.close()


# ── suggestions ─────────────────────────────────────────────────────────────────────────────────────────────


def corrected(records: Records, names: Sequence[str], levels: dict[Trigger, Level], *signals: Signal) -> None:
    for name in names:
        ticket(records, name, 2, *signals)
        records.people.correct_triggers(name, levels, sign())


def test_a_rule_that_people_keep_correcting_is_named_with_numbers_and_its_back_test(records: Records) -> None:
    near = Signal("renewal_near", Trigger.CUSTOMER_PRESSURE, Level.MEDIUM, Witness.FACTS, "e", "w", "20")
    corrected(records, [f"T{n}" for n in range(9)], {Trigger.CUSTOMER_PRESSURE: Level.LOW}, near)
    told: list[str] = []
    assert suggest(records, told.append) == 0
    assert "signal renewal_near: gone (WIDENS)" in told[0]
    assert "9 of 9 tickets" in told[1] and "9 newly autonomous" in told[2]


def test_a_rule_that_people_mostly_let_stand_is_not(records: Records) -> None:
    near = Signal("renewal_near", Trigger.CUSTOMER_PRESSURE, Level.MEDIUM, Witness.FACTS, "e", "w", "20")
    corrected(records, [f"T{n}" for n in range(6)], {Trigger.CUSTOMER_PRESSURE: Level.LOW}, near)
    for n in range(6, 20):
        ticket(records, f"T{n}", 2, near)
        records.people.resolve(f"T{n}", seen(records, f"T{n}"), sign())
    told: list[str] = []
    suggest(records, told.append)
    assert told == ["no rule is spoken against surely enough"]


def test_a_trigger_that_no_rule_sees_asks_for_the_family_to_be_held(records: Records) -> None:
    corrected(records, [f"T{n}" for n in range(9)], {Trigger.SECURITY_IDENTITY: Level.HIGH})
    told: list[str] = []
    suggest(records, told.append)
    assert "family billing: held to lane 2 until a rule sees its security identity (narrows)" in told[0]
