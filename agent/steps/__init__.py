"""The steps of the machine, one file a step, each named as its node is."""

from __future__ import annotations

from dataclasses import dataclass

from agent.steps.assess_triggers import AssessTriggers
from agent.steps.assign_lane import AssignLane
from agent.steps.assisted import Assisted
from agent.steps.autonomous import Autonomous
from agent.steps.build_packet import BuildPacket
from agent.steps.gather_context import GatherContext
from agent.steps.grant_capabilities import GrantCapabilities
from agent.steps.human_owned import HumanOwned
from agent.steps.open_review import OpenReview
from agent.steps.record_outcome import RecordOutcome


@dataclass(frozen=True, slots=True)
class Steps:
    """All of them; ``agent.wiring`` builds each with what it may use and nothing more."""

    gather_context: GatherContext
    assess_triggers: AssessTriggers
    assign_lane: AssignLane
    grant_capabilities: GrantCapabilities
    autonomous: Autonomous
    assisted: Assisted
    human_owned: HumanOwned
    build_packet: BuildPacket
    open_review: OpenReview
    record_outcome: RecordOutcome
