"""What the customers and agents of the made-up history do: a seeded plan of a year, with drifts planted in it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType


class What(StrEnum):
    """What can happen to a made-up ticket after its first message."""

    POST = "post"
    """The post room delivers what waits."""
    APPROVE = "approve"
    """A person approves the draft; where it leaves places open, they are filled in."""
    EDIT = "edit"
    REWRITE = "rewrite"
    """So much is changed that little of the draft is left."""
    REJECT = "reject"
    ANSWER = "answer"
    SETTLE = "settle"
    """A person answers, where somebody is still asked."""
    ROUTE = "route"
    LANE_UP = "lane_up"
    RATE = "rate"
    WRITES = "writes"
    """The customer writes again in the ticket."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that happens, so many seconds after the first message."""

    after: int
    what: What
    words: str = ""
    """A queue, a rating, or what is written."""


@dataclass(frozen=True, slots=True)
class Life:
    """What happens to a ticket, whoever's it is and whenever it comes: what two tickets of one life share."""

    text: str
    tier: str
    segment: str
    deeds: tuple[Deed, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """One made-up ticket."""

    ticket: str
    at: datetime
    email: str
    name: str
    life: Life


@dataclass(frozen=True, slots=True)
class Subject:
    """What customers write about."""

    id: str
    text: str
    weight: float
    drifted: float
    """Its weight once the drifts have begun."""


SUBJECTS: tuple[Subject, ...] = (
    Subject("seats", "How do I add more seats?", 10, 10),
    Subject("audit", "Where do I find audit logs in the admin panel?", 10, 10),
    Subject("invoices", "We renew in two weeks and I am not happy. How do I download our invoices?", 3, 16),
    Subject("csv", "How do I invite people by CSV?", 8, 8),
    Subject("limits", "What are the API rate limits?", 8, 8),
    Subject("plan", "What does the Team plan include?", 7, 7),
    Subject("export", "How do I export a report to PowerPoint automatically every hour?", 3, 14),
    Subject("status", "Where is the status page?", 6, 6),
    Subject("charge", "Why is the amount on our last invoice higher than before? Please explain the charge.", 8, 8),
    Subject("discount", "Could you give us a discount on our renewal?", 7, 7),
    Subject("viewers", "How long do viewers keep access after we remove them?", 6, 6),
    Subject("refund", "We bought 40 seats by mistake. Please refund them.", 6, 6),
    Subject("lockout", "Our admin is locked out since yesterday. Please give me admin rights.", 6, 6),
    Subject("amendment", "Does our amendment change the seat price in the contract?", 5, 5),
    Subject("erasure", "Please delete all personal data of a former employee.", 3, 3),
)
ROUTINE = frozenset({"seats", "audit", "invoices", "csv", "limits", "plan", "status"})
"""Subjects that approved articles answer; for the others people are asked."""
OWNED = frozenset({"refund", "lockout", "amendment", "erasure"})
"""Subjects that go to people outright: no draft waits there."""
DRIFTS: Mapping[str, str] = MappingProxyType(
    {
        "autonomy_rising billing": "many more routine questions about invoices, so that billing is answered alone more often",
        "unanswered_questions feature_access": "many more questions about an export that no article knows",
        "repeated_overrides outage": "agents take most questions about the status page away from the assistant",
        "wrong_queue security_team": "people move most lock-outs on to the access specialists",
        "stale_article add-seats": "customers come back after the article about seats",
    }
)
"""What is planted, from ``DRIFT_AFTER`` of the time on."""
REJECTED = 0.04
"""The share of drafts that people turn down. With those they rewrite and those whose lane they raise it is about one in eight: people who are at
ease with what they get, below the release's bar for overrides (``override_at_most``), so that only what drifts is held back."""
DRIFT_AFTER = 0.6
ACCOUNTS = (
    ("free", "smb", 2.0),
    ("team", "smb", 4.0),
    ("business", "midmarket", 3.0),
    ("enterprise", "enterprise", 1.0),
)
"""Tier, segment and weight of those who write."""
_NAMES = ("Ada", "Bela", "Cleo", "Dario", "Edda", "Femi", "Gita", "Hugo", "Ines", "Jonas")
_AGAIN = "That did not help. Our admin is locked out now, please give me admin rights."
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def plan(
    tickets: int,
    start: datetime,
    seed: int,
    days: int = 364,
    subjects: Sequence[Subject] = SUBJECTS,
    accounts: Sequence[tuple[str, str, float]] = ACCOUNTS,
    drift: bool = True,
) -> list[Story]:
    """So many tickets over so many days, in the order in which they come. The same seed plans the same year."""
    chance = random.Random(seed)
    found: list[Story] = []
    while len(found) < tickets:
        part = len(found) / tickets
        at = start + timedelta(seconds=int(days * part * _DAY) + chance.randrange(40, 600))
        drifted = drift and part >= DRIFT_AFTER
        subject = chance.choices(subjects, [s.drifted if drifted else s.weight for s in subjects])[0]
        tier, segment, _ = chance.choices(accounts, [a[2] for a in accounts])[0]
        number = len(found) + 1
        name = chance.choice(_NAMES)
        email = f"{name.lower()}.{number}@customers.example"
        found.append(
            Story(
                f"M-{number:07d}", at, email, name, Life(subject.text, tier, segment, _deeds(subject, drifted, chance))
            )
        )
        if len(found) < tickets and subject.id in ROUTINE and chance.random() < _returning(subject, drifted):
            later = at + timedelta(seconds=chance.choice([1, 3, 5]) * _DAY)
            again = Life(subject.text, tier, segment, (Deed(20, What.POST),))
            found.append(Story(f"M-{number + 1:07d}", later, email, name, again))
    return sorted(found, key=lambda s: (s.at, s.ticket))


def settled(stories: Sequence[Story]) -> list[Story]:
    """The same stories, in which whoever still waits for a person is answered on the next day."""
    last = (Deed(26 * _HOUR, What.SETTLE), Deed(27 * _HOUR, What.POST))
    return [replace(s, life=replace(s.life, deeds=(*s.life.deeds, *last))) for s in stories]


def fewer_lives(stories: Sequence[Story], when: Sequence[datetime], common: int, left: int) -> list[Story]:
    """The same stories with fewer kinds of life among them, which takes less time to drive: what fewer than ``common``
    tickets of one release do is told of the account that does it most, and where fewer than ``left`` do it still, the
    commonest life of that account and subject is told instead. ``when``: the moments at which a release ends."""

    def half(story: Story) -> int:
        return sum(story.at >= moment for moment in when)

    def gathered(told: Sequence[Story], least: int, alike: Callable[[Life], object]) -> list[Story]:
        count = Counter((half(s), s.life) for s in told)
        best: dict[object, Life] = {}
        for at, life in count:
            key = (at, alike(life))
            if key not in best or count[at, life] > count[at, best[key]]:
                best[key] = life
        return [s if count[half(s), s.life] >= least else replace(s, life=best[half(s), alike(s.life)]) for s in told]

    once = gathered(stories, common, lambda life: (life.text, life.deeds))
    return gathered(once, left, lambda life: (life.text, life.tier, life.segment))


def _returning(subject: Subject, drifted: bool) -> float:
    return 0.5 if drifted and subject.id == "seats" else 0.05


def _deeds(subject: Subject, drifted: bool, chance: random.Random) -> tuple[Deed, ...]:
    if drifted and subject.id == "status" and chance.random() < 0.8:
        return (*_SAID, Deed(90 * _MINUTE, What.LANE_UP), Deed(3 * _HOUR, What.POST))
    if subject.id in ROUTINE:
        if chance.random() < 0.03:
            return (
                *_SAID,
                Deed(2 * _DAY, What.WRITES, _AGAIN),
                Deed(2 * _DAY + 4 * _HOUR, What.ANSWER),
                Deed(3 * _DAY, What.POST),
            )
        return _SAID
    if subject.id in OWNED:
        return _owned(subject, drifted, chance)
    return _drafted(chance)


_SAID = (Deed(20, What.POST),)


def _drafted(chance: random.Random) -> tuple[Deed, ...]:
    done: tuple[Deed, ...]
    if chance.random() < REJECTED:
        done = (Deed(2 * _HOUR, What.REJECT), Deed(2 * _HOUR + 10 * _MINUTE, What.ANSWER))
    else:
        done = (chance.choices(_HANDLED, [12, 2, 6, 1, 1])[0],)
    return (*_SAID, *done, Deed(3 * _HOUR, What.POST), *_rated(chance))


_HANDLED = (
    Deed(40 * _MINUTE, What.APPROVE),
    Deed(6, What.APPROVE),
    Deed(50 * _MINUTE, What.EDIT),
    Deed(90 * _MINUTE, What.REWRITE),
    Deed(90 * _MINUTE, What.LANE_UP),
)


def _owned(subject: Subject, drifted: bool, chance: random.Random) -> tuple[Deed, ...]:
    moved = 0.7 if drifted and subject.id == "lockout" else 0.05
    to = "access_specialist" if subject.id == "lockout" else "contract_desk"
    first = (Deed(_HOUR, What.ROUTE, to),) if chance.random() < moved else ()
    return (*_SAID, *first, Deed(5 * _HOUR, What.ANSWER), Deed(6 * _HOUR, What.POST), *_rated(chance))


def _rated(chance: random.Random) -> tuple[Deed, ...]:
    if chance.random() > 0.2:
        return ()
    return (Deed(7 * _HOUR, What.RATE, chance.choices(["saved_time", "repeated_the_ticket"], [8, 2])[0]),)
