"""What goes in and out of the interface, as its OpenAPI description tells it: strict, so that a misspelt field is told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from ledger.intake import Earlier, IncomingMessage

Words = Annotated[str, Field(max_length=200_000)]
Line = Annotated[str, Field(max_length=1_000)]
Id = Annotated[str, Field(min_length=1, max_length=200)]


def _countable(moment: datetime) -> datetime:
    if not 1970 <= moment.year < 3000:
        raise ValueError("must be of a year from 1970 to 2999")
    return moment


Instant = Annotated[datetime, AfterValidator(_countable)]


class Shape(BaseModel):
    """Every field is known, and nothing is taken for something else."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Requester(Shape):
    """Who asks."""

    email: Line = ""
    name: Line = ""
    account_id: Line | None = None
    verified: bool = False
    """True only where your own sign-in has authenticated them; it takes the scope ``tickets:vouch``."""


class EarlierTurn(Shape):
    """What was said before the thread came here."""

    role: Literal["customer", "assistant", "agent"]
    text: Words


class MessageIn(Shape):
    """A customer's message."""

    key: Id
    """The message's own id: sent twice, it is filed once."""
    text: Words
    subject: Line = ""
    requester: Requester = Requester()
    recipient: Line = ""
    """Where a reply goes; the first message's counts for the whole ticket."""
    attachments: Annotated[list[Line], Field(max_length=50)] = []
    """Their names; nobody here reads them."""
    received_at: Instant | None = None
    """From the year 1970 to 2999."""
    account_context: JsonValue = None
    earlier: Annotated[list[EarlierTurn], Field(max_length=500)] = []

    def incoming(self, ticket: str, channel: str) -> IncomingMessage:
        """As the ledger files it."""
        who = self.requester
        return IncomingMessage(
            ticket=ticket,
            key=self.key,
            channel=channel,
            subject=self.subject,
            requester_email=who.email,
            requester_name=who.name,
            verified=who.verified,
            account_id=who.account_id,
            recipient=self.recipient or who.email,
            text=self.text,
            attachments=tuple(self.attachments),
            received_at=self.received_at,
            context=self.account_context,
            earlier=tuple(Earlier(e.role, e.text) for e in self.earlier),
        )


class TicketIn(MessageIn):
    """A ticket's first message, or any later one."""

    id: Id


class Filed(Shape):
    """What became of a message."""

    ticket: str
    key: str
    first: bool
    """False where the same message was filed before."""


class DecisionIn(Shape):
    """A person's decision, taken in your own desk."""

    act: Line
    """As `lanewise decide` names it: claim, approve, answer, reject, route …"""
    by: Id
    """Who decided, as your team knows them."""
    reason: Annotated[str, Field(min_length=1, max_length=20_000)]
    key: Id
    """The decision's own id: sent twice, it decides once."""
    seen: Line
    """What they had before their eyes: ``seen`` of the ticket as you showed it."""
    text: Words | None = None
    lane: Literal[1, 2, 3] | None = None
    queue: Line | None = None
    action: Line | None = None
    arguments: dict[str, JsonValue] | None = None
    opening: int | None = Field(default=None, ge=1, le=2**62)
    reference: Line | None = None
    levels: dict[str, str] | None = None


class DecisionOut(Shape):
    """What stands in the ledger for a decision."""

    ticket: str
    decision: str
    by: str
    first: bool
    follows: str
    """What will happen by it, in words."""
    seen: str
    """What to send with the next decision, where nothing happens in between."""


class WebhookIn(Shape):
    """Where results are to be told."""

    url: Annotated[str, Field(min_length=1, max_length=2_000)]


class WebhookOut(Shape):
    """A receiver."""

    id: str
    url: str
    failures: int
    secret: str | None = None
    """What each message to it is signed with; told when it is made, and never again."""


class Problem(BaseModel):
    """What is wrong, and what to do."""

    error: str


class ActionRequest(Shape):
    """What is asked of a person, in the shape that agent inboxes read."""

    name: str
    args: dict[str, Any]
    description: str


class ReviewConfig(Shape):
    """Which answers are allowed."""

    action_name: str
    allowed_decisions: list[Literal["approve", "edit", "reject"]]


class Interrupt(Shape):
    """An open review in the standard human-interrupt shape."""

    id: str
    thread_id: str
    """The ticket."""
    action_requests: list[ActionRequest]
    review_configs: list[ReviewConfig]
    seen: str


class EditedAction(Shape):
    """What a person made of the action."""

    name: Line
    args: dict[str, JsonValue]


class HumanDecision(Shape):
    """One answer."""

    type: Literal["approve", "edit", "reject"]
    edited_action: EditedAction | None = None
    message: Annotated[str, Field(max_length=20_000)] = ""
    """Why; kept with the decision."""


class HumanResponse(Shape):
    """The answer to one interrupt: one decision, since one action is asked."""

    decisions: Annotated[list[HumanDecision], Field(min_length=1, max_length=1)]
    by: Id
    key: Id
    seen: Line
