"""Every cell of the law in which one changed rule could matter, asked under the release before and the one after."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, product

from guards.assess import Need, context_signals, domain_signals, fact_signals
from guards.facts import Fact, Facts, FactValue, Standing
from guards.lanes import Unit
from guards.policy import CostlyPair, Family, Release, SignalRule, level_of
from guards.policy_law import LEVELS, UNITS, LawTable, law_table, place_of
from guards.rollout import Ceiling, ceiling_of, narrower
from guards.triggers import Level, Signal, Trigger, Witness

_TRIGGERS = tuple(Trigger)
_FREEDOM = {3: 1, 2: 2, 1: 3}
"""What leaves by itself: a notice; a notice and drafts for people; an answer."""


@dataclass(frozen=True, slots=True)
class Tally:
    """In how many cells the assistant gets more room, in how many less, of how many that were asked."""

    wider: int = 0
    narrower: int = 0
    cells: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.wider + other.wider, self.narrower + other.narrower, self.cells + other.cells)


@dataclass(frozen=True, slots=True)
class _Cell:
    """What one abstract ticket has, beside its matrix."""

    raised: tuple[tuple[Trigger, Level], ...] = ()
    crossed: bool = False
    ceiling: Ceiling = Ceiling.OPEN


def law_tally(old: Release, new: Release, family: str | None = None) -> Tally:
    """All matrices, with and without a boundary, in every family of either release (or in one), and in none."""
    names = [family] if family else sorted({f.id for release in (old, new) for f in release.family})
    ceilings = [(ceiling_of(old, name), ceiling_of(new, name)) for name in names]
    if not family:
        ceilings.append((_of_none(old), _of_none(new)))
    before, after = law_table(old), law_table(new)
    found = {pair: _compared(before, after, _Cell(ceiling=pair[0]), _Cell(ceiling=pair[1])) for pair in set(ceilings)}
    return sum((found[pair] for pair in ceilings), Tally())


def signal_tally(old: Release, new: Release, name: str) -> Tally:
    """A rule over facts or words: each way in which it may fire before and after, over all matrices."""
    one, other = (next((s for s in release.signal if s.id == name), None) for release in (old, new))
    table = law_table(old)
    seen = {(before, after) for before, after in _firings(old, new, one, other)}
    return sum((_compared(table, table, *pair) for pair in sorted(seen, key=str)), Tally())


def _firings(
    old: Release, new: Release, one: SignalRule | None, other: SignalRule | None
) -> Iterator[tuple[_Cell, _Cell]]:
    families = [(), *((f.id,) for f in (*old.family, *new.family))]
    for before, after in _ways(one, other, families):
        for mixture, incident, said in product(_mixtures(old), (False, True), ((), (_ANYTHING,))):
            fired = (one if before else None), (other if after else None)
            yield _fired(old, fired[0], mixture, incident, said), _fired(old, fired[1], mixture, incident, said)


def _mixtures(release: Release) -> list[tuple[str, ...]]:
    """No family, and one family of each two domains and of three: what a rule raises may turn a mixture risky."""
    domains = list({f.domain: f.id for f in release.family}.values())
    return [(), *combinations(domains, 2), *([tuple(domains[:3])] if len(domains) > 2 else [])]


_ANYTHING = Signal("cell", Trigger.CUSTOMER_PRESSURE, Level.MEDIUM, Witness.TEXT, "", "")
"""Something else that the words raise: a mixture of domains counts only beside one."""


def _fired(
    release: Release, rule: SignalRule | None, families: tuple[str, ...], incident: bool, said: tuple[Signal, ...]
) -> _Cell:
    seen = list(said)
    if rule is not None:
        by = Witness.TEXT if rule.fact is None else Witness.FACTS
        seen.append(Signal(rule.id, rule.trigger, level_of(rule), by, "", "", boundary=rule.boundary))
    facts = Facts((Fact("incidents.affecting", "INC-1", Standing.CONFIRMED, "cell"),) if incident else ())
    return _of([*seen, *domain_signals(families, seen, facts, release)])


def _ways(one: SignalRule | None, other: SignalRule | None, families: list[tuple[str, ...]]) -> set[tuple[bool, bool]]:
    """Each combination of firing before and after that some ticket can show."""
    rules = [rule for rule in (one, other) if rule is not None]
    if len(rules) < 2:
        return {(one is not None, other is not None)}
    if rules[0].fact is None and rules[1].fact is None:
        return {(_reads(rules[0], *cell), _reads(rules[1], *cell)) for cell in _texts(rules, families)}
    if rules[0].fact != rules[1].fact:
        return {(a, b) for a in (False, True) for b in (False, True)}
    cells = product(_values(rules), families)
    return {(_holds(rules[0], value, fam), _holds(rules[1], value, fam)) for value, fam in cells}


def _values(rules: Iterable[SignalRule]) -> set[FactValue]:
    """The values at which the two comparisons can part."""
    found: set[FactValue] = {True, False, "something else", -1, 10**9}
    for rule in rules:
        found |= {n + step for n in (rule.at_least, rule.at_most) if n is not None for step in (-1, 0, 1)}
        found |= set(rule.any_of or ()) | ({rule.is_} if rule.is_ is not None else set())
    return found


class _OneRule:
    """A release of one rule: all that the judgement of facts asks of it."""

    def __init__(self, rule: SignalRule) -> None:
        self.signal = (rule,)


def _holds(rule: SignalRule, value: FactValue, families: tuple[str, ...]) -> bool:
    assert rule.fact is not None
    facts = Facts((Fact(rule.fact, value, Standing.CONFIRMED, "cell"),))
    return bool(fact_signals(facts, families, _OneRule(rule)))  # type: ignore[arg-type]


_Text = tuple[str, str, bool, bool, tuple[str, ...]]
"""The one expression that matches, the one exception that matches, a general question, not the customer's own, families."""


