"""The mailbox's password: taken out of the environment once, handed to one log-in, and never shown or stored."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import NoReturn

ENV_NAME = "LANEWISE_MAILBOX_PASSWORD"
"""Where it is read from."""


class MailboxPassword:
    """A password that can log in and cannot be printed, copied to disk or read back."""

    __slots__ = ("_secret",)

    def __init__(self, secret: str) -> None:
        """ValueError for an empty one."""
        if not secret.strip():
            raise ValueError("a mailbox's password cannot be empty")
        self._secret = secret

    @classmethod
    def take(cls, env: MutableMapping[str, str]) -> MailboxPassword | None:
        """The password out of the environment, where it no longer stands afterwards; None where there was none.

        Call it before anything that a model can reach is built: what is started later cannot inherit it.
        """
        secret = env.pop(ENV_NAME, "")
        return cls(secret) if secret.strip() else None

    def log_in(self, login: Callable[[str], object]) -> None:
        """Hands the password to one call."""
        login(self._secret)

    def __repr__(self) -> str:
        """Never the password."""
        return "MailboxPassword(…)"

    def __reduce__(self) -> NoReturn:
        """TypeError: a password is not written anywhere."""
        raise TypeError("a mailbox's password cannot be copied or stored")
