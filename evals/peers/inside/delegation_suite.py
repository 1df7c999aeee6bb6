"""DelegationBench's scenarios with our executor and gate as the defence under test; runs in its environment.

How its words are read in ours (evals/peers/README.md says why):

    the user's grant        the tools of the first opening, how often work may be handed on, and when approvals expire
    a task                  an opening of the ticket: one toolbox, at lane 2
    the principal           the ticket: an opening, a letter and an approval belong to one
    a delegation            an effect like any other (egress), done by a tool for each action that is handed on
    an action no lane holds put to a person; a yes is bound to exactly those bytes, once, and passes the gate
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.metadata
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from delegationbench.corpus import corpus_path  # type: ignore[import-not-found]
from delegationbench.defense import EnvelopeGuard  # type: ignore[import-not-found]
from delegationbench.oracle import evaluate  # type: ignore[import-not-found]
from delegationbench.report import defense_outcome, evaluate_outcomes, matches_expect  # type: ignore[import-not-found]
from delegationbench.runner import run_scenario  # type: ignore[import-not-found]
from delegationbench.scenario import load_scenario  # type: ignore[import-not-found]
from delegationbench.trace import BlockedError  # type: ignore[import-not-found]

from evals.peers.effects import DELEGATIONBENCH
from evals.peers.rows import Part, Row, share, to_json
from guards.capabilities import Effect, Right
from guards.gate import Approval, Grant, Letter, Moment, Piece, Refusal, may_leave
from guards.grant import grant
from guards.lanes import Lane
from guards.policy import Release, parse_release
from tools.toolbox import Tool, Toolbox

BY = "python -m evals.peers delegationbench"
PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "docs.read": ("doc_id",),
    "docs.write": ("doc_id", "content"),
    "email.read": ("email_id",),
    "email.draft": ("to", "subject", "body"),
    "email.send": ("to", "subject", "body"),
    "admin.config.read": ("key",),
    "admin.config.update": ("key", "value"),
    "payment.prepare": ("payee", "amount"),
    "payment.execute": ("payee", "amount"),
}
_EPOCH, _REVISION = 1, 1
_TO = "the team's own system"
_STARTED = datetime(2026, 3, 2, tzinfo=UTC)
_LOOP = asyncio.new_event_loop()


class Person(StrEnum):
    """Who answers where no lane holds the right."""

    SAYS_YES = "a person who says yes to everything"
    ABSENT = "nobody there to ask"


def release() -> Release:
    """The packaged release."""
    path = Path(__file__).parents[3] / "guards" / "policies" / "2026-03-01.toml"
    return parse_release(path.read_text(encoding="utf-8"), path.name)


RELEASE = release()


@dataclass(frozen=True, slots=True)
class Opening:
    """One task's toolbox, and what may still be handed on from it."""

    box: Toolbox
    further: int
    """Hand-ons left on this path."""


class Gateway:
    """The defence: every read, every effect and every hand-on asks our executor, and what it withholds a person."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._openings: dict[tuple[str, str, str], Opening] = {}
        self._spent: set[str] = set()
        self.rules: Counter[str] = Counter()
        """The rules that said no."""
        self.approved = 0

    def bind(self, clock: Any, grant_actions: Iterable[str], principal: str) -> None:
        """Called once before a run: the user's grant."""
        self._clock, self._ticket = clock, principal
        self._granted = frozenset(grant_actions)
        self._expires = 0.0

    def before_tool_call(self, agent: Any, env: Any, action: str, args: Mapping[str, str], source: str) -> None:
        """BlockedError where the call may not happen now."""
        opening = self._opening(agent, env)
        self._ask(opening, _name(action), dict(args), env.principal, f"{env.nonce}/{action}/{_digest(args)}")

    def before_delegation(self, agent: Any, parent: Any, child: Any, task: str, scope: frozenset[str]) -> None:
        """BlockedError where the work may not be handed on; otherwise the child has an opening of its own."""
        opening = self._opening(agent, parent)
        for action in sorted(scope):
            told = {"task": task, "to": child.task_id}
            self._ask(opening, f"hand_on_{_name(action)}", told, child.principal, f"{child.nonce}/{action}")
        to = child.task_id.rsplit("/", 1)[-1]
        self._openings[child.principal, child.task_id, to] = self._open(scope, opening.further - 1)

    def _opening(self, agent: Any, env: Any) -> Opening:
        if env.depth == 0 and env.task_id == "root" and not self._openings:
            # The first opening is the user's own: their grant says which tools, how deep and until when.
            self._expires = float("inf") if env.expires_at is None else env.expires_at
            first = self._open(self._granted, env.max_delegation_depth)
            self._openings[self._ticket, env.task_id, agent.name] = first
        found = self._openings.get((env.principal, env.task_id, agent.name))
        return found or self._open((), 0)

    def _open(self, actions: Iterable[str], further: int) -> Opening:
        tools = []
        for action in actions:
            does = DELEGATIONBENCH[action]
            tools.append(Tool(_name(action), does.effect, does.right, dict.fromkeys(PARAMETERS[action], str), _nothing))
            if further > 0:
                hand_on, told = f"hand_on_{_name(action)}", {"task": str, "to": str}
                tools.append(Tool(hand_on, Effect.EGRESS, Right.SEND_ELSEWHERE, told, _nothing))
        return Opening(Toolbox(tools, self._grant, lambda refusal: None, epoch=_EPOCH), further)

    def _grant(self) -> Grant:
        # When the user's grant has run out the ticket is raised: every right of the older epoch is dead.
        over = self._clock.now > self._expires
        return grant(Lane.HUMAN_OWNED if over else Lane.ASSISTED, _EPOCH + over, RELEASE, halted=False)

    def _ask(self, opening: Opening, name: str, args: dict[str, str], principal: str, key: str) -> None:
        found = _LOOP.run_until_complete(opening.box.call(name, args))
        if isinstance(found, Refusal) and found.rule == "lane" and self._person is Person.SAYS_YES:
            found = self._approved(name, args, principal, key)  # type: ignore[assignment]
        if isinstance(found, Refusal):
            self.rules[found.rule] += 1
            raise BlockedError(f"{found.rule}: {found.reason}")

    def _approved(self, name: str, args: Mapping[str, str], principal: str, key: str) -> object:
        """A person's yes to exactly this, taken to the gate at the moment of the effect; a key lets it pass once."""
        self.approved += 1
        digest = _digest({"": name, **args})
        until = _STARTED + timedelta(seconds=min(self._expires, 10**9))
        yes = Approval(principal, digest, _TO, _EPOCH, _REVISION, RELEASE.version, self._ticket, until)
        letter = Letter(principal, Piece.APPROVED, digest, _TO, _EPOCH, _REVISION, RELEASE.version, yes)
        if key in self._spent:
            return Refusal("do it", "reply_key", "this very effect has happened already")
        self._spent.add(key)
        return may_leave(letter, self._moment())

    def _moment(self) -> Moment:
        now = self._grant()
        return Moment(
            ticket=self._ticket,
            lane=now.lane,
            epoch=now.epoch,
            revision=_REVISION,
            release=RELEASE.version,
            phase_sends=True,
            family_open=True,
            halted=False,
            claimed_by=self._ticket,
            recipient=_TO,
            notice_digests=frozenset(),
            notices_sent=0,
            now=_STARTED + timedelta(seconds=self._clock.now),
        )


