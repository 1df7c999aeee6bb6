"""A person decides on an action from the command line: which one it is, what exactly is changed, and what follows."""

from __future__ import annotations

import json

from desk import decisions
from desk.channels.console import visible
from desk.decisions import Look
from desk.errors import DecisionRefused
from desk.workplace import Workplace
from guards.triggers import Level, Trigger
from ledger.decisions import ActionResult, Decision, Seen, Signature
from tools.errors import BadChange
from tools.state_changes import read_arguments


def order_change(
    place: Workplace, look: Look, opening: int | None, action: str, raw: str, seen: Seen, sign: Signature
) -> Decision:
    """Orders a change with the arguments that a person wrote as JSON. DecisionRefused in words they can act on."""
    if place.change_room() is None:
        raise DecisionRefused(
            "no system for changes is connected to this workspace. Make the change in your own system, and say so: "
            "done-elsewhere --reference NUMBER. Nothing was decided."
        )
    try:
        arguments = read_arguments(action, raw)
    except BadChange as error:
        raise DecisionRefused(f"{str(error).rstrip('.')}. Nothing was decided.") from error
    ticket = look.register.ticket
    return decisions.approve_change(
        place.people, place.release, ticket, opening_of(look, opening), action, arguments, seen, sign
    )


def end_action(
    place: Workplace, look: Look, opening: int | None, result: ActionResult, reference: str | None, sign: Signature
) -> Decision:
    """Ends an action without us, or clears up a change in doubt."""
    ticket = look.register.ticket
    return decisions.decide_action(place.people, ticket, opening_of(look, opening), result, sign, reference or "")


def opening_of(look: Look, said: int | None) -> int:
    """The open action that is meant: the one that was named, else the only one. DecisionRefused."""
    waiting = look.register.actions
    if said is not None:
        return said
    if not waiting:
        raise DecisionRefused(f"no action of ticket {look.register.ticket} waits for a decision. Nothing was decided.")
    if len(waiting) > 1:
        named = ", ".join(f"{a.id} ({a.name}, asked for in message {a.opened_by})" for a in waiting)
        raise DecisionRefused(f"several actions wait: {named}. Say which by --opening. Nothing was decided.")
    return waiting[0].id


def read_levels(text: str) -> dict[Trigger, Level]:
    """``policy_sensitivity=high customer_pressure=low`` as levels. DecisionRefused for any other words."""
    found: dict[Trigger, Level] = {}
    for part in text.replace(",", " ").split():
        name, _, word = part.partition("=")
        try:
            found[Trigger(name)] = next(level for level in Level if level.word == word)
        except (ValueError, StopIteration):
            triggers, levels = ", ".join(Trigger), ", ".join(level.word for level in Level)
            raise DecisionRefused(
                f"{part[:60]!r} is no TRIGGER=LEVEL. Triggers: {triggers}. Levels: {levels}. Nothing was decided."
            ) from None
    if not found:
        raise DecisionRefused("--levels names no trigger. Nothing was decided.")
    return found


def will_run(place: Workplace, done: Decision, leaves: str) -> str:
    """What will happen by an order, with its exact arguments; ``leaves`` says when, by who carries it out."""
    held = next(c for c in place.history.changes(done.ticket) if c.key == done.head["change"])
    until = f"{held.expires_at:%Y-%m-%d %H:%M} UTC" if held.expires_at else "it runs out"
    shown = json.dumps(held.arguments.json(), indent=2, ensure_ascii=False)
    return visible(
        f"This exact change will be made {leaves}, once, under {held.by}'s name (until {until}, "
        f"if the customer does not write before):\n\n{held.action}\n{shown}"
    )
