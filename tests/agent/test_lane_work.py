"""What each lane may do and what it cannot: approved words, drafts that wait, packets without a reply, one notice."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from agent_scene import (
    AUDIT_LOG,
    DISCOUNT,
    LOCKED_OUT,
    Scene,
    filled,
    in_phase,
    its_systems,
    open_scene,
    read_words_as_words,
    rules_of,
    rules_only,
)

from agent import sources
from agent.telling import label
from desk.decisions import answer_myself, approve, claim, edit_and_approve, hand_back
from desk.errors import ChangedSince, DecisionRefused
from guards.facts import Facts, Standing
from guards.grounding import Span, ground
from guards.lanes import Lane
from guards.policy import Phase, Release
from ledger.events import Kind
from ledger.letters import DeliveryState
from ledger.packets.packet import AssistedPacket, HumanPacket, to_json
from tools.systems import Audience


@pytest.fixture
async def scene(tmp_path: Path, rules: Release, empty_ledger: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path, rules, empty_ledger=empty_ledger) as made:
        yield made


@pytest.fixture(autouse=True)
def _light(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may be done is tested, not how well is read: words are compared as words."""
    read_words_as_words(monkeypatch.setattr)


# ── lane 1 ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_lane_one_answer_holds_only_approved_words(scene: Scene, rules: Release) -> None:
    texts = rules.texts
    articles = {a.name: a for a in await its_systems().knowledge.articles({Audience.PUBLIC})}
    answered: set[str] = set()
    for article in articles.values():
        ticket = f"about-{article.article_id}"
        await scene.customer_writes(article.questions[0], ticket)
        for composed in scene.events(ticket, Kind.ANSWER_COMPOSED):
            if composed.head["tool"] != "send_answer":
                continue
            assert composed.body is not None
            text, spans = composed.body.json()["text"], [Span("greeting", texts.greeting), Span("end", texts.closing)]
            gathered = scene.events(ticket, Kind.FACTS_GATHERED)[0].body
            assert gathered is not None
            facts = Facts.from_json(gathered.json()["facts"])
            for name in composed.head["sources"]:
                if name not in articles:  # a confirmed fact of the asker's own account, told by a template
                    fact = facts.get(name)
                    assert fact.standing is Standing.CONFIRMED
                    spans.append(Span(name, texts.fact_line.format(label=label(fact), value=fact.value)))
                    continue
                line = texts.source_line.format(title=articles[name].title, version=articles[name].version)
                spans += [Span(name, articles[name].body), Span("source line", line)]
            verdict = ground(text, spans)
            assert verdict.stands, (article.name, verdict.unsupported, verdict.forbidden)
            assert [d.body.text for d in scene.history.deliveries(ticket)] == [text]
            answered |= set(composed.head["sources"])
    assert len(answered) >= 15, "a lane that answers little proves little"


async def test_an_answer_names_its_source_and_says_that_a_machine_wrote(scene: Scene, rules: Release) -> None:
    await scene.customer_writes(AUDIT_LOG)
    scene.deliver()
    letter = scene.letters()[0]
    assert letter.startswith(rules.texts.greeting) and "automated" in rules.texts.greeting
    assert "“Where the audit log is and what it records” (version 7)" in letter
    assert "Auto-Submitted: auto-replied" in scene.mails()[0].read_text()


