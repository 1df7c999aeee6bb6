"""Scores a ticket on the six triggers: rules over facts and words first, then opinions, which may only raise."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from guards.facts import Fact, Facts, Standing
from guards.policy import Release, SignalRule, level_of
from guards.triggers import Boundary, Level, Matrix, Signal, Trigger, Witness
from guards.wording import LONGEST, language, plain, sentences


class Need(IntEnum):
    """What an answer would have to rest on. Ordered: a later one is nearer to a person."""

    NOTHING = 0
    PUBLIC = 1
    RECORD = 2
    DECISION = 3


@dataclass(frozen=True, slots=True)
class Opinion:
    """What an assessor that is not a rule thinks of the message: the local text head, or a model."""

    by: Witness
    levels: Mapping[Trigger, Level]
    quotes: Mapping[Trigger, str] = field(default_factory=dict)
    """The customer's words that moved it, where it can say."""
    need: Need = Need.NOTHING
    asks_human: bool = False
    severe: bool = False
    """It read severe dissatisfaction, a legal threat or an executive's displeasure."""
    fingerprint: str = ""
    """Which weights or which model and prompt it was."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """All that the triggers say of one ticket."""

    matrix: Matrix
    families: tuple[str, ...]
    """Issue families touched, the likeliest first; empty where none is known."""
    need: Need
    asks_human: bool
    language: str

    def account_needed(self) -> bool:
        """True where the answer depends on the customer's own record."""
        return self.need >= Need.RECORD

    def to_json(self) -> dict[str, object]:
        """Plain JSON; ``from_json`` reads it back."""
        return {
            "signals": [s.to_json() for s in self.matrix.signals],
            "boundaries": [b.value for b in self.matrix.boundaries],
            "families": list(self.families),
            "need": self.need.name.lower(),
            "asks_human": self.asks_human,
            "language": self.language,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, object]) -> Assessment:
        """Reads what ``to_json`` wrote."""
        signals, families = raw["signals"], raw["families"]
        assert isinstance(signals, list) and isinstance(families, list)
        return cls(
            matrix=Matrix(tuple(Signal.from_json(s) for s in signals)),
            families=tuple(str(f) for f in families),
            need=Need[str(raw["need"]).upper()],
            asks_human=raw["asks_human"] is True,
            language=str(raw["language"]),
        )


def assess(
    words: str,
    facts: Facts,
    release: Release,
    opinions: Iterable[Opinion] = (),
    hinted_families: Iterable[str] = (),
    untrusted: Iterable[str] = (),
    noticed: Iterable[Signal] = (),
) -> Assessment:
    """Scores the customer's words and the facts under a release.

    ``words`` is what the customer wrote and no person has yet settled; ``hinted_families`` come from the
    ticket's own category or from the article that answers it; ``untrusted`` is other text that a machine
    would read (account notes, articles), and ``noticed`` what ``untrusted_signals`` has seen in more of it, for texts
    that are read again and again. Opinions never lower a level: the matrix is the highest level that
    anybody gave, and every giver is kept.
    """
    said = tuple(opinions)
    read = plain(words)
    shown, weaker = shown_families(read, release, hinted_families), _weaker_families(read, release)
    families = shown or weaker
    # Weaker signs of a family never hide behind a stronger one's: what they need must be there too (I11).
    wider = tuple(dict.fromkeys((*families, *weaker)))
    tongue = language(read)
    signals = [
        *fact_signals(facts, wider, release),
        *text_signals(read, wider, release),
        *untrusted_signals(untrusted, release),
        *noticed,
        *opinion_signals(said),
    ]
    need = _need(signals, said)
    unknown = needed_signals(signals, facts, release)
    # Words show what an answer would need; whether that is missing, the record says.
    signals = [s for s in signals if not _only_names_a_need(s)]
    signals += context_signals(need, wider, facts, release, tongue, too_long=len(words) > LONGEST)
    signals += [s for s in unknown if s not in signals]
    # Only a family that shows itself makes a mixture: weaker signs fall away beside it, and a level may not (I11).
    signals += domain_signals(shown, signals, facts, release, unknown=bool(weaker))
    asks_human = any(o.asks_human for o in said) or _ASKS_HUMAN.search(read) is not None
    return Assessment(Matrix(tuple(signals)), families, need, asks_human, tongue)


