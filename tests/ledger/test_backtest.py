"""A back-test decides as the law does, a chunk at a time, from what the events hold."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_scene import Scene
from sqlalchemy import func, insert, select

import guards
from guards.lanes import Consequence, Lane
from guards.policy import Phase, Release, parse_release
from guards.triggers import Boundary, Level, Matrix, Signal, Trigger, Witness
from ledger.events import Entry, Kind
from ledger.evidence.backtest import FastLaw, StoredDecision, redecide
from ledger.evidence.backtest_report import backtest, unseen
from ledger.evidence.backtest_rows import CHUNK, Chunk, StoredDecisions, StoredSignal, flags_of
from ledger.tables import stored_decisions

PACKAGED = Path(guards.__file__).parent / "policies" / "2026-03-01.toml"
RELEASE = parse_release(PACKAGED.read_text(encoding="utf-8"), PACKAGED.name)
FAMILIES = [f.id for f in RELEASE.family]


def stored_of(release: Release) -> list[StoredSignal]:
    """Every rule as it may be stored, and what no rule made."""
    found = [
        StoredSignal(
            s.id,
            s.trigger,
            Level.of(s.level),
            Witness.TEXT if s.fact is None else Witness.FACTS,
            s.boundary or "",
            str((s.at_least or s.at_most or 0) + 3) if s.fact else "",
        )
        for s in release.signal
    ]
    for trigger in Trigger:
        for level in (Level.MEDIUM, Level.HIGH):
            found.append(StoredSignal(f"head_{trigger.value}", trigger, level, Witness.HEAD, ""))
    missing, mixed = Trigger.MISSING_CONTEXT, Trigger.MULTI_DOMAIN_COMPLEXITY
    found.append(StoredSignal("record_needed", missing, Level.MEDIUM, Witness.LAW, ""))
    found.append(StoredSignal("decisive_fact_missing", missing, Level.HIGH, Witness.LAW, ""))
    found.append(StoredSignal("domains_mixed", mixed, Level.MEDIUM, Witness.LAW, ""))
    found.append(StoredSignal("mixed_a_b", mixed, Level.HIGH, Witness.LAW, Boundary.INCIDENT_COMMERCE.value))
    found.append(StoredSignal("gone_since", mixed, Level.HIGH, Witness.TEXT, ""))
    return found


ALL = stored_of(RELEASE)
decisions = st.builds(
    StoredDecision,
    st.lists(st.sampled_from(ALL), max_size=6).map(tuple),
    st.lists(st.sampled_from([*FAMILIES, "a_family_of_old"]), max_size=3, unique=True).map(tuple),
    st.integers(0, 63),
)


@st.composite
def releases(draw: st.DrawFn) -> Release:
    """A candidate: rules gone, weaker, stronger, for other families; families shut; another count of mediums."""
    signals = []
    for rule in RELEASE.signal:
        if draw(st.integers(0, 9)) == 0:
            continue
        change: dict[str, object] = {}
        if draw(st.integers(0, 4)) == 0:
            change["level"] = draw(st.sampled_from(["medium", "high"]))
            change["boundary"] = draw(st.sampled_from([None, *Boundary]))
            change["families"] = tuple(draw(st.lists(st.sampled_from(FAMILIES), max_size=2)))
        signals.append(rule.model_copy(update=change))
    plan = {
        "phase": draw(st.sampled_from(list(Phase))),
        "autonomous_families": tuple(draw(st.lists(st.sampled_from(FAMILIES), unique=True))),
    }
    return RELEASE.model_copy(
        update={
            "signal": tuple(signals),
            "several_mediums": draw(st.integers(2, 6)),
            "rollout": RELEASE.rollout.model_copy(update=plan),
        }
    )


def as_chunk(told: Sequence[StoredDecision]) -> tuple[Chunk, list[str]]:
    """The decisions as the table would give them, and what its codes stand for."""
    words = ["0"]

    def code(word: str) -> int:
        if word not in words:
            words.append(word)
        return words.index(word)

    rows = [[0, *sorted({code(s.word()) for s in d.signals})] for d in told]
    families = [code(json.dumps({"families": list(d.families)})) for d in told]
    starts = np.cumsum([0, *map(len, rows)])[:-1]
    none = np.zeros(len(told), dtype=np.int64)
    flat = np.array([c for row in rows for c in row], dtype=np.uint32)
    flags = np.array([d.flags for d in told])
    return Chunk(none, ("T",) * len(told), flat, starts, np.array(families), none, flags, none, none), words


@settings(max_examples=150)
@given(st.lists(decisions, min_size=1, max_size=25), releases())
def test_the_fast_way_decides_every_ticket_as_the_law_does(told: list[StoredDecision], release: Release) -> None:
    chunk, words = as_chunk(told)
    found = FastLaw(release, words).redecide(chunk)
    for place, stored in enumerate(told):
        said = redecide(stored, release)
        assert int(found.lanes[place]) == int(said.lane), stored
        assert list(Consequence)[int(found.consequences[place])] is said.consequence, stored


def test_a_stricter_threshold_lets_go_of_a_number_that_no_longer_satisfies_it(release: Release) -> None:
    rule = next(s for s in release.signal if s.id == "renewal_near")
    assert rule.at_most is not None
    seen = StoredSignal(rule.id, rule.trigger, Level.MEDIUM, Witness.FACTS, "", str(rule.at_most - 1))
    stored = StoredDecision((seen,), (rule.families or tuple(FAMILIES))[:1], 0)
    looser = tuple(s.model_copy(update={"at_most": 2}) if s.id == rule.id else s for s in release.signal)
    assert redecide(stored, release).lane_by_risk is Lane.ASSISTED
    assert redecide(stored, release.model_copy(update={"signal": looser})).lane_by_risk is Lane.AUTONOMOUS


# ── from the events ─────────────────────────────────────────────────────────────────────────────────────────


def decide(scene: Scene, ticket: str, signals: Sequence[Signal], lane: int, rules: Sequence[str] = ()) -> None:
    """A ticket as the machine records it."""
    scene.receive(ticket, f"{ticket}/m")
    body = {"signals": [s.to_json() for s in signals]}
    matrix = Matrix(tuple(signals))
    head = {"levels": {t.value: matrix.level(t).word for t in Trigger}, "need": "record", "asks_human": False}
    scene.worker.record(ticket, Kind.TRIGGERS_ASSESSED, f"{ticket}/triggers", head, body)
    told = {"families": ["billing"], "lane": lane, "rules": list(rules), "segment": "smb"}
    revision = scene.worker.register(ticket).revision
    scene.worker.open_answer(ticket, revision, lane, also=[Entry(Kind.LANE_ASSIGNED, f"{ticket}/lane", told)])


def signal(name: str, trigger: Trigger, level: Level, value: str = "") -> Signal:
    return Signal(name, trigger, level, Witness.FACTS if value else Witness.TEXT, "quoted", "why", value)


def test_events_become_rows_once_and_a_persons_lane_stands_beside_them(scene: Scene) -> None:
    pressed = signal("renewal_near", Trigger.CUSTOMER_PRESSURE, Level.MEDIUM, "28")
    words = signal("refund", Trigger.POLICY_SENSITIVITY, Level.HIGH, "")
    decide(scene, "T1", [pressed, words], 3)
    decide(scene, "T2", [], 1)
    rows = StoredDecisions(scene.store)
    assert (rows.bring_up_to_date(), rows.bring_up_to_date()) == (2, 0)
    scene.people.change_lane("T2", Lane.HUMAN_OWNED, scene.seen("T2"), scene.sign())
    decide(scene, "T3", [words], 2, ["no_source", "unverified_requester"])
    assert rows.bring_up_to_date() == 1
    (chunk,) = rows.chunks()
    assert chunk.tickets == ("T1", "T2", "T3")
    assert list(chunk.lanes) == [3, 1, 2]
    assert list(chunk.said) == [0, 3, 0]
    known = rows.words()
    first = {StoredSignal.read(known[c]).id: StoredSignal.read(known[c]).value for c in chunk.signals[1:3]}
    assert first == {"renewal_near": "28", "refund": ""}
    assert [len(c.tickets) for c in rows.chunks(2)] == [2, 1]
    assert CHUNK > 1000


def test_an_erased_ticket_is_decided_by_the_levels_that_its_head_keeps(scene: Scene) -> None:
    decide(scene, "T1", [signal("refund", Trigger.POLICY_SENSITIVITY, Level.HIGH)], 2)
    scene.people.erase("T1", scene.sign())
    rows = StoredDecisions(scene.store)
    rows.bring_up_to_date()
    (chunk,) = rows.chunks()
    found = FastLaw(RELEASE, rows.words()).redecide(chunk)
    assert int(found.lanes[0]) == 2
    assert not [w for w in rows.words() if "quoted" in w], "no customer's words in what is kept"


@pytest.mark.parametrize("rule", ["no_source", "unverified_requester", "account_not_confirmed", "assessor_failed"])
def test_each_thing_that_lane_1_lacked_is_kept(rule: str) -> None:
    assert flags_of({"rules": [rule, "rollout"]}, {}) > 0
    assert flags_of({"rules": ["rollout", "floor", "halted"]}, {}) == 0


# ── the report ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_report_names_the_newly_autonomous_first_by_risk_and_what_people_said_against(scene: Scene) -> None:
    pressed = signal("renewal_near", Trigger.CUSTOMER_PRESSURE, Level.MEDIUM, "28")
    for ticket in ("T1", "T2", "T3"):
        decide(scene, ticket, [pressed], 2)
    decide(scene, "T4", [], 1)
    scene.people.change_lane("T2", Lane.HUMAN_OWNED, scene.seen("T2"), scene.sign())
    scene.people.change_lane("T4", Lane.ASSISTED, scene.seen("T4"), scene.sign())
    rows = StoredDecisions(scene.store)
    rows.bring_up_to_date()
    looser = RELEASE.model_copy(update={"signal": tuple(s for s in RELEASE.signal if s.id != "renewal_near")})
    found = backtest(rows, RELEASE, looser)
    assert (found.decisions, found.moves, found.by_family) == (4, {"2->1": 3}, {"billing": {"2->1": 3}})
    assert next(m.ticket for m in found.newly_autonomous.listed()) == "T2", "people gave it to a person"
    assert [m.ticket for m in found.contradicted.listed()] == ["T2"]
    assert (found.caught.count, found.missed) == (0, 2)
    assert found.not_seen == ()
    shut = RELEASE.model_copy(update={"rollout": RELEASE.rollout.model_copy(update={"autonomous_families": ()})})
    closed = backtest(rows, RELEASE, shut)
    assert [m.ticket for m in closed.caught.listed()] == ["T4"]
    assert closed.raised.count == 1 and closed.newly_autonomous.count == 0
    json.dumps([found.to_json(), closed.to_json()])


def test_what_stored_signals_cannot_show_is_said(release: Release) -> None:
    wider = tuple(s.model_copy(update={"at_most": 90}) if s.id == "renewal_near" else s for s in release.signal)
    assert "signal renewal_near" in unseen(release, release.model_copy(update={"signal": wider}))[0]
    less = tuple(s.model_copy(update={"at_most": 2}) if s.id == "renewal_near" else s for s in release.signal)
    assert unseen(release, release.model_copy(update={"signal": less})) == ()
    assert unseen(release.model_copy(update={"signal": release.signal[1:]}), release) != (), "a rule that is new"
    older = release.model_copy(update={"assessors": release.assessors.model_copy(update={"head_high": 0.9})})
    assert "assessors head_high" in unseen(older, release)[0]


def test_a_back_test_of_four_times_as_many_tickets_needs_no_more_memory(scene: Scene) -> None:
    rows = StoredDecisions(scene.store)
    decide(scene, "T1", [signal("renewal_near", Trigger.CUSTOMER_PRESSURE, Level.MEDIUM, "28")], 2)
    rows.bring_up_to_date()

    def peak(count: int) -> int:
        with scene.store.write() as conn:
            one = conn.execute(select(stored_decisions).order_by(stored_decisions.c.seq).limit(1)).one()._asdict()
            held = conn.execute(select(func.count()).select_from(stored_decisions)).scalar_one()
            more = [{**one, "seq": 10_000 + n, "ticket_id": f"M{n}"} for n in range(held, count)]
            conn.execute(insert(stored_decisions), more)
        tracemalloc.start()
        counted = sum(len(FastLaw(RELEASE, rows.words()).redecide(c).lanes) for c in rows.chunks(500))
        assert counted == count
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    small = peak(2_000)
    assert peak(8_000) < 1.2 * small