async def test_one_clarifying_question_is_asked_and_never_a_second(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two articles equally near, whatever is asked.
    monkeypatch.setattr(sources, "ANSWER_AT", 2.0)
    monkeypatch.setattr(sources, "ASK_AT", 0.0)
    monkeypatch.setattr(sources, "CLOSE", 2.0)
    first = await scene.customer_writes(AUDIT_LOG)
    assert (first.lane, scene.pieces()) == (1, ["question"])
    scene.deliver()
    assert scene.letters()[0].startswith("To point you to the right place: do you mean “")
    second = await scene.customer_writes("I mean the audit log page, where is it?")
    assert second.lane == 2 and second.held == "one clarifying question has been asked already"
    assert scene.pieces() == ["question", "notice"]


CONFIRMED = (
    "That worked, thanks!",
    "Great, that worked. Thank you!",
    "Found it.",
    "Perfect, all sorted now. Thanks a lot for the quick help.",
)
NOT_CONFIRMED = (
    "That did not work.",
    "Thanks, but I doubt that worked.",
    "I can't say that helped, thanks.",
    "Thanks! Is that worked into the Free plan too?",
    "Thanks for nothing.",
    "Thanks, found it, but now please close our account.",
)


@pytest.mark.parametrize("words", CONFIRMED)
async def test_a_ticket_is_closed_on_the_customers_own_confirmation(words: str, scene: Scene, rules: Release) -> None:
    await scene.customer_writes(AUDIT_LOG)
    scene.deliver()
    await scene.customer_writes(words)
    assert scene.pieces() == ["answer", "closing"]
    scene.deliver()
    assert rules.texts.closed in scene.letters()


@pytest.mark.parametrize("words", NOT_CONFIRMED)
async def test_a_ticket_is_not_closed_on_anything_else(words: str, scene: Scene) -> None:
    await scene.customer_writes(AUDIT_LOG)
    scene.deliver()
    await scene.customer_writes(words)
    assert "closing" not in scene.pieces()


async def test_nothing_is_closed_that_was_never_answered(scene: Scene) -> None:
    await scene.customer_writes("That worked, thanks!")
    assert "closing" not in scene.pieces()


async def test_an_answer_that_has_not_left_when_the_customer_writes_again_never_leaves(scene: Scene) -> None:
    await scene.customer_writes(AUDIT_LOG)
    scene.intake.receive(scene.message(LOCKED_OUT))
    delivered = scene.deliver()
    assert [(d.letter.piece.value, d.state) for d in delivered] == [("answer", DeliveryState.REFUSED)]
    assert scene.mails() == []


# ── lane 2 ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_draft_goes_nowhere_without_a_persons_approval(scene: Scene, rules: Release) -> None:
    result = await scene.customer_writes(DISCOUNT)
    assert (result.lane, type(result.packet)) == (2, AssistedPacket)
    assert result.draft is not None
    scene.deliver()
    scene.deliver()
    assert scene.pieces() == ["notice"]
    assert result.draft not in "".join(scene.letters())
    look = scene.look()
    assert look.review is not None
    mine = filled(result.draft)
    edit_and_approve(scene.people, rules, look.review.id, mine, look.seen, scene.sign())
    scene.deliver()
    assert sorted(scene.pieces()) == ["approved", "notice"]
    assert mine in scene.letters()


async def test_a_draft_decides_nothing_and_shows_its_gaps(scene: Scene) -> None:
    result = await scene.customer_writes(DISCOUNT)
    assert result.draft is not None and "[Agent:" in result.draft
    assert isinstance(result.packet, AssistedPacket) and result.packet.draft is not None
    assert result.packet.draft.marks == ()
    assert result.packet.routing is not None and result.packet.routing.why


async def test_a_second_message_makes_the_open_draft_stale_and_joins_the_same_review(
    scene: Scene, rules: Release
) -> None:
    first = await scene.customer_writes(DISCOUNT)
    old = scene.look()
    assert first.draft is not None and old.review is not None
    await scene.customer_writes("It would be for twelve months.")
    now = scene.review()
    assert (now.id, now.revision) == (old.review.id, 2)
    assert now.packet is not None
    assert [q.text for q in now.packet.words] == [DISCOUNT, "It would be for twelve months."]
    with pytest.raises(ChangedSince) as changed:
        edit_and_approve(scene.people, rules, now.id, filled(first.draft), old.seen, scene.sign())
    assert "the customer has written since" in str(changed.value)
    assert [d.stale for d in scene.reviews.drafts(now.id)] == [True, False]
    assert len(scene.reviews.all_of_ticket("T-1")) == 1


async def test_a_message_that_raises_the_lane_takes_the_draft_away(scene: Scene) -> None:
    await scene.customer_writes(DISCOUNT)
    await scene.customer_writes(LOCKED_OUT)
    review = scene.review()
    assert (review.lane, review.draft, type(review.packet)) == (Lane.HUMAN_OWNED, None, HumanPacket)


# ── lane 3 ──────────────────────────────────────────────────────────────────────────────────────────────────


def keys_in(value: object) -> set[str]:
    """Every key within plain JSON."""
    if isinstance(value, dict):
        return set(value) | {k for item in value.values() for k in keys_in(item)}
    if isinstance(value, list):
        return {k for item in value for k in keys_in(item)}
    return set()


async def test_lane_three_has_no_place_for_a_reply_anywhere(scene: Scene, rules: Release) -> None:
    result = await scene.customer_writes(LOCKED_OUT)
    assert (result.lane, type(result.packet), result.draft) == (3, HumanPacket, None)
    assert result.packet is not None
    assert not keys_in(to_json(result.packet)) & {"draft", "reply", "suggestions", "text_to_customer", "answer"}
    assert not scene.events("T-1", Kind.DRAFT_PREPARED, Kind.ANSWER_COMPOSED, Kind.REPLY_PROPOSED)
    assert not {"draft_reply", "send_answer", "ask_question", "close_ticket", "suggest_help"} & set(result.rights)
    assert "did not draft a reply" in {n.words for n in result.not_done}
    look = scene.look()
    assert look.review is not None
    with pytest.raises(DecisionRefused):
        approve(scene.people, rules, look.review.id, b"We gave you admin rights.", look.seen, scene.sign())


async def test_a_packet_that_somehow_holds_a_draft_loses_it_in_lane_three(scene: Scene) -> None:
    await scene.customer_writes(DISCOUNT)
    packet = scene.review().packet
    assert isinstance(packet, AssistedPacket)
    scene.worker.raise_floor("T-1", 3)
    stored = scene.worker.open_review(packet, key="late")
    assert stored.draft is None and isinstance(stored.packet, HumanPacket)


async def test_after_a_person_has_claimed_new_messages_revise_the_packet_and_nothing_goes_out(scene: Scene) -> None:
    await scene.customer_writes(LOCKED_OUT)
    claim(scene.people, "T-1", scene.sign())
    await scene.person_decided()
    result = await scene.customer_writes(AUDIT_LOG)
    assert scene.review().revision == 2
    assert result.packet is not None and result.packet.words[-1].text == AUDIT_LOG
    assert {d.state for d in scene.deliver()} <= {DeliveryState.REFUSED}
    assert scene.mails() == []


async def test_a_ticket_that_is_a_persons_stays_a_persons_whatever_comes_next(scene: Scene) -> None:
    await scene.customer_writes(LOCKED_OUT)
    result = await scene.customer_writes(AUDIT_LOG)
    assert result.lane == 3 and "floor" in rules_of(result)
    assert scene.pieces() == ["notice"]


# ── notices ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("words", "notice"), [(DISCOUNT, "commercial"), (LOCKED_OUT, "security")])
async def test_a_notice_is_byte_equal_to_its_approved_template_and_leaves_once_an_escalation(
    words: str, notice: str, scene: Scene, rules: Release
) -> None:
    template = next(n.text for n in rules.notice if n.id == notice)
    await scene.customer_writes(words)
    scene.deliver()
    for more in ("Hello?", "Is anybody there?"):
        await scene.customer_writes(more)
        scene.deliver()
    assert scene.letters() == [template]


async def test_after_a_person_has_answered_a_new_escalation_has_its_own_notice(scene: Scene, rules: Release) -> None:
    await scene.customer_writes(DISCOUNT)
    scene.deliver()
    answer_myself(scene.people, rules, "T-1", "Not this year.", scene.look().seen, scene.sign())
    await scene.person_decided()
    scene.deliver()
    await scene.customer_writes(LOCKED_OUT)
    scene.deliver()
    assert scene.pieces() == ["notice", "approved", "notice"]
    assert len(scene.mails()) == 3


async def test_no_notice_promises_a_time_or_says_that_somebody_has_read_it(release: Release) -> None:
    from guards.wording import screen

    assert [(n.id, screen(n.text)) for n in release.notice if screen(n.text)] == []


async def test_handed_back_at_lane_one_the_assistant_answers_again(scene: Scene) -> None:
    await scene.customer_writes(LOCKED_OUT)
    hand_back(scene.people, "T-1", Lane.AUTONOMOUS, scene.look().seen, scene.sign())
    await scene.person_decided()
    result = await scene.customer_writes(AUDIT_LOG)
    assert (result.lane, scene.pieces()[-1]) == (1, "answer")


# ── nothing leaves ──────────────────────────────────────────────────────────────────────────────────────────


def observing(folder: Path, release: Release) -> AbstractAsyncContextManager[Scene]:
    """A scene in observe-only."""
    return open_scene(folder, in_phase(rules_only(release), Phase.OBSERVE_ONLY))


@pytest.mark.parametrize(("words", "lane"), [(AUDIT_LOG, 1), (DISCOUNT, 2), (LOCKED_OUT, 3)])
async def test_in_observe_only_nothing_leaves_and_the_recommendation_is_recorded(
    words: str, lane: int, tmp_path: Path, release: Release
) -> None:
    async with observing(tmp_path, release) as scene:
        result = await scene.customer_writes(words)
        assert result.decision is not None and int(result.decision.lane) == lane
        scene.deliver()
        assert (scene.pieces(), scene.mails()) == ([], [])
        assert result.draft is None
        assert result.packet is not None, "people agree or disagree with a packet"
        assert not {"send_answer", "release_notice", "draft_reply"} & set(result.rights)


@pytest.mark.parametrize("words", [AUDIT_LOG, DISCOUNT, LOCKED_OUT])
async def test_halted_nothing_leaves_and_a_person_has_the_ticket(words: str, scene: Scene) -> None:
    scene.people.halt(None, scene.sign())
    result = await scene.customer_writes(words)
    scene.deliver()
    assert (scene.pieces(), scene.mails()) == ([], [])
    assert result.lane >= 2 and result.review is not None
    assert "halted" in rules_of(result)


@pytest.mark.parametrize("words", [AUDIT_LOG, DISCOUNT])
async def test_a_halt_also_stops_what_was_on_its_way(words: str, scene: Scene) -> None:
    await scene.customer_writes(words)
    scene.people.halt(None, scene.sign())
    assert {d.state for d in scene.deliver()} == {DeliveryState.REFUSED}
    assert scene.mails() == []


async def test_a_halt_of_another_family_stops_nothing_here(scene: Scene) -> None:
    scene.people.halt("outage", scene.sign())
    await scene.customer_writes(AUDIT_LOG)
    assert [d.state for d in scene.deliver()] == [DeliveryState.SENT]


async def test_a_family_that_has_not_earned_it_is_held_to_a_draft(tmp_path: Path, rules: Release) -> None:
    rollout = rules.rollout.model_copy(update={"autonomous_families": ("billing",)})
    async with open_scene(tmp_path, rules.model_copy(update={"rollout": rollout})) as scene:
        result = await scene.customer_writes(AUDIT_LOG)
        assert (result.lane, scene.pieces()) == (2, ["notice"])
        assert rules_of(result) == {"rollout"}
        assert result.draft is not None and "The audit log is in the admin panel" in result.draft


# ── what was not done ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("words", [DISCOUNT, LOCKED_OUT])
async def test_a_packet_says_what_was_not_done_from_the_rights_that_were_withheld(words: str, scene: Scene) -> None:
    result = await scene.customer_writes(words)
    assert result.packet is not None
    said = {n.words for n in result.packet.not_done}
    granted = scene.events("T-1", Kind.RIGHTS_GRANTED)[-1]
    assert {f"did not {w['what']}" for w in granted.head["withheld"]} <= said
    assert {
        "did not quote a refund or credit outcome, promise timing, give security steps, say a person reviewed",
        "did not change a refund, credit, entitlement, access or account",
        "did not send a reply to the customer",
    } <= said
    plain: Any = json.loads(json.dumps(to_json(result.packet)))
    assert plain["customer"]["state"] == "nothing_sent"
