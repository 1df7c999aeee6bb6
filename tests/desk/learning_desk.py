"""A desk without a browser over tickets that nobody saw: people who are signed in, their forms, and what they are shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from desk_house import Clock
from httpx import Response
from starlette.testclient import TestClient
from unseen_tickets import answered

from desk.accounts.people import Role
from desk.accounts.signing_in import start_session
from desk.app import create_app
from desk.counter import Counter
from desk.security import COOKIE, CSRF_HEADER
from desk.settings import load_settings
from desk.workplace import Workplace, open_rules
from ledger.events import Event, Kind
from ledger.store import open_store

PEOPLE = {
    "Yrsa": Role.AUDITOR,
    "Jonas": Role.AUDITOR,
    "Hazel Lead": Role.LEAD,
    "Pia": Role.POLICY_OWNER,
    "Marek": Role.AGENT,
    "Oona": Role.SPECIALIST,
}
NO, YES = {"escalate": "no"}, {"escalate": "yes", "trigger": "missing_context", "fault": "boundary"}


@dataclass
class LearningDesk:
    """The application over one ledger; nothing runs behind it."""

    folder: Path
    clock: Clock = field(default_factory=lambda: Clock(datetime(2026, 3, 4, 9, tzinfo=UTC)))

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        settings = load_settings(self.folder, {})
        self.store = open_store(self.folder / "ledger.sqlite3", clock=self.clock)
        self.place = Workplace(settings, self.store, open_rules(settings, {}))
        self.counter = Counter(self.place)
        for name, role in PEOPLE.items():
            self.counter.accounts.add(name, "", None, [role])
        self.client = TestClient(create_app(self.counter), follow_redirects=False)

    def drawn(self, *tickets: str, **more: object) -> list[str]:
        """These tickets, answered by nobody, and their week drawn by a lead; the audits' ids."""
        for ticket in tickets or ("T-1",):
            answered(self.store, ticket, **more)  # type: ignore[arg-type]
        self.clock.move(days=7)
        assert self.post("Hazel Lead", "/desk/audits/draw", week="2026-W10").status_code == 200
        return [f"2026-W10-{number:03d}" for number in range(1, len(tickets or ("T-1",)) + 1)]

    def get(self, name: str, path: str) -> Response:
        """A page as somebody sees it who is signed in; nobody for an empty name."""
        return self._as(name, lambda _: self.client.get(path))

    def post(self, name: str, path: str, /, csrf: str | None = None, **form: str | list[str]) -> Response:
        """A form of theirs, with their own word unless another is given."""
        return self._as(
            name,
            lambda word: self.client.post(
                path, data=form, headers={CSRF_HEADER: word if csrf is None else csrf, "HX-Request": "true"}
            ),
        )

    def _as(self, name: str, ask: Callable[[str], Response]) -> Response:
        self.client.cookies.clear()
        word = ""
        if name:
            token = start_session(self.counter.accounts, name)
            session = self.counter.accounts.session(token)
            assert session is not None
            word = session.csrf
            self.client.cookies.set(COOKIE, token)
        return ask(word)

    def verdicts(self, ticket: str) -> list[tuple[str, bool]]:
        """Who said what, as the record holds it."""
        told = self.place.history.timeline(ticket)
        return [(e.actor, e.head["escalate"]) for e in told if e.kind is Kind.AUDIT_JUDGED]

    def house(self, kind: Kind) -> list[Event]:
        """What happened to the whole house, of one kind."""
        return [e for e in self.place.history.house_timeline() if e.kind is kind]