# ── families ────────────────────────────────────────────────────────────────────────────────────────────────


def shown_families(read: str, release: Release, hinted: Iterable[str] = ()) -> tuple[str, ...]:
    """The issue families that show themselves in the words, the most often named first, then the hinted ones."""
    counts: dict[str, int] = {}
    for family in release.family:
        if family.pattern and (hits := {m.group() for m in family.pattern.finditer(read)}):
            counts[family.id] = len(hits)
    for name in hinted:
        if release.family_of(name):
            counts.setdefault(name, 0)
    return tuple(sorted(counts, key=lambda name: -counts[name]))


def _weaker_families(read: str, release: Release) -> tuple[str, ...]:
    weaker = ((f.id, f.otherwise_pattern) for f in release.family)
    return tuple(name for name, pattern in weaker if pattern and pattern.search(read))


# ── rules over facts and words ──────────────────────────────────────────────────────────────────────────────


def fact_signals(facts: Facts, families: tuple[str, ...], release: Release) -> list[Signal]:
    """What the release's rules see in the facts. A fact that may not be relied on satisfies no comparison."""
    found = []
    for rule in release.signal:
        if rule.fact is None or not _applies(rule, families):
            continue
        fact = facts.get(rule.fact)
        if fact.known and _compares(rule, fact):
            found.append(_signal(rule, Witness.FACTS, fact.words(), str(fact.value)))
    return found


def _compares(rule: SignalRule, fact: Fact) -> bool:
    value = fact.value
    if rule.is_ is not None:
        return type(value) is type(rule.is_) and value == rule.is_
    if rule.any_of is not None:
        held = value if isinstance(value, tuple) else (value,)
        return any(str(v) in rule.any_of for v in held if v is not None)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if rule.at_least is not None:
        return value >= rule.at_least
    return rule.at_most is not None and value <= rule.at_most


def text_signals(read: str, families: tuple[str, ...], release: Release) -> list[Signal]:
    """What the release's rules see in the customer's words, one signal a rule, its first match as evidence."""
    found = []
    parts = sentences(read)
    whole = "\n".join(parts)
    for rule in release.signal:
        # One search over all sentences first: most rules say nothing about most tickets.
        if rule.text_pattern is None or not _applies(rule, families) or not rule.text_pattern.search(whole):
            continue
        for part in parts:
            if rule.personal and is_general(part):
                continue
            match = rule.text_pattern.search(part)
            if match and not (rule.unless_pattern and rule.unless_pattern.search(part)):
                found.append(_signal(rule, Witness.TEXT, _quote(part, match), match.group()[:80]))
                break
    return found


_ASKING = re.compile(
    r"^(?:and |so |but |ok(?:ay)?,? |hi,? |hello,? )*(?:what|where|which|who|when|how|define|explain|do you)\b"
)
_HOPING = re.compile(r"\b(?:will|would|could|can|may|might) (?:there|you|it)\b|\bany chance\b")
_FIRST_PERSON = re.compile(r"\b(?:i|i'm|i've|i'd|me|my|mine|we|we're|we've|us|our|ours|myself|ourselves)\b")


def is_general(part: str) -> bool:
    """A question about the world rather than about the asker: it starts as one, names no first person and hopes for
    nothing."""
    return _ASKING.search(part) is not None and not (_FIRST_PERSON.search(part) or _HOPING.search(part))


def untrusted_signals(texts: Iterable[str], release: Release) -> list[Signal]:
    """What the rules marked ``untrusted`` see in text that is not the customer's own message."""
    rules = [r for r in release.signal if r.untrusted and r.text_pattern]
    found = []
    for text in texts:
        read = plain(text)
        for rule in rules:
            if rule.text_pattern and (match := rule.text_pattern.search(read)):
                found.append(
                    _signal(rule, Witness.TEXT, f"in a note or article: {_quote(read, match)}", match.group()[:80])
                )
    return found


def _applies(rule: SignalRule, families: tuple[str, ...]) -> bool:
    return not rule.families or bool(set(rule.families) & set(families))


def _signal(rule: SignalRule, by: Witness, evidence: str, value: str) -> Signal:
    return Signal(rule.id, rule.trigger, level_of(rule), by, evidence, rule.why, value, rule.boundary)


