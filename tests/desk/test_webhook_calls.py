"""Results leave to where they may, straight and in time, and one receiver's trouble is no other's."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from interface_house import Calls, served, ticket

from desk.api import webhooks
from desk.api.callers import Scope
from desk.api.calling_out import NotOutside, call, check_url, is_outside
from desk.errors import DecisionRefused
from ledger.interface import Interface

HERE = ("127.0.0.1",)
Answering = Callable[[socket.socket], None]


@contextmanager
def listening(answer: Answering) -> Iterator[int]:
    """A server on loopback that does this to each call; its port."""
    over = threading.Event()
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(0.1)

        def run() -> None:
            while not over.is_set():
                try:
                    line, _ = server.accept()
                except OSError:
                    continue
                with line:
                    line.settimeout(20)
                    line.recv(65_536)
                    try:
                        answer(line)
                    except OSError:
                        continue

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        over.set()
        thread.join(20)


def no_http(line: socket.socket) -> None:
    line.sendall(b"\0\xff this is no HTTP\r\n\r\n")


def dripping(line: socket.socket) -> None:
    line.sendall(b"HTTP/1.1 200 OK\r\n")
    for _ in range(2_000):
        line.sendall(b"X")
        time.sleep(0.05)


@pytest.fixture
def calls(tmp_path: Path) -> Iterator[Calls]:
    """A counter that is served, with a key that may have results sent."""
    with served(tmp_path) as made:
        made.show_key(Scope.TICKETS_WRITE, Scope.TICKETS_READ, Scope.WEBHOOKS_WRITE)
        yield made


def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


@pytest.mark.parametrize("trouble", [no_http, dripping])
def test_a_receiver_that_breaks_or_hangs_is_counted_as_failed_and_keeps_no_later_one_waiting(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, trouble: Answering
) -> None:
    monkeypatch.setattr(webhooks, "PATIENCE", 0.5)
    got: list[bytes] = []

    def taking(line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        got.append(b"told")

    with listening(trouble) as first, listening(taking) as second:
        bad = calls.post("/webhooks", {"url": f"http://127.0.0.1:{first}/"}, 201)
        good = calls.post("/webhooks", {"url": f"http://127.0.0.1:{second}/"}, 201)
        calls.post("/tickets", ticket("W-1", "Please refund us."), 202)
        calls.worked_on("W-1")
        interface = Interface(calls.counter.place.store)
        until(lambda: bool(got) and interface.webhook(bad["id"]).failures > 0)
        assert interface.webhook(bad["id"]).next_at is not None
        assert interface.webhook(good["id"]).failures == 0
        for made in (bad, good):
            interface.end_webhook(made["id"])


def test_a_call_to_this_machine_does_not_leave_it_by_a_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Silent."""

    with closing(socket.create_server(("127.0.0.1", 0))) as proxy, HTTPServer(("127.0.0.1", 0), Handler) as server:
        proxy.settimeout(0)
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/hook?a=1"
        assert call(url, b"{}", {}, inside=HERE, seconds=10) == 204
        server.shutdown()
        with pytest.raises(BlockingIOError):
            proxy.accept()
    assert asked == ["/hook?a=1"]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:0a00:0001::1",
        "no address",
    ],
)
def test_an_address_inside_is_known_in_every_spelling(address: str) -> None:
    assert not is_outside(address)
    assert is_outside("93.184.216.34") and is_outside("2606:2800:220:1:248:1893:25c8:1946")


@pytest.mark.parametrize(
    "url",
    [
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.8/",
        "https://[::1]/",
        "https://localhost:8443/",
        "http://127.0.0.1:6379/",
        "http://localhost:1/",
    ],
)
def test_an_address_inside_is_taken_only_where_the_settings_name_it(url: str) -> None:
    with pytest.raises(DecisionRefused):
        check_url(url, ("127.0.0.1:9999", "other.example"))
    host = url.partition("://")[2].partition("/")[0]
    check_url(url, (host,))


def test_http_goes_to_this_machine_alone_whatever_the_settings_name() -> None:
    with pytest.raises(DecisionRefused, match="https://"):
        check_url("http://10.0.0.8/", ("10.0.0.8",))


def test_a_name_that_leads_inside_is_not_called_when_it_comes_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def leads_inside(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 443)) for a in ("93.184.216.34", "169.254.169.254")]

    opened: list[Any] = []
    monkeypatch.setattr(socket, "getaddrinfo", leads_inside)
    monkeypatch.setattr(socket, "create_connection", lambda *to: opened.append(to))
    check_url("https://receiver.example/", ())
    with pytest.raises(NotOutside):
        call("https://receiver.example/", b"{}", {}, inside=(), seconds=5)
    assert opened == []


def test_a_key_has_a_bounded_number_of_webhooks(calls: Calls) -> None:
    made = [
        calls.post("/webhooks", {"url": f"https://a{n}.example/"}, 201)["id"] for n in range(webhooks.MOST_OF_A_KEY)
    ]
    assert "end one of them" in calls.post("/webhooks", {"url": "https://b.example/"}, 409)["error"]
    assert calls.client.delete(f"/v1/webhooks/{made[0]}", headers=calls.headers).status_code == 204
    calls.post("/webhooks", {"url": "https://b.example/"}, 201)
