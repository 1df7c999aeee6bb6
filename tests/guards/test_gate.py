"""No letter leaves unless every check lets it, and every check is needed (I2, I3, I5, I6, I14)."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guards import gate
from guards.capabilities import TABLE, Effect, Right, rights_of
from guards.gate import CHECKS, Approval, Grant, Letter, Moment, Permit, Piece, Refusal, may, may_leave
from guards.lanes import Lane

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TEXT = b"Audit logs are in Settings, under Security."
NOTICE_TEXT = b"Thank you for writing. A colleague will read this."


def digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def moment(lane: object, **changes: object) -> Moment:
    """An ordinary moment of a ticket in that lane, in which what the lane allows may leave."""
    kept = Moment(
        ticket="T-1",
        lane=lane,  # type: ignore[arg-type]
        epoch=3,
        revision=7,
        release="2026-03-01",
        phase_sends=True,
        family_open=True,
        halted=False,
        claimed_by=None,
        recipient="ana@customer.example",
        notice_digests=frozenset({digest(NOTICE_TEXT)}),
        notices_sent=0,
        now=NOW,
    )
    return replace(kept, **changes)  # type: ignore[arg-type]


def approval(**changes: object) -> Approval:
    kept = Approval(
        "T-1", digest(TEXT), "ana@customer.example", 3, 7, "2026-03-01", "sam@desk.example", NOW + timedelta(hours=1)
    )
    return replace(kept, **changes)  # type: ignore[arg-type]


def letter(piece: Piece, **changes: object) -> Letter:
    """A letter of that kind that an ordinary moment of its own lane lets go."""
    body = NOTICE_TEXT if piece is Piece.NOTICE else TEXT
    yes = approval() if piece is Piece.APPROVED else None
    kept = Letter("T-1", piece, digest(body), "ana@customer.example", 3, 7, "2026-03-01", yes)
    return replace(kept, **changes)  # type: ignore[arg-type]


OWN_LANE = {
    Piece.ANSWER: Lane.AUTONOMOUS,
    Piece.QUESTION: Lane.AUTONOMOUS,
    Piece.CLOSING: Lane.AUTONOMOUS,
    Piece.NOTICE: Lane.ASSISTED,
    Piece.APPROVED: Lane.ASSISTED,
}

ONLY_THIS_REFUSES: dict[str, list[tuple[Letter, Moment]]] = {
    "ticket": [
        (letter(Piece.ANSWER, ticket="T-2"), moment(Lane.AUTONOMOUS)),
        (letter(Piece.APPROVED, ticket="T-2", approval=approval(ticket="T-2")), moment(Lane.ASSISTED)),
    ],
    "recipient": [
        (letter(Piece.ANSWER, recipient="eve@elsewhere.example"), moment(Lane.AUTONOMOUS)),
        (
            letter(Piece.APPROVED, recipient="eve@x.example", approval=approval(recipient="eve@x.example")),
            moment(Lane.ASSISTED),
        ),
        (letter(Piece.ANSWER, recipient="Ana@customer.example"), moment(Lane.AUTONOMOUS)),
    ],
    "phase": [
        (letter(Piece.ANSWER), moment(Lane.AUTONOMOUS, phase_sends=False)),
        (letter(Piece.NOTICE), moment(Lane.HUMAN_OWNED, phase_sends=False)),
    ],
    "halted": [
        (letter(Piece.QUESTION), moment(Lane.AUTONOMOUS, halted=True)),
        (letter(Piece.NOTICE), moment(Lane.ASSISTED, halted=True)),
    ],
    "lane": [
        (letter(Piece.ANSWER), moment(Lane.ASSISTED)),
        (letter(Piece.ANSWER), moment(Lane.HUMAN_OWNED)),
        (letter(Piece.NOTICE), moment(Lane.AUTONOMOUS)),
    ],
    "family": [(letter(Piece.ANSWER), moment(Lane.AUTONOMOUS, family_open=False))],
    "epoch": [
        (letter(Piece.ANSWER, epoch=2), moment(Lane.AUTONOMOUS)),
        (letter(Piece.ANSWER, epoch=4), moment(Lane.AUTONOMOUS)),
        (letter(Piece.APPROVED, epoch=2, approval=approval(epoch=2)), moment(Lane.ASSISTED)),
    ],
    "revision": [
        (letter(Piece.ANSWER, revision=6), moment(Lane.AUTONOMOUS)),
        (letter(Piece.APPROVED, revision=6, approval=approval(revision=6)), moment(Lane.ASSISTED)),
    ],
    "release": [
        (letter(Piece.ANSWER, release="2026-02-01"), moment(Lane.AUTONOMOUS)),
        (letter(Piece.APPROVED, release="old", approval=approval(release="old")), moment(Lane.ASSISTED)),
    ],
    "claimed": [
        (letter(Piece.ANSWER), moment(Lane.AUTONOMOUS, claimed_by="sam@desk.example")),
        (letter(Piece.NOTICE), moment(Lane.HUMAN_OWNED, claimed_by="sam@desk.example")),
        (letter(Piece.APPROVED), moment(Lane.ASSISTED, claimed_by="ana@desk.example")),
    ],
    "notice": [
        (letter(Piece.NOTICE, digest=digest(TEXT)), moment(Lane.HUMAN_OWNED)),
        (letter(Piece.NOTICE), moment(Lane.HUMAN_OWNED, notices_sent=1)),
        (letter(Piece.NOTICE), moment(Lane.ASSISTED, notice_digests=frozenset())),
    ],
    "approval": [
        (letter(Piece.APPROVED, approval=None), moment(Lane.ASSISTED)),
        (letter(Piece.APPROVED, approval=approval(digest=digest(b"another"))), moment(Lane.HUMAN_OWNED)),
        (letter(Piece.APPROVED), moment(Lane.ASSISTED, now=NOW + timedelta(hours=1))),
    ],
}
"""For every check, letters and moments that this check alone stands against."""


# ── every check is needed ───────────────────────────────────────────────────────────────────────────────────


def test_every_check_has_its_own_cases() -> None:
    assert set(ONLY_THIS_REFUSES) == {rule for rule, _ in CHECKS}
    assert len(CHECKS) == len({rule for rule, _ in CHECKS})


@pytest.mark.parametrize("rule", [rule for rule, _ in CHECKS])
def test_without_this_one_check_a_letter_would_leave(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cases = ONLY_THIS_REFUSES[rule]
    for sent, now in cases:
        refused = may_leave(sent, now)
        assert isinstance(refused, Refusal)
        assert refused.rule == rule
        assert refused.reason
        assert [name for name, check in CHECKS if check(sent, now) is not None] == [rule]
    monkeypatch.setattr(gate, "CHECKS", tuple(c for c in CHECKS if c[0] != rule))
    assert all(isinstance(may_leave(sent, now), Permit) for sent, now in cases)


# ── what each lane lets go ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("piece", "lane"), list(itertools.product(Piece, Lane)))
def test_a_piece_leaves_in_its_own_lanes_and_in_no_other(piece: Piece, lane: Lane) -> None:
    allowed = {
        Piece.ANSWER: {1},
        Piece.QUESTION: {1},
        Piece.CLOSING: {1},
        Piece.NOTICE: {2, 3},
        Piece.APPROVED: {1, 2, 3},
    }
    answer = may_leave(letter(piece), moment(lane))
    assert isinstance(answer, Permit if int(lane) in allowed[piece] else Refusal)


@pytest.mark.parametrize(
    ("piece", "phase_sends", "halted", "claimed", "family_open", "lane"),
    list(itertools.product(Piece, [True, False], [True, False], [True, False], [True, False], Lane)),
)
def test_in_observe_only_under_a_halt_or_after_a_claim_nothing_leaves_by_itself(
    piece: Piece, phase_sends: bool, halted: bool, claimed: bool, family_open: bool, lane: Lane
) -> None:
    holder = "sam@desk.example" if claimed else None
    now = moment(lane, phase_sends=phase_sends, halted=halted, claimed_by=holder, family_open=family_open)
    if isinstance(may_leave(letter(piece), now), Permit):
        assert piece is Piece.APPROVED or (phase_sends and not halted and not claimed)
        assert piece in (Piece.APPROVED, Piece.NOTICE) or (lane is Lane.AUTONOMOUS and family_open)


def test_what_a_person_approved_leaves_even_under_a_halt_because_a_person_sends_it() -> None:
    held = moment(Lane.HUMAN_OWNED, halted=True, phase_sends=False, claimed_by="sam@desk.example")
    permit = may_leave(letter(Piece.APPROVED), held)
    assert isinstance(permit, Permit)
    assert "sam@desk.example" in permit.reason


@pytest.mark.parametrize("lane", Lane)
def test_in_a_thread_that_a_person_has_no_other_persons_text_leaves(lane: Lane) -> None:
    refused = may_leave(letter(Piece.APPROVED), moment(lane, claimed_by="ana@desk.example"))
    assert isinstance(refused, Refusal)
    assert (refused.rule, refused.reason) == ("claimed", "another person has claimed the thread")
    unsigned = may_leave(letter(Piece.APPROVED, approval=None), moment(lane, claimed_by="ana@desk.example"))
    assert isinstance(unsigned, Refusal) and unsigned.rule == "claimed"


@pytest.mark.parametrize("lane", ["1", "2", True, 0, 4, None, 2.0, "autonomous"])
@pytest.mark.parametrize("piece", [Piece.ANSWER, Piece.QUESTION, Piece.CLOSING])
def test_in_a_lane_that_cannot_be_read_the_assistant_says_nothing(piece: Piece, lane: object) -> None:
    refused = may_leave(letter(piece), moment(lane))
    assert isinstance(refused, Refusal)
    assert refused.rule == "lane"


@pytest.mark.parametrize("lane", [1, Lane.AUTONOMOUS])
def test_a_shut_family_is_shut_for_a_lane_that_came_as_a_bare_number_too(lane: int) -> None:
    refused = may_leave(letter(Piece.ANSWER), moment(lane, family_open=False))
    assert isinstance(refused, Refusal)
    assert refused.rule == "family"


@pytest.mark.parametrize("piece", Piece)
def test_a_letter_of_another_ticket_is_refused_whatever_it_is(piece: Piece) -> None:
    yes = approval(ticket="T-2") if piece is Piece.APPROVED else None
    refused = may_leave(letter(piece, ticket="T-2", approval=yes), moment(OWN_LANE[piece]))
    assert isinstance(refused, Refusal)
    assert refused.rule == "ticket"


@pytest.mark.parametrize("word", ["approved", "notice"])
def test_a_piece_that_came_as_a_bare_word_goes_through_the_same_checks(word: str) -> None:
    bare = Letter("T-1", word, digest(b"send all money"), "ana@customer.example", 3, 7, "2026-03-01")  # type: ignore[arg-type]
    assert isinstance(may_leave(bare, moment(Lane.HUMAN_OWNED)), Refusal)


def test_a_piece_that_the_law_does_not_know_cannot_even_be_written() -> None:
    with pytest.raises(ValueError, match="newsletter"):
        letter("newsletter")  # type: ignore[arg-type]


# ── approvals ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "change",
    [
        {"ticket": "T-2"},
        {"digest": digest(b"other bytes")},
        {"recipient": "eve@elsewhere.example"},
        {"epoch": 2},
        {"revision": 8},
        {"release": "2026-02-01"},
    ],
    ids=lambda c: next(iter(c)),
)
def test_an_approval_is_bound_to_each_of_its_fields(change: dict[str, object]) -> None:
    refused = may_leave(letter(Piece.APPROVED, approval=approval(**change)), moment(Lane.ASSISTED))
    assert isinstance(refused, Refusal)
    assert refused.rule == "approval"


@pytest.mark.parametrize(
    ("after", "leaves"),
    [
        (timedelta(hours=1) - timedelta(microseconds=1), True),
        (timedelta(hours=1), False),
        (timedelta(hours=1, microseconds=1), False),
        (timedelta(days=400), False),
    ],
)
def test_an_approval_ends_at_the_very_moment_it_names(after: timedelta, leaves: bool) -> None:
    answer = may_leave(letter(Piece.APPROVED), moment(Lane.ASSISTED, now=NOW + after))
    assert isinstance(answer, Permit) is leaves


@pytest.mark.parametrize("piece", [Piece.ANSWER, Piece.QUESTION, Piece.CLOSING])
def test_an_approval_lends_no_right_to_a_piece_that_is_not_an_approved_text(piece: Piece) -> None:
    refused = may_leave(letter(piece, approval=approval()), moment(Lane.ASSISTED))
    assert isinstance(refused, Refusal)
    assert refused.rule == "lane"


@given(data=st.data(), body=st.binary(min_size=1, max_size=80), bit=st.integers(0, 7))
def test_one_changed_bit_of_an_approved_text_is_refused(data: st.DataObject, body: bytes, bit: int) -> None:
    place = data.draw(st.integers(0, len(body) - 1))
    flipped = bytearray(body)
    flipped[place] ^= 1 << bit
    yes = approval(digest=digest(body))
    assert isinstance(
        may_leave(letter(Piece.APPROVED, digest=digest(body), approval=yes), moment(Lane.ASSISTED)), Permit
    )
    changed = letter(Piece.APPROVED, digest=digest(bytes(flipped)), approval=yes)
    assert isinstance(may_leave(changed, moment(Lane.ASSISTED)), Refusal)


@given(place=st.integers(0, len(NOTICE_TEXT) - 1), bit=st.integers(0, 7), lane=st.sampled_from(Lane))
def test_one_changed_bit_of_a_notice_is_refused(place: int, bit: int, lane: Lane) -> None:
    flipped = bytearray(NOTICE_TEXT)
    flipped[place] ^= 1 << bit
    assert isinstance(may_leave(letter(Piece.NOTICE, digest=digest(bytes(flipped))), moment(lane)), Refusal)


@given(
    piece=st.sampled_from(Piece),
    lane=st.sampled_from(Lane),
    epoch=st.integers(-1, 9),
    revision=st.integers(-1, 9),
    release=st.sampled_from(["2026-03-01", "2026-02-01", ""]),
    ticket=st.sampled_from(["T-1", "T-2", ""]),
    recipient=st.sampled_from(["ana@customer.example", "eve@elsewhere.example", ""]),
)
def test_whatever_leaves_is_of_this_ticket_recipient_epoch_revision_and_release(
    piece: Piece, lane: Lane, epoch: int, revision: int, release: str, ticket: str, recipient: str
) -> None:
    yes = approval(ticket=ticket, recipient=recipient, epoch=epoch, revision=revision, release=release)
    sent = replace(
        letter(piece, ticket=ticket, recipient=recipient, epoch=epoch, revision=revision, release=release),
        approval=yes if piece is Piece.APPROVED else None,
    )
    now = moment(lane)
    leaves = isinstance(may_leave(sent, now), Permit)
    here = (ticket, recipient, epoch, revision, release) == (
        now.ticket,
        now.recipient,
        now.epoch,
        now.revision,
        now.release,
    )
    assert leaves is (here and isinstance(may_leave(letter(piece), now), Permit))


# ── rights at the moment of a tool call ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("lane", "right", "effect"), list(itertools.product(Lane, Right, Effect)))
def test_a_grant_permits_its_own_rights_for_their_own_effects_only(lane: Lane, right: Right, effect: Effect) -> None:
    held = Grant(lane, 1, "2026-03-01", rights_of(lane), ())
    answer = may(held, right, effect)
    allowed = lane in TABLE[right].lanes and effect is TABLE[right].effect
    assert isinstance(answer, Permit if allowed else Refusal)
    assert answer.reason


def test_a_forged_grant_cannot_hold_more_than_its_lane() -> None:
    forged = Grant(Lane.HUMAN_OWNED, 1, "2026-03-01", frozenset(Right), ())
    permitted = {r for r in Right if isinstance(may(forged, r, TABLE[r].effect), Permit)}
    assert permitted == {Right.READ_SOURCES, Right.SUMMARISE, Right.RELEASE_NOTICE}


@pytest.mark.parametrize("lane", ["1", True, 0, 4, None, 1.0])
def test_a_grant_with_an_unreadable_lane_permits_what_lane_3_does(lane: object) -> None:
    forged = Grant(lane, 1, "2026-03-01", frozenset(Right), ())  # type: ignore[arg-type]
    permitted = {r for r in Right if isinstance(may(forged, r, TABLE[r].effect), Permit)}
    assert permitted == set(rights_of(Lane.HUMAN_OWNED))


def test_a_refusal_says_what_was_refused_so_that_a_packet_can_say_what_was_not_done() -> None:
    refused = may(Grant(Lane.ASSISTED, 1, "r", rights_of(Lane.ASSISTED), ()), Right.COMMIT, Effect.CUSTOMER_TEXT)
    assert isinstance(refused, Refusal)
    assert "refund" in refused.what
    assert set(refused.to_json()) == {"what", "rule", "reason"}


@pytest.mark.parametrize("right", ["send_everything", None, "x" * 500])
def test_a_right_that_the_law_does_not_know_is_refused_and_named(right: object) -> None:
    held = Grant(Lane.AUTONOMOUS, 1, "r", rights_of(Lane.AUTONOMOUS), ())
    refused = may(held, right, Effect.CUSTOMER_TEXT)  # type: ignore[arg-type]
    assert isinstance(refused, Refusal)
    assert refused == Refusal(f"use the right {right!r}"[:80], "unknown_right", "the law knows no such right")


def test_a_right_for_another_effect_is_refused_by_the_rule_of_effects() -> None:
    held = Grant(Lane.AUTONOMOUS, 1, "r", rights_of(Lane.AUTONOMOUS), ())
    refused = may(held, Right.SEND_ANSWER, Effect.EGRESS)
    words = "send_answer is a right to customer_text, not to egress"
    assert refused == Refusal(TABLE[Right.SEND_ANSWER].does, "effect", words)


def test_a_right_that_was_withheld_is_refused_with_the_reason_it_was_withheld_for() -> None:
    row = TABLE[Right.SEND_ANSWER]
    other = Refusal(TABLE[Right.ASK_QUESTION].does, "halted", "autonomy is halted")
    phase = Refusal(row.does, "phase", "the policy release is in observe-only")
    held = Grant(Lane.AUTONOMOUS, 1, "r", frozenset({Right.SUMMARISE}), (other, phase))
    assert may(held, Right.SEND_ANSWER, row.effect) == phase
    unsaid = Grant(Lane.AUTONOMOUS, 1, "r", frozenset(), (other,))
    assert may(unsaid, Right.SEND_ANSWER, row.effect) == Refusal(row.does, "grant", "it was not granted")
    in_lane_2 = may(Grant(Lane.ASSISTED, 1, "r", rights_of(Lane.ASSISTED), ()), Right.SEND_ANSWER, row.effect)
    assert in_lane_2 == Refusal(row.does, "lane", f"lane 2 does not hold send_answer: {row.reason}")


@pytest.mark.parametrize(("lane", "right"), [(lane, right) for lane in Lane for right in sorted(rights_of(lane))])
def test_a_permit_names_the_right_it_is_given_by(lane: Lane, right: Right) -> None:
    row = TABLE[right]
    assert may(Grant(lane, 1, "r", rights_of(lane), ()), right, row.effect) == Permit(right, row.reason)


@pytest.mark.parametrize("piece", Piece)
def test_a_letter_leaves_by_its_pieces_own_right_and_a_refusal_names_piece_and_lane(piece: Piece) -> None:
    own = gate.RIGHT_FOR[piece]
    permit = may_leave(letter(piece), moment(OWN_LANE[piece]))
    by = "approved by sam@desk.example" if own is None else TABLE[own].reason
    assert permit == Permit(own or Right.SEND_ANSWER, by)
    other = Lane.AUTONOMOUS if piece is Piece.NOTICE else Lane.ASSISTED
    if own is not None:
        words = f"lane {int(other)} does not hold {own.value}"
        assert may_leave(letter(piece), moment(other)) == Refusal(f"send the {piece.value}", "lane", words)
