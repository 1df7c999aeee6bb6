"""The boundary in words that one could say to an unhappy customer, from the recorded decision alone."""

from __future__ import annotations

from guards.capabilities import TABLE, Right
from guards.lanes import Lane
from guards.triggers import Trigger
from ledger.result import TicketResult

_TITLES = {
    Trigger.POLICY_SENSITIVITY: "money or terms",
    Trigger.SECURITY_IDENTITY: "access or identity",
    Trigger.MISSING_CONTEXT: "something we could not confirm",
    Trigger.ACTION_IRREVERSIBILITY: "a step that is hard to undo",
    Trigger.CUSTOMER_PRESSURE: "how much already hangs on this for you",
    Trigger.MULTI_DOMAIN_COMPLEXITY: "several matters at once",
}


def explain(result: TicketResult) -> str:
    """Why this ticket was handled as it was, without a technical word."""
    if result.decision is None:
        return "We could not finish reading your message by machine, so a person took it over. Nothing was lost."
    lines = [_opening(Lane.read(result.lane))]
    lines += [f"- {_sentence(r.words)}" for r in result.decision.reasons]
    if touched := _touched(result):
        lines.append(f"What made us careful: {', '.join(touched)}.")
    if result.held:
        lines.append(f"We did look for an answer ourselves and held it back: {result.held}.")
    if result.lane > Lane.AUTONOMOUS:
        lines.append("Until a person had looked, the assistant was not able to " + _not_able(result) + ".")
    read = "no language model took part" if result.mode == "embedded" else "a language model read along"
    lines.append(f"The rules in force were release {result.decision.policy_version}; {read}.")
    return "\n".join(lines)


def compare(one: TicketResult, other: TicketResult) -> str:
    """Why one ticket stayed automated and the other did not, trigger by trigger."""
    lines = [f"{r.ticket.id}: lane {r.lane}, {Lane.read(r.lane).title.lower()}" for r in (one, other)]
    lines.append("")
    same = True
    for trigger in Trigger:
        here, there = (r.triggers[trigger.value] for r in (one, other))
        if here["level"] == there["level"]:
            continue
        same = False
        higher = one if _rank(here) > _rank(there) else other
        evidence = higher.triggers[trigger.value]["evidence"]
        seen = f", because of {evidence[0]}" if evidence else ""
        levels = f"{here['level']} in {one.ticket.id}, {there['level']} in {other.ticket.id}"
        lines.append(f"- {_TITLES[trigger]}: {levels}{seen}")
    if same:
        lines.append("- all six triggers are at the same level")
    rules = [{r.rule: r.words for r in t.decision.reasons} if t.decision else {} for t in (one, other)]
    for result, other_rules in ((one, rules[1]), (other, rules[0])):
        mine = rules[0] if result is one else rules[1]
        for rule, words in mine.items():
            if rule not in other_rules and rule != "mostly_low":
                lines.append(f"- only {result.ticket.id}: {words}")
    return "\n".join(lines)


def _rank(row: object) -> int:
    assert isinstance(row, dict)
    return ("low", "medium", "high").index(str(row["level"]))


def _opening(lane: Lane) -> str:
    return {
        Lane.AUTONOMOUS: "The assistant answered by itself, with words that were approved beforehand:",
        Lane.ASSISTED: "The assistant prepared this, and a person decides what you are told:",
        Lane.HUMAN_OWNED: "This belongs to a person from start to end:",
    }[lane]


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:] + "."


def _touched(result: TicketResult) -> list[str]:
    return [_TITLES[t] for t in Trigger if result.triggers[t.value]["level"] != "low"]


def _not_able(result: TicketResult) -> str:
    told = (Right.SEND_ANSWER, Right.COMMIT, Right.CHANGE_STATE)
    return "; or ".join(TABLE[r].does for r in told if r.value not in result.rights)
