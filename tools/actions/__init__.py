"""Actions: what the assistant can be asked to do, one tool a file, over ports that are handed in."""

from __future__ import annotations

from collections.abc import Callable

from guards.capabilities import Right, rights_of
from guards.gate import Grant, Permit, Piece, Refusal
from tools.actions.ask_question import ask_question
from tools.actions.close_ticket import close_ticket
from tools.actions.draft_reply import draft_reply
from tools.actions.ports import HandedBack, Notes, Outgoing, Ports
from tools.actions.release_notice import release_notice
from tools.actions.send_answer import send_answer
from tools.actions.state_changes import STATE_CHANGES
from tools.actions.suggest_help import suggest_help
from tools.actions.summarise import summarise
from tools.toolbox import Tool, Toolbox

__all__ = [
    "KNOWN",
    "STATE_CHANGES",
    "HandedBack",
    "Notes",
    "Outgoing",
    "Ports",
    "every_tool",
    "open_toolbox",
    "tools_for",
]

_OVER_PORTS: tuple[Callable[[Ports], Tool], ...] = (
    send_answer,
    ask_question,
    close_ticket,
    draft_reply,
    suggest_help,
    summarise,
    release_notice,
)


def every_tool(ports: Ports) -> tuple[Tool, ...]:
    """All tools there are, those that no lane holds among them."""
    return (*(make(ports) for make in _OVER_PORTS), *STATE_CHANGES)


def tools_for(lane: object, ports: Ports) -> tuple[Tool, ...]:
    """Only that lane's tools: the first of the three refusals. An unknown lane has lane 3's."""
    held = rights_of(lane)
    return tuple(tool for tool in every_tool(ports) if tool.right in held)


class _Nowhere:
    def propose(self, piece: Piece, text: str) -> Permit | Refusal:
        return Refusal("send a text", "nowhere", "there is no way out of here")


KNOWN: dict[str, Right] = {tool.name: tool.right for tool in every_tool(Ports(_Nowhere()))}
"""Every tool's name with the right it needs, so that a box without the tool can say what it withheld."""


def open_toolbox(
    lane: object,
    ports: Ports,
    read_grant: Callable[[], Grant],
    record_refusal: Callable[[Refusal], object],
    *,
    epoch: int | None = None,
) -> Toolbox:
    """The executor with that lane's tools, which also knows the names of those it withholds."""
    return Toolbox(tools_for(lane, ports), read_grant, record_refusal, epoch=epoch, known=KNOWN)
