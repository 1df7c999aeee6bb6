"""Who may work at the desk, and who is signed in: reads and writes of both, without any knowledge of passwords."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Row, delete, insert, select, update

from ledger.errors import UnknownUser, UserExists
from ledger.store import Store
from ledger.tables import sessions, users
from ledger.words import keepable


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may work at the desk."""

    name: str
    """As decisions are signed; unique."""
    email: str
    secret: str | None
    """A password's hash; None where they sign in elsewhere alone."""
    roles: frozenset[str]
    groups: frozenset[str]
    disabled: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in."""

    user: User
    csrf: str
    """What each form of theirs carries."""
    expires_at: datetime


class Accounts:
    """The users and their sessions."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        """Keeps them in one store."""
        self._store = store

    def add(
        self, name: str, email: str, secret: str | None, roles: Collection[str], groups: Collection[str] = ()
    ) -> User:
        """Makes a user. UserExists, also for a name that differs by capitals and spaces alone: people tell two such apart
        badly, and an audit takes them for one auditor."""
        with self._store.write() as conn:
            kept = keepable(name).strip()
            alike = (n for n in conn.execute(select(users.c.name)).scalars() if _read(n) == _read(kept))
            if (other := next(alike, None)) is not None:
                raise UserExists(f"there is a user {other!r} already: choose another name than {kept!r}")
            row = {
                "name": kept,
                "email": keepable(email).strip(),
                "secret": secret,
                "roles": sorted(roles),
                "groups": sorted(groups),
                "disabled": False,
                "created_at": self._store.now(),
            }
            conn.execute(insert(users), row)
        return self.get(kept)

    def change(
        self,
        name: str,
        *,
        secret: str | None = None,
        roles: Collection[str] | None = None,
        groups: Collection[str] | None = None,
        disabled: bool | None = None,
    ) -> User:
        """Changes what is given; whoever is disabled or has a new password is signed out everywhere. UnknownUser."""
        changed = {
            "secret": secret,
            "roles": None if roles is None else sorted(roles),
            "groups": None if groups is None else sorted(groups),
            "disabled": disabled,
        }
        values = {k: v for k, v in changed.items() if v is not None}
        with self._store.write() as conn:
            if values and conn.execute(update(users).where(users.c.name == name).values(values)).rowcount != 1:
                raise UnknownUser(f"there is no user {name!r}")
            if disabled or secret is not None:
                conn.execute(delete(sessions).where(sessions.c.user_name == name))
        return self.get(name)

    def get(self, name: str) -> User:
        """The user of that name. UnknownUser."""
        with self._store.read() as conn:
            row = conn.execute(select(users).where(users.c.name == name)).first()
        if row is None:
            raise UnknownUser(f"there is no user {name!r}")
        return _user(row)

    def by_email(self, email: str) -> User | None:
        """The one user with that address, in any case; None where nobody has it, or several have."""
        wanted = email.strip().lower()
        found = [u for u in self.all() if u.email and u.email.lower() == wanted]
        return found[0] if len(found) == 1 else None

    def all(self) -> tuple[User, ...]:
        """Everybody, by name."""
        with self._store.read() as conn:
            return tuple(_user(row) for row in conn.execute(select(users).order_by(users.c.name)))

    def sign_in(self, name: str, token: str, csrf: str, lasts: timedelta) -> None:
        """Starts a session that whoever holds ``token`` has. UnknownUser, for a disabled one too."""
        if self.get(name).disabled:
            raise UnknownUser(f"the user {name!r} is disabled")
        now = self._store.now()
        with self._store.write() as conn:
            conn.execute(delete(sessions).where(sessions.c.expires_at <= now))
            row = {
                "digest": _digest(token),
                "user_name": name,
                "csrf": csrf,
                "started_at": now,
                "expires_at": now + lasts,
            }
            conn.execute(insert(sessions), row)

    def session(self, token: str) -> Session | None:
        """Who holds that token; None where nobody does, or the session is over, or the user is disabled."""
        query = (
            select(users, sessions.c.csrf, sessions.c.expires_at)
            .join(sessions, sessions.c.user_name == users.c.name)
            .where(sessions.c.digest == _digest(token))
        )
        with self._store.read() as conn:
            row = conn.execute(query).first()
        if row is None or row.disabled or row.expires_at <= self._store.now():
            return None
        return Session(_user(row), row.csrf, row.expires_at)

    def sign_out(self, token: str) -> None:
        """Ends the session; harmless where there is none."""
        with self._store.write() as conn:
            conn.execute(delete(sessions).where(sessions.c.digest == _digest(token)))


def _read(name: str) -> str:
    return " ".join(name.split()).casefold()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _user(row: Row[tuple[object, ...]]) -> User:
    return User(
        row.name,
        row.email or "",
        row.secret,
        frozenset(row.roles),
        frozenset(row.groups),
        bool(row.disabled),
        row.created_at,
    )
