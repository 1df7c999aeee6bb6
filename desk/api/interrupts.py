"""Open reviews in the standard human-interrupt shape, so that an agent inbox can show and answer them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from desk import decisions
from desk.api.callers import Caller, Scope, caller
from desk.api.routes import decided, decision_key
from desk.api.shapes import ActionRequest, DecisionOut, HumanDecision, HumanResponse, Interrupt, ReviewConfig
from desk.counter import Counter
from desk.deciding import Act, Order
from desk.errors import DecisionRefused
from desk.security import TheCounter
from desk.ways_out import whom
from ledger.errors import AlreadyDecided
from ledger.packets.pages import to_markdown
from ledger.reviews import Review

router = APIRouter()

SEND_DRAFT = "send_reply"
"""Asked where a draft may be approved: its ``args`` hold the draft."""
ANSWER = "answer_customer"
"""Asked where there is no draft: a person writes the answer themselves (``edit``)."""

Reader = Annotated[Caller, Depends(caller(Scope.TICKETS_READ))]
Decider = Annotated[Caller, Depends(caller(Scope.DECISIONS_WRITE))]


@router.get("/interrupts")
def interrupts(counter: TheCounter, _: Reader) -> list[Interrupt]:
    """Every open review, the soonest due first."""
    return [_interrupt(counter, review) for review in counter.place.reviews.open()]


@router.get("/interrupts/{review_id}")
def interrupt(review_id: str, counter: TheCounter, _: Reader) -> Interrupt:
    """One of them. A review that is decided by now is not asked any more."""
    return _interrupt(counter, _open(counter, review_id))


@router.post("/interrupts/{review_id}/response")
def respond(review_id: str, given: HumanResponse, counter: TheCounter, who: Decider) -> DecisionOut:
    """Answer one: ``approve`` sends the draft as it is, ``edit`` what the person made of it, ``reject`` keeps it back
    and the review open. It passes the same rules as a decision at the desk. Sent again under its key, it decides
    nothing and is told what stands."""
    key = decision_key(who, given.key)
    again = _answered(counter, review_id, key)
    review = counter.place.reviews.get(review_id) if again else _open(counter, review_id)
    answer = given.decisions[0]
    act, text = _meant(review, answer, again=again)
    order = Order(
        ticket=review.ticket,
        act=act,
        by=f"{given.by} (by {who.key.name})",
        reason=answer.message or f"{answer.type} in the team's inbox",
        text=text,
        seen=given.seen,
    )
    order.check("")
    return decided(counter, order, key)


def _answered(counter: Counter, review_id: str, key: str) -> bool:
    """True where this key has decided on this review. UnknownReview; AlreadyDecided where it was another one."""
    review = counter.place.reviews.get(review_id)
    before = counter.place.history.decided_under(review.ticket, key)
    if before is not None and before.head.get("review") != review_id:
        raise AlreadyDecided(f"this key has decided something else than review {review_id!r}")
    return before is not None


def _meant(review: Review, answer: HumanDecision, *, again: bool) -> tuple[Act, str | None]:
    """The act, and the person's own words where they wrote some. DecisionRefused where it was not on offer; what was
    taken once (``again``) was, and the ledger tells whether it is the same."""
    request = _request(review)
    edited = answer.edited_action
    if not again and answer.type not in _allowed(review):
        raise DecisionRefused(f"{answer.type} is not on offer for {request.name}. Nothing was decided.")
    if answer.type != "edit":
        if edited is not None:
            raise DecisionRefused(f"edited_action belongs to edit, not to {answer.type}. Nothing was decided.")
        return (Act.APPROVE if answer.type == "approve" else Act.REJECT), None
    # An edit may change the words and nothing else: renamed into another action it is refused, not run.
    names = (SEND_DRAFT, ANSWER) if again else (request.name,)
    if edited is None or edited.name not in names or set(edited.args) != {"text"}:
        raise DecisionRefused(f"an edit names {request.name} with its `text` alone. Nothing was decided.")
    text = edited.args["text"]
    if not isinstance(text, str):
        raise DecisionRefused("`text` is to be a text. Nothing was decided.")
    return (Act.APPROVE if edited.name == SEND_DRAFT else Act.ANSWER), text


def _open(counter: Counter, review_id: str) -> Review:
    review = counter.place.reviews.get(review_id)
    if not review.open:
        raise AlreadyDecided(f"review {review_id!r} is decided already")
    return review


def _interrupt(counter: Counter, review: Review) -> Interrupt:
    look = decisions.look(counter.place.history, counter.place.reviews, review.ticket)
    recipient = counter.place.history.ticket(review.ticket).recipient
    reaches = whom(counter.place.settings, recipient, look.besides) if recipient else "nobody: there is no address"
    request = _request(review, f"An answer reaches {reaches}.")
    return Interrupt(
        id=review.id,
        thread_id=review.ticket,
        action_requests=[request],
        review_configs=[ReviewConfig(action_name=request.name, allowed_decisions=_allowed(review))],
        seen=decisions.token(look.seen),
    )


def _allowed(review: Review) -> list[Any]:
    return ["approve", "edit", "reject"] if review.draft is not None and not review.stale else ["edit"]


def _request(review: Review, reaches: str = "") -> ActionRequest:
    description = to_markdown(review.packet) if review.packet else "The words of this ticket were erased."
    if reaches:
        description = f"{description.rstrip()}\n\n{reaches}\n"
    if review.draft is None or review.stale:
        return ActionRequest(name=ANSWER, args={"text": ""}, description=description)
    return ActionRequest(name=SEND_DRAFT, args={"text": review.draft.text or ""}, description=description)
