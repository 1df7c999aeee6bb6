"""How somebody signs in with a password: hashes by argon2, a session that the browser holds the key of."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from desk.errors import NotAllowed
from ledger.accounts import Accounts, Session
from ledger.errors import UnknownUser

SESSION_LASTS = timedelta(hours=12)
"""A working day; then one signs in anew."""
LEAST_PASSWORD = 12
"""Characters. Length is what a guesser pays for (NIST SP 800-63B asks for 8 at least where there is a second factor)."""

TRIES = 8
"""Wrong passwords for one name from one address within ``TRIES_SECONDS``, before the next are not looked at. Counted for
both together: whoever guesses elsewhere locks nobody out."""
TRIES_SECONDS = 300.0
_MOST_MARKS = 10_000

_hasher = PasswordHasher()
_nobody = _hasher.hash(secrets.token_urlsafe(16))
"""What is checked for a name that nobody has, so that an answer takes as long and tells nothing."""


class Tries:
    """Counts wrong passwords in this process: guessing costs time, a colleague's typing does not."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._failed: dict[str, deque[float]] = {}

    def check(self, mark: str) -> None:
        """NotAllowed where that name and address have failed too often just now."""
        with self._lock:
            told = self._failed.get(mark, deque())
            while told and told[0] <= self._clock() - TRIES_SECONDS:
                told.popleft()
            if len(told) >= TRIES:
                raise NotAllowed("too many wrong passwords: wait five minutes, or ask a lead")

    def failed(self, mark: str) -> None:
        """One more wrong password."""
        with self._lock:
            if len(self._failed) > _MOST_MARKS:  # whoever sends so many names loses the count of the oldest
                for old in list(self._failed)[: _MOST_MARKS // 2]:
                    del self._failed[old]
            self._failed.setdefault(mark, deque(maxlen=TRIES)).append(self._clock())


def hashed(password: str) -> str:
    """The hash to keep of a new password. NotAllowed where it is too short."""
    if len(password) < LEAST_PASSWORD:
        raise NotAllowed(f"a password has at least {LEAST_PASSWORD} characters")
    return _hasher.hash(password)


def sign_in(accounts: Accounts, name: str, password: str) -> str:
    """Starts a session and returns the token for the browser. NotAllowed says the same for every reason."""
    refused = NotAllowed("this name and password do not belong together")
    try:
        user = accounts.get(name.strip())
        secret = None if user.disabled else user.secret
    except UnknownUser:
        secret = None
    try:
        _hasher.verify(secret or _nobody, password)
    except (VerificationError, InvalidHashError):
        raise refused from None
    if secret is None:
        raise refused
    return start_session(accounts, name.strip())


def start_session(accounts: Accounts, name: str) -> str:
    """Starts a session for somebody who has shown who they are. UnknownUser, for a disabled one too."""
    token = secrets.token_urlsafe(32)
    accounts.sign_in(name, token, secrets.token_urlsafe(24), SESSION_LASTS)
    return token


def right_csrf(session: Session, given: str) -> bool:
    """True where a form carries this session's own word."""
    return secrets.compare_digest(session.csrf.encode(), given.encode("utf-8", "replace"))
