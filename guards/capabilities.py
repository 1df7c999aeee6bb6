"""Effects, rights, and the one total table of what each lane may do. No release can widen it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from guards.lanes import Lane


class Effect(StrEnum):
    """What a tool does to the world. Declared by the tool, never inferred from its name (law 1)."""

    READ = "read"
    LOCAL_NOTE = "local_note"
    DRAFT = "draft"
    CUSTOMER_TEXT = "customer_text"
    CLOSE = "close"
    STATE_CHANGE = "state_change"
    EGRESS = "egress"


class Right(StrEnum):
    """One thing an assistant may be allowed to do."""

    READ_SOURCES = "read_sources"
    SEND_ANSWER = "send_answer"
    ASK_QUESTION = "ask_question"
    CLOSE_TICKET = "close_ticket"
    DRAFT_REPLY = "draft_reply"
    SUGGEST_HELP = "suggest_help"
    SUMMARISE = "summarise"
    RELEASE_NOTICE = "release_notice"
    COMMIT = "commit"
    CHANGE_STATE = "change_state"
    SEND_ELSEWHERE = "send_elsewhere"


@dataclass(frozen=True, slots=True)
class Row:
    """One right: the effect it is for, the lanes that hold it, and why."""

    effect: Effect
    lanes: frozenset[Lane]
    does: str
    """What the right allows, as a packet says it when it was withheld: ``did not …``."""
    reason: str


_1, _2, _3 = Lane.AUTONOMOUS, Lane.ASSISTED, Lane.HUMAN_OWNED

TABLE: dict[Right, Row] = {
    Right.READ_SOURCES: Row(
        Effect.READ,
        frozenset({_1, _2, _3}),
        "look up account and sources",
        "a person needs the facts in every lane",
    ),
    Right.SEND_ANSWER: Row(
        Effect.CUSTOMER_TEXT,
        frozenset({_1}),
        "send a reply to the customer",
        "only where the case is routine and each sentence rests on an approved source",
    ),
    Right.ASK_QUESTION: Row(
        Effect.CUSTOMER_TEXT,
        frozenset({_1}),
        "ask the customer a question",
        "one clarifying question, where the account context already suffices",
    ),
    Right.CLOSE_TICKET: Row(
        Effect.CLOSE, frozenset({_1}), "close the ticket", "only on the customer's own confirmation"
    ),
    Right.DRAFT_REPLY: Row(
        Effect.DRAFT,
        frozenset({_2}),
        "draft a reply",
        "an agent owns the final message; in lane 3 even a draft would frame the decision",
    ),
    Right.SUGGEST_HELP: Row(
        Effect.LOCAL_NOTE,
        frozenset({_1, _2}),
        "suggest macros, articles or troubleshooting",
        "help for an agent who answers; in lane 3 it would steer a decision that is not ours",
    ),
    Right.SUMMARISE: Row(
        Effect.LOCAL_NOTE,
        frozenset({_1, _2, _3}),
        "summarise, propose an owner, name policy references",
        "a packet is what the assistant owes a person in every lane",
    ),
    Right.RELEASE_NOTICE: Row(
        Effect.CUSTOMER_TEXT,
        frozenset({_2, _3}),
        "tell the customer that a colleague will read this",
        "byte-equal to an approved template, once per escalation, never after a person has claimed the thread",
    ),
    Right.COMMIT: Row(
        Effect.CUSTOMER_TEXT,
        frozenset(),
        "quote a refund or credit outcome, promise timing, give security steps, say a person reviewed",
        "no assistant lane may commit the organisation",
    ),
    Right.CHANGE_STATE: Row(
        Effect.STATE_CHANGE,
        frozenset(),
        "change a refund, credit, entitlement, access or account",
        "a state change is an action escalation: a person decides",
    ),
    Right.SEND_ELSEWHERE: Row(
        Effect.EGRESS, frozenset(), "send anything to anybody else", "no assistant lane reaches third parties"
    ),
}


_BY_LANE: dict[Lane, frozenset[Right]] = {
    lane: frozenset(right for right, row in TABLE.items() if lane in row.lanes) for lane in Lane
}
"""The table read down its columns, once: it is asked at every effect."""


def rights_of(lane: object) -> frozenset[Right]:
    """The rights of a lane. Total: an unknown lane, or a lane of another type, has lane 3's rights."""
    return _BY_LANE[Lane.read(lane)]
