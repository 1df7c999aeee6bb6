"""The made-up company's system that changes money, access and accounts: it keeps on file what was done."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.errors import BadChange, ChangeRejected
from tools.state_changes import read_arguments


class SandboxChanges:
    """One JSON file a change in a folder, at most one for a key, however many processes ask."""

    name = "sandbox"

    def __init__(self, folder: Path) -> None:
        """The folder is created with the first change."""
        self._folder = folder

    def apply(self, key: str, action: str, arguments: Mapping[str, Any], approved_by: str) -> str:
        """Writes down what was done; the file is whole or absent. ChangeRejected where the arguments are not exactly
        the declared ones, where no file can be written, or where the key did something else before."""
        try:
            given = read_arguments(action, json.dumps(dict(arguments)))
        except BadChange as error:
            raise ChangeRejected(f"the arguments of {action[:40]} are not the declared ones") from error
        name = hashlib.sha256(key.encode("utf-8", errors="surrogatepass")).hexdigest()
        told = {"key": key, "action": action, "arguments": given, "approved_by": approved_by}
        target = self._folder / f"{name}.json"
        ours = self._write_new(target, json.dumps(told, sort_keys=True))
        if not ours and json.loads(target.read_text(encoding="utf-8")) != told:
            raise ChangeRejected("this key stands for another change already")
        return f"SBX-{name[:12].upper()}"

    def made(self) -> tuple[Mapping[str, Any], ...]:
        """All that was done, in no order."""
        return tuple(json.loads(f.read_text(encoding="utf-8")) for f in sorted(self._folder.glob("[!.]*.json")))

    def _write_new(self, target: Path, told: str) -> bool:
        draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with open(draft, "x", encoding="utf-8") as stream:
                stream.write(told)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise ChangeRejected(f"nothing can be written there: {error.strerror}") from error
        try:
            os.link(draft, target)
        except FileExistsError:
            return False
        finally:
            with contextlib.suppress(OSError):
                draft.unlink()
        return True
