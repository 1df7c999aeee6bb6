"""Every matrix with every outcome of a model, and every tool in every lane with every kind of junk: nothing gets round."""

from __future__ import annotations

import itertools
import multiprocessing
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from real_boundary import asked

from agent.errors import FAILURE_KINDS
from guards.assess import Assessment, Need, Opinion, assess
from guards.assign import Coverage, assign
from guards.capabilities import TABLE, Right, rights_of
from guards.facts import Fact, Facts, Standing
from guards.gate import Grant, Permit, Piece, Refusal
from guards.lanes import Lane
from guards.policy import Release, SignalRule
from guards.triggers import Level, Trigger, Witness
from tools.actions import KNOWN, Ports, every_tool, tools_for
from tools.toolbox import Done, Tool, Toolbox

# ── I10: every matrix x every outcome of a model ────────────────────────────────────────────────────────────

Levels = tuple[int, ...]
MATRICES: tuple[Levels, ...] = tuple(itertools.product((0, 1, 2), repeat=len(Trigger)))
WORDS = "Where do I find audit logs in the admin panel?"
BEST = Opinion(Witness.MODEL, {})
"""The opinion that raises nothing: a model that is down, or says worse, must never come out below it."""


def made_release(base: Release) -> Release:
    """The packaged release with one rule a trigger and level, each over a fact of its own: any matrix can be made."""
    rules = tuple(
        SignalRule.model_validate(
            {
                "id": f"made_{t.value}_{word}",
                "trigger": t,
                "level": word,
                "fact": f"made.{t.value}",
                "is": word,
                "why": "made",
            }
        )
        for t in Trigger
        for word in ("medium", "high")
    )
    return base.model_copy(update={"signal": rules, "owner_rule": base.owner_rule[-1:]})


def facts_of(levels: Levels, base: Facts) -> Facts:
    """Facts from which the rules make exactly these levels."""
    made = (
        Fact(f"made.{t.value}", Level(n).word, Standing.CONFIRMED, "made")
        for t, n in zip(Trigger, levels, strict=True)
        if n
    )
    return Facts((*base.items, *made))


def known_facts(release: Release) -> Facts:
    """Every fact that any family needs, confirmed: so that nothing but the made rules raises a level."""
    names = {"account.tier", *(n for f in release.family for n in (*f.needs, *f.decisive))}
    return Facts(tuple(Fact(n, "known", Standing.CONFIRMED, "made") for n in sorted(names)))


def opinion_of(levels: Levels, need: Need = Need.PUBLIC) -> Opinion:
    """A model's opinion with these levels."""
    return Opinion(Witness.MODEL, {t: Level(n) for t, n in zip(Trigger, levels, strict=True)}, need=need)


def lane_of(release: Release, facts: Facts, opinions: Iterable[Opinion], failures: tuple[str, ...] = ()) -> Lane:
    """The lane that the real law gives."""
    read: Assessment = assess(WORDS, facts, release, opinions)
    return assign(read, Coverage(source="audit-logs v3"), release, failures=failures).lane


def outcomes(whole: bool) -> Iterator[tuple[str, Opinion | None, tuple[str, ...]]]:
    """Everything a model can come to: every answer (whole), or one factor at a time (reduced), and every failure."""
    for levels in MATRICES if whole else [m for m in MATRICES if sum(map(bool, m)) <= 1]:
        yield "an answer", opinion_of(levels), ()
    for need in Need:
        yield "a need", opinion_of((0,) * 6, need), ()
    yield "asks for a person", Opinion(Witness.MODEL, {}, asks_human=True), ()
    yield "severe", Opinion(Witness.MODEL, {Trigger.CUSTOMER_PRESSURE: Level.HIGH}, severe=True), ()
    for kind in FAILURE_KINDS:
        yield "a failure", None, (f"model: {kind}",)


def run_rows(job: tuple[Release, tuple[Levels, ...], bool]) -> tuple[dict[Levels, int], Counter[str], list[str]]:
    """The lanes of some matrices under every outcome; what was found wrong."""
    release, rows, whole = job
    base = known_facts(release)
    alone: dict[Levels, int] = {}
    count, wrong = Counter[str](), list[str]()
    for levels in rows:
        facts = facts_of(levels, base)
        best = lane_of(release, facts, [BEST])
        alone[levels] = int(lane_of(release, facts, []))
        made = assess(WORDS, facts, release, []).matrix
        if tuple(made.level(t) for t in Trigger) != levels:
            wrong.append(f"the rules did not make {levels}")
        if alone[levels] != best:
            wrong.append(f"{levels}: an opinion that raises nothing moved the lane")
        by_model: dict[Levels, int] = {}
        for kind, opinion, failures in outcomes(whole):
            lane = lane_of(release, facts, [opinion] if opinion else [], failures)
            count[kind] += 1
            if lane < best or (failures and lane < (Lane.HUMAN_OWNED if levels[2] else Lane.ASSISTED)):
                wrong.append(f"{levels}, {kind} {failures or opinion}: lane {lane}, without it {best}")
            if kind == "an answer" and opinion:
                by_model[tuple(int(opinion.levels[t]) for t in Trigger)] = int(lane)
        wrong += [f"{levels} and the model: {w}" for w in falls(by_model)]
    return alone, count, wrong


