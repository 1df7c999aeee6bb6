"""A week's sample is recorded once, judged blind, and counts only once nothing is to come."""

from __future__ import annotations

import csv
import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from audit_scene import NO, SINCE, UNTIL, WEEK, YES, answered, week_over
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_scene import Scene

from guards.triggers import Trigger
from ledger.audits.drawing import Draw, draw_week, draws
from ledger.audits.figures import agreement, audit_misses
from ledger.audits.frame import frame_of
from ledger.audits.verdicts import BLIND_FOR, Fault, Judgement, Standing, judge, next_for, standing, standings
from ledger.errors import CannotDraw, CannotJudge, UnknownAudit, Unsigned
from ledger.events import HOUSE, Kind
from ledger.pages import timeline_text
from ledger.scorecard.export import export
from ledger.verifying.verification import verify
from ledger.words import canonical, digest_of


def drawn(scene: Scene, tickets: int = 12, size: int = 6) -> Draw:
    for number in range(tickets):
        answered(scene, f"T{number}", ("billing",) if number % 3 else (), "high" if number % 4 == 0 else "low")
    week_over(scene)
    made = draw_week(scene.store, WEEK, "Oona", seed=7, size=size)
    assert made is not None
    return made


def one(made: Draw, wanted: int) -> str:
    return next(a.id for a in made.audits if a.wanted == wanted)


def how(scene: Scene, audit: str) -> Standing:
    with scene.store.read() as conn:
        return standing(conn, audit, scene.store.now())


# ── drawing ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_sample_is_kept_with_its_frame_its_weights_and_its_probabilities(scene: Scene) -> None:
    made = drawn(scene)
    (event,) = (e for e in scene.history.house_timeline() if e.kind is Kind.AUDIT_DRAWN)
    head = event.head
    assert (head["seed"], head["size"], head["frame"], event.actor) == (7, 6, 12, "Oona")
    assert head["weights"] == {"low": 1, "medium": 3, "high": 9}
    assert sum(count for _, _, count, _ in head["cells"]) == 12
    assert sum(chosen for _, _, _, chosen in head["cells"]) == len(made.audits) == 6
    assert sum(1 / float(made.part(a).inclusion) for a in made.audits) == pytest.approx(12)
    with scene.store.read() as conn:
        told = [[o.ticket, o.stratum.value, o.consequence.value] for o in frame_of(conn, SINCE, UNTIL)]
    assert head["frame_digest"] == digest_of(canonical(told)), "the frame can be found again, and shown to be the same"


def test_the_same_seed_over_the_same_ledger_gives_the_same_sample(tmp_path_factory: pytest.TempPathFactory) -> None:
    twice = []
    for name in ("one", "other"):
        scene = Scene(tmp_path_factory.mktemp(name) / "ledger.db")
        twice.append([(a.id, a.ticket, a.wanted) for a in drawn(scene).audits])
        scene.store.close()
    assert twice[0] == twice[1]


def test_a_week_is_drawn_once_and_whoever_draws_again_is_given_that_sample(scene: Scene) -> None:
    made = drawn(scene)
    for again in ({}, {"seed": 7}, {"size": 6}):
        held = draw_week(scene.store, WEEK, "Marek", **again)
        assert held is not None and held.audits == made.audits
        assert (held.first, held.by) == (False, "Oona")
    for other in ({"seed": 8}, {"size": 7}):
        with pytest.raises(CannotDraw, match="drawn already by Oona, with seed 7 and size 6"):
            draw_week(scene.store, WEEK, "Marek", **other)
    assert len(scene.history.house_timeline()) == 1


def test_a_seed_that_nobody_named_is_recorded_and_repeats_the_sample(scene: Scene) -> None:
    answered(scene, "T1")
    week_over(scene)
    made = draw_week(scene.store, WEEK, "Oona")
    assert made is not None
    again = draw_week(scene.store, WEEK, "Oona", seed=made.seed)
    assert again is not None and again.audits == made.audits


