"""Checks a policy release and the company's files before they are used, and names everything at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from desk.errors import DeskError
from desk.settings import Settings
from desk.workplace import read_release
from guards.errors import PolicyError
from guards.policy import Release
from tools.directory import open_directory
from tools.sandbox import company_folder


def check(settings: Settings, file: Path | None, tell: Callable[[str], None]) -> int:
    """0 where all can be used; 1 with every problem named."""
    path = file or settings.policy
    problems: list[str] = []
    try:
        release = read_release(path)
    except PolicyError as error:
        problems.append(str(error))
    else:
        phase = release.rollout.phase.value
        tell(f"release {release.version} ({phase}): {release.title}")
        tell(f"  {len(release.signal)} signals, {len(release.family)} families, owner {release.owner}")
        problems += _beside(path, release)
        directory = open_directory(settings.company or company_folder())
        problems += [str(p) for p in directory.problems()]
        queues = {q.queue_id for q in directory.systems().queues}
        named = {o.queue for o in release.owner_rule} | {release.review.deadline_queue}
        problems += [f"the release names queue {q!r}, which the company does not have" for q in sorted(named - queues)]
    for problem in problems:
        tell(f"problem: {problem}")
    tell("ok" if not problems else f"{len(problems)} problem(s); mend them and check again")
    return 1 if problems else 0


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
