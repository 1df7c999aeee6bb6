"""Finds in plain words what no assistant lane may say, by classes of meaning that meet in one clause."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from itertools import chain
from operator import or_

from guards.lexicon import BITS, meanings, without_accents


class Claim(StrEnum):
    """What a text says that a person does about the ticket; the ledger knows whether it is so."""

    WILL_LOOK = "will_look"
    """We will: true while the ledger holds an open review, or a claim of the thread. That a colleague will is not found
    at all: the approved notices say it, and each goes out with a review."""
    TOLD = "told"
    """A person has been told: true as above."""
    LOOKING = "looking"
    """A person is at it: true once a person has claimed the thread."""
    REVIEWED = "reviewed"
    """A person has looked, approved or agreed: true once the ledger holds that person's decision."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a text that no assistant lane may say."""

    kind: str
    """``commitment``, ``timing``, ``security_step`` or ``human_review``."""
    quote: str
    claim: Claim | None = None
    """What is claimed of people, where the kind is ``human_review``."""


def _any(*names: str) -> int:
    found = 0
    for name in names:
        found |= BITS[name]
    return found


_Rule = tuple[int, ...]
"""Masks: each must meet one of the clause's meanings."""


def _rule(*needs: str) -> _Rule:
    return tuple(_any(*need.split("|")) for need in needs)


_COMMITMENTS: tuple[_Rule, ...] = (
    _rule("refunded", "me"),
    _rule("benefit", "me", "grant"),
    _rule("relieve", "liability", "me"),
    _rule("take", "me", "off", "liability|benefit|state"),
    _rule("relieve|change", "me", "perfect", "state", "you|that"),
    _rule("back", "me", "money|liability"),
    _rule("unable", "me", "refunded|refusable"),
    _rule("benefit", "perfect|future", "grant|refunded|relieve|get", "that|you"),
    _rule("benefit", "being", "grant", "that|you"),
    _rule("benefit", "stay", "that|you"),
    _rule("refunded", "liability", "being|perfect|future", "that|you"),
    _rule("relieve", "liability", "perfect|future", "that"),
    _rule("back", "money", "future|you|perfect"),
    _rule("benefit", "you", "get", "future|entitled"),
    _rule("entitled", "you"),
    _rule("billed", "you", "not", "future|me"),
    _rule("honour", "me", "liability|benefit"),
    _rule("free", "me|this_time|consider"),
    _rule("free", "future", "you"),
    _rule("consider", "gone|free"),
    _rule("promise", "me"),
    _rule("exception"),
    _rule("request", "approved", "perfect|being", "you|that"),
)
_X_COMMITMENTS: tuple[_Rule, ...] = (  # in the other languages the verb's form says who speaks
    _rule("x.refunded"),
    _rule("x.benefit", "x.grant|x.refunded|x.pay"),
    _rule("x.liability", "x.relieve|x.refunded"),
    _rule("x.pay", "x.back", "x.liability|x.benefit|x.back"),
    _rule("x.free", "x.this_time"),
    _rule("x.promise"),
)
"""Each beside a little word of its language."""
_TIMINGS: tuple[_Rule, ...] = (
    _rule("reply|resolve", "future|me|ours|person|expect|aim"),
    _rule("finished", "me|ours|person|expect"),
    _rule("trouble", "finished|resolve", "future|being"),
    _rule("me", "future|aim"),
    _rule("money|benefit|refunded", "future|get|me"),
    _rule("expect", "you|ours"),
    _rule("expect", "get|reply|resolve"),
    _rule("resolve", "finished"),
    _rule("x.mark", "x.reply|x.resolve|x.refunded|x.benefit"),
)
"""Each beside a time (``_times``)."""
_SECRETS: tuple[_Rule, ...] = (
    _rule("secret", "ask", "me|ours|you"),
    _rule("secret", "forgot", "step"),
    _rule("forgot", "step"),
    _rule("disable", "factor"),
    _rule("code", "step|ask", "sent"),
    _rule("made", "owner", "you"),
    _rule("rights", "hand"),
    _rule("x.step", "x.mark", "x.secret|x.factor"),
)
_ORDERED_SECRETS = (_rule("ask|step", "secret"), _rule("hand", "rights"), _rule("disable", "factor"))
"""As an order, at the beginning of a clause."""