def _quote(part: str, match: re.Match[str]) -> str:
    start, end = max(0, match.start() - 40), min(len(part), match.end() + 60)
    return f"“{'…' if start else ''}{part[start:end].strip()}{'…' if end < len(part) else ''}”"


# ── opinions ────────────────────────────────────────────────────────────────────────────────────────────────

_CONTEXT = (Trigger.MISSING_CONTEXT, Trigger.MULTI_DOMAIN_COMPLEXITY)


_CALLED = {Witness.HEAD: "local text model", Witness.MODEL: "language model"}


def opinion_signals(opinions: Iterable[Opinion]) -> list[Signal]:
    """An opinion's levels as signals. Missing context is not a text question: an opinion only names the need."""
    found = []
    for opinion in opinions:
        for trigger, level in opinion.levels.items():
            if level is Level.LOW or trigger is Trigger.MISSING_CONTEXT:
                continue
            quote = opinion.quotes.get(trigger, "")
            severe = opinion.severe and trigger is Trigger.CUSTOMER_PRESSURE and level is Level.HIGH
            found.append(
                Signal(
                    id=f"{opinion.by.value}_{trigger.value}",
                    trigger=trigger,
                    level=level,
                    by=opinion.by,
                    evidence=f"“{quote}”" if quote else f"read so by the {_CALLED.get(opinion.by, opinion.by.value)}",
                    why=f"the {_CALLED.get(opinion.by, opinion.by.value)} reads the message so; it may only raise",
                    value=opinion.fingerprint,
                    boundary=Boundary.SEVERE_DISSATISFACTION if severe else None,
                )
            )
    return found


# ── missing context and mixed domains: from the record and the families, not from the words alone ───────────


def _only_names_a_need(signal: Signal) -> bool:
    words = signal.by is Witness.TEXT and signal.trigger is Trigger.MISSING_CONTEXT
    return words and signal.level is Level.MEDIUM


def _need(signals: Iterable[Signal], opinions: Iterable[Opinion]) -> Need:
    need = max((o.need for o in opinions), default=Need.NOTHING)
    for signal in signals:
        if signal.trigger is Trigger.MISSING_CONTEXT:
            need = max(need, Need.DECISION if signal.level is Level.HIGH else Need.RECORD)
    return need


def context_signals(
    need: Need, families: tuple[str, ...], facts: Facts, release: Release, tongue: str, *, too_long: bool = False
) -> list[Signal]:
    """Where a fact that the answer or the decision needs is missing, stale, claimed or in conflict."""
    found: list[Signal] = []

    def add(rule: str, level: Level, evidence: str, why: str) -> None:
        found.append(Signal(rule, Trigger.MISSING_CONTEXT, level, Witness.LAW, evidence, why))

    if too_long:
        why = "the middle of it was not read by the rules, and may hold what decides"
        add("too_long", Level.HIGH, f"the message is longer than {LONGEST} characters", why)
    if tongue != "en":
        add("other_language", Level.MEDIUM, f"the message reads as {tongue}", "the rules judge English only")
    unread = facts.value("attachments.unread")
    if isinstance(unread, int) and unread > 0:
        add(
            "unread_attachment",
            Level.MEDIUM,
            facts.get("attachments.unread").words(),
            "what nobody was able to read may hold what decides",
        )
    needed, decisive = _wanted(families, release)
    if need >= Need.RECORD:
        found += [_record_needed(fact) for fact in _unusable(needed, facts)]
    if need is Need.DECISION:
        for fact in _unusable(decisive, facts):
            add(
                "decisive_fact_missing",
                Level.HIGH,
                fact.words(),
                "the decision hangs on it; we would have to guess",
            )
    elif need is Need.RECORD:
        for fact in _unusable(decisive, facts):
            if fact.standing is Standing.CONFLICTING:
                add("systems_disagree", Level.HIGH, fact.words(), "two systems of record disagree on it")
    return found


def needed_signals(signals: Iterable[Signal], facts: Facts, release: Release) -> list[Signal]:
    """Where a rule that fired names a fact that an answer would rest on, and it is not known."""
    fired = {s.id for s in signals}
    names = dict.fromkeys(n for rule in release.signal if rule.id in fired for n in rule.needs)
    return [_record_needed(fact) for fact in _unusable(names, facts)]


