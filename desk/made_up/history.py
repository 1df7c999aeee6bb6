"""Drives a made-up year through the real machine: messages by ``handle``, people by the desk's own acts, never a metric row."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from agent.handle import Handler, PersonDecided
from agent.release_in_force import release_view
from agent.wiring import open_handler
from desk import decisions
from desk.decisions import look
from desk.errors import DeskError
from desk.made_up.lives import Deed, Story, What
from desk.pinning import pin_articles
from desk.post import PostRoom
from guards.lanes import Lane
from guards.policy import Release
from ledger.decisions import PacketRating, Signature
from ledger.history import History
from ledger.intake import IncomingMessage
from ledger.outbox import PostLedger
from ledger.people import PeopleLedger
from ledger.reviews import Review, Reviews
from ledger.store import Store
from ledger.words import OPEN_PLACE
from tools.knowledge import current_articles
from tools.sandbox import SandboxCompany
from tools.systems import IncidentLog, Systems

AGENTS = ("Marek", "Oona", "Petra")


@dataclass
class MadeUpClock:
    """The store's clock, moved by what happens."""

    moment: datetime

    def __call__(self) -> datetime:
        return self.moment


class Nowhere:
    """A channel that takes every letter and keeps none: no address of the history is real."""

    name = "nowhere"

    def deliver(self, reply_key: str, *, recipient: str, subject: str, body: str, headers: Mapping[str, str]) -> str:
        """Delivered, to nobody."""
        return ""


@dataclass(frozen=True, slots=True)
class NoIncidents:
    """An incident system in which nothing is ever wrong, and which is never stale."""

    clock: MadeUpClock

    async def incidents(self) -> IncidentLog:
        """None."""
        return IncidentLog((), self.clock())


def made_up_company() -> SandboxCompany:
    """The made-up company's articles, approved for the whole year."""
    company = SandboxCompany()
    for article in tuple(company.directory.shelves.articles):
        if article.approved_on is not None:
            company.put(replace(article, approved_on=date(2020, 1, 1), review_by=date(2100, 1, 1)))
    return company


def made_up_systems(clock: MadeUpClock) -> Systems:
    """Its systems. Of the customers nothing is on record, so that all that is known of an account comes with the ticket and
    is as old as the ticket."""
    return replace(made_up_company().systems(), incidents=NoIncidents(clock))


def pin_made_up_articles(store: Store) -> None:
    """Pins its articles, as every workspace does when it is opened."""
    pin_articles(store, current_articles(made_up_company().directory.shelves.articles))


