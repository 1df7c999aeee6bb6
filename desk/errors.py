"""What can be wrong at the counter.

DeskError
├── SettingsError     a lanewise.toml that cannot be used: which file, which key, what to do
├── FilesInTheWay     a new workspace would overwrite files that are there already
├── NothingFiled      a look back where no ledger stands
├── DecisionRefused   a person's act did not happen, and why, in words they can act on
│   └── ChangedSince  something changed since they looked: show it to them again
├── NotAllowed        somebody who is signed in may not do that; or nobody is signed in
├── PolicyFileError   a policy release that is not there, or is not the text that the record holds
│   └── UnknownRelease  no release has that version here
└── Rejected          the channel certainly did not take a letter

Any other error out of a channel means that nobody knows whether the letter arrived.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from guards.errors import PolicyError


class DeskError(Exception):
    """The counter could not do it."""


class SettingsError(DeskError):
    """A workspace's settings cannot be used; the message names the file, the key and what to do."""


class FilesInTheWay(DeskError):
    """A new workspace would overwrite files; nothing was written."""

    def __init__(self, directory: Path, files: Sequence[Path]) -> None:
        """``files`` are those in the way, relative to ``directory``."""
        self.directory, self.files = directory, tuple(files)
        named = "\n  ".join(str(f) for f in self.files)
        super().__init__(
            f"{directory} already holds files that a new workspace would overwrite; nothing was written:\n"
            f"  {named}\nMove them away, or choose an empty directory."
        )


class NothingFiled(DeskError):
    """There is no ledger to look into; none is created by looking."""


class DecisionRefused(DeskError):
    """A person's act did not happen; nothing of it was recorded as done."""


class ChangedSince(DecisionRefused):
    """What the person had seen is no longer so; ``changes`` says what, one sentence each."""

    def __init__(self, changes: Sequence[str]) -> None:
        self.changes = tuple(changes)
        super().__init__(
            "this changed since you looked: "
            + "; ".join(self.changes)
            + ". Nothing was done; look again and decide anew."
        )


class NotAllowed(DeskError):
    """Who asks may not do that; the message says what it would take."""


class PolicyFileError(DeskError, PolicyError):
    """A policy release's file is missing, changed, or another text under the same version."""


class UnknownRelease(PolicyFileError):
    """No release has that version, neither in the record nor in the settings."""


class Rejected(DeskError):
    """The channel certainly did not take the letter: nothing of it can have reached the customer.

    Its message is kept in the record for good, so it holds no address and none of the letter's words.
    """
