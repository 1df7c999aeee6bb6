"""A packet as a person reads it: plain text, Markdown and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from guards.facts import Standing
from ledger.packets.packet import AssistedPacket, CustomerState, EscalationPacket, Said, Sentence
from ledger.packets.packet import to_json as plain

_PREFIX = {
    Standing.CONFIRMED: "",
    Standing.INFERRED: "Likely: ",
    Standing.CLAIMED: "Customer says: ",
    Standing.CONFLICTING: "Systems disagree: ",
    Standing.STALE: "Possibly out of date: ",
    Standing.MISSING: "Not verified: ",
}

HEADINGS = {
    Standing.CONFIRMED: "confirmed",
    Standing.INFERRED: "likely (worked out, not confirmed)",
    Standing.CLAIMED: "claimed by the customer, checked by nobody",
    Standing.CONFLICTING: "systems disagree",
    Standing.STALE: "possibly out of date",
    Standing.MISSING: "not verified",
}

STATES = {
    CustomerState.NOTHING_SENT: "Nothing has been sent: the thread is clean.",
    CustomerState.NOTICE_ONLY: "Only a notice: the customer knows that a colleague will read this.",
    CustomerState.ONLY_A_CLARIFYING_QUESTION: "Only a clarifying question has been asked.",
    CustomerState.TENTATIVE_EXPLANATION: "Something has been explained; no outcome was committed to.",
    CustomerState.EXPECTATIONS_RAISED: "Expectations have been raised.",
}


def to_json(packet: EscalationPacket) -> str:
    """The packet as JSON text, indented, non-ASCII as it is."""
    return json.dumps(plain(packet), indent=2, ensure_ascii=False)


def to_text(packet: EscalationPacket) -> str:
    """The packet as plain text, in the article's order; ends with a newline."""
    lines = ["Escalation Packet", f"Ticket ID: {_line(packet.ticket)}", f"Recommended lane: {packet.lane.title}"]
    lines.append(f"Consequence if mishandled: {packet.consequence.value}")
    for heading, body in _sections(packet):
        lines += ["", f"{heading}:", *body]
    return "\n".join(lines) + "\n"


def to_markdown(packet: EscalationPacket) -> str:
    """The packet as Markdown; strangers' words are escaped, so that they can open no heading, link or tag."""
    lines = [f"# Escalation packet: ticket {_escaped(packet.ticket)}", ""]
    lines.append(f"**Recommended lane:** {int(packet.lane)}, {packet.lane.title}  ")
    lines.append(f"**Consequence if mishandled:** {packet.consequence.value}")
    for heading, body in _sections(packet):
        lines += ["", f"## {heading}", ""]
        lines += [_markdown_line(line) for line in body]
    return "\n".join(lines) + "\n"


def said_words(sentence: Sentence) -> str:
    """A summary sentence with its standing in words; a claim that names the customer already needs no prefix."""
    prefix = _PREFIX[sentence.standing]
    said = sentence.words.casefold()
    named = (sentence.standing is Standing.CLAIMED and said.startswith(("customer", "the customer"))) or (
        sentence.standing is Standing.INFERRED and said.startswith("likely")
    )
    return sentence.words if named else f"{prefix}{sentence.words}"


def _sections(packet: EscalationPacket) -> Iterator[tuple[str, list[str]]]:
    """Each heading with its lines: ``- item``, ``  - below it``, ``> quote``, or a plain sentence."""
    yield "Summary", [_line(said_words(s)) for s in packet.summary] or ["(none)"]
    yield "Primary triggers", list(_triggers(packet))
    yield "Issue families", _items(packet.families)
    yield "What could go wrong", _items(f"{d.kind}: {d.words}" for d in packet.damage)
    yield "Known context", list(_known(packet))
    missing = (f"{m.words} ({m.why})" if m.why else m.words for m in packet.missing)
    yield "Missing context", _items(missing)
    yield "Decision wanted", [f"{_line(packet.decision_wanted.words)} [{packet.decision_wanted.unit.value}]"]
    yield "Assistant did not do", _items(f"{n.words} ({n.reason})" if n.reason else n.words for n in packet.not_done)
    yield "What the customer has seen", [STATES[packet.customer.state], *_said(packet.customer.said)]
    seen = f" with {', '.join(packet.owner.visibility)} visibility" if packet.owner.visibility else ""
    yield "Suggested owner", [f"- {_line(packet.owner.queue)}{_line(seen, strip=False)}: {_line(packet.owner.why)}"]
    yield "References", _items(f"{r.kind} {r.id}: {r.title}, version {r.version}" for r in packet.references)
    if isinstance(packet, AssistedPacket):
        yield from _assisted(packet)
    yield "The customer's words (quoted; evidence, not instruction)", list(_quotes(packet))
    if packet.degraded:
        yield "Degraded", _items(packet.degraded)
    yield (
        "Made by",
        [
            f"policy {packet.policy_version}, revision {packet.revision}, "
            f"{packet.created_at:%Y-%m-%d %H:%M} UTC, thread at {packet.thread_revision}, "
            f"read by {_line(packet.read_by)}"
        ],
    )


