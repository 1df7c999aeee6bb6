"""A person's decision as data: who signs it, what they had seen, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from ledger.errors import StaleDecision, Unsigned
from ledger.register import Register
from ledger.words import keepable


class DecisionKind(StrEnum):
    """What a person can decide about a ticket."""

    CLAIMED = "claimed"
    RELEASED = "released"
    APPROVED = "approved"
    EDITED_AND_APPROVED = "edited_and_approved"
    REJECTED = "rejected"
    ANSWERED = "answered"
    LANE_CHANGED = "lane_changed"
    LANE_NAMED = "lane_named"
    """The lane that a person would have chosen, said before they saw ours."""
    TRIGGERS_CORRECTED = "triggers_corrected"
    ROUTED = "routed"
    ACTION_DECIDED = "action_decided"
    CHANGE_APPROVED = "change_approved"
    HANDED_BACK = "handed_back"
    RESOLVED = "resolved"
    PACKET_RATED = "packet_rated"
    ERASED = "erased"
    TRANSFERRED = "transferred"
    MERGED = "merged"


class PacketRating(StrEnum):
    """Did the packet help (article: "saved time or merely repeated the thread in different words")?"""

    SAVED_TIME = "saved_time"
    REPEATED_THE_TICKET = "repeated_the_ticket"
    MISLED = "misled"


class ActionResult(StrEnum):
    """What a person decided about an action that was asked for."""

    DONE_ELSEWHERE = "done_elsewhere"
    """A person did it, or found that it was done; a reference says where."""
    DECLINED = "declined"
    NOT_DONE = "not_done"
    """A person looked: the change of which nobody knew was not made. The action stays open."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Who decides, why, and under which key. Unsigned where one of them is empty."""

    by: str
    """The person, as the team knows them."""
    reason: str
    key: str
    """This decision's own id, unique in its ticket: the same click, sent twice, decides once."""

    def __post_init__(self) -> None:
        for name, limit in (("by", 200), ("reason", 20_000), ("key", 200)):
            kept = keepable(getattr(self, name)).strip()
            if not kept:
                raise Unsigned(f"a decision needs a {name}: it will be read by those who live with it")
            if len(kept) > limit:
                raise Unsigned(f"a decision's {name} has at most {limit} characters, not {len(kept)}")
            object.__setattr__(self, name, kept)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the person had before their eyes when they decided; shown by the desk, sent back with the decision."""

    epoch: int
    revision: int
    """The thread's revision: the seq of the last customer message that was shown."""
    draft: str | None = None
    """The digest of the draft that was shown; None where none was."""
    settled_by: int = 0
    """The seq of the decision that settled the thread last; of two who answer at once, the second has not seen it."""
    address: str = ""
    """The mark of the mail address that was shown beside the chat (``reaching.mark_of``); empty where none was. A text
    goes by mail only to an address that its approver has seen."""

    @classmethod
    def of(cls, register: Register, draft: str | None = None, address: str = "") -> Seen:
        """What somebody sees who is shown this register, this draft, and an address of this mark."""
        return cls(register.epoch, register.revision, draft, register.settled_by, address)


@dataclass(frozen=True, slots=True)
class Decision:
    """What stands in the ledger for a decision."""

    seq: int
    ticket: str
    key: str
    kind: DecisionKind
    by: str
    at: datetime
    first: bool
    """False where the same decision was made before under this key."""
    head: Mapping[str, Any]
    reply_key: str | None
    """The outbox key of the text that goes out by it."""
    register: Register
    """As it stands now."""


def still_true(register: Register, seen: Seen) -> list[str]:
    """What has changed since the person looked, in sentences; empty where nothing has."""
    changes = []
    if register.revision != seen.revision:
        changes.append(f"the customer has written since (message {register.revision}, you saw {seen.revision})")
    if register.settled_by != seen.settled_by:
        changes.append("a person has answered, resolved or handed back since")
    if register.epoch != seen.epoch:
        changes.append(
            f"the lane has risen since (it is {int(register.lane)} now, epoch {register.epoch}, you saw epoch "
            f"{seen.epoch})"
        )
    return changes


def check_seen(register: Register, seen: Seen, draft: str | None = None, *, of_draft: bool = False) -> None:
    """StaleDecision where thread or lane, or with ``of_draft`` the draft, are not as they were seen."""
    changes = still_true(register, seen)
    if of_draft and seen.draft != draft:
        changes.append("the draft is another one now")
    if changes:
        raise StaleDecision(changes)
