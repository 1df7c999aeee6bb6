"""One recorded ticket: the world it meets, the thread, what must happen and what must never be said."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from evals.world import KINDS, Changes, faults_of
from guards.triggers import Trigger

LaneNumber = Literal[1, 2, 3]
Act = Literal["approve", "claim", "hand_back", "resolve", "reject"]


class CaseError(Exception):
    """A case file cannot be used; the message names the file, the place and what to do."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Requester(_Part):
    """Who writes."""

    email: str
    name: str
    verified: bool


class Removal(_Part):
    """One thing that this world does not have."""

    kind: str
    key: str
    """An account id, a person's address, an incident's or an article's id."""

    @model_validator(mode="after")
    def _known(self) -> Removal:
        if self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r} is not one of {', '.join(KINDS)}")
        return self


class World(_Part):
    """How the company differs from its files when the ticket comes in."""

    unavailable: tuple[str, ...] = ()
    """Systems that do not answer."""
    stale: tuple[str, ...] = ()
    """Systems whose records are too old."""
    put: tuple[dict[str, Any], ...] = ()
    """Records, each with its ``kind``; one that is on file keeps the fields that are not named."""
    remove: tuple[Removal, ...] = ()
    today: datetime | None = None
    """The moment of the case; needed where company.toml names none."""

    @model_validator(mode="after")
    def _readable(self) -> World:
        if found := [f"put[{n}]: {words}" for n, row in enumerate(self.put) for words in faults_of(row)]:
            raise ValueError("; ".join(found))
        return self

    @property
    def changes(self) -> Changes:
        """The same as ``evals.world`` takes it."""
        gone = tuple((r.kind, r.key) for r in self.remove)
        return Changes(frozenset(self.unavailable), frozenset(self.stale), self.put, gone, self.today)


class Turn(_Part):
    """One message of the thread, or one act of a person between two of them."""

    from_: Literal["customer", "assistant", "agent", "person"] = Field(alias="from")
    text: str = ""
    """What was said; for a person who approves, the text as they changed it."""
    attachments: tuple[str, ...] = ()
    live: bool = False
    """True for a customer's message that runs through the machine as an event of its own; the last one always does,
    and what stands before the first is told as what was said before."""
    after_hours: float = Field(default=0.0, ge=0, le=24 * 366)
    """How far the clock has moved on when this comes."""
    verified: bool | None = None
    """Whether this one message came from an authenticated sender; None for what the requester says."""
    subject: str = ""
    does: Act | None = None
    """What the person does."""
    lane: LaneNumber = 1
    """For a person who hands back: the lane in which the assistant goes on."""

    @model_validator(mode="after")
    def _whole(self) -> Turn:
        if self.from_ == "person":
            if self.does is None:
                raise ValueError('a person\'s turn says what they do: does = "approve", "claim", "hand_back" …')
            return self
        if self.does is not None:
            raise ValueError('only from = "person" does something')
        if not self.text.strip():
            raise ValueError("text is missing: what was said?")
        return self


class Expected(_Part):
    """What must come of it."""

    lanes: tuple[LaneNumber, ...] = Field(min_length=1)
    unit: Literal["none", "answer", "action", "conversation"]
    triggers: dict[Trigger, Literal["medium", "high"]] = {}
    """At least these levels."""
    families: tuple[str, ...] = ()
    """At least one of these is touched."""
    owners: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    """Words that must not stand in any text to the customer."""
    answered_by: str = ""
    """The id of the article whose sentences answer, in lane 1."""
    never_send: tuple[Literal["answer", "question", "closing", "notice"], ...] = ()
    """Kinds of text that must never have been put into the outbox."""
    never_claim: tuple[Literal["human_reviewed", "human_review", "timing", "commitment", "security_step"], ...] = ()
    """Claims that may stand in no text to the customer, nor as a fact in the packet."""
    packet_holds: tuple[str, ...] = ()
    """Words that must stand in the packet."""
    not_done: tuple[str, ...] = ()
    """What the packet must say that the assistant did not do."""
    notice: bool | None = None
    """Whether the customer is told by a released notice that a colleague will read this."""
    at_each: tuple[LaneNumber | tuple[LaneNumber, ...], ...] = ()
    """The lane after each live message of the customer's, or the lanes that are right there."""


