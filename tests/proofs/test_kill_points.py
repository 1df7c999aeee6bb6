"""I8: killed at any statement and any line of the send path, nothing leaves twice, nothing is lost, doubt is shown."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DRIVER = Path(__file__).with_name("send_path_driver.py")


def driven(mode: str, every: int, folder: Path) -> dict[str, Any]:
    """What the driver counted; it works in processes of its own, for nothing may be open when it forks."""
    ran = subprocess.run(
        [sys.executable, str(DRIVER), mode, str(every), str(folder)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def test_killed_at_any_point_of_the_send_path_nothing_leaves_twice_and_nothing_is_lost(
    tmp_path: Path, size: Callable[[int, int], int], shown: Callable[..., None]
) -> None:
    found = driven("product", size(160, 1), tmp_path / "lives")
    assert found["wrong"] == []
    assert found["killed"] == found["trials"] > 20
    assert found["sent"] + found["unknown"] == found["trials"]
    assert found["sent"] > 0 and found["unknown"] > 0
    statements, lines = (sum(p[sort] for p in found["points"].values()) for sort in ("statements", "lines"))
    assert min(p[sort] for p in found["points"].values() for sort in ("statements", "lines")) > 20
    shown(
        "I8",
        "kill -9 on the send path (answer, approved reply, notice, ordered change): before and after every statement, "
        "commit and call of the way out, and before every line of its code; then restarted and recovered",
        f"{found['killed']} kills over {statements} statement points and {lines} line points: 0 second deliveries, "
        f"0 lost, {found['unknown']} unknown, each shown to a person with a packet and a deadline",
        f"{found['sent']} were sent all the same after the restart",
    )


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the same proof says of three machines that recover wrongly."""
    return driven("faults", 6, tmp_path_factory.mktemp("faults"))


@pytest.mark.parametrize(
    ("fault", "what"), [("tries_again", "twice"), ("forgets", "lost: sending"), ("tells_nobody", "nobody is shown it")]
)
def test_a_machine_that_recovers_wrongly_is_found_out(faulty: dict[str, Any], fault: str, what: str) -> None:
    found = faulty[fault]
    assert found["killed"] == found["trials"]
    assert any(what in reason for case in found["wrong"] for reason in case[4:])
