"""No secret that a process was handed stands in its environment once anything is built that a model can reach."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

import desk.workplace
from desk import serving
from desk.handed_secrets import READ_AT_OPENING, SECRETS, forget_read_secrets, take_secrets
from desk.settings import Settings
from desk.workplace import Workplace
from ledger.sealed.chain import ChainKey
from ledger.sealed.keyring import Keyring

ROOT = Path(__file__).resolve().parents[2]
ALL = (*SECRETS, *READ_AT_OPENING)
OPEN = {
    "LANEWISE_MODEL",
    "LANEWISE_MODEL_TIMEOUT",
    "LANEWISE_MODEL_SHA256",
    "LANEWISE_MODEL_ENGINE",
    "LANEWISE_STUDIO_LEDGER",
    "LANEWISE_ATTACK_CASES",
    "LANEWISE_PROOFS",
    "OPENAI_BASE_URL",
}
"""What the environment says that is no secret."""
SETTINGS = """
[channel]
kind = "smtp"
host = "127.0.0.1"
port = 9
security = "none"
username = "support@team.example"

[mailbox]
host = "127.0.0.1"
port = 9
security = "none"
username = "support@team.example"

[chat]
issuer = "https://host.example"

[sign_in]
issuer = "https://id.example"
"""


def test_every_name_that_the_code_reads_is_a_secret_of_the_table_or_is_none() -> None:
    rooms = ("desk", "ledger", "agent", "tools", "guards", "prompts", "evals")
    files = [ROOT / "lanewise.py", *(file for room in rooms for file in (ROOT / room).rglob("*.py"))]
    found = {name for file in files for name in re.findall(r"\b(?:LANEWISE|OPENAI)_[A-Z0-9_]+\b", file.read_text())}
    assert found - OPEN <= set(ALL) | {"OPENAI_"}, "a new name: is it a secret?"
    assert set(ALL) <= found and not OPEN & set(ALL)


@pytest.mark.parametrize("name", SECRETS)
def test_each_secret_is_taken_and_what_was_not_set_is_not_made_up(name: str) -> None:
    env = {name: "made up", "PATH": "/bin"}
    assert take_secrets(env) == {name: "made up"}
    assert env == {"PATH": "/bin"} and take_secrets(env) == {}


def test_serve_builds_nothing_before_the_secrets_are_gone_and_runs_without_any(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed = {name: f"a made-up value of {name} that is long enough" for name in ALL}
    for name, value in {**handed, "LANEWISE_MODEL": "embedded"}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "lanewise.toml").write_text(SETTINGS)
    seen: dict[str, set[str]] = {}
    real = desk.workplace.open_workplace

    def opening(settings: Settings, env: dict[str, str]) -> Workplace:
        seen["opening"] = set(ALL) & set(os.environ)
        return real(settings, env)

    def serves(server: Any, doors: Any) -> None:
        seen["serving"] = set(ALL) & set(os.environ)
        server.started = True

    monkeypatch.setattr(desk.workplace, "open_workplace", opening)
    monkeypatch.setattr(serving._Server, "run", serves)
    monkeypatch.setattr(serving, "_tell_of_trouble", lambda: None)  # the terminal of this run is closed with it
    done = run("serve", "--port", "0")
    assert done.exit_code == 0, done.output
    assert seen == {"opening": set(READ_AT_OPENING), "serving": set()}
    assert "made-up value" not in done.output


def test_a_chain_key_that_cannot_be_used_is_not_replaced_unseen(tmp_path: Path) -> None:
    ring = Keyring(tmp_path / "ledger.key", None)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("LANEWISE_CHAIN_KEY", "short")
        forget_read_secrets(ring, os.environ)
        assert os.environ["LANEWISE_CHAIN_KEY"] == "short"
        patched.setenv("LANEWISE_CHAIN_KEY", "k" * 64)
        forget_read_secrets(ring, os.environ)
        assert "LANEWISE_CHAIN_KEY" not in os.environ
        held = ring.key()
        assert held is not None and held.id == ChainKey("k" * 64).id, "what was read is kept"
