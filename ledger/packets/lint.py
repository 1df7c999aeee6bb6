"""What a packet may not be: the ticket in other words, or a guess in the dress of a fact."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from guards.facts import Standing
from ledger.errors import PacketRefused
from ledger.packets.fields import OURS, words_of
from ledger.packets.packet import CustomerState, EscalationPacket, confirmed_sentence


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One thing wrong with a packet."""

    rule: str
    """``incomplete``, ``repeats_ticket``, ``over_assertion``, ``speaks_to_customer`` or ``customer_state``."""
    where: str
    """The part of the packet: ``summary[0]``, ``decision_wanted``."""
    words: str
    """What is wrong, and what to do."""

    def __str__(self) -> str:
        return f"{self.rule} in {self.where}: {self.words}"


FRESH_ENOUGH = 0.34
"""A third of the words in decision and missing context must be ours: under that, they are the ticket again."""

COPIED = 6
"""So many words in a row, the same as in the ticket, are a copy."""

LEFT_OUT = "left out of the summary"
"""How the note of a packet begins that has lost a sentence to the lint."""


def lint(packet: EscalationPacket) -> tuple[LintFinding, ...]:
    """Everything that is wrong with the packet; empty for a good one. Total: any packet can be linted."""
    return (*_incomplete(packet), *_repeats(packet), *_over_asserts(packet), *_customer_state(packet))


def checked(packet: EscalationPacket) -> EscalationPacket:
    """The packet, where the lint finds nothing; PacketRefused otherwise."""
    if findings := lint(packet):
        raise PacketRefused(findings)
    return packet


def _incomplete(packet: EscalationPacket) -> Iterator[LintFinding]:
    empty = {
        "summary": not any(s.words.strip() for s in packet.summary),
        "decision_wanted": not packet.decision_wanted.words.strip(),
        "owner": not (packet.owner.queue.strip() and packet.owner.why.strip()),
        "not_done": not packet.not_done,
        # Without a trigger it must say at least what was missing: no source, no confirmed fact.
        "triggers": not (packet.triggers or packet.missing),
    }
    for where, is_empty in empty.items():
        if is_empty:
            yield LintFinding("incomplete", where, "is empty; a person would have to rebuild it")


# --- the ticket in other words ------------------------------------------------------------------------------


_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_SMALL = frozenset(
    [
        "a",
        "about",
        "after",
        "again",
        "all",
        "also",
        "am",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "because",
        "been",
        "before",
        "but",
        "by",
        "can",
        "could",
        "customer",
        "did",
        "do",
        "does",
        "for",
        "from",
        "had",
        "has",
        "have",
        "he",
        "her",
        "him",
        "his",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "just",
        "may",
        "me",
        "might",
        "more",
        "my",
        "no",
        "not",
        "of",
        "on",
        "or",
        "our",
        "out",
        "please",
        "she",
        "should",
        "so",
        "some",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "they",
        "this",
        "to",
        "up",
        "us",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "whether",
        "which",
        "who",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
        "decide",
        "ask",
        "asks",
        "asked",
        "asking",
        "want",
        "wants",
        "request",
        "requests",
        "requested",
        "says",
        "said",
    ]
)


def _repeats(packet: EscalationPacket) -> Iterator[LintFinding]:
    ticket = [w for quote in packet.words for w in _words(quote.text)]
    if not ticket:
        return
    stems, runs = {_stem(w) for w in set(ticket)}, set(_runs(ticket))
    for where, words in _our_words(packet):
        if where.startswith("summary") and any(run in runs for run in _runs(_words(words))):
            yield LintFinding("repeats_ticket", where, "copies the ticket; say what it is about, and quote below")
    boundary = [packet.decision_wanted.words, *(m.words for m in packet.missing)]
    content = [_stem(w) for text in boundary for w in _words(text) if w not in _SMALL]
    fresh = [w for w in content if w not in stems]
    if content and len(fresh) < FRESH_ENOUGH * len(content):
        yield LintFinding(
            "repeats_ticket",
            "decision_wanted, missing",
            "only say the ticket again; name the decision, and what nobody has verified",
        )


def _words(text: str) -> list[str]:
    return [w.casefold() for w in _WORD.findall(text)]


def _runs(words: list[str]) -> Iterator[tuple[str, ...]]:
    return (tuple(words[i : i + COPIED]) for i in range(len(words) - COPIED + 1))


