"""`lanewise serve` says that it serves only once it listens, and one sentence where it cannot."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def served(folder: Path, *options: str) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LANEWISE_", "OPENAI_"))}
    environment["PYTHONPATH"] = str(ROOT)
    return subprocess.Popen(
        [sys.executable, str(ROOT / "lanewise.py"), "serve", *options, "--workspace", str(folder)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def taken() -> Iterator[int]:
    """A port at which somebody else listens."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        yield door.getsockname()[1]


def test_a_port_in_use_is_told_in_one_sentence_and_nothing_claims_to_serve(tmp_path: Path, taken: int) -> None:
    ran = served(tmp_path, "--port", str(taken))
    said, wrong = ran.communicate(timeout=240)
    assert ran.returncode == 2
    assert "Lanewise serves" not in said
    assert len(wrong.splitlines()) == 1 and f"port {taken} of 127.0.0.1 is in use" in wrong and "--port" in wrong
    assert "Errno" not in wrong


def test_an_address_that_is_not_this_machines_is_told_in_one_sentence(tmp_path: Path) -> None:
    ran = served(tmp_path, "--host", "192.0.2.1")
    said, wrong = ran.communicate(timeout=240)
    assert (ran.returncode, said) == (2, "")
    assert len(wrong.splitlines()) == 1 and "nothing can listen at 192.0.2.1" in wrong


@pytest.mark.parametrize("ended_by", [signal.SIGTERM, signal.SIGINT])
def test_who_calls_as_soon_as_it_says_that_it_serves_is_answered_and_it_ends_in_peace(
    tmp_path: Path, ended_by: signal.Signals
) -> None:
    ran = served(tmp_path, "--port", "0")
    assert ran.stdout is not None
    try:
        told = re.search(r"Lanewise serves http://127\.0\.0\.1:(\d+)", ran.stdout.readline())
        assert told is not None and int(told[1]) > 0
        with urllib.request.urlopen(f"http://127.0.0.1:{told[1]}/sign-in", timeout=120) as answer:
            assert answer.status == 200
    finally:
        ran.send_signal(ended_by)
        _, wrong = ran.communicate(timeout=120)
    assert (ran.returncode, wrong) == (0, "")
