"""One ticket in one row: the fold of its events, in their order, into plain columns."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from guards.lanes import Consequence, Lane
from ledger.events import Event, Kind
from ledger.scorecard.marks import Mark
from ledger.words import OPEN_PLACE, digest_of

VERSION = 3
"""Of this fold. Where it is not the stored one, the summaries are made anew from the events."""
RECONTACT_WITHIN = timedelta(days=7)
"""Article: "customer recontact within seven days"."""
HARDLY_READ_SECONDS = 15
"""Nobody reads a packet and a draft in less; an approval this quick was given unread."""
EDITED_HEAVILY_PER_MILLE = 300
"""From this share of changed words on, the draft was not the answer."""
UNKNOWN = "unknown"
_WORDS = re.compile(r"\0|\w+")
_OPEN = "\0"
"""Stands for an open place among the words of a draft; no kept text holds it."""

_DECISIONS_ON_WORK = frozenset(
    {
        "approved",
        "edited_and_approved",
        "rejected",
        "answered",
        "lane_changed",
        "triggers_corrected",
        "routed",
        "action_decided",
        "change_approved",
        "handed_back",
        "resolved",
    }
)
_WORSE = ("", "as_is", "edited", "instead", "rejected")
"""What a person can do with a draft, the mildest first."""


@dataclass(frozen=True, slots=True)
class Happened:
    """One event as the fold reads it. ``kind`` is the stored word: a kind of a later Lanewise is passed over."""

    seq: int
    ticket: str
    kind: str
    at: datetime
    actor: str
    head: Mapping[str, Any]
    words: str | None = None
    """For a customer's message: its sealed words; None where they were erased."""
    edit: tuple[str, str] | None = None
    """For an edited approval: the draft and what was made of it; None where either was erased."""


@dataclass(slots=True)
class Summary:
    """What is known of one ticket after some of its events; each field is a column of ``ticket_summaries``."""

    ticket_id: str
    opened_at: datetime | None = None
    """When the customer's first message was filed."""
    opened_on: str = ""
    """That day in UTC, ``2026-03-10``; empty before the first message."""
    settled_on: str = ""
    """The day of the last answer, else of the first message: seven days on, a recontact would have come."""
    family: str = ""
    """The likeliest issue family of the first assessment; empty where none was known."""
    families: str = "[]"
    """All families that it ever touched, JSON."""
    tier: str = UNKNOWN
    segment: str = UNKNOWN
    consequence: str = ""
    """The worst that any assessment of it came to."""
    policy: str = ""
    """The release that assigned its first lane."""
    first_lane: int = 0
    lane: int = 0
    """The highest lane that it was ever in; 0 before one was assigned."""
    answered_at: datetime | None = None
    """When the last answer reached the customer."""
    answered_until: datetime | None = None
    """Seven days later: the end of the time in which coming back counts."""
    by_assistant: bool = False
    by_person: bool = False
    late: bool = False
    decided: bool = False
    lane_override: str = ""
    """``up`` or ``down``, as a person moved it last."""
    moved_up: bool = False
    path_override: bool = False
    queue: str = ""
    """Where the first packet sent it."""
    routed_from: str = ""
    routed_to: str = ""
    """The first move by a person, from one queue to another."""
    specialist: bool = False
    draft: str = ""
    """The worst that a person did with a draft of it: as_is, edited, instead or rejected."""
    draft_body: int | None = None
    """The draft that waits for a decision."""
    draft_at: datetime | None = None
    """Since when it waits."""
    edited: int | None = None
    """How many words in a thousand were changed, in the last edit whose texts are still there."""
    looked: str = "{}"
    """The last unedited approval, until the desk says how long it was looked at: by whom, of which draft, and the two
    columns below without it; JSON."""
    read_seconds: int | None = None
    """How long the quickest unedited approval took."""
    read_how: str = ""
    """``looked`` where the desk measured it, ``bound`` where only the time since the draft was there is known."""
    rating: str = ""
    """The last that a person said of a packet of it."""
    uncovered: bool = False
    source: str = ""
    """The first article that an answer of the assistant rested on, with its version."""
    asked_again: int = 0
    """The seq of a message that came soon after an answer and has not been assessed yet."""
    wrote_again: int = 0
    """The seq of the first message that came soon after an answer, in the same family, and was no thanks."""
    customer: str | None = None
    """A digest that tells customers apart; None once erased."""
    erased: bool = False
    recontacted_by: str | None = None
    """The ticket with which the customer came back. Not folded: ``projecting`` looks it up among the rows."""
    marks: int = 0

    def take(self, event: Happened) -> None:
        """One event further, but for the marks. Kinds that tell nothing for the scorecard change nothing."""
        fold = _FOLDS.get(event.kind)
        if fold is not None:
            fold(self, event)

    def mark(self) -> None:
        """Sets the marks to what the other columns say."""
        self.marks = sum(int(mark) for mark, holds in _truths(self).items() if holds)