def _stem(word: str) -> str:
    """Rough on purpose: ``refunded``, ``refunds`` and ``refund`` count as one word."""
    if len(word) < 5:
        return word
    for ending in ("'s", "’s", "ations", "ation", "ings", "ing", "ies", "ied", "ed", "es", "s", "y", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


# --- a guess in the dress of a fact -------------------------------------------------------------------------

_ASSERTS = re.compile(
    r"\b(?:is|are|was|were|be|been|seems|remains)\s+(?:\w+\s+)?(?:entitled|eligible|owed|covered|guaranteed|waived)\b"
    r"|\b(?:will|shall|must|'ll|going to)\s+(?:\w+\s+)?(?:be\s+)?(?:refund|credit|reimburse|compensate|waive|restore|grant"
    r"|extend|approve|receive|get)(?:ed|d|s)?\b"
    r"|\b(?:has|have|had|was|were|is|are|been|got)\s+(?:\w+\s+)?(?:authori[sz]ed|granted|refunded|waived|promised)\b"
    # "No approved public source answers it" names a kind of source; an approved refund settles one.
    r"|\bapproved\b(?!\s+(?:(?:public|current|help)\s+)*(?:sources?|articles?|templates?)\b)"
    r"|\bguarantee[sd]?\b|\bentitles?\b|\bqualif(?:y|ies|ied)\b|\bdoes\s+not\s+apply\b"
    r"|\b(?:is|are)\s+not\s+(?:entitled|eligible)\b|\bno\s+longer\s+(?:entitled|eligible)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\b(?:whether|if|decide|confirm|check|verify|unclear|unknown|unverified|possibl[ey]|likely|may|might|could|"
    r"claims?|claimed|says?|asks?|asked|requests?|requested|wants?|did not|not verified|not confirmed|no record)\b",
    re.IGNORECASE,
)
_SPEAKS = re.compile(
    r"\b(?:you|your|yours|dear (?:customer|sir|madam|mr|ms|mrs))\b|\b(?:we|i)(?:'ll|'ve| will| have| are| can| shall)\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[.;!?\n]+|\bbut\b|\bhowever\b|\bso\b", re.IGNORECASE)


def _over_asserts(packet: EscalationPacket) -> Iterator[LintFinding]:
    confirmed: dict[str, list[str]] = {}
    for i, group in enumerate(packet.known):
        for fact in group.facts:
            if fact.standing is not group.standing:
                yield LintFinding(
                    "over_assertion",
                    f"known[{i}]",
                    f"{fact.name} is {fact.standing.value} and stands under {group.standing.value}",
                )
            elif fact.standing is Standing.CONFIRMED:
                confirmed.setdefault(fact.name, []).append(confirmed_sentence(fact).words)
    for i, sentence in enumerate(packet.summary):
        if sentence.standing is not Standing.CONFIRMED:
            continue
        if sentence.fact not in confirmed:
            yield LintFinding(
                "over_assertion",
                f"summary[{i}]",
                "is stated as confirmed and rests on no confirmed fact; name the fact, or say likely",
            )
        elif sentence.words not in confirmed[sentence.fact]:
            yield LintFinding(
                "over_assertion", f"summary[{i}]", f"says more or other than the fact {sentence.fact}; state its value"
            )
    for where, words in _our_words(packet):
        if found := _asserted(words):
            yield LintFinding(
                "over_assertion", where, f"states {found!r} as settled; a person decides that, so ask or quote"
            )
        if speaks := _SPEAKS.search(words):
            yield LintFinding(
                "speaks_to_customer",
                where,
                f"says {speaks.group()!r}, as a reply would; a packet speaks to the person who owns the case",
            )


def _asserted(words: str) -> str | None:
    """The first phrase that settles an outcome in a clause that neither asks nor attributes it."""
    for clause in _CLAUSE.split(words):
        found = _ASSERTS.search(clause)
        # What asks must stand before what asserts: "is entitled, as they say" still asserts.
        if found and not _ASKS.search(clause[: found.start()]):
            return found.group(0)
    return None


def _our_words(packet: EscalationPacket) -> Iterator[tuple[str, str]]:
    """Every part that we word ourselves, by ``packet_fields.FIELDS``."""
    return words_of(packet, OURS)


def _customer_state(packet: EscalationPacket) -> Iterator[LintFinding]:
    said, state = packet.customer.said, packet.customer.state
    if (state is CustomerState.NOTHING_SENT) is bool(said):
        words = "says nothing was sent, and quotes something" if said else "says something was sent; quote it"
        yield LintFinding("customer_state", "customer", words)
    if any(s.correct_first and not s.why.strip() for s in said):
        yield LintFinding("customer_state", "customer", "something is to be corrected; say what is wrong with it")
