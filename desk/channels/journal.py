"""Which letters were begun over a channel that keeps none: a small file a reply key, without any of the words."""

from __future__ import annotations

import hashlib
import os
from enum import Enum
from pathlib import Path


class Begun(Enum):
    """What is known of a letter."""

    NOT = "not begun"
    IN_DOUBT = "begun, and its end is not known"
    DONE = "taken over by the server"
    ANOTHER = "another letter was begun under the key"


class Journal:
    """Marks on disk, for all processes that share the folder. A ledger that was put back from a backup would let a letter
    go a second time; its mark stops it."""

    __slots__ = ("_folder",)

    def __init__(self, folder: Path) -> None:
        """The folder is created with the first mark."""
        self._folder = folder

    def of(self, reply_key: str, letter: str) -> Begun:
        """What is known of the letter, whose digest is given, under a reply key. OSError where that cannot be read."""
        try:
            marks = self._file(reply_key).read_text(encoding="ascii", errors="replace").split("\n")
        except FileNotFoundError:
            return Begun.NOT
        if marks[0] and marks[0] != f"begun {letter}":
            return Begun.ANOTHER
        return Begun.DONE if "done" in marks else Begun.IN_DOUBT

    def begin(self, reply_key: str, letter: str) -> None:
        """Marks it as begun, on disk when this returns. FileExistsError where it was; OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = os.open(self._file(reply_key), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            os.write(file, f"begun {letter}\n".encode())
            os.fsync(file)
        finally:
            os.close(file)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def done(self, reply_key: str) -> None:
        """Marks it as taken over. OSError."""
        with open(self._file(reply_key), "ab") as stream:
            stream.write(b"done\n")
            stream.flush()
            os.fsync(stream.fileno())

    def forget(self, reply_key: str) -> None:
        """It certainly did not leave, and may be begun anew."""
        self._file(reply_key).unlink(missing_ok=True)

    def _file(self, reply_key: str) -> Path:
        return self._folder / hashlib.sha256(reply_key.encode("utf-8", errors="surrogatepass")).hexdigest()
