"""A Lanewise that is really served: a process of its own on a free port, over a workspace in a folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHAT_KEY = "a-key-of-the-tests-that-is-longer-than-32-bytes"
ISSUER = "https://host.example"


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


HOST_PORT = free_port()
HOST_PAGE = f"http://localhost:{HOST_PORT}"
"""A page of somebody else's, which may show the widget."""
SETTINGS = f"""
[channel]
kind = "eml"

[chat]
origins = ["{HOST_PAGE}"]
issuer = "{ISSUER}"
conversations_an_hour = 100000
messages_a_minute = 1000
"""
START_SECONDS = 300.0


@dataclass(slots=True)
class Served:
    """The process, and where it is."""

    workspace: Path
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it serves, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ledger(self) -> Path:
        """Its record."""
        return self.workspace / ".lanewise" / "ledger.sqlite3"

    @property
    def log(self) -> Path:
        """What it said."""
        return self.workspace / "served.log"

    def start(self) -> None:
        """Returns once it answers that its worker is at work."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "LANEWISE_"))}
        command = [sys.executable, str(ROOT / "lanewise.py"), "serve", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--workspace", str(self.workspace)],
                cwd=self.workspace,
                env={**kept, "PYTHONPATH": str(ROOT), "LANEWISE_CHAT_KEY": CHAT_KEY, **self.environment},
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            told = self.log.read_text(errors="replace")
            assert self._process.poll() is None and time.monotonic() < deadline, f"it does not serve:\n{told}"
            time.sleep(0.1)

    def answers(self) -> bool:
        """True where it serves and works on what comes in."""
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:
                return b"at work" in answer.read()
        except (urllib.error.URLError, OSError):
            return False

    def stop(self, *, kill: bool = False) -> None:
        """Ends it as an operator does, or with ``kill`` as a power cut does."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            self._process.wait(60)
        self._process = None


def serve_in(workspace: Path, settings: str = SETTINGS, vectors: Path | None = None) -> Served:
    """A workspace with the made-up company, served. ``vectors`` is another's ``vectors.npz``, which saves a minute."""
    (workspace / ".lanewise").mkdir(parents=True, exist_ok=True)
    if vectors is not None and vectors.is_file():
        shutil.copy(vectors, workspace / ".lanewise" / vectors.name)
    (workspace / "lanewise.toml").write_text(settings, encoding="utf-8")
    served = Served(workspace, free_port())
    served.start()
    return served