_SENSITIVE = _any("secret", "factor", "rights", "forgot", "code", "made", "x.secret", "x.factor")
# Every rule of a commitment begins with what is rarest in it: without any of those, none has to be tried.
_MONEYED, _X_MONEYED = (reduce(or_, (one[0] for one in rules)) for rules in (_COMMITMENTS, _X_COMMITMENTS))
_TIMED = _any("when", "x.when", "unit", "x.unit", "day")
_SAID = _any("looked", "looking", "look", "signed", "told", "know", "x.looked")
_SAYS_IT = _any("person", "me", "x.person")
_REVIEWED, _LOOKING = _any("looked"), _any("looking")
_PERSON, _WHO, _CASE, _BY = _any("person"), _any("who"), _any("case"), _any("whom")
_BEING, _PERFECT, _FUTURE, _ME = _any("being"), _any("perfect"), _any("future"), _any("me")
_WHEN, _AT, _DAY = _any("when", "x.when"), _any("at"), _any("day")
_WITHIN, _NUMBER, _UNIT = _any("within"), _any("number"), _any("unit")
_X_WITHIN, _X_NUMBER, _X_UNIT = _any("x.within"), _any("number", "x.number"), _any("x.unit")

_TELLING = _SENSITIVE | _MONEYED | _X_MONEYED | _TIMED | _SAID
"""Where a clause has none of these, nothing is found in it (``_worth_judging``)."""

WIDEST = 24
"""Words of one clause that are read together; a longer clause is read in steps of half of that."""
_CLAUSE_END = re.compile(r"[.!?;:\n…](?:(?<!:)|(?=\s|$))")
_TOKEN = re.compile(r"[^\W_]+|[$€£%]")
_ASCII_TOKEN = re.compile(r"[a-zA-Z0-9]+|[$%]")
"""The same in a text of ASCII alone, and faster."""
_ONLY_WORDS = {code: " " for code in range(128) if not chr(code).isalnum() and chr(code) != "\n"}
"""All of ASCII that stands between the words of a line."""
_BARE_TIME = re.compile(
    r"(?:(?:in|within|about|maybe|less|more|than|at|most|no|up|to|only|the|next|a|an|few|couple|of|or|so|business|working|"
    r"one|two|three|four|five|six|seven|ten|\d+|minutes?|hours?|days?|weeks?|months?|tops|max) ?){2,7}"
)


