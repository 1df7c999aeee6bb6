"""Fixtures of the whole house: no network, no borrowed keys, the packaged release, and a machine in a folder."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# This folder stands in the path for the sake of this file, and holds folders named like the rooms: they come after.
TESTS = Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS / "agent"))
sys.path.insert(0, str(TESTS.parent))

from agent_scene import Clock, Scene, open_scene, rules_only  # noqa: E402

from desk.workplace import read_release  # noqa: E402
from guards.policy import Release  # noqa: E402
from ledger.store import Store, open_store  # noqa: E402
from tools.sandbox import SandboxCompany  # noqa: E402

# A shared machine is slow at times: a property is held by its examples, never by the clock.
settings.register_profile("lanewise", deadline=None, derandomize=True)
settings.load_profile("lanewise")

# ── no network, no keys ─────────────────────────────────────────────────────────────────────────────────────


class NetworkUsed(AssertionError):
    """A test reached for a machine other than this one."""


def _is_near(host: object) -> bool:
    if host in (None, "", b"", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


def _checked(address: Any) -> None:
    # A path (a Unix socket) is on this machine.
    if isinstance(address, tuple) and not _is_near(address[0]):
        raise NetworkUsed(f"the network is off in tests, and something connects to {address[0]!r}")


@pytest.fixture(scope="session", autouse=True)
def _network_off() -> Iterator[None]:
    """Refuses every connection and every look-up that leaves this machine."""
    real = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex", "sendto")}
    look_up = socket.getaddrinfo

    def guarded(name: str) -> Any:
        def call(self: socket.socket, *args: Any) -> Any:
            _checked(args[-1] if name == "sendto" else args[0])
            return real[name](self, *args)

        return call

    def found(host: Any, *args: Any, **more: Any) -> Any:
        if not _is_near(host):
            raise NetworkUsed(f"the network is off in tests, and something looks up {host!r}")
        return look_up(host, *args, **more)

    with pytest.MonkeyPatch.context() as patched:
        for name in real:
            patched.setattr(socket.socket, name, guarded(name))
        patched.setattr(socket, "getaddrinfo", found)
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_borrowed_keys() -> Iterator[None]:
    """A tracer or a key of the machine's own must not change what a test does, nor land in a cassette."""
    with pytest.MonkeyPatch.context() as patched:
        for name in list(os.environ):
            if name.startswith(("LANGSMITH_", "LANGCHAIN_", "OPENAI_", "LANEWISE_")):
                patched.delenv(name)
        yield


# ── the machine ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="session")
def release() -> Release:
    """The release that comes with Lanewise."""
    return read_release(None)


@pytest.fixture(scope="session")
def rules(release: Release) -> Release:
    """The same without the text head: for tests of what the machine does, not of how well it reads."""
    return rules_only(release)


@pytest.fixture
def sandbox() -> SandboxCompany:
    """The made-up company, everything up."""
    return SandboxCompany()


@pytest.fixture
def clock() -> Clock:
    """A clock that stands at the made-up company's own day."""
    return Clock()


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated ledger without a ticket: copying it costs less than migrating."""
    path = tmp_path_factory.mktemp("ledger") / "empty.sqlite3"
    store = open_store(path)
    store.forget_erased()  # what still stands in the write-ahead file would not be copied
    store.close()
    return path


@pytest.fixture
def store(tmp_path: Path, clock: Clock, empty_ledger: Path) -> Iterator[Store]:
    """A fresh store with the injected clock."""
    shutil.copy(empty_ledger, tmp_path / "ledger.sqlite3")
    opened = open_store(tmp_path / "ledger.sqlite3", clock=clock)
    yield opened
    opened.close()


@pytest.fixture
async def machine(tmp_path: Path, release: Release, clock: Clock, empty_ledger: Path) -> AsyncIterator[Scene]:
    """Handler, ledger and post room over the made-up company, as a newcomer gets them."""
    async with open_scene(tmp_path, release, clock=clock, empty_ledger=empty_ledger) as scene:
        yield scene