def test_nobody_draws_without_a_name(scene: Scene) -> None:
    answered(scene, "T1")
    week_over(scene)
    with pytest.raises(Unsigned, match="who draws it"):
        draw_week(scene.store, WEEK, " ")
    assert scene.history.house_timeline() == ()


def test_a_week_that_is_not_over_cannot_be_drawn(scene: Scene) -> None:
    answered(scene, "T1")
    with pytest.raises(CannotDraw, match="is over on 2026-11-09"):
        draw_week(scene.store, WEEK, "Oona")


def test_a_week_without_such_tickets_is_not_recorded_as_drawn(scene: Scene) -> None:
    week_over(scene)
    assert draw_week(scene.store, WEEK, "Oona") is None
    assert scene.history.house_timeline() == ()


def test_a_sample_that_cannot_hold_one_of_each_kind_is_not_drawn(scene: Scene) -> None:
    answered(scene, "T1", ("billing",))
    answered(scene, "T2", ())
    week_over(scene)
    with pytest.raises(CannotDraw, match="ask for 2 or more"):
        draw_week(scene.store, WEEK, "Oona", size=1)
    with scene.store.read() as conn:
        assert draws(conn) == ()


# ── judging ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_verdict_is_recorded_on_its_ticket_with_the_note_where_it_can_be_erased(scene: Scene) -> None:
    audit = one(drawn(scene), 1)
    said = Judgement(True, (Trigger.CUSTOMER_PRESSURE,), Fault.WORDING, "Ada was told off.")
    held = judge(scene.store, audit, " Ines ", said)
    (verdict,) = held.verdicts
    assert (verdict.by, verdict.escalate, verdict.triggers) == ("Ines", True, (Trigger.CUSTOMER_PRESSURE,))
    assert (verdict.fault, verdict.note) == (Fault.WORDING, "Ada was told off.")
    (event,) = (e for e in scene.history.timeline(held.audit.ticket) if e.kind is Kind.AUDIT_JUDGED)
    assert "Ada" not in canonical(event.head)
    assert scene.worker.register(held.audit.ticket).epoch == 0, "an audit changes nothing about the ticket"


def test_a_verdict_is_given_once_and_never_changed(scene: Scene) -> None:
    audit = one(drawn(scene), 1)
    first = judge(scene.store, audit, "Ines", YES)
    assert judge(scene.store, audit, "  INES ", YES).verdicts == first.verdicts, "the same click twice"
    with pytest.raises(CannotJudge, match="a verdict is not changed"):
        judge(scene.store, audit, "ines", NO)
    with pytest.raises(CannotJudge, match="has all its verdicts"):
        judge(scene.store, audit, "Jonas", NO)
    assert how(scene, audit).verdicts == first.verdicts


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (Judgement(True), "name wording, boundary or missing_signal"),
        (Judgement(False, (Trigger.CUSTOMER_PRESSURE,)), "has no trigger that should have fired"),
        (Judgement(False, note="x" * 20_001), "at most 20000 characters"),
    ],
)
def test_a_verdict_that_contradicts_itself_is_refused(scene: Scene, said: Judgement, words: str) -> None:
    audit = one(drawn(scene), 1)
    with pytest.raises(CannotJudge, match=words):
        judge(scene.store, audit, "Ines", said)
    assert how(scene, audit).verdicts == ()


def test_a_verdict_needs_a_name_and_an_audit_that_was_drawn(scene: Scene) -> None:
    audit = one(drawn(scene), 1)
    with pytest.raises(Unsigned):
        judge(scene.store, audit, "  ", NO)
    for unknown in ("2026-W45-999", "2026-W44-001", "", "T1"):
        with pytest.raises(UnknownAudit):
            judge(scene.store, unknown, "Ines", NO)


