"""Plays recorded tickets through the real machine, each in a world of its own, and keeps what came of each."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from agent.handle import ClockTicked, Handler, PersonDecided
from agent.model import ModelSettings
from agent.release_in_force import release_view
from agent.wiring import open_handler
from evals.case import Case, CaseError, Turn
from evals.evidence import Evidence, read_evidence
from evals.scorers import Finding, Severity, score_case
from evals.world import WorldError, company_with
from guards.gate import Refusal
from guards.lanes import Lane
from guards.policy import Release
from ledger.decisions import Seen, Signature
from ledger.errors import LedgerError
from ledger.history import History
from ledger.intake import Earlier, IncomingMessage
from ledger.outbox import PostLedger
from ledger.people import PeopleLedger
from ledger.result import TicketResult
from ledger.reviews import Reviews
from ledger.store import Store, open_store
from ledger.words import OPEN_PLACE
from tools.sandbox import SandboxCompany
from tools.systems import Audience


@dataclass(frozen=True, slots=True)
class CaseRun:
    """A case and what came of it."""

    case: Case
    result: TicketResult
    unmet: tuple[str, ...]
    """Broken boundaries and missed risks, in words; how good the rest is, the exam's figures say."""
    findings: tuple[Finding, ...] = ()
    evidence: Evidence | None = None


@dataclass
class CaseClock:
    """A case's own moment: it stands still but where the case says how much later a turn comes."""

    moment: datetime

    def __call__(self) -> datetime:
        return self.moment


def company_for(case: Case, folder: Path | None = None) -> SandboxCompany:
    """The company of a folder (default: the made-up one) as the case's world has it. CaseError."""
    try:
        return company_with(case.world.changes, folder)
    except WorldError as error:
        raise CaseError(f"{case.id}: world: {error}") from error


def message_of(case: Case, number: int = 0) -> IncomingMessage:
    """A live message of the case (the first by default) as a channel would hand it in; with the first comes what was
    said before it."""
    live = [turn for turn in case.played if turn.from_ == "customer"]
    turn, first = live[number], number == 0
    subjects = [t.subject for t in (*(case.before if first else ()), turn) if t.subject]
    return IncomingMessage(
        ticket=case.id,
        key=str(number + 1),
        channel="email",
        subject=subjects[-1] if subjects else "",
        requester_email=case.requester.email,
        requester_name=case.requester.name,
        verified=case.requester.verified if turn.verified is None else turn.verified,
        account_id=None,
        recipient=case.requester.email,
        text=turn.text.strip(),
        attachments=turn.attachments,
        earlier=tuple(Earlier(t.from_, t.text.strip()) for t in (case.before if first else ()) if t.from_ != "person"),
    )


async def run_cases(
    cases: Iterable[Case], release: Release, folder: Path, model: ModelSettings | None = None
) -> AsyncIterator[tuple[CaseRun, Store]]:
    """Each case in turn, in one ledger under ``folder``; the clock is the made-up company's own."""
    clock = CaseClock(SandboxCompany().now)
    store = open_store(f"sqlite:///{folder / 'ledger.sqlite3'}", clock=clock)
    for case in cases:
        yield await run_case(case, release, store, folder, model, clock=clock), store


async def run_case(
    case: Case,
    release: Release,
    store: Store,
    folder: Path,
    model: ModelSettings | None = None,
    *,
    clock: CaseClock | None = None,
    company: Path | None = None,
) -> CaseRun:
    """One case through the machine, turn by turn. ``clock`` is the store's own, where the case moves it; ``company``
    the folder of its files. What may leave after a turn reaches the customer before the next one. CaseError."""
    world = company_for(case, company)
    if clock is not None:
        clock.moment = world.now
    systems = world.systems()
    play = _Play(case, release, store, clock)
    async with open_handler(store, systems, release, folder / "runs.sqlite3", model) as handler:
        for number, turn in enumerate(case.played):
            if number:
                play.post()
            await play.turn(turn, number, handler)
    articles = await world.directory.systems().knowledge.articles(set(Audience))
    evidence = read_evidence(store, case.id, tuple(play.lanes), articles, release, tuple(play.failed))
    findings = score_case(case, evidence)
    unmet = tuple(f.words for f in findings if f.severity is not Severity.QUALITY)
    return CaseRun(case, evidence.result, unmet, findings, evidence)


@dataclass
class _Play:
    """One case under way."""

    case: Case
    release: Release
    store: Store
    clock: CaseClock | None
    lanes: list[int] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    async def turn(self, turn: Turn, number: int, handler: Handler) -> None:
        """Lets time pass, and then what the turn says happen."""
        if turn.after_hours:
            if self.clock is None:
                raise CaseError(f"{self.case.id}: after_hours needs a clock that can be moved")
            self.clock.moment += timedelta(hours=turn.after_hours)
            await handler.handle(ClockTicked())
        if turn.from_ == "customer":
            await handler.handle(message_of(self.case, len(self.lanes)))
            self.lanes.append(int(History(self.store).register(self.case.id).lane))
            return
        try:
            self._act(turn, number)
        except LedgerError as error:
            self.failed.append(f"a person could not {str(turn.does).replace('_', ' ')}: {error}")
        await handler.handle(PersonDecided(self.case.id))

    def post(self) -> None:
        """Lets everything leave that may, as the post room would; the letters reach nobody."""
        post, ticket = PostLedger(self.store), self.case.id
        for reply_key in post.waiting():
            if post.delivery(reply_key).letter.ticket == ticket:
                going = post.begin(reply_key, release_view(self.release))
                if not isinstance(going, Refusal):
                    post.sent(reply_key, "exam")

    def _act(self, turn: Turn, number: int) -> None:
        people, ticket = PeopleLedger(self.store), self.case.id
        register, review = History(self.store).register(ticket), Reviews(self.store).of_ticket(ticket)
        draft = review.draft if review else None
        seen = Seen.of(register, draft.digest if draft else None)
        sign = Signature("A person of the exam", "as the case has it", f"act-{number}")
        match turn.does:
            case "claim":
                people.claim(ticket, sign)
            case "hand_back":
                people.hand_back(ticket, Lane.read(turn.lane), seen, sign)
            case "resolve":
                people.resolve(ticket, seen, sign)
            case "reject":
                people.reject(review.id if review else "", seen, sign)
            case "approve":
                text = turn.text.strip() or _filled((draft.text if draft else None) or "")
                view, asked = release_view(self.release), review.id if review else ""
                if draft is not None and text == draft.text:
                    people.approve(asked, text.encode("utf-8"), seen, sign, view)
                else:
                    people.edit_and_approve(asked, text, seen, sign, view)
            case None:
                raise CaseError(f"{ticket}: a person's turn says what they do")


def _filled(draft: str) -> str:
    """The draft as a person would finish it: the desk lets no place stay open."""
    return OPEN_PLACE.sub("As agreed in our team.", draft)


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for a run's ledger that goes away with it."""
    return tempfile.TemporaryDirectory(prefix="lanewise-")
