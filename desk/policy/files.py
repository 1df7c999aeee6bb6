"""The store of policy releases in a workspace: one file a version in ``policies/``, its text pinned in the ledger."""

from __future__ import annotations

import hashlib
from pathlib import Path

from agent.packaged import packaged_text
from desk.errors import PolicyFileError, UnknownRelease
from desk.records import read_release
from desk.settings import Settings
from guards.policy import Release, parse_release
from ledger.releases import Pinned, ReleaseLedger
from ledger.store import Store

FOLDER = "policies"


def file_of(settings: Settings, version: str) -> Path:
    """Where a version's text stands."""
    return settings.workspace / FOLDER / f"{version}.toml"


def text_of(path: Path | None) -> str:
    """A release's text; the packaged one's for None."""
    return packaged_text() if path is None else path.read_text(encoding="utf-8")


def keep(settings: Settings, release: Release, text: str) -> Path:
    """Puts a release's text into the store. PolicyFileError where that version stands there with another text."""
    path = file_of(settings, release.version)
    if path.exists():
        if _digest(path) != release.digest:
            raise PolicyFileError(
                f"{path} holds another text under version {release.version}. A version is never edited: give the "
                "changed text a version of its own, or put the file back as it was"
            )
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "x", encoding="utf-8", newline="") as stream:
        stream.write(text)
    return path


def read_pinned(settings: Settings, pinned: Pinned) -> Release:
    """The release that the ledger means. PolicyFileError where its file is gone, or is another text by now."""
    path = file_of(settings, pinned.version)
    if not path.is_file():
        raise PolicyFileError(
            f"release {pinned.version} is in the record, and {path} is not there. Put the file back (its SHA-256 is "
            f"{pinned.digest}), or put another release in force"
        )
    if _digest(path) != pinned.digest:
        raise PolicyFileError(
            f"{path} was changed: the record holds release {pinned.version} with another text (SHA-256 "
            f"{pinned.digest}). Put it back as it was, and give what you changed a version of its own"
        )
    return parse_release(path.read_text(encoding="utf-8"), path.name)


def release_now(settings: Settings, store: Store) -> Release:
    """The release in force: the one that was activated or rolled back to, else the one that lanewise.toml names."""
    pinned = ReleaseLedger(store).in_force()
    return read_release(settings.policy) if pinned is None else read_pinned(settings, pinned)


def find(settings: Settings, store: Store, name: str) -> Release:
    """A release by its version, or by its file. PolicyFileError, PolicyError."""
    path = Path(name)
    try:
        return find_known(settings, store, name)
    except UnknownRelease:
        if not path.is_file():
            raise
    return read_release(path)


def find_known(settings: Settings, store: Store, name: str) -> Release:
    """A release by its version alone, whoever asks: a page names no file of this machine. UnknownRelease; and as
    ``find``."""
    pinned = ReleaseLedger(store).pinned(name)
    if pinned is not None:
        return read_pinned(settings, pinned)
    now = read_release(settings.policy)
    if name in (now.version, "now"):
        return release_now(settings, store) if name == "now" else now
    packaged = read_release(None)
    if name == packaged.version:
        return packaged
    raise UnknownRelease(f"there is no release {name[:100]!r}: neither a version in the record nor a file")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_text(encoding="utf-8").encode()).hexdigest()
