"""What proves to the outside that a text comes from us. The post room's channel alone holds it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, MutableMapping
from typing import NoReturn

ENV_NAME = "LANEWISE_CHANNEL_SECRET"
"""Where the secret is read from."""


class ChannelCredential:
    """A channel's secret: it can seal, it cannot be printed, copied to disk or read back."""

    __slots__ = ("_secret",)

    def __init__(self, secret: str) -> None:
        """ValueError for an empty secret, which would seal nothing."""
        if not secret.strip():
            raise ValueError("a channel's secret cannot be empty")
        self._secret = secret.encode()

    @classmethod
    def take(cls, env: MutableMapping[str, str]) -> ChannelCredential | None:
        """The secret out of the environment, where it no longer stands afterwards; None where there was none.

        Call it once, before anything that a model can reach is built: what is started later cannot inherit it.
        """
        secret = env.pop(ENV_NAME, "")
        return cls(secret) if secret.strip() else None

    def seal(self, *parts: str) -> str:
        """HMAC-SHA256 over the parts, hex: a relay that knows the secret can tell our letters from others'."""
        # Each part is hashed first, so that no two different lists of parts read the same.
        told = b"".join(hashlib.sha256(part.encode("utf-8", errors="surrogatepass")).digest() for part in parts)
        return hmac.new(self._secret, told, hashlib.sha256).hexdigest()

    def log_in(self, login: Callable[[str], object]) -> None:
        """Hands the secret to one call, which proves to a server who we are, and to nothing else."""
        login(self._secret.decode())

    def __repr__(self) -> str:
        """Never the secret."""
        return "ChannelCredential(…)"

    def __reduce__(self) -> NoReturn:
        """TypeError: a credential is not written anywhere, not even by pickle or copy."""
        raise TypeError("a channel's credential cannot be copied or stored")
