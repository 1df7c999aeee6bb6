"""The executor refuses all that is not exactly allowed, whatever a model asks for, and says so in the record."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import pytest

from guards.capabilities import TABLE, Effect, Right, rights_of
from guards.gate import Grant, Permit, Piece, Refusal, may
from guards.lanes import Lane
from tools.actions import KNOWN, STATE_CHANGES, Ports, every_tool, tools_for
from tools.errors import BadTool, NameTaken, ToolFailed, UndeclaredEffect
from tools.toolbox import PLAIN_TYPES, Done, Tool, Toolbox


class Out:
    """A way out that keeps what was proposed."""

    def __init__(self) -> None:
        self.proposed: list[tuple[Piece, str]] = []

    def propose(self, piece: Piece, text: str) -> Permit | Refusal:
        self.proposed.append((piece, text))
        return Permit(Right.SEND_ANSWER, "so says the test")


class Kept:
    """Notes that keep what was put down."""

    def __init__(self) -> None:
        self.put: list[object] = []

    def draft(self, text: str) -> None:
        self.put.append(text)

    def suggest(self, kind: str, source: str) -> None:
        self.put.append((kind, source))

    def summarise(self, references: tuple[str, ...]) -> None:
        self.put.append(references)


class House:
    """A ledger's lane and epoch, the ports, and the refusals that were recorded."""

    def __init__(self, lane: Lane, tools: tuple[Tool, ...] | None = None) -> None:
        self.lane, self.epoch, self.reads = lane, 7, 0
        self.out, self.kept = Out(), Kept()
        self.refused: list[Refusal] = []
        self.ports = Ports(self.out, self.kept)
        given = tools_for(lane, self.ports) if tools is None else tools
        self.box = Toolbox(given, self.grant, self.refused.append, known=KNOWN)
        self.reads = 0

    def grant(self) -> Grant:
        self.reads += 1
        return Grant(self.lane, self.epoch, "2026-03-01", rights_of(self.lane), ())

    @property
    def untouched(self) -> bool:
        return not self.out.proposed and not self.kept.put


GOOD: dict[type, Any] = {str: "words", int: 3, float: 1.5, bool: True, tuple: ("a", "b")}
ALL_TOOLS = every_tool(Ports(Out(), Kept()))
LANES = tuple(Lane)


def good(tool: Tool) -> dict[str, Any]:
    return {name: GOOD[kind] for name, kind in tool.parameters.items()}


class Text(str):
    __slots__ = ()


JUNK_VALUES: tuple[Any, ...] = (
    None, "words", "", 1, 0, True, 1.0, float("nan"), b"words", Text("words"),
    ["a"], ("a", 1), (), {}, {"text": "x"}, {"a"}, object(), Lane.AUTONOMOUS, str,
)  # fmt: skip


def junk_arguments(tool: Tool) -> list[Any]:
    right = good(tool)
    first = next(iter(right))
    junk: list[Any] = [None, "text", 1, [], (), [("text", "words")], object(), Text("x")]
    junk += [{}, {k: v for k, v in right.items() if k != first}]
    junk += [{**right, extra: "x"} for extra in ("extra", "lane", "", "__class__", "self", "piece", "to")]
    junk += [{**right, 1: "x"}, {**right, None: "x"}, {**right, Text("other"): "x"}]
    for alias in (
        first.upper(),
        first.title(),
        f" {first}",
        f"{first} ",
        f"{first}\u200b",
        first.replace("e", "\u0435"),
    ):
        if alias != first:
            junk.append({alias if k == first else k: v for k, v in right.items()})
            junk.append({**right, alias: "x"})
    for value in JUNK_VALUES:
        if type(value) is not tool.parameters[first] or value == ("a", 1):
            junk.append({**right, first: value})
    return junk


# ── what may load ───────────────────────────────────────────────────────────────────────────────────────────


def test_every_tool_declares_an_effect_that_is_its_rights_own() -> None:
    assert len(ALL_TOOLS) == 12
    for tool in ALL_TOOLS:
        assert isinstance(tool.effect, Effect)
        assert TABLE[tool.right].effect is tool.effect
        assert tool.parameters, "a tool without arguments could not be told what to do"
        assert set(tool.parameters.values()) <= set(PLAIN_TYPES)


