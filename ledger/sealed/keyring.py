"""What stands outside the database and holds it to account: the chain key and the anchor."""

from __future__ import annotations

import json
import os
import secrets
import stat
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ledger.errors import CannotCheck, NoChainKey
from ledger.sealed.chain import ChainKey, Place

ENV_NAME = "LANEWISE_CHAIN_KEY"
"""Where the key is read from first."""
_ROOM = 512
"""Bytes of an anchor file: one disk sector, written in one piece and never resized."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """The last place of the chain that is known to be on disk, as it is written down outside the database."""

    chain: str
    place: Place
    at: str
    """When it was written, ISO 8601."""

    def mac(self, key: ChainKey) -> str:
        """What shows that we wrote it."""
        return key.mac("anchor", self.chain, self.place.number, self.place.seq, self.place.link, self.at)

    def __str__(self) -> str:
        """As people write it down elsewhere: how many records, and the last one's link."""
        return f"{self.place.number}:{self.place.link}"


class AnchorDamaged(CannotCheck):
    """The anchor file holds no anchor of ours: it was edited, or is another key's."""


class Keyring:
    """Where one ledger's key and anchor are. Reads them anew whenever it is asked; keeps the key once it has it."""

    __slots__ = ("_key", "_own", "anchor_file", "key_file")

    def __init__(self, key_file: Path | None, anchor_file: Path | None, *, passing: bool = False) -> None:
        """``None`` for no such file. ``passing``: a ledger in memory, which needs a key for its own lifetime only."""
        self.key_file, self.anchor_file = key_file, anchor_file
        self._own = ChainKey(secrets.token_hex(32)) if passing else None
        self._key: ChainKey | None = None

    def key(self) -> ChainKey | None:
        """The key of the environment, else of the key file; None where there is neither. NoChainKey where it cannot be
        used."""
        if self._key is None:
            self._key = self._own or self._from_environment() or self._from_file()
        return self._key

    def make_key(self) -> ChainKey:
        """The key, made where there is none yet: at the first event of a ledger, and at no other time."""
        found = self.key()
        if found is not None:
            return found
        if self.key_file is None:
            raise NoChainKey(self.missing())
        try:
            _put(self.key_file, f"{secrets.token_hex(32)}\n".encode())
        except OSError as error:
            raise NoChainKey(
                f"the chain key cannot be written to {self.key_file}: {error.strerror}. Set {ENV_NAME}, or name another "
                "file as ledger.key_file in lanewise.toml."
            ) from error
        made = self.key()
        assert made is not None
        return made

    def missing(self) -> str:
        """That there is no key, where it was looked for, and what to do."""
        places = f"{ENV_NAME} is not set" + (f" and there is no {self.key_file}" if self.key_file else "")
        return (
            f"the chain key that seals this ledger's record is not there: {places}. Put the key back from where you "
            "keep it; without it nothing can be recorded or sent but a halt."
        )

    def open_to_others(self) -> str | None:
        """A warning where others than the owner may read the key file; None where all is well, or no file is used."""
        if self.key_file is None or os.environ.get(ENV_NAME, "").strip() or not self.key_file.exists():
            return None
        mode = stat.S_IMODE(self.key_file.stat().st_mode)
        if not mode & 0o077:
            return None
        return f"the chain key {self.key_file} can be read by others (mode {mode:o}): run chmod 600 on it"

    def _from_environment(self) -> ChainKey | None:
        said = os.environ.get(ENV_NAME, "")
        return _usable(said, ENV_NAME) if said.strip() else None

    def _from_file(self) -> ChainKey | None:
        if self.key_file is None:
            return None
        try:
            said = self.key_file.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or "it is not text"
            raise NoChainKey(f"the chain key {self.key_file} cannot be read: {why}. Check its permissions.") from None
        return _usable(said, str(self.key_file))

    # the anchor

    def anchor(self, key: ChainKey) -> Anchor | None:
        """The anchor as it is written; None where there is none. AnchorDamaged where it is not one of this key's."""
        if self.anchor_file is None:
            return None
        try:
            raw = self.anchor_file.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise AnchorDamaged(f"the anchor {self.anchor_file} cannot be read: {error.strerror}") from error
        try:
            told = json.loads(raw)
            place = Place(int(told["number"]), int(told["seq"]), str(told["link"]))
            found = Anchor(str(told["chain"]), place, str(told["at"]))
            ours = secrets.compare_digest(str(told["mac"]).encode(), found.mac(key).encode())
        except (ValueError, TypeError, KeyError):
            ours = False
        if not ours or raw != _written(found, key):
            raise AnchorDamaged(f"the anchor {self.anchor_file} is not as it was written with this key")
        return found

    def begin_anchor(self, anchor: Anchor, key: ChainKey) -> None:
        """Writes the first anchor, and waits for the disk. NoChainKey where it cannot be written."""
        if self.anchor_file is None:
            return
        try:
            _put(self.anchor_file, _written(anchor, key))
        except OSError as error:
            raise NoChainKey(
                f"the anchor cannot be written to {self.anchor_file}: {error.strerror}. Name another file as "
                "ledger.anchor_file in lanewise.toml."
            ) from error

    def move_anchor(self, anchor: Anchor, key: ChainKey) -> None:
        """Writes a later anchor over the one that is there, in place: it never grows, so a power cut leaves the one or
        the other. OSError where it cannot be written; the earlier one then stands."""
        if self.anchor_file is None:
            return
        file = os.open(self.anchor_file, os.O_WRONLY)
        try:
            os.pwrite(file, _written(anchor, key), 0)
        finally:
            os.close(file)

    def replace_anchor(self, anchor: Anchor, key: ChainKey) -> None:
        """Puts an anchor in the place of whatever stands there: where a person takes the record over as it is."""
        if self.anchor_file is None:
            return
        self.anchor_file.unlink(missing_ok=True)
        self.begin_anchor(anchor, key)


def beside(ledger: Path) -> Keyring:
    """The files of a SQLite ledger, where nothing else is said: beside it, under its own name."""
    return Keyring(ledger.with_name(f"{ledger.name}.key"), ledger.with_name(f"{ledger.name}.anchor"))


def anchored(chain: str, place: Place, at: datetime) -> Anchor:
    """The anchor of a place."""
    return Anchor(chain, place, at.isoformat(timespec="microseconds"))


def _written(anchor: Anchor, key: ChainKey) -> bytes:
    place = anchor.place
    told = {
        "number": place.number,
        "link": place.link,
        "seq": place.seq,
        "chain": anchor.chain,
        "at": anchor.at,
        "mac": anchor.mac(key),
    }
    return json.dumps(told).encode().ljust(_ROOM - 1) + b"\n"


def _usable(said: str, where: str) -> ChainKey:
    try:
        return ChainKey(said)
    except ValueError as error:
        raise NoChainKey(f"{where}: {error}. Use 64 random hex digits, kept where the ledger is not.") from None


def _put(path: Path, what: bytes) -> None:
    """A new file that only its owner may read, whole or not at all; one that is there already stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    file = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        os.write(file, what)
        os.fsync(file)
    finally:
        os.close(file)
    try:
        # Linked, not renamed: two that are first at once must end with one and the same file.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
