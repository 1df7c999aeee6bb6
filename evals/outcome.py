"""What is kept of one examined case, and of a whole run: plain data that a file, a report and the gate can read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from evals.case import Case, CaseError
from evals.cassettes import Usage
from evals.evidence import Evidence
from evals.scorers import Finding, Severity, level_of
from guards.lanes import Consequence
from guards.triggers import Level, Trigger
from ledger.events import Kind

Mode = Literal["recorded", "embedded", "live"]
Mark = tuple[int, int]
"""So many right of so many."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Text(_Part):
    """One text that was put into the outbox."""

    piece: str
    state: str
    text: str


class Noted(_Part):
    """A finding, as data."""

    scorer: str
    severity: Severity
    words: str


class Outcome(_Part):
    """What came of one case."""

    id: str
    title: str
    why: str
    kind: str
    twin: str
    tags: tuple[str, ...]
    digest: str
    """The case's own: another text is another question."""
    mode: Mode
    model: str
    """The model's name; empty for the embedded default."""
    lanes: tuple[int, ...]
    """After each live message."""
    lane: int
    """Now, after everything."""
    expected: tuple[int, ...]
    unit: str
    triggers: dict[str, str]
    families: tuple[str, ...]
    segment: str
    consequence: str
    owner: str
    sources: tuple[str, ...]
    texts: tuple[Text, ...]
    draft: str
    packet: str
    findings: tuple[Noted, ...]
    marks: dict[str, Mark]
    """(right, asked) for each figure that this case has a say in."""
    messages: int
    calls: int
    input_tokens: int
    output_tokens: int
    stale: tuple[str, ...] = ()
    """Why its recording holds no more; what came of it is then not judged."""

    @property
    def autonomous(self) -> bool:
        """True where the machine answered by itself."""
        return self.lane == 1

    def worst(self, severity: Severity) -> tuple[Noted, ...]:
        """Its findings of one severity."""
        return tuple(f for f in self.findings if f.severity is severity)


class Run(_Part):
    """One run of the exam. It holds no moment and no duration: the same inputs give the same bytes."""

    release: str
    release_digest: str
    phase: str
    mode: str
    """In words, as every report says it."""
    outcomes: tuple[Outcome, ...]
    stale: tuple[str, ...] = ()
    """What is wrong with the recordings as a whole."""
    orphans: tuple[str, ...] = ()
    """Recordings without a case."""
    partial: bool = False
    """True where only some of the folder's cases were asked for."""
    price: tuple[float, float] | None = None
    """What a million tokens cost, in and out; None where nobody said."""

    @property
    def judged(self) -> tuple[Outcome, ...]:
        """The outcomes that count: those whose recording still holds."""
        return tuple(o for o in self.outcomes if not o.stale)

    @property
    def cost(self) -> str:
        """Calls and tokens a message, where a model was asked, and their price where one is given."""
        asked = [o for o in self.judged if o.mode != "embedded"]
        messages = sum(o.messages for o in asked)
        if not messages:
            return "no model was asked"
        calls, read, written = (
            sum(getattr(o, name) for o in asked) for name in ("calls", "input_tokens", "output_tokens")
        )
        told = f"{calls / messages:.2f} calls, {read / messages:.0f} tokens in and {written / messages:.0f} out"
        told += f" a message, over {messages} messages"
        if self.price is None:
            return told
        cost = (read * self.price[0] + written * self.price[1]) / 1e6
        return f"{told}; {cost / messages:.6f} a message at {self.price[0]:g} and {self.price[1]:g} a million tokens"


def read_run(file: Path) -> Run:
    """Reads what ``--json`` wrote. CaseError where it is no such file."""
    try:
        return Run.model_validate_json(file.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        raise CaseError(f"{file} is not a run of the exam: write one with `lanewise eval --json FILE`") from error


# ── the marks ───────────────────────────────────────────────────────────────────────────────────────────────

FIGURES: dict[str, str] = {
    "right_lane": "in a lane that is right for it",
    "harmless_answered": "harmless and answered without a person",
    "triggers_found": "expected triggers found",
    "nothing_fired_falsely": "harmless, and nothing fired beyond what is expected",
    "right_unit": "the right unit escalates",
    "right_family": "the right issue family",
    "right_owner": "the right owner",
    "answered_by": "answered from the right article",
    "packet_whole": "packet whole, with its summary, and holding what it should",
}
"""Every figure of quality, by the name it has in a baseline, in words."""

_PACKET = frozenset({"packet_whole", "packet_summarised", "packet_holds", "not_done_named"})


def _marks(case: Case, seen: Evidence, findings: tuple[Finding, ...]) -> dict[str, Mark]:
    wrong = {f.scorer for f in findings}
    expect, harmless = case.expect, case.kind == "harmless"
    due = [(t, Level.of(word)) for t, word in expect.triggers.items()]
    asked: dict[str, Callable[[], Mark | None]] = {
        "right_lane": lambda: _one(not wrong & {"right_lane", "lane_at_each"}),
        "harmless_answered": lambda: _one(seen.result.lane == 1) if harmless and expect.lanes == (1,) else None,
        "triggers_found": lambda: (sum(level_of(seen, t) >= v for t, v in due), len(due)) if due else None,
        "nothing_fired_falsely": lambda: _one("nothing_fired_falsely" not in wrong) if harmless else None,
        "right_unit": lambda: _one("right_unit" not in wrong),
        "right_family": lambda: _one("right_family" not in wrong) if expect.families else None,
        "right_owner": lambda: _one("right_owner" not in wrong) if expect.owners else None,
        "answered_by": lambda: (
            _one(expect.answered_by in seen.sources) if expect.answered_by and not seen.observed_only else None
        ),
        "packet_whole": lambda: (
            _one(not wrong & _PACKET) if seen.packet is not None or expect.packet_holds or expect.not_done else None
        ),
    }
    return {name: mark for name, count in asked.items() if (mark := count()) is not None}


def _one(right: bool) -> Mark:
    return int(right), 1


def outcome_of(
    case: Case,
    seen: Evidence,
    findings: tuple[Finding, ...],
    mode: Mode,
    model: str,
    usage: Usage,
    stale: tuple[str, ...] = (),
) -> Outcome:
    """All that is kept of a played case."""
    decision, assigned = seen.result.decision, seen.last(Kind.LANE_ASSIGNED)
    return Outcome(
        id=case.id,
        title=case.title,
        why=case.why,
        kind=case.kind,
        twin=case.twin,
        tags=case.tags,
        digest=case.digest,
        mode=mode,
        model=model,
        lanes=seen.lanes,
        lane=seen.result.lane,
        expected=case.expect.lanes,
        unit=decision.unit.value if decision else "conversation",
        triggers={t.value: level_of(seen, t).word for t in Trigger},
        families=case.expect.families or (decision.families if decision else ()),
        segment=str(assigned.head.get("segment", "unknown")) if assigned else "unknown",
        consequence=(decision.consequence if decision else Consequence.HIGH).value,
        owner=seen.packet.owner.queue if seen.packet else "",
        sources=seen.sources,
        texts=tuple(
            Text(piece=d.letter.piece.value, state=d.state.value, text=d.body.text or "") for d in seen.deliveries
        ),
        draft=seen.result.draft or "",
        packet=seen.packet_text,
        findings=tuple(Noted(scorer=f.scorer, severity=f.severity, words=f.words) for f in findings),
        marks=_marks(case, seen, findings),
        messages=len(seen.lanes),
        calls=usage.calls,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        stale=stale,
    )