def test_every_right_to_an_effect_has_its_tool_but_those_nobody_holds_and_reading() -> None:
    assert {tool.right for tool in ALL_TOOLS} == set(Right) - {Right.READ_SOURCES, Right.COMMIT, Right.SEND_ELSEWHERE}


@pytest.mark.parametrize("effect", [None, "customer_text", "read", 0, object()])
def test_a_tool_without_a_declared_effect_does_not_load(effect: Any) -> None:
    with pytest.raises(UndeclaredEffect):
        Tool("send", effect, Right.SEND_ANSWER, {"text": str}, print)


@pytest.mark.parametrize(
    ("effect", "right"), [(e, r) for e, r in itertools.product(Effect, Right) if TABLE[r].effect is not e]
)
def test_a_tool_whose_effect_is_not_its_rights_does_not_load(effect: Effect, right: Right) -> None:
    with pytest.raises(UndeclaredEffect):
        Tool("get_webpage", effect, right, {"text": str}, print)


@pytest.mark.parametrize("name", ["Send", "send answer", "s\u0435nd", "", "send-answer", "1send"])
def test_a_tool_with_a_name_that_could_be_mistaken_does_not_load(name: str) -> None:
    with pytest.raises(BadTool):
        Tool(name, Effect.DRAFT, Right.DRAFT_REPLY, {"text": str}, print)
    with pytest.raises(BadTool):
        Tool("draft", Effect.DRAFT, Right.DRAFT_REPLY, {name: str}, print)


def test_an_argument_of_a_type_that_could_hold_anything_does_not_load() -> None:
    for kind in (object, dict, list, type(None)):
        with pytest.raises(BadTool):
            Tool("draft", Effect.DRAFT, Right.DRAFT_REPLY, {"text": kind}, print)


def test_two_tools_of_one_name_do_not_load() -> None:
    tool = ALL_TOOLS[0]
    with pytest.raises(NameTaken):
        Toolbox((tool, tool), lambda: House(Lane.AUTONOMOUS).grant(), print)


# ── which tools a lane is given ─────────────────────────────────────────────────────────────────────────────


def test_a_lane_is_given_only_the_tools_of_its_rights() -> None:
    ports = Ports(Out())
    names = {lane: {tool.name for tool in tools_for(lane, ports)} for lane in LANES}
    assert names[Lane.AUTONOMOUS] == {"send_answer", "ask_question", "close_ticket", "suggest_help", "summarise"}
    assert names[Lane.ASSISTED] == {"draft_reply", "suggest_help", "summarise", "release_notice"}
    assert names[Lane.HUMAN_OWNED] == {"summarise", "release_notice"}


@pytest.mark.parametrize("lane", ["2", 0, 4, None, True, 2.0, "AUTONOMOUS"])
def test_an_unknown_lane_is_given_lane_threes_tools(lane: object) -> None:
    names = {tool.name for tool in tools_for(lane, Ports(Out()))}
    assert names == {"summarise", "release_notice"}


# ── the full product ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("tool", ALL_TOOLS, ids=lambda tool: tool.name)
async def test_every_tool_in_every_lane_with_junk_arguments_is_refused_and_recorded(tool: Tool, lane: Lane) -> None:
    # Every tool is in the box, as if the first refusal had failed; the box must refuse by itself.
    for arguments in junk_arguments(tool):
        house = House(lane)
        house.box = Toolbox(every_tool(house.ports), house.grant, house.refused.append, known=KNOWN)
        result = await house.box.call(tool.name, arguments)
        assert isinstance(result, Refusal), arguments
        assert house.refused == [result]
        assert house.untouched


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("tool", ALL_TOOLS, ids=lambda tool: tool.name)
@pytest.mark.parametrize("given", [True, False], ids=["in the box", "not in the box"])
async def test_every_tool_in_every_lane_runs_only_by_a_right_of_that_lane(tool: Tool, lane: Lane, given: bool) -> None:
    house = House(lane)
    if given:
        house.box = Toolbox(every_tool(house.ports), house.grant, house.refused.append, known=KNOWN)
    result = await house.box.call(tool.name, good(tool))
    if tool.right in rights_of(lane):
        assert isinstance(result, Done)
        assert not house.refused
        assert not house.untouched
    else:
        assert isinstance(result, Refusal)
        assert result.rule == "lane"
        assert result.what == TABLE[tool.right].does, "the packet says what was withheld"
        assert house.refused == [result]
        assert house.untouched


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("name", [tool.name for tool in STATE_CHANGES])
async def test_a_change_of_state_is_refused_in_every_lane_and_the_refusal_recorded(name: str, lane: Lane) -> None:
    house = House(lane)
    result = await house.box.call(name, {"account_id": "A-1", "amount": 1.0, "currency": "USD", "reason": "r"})
    assert isinstance(result, Refusal)
    assert result.what == "change a refund, credit, entitlement, access or account"
    assert house.refused == [result]