def _texts(rules: list[SignalRule], families: list[tuple[str, ...]]) -> Iterator[_Text]:
    expressions = sorted({e for rule in rules for e in rule.text})
    exceptions = ["", *sorted({e for rule in rules for e in rule.unless})]
    near = [f for f in families if not f or any(f[0] in rule.families for rule in rules)]
    near += [f for f in families if f not in near][:1]
    return product(expressions, exceptions, (False, True), (False, True), near)


def _reads(rule: SignalRule, said: str, excepted: str, general: bool, strange: bool, families: tuple[str, ...]) -> bool:
    if said not in rule.text:
        return False
    if strange:
        return rule.untrusted
    here = not rule.families or bool(set(rule.families) & set(families))
    return here and not (rule.personal and general) and excepted not in rule.unless


# ── families and their mixtures ─────────────────────────────────────────────────────────────────────────────


def family_tally(old: Release, new: Release, name: str) -> Tally:
    """A family: touched or not, alone and beside an open and a shut one, with each fact it needs missing."""
    one, other = old.family_of(name), new.family_of(name)
    swapped = old.model_copy(update={"family": _exchanged(old.family, name, other)})
    table, found = law_table(old), Tally()
    for touched, beside in product(_touching(one, other), _beside(old, name)):
        before = _among(old, name if touched[0] else None, beside)
        after = _among(swapped, name if touched[1] else None, beside)
        found += _compared(table, table, before, after)
    for missing, need in product(_wanted(one, other), (Need.RECORD, Need.DECISION)):
        before, after = (_context(release, name, missing, need) for release in (old, swapped))
        found += _compared(table, table, before, after)
    if one and other and one.domain != other.domain:
        for neighbour in old.family:
            before, after = (_mixed(release, (name, neighbour.id)) for release in (old, swapped))
            found += _compared(table, table, before, after)
    tells = [set(f.tells) if f else set() for f in (one, other)]
    return found + Tally(len(tells[1] - tells[0]), len(tells[0] - tells[1]), len(tells[0] | tells[1]))


def _exchanged(families: tuple[Family, ...], name: str, by: Family | None) -> tuple[Family, ...]:
    kept = tuple(f for f in families if f.id != name)
    return (*kept, by) if by else kept


def _touching(one: Family | None, other: Family | None) -> set[tuple[bool, bool]]:
    expressions = {e for f in (one, other) if f for e in (*f.text, *f.otherwise)}
    shown = [{*f.text, *f.otherwise} if f else set() for f in (one, other)]
    return {(e in shown[0], e in shown[1]) for e in expressions} | {(one is not None, other is not None)}


def _beside(release: Release, name: str) -> list[tuple[str, ...]]:
    """No other family, and one of each ceiling that there is."""
    found: dict[Ceiling, tuple[str, ...]] = {}
    for family in release.family:
        if family.id != name:
            found.setdefault(ceiling_of(release, family.id), (family.id,))
    return [(), *found.values()]


def _among(release: Release, name: str | None, beside: tuple[str, ...]) -> _Cell:
    touched = (*beside, *((name,) if name else ()))
    ceilings = [ceiling_of(release, family) for family in touched] or [_of_none(release)]
    ceiling = Ceiling.OPEN
    for one in ceilings:
        ceiling = narrower(ceiling, one)
    # A family brings the rules that are for it alone: each may fire where it is touched.
    rules = [rule for rule in release.signal if name and name in rule.families]
    return _Cell(tuple({(r.trigger, level_of(r)) for r in rules}), any(r.boundary for r in rules), ceiling)


