"""Keys of the interface on the command line: made, listed, revoked. A key's text is shown once and kept nowhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from desk.api.callers import WHY, Scope
from desk.errors import NotAllowed
from ledger.interface import ApiKey, Interface

Tell = Callable[[str], None]


def add(interface: Interface, name: str, scopes: Iterable[str], tell: Tell) -> int:
    """Makes a key with those scopes. NotAllowed for a scope that is not known, or for none."""
    wanted = [scope.strip() for scope in scopes]
    for scope in wanted:
        if scope not in set(Scope):
            raise NotAllowed(f"there is no scope {scope[:60]!r}: choose of {', '.join(Scope)}")
    if not wanted or not name.strip():
        told = "; ".join(f"{scope}: {why}" for scope, why in WHY.items())
        raise NotAllowed(f"a key needs a name and a --scope. {told}")
    key, text = interface.add_key(name, wanted)
    tell(f"{text}\n\n{_line(key)}. The key is shown this once: keep it where secrets are kept.")
    return 0


def listed(interface: Interface, tell: Tell) -> int:
    """Every key, without its text."""
    found = interface.keys()
    for key in found:
        tell(_line(key))
    if not found:
        tell("No system may call the interface yet.")
    return 0


def revoke(interface: Interface, key_id: str, tell: Tell) -> int:
    """Ends a key and the webhooks that it made. UnknownKey."""
    tell(_line(interface.revoke(key_id)))
    return 0


def _line(key: ApiKey) -> str:
    ended = f", revoked {key.revoked_at:%Y-%m-%d %H:%M} UTC" if key.revoked_at else ""
    return f"{key.id} {key.name} ({', '.join(sorted(key.scopes))}){ended}"