def test_the_state_changes_are_the_ones_the_article_names() -> None:
    assert {tool.name for tool in STATE_CHANGES} == {
        "approve_refund", "issue_credit", "change_entitlement", "recover_access", "close_account",
    }  # fmt: skip
    assert all(tool.effect is Effect.STATE_CHANGE for tool in STATE_CHANGES)
    assert not any(Right.CHANGE_STATE in rights_of(lane) for lane in LANES)


NAMES = [
    ("send_email", "unknown_tool"),
    ("", "unknown_tool"),
    ("send_answer; rm", "unknown_tool"),
    ("sendAnswer", "aliased_tool"),
    ("SEND_ANSWER", "aliased_tool"),
    ("send-answer", "aliased_tool"),
    (" send_answer", "aliased_tool"),
    ("s\u0435nd_answer", "aliased_tool"),
    ("send_answer\u200b", "aliased_tool"),
    ("\uff53end_answer", "aliased_tool"),
    (Text("send_answer"), "aliased_tool"),
    (None, "unknown_tool"),
    (1, "unknown_tool"),
    (["send_answer"], "unknown_tool"),
    (b"send_answer", "unknown_tool"),
    ("send_answer" * 100_000, "unknown_tool"),
]


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize(("name", "rule"), NAMES, ids=lambda value: repr(value)[:30])
async def test_a_name_that_is_not_exactly_a_tools_is_refused(name: object, rule: str, lane: Lane) -> None:
    house = House(lane)
    result = await house.box.call(name, {"text": "words"})
    assert isinstance(result, Refusal)
    assert result.rule == rule
    assert len(result.what) < 100
    assert house.refused == [result]
    assert house.untouched


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({}, "missing"),
        ({"text": "x", "to": "a@b"}, "extra"),
        ({"Text": "x"}, "aliased"),
        ({"t\u0435xt": "x"}, "aliased"),
        ({"text": 1}, "type"),
        ({"text": True}, "type"),
        ({"text": None}, "type"),
        ({"text": ["x"]}, "type"),
        ({"text": Text("x")}, "type"),
        ('{"text": "x"}', "arguments"),
        (None, "arguments"),
    ],
)
async def test_the_refusal_names_what_is_wrong_with_the_arguments(arguments: object, rule: str) -> None:
    house = House(Lane.AUTONOMOUS)
    result = await house.box.call("send_answer", arguments)
    assert isinstance(result, Refusal)
    assert result.rule == rule


class Word(StrEnum):
    WORDS = "words"


class Whole(int):
    pass


UNFIT: tuple[tuple[type, Any, str], ...] = (
    (str, Word.WORDS, "type"),
    (str, b"words", "type"),
    (str, "lone \ud800 surrogate", "value"),
    (str, "cut\x00off", "value"),
    (str, "x" * 200_001, "value"),
    (int, True, "type"),
    (int, Whole(3), "type"),
    (int, 3.0, "type"),
    (int, "3", "type"),
    (int, Lane.AUTONOMOUS, "type"),
    (int, 2**63, "value"),
    (float, 1, "type"),
    (float, True, "type"),
    (float, float("nan"), "value"),
    (float, float("inf"), "value"),
    (float, float("-inf"), "value"),
    (float, "1.5", "type"),
    (bool, 1, "type"),
    (bool, "true", "type"),
    (tuple, ["a"], "type"),
    (tuple, ("a", Word.WORDS), "type"),
    (tuple, ("a", ("b",)), "type"),
    (tuple, ("a", "b\x00"), "value"),
    (tuple, ("a",) * 1_001, "value"),
)


