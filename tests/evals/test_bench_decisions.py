"""The speed bench: one rule in three languages, honest statistics, fair turns, and goals beside their figures."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from evals.speed import decisions, effects, executor, peer, rule, texts
from evals.speed.environments import ENVIRONMENTS, PeerMissing, environment, start
from evals.speed.figures import Goal, Ratio, Row, Section, Spread, at_least, at_most, percentile, plain_json, table
from evals.speed.house import House, open_house
from evals.speed.race import Side, SideLost, race
from guards.capabilities import TABLE, Effect, Right
from guards.lanes import Lane

CEDAR_LINE = re.compile(
    r'permit \(principal == Lane::"(\d)", action == Action::"(\w+)", resource == Effect::"(\w+)"\);'
)


def written_in_cedar() -> set[tuple[str, ...]]:
    lines = [CEDAR_LINE.fullmatch(line) for line in rule.cedar_policies().splitlines()]
    assert all(lines)
    return {line.groups() for line in lines if line}


def written_in_casbin() -> set[tuple[str, ...]]:
    rows = [line.split(", ") for line in rule.casbin_policy().splitlines()]
    assert {row[0] for row in rows} == {"p"}
    return {tuple(row[1:]) for row in rows}


# ── the rule in the peers' languages ────────────────────────────────────────────────────────────────────────


def test_the_peers_rules_permit_exactly_what_our_gate_permits() -> None:
    requests = rule.every_request()
    asked = zip(requests, decisions.our_verdicts(), strict=True)
    permitted = {rule.in_words(request) for request, yes in asked if yes}
    assert written_in_cedar() == permitted
    assert written_in_casbin() == permitted
    assert len(permitted) == sum(len(row.lanes) for row in TABLE.values())


def test_the_requests_that_are_checked_are_the_whole_product() -> None:
    requests = rule.every_request()
    assert len(set(requests)) == len(requests) == len(Lane) * len(Right) * len(Effect)
    assert set(rule.timed_requests()) <= set(requests)
    assert {(lane, right) for lane, right, _ in rule.timed_requests()} == {(lane, r) for lane in Lane for r in Right}


def test_the_timed_requests_hold_permitted_and_refused_ones() -> None:
    permitted = set(rule.permitted())
    timed = rule.timed_requests()
    assert permitted < set(timed)
    assert len(set(timed) - permitted) >= len(permitted) // 2


def test_a_change_of_the_table_changes_the_peers_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    before = written_in_cedar()
    wider = replace(TABLE[Right.COMMIT], lanes=frozenset({Lane.AUTONOMOUS}))
    monkeypatch.setitem(TABLE, Right.COMMIT, wider)
    assert written_in_cedar() - before == written_in_casbin() - before == {("1", "commit", "customer_text")}


# ── statistics ──────────────────────────────────────────────────────────────────────────────────────────────


def test_percentiles_are_values_that_were_seen() -> None:
    values = list(range(100, 0, -1))
    assert [percentile(values, share) for share in (0.01, 0.5, 0.99, 1)] == [1, 50, 99, 100]
    assert percentile([7], 0.5) == percentile([7], 0.99) == 7


@given(st.lists(st.integers(0, 10**9), min_size=1), st.floats(0.01, 1))
def test_at_least_the_asked_share_of_values_is_no_greater_than_a_percentile(values: list[int], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(v <= found for v in values) >= share * len(values) - 1e-6
    assert sum(v < found for v in values) < share * len(values)


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1], 0), ([1], 1.1)])
def test_no_percentile_is_made_up(values: list[float], share: float) -> None:
    with pytest.raises(ValueError, match="no percentile"):
        percentile(values, share)


def test_a_spread_counts_every_call_of_every_round_in_microseconds() -> None:
    assert Spread.of([[1000, 3000], [2000]]) == Spread(3, 2.0, 3.0, 1.0)
    assert Spread.of([[8000]], per=8) == Spread(1, 1.0, 1.0, 1.0)


def test_a_slow_round_slows_both_sides_and_leaves_the_ratio_alone() -> None:
    ours, theirs = [[10, 10], [1000, 1000], [10, 10]], [[30, 30], [3000, 3000], [40, 40]]
    assert Ratio.of(ours, theirs) == Ratio(3.0, 3.0, 4.0)
    with pytest.raises(ValueError, match="zip"):
        Ratio.of(ours, theirs[:2])


def test_a_goal_is_met_at_its_bound_and_missed_beyond_it() -> None:
    assert at_most("p50", 15, 15, "µs") == Goal("p50 <= 15 µs", True)
    assert not at_most("p50", 15.01, 15, "µs").met
    assert at_least("times faster", 3, 3, "") == Goal("times faster >= 3", True)
    assert not at_least("times faster", 2.99, 3, "").met


# ── turns ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_sides_take_turns_and_each_goes_first_in_some_round() -> None:
    order: list[str] = []

    def side(name: str) -> Side:
        return Side(lambda calls: order.append(name) or [calls], 5)  # type: ignore[func-returns-value]

    found = race({name: side(name) for name in "abc"}, 3, warm_up=1)
    assert ["".join(order[n : n + 3]) for n in range(0, 12, 3)] == ["cab", "abc", "bca", "cab"]
    assert found == {name: [[5]] * 3 for name in "abc"}


def test_a_side_that_breaks_on_the_way_has_no_figures_and_the_reader_is_told() -> None:
    turns = iter([[1], [1]])

    def broken(calls: int) -> list[int]:
        try:
            return next(turns)
        except StopIteration:
            raise SideLost("theirs broke") from None

    notes: list[str] = []
    found = race({"ours": Side(lambda calls: [2], 1), "theirs": Side(broken, 1)}, 4, notes)
    assert found == {"ours": [[2]] * 4}
    assert notes == ["not measured: theirs broke"]


# ── the peers' program ──────────────────────────────────────────────────────────────────────────────────────


def made_up_peer(rule: dict[str, str], requests: Sequence[Sequence[str]]) -> Callable[[int], bool]:
    return lambda n: requests[n % len(requests)][0] == rule["yes"]


def test_a_peer_tells_its_version_and_verdicts_before_it_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(peer.PEERS, "made up", ("pytest", made_up_peer))
    task = {"peer": "made up", "rule": {"yes": "a"}, "checked": [["a"], ["b"]], "timed": [["a"]]}
    out = io.StringIO()
    peer.answer(io.StringIO("\n".join(map(json.dumps, (task, {"calls": 3}, {"calls": 1}))) + "\n"), out)
    first, *batches = map(json.loads, out.getvalue().splitlines())
    assert first == {"version": pytest.__version__, "verdicts": [True, False]}
    assert [len(batch["ns"]) for batch in batches] == [3, 1]
    assert all(ns >= 0 for batch in batches for ns in batch["ns"])


def test_a_peer_that_is_not_installed_is_told_and_never_given_a_figure(tmp_path: Path) -> None:
    folder = tmp_path / "policy"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / "made-for-bench").write_text(" ".join(ENVIRONMENTS["policy"]))
    assert environment("policy", tmp_path) == folder / "bin" / "python"
    with pytest.raises(PeerMissing, match="cedarpy broke"):
        start("cedarpy", "policy", rule.rule(), [("1", "commit", "customer_text")], [], tmp_path)
    assert "cedarpy" in (tmp_path / "policy.log").read_text()


@pytest.mark.parametrize(("verdicts", "kept"), [([True] * 231, False), (None, True)])
def test_a_peer_that_judges_one_request_otherwise_is_not_timed(
    monkeypatch: pytest.MonkeyPatch, verdicts: list[bool] | None, kept: bool
) -> None:
    class Rival:
        version, peak_mib = "1.0", None

        def __init__(self, name: str) -> None:
            self.name, self.verdicts = name, verdicts or decisions.our_verdicts()

        def turn(self, calls: int) -> list[int]:
            return [10**6] * calls

        def stop(self) -> None:
            pass

    monkeypatch.setattr(decisions, "start", lambda name, *_: Rival(name))
    section = decisions.measure(1, 33, peers=True)
    assert any(row.what == "cedarpy 1.0" for row in section.rows) is kept
    assert any("otherwise" in note for note in section.notes) is not kept
    goals = [goal.words for row in section.rows for goal in row.goals]
    assert any("cedarpy" in words for words in goals) is kept


# ── the whole, small ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path) as opened:
        yield opened


def test_without_peers_ours_is_timed_alone_and_the_reader_is_told() -> None:
    section = decisions.measure(1, 33, peers=False)
    assert [row.spread.calls for row in section.rows] == [33, 33]
    assert [goal.words for goal in section.rows[0].goals] == ["p50 <= 15 µs", "p99 <= 100 µs"]
    assert any("--no-peers" in note for note in section.notes)


async def test_texts_are_timed_a_kilobyte() -> None:
    articles = await texts.public_articles()
    assert len(texts.prose(articles, 8000).encode()) == len(texts.unfinished_promises(8000)) == 8000
    section = texts.measure(articles, 1, 2, peers=False)
    assert [row.spread.calls for row in section.rows] == [2, 2, 2, 2]
    assert [len(row.goals) for row in section.rows] == [1, 1, 1, 0]


def test_the_executor_is_timed_on_a_real_ledger_with_its_rows(house: House) -> None:
    section = executor.measure(house, 1, 3)
    assert [row.spread.calls for row in section.rows] == [3] * 5
    # Three rounds (two of them to warm up) of three refused calls, and as many rows alone.
    assert len(house.worker.refusals("executor")) == 18


def test_a_letter_of_the_bench_leaves_with_and_without_fsync(house: House) -> None:
    section = effects.measure(house, 1, 1)
    assert [row.spread.calls for row in section.rows] == [1, 1]
    assert house.post(fsync=True).waiting() == ()


def test_each_length_of_thread_is_held_against_the_shortest(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "LENGTHS", (1, 3))
    rows = executor.measure_lengths(house, 1, 1).rows
    assert [row.ratio is None for row in rows] == [True, False, True, False]
    assert [len(row.goals) for row in rows] == [0, 1, 0, 1]
    assert len(house.worker.thread("refused-3")) == 3


# ── what is shown ───────────────────────────────────────────────────────────────────────────────────────────

SECTION = Section(
    "The decision",
    "a call",
    (
        Row(
            "ours",
            Spread(2000, 1.234, 5.6, 0.5),
            goals=(at_most("p50", 1.234, 15, "µs"), at_most("p99", 200, 100, "µs")),
        ),
        Row("theirs", Spread(2000, 45678.9, 1e6, 40000), Ratio(3.21, 2, 4)),
    ),
    ("not measured: somebody else",),
)


def test_each_goal_stands_beside_its_figure_as_met_or_missed() -> None:
    out = io.StringIO()
    Console(file=out, width=160).print(table(SECTION))
    shown = out.getvalue()
    ours = next(line for line in shown.splitlines() if "ours" in line)
    assert "1.23" in ours and "0.5 " in ours and "2,000" in ours and "p50 <= 15 µs: met" in ours
    assert "p99 <= 100 µs: missed" in shown
    assert "45,679" in shown and "3.21 (2 to 4)" in shown


def test_the_json_holds_every_figure_goal_and_note() -> None:
    told = json.loads(json.dumps(plain_json([SECTION])))[0]
    assert told["rows"][0]["spread"] == {"calls": 2000, "p50": 1.234, "p99": 5.6, "least": 0.5}
    assert told["rows"][0]["goals"][1] == {"words": "p99 <= 100 µs", "met": False}
    assert told["rows"][1]["ratio"] == {"median": 3.21, "least": 2, "greatest": 4}
    assert told["notes"] == ["not measured: somebody else"]
