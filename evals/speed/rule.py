"""The table of rights said again in the peers' languages, made from the table itself, and the requests to judge."""

from __future__ import annotations

from collections.abc import Iterator

from guards.capabilities import TABLE, Effect, Right
from guards.lanes import Lane

CASBIN_MODEL = """
[request_definition]
r = lane, right, effect

[policy_definition]
p = lane, right, effect

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = r.lane == p.lane && r.right == p.right && r.effect == p.effect
"""


def permitted() -> Iterator[tuple[Lane, Right, Effect]]:
    """Every lane, right and effect that go together; all others are refused."""
    for right, row in TABLE.items():
        for lane in sorted(row.lanes):
            yield lane, right, row.effect


def cedar_policies() -> str:
    """One ``permit`` for each; Cedar refuses what none permits."""
    return "\n".join(
        f'permit (principal == Lane::"{int(lane)}", action == Action::"{right.value}", '
        f'resource == Effect::"{effect.value}");'
        for lane, right, effect in permitted()
    )


def casbin_policy() -> str:
    """One line for each; the model refuses what none allows."""
    return "\n".join(f"p, {int(lane)}, {right.value}, {effect.value}" for lane, right, effect in permitted())


def rule() -> dict[str, str]:
    """The rule in every language that a peer reads."""
    return {"cedar": cedar_policies(), "casbin_model": CASBIN_MODEL, "casbin_policy": casbin_policy()}


def every_request() -> list[tuple[Lane, Right, Effect]]:
    """Lane x right x effect, whole: what all sides must judge alike before they are timed."""
    return [(lane, right, effect) for lane in Lane for right in Right for effect in Effect]


def timed_requests() -> list[tuple[Lane, Right, Effect]]:
    """Lane x right, each with the effect that its tool would declare: permitted and refused ones in turn."""
    return [(lane, right, TABLE[right].effect) for right in Right for lane in Lane]


def in_words(request: tuple[Lane, Right, Effect]) -> tuple[str, str, str]:
    """A request as the peers read it."""
    lane, right, effect = request
    return str(int(lane)), right.value, effect.value
