"""What came along with a mail or in the chat, kept for people as files that nobody here opens."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from ledger.words import digest_of

MOST_FILES = 100
"""Files of one mail that are kept."""
_LONGEST_NAME = 80
_RESERVED = frozenset({"con", "prn", "aux", "nul"})


class Attachments:
    """The folder of attachments: one folder a ticket in it, and one a mail in that."""

    __slots__ = ("_folder", "_most", "_workspace")

    def __init__(self, workspace: Path, most_bytes: int) -> None:
        """``.lanewise/attachments`` of a workspace, created with the first file; it may hold ``most_bytes``."""
        self._workspace = workspace
        self._folder = workspace / ".lanewise" / "attachments"
        self._most = most_bytes

    def keep(self, ticket: str, key: str, files: Sequence[tuple[str, bytes]]) -> tuple[str, ...]:
        """Writes the files, each whole or not at all, and returns what a person is told of each: its name, and where it
        is kept or why it is not. Kept again under the same key, they are the same files. OSError.
        """
        if not files:
            return ()
        room = self.room()
        place = self._folder / _of_ticket(ticket) / re.sub(r"[^a-z0-9-]", "", key)
        told = []
        for number, (name, what) in enumerate(files, 1):
            shown, file = one_line(name), place / f"{number:02}-{safe_name(name)}"
            if file.is_file() and file.stat().st_size == len(what):
                pass  # told again after a crash
            elif number > MOST_FILES or len(what) > room:
                told.append(f"{shown} (not kept: there is no room for it here; it is still in the mailbox)")
                continue
            else:
                _write(file, what)
                room -= len(what)
            told.append(f"{shown} (kept as {file.relative_to(self._workspace)})")
        return tuple(told)

    def room(self) -> int:
        """How many bytes more may be kept."""
        return self._most - _bytes(self._folder)

    def held(self, ticket: str) -> int:
        """How many bytes are kept for a ticket."""
        return _bytes(self._folder / _of_ticket(ticket))

    def forget(self, ticket: str) -> bool:
        """Deletes all that is kept for a ticket; True where there was anything. OSError."""
        place = self._folder / _of_ticket(ticket)
        if not place.is_dir():
            return False
        shutil.rmtree(place)
        return True


def safe_name(name: str) -> str:
    """A stranger's file name as one that means nothing to any system: plain ASCII, no path, no leading dot."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    last = re.split(r"[/\\]", plain)[-1]
    kept = re.sub(r"[^A-Za-z0-9._-]+", "-", last).strip("-. ")
    stem, dot, ending = kept.rpartition(".")
    if dot and 0 < len(ending) <= 10:
        kept = f"{stem[: _LONGEST_NAME - len(ending) - 1]}.{ending}"
    kept = kept[:_LONGEST_NAME]
    return f"_{kept}" if kept.partition(".")[0].lower() in _RESERVED else kept or "unnamed"


def one_line(name: str) -> str:
    """A stranger's file name as it can be shown: one line, and nothing that turns its ending round."""
    plain = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in name)
    return " ".join(plain.split())[:120] or "unnamed"


def _bytes(folder: Path) -> int:
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())


def _of_ticket(ticket: str) -> str:
    # A ticket's id is a stranger's text at times: only its digest names a folder.
    return digest_of(ticket)[:32]


def _write(file: Path, what: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f".{secrets.token_hex(8)}")
    try:
        with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as stream:
            stream.write(what)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
