"""Makes the folder of `lanewise serve --demo`: a made-up year, tickets that wait, releases to decide on, and a way in."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from agent.packaged import packaged_text
from desk.accounts.people import Role
from desk.accounts.signing_in import hashed
from desk.errors import DeskError
from desk.handed_secrets import forget_read_secrets
from desk.made_up.lives import fewer_lives, plan, settled
from desk.made_up.year import LEDGER, fill_year, second_release, year_begins
from desk.made_up_marks import MARK, NOTE
from desk.policy import files as policy_files
from desk.policy.backtest import proof
from desk.policy.releases import propose, prove
from desk.post import channel_for
from desk.records import Records
from desk.scoring import read_score
from desk.serving import serve
from desk.settings import load_settings
from desk.workplace import Workplace, open_workplace
from guards.policy import OwnerGroup
from ledger.accounts import Accounts
from ledger.intake import IncomingMessage, Intake
from ledger.scorecard.reading import Period

Tell = Callable[[str], None]

FOLDER = Path("lanewise-demo")
"""Where it is made where nobody says otherwise."""
VISITOR = "visitor"
"""The one who may sign in: with every role, and in every group."""
TICKETS = 6_000
"""The fewest among which every planted drift shows."""
COMMON, LEFT = 20, 5
"""How rare a kind of ticket is to be told as a commoner one: driving one takes as long as telling a hundred."""

SETTINGS = """# Made by `lanewise serve --demo`. Everything in this folder is made up; delete it whenever you like.
[channel]
kind = "eml"