class Case(_Part):
    """A ticket of the exam."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,79}$")
    title: str
    why: str
    """The rule that decides it, in words."""
    source: str = "own"
    kind: Literal["risky", "harmless"]
    twin: str = ""
    """The harmless case beside a risky one, or the other way round; empty where there is none."""
    tags: tuple[str, ...] = ()
    demo: bool = True
    """Whether ``lanewise demo`` shows it; the exam runs every case."""
    requester: Requester
    world: World = World()
    thread: tuple[Turn, ...] = Field(min_length=1)
    expect: Expected
    _digest: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _playable(self) -> Case:
        spoken = [t for t in self.thread if t.from_ != "person"]
        if not spoken or spoken[-1].from_ != "customer":
            raise ValueError("thread: the last message must be the customer's")
        for turn in self.before:
            if turn.from_ == "person" or turn.after_hours or turn.verified is not None:
                raise ValueError(
                    "thread: acts, after_hours and verified need the machine to run: set live = true on the customer's "
                    "message before them"
                )
        if any(t.from_ in ("assistant", "agent") for t in self.played):
            raise ValueError("thread: after the first live message the machine itself answers; tell only the customer")
        messages = sum(1 for t in self.played if t.from_ == "customer")
        if self.expect.at_each and len(self.expect.at_each) != messages:
            raise ValueError(f"expect.at_each names {len(self.expect.at_each)} lanes for {messages} live messages")
        if self.expect.answered_by and 1 not in self.expect.lanes:
            raise ValueError("expect.answered_by: only lane 1 answers; allow it, or name what the packet holds")
        return self

    @property
    def _first_live(self) -> int:
        live = [n for n, t in enumerate(self.thread) if t.from_ == "customer" and t.live]
        return live[0] if live else max(n for n, t in enumerate(self.thread) if t.from_ == "customer")

    @property
    def before(self) -> tuple[Turn, ...]:
        """What was said before the machine had the thread."""
        return self.thread[: self._first_live]

    @property
    def played(self) -> tuple[Turn, ...]:
        """What the machine lives through: the customer's messages and people's acts, in order."""
        return self.thread[self._first_live :]

    @property
    def digest(self) -> str:
        """Sixteen hex digits that change with every letter of the case."""
        return self._digest


_HEADING = re.compile(r"^## (customer|assistant|agent)[ \t]*$", re.MULTILINE)


def read_case(text: str, name: str) -> Case:
    """Reads one case: TOML, or Markdown with TOML between two lines of ``+++`` and the thread under headings
    ``## customer``, ``## assistant``, ``## agent``. CaseError names what is wrong and where."""
    try:
        case = Case.model_validate(_raw(text.replace("\r\n", "\n"), name))
    except tomllib.TOMLDecodeError as error:
        raise CaseError(f"{name}: not valid TOML: {error}") from error
    except ValidationError as error:
        found = "; ".join(_told(e["loc"], e["msg"]) for e in error.errors())
        raise CaseError(f"{name}: {found}") from error
    case._digest = hashlib.sha256(text.replace("\r\n", "\n").encode()).hexdigest()[:16]
    return case


def _told(place: tuple[int | str, ...], message: str) -> str:
    where = ".".join(map(str, place))
    return f"{where + ': ' if where else ''}{message.removeprefix('Value error, ')}"


def _raw(text: str, name: str) -> Mapping[str, Any]:
    if not text.startswith("+++\n"):
        return tomllib.loads(text)
    head, found, body = text[4:].partition("\n+++\n")
    if not found:
        raise CaseError(f"{name}: the front matter has no end: close it by a line +++")
    before, *parts = _HEADING.split(body)
    if before.strip():
        raise CaseError(f"{name}: words before the first heading: begin with ## customer")
    turns = [{"from": who, "text": said} for who, said in zip(parts[::2], parts[1::2], strict=True)]
    return {**tomllib.loads(head), **({"thread": turns} if turns else {})}


def read_cases(folder: Path | None = None) -> tuple[Case, ...]:
    """All cases of a folder, by file name; the packaged ones where none is named. CaseError also for an id that is
    there twice and a twin that is not there."""
    if folder is None:
        with resources.as_file(resources.files("evals") / "cases") as packaged:
            return read_cases(packaged)
    files = sorted(p for p in folder.iterdir() if p.suffix in (".toml", ".md") and p.name != "README.md")
    cases: dict[str, Case] = {}
    for path in files:
        case = read_case(path.read_text(encoding="utf-8"), path.name)
        if case.id in cases:
            raise CaseError(f"{path.name}: another case has the id {case.id!r}; give it one of its own")
        cases[case.id] = case
    for case in cases.values():
        if case.twin and case.twin not in cases:
            raise CaseError(f"{case.id}: twin {case.twin!r} is not a case of this folder")
    return tuple(cases.values())
