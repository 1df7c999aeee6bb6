"""Every metric, defined once: what it says, which tickets it counts among which, and what would be worse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from ledger.scorecard.marks import Mark, Where
from ledger.scorecard.summary import EDITED_HEAVILY_PER_MILLE, HARDLY_READ_SECONDS, RECONTACT_WITHIN

_DAYS = RECONTACT_WITHIN.days


class Worse(StrEnum):
    """Which way a figure gets worse."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = "neither"
    """A size, not a merit: more of it is good only while nothing else gets worse."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of the scorecard. Its definition is printed wherever the figure is."""

    id: str
    title: str
    definition: str
    among: Where
    """The denominator."""
    counts: Where
    """The numerator: those of ``among`` that are also these."""
    worse: Worse
    losses: Where
    """The tickets to look at first; shown beside the rate, the worst consequence first."""
    ripens: bool = False
    """Counts only tickets for which the time to come back in is over."""

    @property
    def numerator(self) -> Where:
        """The condition of the numerator, whole."""
        return self.among & self.counts


_ALL = Where(Mark.ASSIGNED)
_DRAFTS = Where(Mark.DRAFT_DECIDED)
_DECIDED = Where(Mark.DECIDED)


def _bad(id: str, title: str, definition: str, among: Where, counts: Mark, *, ripens: bool = False) -> Metric:
    """A metric of what should not happen: each case of it is a loss."""
    hits = Where(counts)
    return Metric(id, title, definition, among, hits, Worse.HIGHER, among & hits, ripens)


def _lane(number: int, mark: Mark, who: str) -> Metric:
    told = f"Of all tickets that were assigned a lane: those whose highest lane was {number}, {who}."
    losses = Where(mark | Mark.CONSEQUENCE_HIGH | (Mark.RECONTACTED if number == 1 else Mark.OVERRIDDEN))
    return Metric(f"lane_{number}", f"Tickets in lane {number}", told, _ALL, Where(mark), Worse.NEITHER, losses)


METRICS: tuple[Metric, ...] = (
    Metric(
        "autonomous_resolution",
        "Resolved by the assistant alone",
        "Of all tickets that were assigned a lane: those that the assistant's own answer reached, that never left lane 1, "
        f"on which no person decided, and whose customer did not come back in the same issue family within {_DAYS} days.",
        _ALL,
        Where(Mark.ANSWERED_ALONE, none=Mark.RECONTACTED),
        Worse.NEITHER,
        Where(Mark.ANSWERED_ALONE | Mark.RECONTACTED),
        ripens=True,
    ),
    Metric(
        "draft_approved_as_is",
        "Drafts approved as they were",
        "Of the tickets on whose draft a person decided: those whose every draft was approved unedited.",
        _DRAFTS,
        Where(Mark.DRAFT_AS_IS),
        Worse.LOWER,
        Where(Mark.DRAFT_TURNED_DOWN),
    ),
    _bad(
        "draft_edited",
        "Drafts edited before they left",
        "Of the tickets on whose draft a person decided: those where editing it was the worst that happened to a draft.",
        _DRAFTS,
        Mark.DRAFT_EDITED,
    ),
    _bad(
        "draft_edited_heavily",
        "Edits that changed much of a draft",
        "Of the tickets with an edited draft whose texts are both still there: those where at least "
        f"{EDITED_HEAVILY_PER_MILLE // 10} words in a hundred were changed in the last edit, not counting what the draft had left open.",
        Where(Mark.EDIT_MEASURED),
        Mark.EDITED_HEAVILY,
    ),
    _bad(
        "draft_turned_down",
        "Drafts rejected or passed over",
        "Of the tickets on whose draft a person decided: those where one was rejected, or a person wrote their own answer "
        "beside one.",
        _DRAFTS,
        Mark.DRAFT_TURNED_DOWN,
    ),
    _bad(
        "rubber_stamped",
        "Drafts approved unread",
        f"Of the tickets with a draft approved unedited: those where it was approved within {HARDLY_READ_SECONDS} seconds, as "
        "the desk measured it; where it did not, the time since the draft was there is taken, which can only hide haste.",
        Where(Mark.READING_KNOWN),
        Mark.HARDLY_READ,
    ),
    _bad(
        "override",
        "Overridden by a person",
        "Of the tickets on which a person decided: those where they changed the lane, turned down or heavily edited a draft, "
        "moved the review to another queue, or corrected a trigger.",
        _DECIDED,
        Mark.OVERRIDDEN,
    ),
    _bad(
        "override_lane",
        "Lane overridden",
        "Of the tickets on which a person decided: those whose lane they changed, up or down.",
        _DECIDED,
        Mark.LANE_OVERRIDDEN,
    ),
    _bad(
        "override_draft",
        "Draft overridden",
        "Of the tickets on which a person decided: those where a draft was rejected, passed over or heavily edited.",
        _DECIDED,
        Mark.DRAFT_OVERRIDDEN,
    ),
    _bad(
        "override_path",
        "Path overridden",
        "Of the tickets on which a person decided: those where they moved the review to another queue, or corrected a trigger.",
        _DECIDED,
        Mark.PATH_OVERRIDDEN,
    ),
    _bad(
        "late_escalation",
        "Escalated late",
        "Of the tickets that rose above lane 1: those that did so after the assistant's own answer had reached the customer.",
        Where(Mark.ESCALATED),
        Mark.LATE,
    ),
    _bad(
        "recontact",
        "Customer came back",
        f"Of the tickets whose customer was answered: those where the same person, within {_DAYS} days of the last answer, "
        "opened another ticket in the same issue family, or wrote again in this one (in one of its families, and not to say "
        "that it is solved).",
        Where(Mark.ANSWERED),
        Mark.RECONTACTED,
        ripens=True,
    ),
    Metric(
        "packet_usefulness",
        "Packets that saved time",
        "Of the tickets whose packet a person rated: those where the last rating says that it saved time.",
        Where(Mark.RATED),
        Where(Mark.SAVED_TIME),
        Worse.LOWER,
        Where(Mark.RATED, none=Mark.SAVED_TIME),
    ),
    _bad(
        "specialist_bounce",
        "Bounced by a specialist",
        "Of the tickets that a packet sent to a specialist (lane 3, or a draft whose routing says so): those that a person "
        "moved on to another queue.",
        Where(Mark.TO_SPECIALIST),
        Mark.BOUNCED,
    ),
    _bad(
        "uncovered",
        "No article answers",
        "Of all tickets that were assigned a lane: those whose first message no approved public source answered.",
        _ALL,
        Mark.UNCOVERED,
    ),
    _lane(1, Mark.LANE_1, "the assistant's"),
    _lane(2, Mark.LANE_2, "drafted for an agent"),
    _lane(3, Mark.LANE_3, "a person's"),
)
BY_ID: Mapping[str, Metric] = MappingProxyType({metric.id: metric for metric in METRICS})
