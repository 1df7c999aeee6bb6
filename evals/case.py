"""One recorded ticket: the world it meets, the thread, what must happen and what must never be said."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from guards.triggers import Trigger


class CaseError(Exception):
    """A case file cannot be used; the message names the file, the place and what to do."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Requester(_Part):
    """Who writes."""

    email: str
    name: str
    verified: bool


class World(_Part):
    """What is broken when the ticket comes in."""

    unavailable: tuple[str, ...] = ()
    """Systems that do not answer."""
    stale: tuple[str, ...] = ()
    """Systems whose records are too old."""


class Turn(_Part):
    """One message of the thread."""

    from_: Literal["customer", "assistant", "agent"] = Field(alias="from")
    text: str
    attachments: tuple[str, ...] = ()


class Expected(_Part):
    """What must come of it."""

    lanes: tuple[Literal[1, 2, 3], ...]
    unit: Literal["none", "answer", "action", "conversation"]
    triggers: dict[Trigger, Literal["medium", "high"]] = {}
    """At least these levels."""
    families: tuple[str, ...] = ()
    """At least one of these is touched."""
    owners: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    """Words that must not stand in any text to the customer."""


class Case(_Part):
    """A ticket of the exam."""

    id: str
    title: str
    why: str
    source: str
    kind: Literal["risky", "harmless"]
    twin: str
    requester: Requester
    world: World = World()
    thread: tuple[Turn, ...] = Field(min_length=1)
    expect: Expected


def read_case(text: str, name: str) -> Case:
    """Reads one case from TOML. CaseError names what is wrong and where."""
    try:
        case = Case.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise CaseError(f"{name}: not valid TOML: {error}") from error
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise CaseError(f"{name}: {found}") from error
    if case.thread[-1].from_ != "customer":
        raise CaseError(f"{name}: thread: the last message must be the customer's")
    return case


def read_cases(folder: Path | None = None) -> tuple[Case, ...]:
    """All cases of a folder, by id; the packaged ones where none is named."""
    if folder is None:
        with resources.as_file(resources.files("evals") / "cases") as packaged:
            return read_cases(packaged)
    cases = [read_case(path.read_text(encoding="utf-8"), path.name) for path in sorted(folder.glob("*.toml"))]
    ids = {c.id for c in cases}
    for case in cases:
        if case.twin not in ids:
            raise CaseError(f"{case.id}: twin {case.twin!r} is not a case of this folder")
    return tuple(cases)