COLUMNS = tuple(f.name for f in fields(Summary))
READS = frozenset(
    {
        Kind.CUSTOMER_WROTE.value,
        Kind.LANE_ASSIGNED.value,
        Kind.LANE_RAISED.value,
        Kind.DRAFT_PREPARED.value,
        Kind.ANSWER_COMPOSED.value,
        Kind.REVIEW_OPENED.value,
        Kind.REVIEW_REVISED.value,
        Kind.PERSON_DECIDED.value,
        Kind.REPLY_PROPOSED.value,
        Kind.DELIVERED.value,
        Kind.WORDS_ERASED.value,
        Kind.LOOKED.value,
    }
)
"""The kinds that the fold reads."""


def customer_of(words: str | None) -> str | None:
    """A digest of who wrote, from the sealed words of a message: the person's address, else the account. None where
    neither is there, or the words were erased."""
    sender = (json.loads(words) if words else {}).get("sender") or {}
    who = str(sender.get("requester_email") or "").strip().lower() or str(sender.get("account_id") or "")
    return digest_of(f"customer/{who}")[:32] if who else None


def share_changed(draft: str, sent: str) -> int:
    """How many words in a thousand differ between two texts, counted over both. A place that a draft left open for the agent
    to fill in is no word of it, and what was filled in there is no change."""
    before, after = _WORDS.findall(OPEN_PLACE.sub(_OPEN, draft)), _WORDS.findall(sent)
    changed = counted = 0
    for kind, i, j, k, n in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        own = [word for word in before[i:j] if word != _OPEN]
        if kind == "replace" and not own:
            continue  # open places and nothing else stood here
        counted += len(own) + n - k
        changed += 0 if kind == "equal" else len(own) + n - k
    return round(1000 * changed / counted) if counted else 0


def _wrote(s: Summary, e: Happened) -> None:
    if s.opened_at is None:
        s.opened_at, s.opened_on = e.at, e.at.date().isoformat()
        s.settled_on = s.opened_on
    if s.customer is None:
        s.customer = customer_of(e.words)
    soon = s.answered_until is not None and e.at <= s.answered_until
    s.asked_again = e.seq if soon else 0


def _assigned(s: Summary, e: Happened) -> None:
    head = e.head
    touched = [str(f) for f in head.get("families", ())]
    held: list[str] = json.loads(s.families)
    if s.asked_again and not s.wrote_again and (set(touched) & set(held) or not held):
        s.wrote_again = s.asked_again
    s.asked_again = 0
    if not s.first_lane:
        s.family = touched[0] if touched else ""
        s.policy = str(head.get("policy") or "")
        s.first_lane = int(Lane.read(head.get("lane")))
        s.uncovered = "no_source" in head.get("rules", ())
    s.families = json.dumps(list(dict.fromkeys([*held, *touched])))
    s.tier = str(head.get("tier") or UNKNOWN) if s.tier == UNKNOWN else s.tier
    s.segment = str(head.get("segment") or UNKNOWN) if s.segment == UNKNOWN else s.segment
    order = [c.value for c in Consequence]
    s.consequence = max(
        s.consequence, str(head.get("consequence", "")), key=lambda c: (c in order, c in order and order.index(c))
    )
    _reach(s, int(Lane.read(head.get("lane"))))


