"""The flow, on one page: which step follows which. One run carries one event of one ticket."""

from __future__ import annotations

from typing import Literal, TypeAlias

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from agent.state import Run
from agent.steps import Steps
from guards.lanes import Lane
from ledger.events import Kind

Machine: TypeAlias = CompiledStateGraph[Run, None, Run, Run]


def build_graph(steps: Steps, saver: BaseCheckpointSaver[str] | None = None) -> Machine:
    """The compiled machine. Waiting for a person is an open review in the ledger, not a suspended run."""
    graph = StateGraph(Run)
    graph.add_node("gather_context", steps.gather_context)
    graph.add_node("assess_triggers", steps.assess_triggers)
    graph.add_node("assign_lane", steps.assign_lane)
    graph.add_node("grant_capabilities", steps.grant_capabilities)
    graph.add_node("autonomous", steps.autonomous)
    graph.add_node("assisted", steps.assisted)
    graph.add_node("human_owned", steps.human_owned)
    graph.add_node("build_packet", steps.build_packet)
    graph.add_node("open_review", steps.open_review)
    graph.add_node("record_outcome", steps.record_outcome)

    # A customer's message is worked on; what a person decided is recorded; a passed deadline re-opens the review.
    graph.add_conditional_edges(START, _by_event, ["gather_context", "open_review", "record_outcome"])
    graph.add_edge("gather_context", "assess_triggers")
    graph.add_edge("assess_triggers", "assign_lane")
    graph.add_edge("assign_lane", "grant_capabilities")
    graph.add_conditional_edges("grant_capabilities", _by_lane, ["autonomous", "assisted", "human_owned"])
    # An answer that cannot stand on approved words is not tried again: it is drafted for a person.
    # While nothing may leave (observe-only), what would have been done is recorded for people to judge.
    graph.add_conditional_edges("autonomous", _answered, ["record_outcome", "assisted", "build_packet"])
    graph.add_edge("assisted", "build_packet")
    graph.add_edge("human_owned", "build_packet")
    graph.add_edge("build_packet", "open_review")
    graph.add_edge("open_review", "record_outcome")
    graph.add_edge("record_outcome", END)
    return graph.compile(checkpointer=saver)


def _by_event(run: Run) -> Literal["gather_context", "open_review", "record_outcome"]:
    match run["kind"]:
        case Kind.CUSTOMER_WROTE:
            return "gather_context"
        case Kind.DEADLINE_PASSED:
            return "open_review"
        case _:
            return "record_outcome"


def _by_lane(run: Run) -> Literal["autonomous", "assisted", "human_owned"]:
    match Lane.read(run["lane"]):
        case Lane.AUTONOMOUS:
            return "autonomous"
        case Lane.ASSISTED:
            return "assisted"
        case Lane.HUMAN_OWNED:
            return "human_owned"


def _answered(run: Run) -> Literal["record_outcome", "assisted", "build_packet"]:
    if Lane.read(run["lane"]) is not Lane.AUTONOMOUS:
        return "assisted"
    return "build_packet" if run["result"]["kind"] == "observed" else "record_outcome"