# ── blind ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_nobody_sees_the_others_verdict_before_giving_theirs(scene: Scene) -> None:
    audit = one(drawn(scene), 2)
    held = judge(scene.store, audit, "Ines", YES)
    assert held.open and not held.judged
    assert held.seen_by("Jonas") == ()
    assert held.seen_by("ines") == held.verdicts
    ticket = held.audit.ticket
    told = timeline_text(scene.history.timeline(ticket), scene.history.register(ticket))
    assert "escalate" not in told and "boundary" not in told, "the ticket's own page does not tell either"
    with scene.store.read() as conn:
        assert audit_misses(conn, SINCE, UNTIL) == (), "nor does a figure"
    both = judge(scene.store, audit, "Jonas", NO)
    assert len(both.seen_by("Jonas")) == len(both.seen_by("Ines")) == len(both.seen_by("Maria")) == 2
    assert both.judged and both.miss == 0.5


def exported(scene: Scene, folder: Path, now: datetime | None = None) -> list[dict[str, Any]]:
    """The verdicts as an export with everybody's words tells them."""
    with scene.store.read() as conn:
        export(conn, folder, "csv", words=True, now=now)
    with (folder / "events.csv").open(encoding="utf-8", newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["kind"] == "audit_judged"]


def test_an_export_tells_no_verdict_on_which_another_is_still_to_come(scene: Scene, tmp_path: Path) -> None:
    audit = one(drawn(scene), 2)
    judge(scene.store, audit, "Ines", Judgement(True, fault=Fault.BOUNDARY, note="The rules drew it wrong."))
    (waiting,) = exported(scene, tmp_path / "waiting")
    assert (json.loads(waiting["head"]), waiting["digest"], waiting["words"]) == ({"audit": audit}, "", "")
    (alone,) = exported(scene, tmp_path / "alone", scene.store.now() + BLIND_FOR)
    assert json.loads(alone["head"])["escalate"] is True, "it counts alone by then, and may be read"
    judge(scene.store, audit, "Jonas", NO)
    settled = exported(scene, tmp_path / "settled")
    assert [json.loads(row["head"])["escalate"] for row in settled] == [True, False]
    assert "The rules drew it wrong." in settled[0]["words"] and settled[0]["digest"]


def test_one_person_cannot_be_both_auditors(scene: Scene) -> None:
    audit = one(drawn(scene), 2)
    judge(scene.store, audit, "Ines", YES)
    assert not judge(scene.store, audit, "INES", YES).judged
    assert not how(scene, audit).wants("ines")


def test_a_first_verdict_counts_alone_once_the_second_has_not_come_for_two_weeks(scene: Scene) -> None:
    audit = one(drawn(scene), 2)
    judge(scene.store, audit, "Ines", YES)
    scene.clock.forward(seconds=BLIND_FOR.total_seconds() - 1)
    assert how(scene, audit).open
    scene.clock.forward(seconds=1)
    held = how(scene, audit)
    assert held.judged and held.miss == 1
    assert not held.wants("Jonas"), "they could have read the first by now"
    with pytest.raises(CannotJudge, match="has all its verdicts"):
        judge(scene.store, audit, "Jonas", NO)


ACTS = st.lists(
    st.tuples(st.sampled_from(["Ines", "Jonas", "Maria"]), st.integers(0, 5), st.booleans(), st.integers(0, 6)),
    max_size=12,
)


@settings(max_examples=20)
@given(ACTS)
def test_whatever_is_judged_in_whatever_order_an_open_audit_shows_each_person_their_own_verdict_only(
    tmp_path_factory: pytest.TempPathFactory, empty_store: Path, acts: list[tuple[str, int, bool, int]]
) -> None:
    scene = Scene(Path(shutil.copy(empty_store, tmp_path_factory.mktemp("blind"))))
    made = drawn(scene, tickets=6)
    for by, number, escalate, days in acts:
        scene.clock.forward(days=days)
        audit = made.audits[number].id
        before = how(scene, audit)
        seen_before = before.seen_by(by)
        try:
            judge(scene.store, audit, by, YES if escalate else NO)
        except CannotJudge:
            assert how(scene, audit).verdicts == before.verdicts
        else:
            assert all(v.by == by for v in seen_before) or not before.open
    with scene.store.read() as conn:
        for held in standings(conn, scene.store.now()):
            assert len({v.by for v in held.verdicts}) == len(held.verdicts) <= held.audit.wanted
            for by in ("Ines", "Jonas", "Maria"):
                if held.open:
                    assert all(v.by == by for v in held.seen_by(by))
                    assert held.wants(by) == (not held.seen_by(by))
    scene.store.close()