def falls(lanes: dict[Levels, int]) -> list[str]:
    """Where raising one factor lowers the lane."""
    found = []
    for levels, lane in lanes.items():
        for place in range(len(levels)):
            more = (*levels[:place], levels[place] + 1, *levels[place + 1 :])
            if lanes.get(more, lane) < lane:
                found.append(f"{levels} is lane {lane}, but {more} is lane {lanes[more]}")
    return found


def test_no_outcome_of_a_model_gives_a_lower_lane_than_the_best_one_over_every_matrix(
    release: Release, full: bool, shown: Any
) -> None:
    made = made_release(release)
    assert Trigger.MISSING_CONTEXT is tuple(Trigger)[2]
    jobs = [(made, MATRICES[n::8], full) for n in range(8)]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        done = pool.map(run_rows, jobs, chunksize=1)
    assert [w for _, _, wrong in done for w in wrong][:5] == []
    lanes = {levels: lane for alone, _, _ in done for levels, lane in alone.items()}
    assert len(lanes) == 729
    assert falls(lanes) == []
    assert set(lanes.values()) == {1, 2, 3}, "utility: routine matrices stay in lane 1"
    count = sum((c for _, c, _ in done), Counter[str]())
    assert count["a failure"] == 729 * len(FAILURE_KINDS)
    assert count["an answer"] == 729 * (729 if full else 13)
    figure = f"0 below, over 729 matrices x {count.total() // 729:,} outcomes ({count.total():,} decisions)"
    beside = f"{sum(lane == 1 for lane in lanes.values())} matrix in lane 1, {sum(lane == 2 for lane in lanes.values())} in lane 2"
    shown("I10", "lane(signals, model) against lane(signals, best model), and each factor raised", figure, beside)


def test_a_model_that_could_lower_a_level_would_be_found() -> None:
    assert falls({(0, 0): 2, (1, 0): 1, (0, 1): 2}) == ["(0, 0) is lane 2, but (1, 0) is lane 1"]


# ── I4: every tool x every lane x every kind of junk ────────────────────────────────────────────────────────


class Text(str):
    """A str that is not exactly one."""

    __slots__ = ()


class Number(int):
    """An int that is not exactly one."""


GOOD: dict[type, Any] = {str: "words", int: 3, float: 1.5, bool: True, tuple: ("a", "b")}
VALUES: tuple[Any, ...] = (
    *(None, "words", "", Text("words"), 1, 0, -1, True, False, Number(1), 1.0, float("nan"), float("inf"), 1j),
    *(b"words", bytearray(b"x"), ["a"], [], ("a", 1), (Text("a"),), (("a",),), {}, {"text": "x"}, {"a"}, frozenset()),
    *(object(), Lane.AUTONOMOUS, str, print, "x" * 1_000_000, ("a",) * 50_000, range(3), memoryview(b"x")),
)
LOOKALIKES = str.maketrans("aeiopcx", "аеіорсх")


def spelled(name: str) -> Iterator[str]:
    """Other spellings of a name."""
    yield from (name.upper(), name.title(), name.replace("_", ""), name.replace("_", "-"), name.replace("_", " "))
    yield from (f" {name}", f"{name} ", f"{name}\u200b", f"\ufeff{name}", f"{name}\0", f"{name}()", f"tools.{name}")
    yield from (name.translate(LOOKALIKES), "".join(chr(ord(c) + 0xFEE0) if c.isalpha() else c for c in name))
    yield from (f"{name}s", name[:-1], name[::-1], f"{name}\n", f"/{name}", name * 2)


def names_of_nothing() -> Iterator[object]:
    """Names that are no tool's."""
    for name in KNOWN:
        yield from (other for other in spelled(name) if other not in KNOWN)
        yield from (Text(name), name.encode(), (name,), [name], {"name": name})
    yield from (
        None,
        0,
        True,
        1.5,
        object(),
        "",
        " ",
        "send_email",
        "__class__",
        "__init__",
        "call",
        "run",
        "x" * 100_000,
    )


