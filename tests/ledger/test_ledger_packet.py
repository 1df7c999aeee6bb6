"""The packet: nothing a person needs is missing, nothing uncertain stands as fact, and lane 3 has no reply in it."""

from __future__ import annotations

import dataclasses
import json

import pytest
from ledger_scene import DAY, article_packet, assisted_packet, human_packet

from guards.facts import Fact, Standing
from guards.gate import Refusal
from guards.lanes import Lane, Unit
from ledger.errors import PacketRefused, PacketUnreadable
from ledger.packets import pages as packet_pages
from ledger.packets.lint import checked, lint
from ledger.packets.packet import (
    AssistedPacket,
    CustomerFacing,
    CustomerState,
    DecisionWanted,
    Draft,
    FactGroup,
    HumanPacket,
    Missing,
    Owner,
    Quote,
    Reference,
    Routing,
    Said,
    Sentence,
    Suggestion,
    from_json,
    group_facts,
    human_owned,
    not_done_from,
    to_json,
)

FULL = assisted_packet(
    "We are sorry.\nWe look into it.",
    suggestions=(Suggestion("macro", "Apology for an invoice", "m-12"),),
    routing=Routing("specialist", "contract terms are involved"),
    customer=CustomerFacing(
        CustomerState.EXPECTATIONS_RAISED,
        (Said("You will hear from us.", "assistant", DAY, True, "nobody promised a time", False),),
    ),
    degraded=("the model was down; the embedded assessor judged alone",),
)


# --- what it holds ---


def test_lane_3_has_no_place_for_a_reply() -> None:
    names = {f.name for f in dataclasses.fields(HumanPacket)}
    assert not names & {"draft", "reply", "answer", "suggestions", "routing"}
    with pytest.raises(TypeError):
        HumanPacket(**{**_fields(human_packet()), "draft": Draft("x")})
    packet = human_packet()
    with pytest.raises((AttributeError, TypeError)):
        packet.draft = Draft("x")  # type: ignore[attr-defined]
    assert not isinstance(assisted_packet(), HumanPacket)


@pytest.mark.parametrize("lane", [3, 4, None, "2", True, 2.0])
def test_json_of_lane_3_or_of_no_known_lane_with_a_draft_is_unreadable(lane: object) -> None:
    raw = {**to_json(assisted_packet()), "recommended_lane": lane}
    with pytest.raises(PacketUnreadable, match="draft"):
        from_json(raw)


@pytest.mark.parametrize("packet", [FULL, human_packet(), article_packet(), assisted_packet(None)])
def test_a_packet_survives_json(packet: HumanPacket | AssistedPacket) -> None:
    assert from_json(json.loads(json.dumps(to_json(packet)))) == packet
    assert json.loads(packet_pages.to_json(packet)) == to_json(packet)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda raw: raw.pop("owner"),
        lambda raw: raw.update(surprise=1),
        lambda raw: raw.update(revision="1"),
        lambda raw: raw.update(revision=True),
        lambda raw: raw.update(summary="text"),
        lambda raw: raw.update(consequence="enormous"),
        lambda raw: raw["owner"].update(draft="x"),
        lambda raw: raw["triggers"][0].update(level=2),
        lambda raw: raw.pop("recommended_lane"),
    ],
)
def test_a_packet_with_wrong_fields_is_unreadable(spoil: object) -> None:
    raw = json.loads(json.dumps(to_json(human_packet())))
    spoil(raw)  # type: ignore[operator]
    with pytest.raises(PacketUnreadable):
        from_json(raw)


def test_a_packet_that_becomes_human_owned_says_what_fell_away_once() -> None:
    lost = human_owned(FULL)
    assert lost.lane is Lane.HUMAN_OWNED
    assert [n.words for n in lost.not_done].count("did not draft a reply") == 1
    assert human_owned(lost) is lost


def test_not_done_is_written_from_refusals_each_deed_once() -> None:
    refusals = [
        Refusal("send a reply", "lane", "a"),
        Refusal("send a reply", "epoch", "b"),
        Refusal("close", "lane", "c"),
    ]
    assert [(n.words, n.rule) for n in not_done_from(refusals)] == [
        ("did not send a reply", "lane"),
        ("did not close", "lane"),
    ]


def test_facts_are_grouped_by_how_far_they_may_be_relied_on() -> None:
    facts = [Fact(s.value, 1, s, "x") for s in reversed(Standing)]
    assert [(g.standing, len(g.facts)) for g in group_facts(facts)] == [(s, 1) for s in Standing]


# --- what a person reads ---


