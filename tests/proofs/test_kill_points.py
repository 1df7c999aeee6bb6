"""I8: killed at any statement and any line of the send path, nothing leaves twice, nothing is lost, doubt is shown."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DRIVER = Path(__file__).with_name("send_path_driver.py")


def driven(mode: str, every: int) -> dict[str, Any]:
    """What the driver counted; it works in processes of its own, for nothing may be open when it forks. In memory where
    there is a place for it: a kill spares what the kernel has, written or not."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        command = [sys.executable, str(DRIVER), mode, str(every), f"{folder}/lives"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_killed_at_any_point_of_the_send_path_nothing_leaves_twice_and_nothing_is_lost(
    size: Callable[[int, int], int], shown: Callable[..., None]
) -> None:
    found = driven("product", size(160, 1))
    assert found["wrong"] == []
    assert found["killed"] == found["trials"] > 20
    assert found["sent"] + found["unknown"] == found["trials"]
    assert found["sent"] > 0 and found["unknown"] > 0
    statements, lines = (sum(p[sort] for p in found["points"].values()) for sort in ("statements", "lines"))
    assert min(p[sort] for p in found["points"].values() for sort in ("statements", "lines")) > 20
    shown(
        "I8",
        "kill -9 on the send path (answer, approved reply, notice, ordered change, and the recovery itself): before and after every statement, "
        "commit and call of the way out, and before every line of its code; then restarted and recovered",
        f"{found['killed']} kills over {statements} statement points and {lines} line points: 0 second deliveries, "
        f"0 lost, {found['unknown']} unknown, each shown to a person with a packet and a deadline",
        f"{found['sent']} were sent all the same after the restart",
    )


@pytest.fixture(scope="module")
def faulty() -> dict[str, Any]:
    """What the same proof says of four machines that recover wrongly."""
    return driven("faults", 6)


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ("tries_again", "lost: refused"),
        ("tries_again_unheeded", "twice"),
        ("forgets", "lost: sending"),
        ("tells_nobody", "nobody is shown it"),
    ],
)
def test_a_machine_that_recovers_wrongly_is_found_out(faulty: dict[str, Any], fault: str, what: str) -> None:
    found = faulty[fault]
    assert found["killed"] == found["trials"]
    assert any(what in reason for case in found["wrong"] for reason in case[4:])
