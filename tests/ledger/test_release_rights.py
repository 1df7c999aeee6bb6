"""A release put in force, or a family held back, kills what is in flight; nothing that died comes back to life."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ledger_scene import NOTICE, VIEW, Scene

from guards.errors import ReleaseConflict
from guards.gate import Permit, Piece, Refusal
from guards.policy import OwnerGroup
from guards.rollout import Ceiling
from ledger.adoption import adopt
from ledger.errors import NotYetAllowed
from ledger.events import Kind
from ledger.evidence.rollout_gate import promoted_families, record_promotion
from ledger.outbox import Sending
from ledger.releases import ACTIVATED, ROLLED_BACK, Pinned, ReleaseLedger
from ledger.rollout import MACHINE, RolloutLedger

OLD, NEW = Pinned(VIEW.version, ""), Pinned("2026.12", "d" * 64)
NEXT = replace(VIEW, version=NEW.version, digest=NEW.digest)


def put(scene: Scene, release: Pinned, how: str = ACTIVATED, before: Pinned = OLD) -> None:
    ReleaseLedger(scene.store).put_in_force(release, before, how, scene.sign())


def routine(scene: Scene, key: str = "m1") -> None:
    scene.receive(key=key)
    scene.assigned(1, key=key)


def rule_of(answer: Permit | Refusal | Sending) -> str:
    return answer.rule if isinstance(answer, Refusal) else "left"


def test_a_letter_in_flight_dies_with_the_release_it_was_proposed_under(scene: Scene) -> None:
    routine(scene)
    assert isinstance(scene.propose(), Permit)
    put(scene, NEW)
    assert rule_of(scene.post.begin("T1/answer", NEXT)) == "release"


def test_a_post_room_that_has_not_heard_of_the_activation_sends_nothing_either(scene: Scene) -> None:
    routine(scene)
    scene.propose()
    put(scene, NEW)
    assert rule_of(scene.post.begin("T1/answer", VIEW)) == "release", "its own view still says the old one is in force"
    assert rule_of(scene.propose(key="T1/again")) == "release"


@pytest.mark.parametrize("how", [ACTIVATED, ROLLED_BACK])
def test_rolling_back_does_not_bring_to_life_what_the_activation_killed(scene: Scene, how: str) -> None:
    first = Pinned(VIEW.version, "a" * 64)
    view = replace(VIEW, digest=first.digest)
    put(scene, first)
    routine(scene)
    assert isinstance(scene.propose(view=view), Permit)
    put(scene, NEW, before=first)
    put(scene, first, how, before=NEW)
    assert rule_of(scene.post.begin("T1/answer", view)) == "release"
    assert rule_of(scene.propose(key="T1/again", view=view)) == "release", "its lane was assigned before"
    routine(scene, "m2")
    assert isinstance(scene.propose(key="T1/new", view=view), Permit)
    assert isinstance(scene.post.begin("T1/new", view), Sending)


def test_an_approved_text_of_a_person_dies_with_the_release_too(scene: Scene) -> None:
    scene.receive()
    review = scene.under_review()
    assert review.draft is not None and review.draft.text is not None
    done = scene.people.approve(review.id, review.draft.text.encode(), scene.seen(), scene.sign(), VIEW)
    put(scene, NEW)
    assert rule_of(scene.post.begin(str(done.reply_key), NEXT)) == "release"


def test_a_process_that_still_works_under_the_old_release_proposes_nothing_after_the_activation(scene: Scene) -> None:
    put(scene, NEW)
    routine(scene)
    assert rule_of(scene.propose(view=VIEW)) == "release", "assigned and proposed since, by the wrong release"
    routine(scene, "m2")
    assert isinstance(scene.propose(key="T1/new", view=NEXT), Refusal), "the letter itself names the old one"


def test_an_approval_does_not_come_back_to_life_when_its_release_does(scene: Scene) -> None:
    first = Pinned(VIEW.version, "a" * 64)
    view = replace(VIEW, digest=first.digest)
    put(scene, first)
    scene.receive()
    review = scene.under_review()
    assert review.draft is not None and review.draft.text is not None
    done = scene.people.approve(review.id, review.draft.text.encode(), scene.seen(), scene.sign(), view)
    put(scene, NEW, before=first)
    put(scene, first, ROLLED_BACK, before=NEW)
    assert rule_of(scene.post.begin(str(done.reply_key), view)) == "release"


def test_a_person_can_answer_a_ticket_whose_lane_an_older_release_assigned(scene: Scene) -> None:
    scene.receive()
    scene.assigned(3)
    put(scene, NEW)
    done = scene.people.answer_myself("T1", "We look into it.", scene.seen(), scene.sign(), NEXT)
    assert isinstance(scene.post.begin(str(done.reply_key), NEXT), Sending)


def test_once_a_release_was_put_in_force_no_adoption_gives_the_word_back_to_the_settings(scene: Scene) -> None:
    adopt(scene.store, VIEW.version, "", scene.sign())
    routine(scene)
    assert isinstance(scene.propose(), Permit)
    put(scene, NEW)
    with pytest.raises(NotYetAllowed, match="was put in force"):
        adopt(scene.store, VIEW.version, "", scene.sign())
    held = ReleaseLedger(scene.store).in_force()
    assert held is not None and held.version == NEW.version


# ── one family ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("ceiling", list(Ceiling))
def test_one_familys_roll_back_kills_its_answers_in_flight_whatever_it_is_held_to(
    scene: Scene, ceiling: Ceiling
) -> None:
    routine(scene)
    scene.propose()
    rollout = RolloutLedger(scene.store)
    rollout.roll_back("documentation", ceiling, "2026.10", scene.sign())
    rollout.lift("documentation", scene.sign())
    expected = "phase" if ceiling is Ceiling.NOTHING_LEAVES else "family"
    assert rule_of(scene.post.begin("T1/answer", VIEW)) == expected, "lifted again, and dead all the same"
    routine(scene, "m2")
    assert isinstance(scene.propose(key="T1/new"), Permit)


def test_a_lane_that_is_assigned_again_revives_nothing_that_died_with_a_hold(scene: Scene) -> None:
    routine(scene)
    scene.propose()
    rollout = RolloutLedger(scene.store)
    rollout.roll_back("documentation", Ceiling.NOTHING_LEAVES, "2026.10", scene.sign())
    rollout.lift("documentation", scene.sign())
    scene.worker.record("T1", Kind.LANE_ASSIGNED, "again/assign_lane", {"families": ["documentation"], "lane": 1})
    assert isinstance(scene.propose(key="T1/new"), Permit), "what is proposed by the new lane may leave"
    assert rule_of(scene.post.begin("T1/answer", VIEW)) == "phase"


@pytest.mark.parametrize(
    ("ceiling", "answer", "notice"),
    [
        (Ceiling.NOTHING_LEAVES, "phase", "phase"),
        (Ceiling.LANE_2, "family", "left"),
        (Ceiling.OPEN, "left", "left"),
    ],
)
def test_what_a_hold_leaves_to_a_new_ticket_of_its_family(
    scene: Scene, ceiling: Ceiling, answer: str, notice: str
) -> None:
    RolloutLedger(scene.store).roll_back("documentation", ceiling, "2026.10", scene.sign())
    routine(scene)
    assert rule_of(scene.propose()) == answer
    scene.receive("T2", "n1")
    scene.assigned(2, "T2", key="n1")
    assert rule_of(scene.propose(NOTICE, "T2/notice", Piece.NOTICE, ticket="T2")) == notice


def test_a_hold_of_another_family_changes_nothing(scene: Scene) -> None:
    RolloutLedger(scene.store).roll_back("billing", Ceiling.NOTHING_LEAVES, "2026.10", scene.sign())
    routine(scene)
    assert isinstance(scene.propose(), Permit)
    assert isinstance(scene.post.begin("T1/answer", VIEW), Sending)


def test_nothing_leaves_in_a_family_that_the_release_only_watches(scene: Scene) -> None:
    view = replace(VIEW, quiet_families=frozenset({"documentation"}))
    routine(scene)
    assert rule_of(scene.propose(view=view)) == "phase"


def test_a_machine_narrows_once_and_only_a_person_widens(scene: Scene) -> None:
    rollout = RolloutLedger(scene.store)
    held = rollout.narrow("documentation", "overrides", {"seen": 40, "overrides": 20})
    assert held is not None and (held.by, held.ceiling) == (MACHINE, Ceiling.LANE_2)
    assert rollout.narrow("documentation", "overrides", {}) is None
    assert dict(rollout.ceilings()) == {"documentation": Ceiling.LANE_2}
    routine(scene)
    assert rule_of(scene.propose()) == "family"
    assert [h.seq for h in rollout.lift("documentation", scene.sign())] == [held.seq]
    assert rollout.ceilings() == {}


def test_a_narrowing_takes_the_evidence_of_a_promotion_away(scene: Scene) -> None:
    record_promotion(scene.store, "documentation", "narrow", {"audited": 80}, scene.sign())
    assert promoted_families(scene.store) == {"documentation": "narrow"}
    RolloutLedger(scene.store).narrow("documentation", "recontact", {})
    assert promoted_families(scene.store) == {}


# ── proposing and approving ─────────────────────────────────────────────────────────────────────────────────


def test_a_version_stands_for_one_text_for_good(scene: Scene) -> None:
    releases = ReleaseLedger(scene.store)
    releases.propose(NEW, VIEW.version, scene.sign())
    releases.propose(NEW, VIEW.version, scene.sign())
    with pytest.raises(ReleaseConflict, match="another text"):
        releases.propose(Pinned(NEW.version, "e" * 64), VIEW.version, scene.sign())
    with pytest.raises(ReleaseConflict, match="another text"):
        releases.approve(Pinned(NEW.version, "e" * 64), OwnerGroup.LEGAL, scene.sign(), None)


def test_one_person_stands_for_one_group_unless_the_settings_name_them(scene: Scene) -> None:
    releases = ReleaseLedger(scene.store)
    with pytest.raises(NotYetAllowed, match="never proposed"):
        releases.approve(NEW, OwnerGroup.SECURITY, scene.sign("ada"), None)
    releases.propose(NEW, VIEW.version, scene.sign())
    releases.approve(NEW, OwnerGroup.SECURITY, scene.sign("ada"), None)
    with pytest.raises(NotYetAllowed, match="one group only"):
        releases.approve(NEW, OwnerGroup.LEGAL, scene.sign("ada"), None)
    with pytest.raises(NotYetAllowed, match="not a member"):
        releases.approve(NEW, OwnerGroup.LEGAL, scene.sign("ada"), ["bo"])
    releases.approve(NEW, OwnerGroup.LEGAL, scene.sign("ada"), ["ada", "bo"])
    assert {a.group for a in releases.approvals(NEW)} == {OwnerGroup.SECURITY, OwnerGroup.LEGAL}