@dataclass
class Desk:
    """Everything that a deed needs."""

    store: Store
    clock: MadeUpClock
    release: Release
    queues: frozenset[str]
    handler: Handler
    refused: int = 0
    """Deeds that the ledger or the desk would not have: the reply was dead by then, say."""
    room: PostRoom = field(init=False)

    def __post_init__(self) -> None:
        self.history, self.reviews, self.people = History(self.store), Reviews(self.store), PeopleLedger(self.store)
        self.room = PostRoom(PostLedger(self.store), self.history, Nowhere(), lambda: release_view(self.release))

    async def opens(self, story: Story) -> None:
        """The first message."""
        await self.says(story, "m1", story.life.text)

    async def says(self, story: Story, key: str, text: str) -> None:
        """A message of the customer's, with what the helpdesk knows of the account."""
        account = {"tier": story.life.tier, "segment": story.life.segment, "status": "active"}
        message = IncomingMessage(
            ticket=story.ticket,
            key=key,
            channel="email",
            subject="",
            requester_email=story.email,
            requester_name=story.name,
            verified=True,
            account_id=None,
            recipient=story.email,
            text=text,
            received_at=self.clock(),
            context=account,
        )
        await self.handler.handle(message)

    async def does(self, story: Story, n: int, deed: Deed) -> None:
        """A deed of a story; what the desk refuses is counted, and did not happen."""
        if deed.what is What.POST:
            self.room.deliver_waiting(story.ticket)
            return
        if deed.what is What.WRITES:
            await self.says(story, f"m{n + 2}", deed.words)
            return
        try:
            self._decides(story, n, deed)
        except DeskError:
            self.refused += 1
            return
        await self.handler.handle(PersonDecided(story.ticket))

    def _decides(self, story: Story, n: int, deed: Deed) -> None:
        people, release = self.people, self.release
        seen = look(self.history, self.reviews, story.ticket)
        by = AGENTS[len(story.life.text) % len(AGENTS)]
        sign = Signature(by, "made up", f"d{n}")
        draft = seen.review.draft.text if seen.review and seen.review.draft else None
        match deed.what:
            case What.APPROVE if draft is not None and "[Agent:" not in draft:
                decisions.approve(people, release, _open(seen.review).id, draft.encode(), seen.seen, sign)
            case What.APPROVE | What.EDIT | What.REWRITE:
                text = edited(draft or "", deed.what)
                decisions.edit_and_approve(people, release, _open(seen.review).id, text, seen.seen, sign)
            case What.REJECT:
                decisions.reject(people, _open(seen.review).id, seen.seen, sign)
            case What.ANSWER | What.SETTLE:
                if deed.what is What.SETTLE:
                    _open(seen.review)
                text = "I have looked into it and taken care of it."
                decisions.answer_myself(people, release, story.ticket, text, seen.seen, sign)
            case What.ROUTE:
                decisions.route(people, self.queues, _open(seen.review).id, deed.words, sign)
            case What.LANE_UP:
                decisions.change_lane(people, story.ticket, Lane.HUMAN_OWNED, seen.seen, sign)
            case What.RATE:
                latest = self.reviews.all_of_ticket(story.ticket)
                if latest:
                    decisions.rate(people, latest[-1].id, PacketRating(deed.words), sign)
            case What.POST | What.WRITES:
                raise AssertionError("no decision")


def _open(review: Review | None) -> Review:
    if review is None:
        raise DeskError("nobody is asked")
    return review


def edited(draft: str, how: What) -> str:
    """The draft with its open places filled in, and changed as much as the deed says."""
    text = OPEN_PLACE.sub("we have looked it up", draft)
    if how is What.EDIT:
        text += "\n\nPlease write to us if anything is left."
    if how is What.REWRITE:
        words = text.split()
        text = (
            " ".join(words[: len(words) // 3]) + " The rest we shall settle with you by phone on the next working day."
        )
    return text


async def drive(
    store: Store,
    clock: MadeUpClock,
    stories: Sequence[Story],
    releases: Sequence[tuple[datetime, Release]],
    runs: Path,
    began: Callable[[], object] = lambda: None,
) -> int:
    """Drives stories through the machine, in the order of the clock, each release from its moment on. ``store`` ticks by
    ``clock``; ``began`` is called at each story's first message. Returns how many deeds the desk refused."""
    due = [(s.at, n, -1) for n, s in enumerate(stories)]
    due += [
        (s.at + timedelta(seconds=d.after), n, k) for n, s in enumerate(stories) for k, d in enumerate(s.life.deeds)
    ]
    heapq.heapify(due)
    refused = 0
    systems = made_up_systems(clock)
    queues = frozenset(q.queue_id for q in systems.queues)
    pin_made_up_articles(store)
    for n, (_, release) in enumerate(releases):
        until = releases[n + 1][0] if n + 1 < len(releases) else datetime.max.replace(tzinfo=UTC)
        async with open_handler(store, systems, release, runs) as handler:
            desk = Desk(store, clock, release, queues, handler)
            while due and due[0][0] < until:
                at, which, deed = heapq.heappop(due)
                clock.moment = at
                story = stories[which]
                if deed < 0:
                    began()
                await (desk.opens(story) if deed < 0 else desk.does(story, deed, story.life.deeds[deed]))
            refused += desk.refused
    return refused