def _raised(s: Summary, e: Happened) -> None:
    before, after = (int(Lane.read(lane)) for lane in e.head["lane"])
    s.late = s.late or (before == 1 < after and s.by_assistant)
    _reach(s, after)


def _reach(s: Summary, lane: int) -> None:
    s.lane = max(s.lane, lane)


LATE_BY = (Kind.LANE_RAISED, Kind.DELIVERED)
"""The kinds that make a late escalation."""


def became_late(told: Iterable[Event]) -> Event | None:
    """The event by which a ticket became a late escalation, among its events of ``LATE_BY``; None where it is none."""
    one = Summary("")
    for event in told:
        one.take(Happened(event.seq, event.ticket, event.kind.value, event.at, event.actor, event.head))
        if one.late:
            return event
    return None


def _drafted(s: Summary, e: Happened) -> None:
    s.specialist = s.specialist or e.head.get("routing") == "specialist"


def _composed(s: Summary, e: Happened) -> None:
    sources = e.head.get("sources") or ()
    if sources and not s.source:
        s.source = str(sources[0])


def _reviewed(s: Summary, e: Happened) -> None:
    head = e.head
    if "why" not in head:
        s.queue = s.queue or str(head.get("queue", ""))
        s.specialist = s.specialist or head.get("lane") == int(Lane.HUMAN_OWNED)
    body = head.get("draft_body")
    if body != s.draft_body:
        s.draft_body, s.draft_at = body, e.at if body is not None else None


def _looked(s: Summary, e: Happened) -> None:
    # The desk says after an approval how long the draft was looked at before it.
    approved, seconds = json.loads(s.looked), e.head.get("seconds")
    if seconds is None or (e.actor, e.head.get("draft")) != (approved.get("by"), approved.get("draft")):
        return
    s.read_seconds, s.read_how = approved["before"]
    s.looked = "{}"
    _quickest(s, int(seconds), "looked")


def _decided(s: Summary, e: Happened) -> None:
    head, kind = e.head, str(e.head.get("decision", ""))
    s.decided = s.decided or kind in _DECISIONS_ON_WORK
    match kind:
        case "approved":
            _read(s, e)
            _settle_draft(s, "as_is")
        case "edited_and_approved":
            s.edited = s.edited if e.edit is None else share_changed(*e.edit)
            _settle_draft(s, "edited")
        case "rejected":
            _settle_draft(s, "rejected")
        case "answered" if s.draft_body is not None:
            _settle_draft(s, "instead")
        case "lane_changed" if head.get("to") != head.get("from"):
            s.lane_override = "up" if int(head.get("to", 0)) > int(head.get("from", 0)) else "down"
            s.moved_up = s.moved_up or s.lane_override == "up"
        case "triggers_corrected":
            proposed = head.get("proposed") or {}
            s.path_override = s.path_override or any(
                proposed.get(trigger) != level for trigger, level in dict(head.get("levels") or {}).items()
            )
        case "routed" if head.get("to") != head.get("from"):
            s.path_override = True
            if not s.routed_to:
                s.routed_from, s.routed_to = str(head.get("from", "")), str(head.get("to", ""))
        case "packet_rated":
            s.rating = str(head.get("rating", ""))
        case _:
            pass


def _read(s: Summary, e: Happened) -> None:
    if s.draft_at is None:
        return
    before = [s.read_seconds, s.read_how]
    s.looked = json.dumps({"by": e.actor, "draft": e.head.get("digest"), "before": before})
    # Until the desk's own measure comes, the time since the draft was there is an upper bound: it can only hide haste.
    _quickest(s, int((e.at - s.draft_at).total_seconds()), "bound")


def _quickest(s: Summary, took: int, how: str) -> None:
    if s.read_seconds is None or took < s.read_seconds:
        s.read_seconds, s.read_how = took, how


def _settle_draft(s: Summary, how: str) -> None:
    s.draft = max(s.draft, how, key=_WORSE.index)
    s.draft_body, s.draft_at = None, None