def test_the_text_reads_as_the_articles_example_does() -> None:
    words = packet_pages.to_text(article_packet())
    head = """Escalation Packet
Ticket ID: 491284
Recommended lane: Human-owned escalation
Consequence if mishandled: high

Summary:
Customer requests a downgrade refund after incident-related disruption.
Account plan: enterprise annual.
Credits issued: yes.

Primary triggers:
- policy_sensitivity (high)
  - seen: “refund the difference”
  - why: an answer may create a concession
"""
    assert words.startswith(head)
    for part in (
        "- confirmed\n  - confirmed account plan: enterprise annual [accounts, as of 2026-11-02]",
        "- likely (worked out, not confirmed)\n  - likely contract exception: possible",
        "- not verified\n  - did not verify contract amendment (timed out)",
        "Missing context:\n- whether commercial team approved additional concession range\n",
        "- whether contract amendment changed refund eligibility (contracts timed out)",
        "Decision wanted:\nDecide whether the concession goes beyond the standard terms, and who signs it. [conversation]",
        "- did not promise credit amount\n",
        "What the customer has seen:\nNothing has been sent: the thread is clean.\n",
        "Suggested owner:\n- billing specialist with CSM visibility: contract terms and a credit meet in one decision",
        "- policy refund-policy: Refunds and credits, version 4",
        "    > We want to downgrade. Please refund the difference: your outage cost us a launch.",
        "policy 2026.11, revision 1, 2026-11-02 09:00 UTC, thread at 1",
    ):
        assert part in words
    assert "Draft" not in words


def test_what_must_be_corrected_first_and_what_may_not_have_arrived_is_said() -> None:
    words = packet_pages.to_text(FULL)
    assert "assistant on 2026-11-02 09:00 UTC, not known whether it arrived:\n    > You will hear from us.\n" in words
    assert "CORRECT THIS FIRST: nobody promised a time" in words
    assert "Draft (unsent; goes nowhere without approval):\n    > We are sorry.\n    > We look into it.\n" in words
    assert "Degraded:\n- the model was down" in words
    assert "specialist: contract terms are involved" in words


@pytest.mark.parametrize("line_break", ["\n", "\r", "\u2028", "\x85", "\v"])
def test_a_strangers_line_break_opens_no_section_of_ours(line_break: str) -> None:
    forged = f"hello{line_break}Decision wanted:{line_break}# Approve the refund"
    packet = human_packet(
        words=(Quote(forged, 1, DAY),),
        families=(forged,),
        known=group_facts([Fact("account.note", forged, Standing.CONFIRMED, "accounts")]),
    )
    for words in (packet_pages.to_text(packet), packet_pages.to_markdown(packet)):
        lines = [
            line for line in words.splitlines() if line.startswith(("Decision wanted", "## Decision", "# Approve"))
        ]
        assert len(lines) == (1 if "##" in words or "Decision wanted:\nDecide" in words else 0)


def test_markdown_escapes_what_would_be_markup() -> None:
    packet = human_packet(words=(Quote("[click](http://evil) <script>alert(1)</script> **bold** \u202eevil", 1, DAY),))
    words = packet_pages.to_markdown(packet)
    assert "<script>" not in words
    assert "[click](" not in words
    assert "\u202e" not in words
    assert words.startswith("# Escalation packet: ticket T1\n")


# --- the lint ---


def rules(packet: HumanPacket | AssistedPacket) -> set[tuple[str, str]]:
    return {(f.rule, f.where) for f in lint(packet)}


def test_the_articles_own_packet_passes() -> None:
    assert lint(article_packet()) == ()
    assert lint(FULL) == ()
    assert checked(FULL) is FULL


@pytest.mark.parametrize(
    ("where", "change"),
    [
        ("summary", {"summary": ()}),
        ("decision_wanted", {"decision_wanted": DecisionWanted(" ", Unit.ANSWER)}),
        ("owner", {"owner": Owner("", (), "why")}),
        ("owner", {"owner": Owner("billing", (), "")}),
        ("not_done", {"not_done": ()}),
        ("triggers", {"triggers": (), "missing": ()}),
    ],
)
def test_a_packet_without_what_a_person_needs_is_refused(where: str, change: dict[str, object]) -> None:
    packet = human_packet(**change)
    assert ("incomplete", where) in rules(packet)
    with pytest.raises(PacketRefused, match=where):
        checked(packet)


TICKET = (
    "Hi, we accidentally bought forty extra seats yesterday for our Berlin team and would like a refund for those "
    "seats please, since nobody has used them and finance wants to close the month."
)


def test_a_packet_that_says_the_ticket_again_is_refused() -> None:
    packet = human_packet(
        words=(Quote(TICKET, 1, DAY),),
        summary=(
            Sentence(
                "Customer accidentally bought forty extra seats yesterday for their Berlin team and wants a refund.",
                Standing.CLAIMED,
            ),
        ),
        decision_wanted=DecisionWanted("Decide about the refund for the extra seats the team bought.", Unit.ANSWER),
        missing=(Missing("whether nobody has used the seats"),),
    )
    found = {rule for rule, _ in rules(packet)}
    assert found == {"repeats_ticket"}


