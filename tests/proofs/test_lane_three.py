"""Lane 3 cannot say it: no type of it has a place for a reply, and every field of every packet is linted or exempt."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from agent_scene import LOCKED_OUT, REFUND, open_scene

from agent.lane_work.human_owned import Organised
from guards.facts import Fact, Standing
from guards.policy import Release
from guards.triggers import Level
from ledger.packets.fields import FIELDS, OURS, PARTS
from ledger.packets.lint import lint
from ledger.packets.packet import (
    AssistedPacket,
    Briefing,
    DecisionWanted,
    Draft,
    FactGroup,
    HumanPacket,
    ObservedPacket,
    Owner,
    Sentence,
    confirmed_sentence,
    human_owned,
)

PACKETS = (HumanPacket, AssistedPacket, ObservedPacket)
SAYS = ("draft", "reply", "answer", "response", "suggestion", "macro", "routing", "body", "letter")
"""Parts of names that a place for a reply to the customer would bear."""


def parts_of(hint: Any) -> Iterator[type]:
    """The plain types within a hint."""
    if get_origin(hint) in (Union, types.UnionType, tuple):
        for inner in get_args(hint):
            if inner is not Ellipsis:
                yield from parts_of(inner)
    elif isinstance(hint, type):
        yield hint


def reachable(kind: type, found: dict[type, None] | None = None) -> dict[type, None]:
    """A dataclass and all dataclasses that its fields can hold."""
    found = {} if found is None else found
    if dataclasses.is_dataclass(kind) and kind not in found:
        found[kind] = None
        for hint in get_type_hints(kind).values():
            for part in parts_of(hint):
                reachable(part, found)
    return found


EVERY = tuple(dict.fromkeys(kind for packet in PACKETS for kind in reachable(packet)))


# ── no place for a reply ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("root", [Organised, HumanPacket], ids=lambda kind: kind.__name__)
def test_no_type_of_lane_three_has_a_place_for_a_reply(root: type) -> None:
    kinds = reachable(root)
    names = [(kind.__name__, field.name) for kind in kinds for field in dataclasses.fields(kind)]
    assert not [n for n in names if any(word in n[1] for word in SAYS)]
    assert Draft not in kinds
    assert all(getattr(kind, "__slots__", None) is not None for kind in kinds), "a field could be added to an instance"


def test_a_human_packet_has_the_fields_of_every_packet_and_no_other() -> None:
    assert [f.name for f in dataclasses.fields(HumanPacket)] == [f.name for f in dataclasses.fields(Briefing)]
    extra = {f.name for f in dataclasses.fields(AssistedPacket)} - {f.name for f in dataclasses.fields(HumanPacket)}
    assert extra == {"draft", "suggestions", "routing"}


def test_a_kind_derived_from_the_human_packet_loses_what_it_adds() -> None:
    @dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
    class Leaky(HumanPacket):
        draft: Draft

    kept = {f.name: getattr(plain(), f.name) for f in dataclasses.fields(HumanPacket)}
    assert type(human_owned(Leaky(**kept, draft=Draft("We refund it.")))) is HumanPacket


def keys_in(value: object) -> set[str]:
    """Every key within plain JSON."""
    if isinstance(value, dict):
        return set(value) | {k for item in value.values() for k in keys_in(item)}
    if isinstance(value, list):
        return {k for item in value for k in keys_in(item)}
    return set()


@pytest.mark.parametrize("words", [LOCKED_OUT, REFUND])
async def test_the_result_of_a_ticket_in_lane_three_holds_no_reply_but_the_notice(
    words: str, tmp_path: Path, rules: Release, empty_ledger: Path
) -> None:
    async with open_scene(tmp_path, rules, empty_ledger=empty_ledger) as scene:
        said = (await scene.customer_writes(words)).to_json()
        assert said["lane"] == 3 and said["draft"] is None
        assert {r["piece"] for r in said["replies"]} == {"notice"}
        assert {r["text"] for r in said["replies"]} <= {n.text for n in rules.notice}
        assert not {k for k in keys_in(said["packet"]) if any(word in k for word in SAYS)}


# ── the lint is total ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_field_of_a_packet_is_linted_or_exempt_with_a_reason(kind: type) -> None:
    rows = FIELDS[kind]
    assert set(rows) == {f.name for f in dataclasses.fields(kind)}
    hints = get_type_hints(kind)
    for name, row in rows.items():
        held = set(parts_of(hints[name]))
        parted = any(dataclasses.is_dataclass(part) for part in held)
        assert (row == PARTS) is parted, f"{kind.__name__}.{name}"
        assert row in (OURS, PARTS) or (row.startswith("exempt: ") and len(row) > 20), f"{kind.__name__}.{name}"
        if str not in held and not parted:
            assert row.startswith("exempt: "), f"{kind.__name__}.{name} holds no words"


def plain() -> AssistedPacket:
    """A packet in which nothing is wrong, with one of everything."""
    made: AssistedPacket = example(AssistedPacket)
    fact = Fact("account.plan", "Team annual", Standing.CONFIRMED, "accounts")
    return dataclasses.replace(
        made,
        summary=(Sentence("Likely about an invoice.", Standing.INFERRED), confirmed_sentence(fact)),
        words=(dataclasses.replace(made.words[0], text="Good morning to everybody."),),
        known=(FactGroup(Standing.CONFIRMED, (fact,)),),
        customer=dataclasses.replace(made.customer, state=type(made.customer.state).TENTATIVE_EXPLANATION),
    )


def example(kind: Any) -> Any:
    """An instance of a dataclass with one of everything in it."""
    return kind(**{name: _value(hint) for name, hint in get_type_hints(kind).items()})


def _value(hint: Any) -> Any:
    if get_origin(hint) is tuple:
        return (_value(get_args(hint)[0]),)
    if get_origin(hint) in (Union, types.UnionType):
        return _value(get_args(hint)[0])
    if dataclasses.is_dataclass(hint):
        return example(hint)
    if hint is Level:
        return Level.HIGH
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next(iter(hint))
    return {str: "billing desk", int: 3, bool: False, datetime: datetime(2026, 3, 10, tzinfo=UTC)}.get(hint, "words")


SETTLED = "The customer is entitled to a full refund."
REPLY = "Dear customer, we will look after your refund."


def places(part: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """(path, row) of every field that holds a string within a packet."""
    for field in dataclasses.fields(part):
        value, row = getattr(part, field.name), FIELDS[type(part)][field.name]
        items = list(enumerate(value)) if isinstance(value, tuple) else [(None, value)]
        for i, item in items:
            here = (*path, field.name) if i is None else (*path, field.name, i)
            if dataclasses.is_dataclass(item):
                yield from places(item, here)
            elif type(item) is str:
                yield here, row


def planted(part: Any, path: tuple[Any, ...], words: str) -> Any:
    """The same with other words in that place."""
    if not path:
        return words
    if isinstance(part, tuple):
        return (*part[: path[0]], planted(part[path[0]], path[1:], words), *part[path[0] + 1 :])
    return dataclasses.replace(part, **{path[0]: planted(getattr(part, path[0]), path[1:], words)})


ALL_PLACES = tuple(places(plain()))


@pytest.mark.parametrize("path", [p for p, row in ALL_PLACES if row == OURS], ids=lambda p: ".".join(map(str, p)))
@pytest.mark.parametrize(("words", "rule"), [(SETTLED, "over_assertion"), (REPLY, "speaks_to_customer")])
def test_words_of_ours_that_settle_or_speak_to_the_customer_are_found_wherever_they_stand(
    path: tuple[Any, ...], words: str, rule: str
) -> None:
    assert lint(plain()) == ()
    found = lint(planted(plain(), path, words))
    assert (rule, path[0]) in {(f.rule, f.where.partition("[")[0]) for f in found}


def test_the_places_of_our_own_words_are_many_and_all_of_them_strings() -> None:
    ours = [path for path, row in ALL_PLACES if row == OURS]
    assert len(ours) >= 12
    assert {type(plain().owner), type(plain().decision_wanted)} == {Owner, DecisionWanted}


def test_a_field_that_nobody_has_judged_counts_as_our_own_words() -> None:
    @dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
    class Later(HumanPacket):
        remark: str

    kept = {f.name: getattr(plain(), f.name) for f in dataclasses.fields(HumanPacket)}
    found = lint(Later(**kept, remark=SETTLED))
    assert ("over_assertion", "remark") in {(f.rule, f.where) for f in found}