[model]
name = "embedded"
"""

WAITING: tuple[tuple[str, str, str, str, str], ...] = (
    (
        "hazel@maplefinch.example",
        "Hazel Lindqvist",
        "A-1001",
        "A discount?",
        "Hi team, is there any chance of a discount if we add ten seats? We are on Team and pay yearly. Thanks, Hazel",
    ),
    (
        "nadia@brightwater.example",
        "Nadia Ferro",
        "A-1003",
        "Locked out",
        "I am locked out of my admin account since the roles were changed. Please restore my access.",
    ),
    (
        "corin@northgate-logistics.example",
        "Corin Maddox",
        "A-1002",
        "Seats we never used",
        "We bought 40 extra seats by mistake last week. Please refund them: nobody has used them.",
    ),
    (
        "hazel@maplefinch.example",
        "Hazel Lindqvist",
        "A-1001",
        "Reports every hour",
        "How do I export a report to PowerPoint automatically every hour?",
    ),
    (
        "nadia@brightwater.example",
        "Nadia Ferro",
        "A-1003",
        "A former colleague",
        "Please delete all personal data of a former employee.",
    ),
    (
        "corin@northgate-logistics.example",
        "Corin Maddox",
        "A-1002",
        "Our amendment",
        "Does our amendment change the seat price in the contract? We renew next week and need to know.",
    ),
    ("hazel@maplefinch.example", "Hazel Lindqvist", "A-1001", "Seats", "How do I add more seats?"),
)
"""Who wrote what today: address, name, account, subject, words. All but the last wait for a person."""


def make(folder: Path, tell: Tell, tickets: int = TICKETS) -> None:
    """Makes the folder, whole or not at all; nothing is done where it is there. DeskError where another folder is."""
    if (folder / MARK).is_file() and (folder / "lanewise.toml").is_file():
        tell(f"{folder} is there already, and is served as it is. Delete it to have it made anew.")
        return
    if folder.exists() and any(folder.iterdir()):
        raise DeskError(f"{folder} is there and holds something else. Name an empty folder with --workspace.")
    tell(f"Making a year of made-up tickets in {folder}: this takes a minute or so, once.")
    half_made = folder.with_name(f".{folder.name}.half-made")
    _forget(half_made)
    half_made.mkdir(parents=True)
    (half_made / "lanewise.toml").write_text(SETTINGS, encoding="utf-8")
    stories = settled(fewer_lives(plan(tickets, year_begins(), seed=1), [second_release()], COMMON, LEFT))
    fill_year(half_made, stories, bulk=True, tell=tell)
    place = open_workplace(load_settings(half_made, {}), {})
    try:
        asyncio.run(_write_today(place))
        tell("  the tickets of today wait in the queue")
        _offer_releases(place)
        read_score(place, Period(place.store.now()))
        tell("  the scorecard is counted, and two policy releases wait for a decision")
    finally:
        place.store.close()
    if folder.exists():
        folder.rmdir()
    half_made.rename(folder)


def show(folder: Path, host: str, port: int, posts: bool, tell: Tell) -> int:
    """Makes the folder where it is not there, tells the way in, and serves it by the embedded default, whatever the
    environment says of models and channels."""
    make(folder, tell)
    settings = load_settings(folder, {})
    place = open_workplace(settings, {})
    try:
        forget_read_secrets(place.store.keyring, os.environ)
        tell(f"Sign in at http://{host}:{port}/sign-in as {VISITOR}, with the password {let_in(place)}")
        tell("It was made for this run, and ends with the next one.")
        tell(f"Then: /desk (the queue), /desk/scorecard (the year), /desk/policy (releases). {NOTE}")
        return serve(place, channel_for(settings, {}, sys.stdout) if posts else None, host, port, tell, {})
    finally:
        place.store.close()


def let_in(place: Workplace) -> str:
    """A password for the visitor, made for this run alone: the one before lets nobody in any more."""
    password, accounts = secrets.token_urlsafe(12), Accounts(place.store)
    if VISITOR in {user.name for user in accounts.all()}:
        accounts.change(VISITOR, secret=hashed(password))
    else:
        accounts.add(VISITOR, "", hashed(password), list(Role), list(OwnerGroup))
    return password


def _forget(half_made: Path) -> None:
    """Takes away what a run that was stopped has left: only what says of itself that it is made up, or holds no ledger."""
    if not half_made.exists():
        return
    if (half_made / LEDGER).exists() and not (half_made / MARK).is_file():
        raise DeskError(f"{half_made} holds a ledger that is not said to be made up. Look at it, and move it away.")
    shutil.rmtree(half_made)


async def _write_today(place: Workplace) -> None:
    async with place.handler() as handler:
        for n, (email, name, account, subject, text) in enumerate(WAITING, 1):
            message = IncomingMessage(
                ticket=f"D-{1000 + n}",
                key="m1",
                channel="email",
                subject=subject,
                requester_email=email,
                requester_name=name,
                verified=True,
                account_id=account,
                recipient=email,
                text=text,
            )
            Intake(place.store).receive(message)
            await handler.drain(message.ticket)


# ── releases to decide on ───────────────────────────────────────────────────────────────────────────────────

_NARROWER = "2026-03-09"
_WIDER = "2026-03-10"


def _offer_releases(records: Records) -> None:
    """Two candidates: one that narrows, proven and waiting for its owners; and one that widens, and lacks evidence."""
    named = r"^autonomous_families = \[(.*)\]$"
    families = re.search(named, packaged_text(), re.MULTILINE)
    assert families is not None
    fewer = ", ".join(f for f in families[1].split(", ") if f != '"billing"')
    _propose(
        records,
        _NARROWER,
        {named: f"autonomous_families = [{fewer}]"},
        "billing is answered alone more often every week, and nobody has looked at those answers yet",
    )
    _propose(
        records,
        _WIDER,
        {named: f'autonomous_families = [{families[1]}, "privacy_legal"]', r"^head_medium = .*$": "head_medium = 0.6"},
        "questions about the privacy pages could be answered alone",
    )
    prove(records, _NARROWER, lambda release: None, lambda said: None, proof(records))


def _propose(records: Records, version: str, edits: dict[str, str], reason: str) -> None:
    text = packaged_text()
    title = {_NARROWER: "Billing goes back to people", _WIDER: "Privacy pages too"}[version]
    head = {
        r"^version = .*$": f'version = "{version}"',
        r"^title = .*$": f'title = "{title}"',
        r"^reason = .*$": f'reason = "{reason}"\nsupersedes = "{policy_files.release_now(records.settings, records.store).version}"',
    }
    for pattern, by in {**head, **edits}.items():
        text, times = re.subn(pattern, lambda _, said=by: said, text, count=1, flags=re.MULTILINE)  # type: ignore[misc]
        assert times == 1, pattern
    file = records.settings.workspace / "policy" / f"{version}.toml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    propose(records, file, "Ines Moreau", reason, lambda said: None)
