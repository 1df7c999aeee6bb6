"""The words that a packet is composed of: none of ours trips the lint, and a fault costs its own sentence and no other."""

from __future__ import annotations

import pytest
from ledger_scene import human_packet

from agent.steps.build_packet import POINTER, passed
from guards.assess import Assessment, Need
from guards.assign import RISK, Coverage, coverage_reasons
from guards.facts import Standing
from guards.lanes import Unit
from guards.policy import Release
from guards.triggers import Matrix
from ledger.packets.lint import LEFT_OUT, lint
from ledger.packets.packet import DecisionWanted, Missing, Owner, Sentence

SETTLED = Sentence("The customer is entitled to a refund.", Standing.INFERRED)
CAREFUL = Sentence("The customer asks for money back.", Standing.CLAIMED)


def test_no_words_of_the_packaged_release_or_of_the_law_trip_the_lint(release: Release) -> None:
    unknown = Assessment(Matrix(()), (), Need.RECORD, asks_human=True, language="en")
    nothing = Coverage(account_confirmed=False, requester_verified=False)
    reasons = [row[3] for row in RISK] + [r.words for r in coverage_reasons(unknown, nothing, release)]
    composed = [f"The customer {rule.says}." for rule in release.signal if rule.says]
    composed += [f"The customer asks a question; also {rule.says}." for rule in release.signal if rule.says]
    composed += [f"Likely needs a person because {words}." for words in reasons]
    composed += [f"Likely issue family: {family.title.lower()}." for family in release.family]
    composed += list(release.damage_words.values())
    assert len(composed) > 50
    for words in composed:
        assert lint(human_packet(summary=(Sentence(words, Standing.INFERRED),))) == (), words
    for rule in release.signal:
        if rule.open_question:
            asked = human_packet(missing=(Missing(f"whether {rule.open_question}", rule.why),))
            assert lint(asked) == (), rule.id
    for owner in release.owner_rule:
        assert lint(human_packet(owner=Owner(owner.queue, owner.visible_to, owner.why))) == (), owner.queue
    for words in release.decision.values():
        assert lint(human_packet(decision_wanted=DecisionWanted(words, Unit.ANSWER))) == (), words


@pytest.mark.parametrize("kind", ["source", "public source", "current public article", "help article", "template"])
def test_an_approved_source_is_a_kind_of_source_and_an_approved_anything_else_is_settled(kind: str) -> None:
    named = Sentence(f"Likely needs a person because no approved {kind} answers it.", Standing.INFERRED)
    assert lint(human_packet(summary=(named,))) == ()
    for words in (f"The refund was approved by {kind}.", "An approved public refund.", "Approved credit, see source."):
        assert lint(human_packet(summary=(Sentence(words, Standing.INFERRED),))), words


def test_a_faulty_sentence_is_left_out_alone_and_the_packet_says_so() -> None:
    packet = passed(human_packet(summary=(CAREFUL, SETTLED)))
    assert packet.summary == (CAREFUL,)
    assert [note for note in packet.degraded if note.startswith(LEFT_OUT)] == [
        f"{LEFT_OUT}: a sentence was not fit to stand (over_assertion)"
    ]
    assert lint(packet) == ()


def test_a_summary_that_loses_everything_still_points_at_what_is_known() -> None:
    packet = passed(human_packet(summary=(SETTLED, SETTLED)))
    assert packet.summary == (POINTER,)
    assert packet.degraded[-1].startswith(f"{LEFT_OUT}: 2 sentences were")
    assert lint(packet) == ()


def test_a_fault_elsewhere_costs_the_summary_nothing() -> None:
    bad = human_packet(summary=(CAREFUL,), decision_wanted=DecisionWanted("We will refund the customer.", Unit.ANSWER))
    assert passed(bad) == bad
    assert lint(bad)
