"""What differs between two runs of the exam: which tickets changed lane, which the machine now answers, which draft how."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from evals.outcome import Outcome, Run


@dataclass(frozen=True, slots=True)
class TextChange:
    """One text that is another now."""

    what: str
    """``draft``, ``packet``, or the kind of letter."""
    lines: tuple[tuple[str, str], ...]
    """(sign, line): ``-`` as it was, ``+`` as it is, a space for what stands around it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One case that two runs answer differently."""

    before: Outcome
    now: Outcome
    texts: tuple[TextChange, ...]
    new_findings: tuple[str, ...]
    gone_findings: tuple[str, ...]

    @property
    def newly_autonomous(self) -> bool:
        """True where a person had it, and now the machine answers."""
        return self.now.autonomous and not self.before.autonomous

    @property
    def words(self) -> str:
        """What changed, in a line."""
        parts = []
        if self.newly_autonomous:
            parts.append("NEWLY AUTONOMOUS")
        if self.now.lane != self.before.lane:
            parts.append(f"lane {self.before.lane} -> {self.now.lane}")
        parts += [f"{change.what} changed" for change in self.texts]
        parts += [f"new: {words}" for words in self.new_findings] + [f"gone: {words}" for words in self.gone_findings]
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class Differences:
    """Two runs, held against each other."""

    changed: tuple[Difference, ...]
    """The newly autonomous first, then other lowered lanes, raised ones, and changed words."""

    @property
    def summary(self) -> str:
        """Counts in one line."""
        new = sum(d.newly_autonomous for d in self.changed)
        lanes = sum(d.now.lane != d.before.lane for d in self.changed)
        words = sum(bool(d.texts) for d in self.changed)
        return f"{lanes} changed lane, {new} of them newly autonomous; words changed in {words}"


def differences(before: Run, now: Run) -> Differences:
    """Every case that both runs have and answer differently."""
    was, is_ = {o.id: o for o in before.judged}, {o.id: o for o in now.judged}
    found = [_difference(was[name], is_[name]) for name in is_ if name in was]
    changed = sorted((d for d in found if d.words), key=_rank)
    return Differences(tuple(changed))


def _rank(found: Difference) -> tuple[int, str]:
    step = found.now.lane - found.before.lane
    place = 0 if found.newly_autonomous else 1 if step < 0 else 2 if step > 0 else 3
    return place, found.now.id


def _difference(before: Outcome, now: Outcome) -> Difference:
    was, is_ = [f.words for f in before.findings], [f.words for f in now.findings]
    return Difference(
        before,
        now,
        tuple(_changes(before, now)),
        tuple(words for words in is_ if words not in was),
        tuple(words for words in was if words not in is_),
    )


def _changes(before: Outcome, now: Outcome) -> list[TextChange]:
    was, is_ = _texts(before), _texts(now)
    names = [*is_, *(name for name in was if name not in is_)]
    return [TextChange(n, _lines(was.get(n, ""), is_.get(n, ""))) for n in names if was.get(n, "") != is_.get(n, "")]


def _texts(outcome: Outcome) -> dict[str, str]:
    texts = {"draft": outcome.draft, "packet": outcome.packet}
    for number, one in enumerate(outcome.texts, 1):
        texts[f"letter {number} ({one.piece})"] = one.text
    return {name: text for name, text in texts.items() if text}


def _lines(before: str, now: str) -> tuple[tuple[str, str], ...]:
    found = difflib.unified_diff(before.splitlines(), now.splitlines(), lineterm="", n=1)
    return tuple((line[:1], line[1:]) for line in found if not line.startswith(("---", "+++", "@@")))