def _wanted(one: Family | None, other: Family | None) -> list[str]:
    if one is None or other is None:
        return []
    return sorted({*one.needs, *one.decisive, *other.needs, *other.decisive})


def _context(release: Release, name: str, missing: str, need: Need) -> _Cell:
    """What is raised where all that the family asks for is known but one fact."""
    names = {n for f in release.family for n in (*f.needs, *f.decisive)} | {"account.tier"}
    facts = Facts(tuple(Fact(n, "known", Standing.CONFIRMED, "cell") for n in sorted(names - {missing})))
    return _of(context_signals(need, (name,), facts, release, "en"))


def pair_tally(old: Release, new: Release, name: str) -> Tally:
    """A costly pair: the two domains together, where something commercial is asked for and where it is not."""
    swapped = old.model_copy(update={"costly_pair": _pairs(old, new, name)})
    table, found = law_table(old), Tally()
    domains = {f.domain: f.id for f in old.family}
    for two in product(domains.values(), repeat=2):
        for commercial in (False, True):
            before, after = (_mixed(release, two, commercial) for release in (old, swapped))
            if before != after:
                found += _compared(table, table, before, after)
    return found


def _pairs(old: Release, new: Release, name: str) -> tuple[CostlyPair, ...]:
    kept = [p for p in old.costly_pair if " with ".join(p.domains) != name]
    return (*kept, *(p for p in new.costly_pair if " with ".join(p.domains) == name))


def _mixed(release: Release, families: tuple[str, ...], commercial: bool = True) -> _Cell:
    trigger, level = (
        (Trigger.POLICY_SENSITIVITY, Level.HIGH) if commercial else (Trigger.CUSTOMER_PRESSURE, Level.MEDIUM)
    )
    said = Signal("cell", trigger, level, Witness.TEXT, "", "")
    return _of(domain_signals(families, [said], Facts(), release))


def _of(signals: Iterable[Signal]) -> _Cell:
    raised = {(s.trigger, s.level): s for s in signals}
    return _Cell(tuple(raised), any(s.boundary for s in raised.values()))


# ── one cell against another ────────────────────────────────────────────────────────────────────────────────


def _of_none(release: Release) -> Ceiling:
    """The ceiling where no family is known: unknown is not routine."""
    return narrower(Ceiling.LANE_2, _phase(release))


def _phase(release: Release) -> Ceiling:
    watched = release.rollout.phase.value == "observe_only"
    return Ceiling.NOTHING_LEAVES if watched else Ceiling.OPEN


def _compared(before: LawTable, after: LawTable, one: _Cell, other: _Cell) -> Tally:
    """The two over every matrix and boundary that a ticket may have already."""
    if before is after and one == other:
        return Tally(cells=2 * len(LEVELS))
    wider = less = 0
    for levels in LEVELS:
        places = [2 * place_of(_raised(levels, cell)) for cell in (one, other)]
        for crossed in (False, True):
            a = places[0] + int(crossed or one.crossed)
            b = places[1] + int(crossed or other.crossed)
            got = _more(before, a, one.ceiling, after, b, other.ceiling)
            wider, less = wider + (got > 0), less + (got < 0)
    return Tally(wider, less, 2 * len(LEVELS))


def _raised(levels: tuple[Level, ...], cell: _Cell) -> list[int]:
    found = list(map(int, levels))
    for trigger, level in cell.raised:
        at = _TRIGGERS.index(trigger)
        found[at] = max(found[at], int(level))
    return found


def _more(one: LawTable, a: int, here: Ceiling, other: LawTable, b: int, there: Ceiling) -> int:
    """Above 0 where the second gives the assistant more room, below 0 where less: by what leaves, then by the lane that
    is recommended, then by the units that reach a person."""
    lanes = one.lane(a, here), other.lane(b, there)
    quiet = Ceiling.NOTHING_LEAVES
    free = [0 if c is quiet else _FREEDOM[lane] for c, lane in zip((here, there), lanes, strict=True)]
    if free[0] != free[1]:
        return free[1] - free[0]
    if lanes[0] != lanes[1]:
        return lanes[0] - lanes[1]
    if lanes[0] == 1:
        return 0
    mine, theirs = _covered(one.units[a]), _covered(other.units[b])
    return (mine & ~theirs != 0) - (theirs & ~mine != 0)


_ANSWER, _CONVERSATION = (1 << UNITS.index(u) for u in (Unit.ANSWER, Unit.CONVERSATION))


def _covered(units: int) -> int:
    """Who has the conversation has its answers too."""
    return units | _ANSWER if units & _CONVERSATION else units