def findings(*reads: str) -> Iterator[Finding]:
    """What stands in plain texts (``wording.plain``), clause by clause; one finding a kind and clause. A clause that
    stands in several is read once: the readings of one text differ in few of theirs."""
    parts = chain.from_iterable(map(_CLAUSE_END.split, _new_lines(reads)))
    clauses = list(dict.fromkeys(map(str.strip, parts)))
    for clause, words in zip(clauses, _words(clauses), strict=True):
        every = meanings(words)
        whole = _all(every)
        if not whole & _TELLING:
            continue
        quote = clause[:200]
        if whole & _UNIT and _BARE_TIME.fullmatch(quote):
            yield Finding("timing", quote)
        if len(words) < 2 or not _worth_judging(whole):
            continue
        seen: set[str] = set()
        for start in range(0, max(1, len(words) - WIDEST // 2), WIDEST // 2):
            for kind, claim in _judged(every[start : start + WIDEST], words[start : start + WIDEST]):
                if kind not in seen:
                    seen.add(kind)
                    yield Finding(kind, quote, claim)


def _new_lines(reads: Sequence[str]) -> Iterator[str]:
    """Each text without the lines of those before it: every line's end is a clause's."""
    if len(reads) < 2:
        yield from reads
        return
    seen: set[str] = set()
    for read in reads:
        new = [line for line in read.split("\n") if line not in seen]
        seen.update(new)
        yield "\n".join(new)


def _words(clauses: Sequence[str]) -> Iterator[list[str]]:
    """The words of each clause; none has a line's end in it."""
    whole = "\n".join(clauses)
    if not whole.isascii():
        yield from map(_tokens, clauses)
        return
    for clause, bare in zip(clauses, whole.translate(_ONLY_WORDS).split("\n"), strict=True):
        # Without a sign that is a word of its own, splitting at blanks gives the same words in a third of the time.
        yield _tokens(clause) if "$" in clause or "%" in clause else bare.split()


def _tokens(clause: str) -> list[str]:
    return _ASCII_TOKEN.findall(clause) if clause.isascii() else _TOKEN.findall(without_accents(clause))


def _all(bits: Sequence[int]) -> int:
    return reduce(or_, bits, 0)


def _worth_judging(whole: int) -> bool:
    """False only where no finding can be made of these meanings, in whatever order they stand: looks at what each kind
    cannot do without, so that most clauses are done with at once."""
    return bool(
        whole & _SENSITIVE
        or (whole & _SAID and whole & _SAYS_IT)
        or _committed(whole)
        or (whole & _TIMED and _meets(whole, _TIMINGS))
    )


def _committed(whole: int) -> bool:
    return bool(whole & _MONEYED and _meets(whole, _COMMITMENTS)) or bool(
        whole & _X_MARK and whole & _X_MONEYED and _meets(whole, _X_COMMITMENTS)
    )


def _judged(bits: Sequence[int], words: Sequence[str]) -> Iterator[tuple[str, Claim | None]]:
    whole = _all(bits)
    if _committed(whole):
        yield "commitment", None
    if whole & _TIMED and _times(bits, whole) and _meets(whole, _TIMINGS):
        yield "timing", None
    if whole & _SENSITIVE and _steps(bits, words, whole):
        yield "security_step", None
    if whole & _SAID and (claim := _claimed(bits, whole)) is not None:
        yield "human_review", claim


def _meets(whole: int, rules: tuple[_Rule, ...]) -> bool:
    for rule in rules:
        for need in rule:
            if not whole & need:
                break
        else:
            return True
    return False


def _steps(bits: Sequence[int], words: Sequence[str], whole: int) -> bool:
    if words[0] == "never" or tuple(words[:2]) in (("do", "not"), ("don", "t")):
        return False
    switched_off = whole & _FACTOR and _near(bits, _SWITCH, _OFF, 3)
    return bool(switched_off) or _meets(whole, _SECRETS) or _meets_from_start(bits, whole)


def _meets_from_start(bits: Sequence[int], whole: int) -> bool:
    head = _all(bits[:3])
    return any(head & first and whole & second for first, second in _ORDERED_SECRETS)


def _times(bits: Sequence[int], whole: int) -> bool:
    if whole & _WHEN:
        return True
    if whole & _WITHIN and whole & _UNIT and _near(bits, _WITHIN, _NUMBER, 3) and _near(bits, _NUMBER, _UNIT, 3):
        return True
    if whole & _X_UNIT and whole & _X_WITHIN and _near(bits, _X_WITHIN, _X_NUMBER, 3):
        return _near(bits, _X_NUMBER, _X_UNIT, 3)
    return bool(whole & _DAY) and _near(bits, _AT, _DAY, 2)


def _near(bits: Sequence[int], first: int, second: int, most: int) -> bool:
    """Whether the second meaning follows the first within so many words."""
    return any(b & first and _all(bits[i + 1 : i + 1 + most]) & second for i, b in enumerate(bits))


def _claimed(bits: Sequence[int], whole: int) -> Claim | None:
    """What is said of people, where something is."""
    if whole & _PERSON:
        person = next(i for i, b in enumerate(bits) if b & _PERSON)
        before, after = _all(bits[:person]), _all(bits[person + 1 :])
        if whole & _CASE and not after & _WHO:
            if after & _LOOKING and whole & _BEING:
                return Claim.LOOKING
            if after & _REVIEWED and not whole & _FUTURE:
                return Claim.REVIEWED
            if after & _TOOK and after & _LOOK:
                return Claim.REVIEWED
            if after & _SIGNED:
                return Claim.REVIEWED
        if before & _REVIEWED and whole & _PERFECT and whole & _BY and whole & _CASE:
            return Claim.REVIEWED
        if whole & _ME and (whole & _TOLD or (whole & _LET and whole & _KNOW)) and not whole & _WHO:
            return Claim.TOLD
    if whole & _ME and whole & _CASE:
        if whole & _LOOKING and whole & _BEING:
            return Claim.LOOKING
        if whole & _FUTURE and whole & _LOOK:
            return Claim.WILL_LOOK
    if whole & _X_MARK and whole & _X_PERSON and whole & _X_LOOKED:
        return Claim.REVIEWED
    return None


_TOOK, _LOOK, _SIGNED, _TOLD = _any("take"), _any("look"), _any("signed"), _any("told")
_LET, _KNOW = _any("let"), _any("know")
_FACTOR, _SWITCH, _OFF = _any("factor"), _any("switch"), _any("off")
_X_MARK, _X_PERSON, _X_LOOKED = _any("x.mark"), _any("x.person"), _any("x.looked")


@dataclass(frozen=True, slots=True)
class PeopleOnIt:
    """What the ledger holds of people and this ticket: by it, and not by its words, a claim is true or false."""

    review_open: bool = False
    claimed: bool = False
    decided: bool = False
    """A person's decision on the ticket is recorded."""

    def holds(self, claim: Claim) -> bool:
        """Whether the ledger bears the claim out."""
        return _BORNE_OUT[claim](self)


_BORNE_OUT: dict[Claim, Callable[[PeopleOnIt], bool]] = {
    Claim.WILL_LOOK: lambda known: known.review_open or known.claimed,
    Claim.TOLD: lambda known: known.review_open or known.claimed or known.decided,
    Claim.LOOKING: lambda known: known.claimed,
    Claim.REVIEWED: lambda known: known.decided,
}


NOBODY = PeopleOnIt()
"""The ledger holds nobody."""


def unproved(found: Sequence[Finding], known: PeopleOnIt) -> tuple[Finding, ...]:
    """The findings without the claims about people that the ledger bears out; all else stays."""
    return tuple(f for f in found if f.claim is None or not known.holds(f.claim))
