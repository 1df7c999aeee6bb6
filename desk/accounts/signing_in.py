"""How somebody signs in with a password: hashes by argon2, a session that the browser holds the key of."""

from __future__ import annotations

import secrets
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from desk.errors import NotAllowed
from ledger.accounts import Accounts, Session
from ledger.errors import UnknownUser
from ledger.tries import Tries

SESSION_LASTS = timedelta(hours=12)
"""A working day; then one signs in anew."""
LEAST_PASSWORD = 12
"""Characters. Length is what a guesser pays for (NIST SP 800-63B asks for 8 at least where there is a second factor)."""

TRIES = 8
"""Wrong passwords for one name from one address within ``TRIES_WITHIN``, before the next are not looked at. Counted for
both together: whoever guesses elsewhere locks nobody out."""
TRIES_WITHIN = timedelta(minutes=5)

_hasher = PasswordHasher()
_nobody = _hasher.hash(secrets.token_urlsafe(16))
"""What is checked for a name that nobody has, so that an answer takes as long and tells nothing."""


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


def tried(tries: Tries, accounts: Accounts, name: str, password: str, address: str) -> str:
    """As ``sign_in``, for somebody at that address. NotAllowed, also where too many passwords were wrong just now; Busy where
    it cannot be counted: then none is looked at."""
    attempt = tries.begin(f"{address} {name.strip()[:200]}", TRIES, TRIES_WITHIN)
    if attempt is None:
        raise NotAllowed("too many wrong passwords: wait five minutes, or ask a lead")
    token = sign_in(accounts, name, password)
    tries.was_right(attempt)
    return token


def start_session(accounts: Accounts, name: str) -> str:
    """Starts a session for somebody who has shown who they are. UnknownUser, for a disabled one too."""
    token = secrets.token_urlsafe(32)
    accounts.sign_in(name, token, secrets.token_urlsafe(24), SESSION_LASTS)
    return token


def right_csrf(session: Session, given: str) -> bool:
    """True where a form carries this session's own word."""
    return secrets.compare_digest(session.csrf.encode(), given.encode("utf-8", "replace"))
