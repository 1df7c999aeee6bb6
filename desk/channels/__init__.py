"""The ways a text leaves to a customer. Only the post room uses them.

A channel is asked to deliver at most once for a reply key; a key it has delivered before makes no second copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

MAIL = frozenset({"smtp", "eml"})
"""The names of the channels that reach mailboxes; a console reaches nobody who has left."""


class Channel(Protocol):
    """One way to a customer."""

    @property
    def name(self) -> str:
        """What the record calls it: ``smtp``, ``eml``, ``console``."""

    def deliver(self, reply_key: str, *, recipient: str, subject: str, body: str, headers: Mapping[str, str]) -> str:
        """Delivers exactly these words to exactly this address, and returns the provider's reference.

        ``reply_key`` is the idempotency key: the same key never makes two deliveries. ``Rejected`` where the letter
        was certainly not delivered; any other exception means that nobody knows.
        """