def _nothing(**given: str) -> None:
    """The bench runs the effect itself, once the defence has let it through."""


def _name(action: str) -> str:
    return action.replace(".", "_")


def _digest(args: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(args, sort_keys=True).encode()).hexdigest()


def judge(scenario: Any, defence: Any) -> str:
    """The bench's own word for how it went: contained or failed, clean, overblocked, incomplete or failed."""
    run = run_scenario(scenario, defence)
    verdict = evaluate(run.trace, _told(scenario))
    outcomes = evaluate_outcomes(scenario.expect.outcomes, run.tools.outcome_state())
    met = outcomes is not None and all(o["met"] for o in outcomes.values())
    return str(defense_outcome(scenario.type, verdict, outcomes_met=met))


def _told(scenario: Any) -> dict[str, object]:
    return {
        "allowed_actions": scenario.grant.allowed_actions,
        "max_delegation_depth": scenario.grant.max_delegation_depth,
        "principal": scenario.principal,
    }


def part() -> Part:
    """The rows and what is behind them."""
    scenarios = [load_scenario(p) for p in sorted(corpus_path().rglob("*.yaml"))]
    baseline = sum(matches_expect(evaluate(run_scenario(s).trace, _told(s)), s.expect) for s in scenarios)
    outcomes: dict[str, Counter[str]] = {}
    not_met: dict[str, list[str]] = {}
    rules: Counter[str] = Counter()
    approved = 0
    for name in (*Person, "the bench's own reference guard"):
        count = outcomes[str(name)] = Counter()
        missed = not_met[str(name)] = []
        for scenario in scenarios:
            gateway = Gateway(name) if isinstance(name, Person) else EnvelopeGuard()
            outcome = judge(scenario, gateway)
            count[f"{scenario.type} {outcome}"] += 1
            if outcome not in ("contained", "clean"):
                missed.append(f"{scenario.id} {outcome}")
            if name is Person.SAYS_YES:
                assert isinstance(gateway, Gateway)
                approved += gateway.approved
                rules.update(gateway.rules if scenario.type == "attack" else ())
    kinds = Counter(s.type for s in scenarios)
    ours, alone = outcomes[Person.SAYS_YES.value], outcomes[Person.ABSENT.value]
    contained, clean = ours["attack contained"], ours["benign clean"]
    beside = (
        f"{share(clean, kinds['benign'])} benign twins completed, by a person who says yes to everything put to them; "
        f"with nobody to ask {alone['attack contained']} contained and {alone['benign clean']} completed"
    )
    whole = contained == kinds["attack"] and clean == kinds["benign"] and baseline == len(scenarios)
    what = f"DelegationBench, {len(scenarios)} scenarios, our executor and gate as the defence"
    row = Row("I4", what, f"{share(contained, kinds['attack'])} attacks contained", beside, BY, whole)
    detail = {
        "baseline as the bench declares it": f"{baseline} of {len(scenarios)}",
        "outcomes": {n: dict(c) for n, c in outcomes.items()},
        "not met": not_met,
        "rules that said no to attacks": dict(rules.most_common()),
        "approvals asked": approved,
        "actions": sorted({a for s in scenarios for a in s.grant.allowed_actions} | set(DELEGATIONBENCH)),
    }
    versions = {name: importlib.metadata.version(name) for name in ("delegationbench", "pydantic")}
    return Part("delegationbench", versions, (row,), detail)


def main() -> int:
    """Writes the part as JSON to standard output. 2 where an action has no declared effect."""
    from delegationbench.actions import ACTIONS  # type: ignore[import-not-found]

    if missing := sorted(set(ACTIONS) - set(DELEGATIONBENCH)):
        sys.stderr.write(f"no effect is declared for {', '.join(missing)}; add a row to evals/peers/effects.py\n")
        return 2
    sys.stdout.write(json.dumps(to_json(part())))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
