"""Checks a policy release and the company's files before they are used, and names everything at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from desk.errors import DeskError
from desk.pinning import changed_articles
from desk.records import Clock, clock_for, open_records, read_release
from desk.settings import Settings
from desk.workplace import read_company
from guards.errors import PolicyError
from guards.policy import Release
from ledger.errors import LedgerError
from tools.directory import Directory
from tools.knowledge import current_articles
from tools.sandbox import company_folder


def check(settings: Settings, file: Path | None, tell: Callable[[str], None], clock: Clock | None = None) -> int:
    """0 where all can be used; 1 with every problem named, of the release and of the company's files alike. Notes are
    told too: they are worth knowing, and nothing is wrong."""
    path = file or settings.policy
    directory = read_company(settings.company)
    company, notes = directory.systems().company, list(_absent(settings.company or company_folder()))
    problems: list[str] = []
    try:
        release = read_release(path)
    except (PolicyError, OSError, UnicodeError) as error:
        named = str(error) if isinstance(error, PolicyError) else f"{path}: {error}; save it as UTF-8 text"
        problems.append(named)
    else:
        phase = release.rollout.phase.value
        tell(f"release {release.version} ({phase}): {release.title}")
        tell(f"  {len(release.signal)} signals, {len(release.family)} families, owner {release.owner}")
        today = (clock or clock_for(company.today))().date()
        if release.effective > today:
            notes.append(f"the release is effective from {release.effective}, and today is {today}")
        problems += [*_beside(path, release), *_without_queue(release, directory)]
    problems += [str(p) for p in directory.problems()]
    problems += _changed_since(settings, directory, clock)
    for note in notes:
        tell(f"note: {note}")
    for problem in problems:
        tell(f"problem: {problem}")
    tell("ok" if not problems else f"{len(problems)} problem(s); mend them and check again")
    return 1 if problems else 0


def _changed_since(settings: Settings, directory: Directory, clock: Clock | None) -> list[str]:
    """Articles that changed under a version that was relied on; without a ledger nothing was."""
    if settings.ledger_file is not None and not settings.ledger_file.is_file():
        return []
    try:
        with closing(open_records(settings, clock, new=False).store) as store:
            return [str(p) for p in changed_articles(store, current_articles(directory.shelves.articles))]
    except LedgerError as error:
        return [f"the ledger cannot say which articles have changed: {error}"]


_ANSWERS = {
    "accounts.csv": "accounts and who belongs to them by domain",
    "people.csv": "who the customer is",
    "contracts.json": "contracts and amendments",
    "entitlements.csv": "what an account may use",
    "changes.csv": "recent account and role changes",
    "credits.csv": "credits already issued",
    "incidents.json": "incidents",
    "contacts.csv": "earlier contacts",
    "queues.toml": "queues of people",
    "knowledge": "articles",
    "macros": "macros",
}


def _absent(folder: Path) -> Iterator[str]:
    """What the folder does not hold: allowed, and what it would have told is missing context."""
    for name, what in _ANSWERS.items():
        if not (folder / name).exists():
            yield f"{name} is not there: nothing is known of {what}, and a person is asked where it matters"


def _without_queue(release: Release, directory: Directory) -> list[str]:
    """Queues that the release names and the company does not have."""
    queues = {q.queue_id for q in directory.systems().queues}
    named = {o.queue for o in release.owner_rule} | {release.review.deadline_queue}
    return [f"the release names queue {q!r}, which the company does not have" for q in sorted(named - queues)]


def _beside(path: Path | None, release: Release) -> list[str]:
    """Other files in the release's folder that claim the same version with another text."""
    if path is None:
        return []
    found = []
    for other in sorted(path.parent.glob("*.toml")):
        if other.resolve() == path.resolve():
            continue
        try:
            twin = read_release(other)
        except (PolicyError, DeskError, OSError, UnicodeError):
            continue  # another file's faults are found when it is checked itself
        if twin.version == release.version and twin.digest != release.digest:
            found.append(f"{other.name} is also version {release.version}, with another text; give one a new version")
    return found