def _record_needed(fact: Fact) -> Signal:
    why = "the answer depends on this customer's own record"
    return Signal("record_needed", Trigger.MISSING_CONTEXT, Level.MEDIUM, Witness.LAW, fact.words(), why)


_ALWAYS_NEEDED = ("account.tier",)


def _wanted(families: tuple[str, ...], release: Release) -> tuple[tuple[str, ...], tuple[str, ...]]:
    chosen = [f for name in families if (f := release.family_of(name))]
    needed = tuple(dict.fromkeys((*_ALWAYS_NEEDED, *(n for f in chosen for n in f.needs))))
    decisive = tuple(dict.fromkeys((*_ALWAYS_NEEDED, *(n for f in chosen for n in f.decisive))))
    return needed, decisive


def _unusable(names: Iterable[str], facts: Facts) -> list[Fact]:
    return [fact for name in names if not (fact := facts.get(name)).known]


def domain_signals(
    families: tuple[str, ...], signals: Iterable[Signal], facts: Facts, release: Release, *, unknown: bool = False
) -> list[Signal]:
    """Mixed domains: two are medium, three or a costly pair are high.

    ``unknown`` says that it is about something, though no family shows itself: that counts as one domain.

    A documentation question may name two domains ("which plans have audit logs"); only where something else
    about the words is raised does the mixture complicate a decision. An incident that affects the account
    counts where something commercial is asked for, because the record shows what words leave out.
    """
    domains = dict.fromkeys(f.domain for name in families if (f := release.family_of(name)))
    if unknown and not domains:
        domains["unknown"] = None
    raised = any(s.trigger is not Trigger.MISSING_CONTEXT and s.by is not Witness.FACTS for s in signals)
    commercial = any(s.trigger is Trigger.POLICY_SENSITIVITY and s.level is Level.HIGH for s in signals)
    evidence = f"touches {', '.join(families or domains)}"
    incident = facts.get("incidents.affecting")
    if commercial and incident.known and incident.value and "outage" not in domains:
        domains["outage"] = None
        evidence += f"; {incident.words()}"
    if len(domains) < 2 or not raised:
        return []
    pairs = [p for p in release.costly_pair if set(p.domains) <= set(domains)]
    pairs = [p for p in pairs if commercial or p.boundary is None]
    if not pairs:
        level = Level.HIGH if len(domains) >= 3 else Level.MEDIUM
        why = f"{len(domains)} domains in one ticket: {', '.join(domains)}"
        return [Signal("domains_mixed", Trigger.MULTI_DOMAIN_COMPLEXITY, level, Witness.LAW, evidence, why)]
    return [
        Signal(
            f"mixed_{p.domains[0]}_{p.domains[1]}",
            Trigger.MULTI_DOMAIN_COMPLEXITY,
            Level.HIGH,
            Witness.LAW,
            evidence,
            p.why,
            boundary=p.boundary,
        )
        for p in pairs
    ]


_PERSON = (
    r"(?:humans?|persons?|people|someone|somebody|agents?|representatives?|operators?|supervisors?|managers?|advisors?)"
)
_ASKS_HUMAN = re.compile(
    rf"\b(?:speak|talk|chat)(?:ing)? (?:to|with) (?:an? |the |some |your |my |real |actual |live |human |support )*{_PERSON}\b"
    rf"|\b(?:connect|transfer|pass|put|hand|escalate|forward)\b (?:me|us|this|it)(?: \w+)? (?:to|with|through to|over to) "
    rf"(?:an? |the |some |your |real |actual |live |human )*{_PERSON}\b"
    rf"|\b(?:get|give|find|reach|need|want)(?: me| us)? (?:an? |some |the |your )?(?:real |actual |live )?"
    r"(?:humans?|real persons?|real people|live agents?|human agents?|representative|supervisor|manager)\b"
    rf"|\bget (?:me |us )?(?:someone|somebody) to (?:help|call|look|answer)|\b(?:real|live|actual) (?:human|person|agent)\b"
    r"|\b(?:not|no more|no) (?:an? )?(?:bots?|robots?|chatbots?)\b"
    r"|\bmenschen? sprechen\b|\bmit einem (?:mitarbeiter|menschen)\b|\bparler (?:à|avec) (?:un|une)\b|\bhablar con (?:un|una)\b"
)
"""A request for a person is honoured in every language we know how to see it in; misses go to the text head."""
