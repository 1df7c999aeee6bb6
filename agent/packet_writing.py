"""Writes the escalation packet by rules: every sentence carries its standing, and no model writes in it."""

from __future__ import annotations

from agent.case import Case
from agent.lane_work.assisted import Prepared
from agent.lane_work.human_owned import references_of
from guards.facts import Fact, Standing
from guards.gate import Refusal
from guards.lanes import Lane
from guards.policy import SignalRule
from guards.triggers import Level, Signal
from ledger.calling import customer_facing
from ledger.packets.packet import (
    AssistedPacket,
    Damage,
    DecisionWanted,
    EscalationPacket,
    FiredTrigger,
    HumanPacket,
    Missing,
    ObservedPacket,
    Owner,
    Quote,
    Sentence,
    confirmed_sentence,
    group_facts,
    not_done_from,
)

EVIDENCE_A_TRIGGER = 4
"""More evidence than this is kept in the ledger; a packet is read in a minute."""


def write_packet(
    case: Case, not_done: tuple[Refusal, ...], prepared: Prepared | None, revision: int
) -> EscalationPacket:
    """The packet of a case: an ``AssistedPacket`` in lane 2, a ``HumanPacket`` in lane 3, and in lane 1, where
    nothing may leave, an ``ObservedPacket``."""
    release, decision = case.release, case.decision
    common = {
        "ticket": case.ticket.id,
        "summary": _summary(case),
        "triggers": _fired(case),
        "families": decision.families,
        "consequence": decision.consequence,
        "damage": tuple(Damage(kind, release.damage_words[kind]) for kind in decision.damage),  # type: ignore[index]
        "known": group_facts(f for f in case.facts if f.standing is not Standing.MISSING and _tells(f)),
        "missing": _missing(case),
        "references": references_of(case),
        "owner": Owner(case.owner.queue, case.owner.visible_to, case.owner.why),
        "decision_wanted": _decision_wanted(case),
        "not_done": not_done_from(not_done),
        "customer": customer_facing(case.messages, case.people),
        "words": tuple(Quote(m.text, m.seq, m.at) for m in case.messages if m.role == "customer"),
        "policy_version": release.version,
        "created_at": case.now,
        "thread_revision": revision,
        "degraded": (*case.failures, *((case.sources.note,) if case.sources.note else ())),
        "read_by": case.read_by,
    }
    if decision.lane is Lane.AUTONOMOUS:
        return ObservedPacket(**common)  # type: ignore[arg-type]
    if prepared is None or decision.lane is Lane.HUMAN_OWNED:
        return HumanPacket(**common)  # type: ignore[arg-type]
    degraded = (*common.pop("degraded"), *prepared.notes)  # type: ignore[misc]
    return AssistedPacket(
        **common,  # type: ignore[arg-type]
        degraded=degraded,
        draft=prepared.draft,
        suggestions=prepared.suggestions,
        routing=prepared.routing,
    )


# ── what it is about ────────────────────────────────────────────────────────────────────────────────────────

_TELLING = ("account.tier", "account.plan", "contract.renewal_in_days", "credits.last", "incidents.affecting")


def _summary(case: Case) -> tuple[Sentence, ...]:
    found = [_what_the_customer_says(case)]
    titles = [f.title.lower() for name in case.decision.families if (f := case.release.family_of(name))]
    if titles:
        found.append(Sentence(f"Likely issue family: {', '.join(titles)}.", Standing.INFERRED))
    for name in _TELLING:
        fact = case.facts.get(name)
        if fact.standing is Standing.CONFIRMED and fact.value not in (None, (), False):
            found.append(confirmed_sentence(fact))
    held = [r.words for r in case.decision.reasons if r.lane > Lane.AUTONOMOUS][:2]
    if held:
        found.append(Sentence(f"Likely needs a person because {'; and '.join(held)}.", Standing.INFERRED))
    return tuple(found)


def _what_the_customer_says(case: Case) -> Sentence:
    clauses = list(dict.fromkeys(r.says for s in case.assessment.matrix.signals if (r := _rule(case, s)) and r.says))
    if not clauses:
        read = [t.value.replace("_", " ") for t in case.assessment.matrix.at_least(Level.MEDIUM)]
        if read:
            return Sentence(f"Likely touches {', '.join(read)}; no rule names it more closely.", Standing.INFERRED)
        clauses = ["asks a question"]
    more = f"; also {', '.join(clauses[1:4])}" if len(clauses) > 1 else ""
    return Sentence(f"The customer {clauses[0]}{more}.", Standing.CLAIMED)


def _rule(case: Case, signal: Signal) -> SignalRule | None:
    return next((r for r in case.release.signal if r.id == signal.id), None)


def _fired(case: Case) -> tuple[FiredTrigger, ...]:
    matrix = case.assessment.matrix
    raised = sorted(matrix.at_least(Level.MEDIUM), key=lambda t: -matrix.level(t))
    return tuple(
        FiredTrigger(
            t,
            matrix.level(t),
            tuple(dict.fromkeys(s.evidence for s in matrix.seen(t)))[:EVIDENCE_A_TRIGGER],
            tuple(dict.fromkeys(s.why for s in matrix.seen(t)))[:EVIDENCE_A_TRIGGER],
        )
        for t in raised
    )


# ── what is known and what is not ───────────────────────────────────────────────────────────────────────────


def _tells(fact: Fact) -> bool:
    """Leaves out facts that say that there is nothing to say."""
    return fact.value not in (None, (), "") and not (fact.value in (False, 0) and fact.standing is Standing.CONFIRMED)


def _missing(case: Case) -> tuple[Missing, ...]:
    found: dict[str, Missing] = {}
    for signal in case.assessment.matrix.signals:
        rule = _rule(case, signal)
        if rule and rule.open_question:
            found.setdefault(rule.open_question, Missing(f"whether {rule.open_question}", rule.why))
    for fact in case.facts:
        if fact.standing in (Standing.MISSING, Standing.STALE, Standing.CONFLICTING):
            label = fact.name.replace(".", " ").replace("_", " ")
            found.setdefault(fact.name, Missing(f"did not verify {label}", fact.note))
    if not found and case.decision.lane is not Lane.AUTONOMOUS:
        found["source"] = Missing("whether any approved source answers it", case.sources.note)
    return tuple(found.values())


def _decision_wanted(case: Case) -> DecisionWanted:
    raised = sorted(case.assessment.matrix.at_least(Level.MEDIUM), key=lambda t: -case.assessment.matrix.level(t))
    if raised:
        words = " ".join(case.release.decision[t] for t in raised[:2])
    elif case.decision.lane is Lane.AUTONOMOUS:
        words = "Answer it, and say whether the assistant might have answered it by itself."
    else:
        words = "Answer it, or say which approved source answers it."
    return DecisionWanted(words, case.decision.unit)