def _proposed(s: Summary, e: Happened) -> None:
    # "That worked, thank you" is no recontact: the assistant closes on it.
    if e.head.get("piece") == "closing" and e.head.get("revision") == s.wrote_again:
        s.wrote_again = 0


def _delivered(s: Summary, e: Happened) -> None:
    piece = e.head.get("piece")
    if piece not in ("answer", "approved"):
        return
    s.by_assistant = s.by_assistant or piece == "answer"
    s.by_person = s.by_person or piece == "approved"
    s.answered_at, s.answered_until = e.at, e.at + RECONTACT_WITHIN
    s.settled_on = e.at.date().isoformat()


def _erased(s: Summary, e: Happened) -> None:
    # What rests on words goes with them: made anew, the row could not have it.
    s.customer, s.edited, s.erased = None, None, True


_FOLDS: Mapping[str, Callable[[Summary, Happened], None]] = {
    Kind.CUSTOMER_WROTE.value: _wrote,
    Kind.LANE_ASSIGNED.value: _assigned,
    Kind.LANE_RAISED.value: _raised,
    Kind.DRAFT_PREPARED.value: _drafted,
    Kind.ANSWER_COMPOSED.value: _composed,
    Kind.REVIEW_OPENED.value: _reviewed,
    Kind.REVIEW_REVISED.value: _reviewed,
    Kind.PERSON_DECIDED.value: _decided,
    Kind.REPLY_PROPOSED.value: _proposed,
    Kind.DELIVERED.value: _delivered,
    Kind.WORDS_ERASED.value: _erased,
    Kind.LOOKED.value: _looked,
}


def _truths(s: Summary) -> dict[Mark, bool]:
    heavy = s.edited is not None and s.edited >= EDITED_HEAVILY_PER_MILLE
    turned_down = s.draft in ("instead", "rejected")
    alone = s.by_assistant and s.lane == 1 and not s.decided
    return {
        Mark.ASSIGNED: s.first_lane > 0,
        Mark.LANE_1: s.lane == 1,
        Mark.LANE_2: s.lane == 2,
        Mark.LANE_3: s.lane == 3,
        Mark.CONSEQUENCE_MEDIUM: s.consequence == Consequence.MEDIUM,
        Mark.CONSEQUENCE_HIGH: s.consequence == Consequence.HIGH,
        Mark.ANSWERED: s.by_assistant or s.by_person,
        Mark.ANSWERED_ALONE: alone,
        Mark.RECONTACTED: bool(s.wrote_again) or s.recontacted_by is not None,
        Mark.LATE: s.late,
        Mark.DECIDED: s.decided,
        Mark.LANE_OVERRIDDEN: s.lane_override != "",
        Mark.MOVED_UP: s.moved_up,
        Mark.DRAFT_OVERRIDDEN: turned_down or heavy,
        Mark.PATH_OVERRIDDEN: s.path_override,
        Mark.DRAFT_AS_IS: s.draft == "as_is",
        Mark.DRAFT_EDITED: s.draft == "edited",
        Mark.DRAFT_INSTEAD: s.draft == "instead",
        Mark.DRAFT_REJECTED: s.draft == "rejected",
        Mark.EDIT_MEASURED: s.edited is not None,
        Mark.EDITED_HEAVILY: heavy,
        Mark.READING_KNOWN: s.read_seconds is not None,
        Mark.HARDLY_READ: s.read_seconds is not None and s.read_seconds < HARDLY_READ_SECONDS,
        Mark.RATED: s.rating != "",
        Mark.SAVED_TIME: s.rating == "saved_time",
        Mark.TO_SPECIALIST: s.specialist,
        Mark.BOUNCED: s.specialist and s.routed_to != "",
        Mark.UNCOVERED: s.uncovered,
        Mark.DRAFT_DECIDED: s.draft != "",
        Mark.DRAFT_TURNED_DOWN: turned_down,
        Mark.OVERRIDDEN: s.lane_override != "" or turned_down or heavy or s.path_override,
        Mark.ESCALATED: s.lane > 1,
    }