@pytest.mark.parametrize(("kind", "value", "rule"), UNFIT, ids=lambda v: ascii(v)[:30])
async def test_a_value_that_is_not_exactly_what_was_declared_is_refused_and_recorded(
    kind: type, value: Any, rule: str
) -> None:
    ran: list[object] = []
    tool = Tool("keep", Effect.LOCAL_NOTE, Right.SUMMARISE, {"given": kind}, lambda **a: ran.append(a))
    house = House(Lane.ASSISTED, (tool,))
    result = await house.box.call("keep", {"given": value})
    assert isinstance(result, Refusal)
    assert result.rule == rule
    assert len(result.reason) < 200
    assert house.refused == [result]
    assert not ran
    assert isinstance(await house.box.call("keep", {"given": GOOD[kind]}), Done)


@pytest.mark.parametrize("arguments", [OrderedDict(text="x"), MappingProxyType({"text": "x"}), {Word.WORDS: "x"}])
async def test_arguments_in_something_that_only_acts_like_a_dict_are_refused(arguments: object) -> None:
    house = House(Lane.AUTONOMOUS)
    assert isinstance(await house.box.call("send_answer", arguments), Refusal)
    assert house.untouched


async def test_a_tool_that_would_run_later_than_its_right_was_read_does_not_load() -> None:
    async def later(text: str) -> None:
        """Never run."""

    with pytest.raises(BadTool):
        Tool("later", Effect.DRAFT, Right.DRAFT_REPLY, {"text": str}, later)


async def test_what_a_tool_declared_cannot_be_widened_afterwards() -> None:
    declared: dict[str, type] = {"text": str}
    tool = Tool("keep", Effect.LOCAL_NOTE, Right.SUMMARISE, declared, lambda **a: a)
    declared["to"] = str
    with pytest.raises(TypeError):
        tool.parameters["to"] = str  # type: ignore[index]
    house = House(Lane.ASSISTED, (tool,))
    result = await house.box.call("keep", {"text": "x", "to": "a@b.example"})
    assert isinstance(result, Refusal) and result.rule == "extra"


async def test_a_bool_is_not_a_number_and_a_number_not_another_kind_of_number() -> None:
    ran: list[object] = []
    tool = Tool(
        "keep", Effect.LOCAL_NOTE, Right.SUMMARISE, {"n": int, "x": float, "b": bool}, lambda **a: ran.append(a)
    )
    house = House(Lane.ASSISTED, (tool,))
    for n, x, b in ((True, 1.0, True), (1.0, 1.0, True), (1, 1, True), (1, 1.0, 1)):
        assert isinstance(await house.box.call("keep", {"n": n, "x": x, "b": b}), Refusal)
    assert not ran
    assert isinstance(await house.box.call("keep", {"n": 1, "x": 1.0, "b": True}), Done)


# ── the grant is read on every call ─────────────────────────────────────────────────────────────────────────


async def test_the_grant_is_read_afresh_on_every_call() -> None:
    house = House(Lane.AUTONOMOUS)
    for _ in range(3):
        await house.box.call("send_answer", {"text": "x"})
    await house.box.call("no_such_tool", {})
    assert house.reads == 4


async def test_a_right_dies_with_its_epoch() -> None:
    house = House(Lane.AUTONOMOUS)
    assert isinstance(await house.box.call("send_answer", {"text": "x"}), Done)
    house.epoch += 1
    for name, arguments in (("send_answer", {"text": "x"}), ("summarise", {"references": ()})):
        result = await house.box.call(name, arguments)
        assert isinstance(result, Refusal)
        assert result.rule == "epoch"
    assert len(house.out.proposed) == 1


async def test_a_right_dies_with_the_lane_even_in_the_same_epoch() -> None:
    house = House(Lane.AUTONOMOUS)
    house.lane = Lane.ASSISTED
    result = await house.box.call("send_answer", {"text": "x"})
    assert isinstance(result, Refusal)
    assert result.rule == "lane"
    assert house.untouched


async def test_a_box_may_be_opened_for_the_epoch_its_work_was_granted_in() -> None:
    house = House(Lane.AUTONOMOUS)
    box = Toolbox(tools_for(Lane.AUTONOMOUS, house.ports), house.grant, house.refused.append, epoch=6)
    result = await box.call("send_answer", {"text": "x"})
    assert isinstance(result, Refusal)
    assert result.rule == "epoch"