def bent_arguments(tool: Tool) -> Iterator[object]:
    """Everything that is not exactly the tool's arguments."""
    right = {name: GOOD[kind] for name, kind in tool.parameters.items()}
    yield from (
        None,
        "",
        "text",
        1,
        [],
        (),
        tuple(right.items()),
        list(right.items()),
        repr(right),
        object(),
        Text("x"),
    )
    yield type("D", (dict,), {})(right)
    yield {}
    for name, kind in tool.parameters.items():
        rest = {k: v for k, v in right.items() if k != name}
        yield rest
        for other in (
            *(x for x in spelled(name) if x != name),
            "__class__",
            "self",
            "piece",
            "to",
            "recipient",
            "lane",
        ):
            yield {**rest, other: right[name]}
            yield {**right, other: right[name]}
        for odd in (1, None, True, b"text", ("text",), Text("other")):
            yield {**right, odd: "x"}
        for value in VALUES:
            plain = type(value) is kind and (kind is not tuple or all(type(x) is str for x in value))
            if not plain:
                yield {**right, name: value}
                yield {name: value}
        yield {**right, name: {"value": right[name]}}
        yield {**right, name: [right[name]]}
    yield {"arguments": right}
    yield {**right, **{f"extra_{n}": n for n in range(1_000)}}


class Bench:
    """An executor over a lane, with every tool in the box as if the first refusal had failed."""

    def __init__(self, lane: Lane, *, all_tools: bool = True) -> None:
        self.touched: list[object] = []
        self.recorded: list[Refusal] = []
        ports = Ports(self, self)  # type: ignore[arg-type]
        held = Grant(lane, 7, "made", rights_of(lane), ())
        tools = every_tool(ports) if all_tools else tools_for(lane, ports)
        self.box = Toolbox(tools, lambda: held, self.recorded.append, known=KNOWN)

    def propose(self, piece: Piece, text: str) -> Permit:
        """The way out."""
        self.touched.append((piece, text))
        return Permit(Right.SEND_ANSWER, "made")

    def draft(self, text: str) -> None:
        """A note."""
        self.touched.append(text)

    def suggest(self, kind: str, source: str) -> None:
        """A note."""
        self.touched.append((kind, source))

    def summarise(self, references: tuple[str, ...]) -> None:
        """A note."""
        self.touched.append(references)


ALL = every_tool(Ports(Bench(Lane.AUTONOMOUS)))


def test_every_tool_in_every_lane_with_every_junk_argument_is_refused_and_recorded(shown: Any) -> None:
    refused = permitted = 0
    for lane, all_tools in itertools.product(Lane, (True, False)):
        bench = Bench(lane, all_tools=all_tools)
        for tool in ALL:
            for arguments in bent_arguments(tool):
                refused += is_refused(bench, tool.name, arguments)
        for name, tool in itertools.product(names_of_nothing(), ALL[:2]):
            refused += is_refused(bench, name, {k: GOOD[kind] for k, kind in tool.parameters.items()})
        assert len(bench.recorded) > 1_000
        for tool in ALL:
            done = asked(bench.box, tool.name, {k: GOOD[kind] for k, kind in tool.parameters.items()})
            held = lane in TABLE[tool.right].lanes
            assert isinstance(done, Done) is held, (tool.name, lane)
            permitted += held
            assert len(bench.touched) == held
            bench.touched.clear()
    assert refused > 9_000
    figure = (
        f"0 of {refused:,} junk calls ran, each refused and recorded; {len(ALL)} tools x 3 lanes, in the box or not"
    )
    shown(
        "I4",
        "every tool x lane x junk name or argument",
        figure,
        f"{permitted} of {permitted} right calls of the lane ran",
    )


def is_refused(bench: Bench, name: object, arguments: object) -> bool:
    """True; an assertion fails where the call ran, touched anything, or left no record."""
    before = len(bench.recorded)
    done = asked(bench.box, name, arguments)
    assert isinstance(done, Refusal), (name, arguments)
    assert done.rule and done.what and done.reason
    assert bench.recorded[before:] == [done]
    assert not bench.touched
    return True


@pytest.mark.parametrize("tool", ALL, ids=lambda tool: tool.name)
def test_what_counts_as_junk_leaves_the_right_arguments_out(tool: Tool) -> None:
    right = {k: GOOD[kind] for k, kind in tool.parameters.items()}
    assert not any(type(junk) is dict and junk == right for junk in bent_arguments(tool) if not _has_text(junk))


def _has_text(junk: object) -> bool:
    return isinstance(junk, dict) and any(isinstance(v, (Text, Number)) for v in (*junk, *junk.values()))
