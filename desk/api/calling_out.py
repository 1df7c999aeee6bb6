"""One call to a receiver: straight to it, to an address that it may have, and over when its time is."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from urllib.parse import SplitResult, urlsplit

from desk.errors import DecisionRefused, DeskError

_EMBEDDING = tuple(ipaddress.ip_network(net) for net in ("64:ff9b::/96", "::/96"))
"""IPv6 networks whose last 32 bits are an IPv4 address."""
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotOutside(DeskError):
    """A receiver's name leads to an address inside, which no setting allows."""


def call(url: str, body: bytes, headers: Mapping[str, str], *, inside: Collection[str], seconds: float) -> int:
    """The status that a receiver answers with; a redirect is an answer and is not followed.

    The whole call has ``seconds``, however slowly bytes come. Proxies of the environment are not asked: a call to this
    machine would leave it. ``inside`` is ``webhooks.inside`` of the settings. NotOutside; OSError and
    http.client.HTTPException for every call that did not come to an answer.
    """
    parts = urlsplit(url)
    line = _Line(parts, may_be_inside(parts, inside), seconds)
    over = threading.Timer(seconds, line.cut)
    over.daemon = True
    over.start()
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        line.request("POST", target, body, dict(headers))
        status = int(line.getresponse().status)
        line.check_time()  # a line that was cut ends the headers, which then look whole
        return status
    finally:
        over.cancel()
        line.close()


def check_url(url: str, inside: Collection[str]) -> None:
    """DecisionRefused for an address that results must not be sent to, as far as it can be told without asking for the
    name; what the name leads to is looked at with each call."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise DecisionRefused(f"{url[:80]!r} is no address: {error}") from None
    if parts.username or parts.password:
        raise DecisionRefused("an address with a name or password in it would be stored: leave them out")
    if parts.fragment or not url.isascii() or any(c.isspace() or ord(c) < 32 for c in url):
        raise DecisionRefused(f"{url[:80]!r} is no plain address")
    allowed = may_be_inside(parts, inside)
    if not (parts.scheme == "https" and host) and not (parts.scheme == "http" and _is_here(host) and allowed):
        raise DecisionRefused(
            "results go to https:// addresses, or by http:// to a port of this very machine that webhooks.inside names"
        )
    if not allowed and (_is_here(host) or (_literal(host) is not None and not is_outside(host))):
        raise DecisionRefused(f"{host[:80]} is an address inside: name it in webhooks.inside of the settings first")


def may_be_inside(parts: SplitResult, inside: Collection[str]) -> bool:
    """True where the settings name that host, or that host and port, as one inside."""
    host = (parts.hostname or "").lower()
    shown = f"[{host}]" if ":" in host else host
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return not {shown, f"{shown}:{port}"}.isdisjoint(one.lower() for one in inside)


def is_outside(address: str) -> bool:
    """True for an address on the internet; False for this machine, a private network, a cloud's own, and all others."""
    found = _literal(address)
    if found is None:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if inner is None and any(found in net for net in _EMBEDDING):
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None and not is_outside(str(inner)):
            return False
    return found.is_global and not found.is_multicast


def _literal(host: str) -> Address | None:
    with suppress(ValueError):
        return ipaddress.ip_address(host.partition("%")[0])
    return None


def _is_here(host: str) -> bool:
    found = _literal(host)
    return host.lower() == "localhost" if found is None else found.is_loopback


class _Line(http.client.HTTPConnection):
    """A connection to the very address that was looked at: a name that leads elsewhere a moment later changes nothing."""

    def __init__(self, parts: SplitResult, may_be_inside: bool, seconds: float) -> None:
        self._secure = parts.scheme == "https"
        super().__init__(parts.hostname or "", parts.port or (443 if self._secure else 80), timeout=seconds)
        self.default_port = 443 if self._secure else 80  # so that the Host header names the port as others do
        self._may_be_inside, self._over = may_be_inside, threading.Event()

    def connect(self) -> None:
        """Opens the line, in TLS where the address says https. NotOutside, OSError."""
        found = [info[4][0] for info in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)]
        if not self._may_be_inside and not all(is_outside(str(address)) for address in found):
            raise NotOutside("the receiver's name leads to an address inside")
        self.sock = self._opened([str(address) for address in found])
        if self._secure:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)
        self.check_time()

    def _opened(self, addresses: Sequence[str]) -> socket.socket:
        failed: OSError = OSError("the name leads nowhere")
        for address in addresses:
            if self._over.is_set():
                break
            try:
                return socket.create_connection((address, self.port), self.timeout)
            except OSError as error:
                failed = error
        raise failed

    def check_time(self) -> None:
        """TimeoutError once the call was cut."""
        if self._over.is_set():
            raise TimeoutError("the call's time is over")

    def cut(self) -> None:
        """Ends the call, whatever it waits for."""
        self._over.set()
        if (line := self.sock) is not None:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