# ── the queue ───────────────────────────────────────────────────────────────────────────────────────────────


def test_the_queue_gives_each_auditor_what_still_wants_their_verdict_until_nothing_does(scene: Scene) -> None:
    made = drawn(scene)
    judged: dict[str, int] = {"Ines": 0, "Jonas": 0}
    while True:
        before = dict(judged)
        for by in judged:
            with scene.store.read() as conn:
                waits = next_for(conn, by, scene.store.now())
            if waits is not None:
                assert waits.wants(by)
                judge(scene.store, waits.audit.id, by, NO)
                judged[by] += 1
        if judged == before:
            break
    assert sum(judged.values()) == sum(a.wanted for a in made.audits)
    with scene.store.read() as conn:
        held = standings(conn)
        assert all(s.judged for s in held)
        assert agreement(held).pairs == sum(a.wanted == 2 for a in made.audits) > 0


def test_two_auditors_do_not_go_through_a_week_in_the_same_order(scene: Scene) -> None:
    drawn(scene, tickets=40, size=30)
    with scene.store.read() as conn:
        first = {by: next_for(conn, by, scene.store.now()) for by in ("Ines", "Jonas", "Maria", "Oona")}
    assert len({s.audit.id for s in first.values() if s}) > 1


# ── erasure ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_ticket_whose_words_were_erased_shows_so_and_cannot_be_judged(scene: Scene) -> None:
    audit = one(drawn(scene), 1)
    scene.people.erase(how(scene, audit).audit.ticket, scene.sign())
    held = how(scene, audit)
    assert held.erased and not held.wants("Ines")
    with pytest.raises(CannotJudge, match="were erased: nobody can judge"):
        judge(scene.store, audit, "Ines", NO)
    with scene.store.read() as conn:
        (told,) = (s for s in standings(conn) if s.audit.id == audit)
    assert told.erased and not told.judged


def test_erasure_takes_the_note_and_leaves_the_verdict(scene: Scene) -> None:
    audit = one(drawn(scene), 1)
    held = judge(scene.store, audit, "Ines", Judgement(True, (), Fault.BOUNDARY, "Ada asked twice."))
    scene.people.erase(held.audit.ticket, scene.sign())
    (verdict,) = how(scene, audit).verdicts
    assert (verdict.escalate, verdict.note) == (True, None)
    assert how(scene, audit).judged


def test_where_the_words_are_gone_a_first_verdict_does_not_wait_for_a_second(scene: Scene) -> None:
    audit = one(drawn(scene), 2)
    held = judge(scene.store, audit, "Ines", YES)
    scene.people.erase(held.audit.ticket, scene.sign())
    assert how(scene, audit).judged and how(scene, audit).miss == 1


def test_the_record_with_audits_in_it_is_whole(scene: Scene) -> None:
    made = drawn(scene)
    for number, audit in enumerate(made.audits):
        judge(scene.store, audit.id, "Ines", YES if number % 2 else NO)
    scene.clock.forward(hours=1)
    checked = verify(scene.store)
    assert checked.finding is None and checked.records == len(scene.history.house_timeline()) + sum(
        len(scene.history.timeline(t)) for t in scene.history.tickets()
    )
    assert {e.ticket for e in scene.history.house_timeline()} == {HOUSE}


def test_a_clock_that_stepped_back_does_not_make_a_verdict_wait_longer(scene: Scene) -> None:
    audit = one(drawn(scene), 2)
    judge(scene.store, audit, "Ines", YES)
    scene.clock.forward(days=15)
    scene.receive("T-late")
    scene.clock.forward(days=-10)
    with scene.store.read() as conn:
        assert next(s for s in standings(conn) if s.audit.id == audit).judged
