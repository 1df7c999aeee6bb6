"""Story: a team only watches, names lanes before it sees ours, and opens one family to lane 1 by what that has shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from agent_scene import Clock

from agent.handle import Handler
from desk.accounts.people import Person, Role
from desk.audits.auditing import draw, give_verdict, next_task
from desk.channels.eml import EmlChannel
from desk.decisions import look, token
from desk.operators import inbox as operator_inbox
from desk.operators.acts import Asked, do
from desk.policy.backtest import proof
from desk.policy.releases import activate, approve, propose, prove
from desk.policy.rollout import promote
from desk.settings import load_settings
from desk.workplace import Workplace, open_workplace
from desk.workspace import init
from guards.policy import OwnerGroup
from ledger.audits.verdicts import Fault, Judgement
from ledger.decisions import Seen
from ledger.errors import NotYetAllowed
from ledger.events import Kind
from ledger.intake import IncomingMessage
from ledger.result import read_result

FAMILY = "seats_permissions"
TICKETS = 20
"""As many as this team's own bars ask for; the packaged release asks for 60."""
BARS = (
    (r"^audited_at_least = .*$", f"audited_at_least = {TICKETS}"),
    (r"^high_risk_miss_at_most = .*$", "high_risk_miss_at_most = 0.15"),
)
NARROW = (
    (r"^version = .*$", 'version = "2026-04-01"'),
    (r"^phase = .*$", 'phase = "narrow"'),
    (r"^autonomous_families = .*$", f'autonomous_families = ["{FAMILY}"]'),
)
MAREK = Person("Marek", frozenset({Role.AGENT}), frozenset())
OONA = Person("Oona", frozenset({Role.POLICY_OWNER}), frozenset({OwnerGroup.SUPPORT_LEADERSHIP}))


def edited(text: str, edits: tuple[tuple[str, str], ...]) -> str:
    """A release's text with lines replaced."""
    for pattern, by in edits:
        text, times = re.subn(pattern, by, text, count=1, flags=re.MULTILINE)
        assert times == 1, pattern
    return text


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """A new workspace in observe-only, with the team's own bars; every review asks for the lane first."""
    folder = tmp_path / "team"
    init(folder)
    (release,) = (folder / "policy").glob("*.toml")
    release.write_text(edited(release.read_text(encoding="utf-8"), BARS), encoding="utf-8")
    return folder


async def asks(handler: Handler, number: int) -> str:
    """One more person asks where seats are added; their ticket."""
    ticket, email = f"T-{number}", f"person{number}@maplefinch.example"
    told = IncomingMessage(
        ticket=ticket,
        key=f"m-{number}",
        channel="email",
        subject="",
        requester_email=email,
        requester_name="Robin",
        verified=True,
        account_id=None,
        recipient=email,
        text="How do I add seats?",
    )
    await handler.handle(told)
    return ticket


def by_hand(place: Workplace, ticket: str, act: str, **form: str) -> str:
    """What Marek does at the desk with what the page shows him."""
    shown = look(place.history, place.reviews, ticket)
    assert shown.review is not None
    seen = token(Seen.of(shown.register))
    told = {"review": shown.review.id, "seen": seen, "key": f"{ticket}/{act}", **form}
    return do(Asked(place, MAREK, ticket, told), act)


def letters(place: Workplace) -> list[str]:
    """Which kinds of text leave now."""
    room = place.post_room(EmlChannel(place.settings.workspace / "mail", "support@quillstone.example"))
    return [d.letter.piece.value for d in room.deliver_waiting()]


async def watched(place: Workplace, tickets: int) -> None:
    """Real tickets in observe-only: a person names the lane, rates the packet, and answers."""
    async with place.handler() as handler:
        for number in range(tickets):
            ticket = await asks(handler, number)
            assert read_result(place.history, place.reviews, ticket).lane == 1 and letters(place) == []
            assert by_hand(place, ticket, "name-lane", lane="1") == "You named lane 1; ours was the same."
            by_hand(place, ticket, "rate", rating="saved_time", reason="read it")
            by_hand(place, ticket, "answer", text="Under Settings, then Billing, then Seats.", reason="my words")
            assert letters(place) == ["approved"]


async def test_the_first_step_to_lane_1_is_walked_from_watching_to_an_answer_that_leaves_alone(
    team: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator_inbox, "BLIND_SHARE", 1.0)  # a tenth of all reviews would take ten times the tickets
    clock, told = Clock(), []
    place = open_workplace(load_settings(team, {}), {}, clock)
    await watched(place, TICKETS)
    assert promote(place, "billing", "narrow", "Oona", "ready", print) == 1, "another family inherits nothing"
    clock.forward(days=8)

    # The gate, by the ledger's own counts.
    assert promote(place, FAMILY, "expansion", "Oona", "ready", told.append) == 1
    assert f"audited tickets: 0, wanted {TICKETS}: MISSING: {TICKETS} more" in "\n".join(told)
    release = team / "policy" / "2026-04-01.toml"
    (watching,) = (team / "policy").glob("*.toml")
    release.write_text(edited(watching.read_text(encoding="utf-8"), NARROW), encoding="utf-8")
    propose(place, release, "Ada", "people name the lanes that we name", print)
    assert prove(place, "2026-04-01", lambda _: None, print, proof(place)) == 0
    approve(place, "2026-04-01", "Oona", "support_leadership", "read", print, signed_in=OONA)
    with pytest.raises(NotYetAllowed, match=f"Missing: evidence for the family {FAMILY}: .* --to narrow$"):
        activate(place, "2026-04-01", "Ada", "", print)
    assert promote(place, FAMILY, "narrow", "Oona", "ready", told.append) == 0
    assert f"high-risk misses in audits and blind reviews: 0 of {TICKETS}" in "\n".join(told)
    assert activate(place, "2026-04-01", "Ada", "", print) == 0

    # Lane 1, alone, in that family.
    place = place.renewed()
    async with place.handler() as handler:
        ticket = await asks(handler, TICKETS)
    assert letters(place) == ["answer"]
    assert place.reviews.of_ticket(ticket) is None
    assert not [e for e in place.history.timeline(ticket) if e.kind is Kind.PERSON_DECIDED]

    # From now on audits speak.
    clock.forward(days=8)
    drawn = draw(place, by="Oona").draw
    assert drawn is not None and [a.ticket for a in drawn.audits] == [ticket]
    for auditor in ("Ines", "Jonas"):
        task = next_task(place, auditor)
        assert task is not None
        give_verdict(place, task.id, auditor, Judgement(False, (), Fault.NONE))
    told.clear()
    assert promote(place, FAMILY, "expansion", "Oona", "ready", told.append) == 1
    assert f"audited tickets: 1, wanted {TICKETS}: MISSING: {TICKETS - 1} more" in "\n".join(told)
    place.store.close()


async def test_a_lane_that_people_named_higher_keeps_the_family_shut(
    team: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator_inbox, "BLIND_SHARE", 1.0)
    clock, told = Clock(), []
    place = open_workplace(load_settings(team, {}), {}, clock)
    await watched(place, 3)
    async with place.handler() as handler:
        ticket = await asks(handler, 3)
    by_hand(place, ticket, "name-lane", lane="3")
    assert promote(place, FAMILY, "narrow", "Oona", "ready", told.append) == 1
    assert "high-risk misses in audits and blind reviews: 1 of 4" in "\n".join(told)
    place.store.close()
