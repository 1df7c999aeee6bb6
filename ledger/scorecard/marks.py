"""What can be true of a ticket, a bit each: every metric counts tickets by these and by nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag

from sqlalchemy import ColumnElement


class Mark(IntFlag):
    """One bit a truth. Bits are stored: a bit is never given another meaning, and ``summary.VERSION`` rises with them."""

    LANE_1 = 1 << 0
    """The highest lane that the ticket was ever in."""
    LANE_2 = 1 << 1
    LANE_3 = 1 << 2
    CONSEQUENCE_MEDIUM = 1 << 3
    CONSEQUENCE_HIGH = 1 << 4
    ANSWERED = 1 << 5
    """An answer reached the customer, the assistant's or a person's."""
    ANSWERED_ALONE = 1 << 6
    """The assistant's did, the ticket never left lane 1, and no person decided anything."""
    RECONTACTED = 1 << 7
    """The customer came back in the same issue family within ``summary.RECONTACT_WITHIN``."""
    LATE = 1 << 8
    """The lane rose above 1 after the assistant's own answer had reached the customer."""
    DECIDED = 1 << 9
    """A person decided about words, lane, path, triggers or outcome; a claim or a rating is no such decision."""
    LANE_OVERRIDDEN = 1 << 10
    DRAFT_OVERRIDDEN = 1 << 11
    """A draft was rejected, passed over, or heavily edited."""
    PATH_OVERRIDDEN = 1 << 12
    """A person moved the review to another queue, or said that the triggers were wrong."""
    DRAFT_AS_IS = 1 << 13
    """The worst that happened to a draft of the ticket; exactly one of these four, once a person has decided on one."""
    DRAFT_EDITED = 1 << 14
    DRAFT_INSTEAD = 1 << 15
    """A person wrote an answer of their own beside the draft."""
    DRAFT_REJECTED = 1 << 16
    EDIT_MEASURED = 1 << 17
    """Draft and approved text were both there to be compared."""
    EDITED_HEAVILY = 1 << 18
    READING_KNOWN = 1 << 19
    """A draft was approved unedited, and the time it was before that person's eyes is known, or bounded from above."""
    HARDLY_READ = 1 << 20
    RATED = 1 << 21
    SAVED_TIME = 1 << 22
    TO_SPECIALIST = 1 << 23
    BOUNCED = 1 << 24
    """A person moved the review out of the specialist queue that its packet named."""
    UNCOVERED = 1 << 25
    """No approved public source answered the first message."""
    ASSIGNED = 1 << 26
    """A lane was assigned: whatever else is counted is counted among these."""
    MOVED_UP = 1 << 27
    """A person raised the lane: where the assistant was trusted too far."""
    DRAFT_DECIDED = 1 << 28
    """A person decided on a draft of it."""
    DRAFT_TURNED_DOWN = 1 << 29
    """Rejected, or passed over."""
    OVERRIDDEN = 1 << 30
    """Lane, draft or path: at least one of the three."""
    ESCALATED = 1 << 31
    """Its highest lane is above 1."""


NOTHING = Mark(0)


@dataclass(frozen=True, slots=True)
class Where:
    """Which tickets: those that bear all of these marks, and none of the others."""

    all: Mark = NOTHING
    none: Mark = NOTHING

    def holds(self, marks: int) -> bool:
        """Whether a ticket with these marks is one."""
        return marks & (self.all | self.none) == self.all

    def sql(self, column: ColumnElement[int]) -> ColumnElement[bool]:
        """The same as a condition on the stored marks."""
        return column.bitwise_and(int(self.all | self.none)) == int(self.all)

    def __and__(self, other: Where) -> Where:
        """Both."""
        return Where(self.all | other.all, self.none | other.none)


def names(marks: int) -> Iterator[str]:
    """The marks' names, as people read them."""
    return (mark.name.lower() for mark in Mark if marks & mark and mark.name)