async def test_a_grant_that_claims_more_rights_than_its_lane_has_gives_none_of_them() -> None:
    house = House(Lane.HUMAN_OWNED)

    def forged() -> Grant:
        return Grant(Lane.HUMAN_OWNED, 7, "x", frozenset(Right), ())

    box = Toolbox(every_tool(house.ports), forged, house.refused.append)
    for tool in every_tool(house.ports):
        held = tool.right in rights_of(Lane.HUMAN_OWNED)
        assert isinstance(await box.call(tool.name, good(tool)), Done) is held


async def test_a_right_that_roll_out_withholds_is_refused_though_the_lane_has_it() -> None:
    house = House(Lane.AUTONOMOUS)
    narrowed = replace(house.grant(), rights=rights_of(Lane.AUTONOMOUS) - {Right.SEND_ANSWER})
    box = Toolbox(tools_for(Lane.AUTONOMOUS, house.ports), lambda: narrowed, house.refused.append)
    assert isinstance(await box.call("send_answer", {"text": "x"}), Refusal)
    assert house.untouched


# ── when things break ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_ledger_that_cannot_be_read_allows_nothing() -> None:
    house = House(Lane.AUTONOMOUS)

    def broken() -> Grant:
        raise OSError("disk I/O error at /var/secret")

    box = Toolbox(tools_for(Lane.AUTONOMOUS, house.ports), broken, house.refused.append, epoch=7)
    result = await box.call("send_answer", {"text": "x"})
    assert isinstance(result, Refusal)
    assert result.rule == "ledger"
    assert "secret" not in result.reason
    assert house.refused == [result]
    assert house.untouched


async def test_a_refusal_that_cannot_be_recorded_is_still_a_refusal() -> None:
    def full(refusal: Refusal) -> None:
        raise OSError("full")

    box = Toolbox((), House(Lane.AUTONOMOUS).grant, full, known=KNOWN)
    result = await box.call("send_answer", {"text": "x"})
    assert isinstance(result, Refusal)
    assert "not recorded: OSError" in result.reason


async def test_what_the_way_out_refuses_is_refused_and_recorded() -> None:
    house = House(Lane.AUTONOMOUS)
    no = Refusal("send the answer", "revision", "the customer has written since")
    house.out.propose = lambda piece, text: no  # type: ignore[method-assign]
    assert await house.box.call("send_answer", {"text": "x"}) is no
    assert house.refused == [no]


async def test_a_tool_that_breaks_says_which_one_and_is_not_run_again() -> None:
    runs: list[str] = []

    def breaks(text: str) -> None:
        runs.append(text)
        raise ValueError("no")

    house = House(Lane.ASSISTED, (Tool("draft_reply", Effect.DRAFT, Right.DRAFT_REPLY, {"text": str}, breaks),))
    with pytest.raises(ToolFailed, match="draft_reply failed with ValueError"):
        await house.box.call("draft_reply", {"text": "x"})
    assert runs == ["x"]


async def test_each_text_is_proposed_as_the_piece_it_is() -> None:
    pieces: Mapping[str, tuple[Lane, Piece]] = {
        "send_answer": (Lane.AUTONOMOUS, Piece.ANSWER),
        "ask_question": (Lane.AUTONOMOUS, Piece.QUESTION),
        "close_ticket": (Lane.AUTONOMOUS, Piece.CLOSING),
        "release_notice": (Lane.HUMAN_OWNED, Piece.NOTICE),
    }
    for name, (lane, piece) in pieces.items():
        house = House(lane)
        text = "Grüße\u200b\n"
        assert isinstance(await house.box.call(name, {"text": text}), Done)
        assert house.out.proposed == [(piece, text)]


async def test_a_draft_and_a_suggestion_are_handed_back_where_nobody_else_keeps_them() -> None:
    house = House(Lane.ASSISTED)
    box = Toolbox(tools_for(Lane.ASSISTED, Ports(house.out)), house.grant, house.refused.append)
    drafted = await box.call("draft_reply", {"text": "Hello"})
    assert isinstance(drafted, Done)
    assert drafted.value == "Hello"
    assert drafted.permit == may(house.grant(), Right.DRAFT_REPLY, Effect.DRAFT)
    assert not house.out.proposed