def _triggers(packet: EscalationPacket) -> Iterator[str]:
    if not packet.triggers:
        yield "- none"
    for fired in packet.triggers:
        yield f"- {fired.trigger.value} ({fired.level.word})"
        for evidence in fired.evidence:
            yield f"  - seen: {_line(evidence)}"
        for why in fired.why:
            yield f"  - why: {_line(why)}"


def _known(packet: EscalationPacket) -> Iterator[str]:
    if not packet.known:
        yield "- nothing was looked up"
    for group in packet.known:
        yield f"- {HEADINGS[group.standing]}"
        for fact in group.facts:
            yield f"  - {_line(fact.words())}"


def _assisted(packet: AssistedPacket) -> Iterator[tuple[str, list[str]]]:
    if packet.routing is not None:
        yield "Routing", [f"{_line(packet.routing.to)}: {_line(packet.routing.why)}"]
    yield "Suggestions", _items(f"{s.kind} {s.source}: {s.words}" for s in packet.suggestions)
    if packet.draft is None:
        yield "Draft", ["- none was prepared"]
        return
    used = (f"rests on {r.id} {r.title}, version {r.version}" for r in packet.draft.sources)
    marks = (f"look at: {m}" for m in packet.draft.marks)
    notes = [f"- {_line(n)}" for n in (*used, *marks)]
    yield "Draft (unsent; goes nowhere without approval)", [*_quoted(packet.draft.text), *notes]


def _said(said: tuple[Said, ...]) -> Iterator[str]:
    for one in said:
        doubt = "" if one.certain else ", not known whether it arrived"
        when = f" on {one.at:%Y-%m-%d %H:%M} UTC" if one.at else ""
        yield f"- {one.by}{when}{doubt}:"
        yield from _quoted(one.quote)
        if one.correct_first:
            yield f"  - CORRECT THIS FIRST{': ' + _line(one.why) if one.why else ''}"


def _quotes(packet: EscalationPacket) -> Iterator[str]:
    for quote in packet.words:
        when = f" on {quote.at:%Y-%m-%d %H:%M} UTC" if quote.at else ""
        yield f"- message {quote.seq}{when}:"
        yield from _quoted(quote.text)


def _items(items: Iterable[str]) -> list[str]:
    return [f"- {_line(item)}" for item in items] or ["- none"]


# All that ends a line for some reader, and the marks that turn the reading direction.
_BREAKS = re.compile("[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
_TURNS = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f]")


def _line(words: str, *, strip: bool = True) -> str:
    """One line, whatever is in it: a stranger's line break may not open a section of ours."""
    flat = _TURNS.sub("", _BREAKS.sub(" ", words))
    return flat.strip() if strip else flat


def _quoted(words: str) -> list[str]:
    return [f"    > {_TURNS.sub('', line)}" for line in _BREAKS.split(words)]


_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~!&])")


def _escaped(words: str) -> str:
    return _SPECIAL.sub(r"\\\1", _line(words))


def _markdown_line(line: str) -> str:
    for mark in ("    > ", "  - ", "- "):
        if line.startswith(mark):
            # A quote stands by itself, one paragraph a line.
            lead = "> " if mark == "    > " else mark
            return lead + _escaped(line[len(mark) :]) + ("  " if lead == "> " else "")
    return _escaped(line) + "  "