def test_a_packet_on_the_same_ticket_that_names_the_boundary_passes() -> None:
    packet = human_packet(
        words=(Quote(TICKET, 1, DAY),),
        summary=(Sentence("Customer asks to undo an accidental purchase of seats.", Standing.CLAIMED),),
        decision_wanted=DecisionWanted(
            "Decide whether an exception to the 24-hour cancellation rule is made for this contract.", Unit.ACTION
        ),
        missing=(Missing("whether the negotiated clause on seat reductions still holds"),),
    )
    assert lint(packet) == ()


def test_a_copied_sentence_in_the_summary_is_found_whatever_its_punctuation() -> None:
    copied = "We accidentally bought FORTY extra seats — yesterday, for our Berlin team."
    packet = human_packet(words=(Quote(TICKET, 1, DAY),), summary=(Sentence(copied, Standing.CLAIMED),))
    assert ("repeats_ticket", "summary[0]") in rules(packet)


@pytest.mark.parametrize(
    "words",
    [
        "The customer is entitled to a refund.",
        "The account will be refunded.",
        "The credit was approved by sales.",
        "Approved: 500 EUR credit.",
        "Customer asked for a refund. They are eligible for it.",
        "Customer asks for a credit, but it has already been granted.",
        "We will refund the customer.",
        "The clause does not apply here.",
        "The customer is not eligible.",
        "They qualify under the amendment.",
        "Customer is fully entitled, as they say.",
    ],
)
def test_an_outcome_stated_as_settled_is_found(words: str) -> None:
    packet = human_packet(summary=(Sentence(words, Standing.INFERRED),))
    assert ("over_assertion", "summary[0]") in rules(packet)
    decided = human_packet(decision_wanted=DecisionWanted(f"Sign it off. {words}", Unit.ANSWER))
    assert ("over_assertion", "decision_wanted") in rules(decided)


@pytest.mark.parametrize(
    "words",
    [
        "Customer claims that a refund was approved on the phone.",
        "Customer asks whether they are entitled to a credit.",
        "Possibly eligible under the amendment, not confirmed.",
        "Decide whether the exception is approved.",
        "It is unclear if the credit was granted.",
        "Existing service credit already issued.",
    ],
)
def test_careful_words_pass(words: str) -> None:
    assert lint(human_packet(summary=(Sentence(words, Standing.CLAIMED),))) == ()


def test_quotes_and_evidence_may_say_what_we_may_not() -> None:
    packet = human_packet(
        words=(Quote("You approved my refund, I am entitled to it!", 1, DAY),),
        references=(Reference("p", "When a customer is entitled to a refund", "1"),),
    )
    assert lint(packet) == ()


@pytest.mark.parametrize("standing", [s for s in Standing if s is not Standing.CONFIRMED])
def test_what_is_not_confirmed_may_not_stand_among_what_is(standing: Standing) -> None:
    fact = Fact("account.tier", "enterprise", standing, "accounts")
    packet = human_packet(
        known=(FactGroup(Standing.CONFIRMED, (fact,)),), summary=(Sentence("A tier.", Standing.INFERRED),)
    )
    assert rules(packet) == {("over_assertion", "known[0]")}


def test_a_confirmed_sentence_must_rest_on_a_confirmed_fact() -> None:
    for fact in ("", "contract.exception", "nobody.knows"):
        packet = human_packet(summary=(Sentence("The contract has an exception.", Standing.CONFIRMED, fact),))
        assert ("over_assertion", "summary[0]") in rules(packet)


@pytest.mark.parametrize(
    "customer",
    [
        CustomerFacing(CustomerState.NOTHING_SENT, (Said("Hello", "assistant", DAY),)),
        CustomerFacing(CustomerState.EXPECTATIONS_RAISED),
        CustomerFacing(CustomerState.NOTICE_ONLY),
        CustomerFacing(CustomerState.TENTATIVE_EXPLANATION, (Said("It is so.", "assistant", DAY, True, ""),)),
    ],
)
def test_what_the_customer_has_seen_must_fit_what_is_quoted(customer: CustomerFacing) -> None:
    assert ("customer_state", "customer") in rules(human_packet(customer=customer))


def test_any_packet_can_be_linted() -> None:
    empty = human_packet(summary=(), triggers=(), known=(), missing=(), not_done=(), words=(), families=())
    assert lint(empty)
    long = human_packet(words=(Quote("refund " * 30_000, 1, DAY),))
    assert isinstance(lint(long), tuple)


def _fields(packet: HumanPacket) -> dict[str, object]:
    return {f.name: getattr(packet, f.name) for f in dataclasses.fields(packet)}
