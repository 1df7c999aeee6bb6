"""Lanes only rise, but by a person; the worker has no way down."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_scene import LANES, VIEW, Scene
from sqlalchemy import text

from guards.gate import Refusal
from guards.lanes import Lane
from ledger import deciding, events, letters, register
from ledger.errors import (
    HeadTooLarge,
    KeyReused,
    NotYours,
    OnlyAPersonLowers,
    StaleDecision,
    UnknownOpening,
    UnknownTicket,
)
from ledger.events import Entry, Kind
from ledger.register import Register
from ledger.worker import MAY_RECORD, WorkerLedger


@pytest.mark.parametrize("order", list(itertools.product(LANES, repeat=3)))
def test_whatever_the_order_the_floor_is_the_highest_that_was_asked_for(scene: Scene, order: tuple[Lane, ...]) -> None:
    scene.receive()
    for lane in order:
        before = scene.worker.register("T1")
        after = scene.worker.raise_floor("T1", lane)
        assert after.floor == max(before.floor, lane)
        assert after.epoch == before.epoch + (after.floor > before.floor)
    assert scene.worker.register("T1").floor is max(order)


def test_a_floor_that_was_computed_too_low_is_not_written_over_a_higher_one(scene: Scene) -> None:
    scene.receive()
    held = scene.worker.raise_floor("T1", 3)
    mistaken = replace(held, floor=Lane.AUTONOMOUS)
    with scene.store.write() as conn:
        register.raise_floor(conn, "T1", 2, at=scene.clock(), actor="assistant", held=mistaken)
    assert scene.worker.register("T1").floor is Lane.HUMAN_OWNED


@pytest.mark.parametrize("unknown", [0, 4, -1, "2", 2.0, None, True, "lane 1", [1]])
def test_an_unknown_lane_is_lane_3(scene: Scene, unknown: object) -> None:
    scene.receive()
    assert scene.worker.raise_floor("T1", unknown).floor is Lane.HUMAN_OWNED


def test_an_answer_is_opened_no_lower_than_the_floor(scene: Scene) -> None:
    scene.receive()
    scene.worker.raise_floor("T1", 2)
    held = scene.assigned(1)
    assert [(a.lane, a.opened_by) for a in held.answers] == [(Lane.ASSISTED, held.revision)]


def test_opening_the_same_answer_again_only_raises_it(scene: Scene) -> None:
    seq = scene.receive().seq
    for asked, expected in ((1, 1), (3, 3), (2, 3)):
        held = scene.worker.open_answer("T1", seq, asked)
        assert [int(a.lane) for a in held.answers] == [expected]
        assert scene.worker.register("T1").answers == held.answers, "what it was told is what the file holds"


def test_each_raise_is_an_event_with_a_new_epoch_and_nothing_else_is(scene: Scene) -> None:
    scene.receive()
    scene.assigned(1)
    answer = scene.worker.register("T1").answers[0].id
    for lane, epoch in ((1, 0), (2, 1), (2, 1), (1, 1), (3, 2), (3, 2)):
        assert scene.worker.raise_answer("T1", answer, lane).epoch == epoch
    raised = [e.head for e in scene.history.timeline("T1") if e.kind is Kind.LANE_RAISED]
    assert [(h["lane"], h["epoch"]) for h in raised] == [([1, 2], 1), ([2, 3], 2)]


def test_an_assignment_in_one_write_is_the_same_as_its_parts_one_by_one(scene: Scene) -> None:
    for ticket in ("T1", "T2"):
        scene.receive(ticket=ticket)
    for lane, floor in itertools.product(LANES, (None, *LANES)):
        key = f"{int(lane)}-{floor and int(floor)}"
        whole, parts = scene.receive("T1", key).seq, scene.receive("T2", key).seq
        actions = ["refund", "credit"] if lane is Lane.ASSISTED else []
        held = scene.worker.assign("T1", whole, lane, actions=actions, floor=floor)
        one_by_one = scene.worker.open_answer("T2", parts, lane)
        for name in actions:
            one_by_one = scene.worker.open_action("T2", parts, lane, name)
        if floor is not None:
            one_by_one = scene.worker.raise_floor("T2", floor)
        assert held == scene.worker.register("T1")  # what is returned is what is kept
        assert _bare(held) == _bare(one_by_one)
    told = [[e.head for e in scene.history.timeline(t) if e.kind is Kind.LANE_RAISED] for t in ("T1", "T2")]
    assert told[0] == told[1] != []


def _bare(held: Register) -> tuple[object, ...]:
    return held.floor, held.lane, held.epoch, [(o.kind, o.name, o.lane) for o in held.openings]


def test_the_short_reading_of_a_register_agrees_with_the_whole_one(scene: Scene) -> None:
    scene.receive()
    for n, (lane, action) in enumerate(itertools.product(LANES, (False, True))):
        seq = scene.receive(key=f"again-{n}").seq
        if action:
            scene.worker.open_action("T1", seq, Lane.HUMAN_OWNED, "refund")
        else:
            scene.worker.open_answer("T1", seq, lane)
        whole = scene.worker.register("T1")
        short, halted = scene.worker.standing("T1")
        assert (short.lane, short.epoch, short.revision) == (whole.lane, whole.epoch, whole.revision)
        assert not halted
        assert scene.worker.address("T1") == ("ada@example.com", whole.epoch)
    assert scene.worker.register("T1").lane is Lane.HUMAN_OWNED
    for read in (scene.worker.standing, scene.worker.address, scene.worker.snapshot):
        with pytest.raises(UnknownTicket):
            read("T9")


@pytest.mark.parametrize("odd", [0, 4, -1, 99])
def test_an_open_answer_in_no_lane_known_is_read_as_lane_3_by_both_readings(scene: Scene, odd: int) -> None:
    scene.receive()
    scene.assigned(1)
    with scene.store.write() as conn:
        conn.execute(text("UPDATE openings SET lane = :odd"), {"odd": odd})
    assert scene.worker.register("T1").lane is scene.worker.standing("T1")[0].lane is Lane.HUMAN_OWNED


def test_a_halt_of_the_tickets_family_shows_in_what_a_right_is_derived_from(scene: Scene) -> None:
    scene.receive()
    assert not scene.worker.standing("T1")[1]
    scene.people.halt("documentation", scene.sign())
    assert scene.worker.standing("T1")[1]  # no family is known yet: any halt counts
    scene.assigned(1, families=("billing",))
    assert not scene.worker.standing("T1")[1]
    scene.assigned(1, families=("documentation",), key="m2")
    assert scene.worker.standing("T1")[1]


def test_a_snapshot_holds_what_the_single_readings_tell(scene: Scene) -> None:
    seq = scene.receive().seq
    scene.assigned(2)
    scene.worker.record("T1", Kind.RIGHTS_GRANTED, f"{seq}/rights", {"lane": 2})
    held = scene.worker.snapshot("T1", [Kind.RIGHTS_GRANTED])
    assert held.ticket == scene.worker.ticket("T1")
    assert held.messages == scene.worker.thread("T1")
    assert held.register == scene.worker.register("T1")
    assert held.events == scene.worker.events("T1", [Kind.RIGHTS_GRANTED])
    assert scene.worker.recorded("T1", f"{seq}/rights") == held.events[0]
    assert scene.worker.recorded("T1", "m1") is None  # a customer's key is not one of a step's
    assert scene.worker.snapshot("T1").events == ()


def test_an_open_action_does_not_silence_the_answer_beside_it(scene: Scene) -> None:
    seq = scene.receive().seq
    scene.assigned(1)
    held = scene.worker.open_action("T1", seq, 3, "refund")
    assert held.lane is Lane.AUTONOMOUS
    assert held.epoch == 0
    assert [(a.name, a.lane) for a in held.actions] == [("refund", Lane.HUMAN_OWNED)]
    assert not isinstance(scene.propose(), Refusal)


def test_a_machine_may_close_an_answer_only_where_the_lane_does_not_fall_by_it(scene: Scene) -> None:
    seq = scene.receive().seq
    routine = scene.assigned(1).answers[0].id
    assert scene.worker.close_answer("T1", routine).answers == ()
    assisted = scene.assigned(1, key="again")  # closed stays closed
    assert assisted.answers == ()
    second = scene.receive(key="m2", text="I want a refund").seq
    held = scene.worker.open_answer("T1", second, 2)
    action = scene.worker.open_action("T1", seq, 2, "refund").actions[0].id
    for opening in (held.answers[0].id, action):
        with pytest.raises(OnlyAPersonLowers):
            scene.worker.close_answer("T1", opening)
    assert scene.worker.register("T1").lane is Lane.ASSISTED
    with pytest.raises(UnknownOpening):
        scene.worker.close_answer("T1", 999)


def test_an_answer_of_another_ticket_cannot_be_raised_or_closed(scene: Scene) -> None:
    scene.receive()
    scene.receive(ticket="T2")
    opening = scene.assigned(1).answers[0].id
    for deed in (scene.worker.close_answer, lambda t, o: scene.worker.raise_answer(t, o, 2)):
        with pytest.raises(UnknownOpening):
            deed("T2", opening)


def test_the_worker_has_exactly_these_hands() -> None:
    assert {name for name in dir(WorkerLedger) if not name.startswith("_")} == {
        *(
            "now",
            "snapshot",
            "address",
            "recorded",
            "thread",
            "ticket",
            "register",
            "halts",
            "is_halted",
            "standing",
            "refusals",
            "deliveries",
            "events",
            "review",
            "packet_for",
            "changed_articles",
            "ceilings",
            "narrowed",
        ),
        *("record", "record_many", "record_outcome", "refuse"),
        *("assign", "open_answer", "open_action", "raise_answer", "raise_floor", "close_answer"),
        *("propose", "open_review", "revise_review"),
    }


def test_only_a_persons_room_can_lower_a_lane() -> None:
    lowering = {"lower_to", "close_openings", "set_register"}
    assert lowering <= set(dir(deciding.Act))
    for room in (register, events, letters):
        assert not lowering & set(dir(room))


def test_nobody_but_people_imports_the_rooms_in_which_lanes_fall_and_words_are_erased() -> None:
    rooms = Path(deciding.__file__).parent.glob("*.py")
    importers = {
        p.stem for p in rooms if re.search(r"ledger\.(deciding|erasure)|import (deciding|erasure)", p.read_text())
    }
    assert importers == {"people"}


@pytest.mark.parametrize("kind", sorted(set(Kind) - MAY_RECORD))
def test_the_worker_cannot_record_what_another_has_done(scene: Scene, kind: Kind) -> None:
    scene.receive()
    with pytest.raises(NotYours):
        scene.worker.record("T1", kind, "forged", {"decision": "handed_back", "settles": 99})
    assert len(scene.history.timeline("T1")) == 1


# --- recording ---


def test_a_step_that_is_run_again_is_told_what_it_recorded_first(scene: Scene) -> None:
    scene.receive()
    first = scene.worker.record("T1", Kind.FACTS_GATHERED, "m1/facts", {"n": 1}, {"facts": ["a"]})
    again = scene.worker.record("T1", Kind.FACTS_GATHERED, "m1/facts", {"n": 2}, {"facts": ["b"]})
    assert (first.first, again.first) == (True, False)
    assert again.head == {"n": 1}
    assert again.body is not None
    assert again.body.json() == {"facts": ["a"]}
    assert len(scene.history.timeline("T1")) == 2


def test_several_records_are_all_written_or_none(scene: Scene) -> None:
    scene.receive()
    good, bad = Entry(Kind.FACTS_GATHERED, "a"), Entry(Kind.TRIGGERS_ASSESSED, "b", {"text": "x" * 301})
    with pytest.raises(HeadTooLarge):
        scene.worker.record_many("T1", [good, bad])
    assert len(scene.history.timeline("T1")) == 1
    assert [r.first for r in scene.worker.record_many("T1", [good, good])] == [True, False]


def test_a_key_cannot_stand_for_two_kinds(scene: Scene) -> None:
    scene.receive()
    scene.worker.record("T1", Kind.FACTS_GATHERED, "m1/x")
    with pytest.raises(KeyReused, match="facts_gathered"):
        scene.worker.record("T1", Kind.LANE_ASSIGNED, "m1/x")


def test_nothing_is_recorded_on_a_ticket_nobody_knows(scene: Scene) -> None:
    with pytest.raises(UnknownTicket):
        scene.worker.record("nobody", Kind.FACTS_GATHERED, "k")
    for read in (scene.worker.thread, scene.worker.ticket, scene.worker.register):
        with pytest.raises(UnknownTicket):
            read("nobody")


# --- only a person lowers ---


def test_a_person_lowers_with_a_name_and_a_reason_on_record(scene: Scene) -> None:
    scene.receive()
    scene.assigned(3)
    scene.worker.raise_floor("T1", 3)
    decision = scene.people.change_lane("T1", Lane.ASSISTED, scene.seen(), scene.sign("maria", "it is a plain how-to"))
    assert (decision.register.lane, decision.register.floor) == (Lane.ASSISTED, Lane.ASSISTED)
    decided = [e for e in scene.history.timeline("T1") if e.kind is Kind.PERSON_DECIDED]
    [lowered] = [e for e in scene.history.timeline("T1") if e.kind is Kind.LANE_LOWERED]
    assert (lowered.actor, lowered.head["lane"]) == ("maria", [3, 2])
    assert decided[0].body is not None
    assert decided[0].body.json() == {"reason": "it is a plain how-to"}
    assert scene.intake.tickets_with_work() == ("T1",)


def test_a_person_can_also_raise(scene: Scene) -> None:
    scene.receive()
    before = scene.assigned(1)
    after = scene.people.change_lane("T1", Lane.HUMAN_OWNED, scene.seen(), scene.sign()).register
    assert (after.lane, after.epoch) == (Lane.HUMAN_OWNED, before.epoch + 1)
    assert Kind.LANE_LOWERED not in [e.kind for e in scene.history.timeline("T1")]


def test_a_lane_that_nobody_knows_cannot_be_handed_back_to(scene: Scene) -> None:
    scene.receive()
    scene.worker.raise_floor("T1", 3)
    after = scene.people.change_lane("T1", 7, scene.seen(), scene.sign()).register  # type: ignore[arg-type]
    assert after.floor is Lane.HUMAN_OWNED


def test_handing_back_lowers_the_floor_closes_what_was_open_and_settles_the_words(scene: Scene) -> None:
    seq = scene.receive().seq
    review = scene.under_review()
    scene.worker.raise_floor("T1", 3)
    scene.worker.open_action("T1", seq, 3, "refund")
    scene.people.claim("T1", scene.sign())
    after = scene.people.hand_back("T1", Lane.AUTONOMOUS, scene.seen(), scene.sign()).register
    assert (after.lane, after.floor, after.openings, after.claimed_by) == (Lane.AUTONOMOUS, Lane.AUTONOMOUS, (), None)
    assert not scene.reviews.get(review.id).open
    [message] = scene.worker.thread("T1")
    assert (message.settled, message.settled_how) == (True, "handed_back")
    scene.receive(key="m2", text="One more thing")
    assert [m.settled for m in scene.worker.thread("T1")] == [True, False]


def test_handing_back_at_a_higher_lane_raises_the_floor_to_it(scene: Scene) -> None:
    scene.receive()
    after = scene.people.hand_back("T1", Lane.ASSISTED, scene.seen(), scene.sign()).register
    assert (after.floor, after.epoch) == (Lane.ASSISTED, 1)


def test_words_that_a_person_has_not_read_are_not_settled_by_handing_back(scene: Scene) -> None:
    scene.receive()
    scene.worker.raise_floor("T1", 3)
    seen = scene.seen()
    scene.receive(key="m2", text="and now my admin is locked out")
    with pytest.raises(StaleDecision, match="customer has written"):
        scene.people.hand_back("T1", Lane.AUTONOMOUS, seen, scene.sign())
    assert scene.worker.register("T1").floor is Lane.HUMAN_OWNED


def test_resolving_leaves_the_floor_where_it_is(scene: Scene) -> None:
    scene.receive()
    scene.worker.raise_floor("T1", 3)
    after = scene.people.resolve("T1", scene.seen(), scene.sign(), "refunded_elsewhere").register
    assert (after.floor, after.openings) == (Lane.HUMAN_OWNED, ())


def test_an_old_right_stays_dead_after_a_person_has_lowered_the_lane_again(scene: Scene) -> None:
    scene.receive()
    scene.assigned(1)
    letter = scene.letter("Open Admin, then Audit.")
    scene.worker.raise_floor("T1", 3)
    scene.people.change_lane("T1", Lane.AUTONOMOUS, scene.seen(), scene.sign())
    answer = scene.worker.propose(letter, "Open Admin, then Audit.", reply_key="k", view=VIEW)
    assert isinstance(answer, Refusal)
    assert answer.rule == "epoch"
