"""Users on the command line: made, changed, listed. No password is ever a default, nor an argument that a shell keeps."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Iterable

from desk.accounts.people import Role
from desk.accounts.signing_in import hashed
from desk.errors import NotAllowed
from guards.policy import OwnerGroup
from ledger.accounts import Accounts, User

Tell = Callable[[str], None]


def add(
    accounts: Accounts, name: str, email: str, roles: Iterable[str], groups: Iterable[str], outside: bool, tell: Tell
) -> int:
    """Makes a user; the password is asked for, or read as one line of standard input. ``outside``: they sign in with
    the identity provider alone."""
    known = named(Role, roles), named(OwnerGroup, groups)
    if not known[0]:
        raise NotAllowed(f"a user needs a role: choose of {', '.join(Role)}")
    user = accounts.add(name, email, None if outside else hashed(asked()), *known)
    tell(f"{told(user)}: may sign in")
    return 0


def change(
    accounts: Accounts,
    name: str,
    roles: Iterable[str],
    groups: Iterable[str],
    password: bool,
    disable: bool | None,
    tell: Tell,
) -> int:
    """Changes what is named of a user; a new password signs them out everywhere."""
    user = accounts.change(
        name,
        secret=hashed(asked()) if password else None,
        roles=named(Role, roles) or None,
        groups=named(OwnerGroup, groups) or None,
        disabled=disable,
    )
    tell(told(user))
    return 0


def listed(accounts: Accounts, tell: Tell) -> int:
    """Everybody who may work at the desk."""
    everybody = accounts.all()
    for user in everybody:
        tell(told(user))
    if not everybody:
        tell("Nobody may work at the desk yet.")
    return 0


def told(user: User) -> str:
    """A user in one line."""
    parts = [f"{user.name} ({', '.join(sorted(user.roles))})"]
    if user.groups:
        parts.append(f"groups {', '.join(sorted(user.groups))}")
    if user.disabled:
        parts.append("disabled")
    return ", ".join(parts)


def named(kind: type[Role] | type[OwnerGroup], names: Iterable[str]) -> list[str]:
    """The roles or groups of those names. NotAllowed for one that is not known."""
    plain = [name.strip().lower().replace("-", "_") for name in names]
    for name in plain:
        if name not in set(kind):
            what = "role" if kind is Role else "group"
            raise NotAllowed(f"there is no {what} {name[:40]!r}: choose of {', '.join(kind)}")
    return plain


def asked() -> str:
    """A password, typed twice at a terminal; else the first line of standard input. NotAllowed where they differ."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != first:
        raise NotAllowed("the two passwords differ. Nothing was changed")
    return first
